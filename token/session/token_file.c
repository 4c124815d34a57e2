#include "token/session/token_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/object/text.h"
#include "token/store/entry.h"

#define TEXT_MAX_SIZE (256 * 1024)

static const char *const user_groups[VAULT_USERS] = {"user", "so"};
static const char *const pending_groups[VAULT_USERS] = {"user pending", "so pending"};

static const struct {
    const char *word;
    enum key_place place;
} places[] = {
    {"device", KEY_IN_DEVICE},
    {"swtpm", KEY_IN_SWTPM},
    {"embedded", KEY_IN_EMBEDDED},
    {"other", KEY_IN_OTHER_TPM},
};

/* Collects the text and remembers the first failure. */
struct writer {
    struct bytes text;
    CK_RV rv;
};

static void put_line(struct writer *writer, const char *name, struct view value)
{
    if (writer->rv == CKR_OK)
        writer->rv = entry_write_line(&writer->text, name, value);
}

static void put_bytes(struct writer *writer, const char *name, struct view value)
{
    struct bytes text CLEANUP(bytes_free) = {0};
    if (writer->rv == CKR_OK)
        writer->rv = attribute_to_text(CKA_LABEL, value, &text);
    put_line(writer, name, bytes_view(&text));
}

static void put_id(struct writer *writer, const char *name, const uint8_t id[VAULT_TOKEN_SIZE])
{
    char text[2 * VAULT_TOKEN_SIZE + 1];
    for (size_t i = 0; i < VAULT_TOKEN_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    put_line(writer, name, view_string(text));
}

static void put_hex(struct writer *writer, const char *name, struct view value)
{
    char text[2 * 128 + 5] = "hex:";
    for (size_t i = 0; i < value.size && i < 128; i++)
        snprintf(text + 4 + 2 * i, 3, "%02x", value.data[i]);
    put_line(writer, name, view_string(text));
}

static void put_number(struct writer *writer, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    put_line(writer, name, view_string(text));
}

static void put_handle(struct writer *writer, const char *name, uint32_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "0x%08x", (unsigned)value);
    put_line(writer, name, view_string(text));
}

static void put_group(struct writer *writer, const char *kind)
{
    if (writer->rv == CKR_OK)
        writer->rv = entry_write_group(&writer->text, kind);
}

static void put_seal(struct writer *writer, const char *group, const struct vault_seal *seal)
{
    if (!seal->present)
        return;
    put_group(writer, group);
    put_line(writer, "pin", view_string(seal->open ? "none" : "required"));
    if (seal->gated) {
        put_handle(writer, "pin index", seal->pin_index);
        put_handle(writer, "counter index", seal->counter_index);
        put_number(writer, "counter", seal->counter);
        put_number(writer, "tries", seal->try_limit);
    }
    if (!seal->open)
        put_hex(writer, "salt", view_of(seal->salt, sizeof(seal->salt)));
    if (writer->rv == CKR_OK)
        writer->rv = entry_write_pem(&writer->text, bytes_view(&seal->sealed));
}

static void put_tpm(struct writer *writer, const struct vault_identity *tpm)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (places[i].place == tpm->place)
            put_line(writer, "tpm", view_string(places[i].word));
    if (*tpm->manufacturer)
        put_bytes(writer, "tpm manufacturer", view_string(tpm->manufacturer));
    if (*tpm->firmware)
        put_bytes(writer, "tpm firmware", view_string(tpm->firmware));
    if (tpm->root_name.size)
        put_hex(writer, "storage root", bytes_view(&tpm->root_name));
}

CK_RV token_file_write(const struct token_file *file, struct bytes *ret_text)
{
    struct writer writer = {.rv = CKR_OK};
    writer.rv = entry_write_header(&writer.text);
    if (file->initialised)
        put_id(&writer, "token", file->id);
    if (file->has_next)
        put_id(&writer, "next token", file->next);
    if (file->has_previous)
        put_id(&writer, "previous token", file->previous);
    if (file->initialised) {
        put_group(&writer, "token");
        put_bytes(&writer, "label", bytes_view(&file->label));
        put_tpm(&writer, &file->tpm);
    }
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        put_seal(&writer, user_groups[user], &file->seals[user]);
        put_seal(&writer, pending_groups[user], &file->pending[user]);
    }
    if (writer.rv != CKR_OK) {
        bytes_free(&writer.text);
        return writer.rv;
    }
    bytes_free(ret_text);
    *ret_text = writer.text;
    return CKR_OK;
}

static CK_RV wrong(const struct entry_group *group, const char *name, struct reason *reason)
{
    reason->line = group->line;
    reason_set(reason, "'%s' of [%.*s] is missing or makes no sense", name, (int)group->kind.size,
               (const char *)group->kind.data);
    return CKR_DATA_INVALID;
}

static CK_RV take_bytes(const struct entry_group *group, const char *name, size_t max, bool needed,
                        struct bytes *ret_value, struct reason *reason)
{
    struct view text = entry_value(group, name);
    if (!text.data && !needed)
        return CKR_OK;
    CK_RV rv = text.data ? attribute_from_text(CKA_LABEL, text, ret_value, reason)
                         : (CK_RV)CKR_DATA_INVALID;
    if (rv == CKR_HOST_MEMORY)
        return rv;
    return rv != CKR_OK || ret_value->size > max ? wrong(group, name, reason) : CKR_OK;
}

/* For fields of fixed size, such as salts. */
static CK_RV take_exactly(const struct entry_group *group, const char *name, uint8_t *out,
                          size_t size, struct reason *reason)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    CK_RV rv = take_bytes(group, name, size, true, &value, reason);
    if (rv != CKR_OK)
        return rv;
    if (value.size != size)
        return wrong(group, name, reason);
    memcpy(out, value.data, size);
    return CKR_OK;
}

static CK_RV take_number(const struct entry_group *group, const char *name, uint64_t max,
                         uint64_t *ret_value, struct reason *reason)
{
    char text[32];
    struct view value = entry_value(group, name);
    if (!value.size || value.size >= sizeof(text))
        return wrong(group, name, reason);
    memcpy(text, value.data, value.size);
    text[value.size] = 0;
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 0);
    if (errno || *end || text[0] == '-' || number > max)
        return wrong(group, name, reason);
    *ret_value = number;
    return CKR_OK;
}

static CK_RV take_id(const struct entry_group *header, const char *name, bool *ret_present,
                     uint8_t out[VAULT_TOKEN_SIZE], struct reason *reason)
{
    char text[2 * VAULT_TOKEN_SIZE + 5] = "hex:";
    struct view value = entry_value(header, name);
    *ret_present = false;
    if (!value.data)
        return CKR_OK;
    struct bytes id CLEANUP(bytes_free) = {0};
    if (value.size != 2 * (size_t)VAULT_TOKEN_SIZE)
        return wrong(header, name, reason);
    memcpy(text + 4, value.data, value.size);
    CK_RV rv = attribute_from_text(CKA_ID, view_of(text, 4 + value.size), &id, reason);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK || id.size != VAULT_TOKEN_SIZE)
        return wrong(header, name, reason);
    memcpy(out, id.data, VAULT_TOKEN_SIZE);
    *ret_present = true;
    return CKR_OK;
}

static CK_RV take_gates(const struct entry_group *group, struct vault_seal *seal,
                        struct reason *reason)
{
    uint64_t pin_index = 0, counter_index = 0, tries = 0;
    CK_RV rv = take_number(group, "pin index", UINT32_MAX, &pin_index, reason);
    if (rv == CKR_OK)
        rv = take_number(group, "counter index", UINT32_MAX, &counter_index, reason);
    if (rv == CKR_OK)
        rv = take_number(group, "counter", UINT64_MAX, &seal->counter, reason);
    if (rv == CKR_OK)
        rv = take_number(group, "tries", 255, &tries, reason);
    if (rv == CKR_OK && !tries)
        rv = wrong(group, "tries", reason);
    seal->gated = true;
    seal->pin_index = (uint32_t)pin_index;
    seal->counter_index = (uint32_t)counter_index;
    seal->try_limit = (uint32_t)tries;
    return rv;
}

/* may_be_open: nobody's PIN opens it; the SO always has one. */
static CK_RV take_seal(const struct entry_group *group, struct vault_seal *seal, bool may_be_open,
                       struct reason *reason)
{
    struct view pin = entry_value(group, "pin");
    seal->open = may_be_open && view_equal(pin, view_string("none"));
    if (seal->present || (!seal->open && !view_equal(pin, view_string("required"))))
        return wrong(group, "pin", reason);
    seal->present = true;
    CK_RV rv = CKR_OK;
    if (entry_value(group, "pin index").data)
        rv = take_gates(group, seal, reason);
    if (rv == CKR_OK && !seal->open)
        rv = take_exactly(group, "salt", seal->salt, sizeof(seal->salt), reason);
    if (rv == CKR_OK && !group->pem.size)
        rv = wrong(group, "TSS2 PRIVATE KEY", reason);
    return rv != CKR_OK ? rv : bytes_copy(&seal->sealed, group->pem);
}

static CK_RV take_word(const struct entry_group *group, const char *name, char *field, size_t size,
                       struct reason *reason)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    CK_RV rv = take_bytes(group, name, size - 1, false, &value, reason);
    if (rv == CKR_OK && value.size)
        memcpy(field, value.data, value.size);
    return rv;
}

static CK_RV take_token(const struct entry_group *group, struct token_file *file,
                        struct reason *reason)
{
    struct vault_identity *tpm = &file->tpm;
    struct view word = entry_value(group, "tpm");
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (view_equal(word, view_string(places[i].word))) {
            tpm->place = places[i].place;
            known = true;
        }
    }
    if (!known)
        return wrong(group, "tpm", reason);
    CK_RV rv = take_bytes(group, "label", TOKEN_LABEL_SIZE, true, &file->label, reason);
    if (rv == CKR_OK)
        rv = take_word(group, "tpm manufacturer", tpm->manufacturer, sizeof(tpm->manufacturer),
                       reason);
    if (rv == CKR_OK)
        rv = take_word(group, "tpm firmware", tpm->firmware, sizeof(tpm->firmware), reason);
    return rv != CKR_OK ? rv
                        : take_bytes(group, "storage root", 128, false, &tpm->root_name, reason);
}

static CK_RV take_group(const struct entry_group *group, struct token_file *file, bool *has_token,
                        struct reason *reason)
{
    if (view_equal(group->kind, view_string("token"))) {
        if (*has_token)
            return wrong(group, "[token]", reason);
        *has_token = true;
        return take_token(group, file, reason);
    }
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        if (view_equal(group->kind, view_string(user_groups[user])))
            return take_seal(group, &file->seals[user], user == VAULT_USER, reason);
        if (view_equal(group->kind, view_string(pending_groups[user])))
            return take_seal(group, &file->pending[user], false, reason);
    }
    reason->line = group->line;
    reason_set(reason, "[%.*s] does not belong into a token file", (int)group->kind.size,
               (const char *)group->kind.data);
    return CKR_DATA_INVALID;
}

static CK_RV take_all(const struct entry *entry, struct token_file *file, struct reason *reason)
{
    bool has_token = false;
    const struct entry_group *header = &entry->groups[0];
    CK_RV rv = take_id(header, "token", &file->initialised, file->id, reason);
    if (rv == CKR_OK)
        rv = take_id(header, "next token", &file->has_next, file->next, reason);
    if (rv == CKR_OK)
        rv = take_id(header, "previous token", &file->has_previous, file->previous, reason);
    for (size_t i = 1; i < entry->group_count && rv == CKR_OK; i++)
        rv = take_group(&entry->groups[i], file, &has_token, reason);
    if (rv == CKR_OK && file->initialised && !has_token) {
        reason_set(reason, "the group [token] is missing");
        return CKR_DATA_INVALID;
    }
    return rv;
}

CK_RV token_file_parse(struct view text, struct token_file *ret_file, struct reason *reason)
{
    struct entry entry CLEANUP(entry_clear) = {0};
    struct token_file file = {0};
    if (text.size > TEXT_MAX_SIZE) {
        reason_set(reason, "it is larger than any token file");
        return CKR_DATA_INVALID;
    }
    CK_RV rv = entry_parse(text, &entry, reason);
    if (rv == CKR_OK)
        rv = take_all(&entry, &file, reason);
    if (rv != CKR_OK) {
        token_file_clear(&file);
        return rv;
    }
    token_file_clear(ret_file);
    *ret_file = file;
    return CKR_OK;
}

static CK_RV copy_parts(struct token_file *file, const struct token_file *from)
{
    CK_RV rv = bytes_copy(&file->label, bytes_view(&from->label));
    if (rv == CKR_OK)
        rv = bytes_copy(&file->tpm.root_name, bytes_view(&from->tpm.root_name));
    for (enum vault_user user = 0; user < VAULT_USERS && rv == CKR_OK; user++) {
        rv = vault_seal_copy(&file->seals[user], &from->seals[user]);
        if (rv == CKR_OK)
            rv = vault_seal_copy(&file->pending[user], &from->pending[user]);
    }
    return rv;
}

CK_RV token_file_copy(struct token_file *file, const struct token_file *from)
{
    struct token_file copy = *from;
    copy.label = (struct bytes){0};
    copy.tpm.root_name = (struct bytes){0};
    memset(copy.seals, 0, sizeof(copy.seals));
    memset(copy.pending, 0, sizeof(copy.pending));
    CK_RV rv = copy_parts(&copy, from);
    if (rv != CKR_OK) {
        token_file_clear(&copy);
        return rv;
    }
    token_file_clear(file);
    *file = copy;
    return CKR_OK;
}

void token_file_clear(struct token_file *file)
{
    bytes_free(&file->label);
    vault_identity_clear(&file->tpm);
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        vault_seal_clear(&file->seals[user]);
        vault_seal_clear(&file->pending[user]);
    }
    *file = (struct token_file){0};
}
