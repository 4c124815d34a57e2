/* Secret keys in a TPM: HMAC of a message, AES over whole blocks. Otherwise such a key is
 * a struct tpm_key as any other. */
#ifndef SIGNET_TPM_SECRET_H
#define SIGNET_TPM_SECRET_H

#include "token/base/block_mode.h"
#include "token/tpm/create.h"

/* The most that TPM2_HMAC and TPM2_EncryptDecrypt take in one command (TPM 2.0 Part 2,
 * MAX_DIGEST_BUFFER); a longer HMAC takes a sequence, of one command for each such piece. */
#define TPM_SECRET_PIECE 1024

/* Whether any TPM has HMAC with this hash. No command is sent. */
bool tpm_secret_has_hash(enum hash hash);

/* What the TPM has said so far on this connection: HMAC with this hash, or AES (HASH_NONE).
 * No command is sent: false for one that was not asked yet. */
bool tpm_secret_known(struct tpm *tpm, enum hash hash);

/* What is to be made. KEY_ALGORITHM_AES for TPM2_EncryptDecrypt, KEY_ALGORITHM_SECRET for
 * TPM2_HMAC; `hash`: what the latter is to be used with, HASH_NONE for any that the TPM
 * has. With a value it is that one, else one of `bits` that the TPM makes. */
struct tpm_secret {
    enum key_algorithm algorithm;
    unsigned bits;
    enum hash hash;
    struct view value;
};

/* TPM2_Create of such a key, at most 5 commands, for the first of a connection 7.
 * CKR_FUNCTION_NOT_SUPPORTED where the TPM lacks the kind, the size or a command to use
 * it with; the log says which. Otherwise as tpm_key_create. */
CHECKED CK_RV tpm_secret_create(struct tpm *tpm, const struct tpm_secret *secret, struct view auth,
                                enum tpm_protection protection, struct tpm_created *ret_created);

/* The whole code over the data: 1 command for a piece or less, else one more than there
 * are pieces. CKR_KEY_FUNCTION_NOT_PERMITTED for a hash or key that cannot do it. */
CHECKED CK_RV tpm_secret_mac(struct tpm_key *key, struct view auth, enum hash hash,
                             struct view data, struct bytes *ret_code);

/* Whole blocks, one command for each piece. `chain` (not used for ECB) is the block that
 * the first is chained to, or the counter; afterwards that of the next. `out` has the
 * input's size. */
CHECKED CK_RV tpm_secret_cipher(struct tpm_key *key, struct view auth, enum block_mode mode,
                                bool encrypt, uint8_t chain[BLOCK_MODE_SIZE], struct view in,
                                uint8_t *out);

#endif
