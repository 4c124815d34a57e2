#include <string.h>

#include "token/base/log.h"
#include "token/crypto/decode.h"
#include "token/crypto/digest.h"
#include "token/crypto/pem.h"
#include "token/crypto/tss2.h"
#include "token/key/vault_inside.h"
#include "token/tpm/seal.h"

#define PIN_MAX_SIZE 255

void vault_seal_clear(struct vault_seal *seal)
{
    bytes_free(&seal->sealed);
    *seal = (struct vault_seal){0};
}

CK_RV vault_seal_copy(struct vault_seal *seal, const struct vault_seal *from)
{
    struct vault_seal copy = *from;
    copy.sealed = (struct bytes){0};
    CK_RV rv = bytes_copy(&copy.sealed, bytes_view(&from->sealed));
    if (rv != CKR_OK)
        return rv;
    vault_seal_clear(seal);
    *seal = copy;
    return CKR_OK;
}

CK_RV vault_tss2_pem(const struct tpm_key_file *file, struct bytes *ret_pem)
{
    struct bytes der CLEANUP(bytes_free) = {0};
    struct bytes pem CLEANUP(bytes_free) = {0};
    CK_RV rv = tss2_encode(file, &der);
    if (rv == CKR_OK)
        rv = pem_write(&pem, "TSS2 PRIVATE KEY", bytes_view(&der));
    if (rv != CKR_OK)
        return rv;
    *ret_pem = pem;
    pem = (struct bytes){0};
    return CKR_OK;
}

/* What the token file keeps of a seal that the TPM room made. */
static CK_RV from_tpm(const struct tpm_seal *made, struct vault_seal *seal)
{
    const struct tpm_key_file file = {
        .type = TPM_KEY_SEALED,
        .empty_auth = seal->open,
        .rsa_parent = made->object.rsa_parent,
        .parent = made->object.parent,
        .public = made->object.public,
        .private = made->object.private,
    };
    CK_RV rv = vault_tss2_pem(&file, &seal->sealed);
    if (rv != CKR_OK)
        return rv;
    seal->present = true;
    seal->gated = made->gated;
    seal->pin_index = made->pin_index;
    seal->counter_index = made->counter_index;
    seal->counter = made->counter;
    seal->try_limit = made->try_limit;
    return CKR_OK;
}

/* And back; the file may have been changed by anyone. */
static CK_RV to_tpm(const struct vault_seal *seal, struct tpm_seal *ret_seal)
{
    struct reason reason = {0};
    struct decoded decoded CLEANUP(decoded_clear) = {0};
    CK_RV rv = seal->present
                   ? crypto_decode(bytes_view(&seal->sealed), (struct view){0}, &decoded, &reason)
                   : CKR_DATA_INVALID;
    if (rv == CKR_OK && (!decoded.tpm_key || decoded.tpm_key->type != TPM_KEY_SEALED)) {
        reason_set(&reason, "is no sealed data");
        rv = CKR_DATA_INVALID;
    }
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK) {
        log_line(LOG_LEVEL_ERROR, "key", "the token's sealed secret cannot be used: it %s",
                 reason.text[0] ? reason.text : "is missing");
        return CKR_DEVICE_ERROR;
    }
    struct tpm_key_file *file = decoded.tpm_key;
    *ret_seal = (struct tpm_seal){
        .gated = seal->gated,
        .pin_index = seal->pin_index,
        .counter_index = seal->counter_index,
        .counter = seal->counter,
        .try_limit = seal->try_limit,
        .object = {file->parent, file->rsa_parent, file->public, file->private},
    };
    file->public = file->private = (struct bytes){0};
    return CKR_OK;
}

/* The two authorisations of a PIN, wiped at the end of the scope. */
struct pin_auth {
    uint8_t pin[HASH_MAX_SIZE];
    uint8_t seal[HASH_MAX_SIZE];
};

static void pin_auth_wipe(struct pin_auth *auth)
{
    explicit_bzero(auth, sizeof(*auth));
}

static CK_RV derive_pin(const struct vault_seal *seal, struct view pin, struct pin_auth *auth,
                        struct tpm_seal_auth *ret_auth)
{
    const struct view salt = view_of(seal->salt, sizeof(seal->salt));
    *ret_auth = (struct tpm_seal_auth){.open = seal->open};
    if (seal->open)
        return CKR_OK;
    CK_RV rv = vault_derive(salt, "signet pin index", pin, auth->pin);
    if (rv == CKR_OK)
        rv = vault_derive(salt, "signet seal", pin, auth->seal);
    ret_auth->pin = view_of(auth->pin, VAULT_AUTH_SIZE);
    ret_auth->seal = view_of(auth->seal, VAULT_AUTH_SIZE);
    return rv;
}

static enum tpm_seal_role role_of(enum vault_user user)
{
    return user == VAULT_SO ? TPM_SEAL_SO : TPM_SEAL_USER;
}

static CK_RV make(struct vault *vault, struct tpm_seal_request *request,
                  const struct vault_seal *old, struct vault_seal *seal)
{
    struct tpm_seal made CLEANUP(tpm_seal_clear) = {0};
    struct tpm_seal of_old CLEANUP(tpm_seal_clear) = {0};
    CK_RV rv = old && old->present ? to_tpm(old, &of_old) : CKR_OK;
    if (rv == CKR_OK) {
        request->old = old && old->present ? &of_old : NULL;
        rv = tpm_seal_make(vault->tpm, request, &made);
    }
    return rv != CKR_OK ? rv : from_tpm(&made, seal);
}

CK_RV vault_seal(struct vault *vault, enum vault_user user, struct view pin, uint32_t try_limit,
                 const struct vault_seal *old, struct vault_seal *ret_seal)
{
    if (pin.size > PIN_MAX_SIZE)
        return CKR_PIN_LEN_RANGE;
    struct vault_seal seal CLEANUP(vault_seal_clear) = {.open = !pin.data};
    struct pin_auth auth CLEANUP(pin_auth_wipe) = {{0}, {0}};
    struct tpm_seal_request request = {
        .token = bytes_view(&vault->token),
        .role = role_of(user),
        .try_limit = try_limit,
        .protection = vault->protection,
        .hash = crypto_hash,
    };
    CK_RV rv = vault_ensure_open(vault);
    request.secret = secret_view(vault->secret);
    if (rv == CKR_OK)
        rv = crypto_random(seal.salt, sizeof(seal.salt));
    if (rv == CKR_OK)
        rv = derive_pin(&seal, pin, &auth, &request.auth);
    if (rv == CKR_OK)
        rv = make(vault, &request, old, &seal);
    if (rv != CKR_OK)
        return rv;
    *ret_seal = seal;
    seal = (struct vault_seal){0};
    return CKR_OK;
}

CK_RV vault_commit(struct vault *vault, enum vault_user user, const struct vault_seal *seal,
                   const struct vault_seal *old)
{
    if (!old || !old->present)
        return CKR_OK;
    struct tpm_seal of_new CLEANUP(tpm_seal_clear) = {0};
    struct tpm_seal of_old CLEANUP(tpm_seal_clear) = {0};
    CK_RV rv = to_tpm(seal, &of_new);
    if (rv == CKR_OK)
        rv = to_tpm(old, &of_old);
    return rv != CKR_OK ? rv
                        : tpm_seal_commit(vault->tpm, &of_new, &of_old, bytes_view(&vault->token),
                                          role_of(user));
}

CK_RV vault_discard(struct vault *vault, enum vault_user user, const struct vault_seal *seal)
{
    if (!seal->present)
        return CKR_OK;
    struct tpm_seal of_tpm CLEANUP(tpm_seal_clear) = {0};
    CK_RV rv = to_tpm(seal, &of_tpm);
    return rv != CKR_OK
               ? rv
               : tpm_seal_remove(vault->tpm, &of_tpm, bytes_view(&vault->token), role_of(user));
}

CK_RV vault_discard_all(struct vault *vault)
{
    return tpm_seal_remove_all(vault->tpm, bytes_view(&vault->token));
}

static CK_RV unseal(struct vault *vault, enum vault_user user, const struct vault_seal *seal,
                    struct view pin, struct bytes *ret_secret, struct tpm_seal_tries *ret_tries)
{
    struct pin_auth auth CLEANUP(pin_auth_wipe) = {{0}, {0}};
    struct tpm_seal of_tpm CLEANUP(tpm_seal_clear) = {0};
    struct tpm_seal_auth derived;
    CK_RV rv = to_tpm(seal, &of_tpm);
    if (rv == CKR_OK)
        rv = derive_pin(seal, pin, &auth, &derived);
    if (rv == CKR_OK)
        rv = tpm_seal_open(vault->tpm, &of_tpm, bytes_view(&vault->token), role_of(user), &derived,
                           bytes_view(&vault->root_name), vault->protection, ret_secret, ret_tries);
    return rv;
}

CK_RV vault_open(struct vault *vault, enum vault_user user, const struct vault_seal *seal,
                 struct view pin, struct vault_tries *ret_tries)
{
    *ret_tries = (struct vault_tries){0};
    if (!seal->open && (!pin.data || pin.size > PIN_MAX_SIZE))
        return CKR_PIN_INCORRECT;
    struct bytes plain CLEANUP(bytes_free) = {0};
    struct tpm_seal_tries tries = {0};
    struct secret *secret = NULL;
    CK_RV rv = unseal(vault, user, seal, pin, &plain, &tries);
    *ret_tries = (struct vault_tries){tries.known, tries.failed, tries.limit};
    if (rv == CKR_OK && plain.size != VAULT_SECRET_SIZE) {
        log_line(LOG_LEVEL_ERROR, "key", "what the TPM unsealed is not a token's secret");
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK)
        rv = secret_new(bytes_view(&plain), &secret);
    if (rv != CKR_OK)
        return rv;
    vault_close(vault);
    vault->secret = secret;
    return CKR_OK;
}
