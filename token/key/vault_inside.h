/* The inside of a vault, and what keys take from it. Inside the room only. */
#ifndef SIGNET_KEY_VAULT_INSIDE_H
#define SIGNET_KEY_VAULT_INSIDE_H

#include "token/base/hash.h"
#include "token/key/vault.h"
#include "token/tpm/key.h"

#define VAULT_SECRET_SIZE 32
#define VAULT_AUTH_SIZE 32

/* open_seal.present: the token asks for no PIN, and this is how it is opened. */
struct vault {
    unsigned references;
    struct tpm *tpm;
    enum tpm_protection protection;
    struct bytes token;
    struct bytes root_name;
    struct vault_seal open_seal;
    struct secret *secret;
};

/* Each key of a vault holds a reference; what vault_free leaves is closed for good. */
struct vault *vault_ref(struct vault *vault);
void vault_unref(struct vault *vault);

/* Opens a vault that needs no PIN; CKR_USER_NOT_LOGGED_IN for one that does and is
 * closed. */
CHECKED CK_RV vault_ensure_open(struct vault *vault);

/* HMAC-SHA256 of label || 0 || data. The caller wipes `out`. */
CHECKED CK_RV vault_derive(struct view key, const char *label, struct view data,
                           uint8_t out[HASH_MAX_SIZE]);

/* True if keys that are made now get an empty authorisation. */
bool vault_makes_open_keys(const struct vault *vault);

/* The authorisation of the key of the object `unique`. The vault is opened if it can
 * be. The caller wipes `out`. */
CHECKED CK_RV vault_key_auth(struct vault *vault, struct view unique, uint8_t out[HASH_MAX_SIZE]);

/* vault_decrypt for keys: what does not verify is logged, and CKR_DEVICE_ERROR. */
CHECKED CK_RV vault_decrypt_key(struct vault *vault, const char *purpose, struct view unique,
                                struct view cipher, struct bytes *ret_plain);

/* The PEM of a TSS2 file. */
struct tpm_key_file;
CHECKED CK_RV vault_tss2_pem(const struct tpm_key_file *file, struct bytes *ret_pem);

#endif
