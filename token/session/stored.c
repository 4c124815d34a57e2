#include "token/session/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/mechanism/software.h"
#include "token/object/schema.h"
#include "token/session/binding.h"
#include "token/session/writable.h"

#define VALUE_PURPOSE "data"

CK_RV stored_new_unique(uint8_t out[STORED_UNIQUE_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[STORED_UNIQUE_SIZE / 2];
    CK_RV rv = mechanism_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random) && rv == CKR_OK; i++) {
        out[2 * i] = (uint8_t)digits[random[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[random[i] & 15];
    }
    return rv;
}

/* The lock, and whether the token is still the one that the caller knows. */
static CK_RV begin(struct token *token)
{
    struct writable *writable = token->writable;
    uint8_t id[VAULT_TOKEN_SIZE];
    memcpy(id, writable->file.id, sizeof(id));
    if (token_is_read_only(token))
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!writable_is_initialised(writable))
        return CKR_TOKEN_NOT_RECOGNIZED;
    CK_RV rv = writable_lock(token);
    if (rv != CKR_OK)
        return rv;
    writable_load(token);
    if (token_is_read_only(token)) {
        writable_release(token);
        return CKR_TOKEN_WRITE_PROTECTED;
    }
    if (!writable_is_initialised(writable) || memcmp(id, writable->file.id, sizeof(id)) != 0) {
        writable_release(token);
        log_line(LOG_LEVEL_ERROR, "session",
                 "%s: another process has initialised this token again; log in anew",
                 directory_path(writable->directory));
        return CKR_USER_NOT_LOGGED_IN;
    }
    return CKR_OK;
}

static void end(struct token *token)
{
    writable_release(token);
}

/* Private data: its value is not for who reads the file. */
static bool is_encrypted(const struct attributes *attributes)
{
    return attributes_ulong(attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION) == CKO_DATA &&
           attributes_bool(attributes, CKA_PRIVATE, false);
}

CK_RV stored_encrypt_value(struct token *token, struct entry_object *object)
{
    /* What was not decrypted stays as it stands in the file. */
    if (!is_encrypted(&object->attributes) || object->encrypted_value.size)
        return CKR_OK;
    CK_RV rv = writable_unlock(token);
    if (rv == CKR_OK && !object->key_id.size)
        rv = bytes_copy(&object->key_id, attributes_value(&object->attributes, CKA_UNIQUE_ID));
    if (rv == CKR_OK)
        rv = vault_encrypt(token->writable->vault, VALUE_PURPOSE, bytes_view(&object->key_id),
                           attributes_value(&object->attributes, CKA_VALUE),
                           &object->encrypted_value);
    /* The file could be written, but not read again. */
    if (rv == CKR_OK && object->encrypted_value.size > ATTRIBUTE_MAX_SIZE)
        rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (rv == CKR_OK)
        attributes_remove(&object->attributes, CKA_VALUE);
    return rv;
}

CK_RV stored_decrypt_value(struct token *token, struct entry_object *object)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    if (!object->encrypted_value.size)
        return CKR_OK;
    /* It would be written back in the clear. */
    CK_RV rv = is_encrypted(&object->attributes) ? writable_unlock(token) : CKR_DEVICE_ERROR;
    if (rv == CKR_OK)
        rv = vault_decrypt(token->writable->vault, VALUE_PURPOSE, bytes_view(&object->key_id),
                           bytes_view(&object->encrypted_value), &value);
    if (rv == CKR_DATA_INVALID) {
        log_line(LOG_LEVEL_ERROR, "session",
                 "%s: a private value cannot be decrypted: its file was changed by hand, or is "
                 "another object's",
                 directory_path(token->writable->directory));
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK)
        rv = attributes_set(&object->attributes, CKA_VALUE, bytes_view(&value));
    if (rv == CKR_OK)
        bytes_free(&object->encrypted_value);
    return rv;
}

static void free_name(char **name)
{
    free(*name);
}

/* What the file says now, as objects. */
static CK_RV apply(struct token *token, const char *name, struct entry_objects *objects)
{
    struct attributes contents[ENTRY_FILE_MAX_OBJECTS];
    const struct directory_file *file = directory_find(token->writable->directory, name);
    for (size_t i = 0; i < objects->count; i++) {
        contents[i] = objects->objects[i].attributes;
        objects->objects[i].attributes = (struct attributes){0};
    }
    CK_RV rv = writable_apply(token, name, file ? file->version : 0, contents, objects->count);
    for (size_t i = 0; i < objects->count; i++)
        attributes_clear(&contents[i]);
    return rv;
}

static CK_RV write_entry(struct token *token, const char *name, struct entry_objects *objects)
{
    struct bytes text CLEANUP(bytes_free) = {0};
    struct reason reason = {0};
    for (size_t i = 0; i < objects->count; i++) {
        CK_RV rv = stored_encrypt_value(token, &objects->objects[i]);
        if (rv != CKR_OK)
            return rv;
    }
    memcpy(objects->token, token->writable->file.id, sizeof(objects->token));
    CK_RV rv = entry_file_write(objects, &text);
    if (rv == CKR_OK)
        rv = directory_write(token->writable->directory, name, bytes_view(&text), &reason);
    if (rv == CKR_OK)
        rv = apply(token, name, objects);
    /* The file may be another all the same. */
    token->writable->stale |= rv != CKR_OK;
    return writable_fail(token, rv, &reason);
}

/* What a person sees in the directory: the kind, and the beginning of the unique id. */
static void name_file(const struct entry_objects *objects, char *name, size_t size)
{
    static const struct {
        CK_OBJECT_CLASS class;
        const char *word;
    } words[] = {
        {CKO_CERTIFICATE, "certificate"},
        {CKO_PUBLIC_KEY, "public-key"},
        {CKO_PRIVATE_KEY, "key"},
        {CKO_SECRET_KEY, "secret-key"},
        {CKO_DATA, "data"},
    };
    const char *word = "entry";
    struct view unique = attributes_value(&objects->objects[0].attributes, CKA_UNIQUE_ID);
    for (size_t i = 0; i < objects->count; i++) {
        CK_OBJECT_CLASS class = attributes_ulong(&objects->objects[i].attributes, CKA_CLASS, 0);
        for (size_t j = 0; j < ARRAY_SIZE(words); j++)
            if (words[j].class == class && strcmp(word, "key") != 0)
                word = words[j].word;
    }
    snprintf(name, size, "%s-%.*s.pem", word, (int)unique.size, (const char *)unique.data);
}

CK_RV stored_add(struct token *token, struct entry_objects *objects, CK_OBJECT_HANDLE *ret_handles)
{
    char name[128];
    size_t count = objects->count;
    name_file(objects, name, sizeof(name));
    CK_RV rv = begin(token);
    if (rv != CKR_OK)
        return rv;
    objects->own = true;
    rv = write_entry(token, name, objects);
    end(token);
    const struct record *record = rv == CKR_OK ? writable_find_record(token, name) : NULL;
    if (rv == CKR_OK && (!record || record->count != count))
        return CKR_DEVICE_ERROR;
    for (size_t i = 0; i < count && rv == CKR_OK; i++)
        ret_handles[i] = record->objects[i]->handle;
    return rv;
}

/* With the lock held: the object as it is now, and its file's contents. */
static CK_RV look_up(struct token *token, CK_OBJECT_HANDLE handle, struct entry_objects *contents,
                     struct object **ret_object, struct entry_object **ret_entry)
{
    struct object *object = token_object(token, handle);
    if (!object)
        return CKR_OBJECT_HANDLE_INVALID;
    if (!object->home)
        return CKR_ACTION_PROHIBITED;
    CK_RV rv = writable_read(token, object, contents, ret_entry);
    if (rv != CKR_OK)
        return rv;
    *ret_object = object;
    return contents->own ? CKR_OK : CKR_ACTION_PROHIBITED;
}

static CK_RV change(struct token *token, CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *template,
                    CK_ULONG count)
{
    struct entry_objects contents CLEANUP(entry_objects_clear) = {.count = 0};
    struct attributes before CLEANUP(attributes_clear) = {0};
    struct object *object = NULL;
    struct entry_object *entry = NULL;
    CK_RV rv = look_up(token, handle, &contents, &object, &entry);
    if (rv == CKR_OK && !attributes_bool(&entry->attributes, CKA_MODIFIABLE, true))
        return CKR_ACTION_PROHIBITED;
    if (rv == CKR_OK)
        rv = stored_decrypt_value(token, entry);
    if (rv == CKR_OK)
        rv = attributes_copy(&before, &entry->attributes);
    if (rv == CKR_OK)
        rv = schema_change(&entry->attributes, template, count,
                           token->login == TOKEN_SO ? SCHEMA_SET | SCHEMA_BY_SO : SCHEMA_SET);
    if (rv == CKR_OK)
        rv = binding_renew_pem(token->writable->vault, &before, &entry->attributes,
                               bytes_view(&entry->key_id), &entry->pem);
    const struct record *record = object ? object->home : NULL;
    if (rv != CKR_OK || !record)
        return rv;
    char *name CLEANUP(free_name) = strdup(record->name);
    return name ? write_entry(token, name, &contents) : CKR_HOST_MEMORY;
}

CK_RV stored_change(struct token *token, CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *template,
                    CK_ULONG count)
{
    CK_RV rv = begin(token);
    if (rv != CKR_OK)
        return rv;
    rv = change(token, handle, template, count);
    end(token);
    return rv;
}

static CK_RV take_out(struct token *token, const char *name, struct entry_objects *contents,
                      struct entry_object *entry)
{
    struct reason reason = {0};
    size_t at = (size_t)(entry - contents->objects);
    if (contents->count == 1) {
        CK_RV rv = directory_remove(token->writable->directory, name, &reason);
        if (rv == CKR_OK)
            writable_forget(token, name);
        token->writable->stale |= rv != CKR_OK;
        return writable_fail(token, rv, &reason);
    }
    entry_object_clear(entry);
    memmove(entry, entry + 1, (contents->count - at - 1) * sizeof(*entry));
    contents->count--;
    memset(&contents->objects[contents->count], 0, sizeof(*entry));
    return write_entry(token, name, contents);
}

static CK_RV destroy(struct token *token, CK_OBJECT_HANDLE handle)
{
    struct entry_objects contents CLEANUP(entry_objects_clear) = {.count = 0};
    struct object *object = NULL;
    struct entry_object *entry = NULL;
    CK_RV rv = look_up(token, handle, &contents, &object, &entry);
    if (rv != CKR_OK)
        return rv;
    if (!attributes_bool(&entry->attributes, CKA_DESTROYABLE, true))
        return CKR_ACTION_PROHIBITED;
    const struct record *record = object->home;
    char *name CLEANUP(free_name) = strdup(record->name);
    return name ? take_out(token, name, &contents, entry) : CKR_HOST_MEMORY;
}

CK_RV stored_remove(struct token *token, CK_OBJECT_HANDLE handle)
{
    CK_RV rv = begin(token);
    if (rv != CKR_OK)
        return rv;
    rv = destroy(token, handle);
    end(token);
    return rv;
}

static const CK_ATTRIBUTE_TYPE secrets[] = {CKA_VALUE,      CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
                                            CKA_PRIME_2,    CKA_EXPONENT_1,       CKA_EXPONENT_2,
                                            CKA_COEFFICIENT};

bool stored_may_be_secret(CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (secrets[i] == type)
            return true;
    return false;
}

void stored_remove_secrets(struct attributes *attributes)
{
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        attributes_remove(attributes, secrets[i]);
}

void stored_conceal(struct token *token, struct object *object)
{
    token_unlist_object(token, object);
    stored_remove_secrets(&object->attributes);
    object->revealed = false;
    if (token_list_object(token, object) != CKR_OK)
        log_line(LOG_LEVEL_ERROR, "session", "no memory to keep an object searchable");
}
