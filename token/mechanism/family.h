/* The families' rows, for the table. Inside the room only. */
#ifndef SIGNET_MECHANISM_FAMILY_H
#define SIGNET_MECHANISM_FAMILY_H

#include "token/mechanism/mechanism.h"

struct mechanism_rows {
    const struct mechanism *rows;
    size_t count;
};

extern const struct mechanism_rows mechanism_rows_digest;
extern const struct mechanism_rows mechanism_rows_rsa;
extern const struct mechanism_rows mechanism_rows_ecdsa;
extern const struct mechanism_rows mechanism_rows_ecdh;

/* For families whose mechanisms take no parameter. */
CK_RV mechanism_no_parameters(const struct mechanism *mechanism, const CK_MECHANISM *given,
                              struct scheme *scheme);

#endif
