/* The secret of a token directory: sealed in the TPM for its two users, and what is
 * derived from it while it is open: the authorisation of each key, and the encryption
 * of what the files keep private. */
#ifndef SIGNET_KEY_VAULT_H
#define SIGNET_KEY_VAULT_H

#include "token/base/secret.h"
#include "token/key/material.h"

#define VAULT_TOKEN_SIZE 16 /* bytes that name a token */
#define VAULT_SALT_SIZE 32

enum vault_user { VAULT_USER, VAULT_SO, VAULT_USERS };

/* One user's seal, as the token file keeps it; nothing of it is secret. `sealed` is
 * PEM, a TSS2 PRIVATE KEY of the sealed type. `open`: it asks for no PIN. gated and
 * the following as in tpm/seal.h. */
struct vault_seal {
    bool present;
    bool open;
    bool gated;
    uint32_t pin_index;
    uint32_t counter_index;
    uint64_t counter;
    uint32_t try_limit;
    uint8_t salt[VAULT_SALT_SIZE];
    struct bytes sealed;
};
void vault_seal_clear(struct vault_seal *seal);
CHECKED CK_RV vault_seal_copy(struct vault_seal *seal, const struct vault_seal *from);

/* Wrong tries so far, of how many; known false: the TPM did not tell. */
struct vault_tries {
    bool known;
    uint32_t failed;
    uint32_t limit;
};

/* The TPM that a token was made on. */
struct vault_identity {
    enum key_place place;
    char manufacturer[33]; /* empty: not read yet */
    char firmware[17];
    uint8_t firmware_major;
    uint8_t firmware_minor;
    struct bytes root_name;
};
void vault_identity_clear(struct vault_identity *identity);

struct vault;

/* No TPM command is sent. `tpm` is the configuration's word. */
CHECKED CK_RV vault_new(const char *tpm, enum key_protection protection, struct vault **ret_vault);
/* Closes it; keys of it that are still referenced find it closed. NULL is fine. */
void vault_free(struct vault *vault);
enum key_place vault_place(const struct vault *vault);

/* Names the token that the following is about: 16 bytes, and the root that it expects
 * (empty: not yet known). */
CHECKED CK_RV vault_use_token(struct vault *vault, struct view token, struct view root_name);

/* The user's seal asks for no PIN (copied; NULL or one that is not `open`: not so). Keys
 * made from now on have an empty authorisation, so that any tool can use their files, and
 * the vault opens by itself when something else needs its secret. */
CHECKED CK_RV vault_set_open(struct vault *vault, const struct vault_seal *seal);

/* Reads who the TPM is, with the name of its storage root. */
CHECKED CK_RV vault_identify(struct vault *vault, struct vault_identity *ret_identity);

/* A fresh random secret; the vault is open. For a token that is being made. */
CHECKED CK_RV vault_begin(struct vault *vault);

/* Seals the open secret for a PIN of 0 to 255 bytes (data NULL: for nobody's PIN,
 * an open seal). `old`: what it is to replace, or NULL; then vault_commit has to
 * follow once `ret_seal` is stored, and until then the old one holds. */
CHECKED CK_RV vault_seal(struct vault *vault, enum vault_user user, struct view pin,
                         uint32_t try_limit, const struct vault_seal *old,
                         struct vault_seal *ret_seal);
CHECKED CK_RV vault_commit(struct vault *vault, enum vault_user user, const struct vault_seal *seal,
                           const struct vault_seal *old);
/* Frees what a seal has in the TPM. Needs no open vault. */
CHECKED CK_RV vault_discard(struct vault *vault, enum vault_user user,
                            const struct vault_seal *seal);
/* The same of all seals of the token, for who does not have them any more. */
CHECKED CK_RV vault_discard_all(struct vault *vault);

/* Opens the vault with a PIN, which an `open` seal ignores and any other must have
 * (data NULL: CKR_PIN_INCORRECT); errors as tpm_seal_open. ret_tries is always set. */
CHECKED CK_RV vault_open(struct vault *vault, enum vault_user user, const struct vault_seal *seal,
                         struct view pin, struct vault_tries *ret_tries);
bool vault_is_open(const struct vault *vault);
/* Wipes the secret. */
void vault_close(struct vault *vault);

/* While open (or opened by itself), else CKR_USER_NOT_LOGGED_IN. Encryption is AES-256-GCM under a
 * key for `purpose`, bound to it and to `unique`; what was changed or is another's is
 * CKR_DATA_INVALID. The caller wipes plain text. */
CHECKED CK_RV vault_encrypt(struct vault *vault, const char *purpose, struct view unique,
                            struct view plain, struct bytes *ret_cipher);
CHECKED CK_RV vault_decrypt(struct vault *vault, const char *purpose, struct view unique,
                            struct view cipher, struct bytes *ret_plain);

#endif
