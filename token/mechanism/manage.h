/* Making, wrapping and deriving keys: what the rows of these mechanisms do. */
#ifndef SIGNET_MECHANISM_MANAGE_H
#define SIGNET_MECHANISM_MANAGE_H

#include "token/base/key_spec.h"
#include "token/mechanism/mechanism.h"

/* The longest generic secret that is made or derived. */
#define MECHANISM_MAX_SECRET_BITS (8UL * 4096)

/* The key type (CKK_) that a generation mechanism makes, CK_UNAVAILABLE_INFORMATION
 * for any other mechanism. */
CK_KEY_TYPE mechanism_generates(const struct mechanism *mechanism);

/* Whether the mechanism makes such a key: CKR_MECHANISM_PARAM_INVALID for a parameter
 * that is not empty, CKR_KEY_SIZE_RANGE outside the row's sizes. */
CHECKED CK_RV mechanism_check_generation(const CK_MECHANISM *given, const struct key_spec *spec);

/* Wraps `plain` (a secret key's value, or PKCS #8) with a public key or a secret key
 * (one of the two is NULL). CKR_KEY_SIZE_RANGE for what does not fit. */
CHECKED CK_RV mechanism_wrap(const CK_MECHANISM *given, const struct public_key *public_key,
                             struct key *secret_key, struct view plain, struct bytes *ret_wrapped);
/* The length that it would have, without wrapping. */
CHECKED CK_RV mechanism_wrapped_size(const CK_MECHANISM *given, const struct public_key *public_key,
                                     size_t plain_size, size_t *ret_size);
/* Unwraps with a private or secret key. CKR_WRAPPED_KEY_INVALID,
 * CKR_WRAPPED_KEY_LEN_RANGE. The caller wipes the result. */
CHECKED CK_RV mechanism_unwrap(const CK_MECHANISM *given, struct key *key, struct view wrapped,
                               struct bytes *ret_plain);

/* C_WrapKeyAuthenticated and back (PKCS#11 3.2, 6.13.3), for mechanisms with
 * CKF_MESSAGE_ENCRYPT; the IV and the tag are in the mechanism's parameter. Errors as
 * above. The caller wipes what is unwrapped. */
CHECKED CK_RV mechanism_wrap_authenticated(const CK_MECHANISM *given, struct key *key,
                                           struct view associated, struct view plain,
                                           struct bytes *ret_wrapped);
CHECKED CK_RV mechanism_unwrap_authenticated(const CK_MECHANISM *given, struct key *key,
                                             struct view associated, struct view wrapped,
                                             struct bytes *ret_plain);

/* Derives a secret of `size` bytes (0: what the mechanism gives by itself) from a
 * private key (ECDH) or a secret key (HKDF). The caller wipes the result. */
CHECKED CK_RV mechanism_derive(const CK_MECHANISM *given, struct key *key, size_t size,
                               struct bytes *ret_secret);

/* A key object that the parameter names as salt (CKF_HKDF_SALT_KEY), else
 * CK_INVALID_HANDLE; and the derivation with that key's value, which is not empty. */
CK_OBJECT_HANDLE mechanism_salt_key(const CK_MECHANISM *given);
CHECKED CK_RV mechanism_derive_salted(const CK_MECHANISM *given, struct key *key, struct view salt,
                                      size_t size, struct bytes *ret_secret);

/* Key encapsulation (PKCS#11 3.2, 5.18.8): a fresh secret of `size` bytes (0: as above)
 * for the holder of the private key, and the ciphertext, of a size known before, that
 * gives it to him. The caller wipes the secret. */
CHECKED CK_RV mechanism_encapsulated_size(const CK_MECHANISM *given,
                                          const struct public_key *public_key, size_t *ret_size);
CHECKED CK_RV mechanism_encapsulate(const CK_MECHANISM *given, const struct public_key *public_key,
                                    size_t size, struct bytes *ret_ciphertext,
                                    struct bytes *ret_secret);
CHECKED CK_RV mechanism_decapsulate(const CK_MECHANISM *given, struct key *key,
                                    struct view ciphertext, size_t size, struct bytes *ret_secret);

#endif
