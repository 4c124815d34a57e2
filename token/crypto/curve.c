#include "token/crypto/curve.h"

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

static const struct curve curves[] = {
    {"prime256v1", NID_X9_62_prime256v1, 256, X9_62(0x07)},
    {"secp384r1", NID_secp384r1, 384, CERTICOM(0x22)},
    {"secp521r1", NID_secp521r1, 521, CERTICOM(0x23)},
    {"secp224r1", NID_secp224r1, 224, CERTICOM(0x21)},
    {"prime192v1", NID_X9_62_prime192v1, 192, X9_62(0x01)},
    {"secp256k1", NID_secp256k1, 256, CERTICOM(0x0a)},
    {"brainpoolP256r1", NID_brainpoolP256r1, 256, BRAINPOOL(0x07)},
    {"brainpoolP384r1", NID_brainpoolP384r1, 384, BRAINPOOL(0x0b)},
    {"brainpoolP512r1", NID_brainpoolP512r1, 512, BRAINPOOL(0x0d)},
};

struct view curve_oid(const struct curve *curve)
{
    return view_of(curve->oid, curve->oid_size);
}

size_t curve_coordinate_size(const struct curve *curve)
{
    return (curve->bits + 7) / 8;
}

const struct curve *curve_by_oid(struct view oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (view_equal(curve_oid(&curves[i]), oid))
            return &curves[i];
    return NULL;
}

const struct curve *curve_by_name(const char *name)
{
    int nid = EC_curve_nist2nid(name);
    if (nid == NID_undef)
        nid = OBJ_txt2nid(name);
    for (size_t i = 0; i < ARRAY_SIZE(curves) && nid != NID_undef; i++)
        if (curves[i].nid == nid)
            return &curves[i];
    return NULL;
}
