/* New keys under the storage root: made by the TPM, or made elsewhere and imported.
 * Nothing stays loaded. */
#ifndef SIGNET_TPM_CREATE_H
#define SIGNET_TPM_CREATE_H

#include "token/base/key_spec.h"
#include "token/tpm/key.h"

/* A key as TPM2_Load wants it: marshalled TPM2B_PUBLIC and TPM2B_PRIVATE, and the
 * parent for struct tpm_key_source. */
struct tpm_created {
    uint32_t parent;
    bool rsa_parent;
    struct bytes public;
    struct bytes private;
};

/* Frees the contents; zeroed is fine. */
void tpm_created_clear(struct tpm_created *created);

/* TPM2_Create of an RSA or EC key with this authorisation (at most 32 bytes), noDA,
 * for signing and decrypting (deriving) with any scheme; never leaves the TPM. At
 * most 4 commands. CKR_CURVE_NOT_SUPPORTED, CKR_KEY_SIZE_RANGE for what the TPM
 * lacks, else those of error.c. The caller clears ret_created. */
CHECKED CK_RV tpm_key_create(struct tpm *tpm, const struct key_spec *spec, struct view auth,
                             enum tpm_protection protection, struct tpm_created *ret_created);

/* The storage root's public half and Name, for what is to be imported. */
struct tpm_root {
    bool rsa;
    struct public_key public_key;
    struct bytes name;
};
void tpm_root_clear(struct tpm_root *root);
CHECKED CK_RV tpm_root_read(struct tpm *tpm, struct tpm_root *ret_root);

/* The two TPM structures of a private key to import: marshalled TPM2B_PUBLIC and
 * marshalled TPMT_SENSITIVE with the authorisation in it (secret: wiped by the caller).
 * RSA needs prime_1, EC the point. The Name is the caller's to compute, as this room
 * cannot hash: 000b || SHA-256 of ret_public without its first two bytes (TPM 2.0 Part 1,
 * 16). CKR_KEY_SIZE_RANGE, CKR_CURVE_NOT_SUPPORTED for kinds that TPMs lack,
 * CKR_ATTRIBUTE_VALUE_INVALID for parts that are missing or do not fit. */
CHECKED CK_RV tpm_import_structures(const struct private_parts *parts, struct view auth,
                                    struct bytes *ret_public, struct bytes *ret_sensitive);

/* TPM2_Import of a duplicate (marshalled TPM2B_PRIVATE and TPM2B_ENCRYPTED_SECRET,
 * outer wrapper only, TPM 2.0 Part 1, 23.3) for the root as tpm_root_read gave it. */
CHECKED CK_RV tpm_key_import(struct tpm *tpm, struct view public, struct view duplicate,
                             struct view encrypted_secret, struct tpm_created *ret_created);

#endif
