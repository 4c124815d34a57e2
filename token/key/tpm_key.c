#include "token/key/tpm_key.h"

#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/base/secret.h"
#include "token/crypto/padding.h"
#include "token/crypto/public.h"
#include "token/key/vault_inside.h"

/* A key of its own has the authorisation that its login left; one of a token has it
 * from the vault for each operation, unless vault is NULL (an empty one). auth: that of
 * the operation at hand. file: what key_write writes. */
struct kept_key {
    struct key key;
    struct tpm_key *tpm_key;
    struct secret *authorization;
    struct vault *vault;
    struct bytes unique;
    struct tpm_key_file file;
    struct view auth;
    uint8_t derived[HASH_MAX_SIZE];
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

/* Until the operation's end, when `forget` wipes it. */
static CK_RV authorize(struct kept_key *self)
{
    self->auth = secret_view(self->authorization);
    if (!self->vault)
        return CKR_OK;
    CK_RV rv = vault_key_auth(self->vault, bytes_view(&self->unique), self->derived);
    if (rv == CKR_OK)
        self->auth = view_of(self->derived, VAULT_AUTH_SIZE);
    return rv;
}

static void forget(struct kept_key **self)
{
    (*self)->auth = (struct view){0};
    explicit_bzero((*self)->derived, sizeof((*self)->derived));
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

static void free_kept(struct key *key)
{
    struct kept_key *self = kept(key);
    logout(key);
    tpm_key_free(self->tpm_key);
    vault_unref(self->vault);
    bytes_free(&self->unique);
    tpm_key_file_clear(&self->file);
}

/* A plain private RSA operation is TPM2_RSA_Decrypt without a scheme. */
static bool can_raw(struct tpm_key_abilities abilities)
{
    return abilities.decrypt && !abilities.fixed;
}

static bool can_scheme(struct tpm_key_abilities abilities, bool allowed,
                       const struct scheme *scheme)
{
    /* TPM2_Sign has no SHA-224; for ECDSA the digest is padded. */
    if (!allowed || (scheme->hash == HASH_SHA224 && scheme->kind != SCHEME_ECDSA))
        return false;
    if (!abilities.fixed)
        return true;
    return abilities.fixed_scheme == scheme->kind &&
           (scheme->hash == HASH_NONE || abilities.fixed_hash == HASH_NONE ||
            abilities.fixed_hash == scheme->hash);
}

static bool can(const struct key *key, enum key_use use, const struct scheme *scheme)
{
    struct tpm_key_abilities abilities = tpm_key_abilities(((const struct kept_key *)key)->tpm_key);
    if (use == KEY_USE_DERIVE)
        return can_raw(abilities);
    if (use == KEY_USE_SIGN && !abilities.sign)
        return false;
    if (scheme->kind == SCHEME_RSA_RAW)
        return can_raw(abilities);
    if (use == KEY_USE_DECRYPT)
        return can_scheme(abilities, abilities.decrypt, scheme);
    if (scheme->kind == SCHEME_ECDSA)
        return can_scheme(abilities, abilities.sign, scheme);
    return can_raw(abilities) || can_scheme(abilities, abilities.sign, scheme);
}

static CK_RV raw(struct kept_key *self, struct view block, struct bytes *ret_result)
{
    return tpm_key_decrypt(self->tpm_key, self->auth, SCHEME_RSA_RAW, HASH_NONE, block, ret_result);
}

/* TPM2_Sign takes digests of hashes that the TPM has, and every TPM has SHA-1 and
 * SHA-256; everything else is encoded here and signed by the raw operation. */
static CK_RV sign_pkcs1(struct kept_key *self, struct view input, struct bytes *ret_signature)
{
    struct tpm_key_abilities abilities = tpm_key_abilities(self->tpm_key);
    enum hash hash = HASH_NONE;
    struct view digest = {0};
    bool known = crypto_digest_info_parse(input, &hash, &digest);
    struct scheme wanted = {.kind = SCHEME_RSA_PKCS1, .hash = hash};
    bool common = known && (hash == HASH_SHA1 || hash == HASH_SHA256);
    bool by_tpm = known && can_scheme(abilities, abilities.sign, &wanted);
    if (by_tpm && (common || !can_raw(abilities)))
        return tpm_key_sign(self->tpm_key, self->auth, SCHEME_RSA_PKCS1, hash, digest,
                            ret_signature);
    if (!can_raw(abilities))
        return known ? CKR_KEY_FUNCTION_NOT_PERMITTED : CKR_DATA_INVALID;
    struct bytes block CLEANUP(bytes_free) = {0};
    CK_RV rv = crypto_pad_pkcs1(input, self->key.public_key.modulus.size, &block);
    return rv != CKR_OK ? rv : raw(self, bytes_view(&block), ret_signature);
}

/* TPMs choose the salt's length themselves; so the encoding is made here. Where
 * the key allows TPM2_Sign only, what came out is checked against the request. */
static CK_RV sign_pss(struct kept_key *self, const struct scheme *scheme, struct view digest,
                      struct bytes *ret_signature)
{
    if (digest.size != hash_size(scheme->hash))
        return CKR_DATA_LEN_RANGE;
    struct bytes block CLEANUP(bytes_free) = {0};
    if (can_raw(tpm_key_abilities(self->tpm_key))) {
        CK_RV rv = crypto_pad_pss(scheme, digest, self->key.public_key.bits, &block);
        return rv != CKR_OK ? rv : raw(self, bytes_view(&block), ret_signature);
    }
    CK_RV rv =
        tpm_key_sign(self->tpm_key, self->auth, SCHEME_RSA_PSS, scheme->hash, digest, &block);
    if (rv == CKR_OK)
        rv = crypto_verify(&self->key.public_key, scheme, digest, bytes_view(&block));
    if (rv == CKR_SIGNATURE_INVALID) {
        log_line(LOG_LEVEL_ERROR, "key",
                 "this key may only be used with the TPM's own RSA-PSS, whose salt is not the %zu "
                 "bytes asked for",
                 scheme->salt_size);
        return CKR_MECHANISM_PARAM_INVALID;
    }
    return rv != CKR_OK ? rv : bytes_copy(ret_signature, bytes_view(&block));
}

/* TPM2_Sign wants a digest of exactly a hash's size, and both take the leftmost
 * bits of it, as many as the order has, as a number (FIPS 186-5, 6.4.1). So the
 * digest is cut to the order's size, and put where the TPM looks for that number:
 * zeros in front do not change it, and what stands behind is cut off again. */
static CK_RV sign_ecdsa(struct kept_key *self, struct view digest, struct bytes *ret_signature)
{
    size_t order = public_key_coordinate_size(&self->key.public_key);
    if (!digest.size || digest.size > HASH_MAX_SIZE)
        return CKR_DATA_LEN_RANGE;
    struct tpm_key_abilities abilities = tpm_key_abilities(self->tpm_key);
    size_t kept = digest.size < order ? digest.size : order;
    enum hash hash = abilities.fixed ? abilities.fixed_hash : HASH_SHA256;
    while (!abilities.fixed && hash_size(hash) < kept && hash < HASH_SHA512)
        hash++;
    size_t size = hash_size(hash);
    size_t width = size < order ? size : order;
    if (kept > width)
        return CKR_DATA_LEN_RANGE;
    uint8_t padded[HASH_MAX_SIZE] = {0};
    memcpy(padded + width - kept, digest.data, kept);
    return tpm_key_sign(self->tpm_key, self->auth, SCHEME_ECDSA, hash, view_of(padded, size),
                        ret_signature);
}

static CK_RV sign_raw(struct kept_key *self, struct view input, struct bytes *ret_signature)
{
    const struct bytes *modulus = &self->key.public_key.modulus;
    struct bytes block CLEANUP(bytes_free) = {0};
    CK_RV rv = crypto_pad_raw(input, modulus->size, &block);
    if (rv != CKR_OK)
        return rv;
    if (memcmp(block.data, modulus->data, modulus->size) >= 0)
        return CKR_DATA_INVALID;
    return raw(self, bytes_view(&block), ret_signature);
}

static CK_RV sign(struct key *key, const struct scheme *scheme, struct view input,
                  struct bytes *ret_signature)
{
    struct kept_key *self CLEANUP(forget) = kept(key);
    CK_RV rv = authorize(self);
    if (rv != CKR_OK)
        return rv;
    switch (scheme->kind) {
    case SCHEME_RSA_PKCS1:
        return sign_pkcs1(self, input, ret_signature);
    case SCHEME_RSA_PSS:
        return sign_pss(self, scheme, input, ret_signature);
    case SCHEME_RSA_RAW:
        return sign_raw(self, input, ret_signature);
    case SCHEME_ECDSA:
        return sign_ecdsa(self, input, ret_signature);
    default:
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    }
}

/* A TPM's OAEP label ends in a NUL and its mask uses the same hash; others are
 * taken apart here. */
static CK_RV decrypt_oaep(struct kept_key *self, const struct scheme *scheme, struct view cipher,
                          struct bytes *ret_plain)
{
    bool common = scheme->hash == HASH_SHA1 || scheme->hash == HASH_SHA256;
    bool by_tpm = common && scheme->mgf_hash == scheme->hash && scheme->label.size == 0;
    if (by_tpm || !can_raw(tpm_key_abilities(self->tpm_key)))
        return scheme->label.size ? CKR_MECHANISM_PARAM_INVALID
                                  : tpm_key_decrypt(self->tpm_key, self->auth, SCHEME_RSA_OAEP,
                                                    scheme->hash, cipher, ret_plain);
    struct bytes block CLEANUP(bytes_free) = {0};
    CK_RV rv = raw(self, cipher, &block);
    return rv != CKR_OK ? rv : crypto_unpad_oaep(scheme, bytes_view(&block), ret_plain);
}

static CK_RV decrypt(struct key *key, const struct scheme *scheme, struct view cipher,
                     struct bytes *ret_plain)
{
    struct kept_key *self CLEANUP(forget) = kept(key);
    if (cipher.size != key->public_key.modulus.size)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    if (memcmp(cipher.data, key->public_key.modulus.data, cipher.size) >= 0)
        return CKR_ENCRYPTED_DATA_INVALID;
    CK_RV rv = authorize(self);
    if (rv != CKR_OK)
        return rv;
    rv = scheme->kind == SCHEME_RSA_OAEP ? decrypt_oaep(self, scheme, cipher, ret_plain)
                                         : tpm_key_decrypt(self->tpm_key, self->auth, scheme->kind,
                                                           HASH_NONE, cipher, ret_plain);
    if (rv == CKR_DATA_INVALID || rv == CKR_DATA_LEN_RANGE)
        return CKR_ENCRYPTED_DATA_INVALID;
    return rv;
}

static CK_RV derive(struct key *key, struct view point, struct bytes *ret_secret)
{
    struct kept_key *self CLEANUP(forget) = kept(key);
    CK_RV rv = authorize(self);
    return rv != CKR_OK ? rv : tpm_key_derive(self->tpm_key, self->auth, point, ret_secret);
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
    .free = free_kept,
};

static CK_RV new_kept(struct tpm *tpm, const struct tpm_key_source *source,
                      const struct public_key *public_key, struct key **ret_key,
                      struct reason *reason)
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
    if (rv == CKR_OK) {
        rv = crypto_public_complete(&self->key.public_key);
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
        rv = new_kept(tpm, &source, NULL, &key, reason);
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
        rv = new_kept(vault->tpm, &source, NULL, &key, reason);
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
    CK_RV rv = new_kept(tpm, &source, public_key, &key, reason);
    if (rv != CKR_OK)
        return rv;
    key->needs_login = true;
    *ret_key = key;
    return CKR_OK;
}
