#include "token/mechanism/family.h"
#include "token/mechanism/manage.h"

/* Making keys is the key room's; the rows say of what kind and size. */

CK_KEY_TYPE mechanism_generates(const struct mechanism *mechanism)
{
    if (!(mechanism->flags & (CKF_GENERATE | CKF_GENERATE_KEY_PAIR)))
        return CK_UNAVAILABLE_INFORMATION;
    return mechanism->other_key_type ? mechanism->other_key_type : mechanism_key_type(mechanism);
}

/* The size in the unit of the row: AES keys are told in bytes. */
static CK_ULONG size_of(const struct mechanism *mechanism, const struct key_spec *spec)
{
    return mechanism->algorithm == KEY_ALGORITHM_AES ? spec->bits / 8 : spec->bits;
}

CK_RV mechanism_check_generation(const CK_MECHANISM *given, const struct key_spec *spec)
{
    const struct mechanism *mechanism = mechanism_find(given->mechanism);
    if (!mechanism || mechanism_generates(mechanism) == CK_UNAVAILABLE_INFORMATION)
        return CKR_MECHANISM_INVALID;
    if (given->ulParameterLen)
        return CKR_MECHANISM_PARAM_INVALID;
    if (mechanism->flags & CKF_EC_NAMEDCURVE)
        return CKR_OK; /* the curve says how large */
    CK_ULONG size = size_of(mechanism, spec);
    if (spec->bits % 8 || size < mechanism->min_size || size > mechanism->max_size)
        return CKR_KEY_SIZE_RANGE;
    return CKR_OK;
}

#define ROW(mechanism, operations, algorithm_of_key, own_type, least, most)                        \
    {                                                                                              \
        .type = mechanism, .flags = operations, .algorithm = algorithm_of_key,                     \
        .other_key_type = own_type, .min_size = least, .max_size = most                            \
    }
#define PAIR (CKF_GENERATE_KEY_PAIR | MECHANISM_CURVES)

static const struct mechanism rows[] = {
    ROW(CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, KEY_ALGORITHM_RSA, 0, 1024, 4096),
    ROW(CKM_EC_KEY_PAIR_GEN, PAIR, KEY_ALGORITHM_EC, 0, MECHANISM_MIN_CURVE_BITS,
        MECHANISM_MAX_CURVE_BITS),
    ROW(CKM_EC_EDWARDS_KEY_PAIR_GEN, PAIR, KEY_ALGORITHM_EDWARDS, 0, 255, 448),
    ROW(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, PAIR, KEY_ALGORITHM_MONTGOMERY, 0, 255, 448),
    ROW(CKM_AES_KEY_GEN, CKF_GENERATE, KEY_ALGORITHM_AES, 0, 16, 32),
    ROW(CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE, KEY_ALGORITHM_SECRET, 0, 8,
        MECHANISM_MAX_SECRET_BITS),
    ROW(CKM_HKDF_KEY_GEN, CKF_GENERATE, KEY_ALGORITHM_SECRET, CKK_HKDF, 8,
        MECHANISM_MAX_SECRET_BITS),
};

const struct mechanism_rows mechanism_rows_generate = {rows, ARRAY_SIZE(rows)};
