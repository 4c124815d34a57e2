#include "token/crypto/curve.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>

#define CERTICOM(arc)                                                                              \
    7,                                                                                             \
    {                                                                                              \
        0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, (arc)                                                  \
    }
#define X9_62(arc)                                                                                 \
    10,                                                                                            \
    {                                                                                              \
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, (arc)                                \
    }
#define BRAINPOOL(arc)                                                                             \
    11,                                                                                            \
    {                                                                                              \
        0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, (arc)                          \
    }

#define RFC_8410(arc)                                                                              \
    5,                                                                                             \
    {                                                                                              \
        0x06, 0x03, 0x2b, 0x65, (arc)                                                              \
    }
#define EC KEY_ALGORITHM_EC
#define EDWARDS KEY_ALGORITHM_EDWARDS
#define MONTGOMERY KEY_ALGORITHM_MONTGOMERY

static const struct curve curves[] = {
    {"prime256v1", EC, NID_X9_62_prime256v1, 256, X9_62(0x07)},
    {"secp384r1", EC, NID_secp384r1, 384, CERTICOM(0x22)},
    {"secp521r1", EC, NID_secp521r1, 521, CERTICOM(0x23)},
    {"secp224r1", EC, NID_secp224r1, 224, CERTICOM(0x21)},
    {"prime192v1", EC, NID_X9_62_prime192v1, 192, X9_62(0x01)},
    {"secp256k1", EC, NID_secp256k1, 256, CERTICOM(0x0a)},
    {"brainpoolP256r1", EC, NID_brainpoolP256r1, 256, BRAINPOOL(0x07)},
    {"brainpoolP384r1", EC, NID_brainpoolP384r1, 384, BRAINPOOL(0x0b)},
    {"brainpoolP512r1", EC, NID_brainpoolP512r1, 512, BRAINPOOL(0x0d)},
    {"ED25519", EDWARDS, NID_ED25519, 255, RFC_8410(0x70)},
    {"ED448", EDWARDS, NID_ED448, 448, RFC_8410(0x71)},
    {"X25519", MONTGOMERY, NID_X25519, 255, RFC_8410(0x6e)},
    {"X448", MONTGOMERY, NID_X448, 448, RFC_8410(0x6f)},
};

/* Other ways to name them in ECParameters: DER, with tag and length. */
static const struct {
    int nid;
    const char *parameters;
} aliases[] = {
    {NID_ED25519, "\x13\x0c"
                  "edwards25519"},
    {NID_ED25519, "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01"},
    {NID_ED448, "\x13\x0a"
                "edwards448"},
    {NID_X25519, "\x13\x0a"
                 "curve25519"},
    {NID_X25519, "\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01"},
    {NID_X448, "\x13\x08"
               "curve448"},
};

struct view curve_oid(const struct curve *curve)
{
    return view_of(curve->oid, curve->oid_size);
}

size_t curve_coordinate_size(const struct curve *curve)
{
    return (curve->bits + 7) / 8;
}

/* An Edwards key has a bit more than the field: the sign of x. */
size_t curve_private_size(const struct curve *curve)
{
    return curve->algorithm == KEY_ALGORITHM_EDWARDS ? curve->bits / 8 + 1
                                                     : curve_coordinate_size(curve);
}

size_t curve_point_size(const struct curve *curve)
{
    return curve->algorithm == KEY_ALGORITHM_EC ? 1 + 2 * curve_coordinate_size(curve)
                                                : curve_private_size(curve);
}

static const struct curve *curve_by_nid(int nid)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves) && nid != NID_undef; i++)
        if (curves[i].nid == nid)
            return &curves[i];
    return NULL;
}

const struct curve *curve_by_oid(enum key_algorithm algorithm, struct view oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].algorithm == algorithm && view_equal(curve_oid(&curves[i]), oid))
            return &curves[i];
    return NULL;
}

const struct curve *curve_by_parameters(enum key_algorithm algorithm, struct view parameters)
{
    const struct curve *curve = curve_by_oid(algorithm, parameters);
    for (size_t i = 0; i < ARRAY_SIZE(aliases) && !curve; i++)
        if (view_equal(view_string(aliases[i].parameters), parameters))
            curve = curve_by_nid(aliases[i].nid);
    return curve && curve->algorithm == algorithm ? curve : NULL;
}

const struct curve *curve_by_name(const char *name)
{
    int nid = EC_curve_nist2nid(name);
    return curve_by_nid(nid == NID_undef ? OBJ_txt2nid(name) : nid);
}

const struct curve *curve_by_algorithm(struct view oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].algorithm != KEY_ALGORITHM_EC && oid.size + 2 == curves[i].oid_size &&
            memcmp(curves[i].oid + 2, oid.data, oid.size) == 0)
            return &curves[i];
    return NULL;
}
