/* What the files of one exported key hold, put together: the private key, its
 * public half, and its certificates in the order leaf, issuer, issuer's issuer. */
#ifndef SIGNET_KEY_MATERIAL_H
#define SIGNET_KEY_MATERIAL_H

#include "token/base/reason.h"
#include "token/key/key.h"

/* The largest file that is read for a key. */
#define KEY_FILE_MAX_SIZE (1024 * 1024)

/* One file as it was read; path, and line of the configuration, are for the
 * reason only. */
struct key_file {
    const char *path;
    unsigned line;
    struct view content;
};

/* Whether a TPM key's PIN travels to its TPM in an encrypted session; by default
 * it does where the TPM is a chip. */
enum key_protection { KEY_PROTECTION_AUTO, KEY_PROTECTION_ON, KEY_PROTECTION_OFF };

enum key_pin { KEY_PIN_AS_FOUND, KEY_PIN_REQUIRED, KEY_PIN_NONE };

/* What a configuration section names. private_key.path is NULL where there is no
 * private key; handle, provider or engine take the place of the file's content.
 * `tpm` is needed only if the key turns out to be a TPM's. */
struct key_description {
    struct key_file private_key;
    uint32_t handle;
    const char *provider;
    const char *engine;
    struct key_file public_key;
    const struct key_file *certificates;
    size_t certificate_count;
    enum key_pin pin;
    enum key_protection protection;
    const char *tpm;
};

/* key may be NULL (certificates alone); public_key.algorithm NONE means that only
 * a login will tell. */
struct key_material {
    struct key *key;
    struct public_key public_key;
    struct certificate *certificates;
    size_t certificate_count;
};

/* Reads and checks everything without a TPM command. On failure the reason names
 * the file: CKR_DATA_INVALID, CKR_FUNCTION_NOT_SUPPORTED. Cleared by the caller. */
CHECKED CK_RV key_material_open(const struct key_description *description,
                                struct key_material *ret_material, struct reason *reason);

void key_material_clear(struct key_material *material);

/* The CKA_ID that NSS would derive: SHA-1 of the RSA modulus or of the EC point. */
CHECKED CK_RV key_material_id(const struct public_key *public_key, struct bytes *ret_id);

/* For the whole process: silences the TPM libraries before their first use, and
 * in a forked child lets go of what the parent still uses. */
void key_process_start(void);
void key_process_abandon(void);

#endif
