#include "token/crypto/mac.h"
#include "token/key/make.h"
#include "token/mechanism/family.h"
#include "token/mechanism/manage.h"

#define PART_MAX_SIZE (1024 * 1024)

static CK_RV read_salt(const CK_HKDF_PARAMS *params, struct view salt_key, struct view *ret_salt)
{
    switch (params->ulSaltType) {
    case CKF_HKDF_SALT_NULL:
        *ret_salt = (struct view){0};
        return CKR_OK;
    case CKF_HKDF_SALT_DATA:
        if ((params->ulSaltLen && !params->pSalt) || params->ulSaltLen > PART_MAX_SIZE)
            return CKR_MECHANISM_PARAM_INVALID;
        *ret_salt = view_of(params->pSalt, params->ulSaltLen);
        return CKR_OK;
    case CKF_HKDF_SALT_KEY:
        if (!salt_key.data)
            return CKR_MECHANISM_PARAM_INVALID;
        *ret_salt = salt_key;
        return CKR_OK;
    default:
        return CKR_MECHANISM_PARAM_INVALID;
    }
}

/* PKCS#11 6.62: the salt is for extraction, the info for expansion. */
static CK_RV read_parameter(const CK_MECHANISM *given, struct view salt_key, struct hkdf *ret_hkdf)
{
    const CK_HKDF_PARAMS *params = mechanism_parameter(given, sizeof(*params));
    if (!params)
        return CKR_MECHANISM_PARAM_INVALID;
    struct hkdf hkdf = {
        .hash = mechanism_hash(params->prfHashMechanism),
        .extract = params->bExtract,
        .expand = params->bExpand,
    };
    if (hkdf.hash == HASH_NONE || (params->ulInfoLen && !params->pInfo) ||
        params->ulInfoLen > PART_MAX_SIZE)
        return CKR_MECHANISM_PARAM_INVALID;
    if (hkdf.expand)
        hkdf.info = view_of(params->pInfo, params->ulInfoLen);
    CK_RV rv = hkdf.extract ? read_salt(params, salt_key, &hkdf.salt) : CKR_OK;
    if (rv == CKR_OK)
        *ret_hkdf = hkdf;
    return rv;
}

CK_OBJECT_HANDLE mechanism_salt_key(const CK_MECHANISM *given)
{
    const CK_HKDF_PARAMS *params = mechanism_parameter(given, sizeof(*params));
    const struct mechanism *mechanism = mechanism_find(given->mechanism);
    if (!params || !mechanism || !mechanism_takes(mechanism, CKK_HKDF) || !params->bExtract ||
        params->ulSaltType != CKF_HKDF_SALT_KEY)
        return CK_INVALID_HANDLE;
    return params->hSaltKey;
}

static CK_RV derive(const CK_MECHANISM *given, struct key *key, struct view salt, size_t size,
                    struct bytes *ret_secret)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    struct hkdf hkdf = {0};
    CK_RV rv = read_parameter(given, salt, &hkdf);
    if (rv == CKR_OK)
        rv = key_secret_value(key, &value);
    if (rv != CKR_OK)
        return rv;
    return crypto_hkdf(&hkdf, bytes_view(&value), size ? size : hash_size(hkdf.hash), ret_secret);
}

static const struct family hkdf_family = {.derive = derive};

#define ROW(mechanism)                                                                             \
    {                                                                                              \
        .type = mechanism, .flags = CKF_DERIVE, .algorithm = KEY_ALGORITHM_SECRET,                 \
        .other_key_type = CKK_HKDF, .min_size = 8, .max_size = MECHANISM_MAX_SECRET_BITS,          \
        .family = &hkdf_family                                                                     \
    }

static const struct mechanism rows[] = {
    ROW(CKM_HKDF_DERIVE),
    ROW(CKM_HKDF_DATA),
};

const struct mechanism_rows mechanism_rows_hkdf = {rows, ARRAY_SIZE(rows)};
