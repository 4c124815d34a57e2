#include "token/mechanism/ecdh.h"

#include <string.h>

#include "token/crypto/public.h"
#include "token/mechanism/family.h"

static const struct family ecdh = {0};

static const struct mechanism rows[] = {
    {.type = CKM_ECDH1_DERIVE,
     .flags = CKF_DERIVE | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS,
     .algorithm = KEY_ALGORITHM_EC,
     .min_size = 192,
     .max_size = 521,
     .kind = SCHEME_ECDSA,
     .family = &ecdh},
};

const struct mechanism_rows mechanism_rows_ecdh = {rows, ARRAY_SIZE(rows)};

CK_RV ecdh_derive(const CK_MECHANISM *given, struct key *key, struct bytes *ret_secret)
{
    const CK_ECDH1_DERIVE_PARAMS *params = given->pParameter;
    if (!params || given->ulParameterLen != sizeof(*params))
        return CKR_MECHANISM_PARAM_INVALID;
    if (params->kdf != CKD_NULL || params->ulSharedDataLen || !params->pPublicData ||
        params->ulPublicDataLen > 512)
        return CKR_MECHANISM_PARAM_INVALID;
    struct bytes point CLEANUP(bytes_free) = {0};
    CK_RV rv = crypto_point_decode(key_public(key),
                                   view_of(params->pPublicData, params->ulPublicDataLen), &point);
    return rv != CKR_OK ? rv : key_derive(key, bytes_view(&point), ret_secret);
}

CK_RV ecdh_truncate(struct bytes *secret, size_t size)
{
    if (size > secret->size || size == 0)
        return CKR_TEMPLATE_INCONSISTENT;
    struct bytes tail = {0};
    CK_RV rv = bytes_copy(&tail, view_of(secret->data + secret->size - size, size));
    if (rv != CKR_OK)
        return rv;
    bytes_free(secret);
    *secret = tail;
    return CKR_OK;
}
