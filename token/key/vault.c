#include "token/key/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/crypto/cipher.h"
#include "token/crypto/digest.h"
#include "token/crypto/mac.h"
#include "token/key/tpm_key.h"
#include "token/key/vault_inside.h"
#include "token/tpm/create.h"
#include "token/tpm/seal.h"

#define MESSAGE_MAX_SIZE 4096

void vault_identity_clear(struct vault_identity *identity)
{
    bytes_free(&identity->root_name);
    *identity = (struct vault_identity){0};
}

CK_RV vault_new(const char *tpm, enum key_protection protection, struct vault **ret_vault)
{
    struct vault *vault = calloc(1, sizeof(*vault));
    if (!vault)
        return CKR_HOST_MEMORY;
    CK_RV rv = tpm_acquire(tpm, &vault->tpm);
    if (rv != CKR_OK) {
        free(vault);
        return rv;
    }
    vault->references = 1;
    vault->protection = tpm_key_protection(protection);
    *ret_vault = vault;
    return CKR_OK;
}

struct vault *vault_ref(struct vault *vault)
{
    vault->references++;
    return vault;
}

void vault_unref(struct vault *vault)
{
    if (!vault || --vault->references > 0)
        return;
    vault_close(vault);
    vault_seal_clear(&vault->open_seal);
    bytes_free(&vault->token);
    bytes_free(&vault->root_name);
    tpm_release(vault->tpm);
    free(vault);
}

void vault_free(struct vault *vault)
{
    if (!vault)
        return;
    vault_close(vault);
    vault_seal_clear(&vault->open_seal);
    vault_unref(vault);
}

enum key_place vault_place(const struct vault *vault)
{
    return tpm_key_place(tpm_kind(vault->tpm));
}

CK_RV vault_use_token(struct vault *vault, struct view token, struct view root_name)
{
    if (token.size != VAULT_TOKEN_SIZE)
        return CKR_ARGUMENTS_BAD;
    struct bytes name CLEANUP(bytes_free) = {0};
    CK_RV rv = bytes_copy(&name, root_name);
    if (rv == CKR_OK && !view_equal(bytes_view(&vault->token), token)) {
        rv = bytes_copy(&vault->token, token);
        if (rv == CKR_OK) {
            vault_close(vault);
            vault_seal_clear(&vault->open_seal);
        }
    }
    if (rv != CKR_OK)
        return rv;
    bytes_free(&vault->root_name);
    vault->root_name = name;
    name = (struct bytes){0};
    return CKR_OK;
}

CK_RV vault_set_open(struct vault *vault, const struct vault_seal *seal)
{
    if (!seal || !seal->present || !seal->open) {
        vault_seal_clear(&vault->open_seal);
        return CKR_OK;
    }
    return vault_seal_copy(&vault->open_seal, seal);
}

/* Printable ASCII without blanks at the end; chips fill their names with anything. */
static void append_name(char *name, size_t room, const char *word)
{
    size_t used = strlen(name);
    for (size_t i = 0; word[i] && used + 1 < room; i++)
        name[used++] = word[i] > 0x20 && word[i] < 0x7f ? word[i] : ' ';
    while (used && name[used - 1] == ' ')
        used--;
    name[used] = 0;
}

CK_RV vault_identify(struct vault *vault, struct vault_identity *ret_identity)
{
    struct tpm_identity of_tpm = {0};
    struct tpm_root root = {0};
    CK_RV rv = tpm_identity_read(vault->tpm, &of_tpm);
    if (rv == CKR_OK)
        rv = tpm_root_read(vault->tpm, &root);
    if (rv != CKR_OK)
        return rv;
    struct vault_identity identity = {
        .place = vault_place(vault),
        .firmware_major = of_tpm.firmware_major,
        .firmware_minor = of_tpm.firmware_minor,
        .root_name = root.name,
    };
    root.name = (struct bytes){0};
    tpm_root_clear(&root);
    append_name(identity.manufacturer, sizeof(identity.manufacturer), of_tpm.manufacturer);
    if (of_tpm.vendor[0]) {
        append_name(identity.manufacturer, sizeof(identity.manufacturer), "");
        strncat(identity.manufacturer, " ",
                sizeof(identity.manufacturer) - strlen(identity.manufacturer) - 1);
        append_name(identity.manufacturer, sizeof(identity.manufacturer), of_tpm.vendor);
    }
    snprintf(identity.firmware, sizeof(identity.firmware), "%u.%u",
             (unsigned)(of_tpm.firmware[0] >> 16), (unsigned)(of_tpm.firmware[0] & 0xffff));
    *ret_identity = identity;
    return CKR_OK;
}

CK_RV vault_begin(struct vault *vault)
{
    uint8_t random[VAULT_SECRET_SIZE];
    struct secret *secret = NULL;
    CK_RV rv = crypto_random(random, sizeof(random));
    if (rv == CKR_OK)
        rv = secret_new(view_of(random, sizeof(random)), &secret);
    explicit_bzero(random, sizeof(random));
    if (rv != CKR_OK)
        return rv;
    vault_close(vault);
    vault->secret = secret;
    return CKR_OK;
}

/* The secret is empty in a forked child. */
bool vault_is_open(const struct vault *vault)
{
    return secret_view(vault->secret).size == VAULT_SECRET_SIZE;
}

void vault_close(struct vault *vault)
{
    secret_free(vault->secret);
    vault->secret = NULL;
}

CK_RV vault_ensure_open(struct vault *vault)
{
    if (vault_is_open(vault))
        return CKR_OK;
    if (!vault->open_seal.present)
        return CKR_USER_NOT_LOGGED_IN;
    struct vault_tries tries;
    return vault_open(vault, VAULT_USER, &vault->open_seal, (struct view){0}, &tries);
}

/* label || 0 || data. */
static CK_RV join(const char *label, struct view data, struct bytes *message)
{
    CK_RV rv = bytes_append(message, view_of(label, strlen(label) + 1), MESSAGE_MAX_SIZE);
    return rv != CKR_OK ? rv : bytes_append(message, data, MESSAGE_MAX_SIZE);
}

CK_RV vault_derive(struct view key, const char *label, struct view data, uint8_t out[HASH_MAX_SIZE])
{
    struct bytes message CLEANUP(bytes_free) = {0};
    CK_RV rv = join(label, data, &message);
    return rv != CKR_OK ? rv : crypto_hmac(HASH_SHA256, key, bytes_view(&message), out);
}

bool vault_makes_open_keys(const struct vault *vault)
{
    return vault->open_seal.present;
}

CK_RV vault_key_auth(struct vault *vault, struct view unique, uint8_t out[HASH_MAX_SIZE])
{
    CK_RV rv = vault_ensure_open(vault);
    return rv != CKR_OK
               ? rv
               : vault_derive(secret_view(vault->secret), "signet key authorisation", unique, out);
}

/* The key for a purpose, and what its cipher texts are bound to. */
static CK_RV encryption(struct vault *vault, const char *purpose, struct view unique,
                        uint8_t key[HASH_MAX_SIZE], struct bytes *associated)
{
    CK_RV rv = vault_ensure_open(vault);
    if (rv == CKR_OK)
        rv = join(purpose, unique, associated);
    if (rv == CKR_OK)
        rv = vault_derive(secret_view(vault->secret), "signet encryption", view_string(purpose),
                          key);
    return rv;
}

CK_RV vault_encrypt(struct vault *vault, const char *purpose, struct view unique, struct view plain,
                    struct bytes *ret_cipher)
{
    uint8_t key[HASH_MAX_SIZE] = {0};
    struct bytes associated CLEANUP(bytes_free) = {0};
    CK_RV rv = encryption(vault, purpose, unique, key, &associated);
    if (rv == CKR_OK)
        rv = crypto_seal(view_of(key, CRYPTO_SEAL_KEY_SIZE), bytes_view(&associated), plain,
                         ret_cipher);
    explicit_bzero(key, sizeof(key));
    return rv;
}

CK_RV vault_decrypt(struct vault *vault, const char *purpose, struct view unique,
                    struct view cipher, struct bytes *ret_plain)
{
    uint8_t key[HASH_MAX_SIZE] = {0};
    struct bytes associated CLEANUP(bytes_free) = {0};
    CK_RV rv = encryption(vault, purpose, unique, key, &associated);
    if (rv == CKR_OK)
        rv = crypto_unseal(view_of(key, CRYPTO_SEAL_KEY_SIZE), bytes_view(&associated), cipher,
                           ret_plain);
    explicit_bzero(key, sizeof(key));
    return rv;
}

CK_RV vault_decrypt_key(struct vault *vault, const char *purpose, struct view unique,
                        struct view cipher, struct bytes *ret_plain)
{
    CK_RV rv = vault_decrypt(vault, purpose, unique, cipher, ret_plain);
    if (rv != CKR_DATA_INVALID)
        return rv;
    log_line(
        LOG_LEVEL_ERROR, "key",
        "a sealed key cannot be decrypted: its file was changed by hand (the key id, or a line "
        "that protects the key, such as 'sensitive' or 'extractable'), or is another's");
    return CKR_DEVICE_ERROR;
}
