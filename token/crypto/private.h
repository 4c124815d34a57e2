/* Private keys that OpenSSL holds: software keys, and keys that an OpenSSL
 * provider or engine holds for it. */
#ifndef SIGNET_CRYPTO_PRIVATE_H
#define SIGNET_CRYPTO_PRIVATE_H

#include "token/base/key_spec.h"
#include "token/base/reason.h"
#include "token/base/scheme.h"

struct crypto_key;

/* The public half; the caller clears it. */
CHECKED CK_RV crypto_key_public(const struct crypto_key *key, struct public_key *ret_public);

/* Signs; ECDSA answers r || s, EdDSA R || S. Input as in scheme.h. CKR_DATA_LEN_RANGE,
 * CKR_MECHANISM_PARAM_INVALID, CKR_FUNCTION_FAILED. */
CHECKED CK_RV crypto_key_sign(struct crypto_key *key, const struct scheme *scheme,
                              struct view input, struct bytes *ret_signature);

/* CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE. */
CHECKED CK_RV crypto_key_decrypt(struct crypto_key *key, const struct scheme *scheme,
                                 struct view cipher, struct bytes *ret_plain);

/* ECDH: the x coordinate; `point` is 04||x||y, already checked. Montgomery: the
 * secret of RFC 7748, point being raw bytes; CKR_MECHANISM_PARAM_INVALID for one of
 * small order. */
CHECKED CK_RV crypto_key_derive(struct crypto_key *key, struct view point,
                                struct bytes *ret_secret);

/* A new key; CKR_KEY_SIZE_RANGE, CKR_CURVE_NOT_SUPPORTED for what OpenSSL lacks. */
CHECKED CK_RV crypto_key_generate(const struct key_spec *spec, struct crypto_key **ret_key);

/* From parts and back. What is missing in them (CRT numbers, the point) is computed,
 * and a missing RSA public exponent is 65537; CKR_ATTRIBUTE_VALUE_INVALID if they do
 * not fit together, CKR_CURVE_NOT_SUPPORTED. Back: the eight RSA numbers without
 * leading zeros, or curve, point and value at their full size; CKR_KEY_UNEXTRACTABLE
 * for a provider's or engine's key. */
CHECKED CK_RV crypto_key_from_parts(const struct private_parts *parts, struct crypto_key **ret_key);
CHECKED CK_RV crypto_key_to_parts(const struct crypto_key *key, struct private_parts *ret_parts);

/* PKCS #8 PrivateKeyInfo, DER. */
CHECKED CK_RV crypto_key_to_pkcs8(const struct crypto_key *key, struct bytes *ret_der);

/* Loads the key that `uri` (a path or a URI of the provider) names through the
 * OpenSSL provider `provider`, in a library context of its own with that
 * provider and the default one. pin.data NULL: none given. CKR_PIN_INCORRECT
 * when it asks for another; otherwise CKR_DEVICE_ERROR with the reason. */
CHECKED CK_RV crypto_key_from_provider(const char *provider, const char *uri, struct view pin,
                                       struct crypto_key **ret_key, struct reason *reason);

/* The same through an OpenSSL engine; CKR_FUNCTION_NOT_SUPPORTED with the reason
 * where OpenSSL was built without engines. */
CHECKED CK_RV crypto_key_from_engine(const char *engine, const char *id, struct view pin,
                                     struct crypto_key **ret_key, struct reason *reason);

/* NULL is fine. */
void crypto_key_free(struct crypto_key *key);

#endif
