#include "token/crypto/tss2.h"

#include <stdlib.h>
#include <string.h>

#include "token/crypto/der.h"

/* 2.23.133.10.1 and .2; the kind of key is one more arc. */
static const uint8_t key_oid[] = {0x67, 0x81, 0x05, 0x0a, 0x01};
static const uint8_t legacy_oid[] = {0x67, 0x81, 0x05, 0x0a, 0x02};

static const struct {
    uint8_t arc;
    enum tpm_key_file_type type;
} types[] = {{3, TPM_KEY_LOADABLE}, {4, TPM_KEY_IMPORTABLE}, {5, TPM_KEY_SEALED}};

static CK_RV refuse(struct reason *reason, const char *why)
{
    reason_set(reason, "%s", why);
    return CKR_DATA_INVALID;
}

static CK_RV read_type(struct view oid, struct tpm_key_file *key, struct reason *reason)
{
    const size_t size = sizeof(key_oid);
    if (oid.size >= size && memcmp(oid.data, legacy_oid, size) == 0)
        return refuse(reason, "it has the old layout of the object identifier 2.23.133.10.2; make "
                              "it anew with a current tool");
    if (oid.size == size + 1 && memcmp(oid.data, key_oid, size) == 0)
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
            if (oid.data[size] == types[i].arc) {
                key->type = types[i].type;
                return CKR_OK;
            }
    return refuse(reason, "its object identifier is not that of a loadable, importable or sealed "
                          "TPM key");
}

static CK_RV read_boolean(struct view content, bool *ret_value, struct reason *reason,
                          const char *why)
{
    struct view value;
    if (!der_only(content, DER_BOOLEAN, &value) || value.size != 1)
        return refuse(reason, why);
    *ret_value = value.data[0] != 0;
    return CKR_OK;
}

/* A TPM2B: two bytes of size, then as many bytes. */
static CK_RV read_sized(struct view content, const char *name, struct bytes *ret_value,
                        struct reason *reason)
{
    struct view value;
    if (!der_only(content, DER_OCTET_STRING, &value)) {
        reason_set(reason, "its %s is malformed", name);
        return CKR_DATA_INVALID;
    }
    if (value.size < 3 || value.size > TSS2_MAX_FIELD_SIZE) {
        reason_set(reason, "its %s has %zu bytes", name, value.size);
        return CKR_DATA_INVALID;
    }
    size_t stated = (size_t)value.data[0] << 8 | value.data[1];
    if (stated != value.size - 2) {
        reason_set(reason, "its %s should have %zu bytes and has %zu", name, stated,
                   value.size - 2);
        return CKR_DATA_INVALID;
    }
    return bytes_copy(ret_value, value);
}

/* SEQUENCE OF SEQUENCE { [0] INTEGER, [1] OCTET STRING } */
static bool check_policy(struct view content, bool *ret_present)
{
    struct view list, statement, code, command, number;
    if (!der_only(content, DER_SEQUENCE, &list))
        return false;
    *ret_present |= list.size != 0;
    while (list.size)
        if (!der_take(&list, DER_SEQUENCE, &statement) ||
            !der_take(&statement, DER_CONTEXT(0), &code) || !der_take_unsigned(&code, &number) ||
            code.size || !der_take(&statement, DER_CONTEXT(1), &command) ||
            !der_only(command, DER_OCTET_STRING, &command) || statement.size)
            return false;
    return true;
}

/* SEQUENCE OF SEQUENCE { [0] UTF8String OPTIONAL, [1] policy } */
static bool check_auth_policy(struct view content, bool *ret_present)
{
    struct view list, entry, name, policy;
    if (!der_only(content, DER_SEQUENCE, &list))
        return false;
    *ret_present |= list.size != 0;
    while (list.size) {
        if (!der_take(&list, DER_SEQUENCE, &entry))
            return false;
        if (der_take(&entry, DER_CONTEXT(0), &name) && !der_only(name, DER_UTF8_STRING, &name))
            return false;
        if (!der_take(&entry, DER_CONTEXT(1), &policy) || entry.size ||
            !check_policy(policy, ret_present))
            return false;
    }
    return true;
}

static CK_RV read_field(unsigned number, struct view content, struct tpm_key_file *key,
                        struct reason *reason)
{
    struct view description;
    switch (number) {
    case 0:
        return read_boolean(content, &key->empty_auth, reason, "its emptyAuth is malformed");
    case 1:
        return check_policy(content, &key->has_policy) ? CKR_OK
                                                       : refuse(reason, "its policy is malformed");
    case 2:
        return read_sized(content, "secret", &key->secret, reason);
    case 3:
        return check_auth_policy(content, &key->has_policy)
                   ? CKR_OK
                   : refuse(reason, "its authPolicy is malformed");
    case 4:
        return der_only(content, DER_UTF8_STRING, &description)
                   ? CKR_OK
                   : refuse(reason, "its description is malformed");
    case 5:
        return read_boolean(content, &key->rsa_parent, reason, "its rsaParent is malformed");
    default:
        reason_set(reason, "it has a field [%u] that is not known", number);
        return CKR_DATA_INVALID;
    }
}

/* The optional fields, each at most once and in the order of their numbers. */
static CK_RV read_fields(struct view *in, struct tpm_key_file *key, struct reason *reason)
{
    struct der field;
    for (unsigned least = 0; (der_peek(*in) & 0xc0) == 0x80;) {
        if (!der_next(in, &field))
            return refuse(reason, "its DER is damaged");
        unsigned number = field.tag & 0x1f;
        if (field.tag != DER_CONTEXT(number) || number < least)
            return refuse(reason, "its optional fields are out of order");
        CK_RV rv = read_field(number, field.content, key, reason);
        if (rv != CKR_OK)
            return rv;
        least = number + 1;
    }
    return CKR_OK;
}

/* Some writers take the handle as a signed number. */
static CK_RV read_parent(struct view *in, struct tpm_key_file *key, struct reason *reason)
{
    struct view number;
    if (!der_take(in, DER_INTEGER, &number) || number.size == 0 || number.size > 5 ||
        (number.size == 5 && number.data[0] != 0))
        return refuse(reason, "its parent is malformed");
    uint32_t parent = 0;
    for (size_t i = 0; i < number.size; i++)
        parent = parent << 8 | number.data[i];
    if (parent >> 24 != 0x81 && parent >> 24 != 0x40) {
        reason_set(reason, "its parent 0x%08x is neither persistent nor a hierarchy", parent);
        return CKR_DATA_INVALID;
    }
    key->parent = parent;
    return CKR_OK;
}

static CK_RV read_octets(struct view *in, const char *name, struct bytes *ret_value,
                         struct reason *reason)
{
    struct der element = {0};
    if (!der_next(in, &element)) {
        reason_set(reason, "its %s is missing or cut off", name);
        return CKR_DATA_INVALID;
    }
    return read_sized(element.whole, name, ret_value, reason);
}

static CK_RV read_key(struct view in, struct tpm_key_file *key, struct reason *reason)
{
    struct view oid;
    if (!der_take(&in, DER_OID, &oid))
        return refuse(reason, "its object identifier is missing");
    CK_RV rv = read_type(oid, key, reason);
    if (rv == CKR_OK)
        rv = read_fields(&in, key, reason);
    if (rv == CKR_OK)
        rv = read_parent(&in, key, reason);
    if (rv == CKR_OK)
        rv = read_octets(&in, "public part", &key->public, reason);
    if (rv == CKR_OK)
        rv = read_octets(&in, "private part", &key->private, reason);
    if (rv != CKR_OK)
        return rv;
    if (in.size)
        return refuse(reason, "it has fields after the private part that are not known");
    if (key->type == TPM_KEY_IMPORTABLE && key->secret.size == 0)
        return refuse(reason, "it is importable but has no secret");
    if (key->type == TPM_KEY_LOADABLE && key->secret.size != 0)
        return refuse(reason, "it is loadable but has a secret");
    return CKR_OK;
}

CK_RV tss2_decode(struct view der, struct tpm_key_file **ret_key, struct reason *reason)
{
    struct view sequence;
    if (der_size_needed(der) > der.size) {
        reason_set(reason, "its DER is cut off after %zu of %zu bytes", der.size,
                   der_size_needed(der));
        return CKR_DATA_INVALID;
    }
    if (!der_only(der, DER_SEQUENCE, &sequence))
        return refuse(reason, "its content is not one DER sequence");
    CLEANUP(tss2_cleanup) struct tpm_key_file *key = calloc(1, sizeof(*key));
    if (!key)
        return CKR_HOST_MEMORY;
    CK_RV rv = read_key(sequence, key, reason);
    if (rv != CKR_OK)
        return rv;
    *ret_key = key;
    key = NULL;
    return CKR_OK;
}

static CK_RV append_explicit(struct bytes *out, unsigned number, unsigned tag, struct view content)
{
    CLEANUP(bytes_free) struct bytes inner = {0};
    CK_RV rv = der_append(&inner, tag, content);
    return rv == CKR_OK ? der_append(out, DER_CONTEXT(number), bytes_view(&inner)) : rv;
}

static CK_RV append_type(struct bytes *out, enum tpm_key_file_type type)
{
    uint8_t oid[sizeof(key_oid) + 1];
    memcpy(oid, key_oid, sizeof(key_oid));
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].type == type)
            oid[sizeof(key_oid)] = types[i].arc;
    return der_append(out, DER_OID, view_of(oid, sizeof(oid)));
}

/* What is false is left out, as the draft recommends. */
static CK_RV append_fields(struct bytes *out, const struct tpm_key_file *key)
{
    static const uint8_t yes[] = {0xff};
    CK_RV rv = CKR_OK;
    if (key->empty_auth)
        rv = append_explicit(out, 0, DER_BOOLEAN, view_of(yes, sizeof(yes)));
    if (rv == CKR_OK && key->secret.size)
        rv = append_explicit(out, 2, DER_OCTET_STRING, bytes_view(&key->secret));
    if (rv == CKR_OK && key->rsa_parent)
        rv = append_explicit(out, 5, DER_BOOLEAN, view_of(yes, sizeof(yes)));
    return rv;
}

CK_RV tss2_encode(const struct tpm_key_file *key, struct bytes *ret_der)
{
    const uint8_t parent[] = {(uint8_t)(key->parent >> 24), (uint8_t)(key->parent >> 16),
                              (uint8_t)(key->parent >> 8), (uint8_t)key->parent};
    CLEANUP(bytes_free) struct bytes inner = {0};
    CLEANUP(bytes_free) struct bytes der = {0};
    CLEANUP(tss2_cleanup) struct tpm_key_file *again = NULL;
    if (key->has_policy)
        return CKR_DATA_INVALID;
    CK_RV rv = append_type(&inner, key->type);
    if (rv == CKR_OK)
        rv = append_fields(&inner, key);
    if (rv == CKR_OK)
        rv = der_append_unsigned(&inner, view_of(parent, sizeof(parent)));
    if (rv == CKR_OK)
        rv = der_append(&inner, DER_OCTET_STRING, bytes_view(&key->public));
    if (rv == CKR_OK)
        rv = der_append(&inner, DER_OCTET_STRING, bytes_view(&key->private));
    if (rv == CKR_OK)
        rv = der_append(&der, DER_SEQUENCE, bytes_view(&inner));
    if (rv == CKR_OK)
        rv = tss2_decode(bytes_view(&der), &again, NULL);
    if (rv != CKR_OK)
        return rv;
    *ret_der = der;
    der = (struct bytes){0};
    return CKR_OK;
}

void tss2_free(struct tpm_key_file *key)
{
    if (!key)
        return;
    bytes_free(&key->public);
    bytes_free(&key->private);
    bytes_free(&key->secret);
    free(key);
}

void tss2_cleanup(struct tpm_key_file **key)
{
    tss2_free(*key);
    *key = NULL;
}
