/* What a family of mechanisms implements, and the families' rows for the table.
 * Inside the room only. */
#ifndef SIGNET_MECHANISM_FAMILY_H
#define SIGNET_MECHANISM_FAMILY_H

#include "token/mechanism/mechanism.h"

struct job;

/* A NULL slot means that the family has none. */
struct family {
    /* Operations: as the functions of job.h. `begin` reads the parameter; `restart`
     * makes a used job as good as new; `finish` appends the rest. */
    CK_RV (*begin)(struct job *job, const CK_MECHANISM *given);
    CK_RV (*restart)(struct job *job);
    CK_RV (*update)(struct job *job, struct view input, struct bytes *out);
    CK_RV (*finish)(struct job *job, struct bytes *out);
    CK_RV (*verify)(struct job *job, struct view signature);
    size_t (*output_size)(const struct job *job, size_t input_size, bool last, bool *ret_exact);

    /* For asymmetric.c: checks the mechanism's parameter and completes the scheme; the
     * most input that unhashed data may have; from the input, or its digest, to what
     * the key is given. */
    CK_RV(*parameters)
    (const struct mechanism *mechanism, const CK_MECHANISM *given, struct scheme *scheme);
    size_t (*input_limit)(const struct job *job);
    CK_RV (*encode)(const struct job *job, struct view input, struct bytes *ret_encoded);

    /* Key management: as the functions of manage.h. */
    CK_RV(*wrap)
    (const CK_MECHANISM *given, const struct public_key *public_key, struct key *secret_key,
     struct view plain, struct bytes *ret_wrapped);
    CK_RV(*wrapped_size)
    (const CK_MECHANISM *given, const struct public_key *public_key, size_t plain_size,
     size_t *ret_size);
    CK_RV(*unwrap)
    (const CK_MECHANISM *given, struct key *key, struct view wrapped, struct bytes *ret_plain);
    CK_RV(*derive)
    (const CK_MECHANISM *given, struct key *key, struct view salt, size_t size,
     struct bytes *ret_secret);
    CK_RV(*encapsulated_size)
    (const CK_MECHANISM *given, const struct public_key *public_key, size_t *ret_size);
    CK_RV(*encapsulate)
    (const CK_MECHANISM *given, const struct public_key *public_key, size_t size,
     struct bytes *ret_ciphertext, struct bytes *ret_secret);
    CK_RV(*decapsulate)
    (const CK_MECHANISM *given, struct key *key, struct view ciphertext, size_t size,
     struct bytes *ret_secret);
};

struct mechanism_rows {
    const struct mechanism *rows;
    size_t count;
};

extern const struct mechanism_rows mechanism_rows_digest;
extern const struct mechanism_rows mechanism_rows_rsa;
extern const struct mechanism_rows mechanism_rows_ecdsa;
extern const struct mechanism_rows mechanism_rows_eddsa;
extern const struct mechanism_rows mechanism_rows_ecdh;
extern const struct mechanism_rows mechanism_rows_hkdf;
extern const struct mechanism_rows mechanism_rows_cipher;
extern const struct mechanism_rows mechanism_rows_mac;
extern const struct mechanism_rows mechanism_rows_wrap;
extern const struct mechanism_rows mechanism_rows_generate;

/* What a row that signs has besides. */
#define MECHANISM_SIGNS                                                                            \
    (CKF_SIGN | CKF_VERIFY | CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE)
#define MECHANISM_CURVES (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS)
#define MECHANISM_MIN_CURVE_BITS 192
#define MECHANISM_MAX_CURVE_BITS 521

/* For families whose mechanisms take no parameter. */
CK_RV mechanism_no_parameters(const struct mechanism *mechanism, const CK_MECHANISM *given,
                              struct scheme *scheme);

/* The parameter, if it has this size, else NULL. */
const void *mechanism_parameter(const CK_MECHANISM *given, size_t size);

#endif
