#include "token/mechanism/manage.h"

#include "token/mechanism/family.h"

/* The family, if the row has the operation. */
static CK_RV find(const CK_MECHANISM *given, CK_FLAGS flag, const struct family **ret_family)
{
    const struct mechanism *mechanism = mechanism_find(given->mechanism);
    if (!mechanism || !(mechanism->flags & flag))
        return CKR_MECHANISM_INVALID;
    *ret_family = mechanism->family;
    return CKR_OK;
}

CK_RV mechanism_wrap(const CK_MECHANISM *given, const struct public_key *public_key,
                     struct key *secret_key, struct view plain, struct bytes *ret_wrapped)
{
    const struct family *family = NULL;
    CK_RV rv = find(given, CKF_WRAP, &family);
    return rv != CKR_OK ? rv : family->wrap(given, public_key, secret_key, plain, ret_wrapped);
}

CK_RV mechanism_wrapped_size(const CK_MECHANISM *given, const struct public_key *public_key,
                             size_t plain_size, size_t *ret_size)
{
    const struct family *family = NULL;
    CK_RV rv = find(given, CKF_WRAP, &family);
    return rv != CKR_OK ? rv : family->wrapped_size(given, public_key, plain_size, ret_size);
}

CK_RV mechanism_unwrap(const CK_MECHANISM *given, struct key *key, struct view wrapped,
                       struct bytes *ret_plain)
{
    const struct family *family = NULL;
    CK_RV rv = find(given, CKF_UNWRAP, &family);
    return rv != CKR_OK ? rv : family->unwrap(given, key, wrapped, ret_plain);
}

CK_RV mechanism_derive_salted(const CK_MECHANISM *given, struct key *key, struct view salt,
                              size_t size, struct bytes *ret_secret)
{
    const struct family *family = NULL;
    CK_RV rv = find(given, CKF_DERIVE, &family);
    return rv != CKR_OK ? rv : family->derive(given, key, salt, size, ret_secret);
}

CK_RV mechanism_derive(const CK_MECHANISM *given, struct key *key, size_t size,
                       struct bytes *ret_secret)
{
    return mechanism_derive_salted(given, key, (struct view){0}, size, ret_secret);
}

CK_RV mechanism_encapsulated_size(const CK_MECHANISM *given, const struct public_key *public_key,
                                  size_t *ret_size)
{
    const struct family *family = NULL;
    CK_RV rv = find(given, CKF_ENCAPSULATE, &family);
    return rv != CKR_OK ? rv : family->encapsulated_size(given, public_key, ret_size);
}

CK_RV mechanism_encapsulate(const CK_MECHANISM *given, const struct public_key *public_key,
                            size_t size, struct bytes *ret_ciphertext, struct bytes *ret_secret)
{
    const struct family *family = NULL;
    CK_RV rv = find(given, CKF_ENCAPSULATE, &family);
    return rv != CKR_OK ? rv
                        : family->encapsulate(given, public_key, size, ret_ciphertext, ret_secret);
}

CK_RV mechanism_decapsulate(const CK_MECHANISM *given, struct key *key, struct view ciphertext,
                            size_t size, struct bytes *ret_secret)
{
    const struct family *family = NULL;
    CK_RV rv = find(given, CKF_DECAPSULATE, &family);
    return rv != CKR_OK ? rv : family->decapsulate(given, key, ciphertext, size, ret_secret);
}
