/* A secret that the TPM gives to who knows a PIN. Three gates (all in one policy):
 * PolicySecret on an NV index of type PIN_FAIL, which counts this token's wrong PINs;
 * PolicyAuthValue, the sealed object's own authorisation; PolicyNV, a counter that
 * a change of the PIN moves on. Without NV room or owner authorisation the second
 * gate stands alone. */
#ifndef SIGNET_TPM_SEAL_H
#define SIGNET_TPM_SEAL_H

#include "token/base/hash.h"
#include "token/tpm/create.h"

#define TPM_SEAL_MAX_SECRET 64
#define TPM_SEAL_TOKEN_SIZE 16

/* Whose: each role of a token has indexes of its own, which carry a mark of the token
 * and the role (in their authPolicy) so that what a killed process left is known. */
enum tpm_seal_role { TPM_SEAL_USER, TPM_SEAL_SO };

/* What must be kept to open it again; nothing of it is secret. `gated`: all three
 * gates, else the second alone. counter: the value at which it opens. */
struct tpm_seal {
    bool gated;
    uint32_t pin_index;
    uint32_t counter_index;
    uint64_t counter;
    uint32_t try_limit;
    struct tpm_created object;
};
void tpm_seal_clear(struct tpm_seal *seal);

/* The two authorisations that are made of one PIN (32 bytes each). `open`: neither
 * is asked for; the seal is noDA and has an empty authorisation, and no gates. */
struct tpm_seal_auth {
    bool open;
    struct view pin;
    struct view seal;
};

/* token: 16 bytes that name the token. old: the seal of the same role that is to be
 * replaced, or NULL; then every index with the mark of token and role is taken for an
 * orphan. hash: crypto_hash, as the seal's policy has to be computed. */
struct tpm_seal_request {
    struct view token;
    enum tpm_seal_role role;
    struct view secret;
    struct tpm_seal_auth auth;
    uint32_t try_limit;
    enum tpm_protection protection;
    const struct tpm_seal *old;
    CK_RV (*hash)(enum hash hash, struct view data, uint8_t out[HASH_MAX_SIZE]);
};

/* Makes the seal. Without `old`, or with one without gates, it opens at once. With a
 * gated `old` it gets a new PIN index and opens only after tpm_seal_commit, until which
 * the old one does. Gates that cannot be had (owner authorisation set, no NV room) leave
 * ret_seal->gated false, and a warning in the log says why. Only the owner can kill a
 * gated `old`: CKR_DEVICE_ERROR when owner authorisation was set since. Killed at any
 * point it leaves at most indexes that the next call for this token and role takes over. */
CHECKED CK_RV tpm_seal_make(struct tpm *tpm, const struct tpm_seal_request *request,
                            struct tpm_seal *ret_seal);

/* Kills `old` for good, wherever copies of it are, and frees what it has in the TPM
 * that `seal` does not use. May be called again after it was interrupted. */
CHECKED CK_RV tpm_seal_commit(struct tpm *tpm, const struct tpm_seal *seal,
                              const struct tpm_seal *old, struct view token,
                              enum tpm_seal_role role);

/* Wrong tries counted by the PIN index; `known` false when it could not be read. */
struct tpm_seal_tries {
    bool known;
    uint32_t failed;
    uint32_t limit;
};

/* Opens it: at most 10 commands, and one more if the connection's protected session is
 * yet to be started. root_name (may be empty): the Name that the storage
 * root must have. CKR_PIN_INCORRECT; CKR_PIN_LOCKED (this token's count, or the TPM's
 * global one: the log says which and for how long); CKR_DEVICE_ERROR when this is
 * another TPM, it was cleared, or an index is gone or another; CKR_PIN_EXPIRED when
 * the counter has moved on (an old copy, or a change that was committed: try the
 * newer seal). ret_tries is set after a wrong or right PIN. The caller wipes the
 * secret. */
CHECKED CK_RV tpm_seal_open(struct tpm *tpm, const struct tpm_seal *seal, struct view token,
                            enum tpm_seal_role role, const struct tpm_seal_auth *auth,
                            struct view root_name, enum tpm_protection protection,
                            struct bytes *ret_secret, struct tpm_seal_tries *ret_tries);

/* Frees what it has in the TPM; indexes that are not this token's are left alone. */
CHECKED CK_RV tpm_seal_remove(struct tpm *tpm, const struct tpm_seal *seal, struct view token,
                              enum tpm_seal_role role);

/* Frees all that seals of this token have in the TPM, for who does not know them any
 * more: some 30 commands. */
CHECKED CK_RV tpm_seal_remove_all(struct tpm *tpm, struct view token);

/* The TPM as it names itself: TPM2_PT_MANUFACTURER, vendor strings, firmware (both
 * words as they are; of the first, the halves, 255 for more). */
struct tpm_identity {
    char manufacturer[5];
    char vendor[17];
    uint32_t firmware[2];
    uint8_t firmware_major;
    uint8_t firmware_minor;
};
CHECKED CK_RV tpm_identity_read(struct tpm *tpm, struct tpm_identity *ret_identity);

#endif
