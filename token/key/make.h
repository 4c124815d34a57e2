/* Keys that are made or taken in while the module runs, and keys read back from
 * entry files. `unique` is what a token key is bound to: with another it cannot be used. */
#ifndef SIGNET_KEY_MAKE_H
#define SIGNET_KEY_MAKE_H

#include "token/base/key_spec.h"
#include "token/key/key.h"
#include "token/key/vault.h"

/* Whether keys that the TPM cannot hold may be encrypted under the vault's secret; ONLY:
 * whatever the TPM can hold, for keys that are to be read back. */
enum key_sealing { KEY_SEALING_REFUSED, KEY_SEALING_ALLOWED, KEY_SEALING_ONLY };

/* Where a file's key comes from: written by key_write (an entry file's), or put there by
 * hand, when its authorisation must be empty. */
enum key_origin { KEY_OF_TOKEN, KEY_DROPPED_IN };

/* A key pair (or a secret key) in the TPM of the vault, which is open, or sealed where it lacks the
 * kind and that is allowed; otherwise CKR_KEY_SIZE_RANGE, CKR_CURVE_NOT_SUPPORTED,
 * with a log line that says how to allow it. */
CHECKED CK_RV key_generate(struct vault *vault, const struct key_spec *spec, struct view unique,
                           enum key_sealing sealing, struct key **ret_key);

/* A private key from outside: into the TPM by TPM2_Import, else as above.
 * CKR_ATTRIBUTE_VALUE_INVALID when its parts do not fit together. */
CHECKED CK_RV key_import(struct vault *vault, const struct private_parts *parts, struct view unique,
                         enum key_sealing sealing, struct key **ret_key);

/* The same in this process's memory, for session objects. */
CHECKED CK_RV key_generate_software(const struct key_spec *spec, struct key **ret_key);
CHECKED CK_RV key_import_software(const struct private_parts *parts, struct key **ret_key);

/* The key's parts, of a software or sealed key alone; for wrapping and copying, where
 * the object allows it. Else CKR_KEY_UNEXTRACTABLE. The caller clears them. */
CHECKED CK_RV key_export_parts(struct key *key, struct private_parts *ret_parts);
/* PKCS #8 PrivateKeyInfo in DER, from and to parts: what C_WrapKey wraps. */
CHECKED CK_RV key_parts_to_pkcs8(const struct private_parts *parts, struct bytes *ret_der);
CHECKED CK_RV key_parts_from_pkcs8(struct view der, struct private_parts *ret_parts);

/* A secret key with this value: in memory, or (vault not NULL) for a token, kept
 * encrypted and decrypted for each use. */
CHECKED CK_RV key_secret_new(struct view value, struct key **ret_key);
CHECKED CK_RV key_secret_in_vault(struct vault *vault, struct view value, struct view unique,
                                  struct key **ret_key);
/* One that never leaves the TPM of the vault, which is open: HMAC (of `hash`, HASH_NONE:
 * any) or AES by spec's algorithm, with this value or (empty) a new one of spec's size.
 * CKR_FUNCTION_NOT_SUPPORTED, with the reason in the log, where this TPM has no such: it
 * may be kept as above instead. */
CHECKED CK_RV key_secret_in_tpm(struct vault *vault, const struct key_spec *spec, enum hash hash,
                                struct view value, struct view unique, struct key **ret_key);
/* What the TPM of the vault is known to have so far; no TPM command. HASH_NONE: AES. */
bool key_secret_known_in_tpm(const struct vault *vault, enum hash hash);
/* Its value, a copy that the caller wipes; CKR_KEY_FUNCTION_NOT_PERMITTED for others, and
 * for keys that keep it. */
CHECKED CK_RV key_secret_value(struct key *key, struct bytes *ret_value);

/* The same key bound to another `unique`: one that is encrypted under the vault's secret
 * is so anew, with the vault open; any other, and one that is bound so already, is `key`
 * itself, with a reference more. CKR_ATTRIBUTE_READ_ONLY for one in the TPM, whose
 * authorisation cannot follow. */
CHECKED CK_RV key_bind(struct vault *vault, struct key *key, struct view unique,
                       struct key **ret_key);

/* The PEM that an entry file keeps of a token key: TSS2 PRIVATE KEY, or SIGNET SEALED
 * KEY for what is encrypted under the secret; and the key that such PEM holds, served
 * by the vault's TPM. No TPM command; the vault need not be open until it is used.
 * Dropped in by hand it may also be PKCS #8 and the like in the clear. CKR_DATA_INVALID,
 * CKR_FUNCTION_NOT_SUPPORTED with the reason. */
CHECKED CK_RV key_write(struct key *key, struct bytes *ret_pem);
CHECKED CK_RV key_read(struct vault *vault, enum key_origin origin, struct view pem,
                       struct view unique, struct key **ret_key, struct reason *reason);

/* What any file in a token directory shows without a PIN: the public half of a
 * private key, public keys, certificates. Points are not checked against their curve,
 * their use does that. CKR_DATA_INVALID, CKR_FUNCTION_NOT_SUPPORTED with the reason. */
struct key_contents {
    bool private_key;
    bool secret_key; /* and nothing is known of it */
    struct public_key public_key;
    struct certificate *certificates;
    size_t certificate_count;
};
CHECKED CK_RV key_inspect(struct view text, struct key_contents *ret_contents,
                          struct reason *reason);
void key_contents_clear(struct key_contents *contents);

/* PEM of what is public. */
CHECKED CK_RV key_write_public(const struct public_key *public_key, struct bytes *ret_pem);
CHECKED CK_RV key_write_certificate(struct view der, struct bytes *ret_pem);

#endif
