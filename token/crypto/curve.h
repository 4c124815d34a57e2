/* The named curves that this room knows. */
#ifndef SIGNET_CRYPTO_CURVE_H
#define SIGNET_CRYPTO_CURVE_H

#include "token/base/bytes.h"

struct curve {
    const char *name; /* as OpenSSL calls it */
    int nid;
    unsigned bits; /* of field and order alike */
    uint8_t oid_size;
    uint8_t oid[11]; /* DER, with tag and length: ECParameters */
};

/* By the DER of its OID, or any name that OpenSSL has for it; NULL if unknown. */
const struct curve *curve_by_oid(struct view oid);
const struct curve *curve_by_name(const char *name);

struct view curve_oid(const struct curve *curve);
size_t curve_coordinate_size(const struct curve *curve);

#endif
