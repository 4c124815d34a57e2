#include "token/session/binding.h"

#include "token/base/log.h"

#define MAX_SIZE (ATTRIBUTE_MAX_SIZE + 8)

static CK_OBJECT_CLASS class_of(const struct attributes *attributes)
{
    return attributes_ulong(attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
}

/* What can leave the token can be told to leave it under certain keys alone; what cannot
 * leave needs no such word. */
static uint8_t flags_of(const struct attributes *attributes)
{
    static const CK_ATTRIBUTE_TYPE bits[] = {
        CKA_SENSITIVE,           CKA_EXTRACTABLE,       CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
        CKA_ALWAYS_AUTHENTICATE, CKA_WRAP_WITH_TRUSTED, CKA_TRUSTED,
    };
    bool extractable = attributes_bool(attributes, CKA_EXTRACTABLE, false);
    uint8_t flags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
        if (attributes_bool(attributes, bits[i], false) &&
            (extractable || bits[i] != CKA_WRAP_WITH_TRUSTED))
            flags |= (uint8_t)(1u << i);
    return flags;
}

CK_RV binding_of(const struct attributes *attributes, struct view key_id, struct bytes *ret_unique)
{
    struct bytes unique CLEANUP(bytes_free) = {0};
    /* A private key's type is that of its public half, which it is checked against. */
    CK_ULONG type = class_of(attributes) == CKO_SECRET_KEY
                        ? attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION)
                        : 0;
    const uint8_t tail[] = {(uint8_t)(type >> 24), (uint8_t)(type >> 16), (uint8_t)(type >> 8),
                            (uint8_t)type, flags_of(attributes)};
    CK_RV rv = bytes_append(&unique, key_id, MAX_SIZE);
    if (rv == CKR_OK)
        rv = bytes_append(&unique, view_of(tail, sizeof(tail)), MAX_SIZE);
    if (rv != CKR_OK)
        return rv;
    bytes_free(ret_unique);
    *ret_unique = unique;
    unique = (struct bytes){0};
    return CKR_OK;
}

CK_RV binding_renew(struct vault *vault, const struct attributes *attributes, struct view key_id,
                    struct key **key)
{
    struct bytes unique CLEANUP(bytes_free) = {0};
    struct key *bound = NULL;
    CK_RV rv = binding_of(attributes, key_id, &unique);
    if (rv == CKR_OK)
        rv = key_bind(vault, *key, bytes_view(&unique), &bound);
    if (rv != CKR_OK)
        return rv;
    key_unref(*key);
    *key = bound;
    return CKR_OK;
}

static void drop(struct key **key)
{
    key_unref(*key);
}

CK_RV binding_renew_pem(struct vault *vault, const struct attributes *before,
                        const struct attributes *after, struct view key_id, struct bytes *pem)
{
    struct bytes old CLEANUP(bytes_free) = {0};
    struct bytes new CLEANUP(bytes_free) = {0};
    struct bytes written CLEANUP(bytes_free) = {0};
    struct key *key CLEANUP(drop) = NULL;
    struct reason reason = {0};
    CK_OBJECT_CLASS class = class_of(after);
    if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
        return CKR_OK;
    CK_RV rv = binding_of(before, key_id, &old);
    if (rv == CKR_OK)
        rv = binding_of(after, key_id, &new);
    if (rv != CKR_OK || view_equal(bytes_view(&old), bytes_view(&new)))
        return rv;
    rv = key_read(vault, KEY_OF_TOKEN, bytes_view(pem), bytes_view(&old), &key, &reason);
    if (rv != CKR_OK && rv != CKR_HOST_MEMORY) {
        log_line(LOG_LEVEL_ERROR, "session", "a key cannot be protected better: %s", reason.text);
        return CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK)
        rv = binding_renew(vault, after, key_id, &key);
    if (rv == CKR_OK)
        rv = key_write(key, &written);
    if (rv != CKR_OK)
        return rv;
    bytes_free(pem);
    *pem = written;
    written = (struct bytes){0};
    return CKR_OK;
}
