#include "token/mechanism/running.h"

/* The message is hashed twice, so all of it has to be there (RFC 8032, 5.1.6). */
#define MESSAGE_MAX_SIZE (16 * 1024 * 1024)

static size_t input_limit(const struct job *job UNUSED)
{
    return MESSAGE_MAX_SIZE;
}

/* Only the pure variants: without context, not prehashed (PKCS#11 6.3.16). */
static CK_RV parameters(const struct mechanism *mechanism UNUSED, const CK_MECHANISM *given,
                        struct scheme *scheme UNUSED)
{
    if (!given->ulParameterLen)
        return CKR_OK;
    const CK_EDDSA_PARAMS *eddsa = mechanism_parameter(given, sizeof(*eddsa));
    return eddsa && !eddsa->phFlag && !eddsa->ulContextDataLen ? CKR_OK
                                                               : CKR_MECHANISM_PARAM_INVALID;
}

static const struct family eddsa = {
    ASYMMETRIC_OPERATIONS,
    .parameters = parameters,
    .input_limit = input_limit,
};

static const struct mechanism rows[] = {
    {.type = CKM_EDDSA,
     .flags = MECHANISM_SIGNS | MECHANISM_CURVES,
     .algorithm = KEY_ALGORITHM_EDWARDS,
     .min_size = 255,
     .max_size = 448,
     .kind = SCHEME_EDDSA,
     .family = &eddsa},
};

const struct mechanism_rows mechanism_rows_eddsa = {rows, ARRAY_SIZE(rows)};
