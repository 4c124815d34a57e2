#include "token/key/tpm_key.h"

#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/base/secret.h"
#include "token/crypto/public.h"
#include "token/key/tpm_use.h"
#include "token/key/vault_inside.h"
#include "token/tpm/secret.h"

/* A key of its own has the authorisation that its login left; one of a token has it
 * from the vault for each operation, unless vault is NULL (an empty one). file:
 * what key_write writes. */
struct kept_key {
    struct key key;
    struct tpm_key *tpm_key;
    struct secret *authorization;
    struct vault *vault;
    struct bytes unique;
    struct tpm_key_file file;
};

static struct kept_key *kept(struct key *key)
{
    return (struct kept_key *)key;
}

enum key_place tpm_key_place(enum tpm_kind kind)
{
    switch (kind) {
    case TPM_KIND_DEVICE:
        return KEY_IN_DEVICE;
    case TPM_KIND_SWTPM:
        return KEY_IN_SWTPM;
    case TPM_KIND_EMBEDDED:
        return KEY_IN_EMBEDDED;
    default:
        return KEY_IN_OTHER_TPM;
    }
}

enum tpm_protection tpm_key_protection(enum key_protection protection)
{
    static const enum tpm_protection of[] = {
        [KEY_PROTECTION_AUTO] = TPM_PROTECTION_AUTO,
        [KEY_PROTECTION_ON] = TPM_PROTECTION_ON,
        [KEY_PROTECTION_OFF] = TPM_PROTECTION_OFF,
    };
    return of[protection];
}

static enum key_place place(const struct key *key)
{
    return tpm_key_place(tpm_key_kind(((const struct kept_key *)key)->tpm_key));
}

/* A key with its authorisation, for one operation. */
struct authorized {
    struct tpm_use use;
    uint8_t derived[HASH_MAX_SIZE];
};

static void authorized_wipe(struct authorized *authorized)
{
    explicit_bzero(authorized, sizeof(*authorized));
}

static CK_RV authorize(struct key *key, struct authorized *authorized)
{
    struct kept_key *self = kept(key);
    authorized->use = (struct tpm_use){.tpm_key = self->tpm_key,
                                       .public_key = &key->public_key,
                                       .auth = secret_view(self->authorization)};
    if (!self->vault)
        return CKR_OK;
    authorized->use.auth = view_of(authorized->derived, VAULT_AUTH_SIZE);
    return vault_key_auth(self->vault, bytes_view(&self->unique), authorized->derived);
}

static CK_RV login(struct key *key, struct view pin)
{
    struct kept_key *self = kept(key);
    if (key->in_token)
        return CKR_OK;
    struct secret *authorization CLEANUP(secret_cleanup) = NULL;
    CK_RV rv = secret_new(pin, &authorization);
    if (rv == CKR_OK)
        rv = tpm_key_check_auth(self->tpm_key, secret_view(authorization));
    if (rv != CKR_OK)
        return rv;
    self->authorization = authorization;
    authorization = NULL;
    return CKR_OK;
}

static void logout(struct key *key)
{
    secret_free(kept(key)->authorization);
    kept(key)->authorization = NULL;
}

/* Its authorisation was given to it when it was made. */
static CK_RV bind(struct key *key, UNUSED struct vault *vault, struct view unique,
                  struct key **ret_key)
{
    const struct kept_key *self = kept(key);
    if (self->vault && !view_equal(bytes_view(&self->unique), unique)) {
        log_line(LOG_LEVEL_ERROR, "key",
                 "what protects a key in the TPM is settled when it is made, and is not changed "
                 "afterwards");
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    *ret_key = key_ref(key);
    return CKR_OK;
}

static void free_kept(struct key *key)
{
    struct kept_key *self = kept(key);
    logout(key);
    tpm_key_free(self->tpm_key);
    vault_unref(self->vault);
    bytes_free(&self->unique);
    tpm_key_file_clear(&self->file);
}

static bool can(const struct key *key, enum key_use use, const struct scheme *scheme)
{
    return tpm_use_possible(tpm_key_abilities(((const struct kept_key *)key)->tpm_key), use,
                            scheme);
}

static CK_RV sign(struct key *key, const struct scheme *scheme, struct view input,
                  struct bytes *ret_signature)
{
    struct authorized self CLEANUP(authorized_wipe) = {.derived = {0}};
    CK_RV rv = authorize(key, &self);
    return rv != CKR_OK ? rv : tpm_use_sign(&self.use, scheme, input, ret_signature);
}

static CK_RV decrypt(struct key *key, const struct scheme *scheme, struct view cipher,
                     struct bytes *ret_plain)
{
    struct authorized self CLEANUP(authorized_wipe) = {.derived = {0}};
    if (cipher.size != key->public_key.modulus.size)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    if (memcmp(cipher.data, key->public_key.modulus.data, cipher.size) >= 0)
        return CKR_ENCRYPTED_DATA_INVALID;
    CK_RV rv = authorize(key, &self);
    return rv != CKR_OK ? rv : tpm_use_decrypt(&self.use, scheme, cipher, ret_plain);
}

static CK_RV derive(struct key *key, struct view point, struct bytes *ret_secret)
{
    struct authorized self CLEANUP(authorized_wipe) = {.derived = {0}};
    CK_RV rv = authorize(key, &self);
    return rv != CKR_OK ? rv : tpm_key_derive(self.use.tpm_key, self.use.auth, point, ret_secret);
}

static bool can_mac(UNUSED const struct key *key, UNUSED enum key_use use,
                    const struct scheme *scheme)
{
    return tpm_secret_has_hash(scheme->hash);
}

static CK_RV mac(struct key *key, enum hash hash, struct view data, struct bytes *ret_code)
{
    struct authorized self CLEANUP(authorized_wipe) = {.derived = {0}};
    CK_RV rv = authorize(key, &self);
    return rv != CKR_OK ? rv
                        : tpm_secret_mac(self.use.tpm_key, self.use.auth, hash, data, ret_code);
}

static CK_RV cipher(struct key *key, enum block_mode mode, bool encrypt,
                    uint8_t chain[BLOCK_MODE_SIZE], struct view in, uint8_t *out)
{
    struct authorized self CLEANUP(authorized_wipe) = {.derived = {0}};
    CK_RV rv = authorize(key, &self);
    return rv != CKR_OK
               ? rv
               : tpm_secret_cipher(self.use.tpm_key, self.use.auth, mode, encrypt, chain, in, out);
}

static CK_RV write_file(struct key *key, struct bytes *ret_pem)
{
    if (!kept(key)->file.public.size)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    return vault_tss2_pem(&kept(key)->file, ret_pem);
}

static const struct key_ops tpm_key_ops = {
    .place = place,
    .can = can,
    .login = login,
    .logout = logout,
    .sign = sign,
    .decrypt = decrypt,
    .derive = derive,
    .write = write_file,
    .bind = bind,
    .free = free_kept,
};

static const struct key_ops tpm_mac_ops = {
    .place = place,
    .can = can_mac,
    .mac = mac,
    .write = write_file,
    .bind = bind,
    .free = free_kept,
};

static const struct key_ops tpm_cipher_ops = {
    .place = place,
    .cipher = cipher,
    .write = write_file,
    .bind = bind,
    .free = free_kept,
};

/* A secret key has nothing public to complete. */
static const struct key_ops *ops_of_secret(const struct tpm_key *tpm_key)
{
    switch (tpm_key_public(tpm_key)->algorithm) {
    case KEY_ALGORITHM_SECRET:
        return &tpm_mac_ops;
    case KEY_ALGORITHM_AES:
        return &tpm_cipher_ops;
    default:
        return NULL;
    }
}

/* crypto_public_complete, or for what may come in thousands crypto_public_spki. */
typedef CK_RV (*completion)(struct public_key *key);

static CK_RV new_kept(struct tpm *tpm, const struct tpm_key_source *source,
                      const struct public_key *public_key, completion complete,
                      struct key **ret_key, struct reason *reason)
{
    struct kept_key *self = calloc(1, sizeof(*self));
    if (!self)
        return CKR_HOST_MEMORY;
    self->key = (struct key){.ops = &tpm_key_ops, .references = 1};
    CK_RV rv = tpm_key_new(tpm, source, &self->tpm_key, reason);
    if (rv == CKR_OK && public_key)
        rv = tpm_key_expect(self->tpm_key, public_key);
    if (rv == CKR_OK)
        rv = public_key_copy(&self->key.public_key, tpm_key_public(self->tpm_key));
    const struct key_ops *secret = rv == CKR_OK ? ops_of_secret(self->tpm_key) : NULL;
    if (secret)
        self->key.ops = secret;
    if (rv == CKR_OK && !secret) {
        rv = complete(&self->key.public_key);
        if (rv != CKR_OK)
            reason_set(reason, "the TPM key's public area holds no valid public key");
    }
    if (rv != CKR_OK) {
        key_unref(&self->key);
        return rv;
    }
    *ret_key = &self->key;
    return CKR_OK;
}

CK_RV tpm_key_check_file(const struct tpm_key_file *file, struct reason *reason)
{
    const char *lacking = file->type == TPM_KEY_SEALED       ? "it is sealed data, not a key"
                          : file->type == TPM_KEY_IMPORTABLE ? "importable TPM keys are not served "
                                                               "yet: import it with 'tpm2_import'"
                          : file->has_policy ? "TPM keys with a policy are not served yet"
                                             : NULL;
    if (!lacking)
        return CKR_OK;
    reason_set(reason, "%s", lacking);
    return CKR_FUNCTION_NOT_SUPPORTED;
}

static struct tpm_key_source source_of(const struct tpm_key_file *file,
                                       enum tpm_protection protection)
{
    return (struct tpm_key_source){
        .parent = file->parent,
        .rsa_parent = file->rsa_parent,
        .protection = protection,
        .public = bytes_view(&file->public),
        .private = bytes_view(&file->private),
    };
}

CK_RV tpm_key_from_file(struct tpm *tpm, const struct tpm_key_file *file,
                        enum tpm_protection protection, struct key **ret_key, struct reason *reason)
{
    const struct tpm_key_source source = source_of(file, protection);
    struct key *key = NULL;
    CK_RV rv = tpm_key_check_file(file, reason);
    if (rv == CKR_OK)
        rv = new_kept(tpm, &source, NULL, crypto_public_complete, &key, reason);
    if (rv == CKR_OK && key_keeps_value(key)) {
        key_unref(key);
        reason_set(reason, "it is a secret key, which only a token directory has");
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    if (rv != CKR_OK)
        return rv;
    key->needs_login = !file->empty_auth;
    *ret_key = key;
    return CKR_OK;
}

void tpm_key_file_clear(struct tpm_key_file *file)
{
    bytes_free(&file->public);
    bytes_free(&file->private);
    bytes_free(&file->secret);
    *file = (struct tpm_key_file){0};
}

CK_RV tpm_key_of_vault(struct vault *vault, struct tpm_key_file *file, struct view unique,
                       struct key **ret_key, struct reason *reason)
{
    const struct tpm_key_source source = source_of(file, vault->protection);
    struct key *key = NULL;
    CK_RV rv = tpm_key_check_file(file, reason);
    if (rv == CKR_OK)
        rv = new_kept(vault->tpm, &source, NULL, crypto_public_spki, &key, reason);
    if (rv == CKR_OK && !file->empty_auth)
        rv = bytes_copy(&kept(key)->unique, unique);
    if (rv != CKR_OK) {
        key_unref(key);
        return rv;
    }
    key->in_token = true;
    kept(key)->vault = file->empty_auth ? NULL : vault_ref(vault);
    kept(key)->file = *file;
    *file = (struct tpm_key_file){0};
    *ret_key = key;
    return CKR_OK;
}

CK_RV tpm_key_from_handle(struct tpm *tpm, uint32_t handle, enum tpm_protection protection,
                          const struct public_key *public_key, struct key **ret_key,
                          struct reason *reason)
{
    struct tpm_key_source source = {.handle = handle, .protection = protection};
    struct key *key = NULL;
    CK_RV rv = new_kept(tpm, &source, public_key, crypto_public_complete, &key, reason);
    if (rv != CKR_OK)
        return rv;
    key->needs_login = true;
    *ret_key = key;
    return CKR_OK;
}
