/* Keys in a TPM: loaded when first used, kept loaded, loaded again when the TPM
 * has lost them. One TPM command for an operation on a loaded key. */
#ifndef SIGNET_TPM_KEY_H
#define SIGNET_TPM_KEY_H

#include "token/base/public_key.h"
#include "token/base/scheme.h"
#include "token/tpm/tpm.h"

struct tpm_key;

enum tpm_protection { TPM_PROTECTION_AUTO, TPM_PROTECTION_ON, TPM_PROTECTION_OFF };

/* Where a key is: a persistent `handle` (then public and private may be empty),
 * or marshalled TPM2B_PUBLIC and TPM2B_PRIVATE under `parent`, a persistent
 * handle or a hierarchy whose storage primary is made on demand (P-256, or
 * RSA-2048 with rsa_parent). protection: whether authorisations travel in an
 * encrypted session; AUTO does where the TPM is a chip on a bus. */
struct tpm_key_source {
    uint32_t handle;
    uint32_t parent;
    bool rsa_parent;
    enum tpm_protection protection;
    struct view public;
    struct view private;
};

/* What the key's public area allows. `scheme` and `hash` fixed by it stand in
 * fixed_scheme and fixed_hash. Unknown for a persistent handle: all but fixed. */
struct tpm_key_abilities {
    bool sign;
    bool decrypt;
    bool fixed;
    enum scheme_kind fixed_scheme;
    enum hash fixed_hash;
};

/* Copies the source and takes a reference of `tpm`. No command is sent.
 * CKR_DATA_INVALID with the reason when the public area is no key of a kind that
 * can be served. Freed with tpm_key_free, which flushes it if it is loaded. */
CHECKED CK_RV tpm_key_new(struct tpm *tpm, const struct tpm_key_source *source,
                          struct tpm_key **ret_key, struct reason *reason);
void tpm_key_free(struct tpm_key *key);

/* The public key, without spki, in a marshalled TPM2B_PUBLIC; no TPM is needed.
 * CKR_DATA_INVALID with the reason. */
CHECKED CK_RV tpm_key_public_read(struct view public, struct public_key *ret_key,
                                  struct reason *reason);

/* The public key as the file holds it, without spki; algorithm NONE for a
 * persistent handle. Borrowed from the key. */
const struct public_key *tpm_key_public(const struct tpm_key *key);
struct tpm_key_abilities tpm_key_abilities(const struct tpm_key *key);
enum tpm_kind tpm_key_kind(const struct tpm_key *key);

/* For a persistent handle: the public key that it must turn out to hold. */
CHECKED CK_RV tpm_key_expect(struct tpm_key *key, const struct public_key *public_key);

/* The authorisation is given with every command; it is not kept.
 * Failures are those of the table in error.c: CKR_PIN_INCORRECT, CKR_PIN_LOCKED,
 * CKR_DEVICE_MEMORY, CKR_DEVICE_ERROR, CKR_DATA_INVALID, …, each logged once. */

/* TPM2_PolicySecret on the key: proves the authorisation, no signature. */
CHECKED CK_RV tpm_key_check_auth(struct tpm_key *key, struct view auth);

/* TPM2_Sign: RSASSA or ECDSA over a digest of `hash`. ECDSA answers r || s, each
 * of the coordinate's size. */
CHECKED CK_RV tpm_key_sign(struct tpm_key *key, struct view auth, enum scheme_kind kind,
                           enum hash hash, struct view digest, struct bytes *ret_signature);

/* TPM2_RSA_Decrypt: RAW (a plain private operation), PKCS1, or OAEP with `hash`
 * and an empty label. */
CHECKED CK_RV tpm_key_decrypt(struct tpm_key *key, struct view auth, enum scheme_kind kind,
                              enum hash hash, struct view cipher, struct bytes *ret_plain);

/* TPM2_ECDH_ZGen with a point 04||x||y of the key's curve: the x coordinate. */
CHECKED CK_RV tpm_key_derive(struct tpm_key *key, struct view auth, struct view point,
                             struct bytes *ret_secret);

#endif
