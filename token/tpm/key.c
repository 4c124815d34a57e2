#include "token/tpm/key.h"

#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "token/tpm/connection.h"
#include "token/tpm/loaded.h"
#include "token/tpm/operation.h"
#include "token/tpm/protection.h"
#include "token/tpm/public.h"
#include "token/tpm/run.h"

CK_RV tpm_key_expect(struct tpm_key *key, const struct public_key *public_key)
{
    return public_key_copy(&key->public_key, public_key);
}

const struct public_key *tpm_key_public(const struct tpm_key *key)
{
    return &key->public_key;
}

struct tpm_key_abilities tpm_key_abilities(const struct tpm_key *key)
{
    return key->abilities;
}

enum tpm_kind tpm_key_kind(const struct tpm_key *key)
{
    return tpm_kind(key->tpm);
}

static CK_RV decode_blobs(struct tpm_key *key, const struct tpm_key_source *source,
                          struct reason *reason)
{
    size_t offset = 0;
    CK_RV rv = tpm_public_decode(source->public, &key->public, reason);
    if (rv != CKR_OK)
        return rv;
    if (!source->private.size ||
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(source->private.data, source->private.size, &offset,
                                        &key->private) != TSS2_RC_SUCCESS ||
        offset != source->private.size) {
        reason_set(reason, "the TPM key's private area is malformed");
        return CKR_DATA_INVALID;
    }
    if (tpm_public_secret(&key->public.publicArea, &key->public_key)) {
        key->abilities = (struct tpm_key_abilities){0};
        return CKR_OK;
    }
    key->abilities = tpm_public_abilities(&key->public.publicArea);
    return tpm_public_key(&key->public.publicArea, &key->public_key, reason);
}

static bool known_parent(uint32_t parent)
{
    return parent >> 24 == TPM2_HT_PERSISTENT || parent == TPM2_RH_OWNER ||
           parent == TPM2_RH_ENDORSEMENT || parent == TPM2_RH_PLATFORM || parent == TPM2_RH_NULL;
}

CK_RV tpm_key_new(struct tpm *tpm, const struct tpm_key_source *source, struct tpm_key **ret_key,
                  struct reason *reason)
{
    if (source->handle ? source->handle >> 24 != TPM2_HT_PERSISTENT
                       : !known_parent(source->parent)) {
        reason_set(reason,
                   source->handle ? "0x%08x is not a persistent handle (0x81…)"
                                  : "the key's parent 0x%08x is neither a persistent handle nor a "
                                    "hierarchy",
                   source->handle ? source->handle : source->parent);
        return CKR_DATA_INVALID;
    }
    struct tpm_key *key = calloc(1, sizeof(*key));
    if (!key)
        return CKR_HOST_MEMORY;
    key->esys = ESYS_TR_NONE;
    key->handle = source->handle;
    key->parent = source->parent;
    key->rsa_parent = source->rsa_parent;
    key->strict = source->protection == TPM_PROTECTION_ON;
    key->protected = protection_wanted(tpm, source->protection);
    key->abilities = (struct tpm_key_abilities){.sign = true, .decrypt = true};
    CK_RV rv = source->handle ? CKR_OK : decode_blobs(key, source, reason);
    if (rv != CKR_OK) {
        public_key_clear(&key->public_key);
        free(key);
        return rv;
    }
    key->tpm = tpm;
    tpm->references++;
    *ret_key = key;
    return CKR_OK;
}

void tpm_key_free(struct tpm_key *key)
{
    if (!key)
        return;
    tpm_key_unload(key);
    tpm_release(key->tpm);
    public_key_clear(&key->public_key);
    explicit_bzero(&key->private, sizeof(key->private));
    free(key);
}

/* One operation on a key, as the work of tpm_run. */
struct key_work {
    struct tpm_key *key;
    struct view auth;
    tpm_operation operation;
    void *request;
};

static TSS2_RC run_on_key(struct tpm *tpm, void *request, const char **ret_command)
{
    const struct key_work *work = request;
    struct tpm_key *key = work->key;
    bool session = key->protected && work->auth.size;
    TSS2_RC rc = tpm_key_load(key, session, ret_command);
    if (rc == TSS2_RC_SUCCESS)
        rc = tpm_set_auth(tpm, key->esys, work->auth);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = work->operation(tpm, &(struct tpm_target){key->esys, session}, work->request, ret_command);
    if (work->auth.size)
        (void)tpm_set_auth(tpm, key->esys, (struct view){0});
    return rc;
}

CK_RV tpm_key_run(struct tpm_key *key, struct view auth, tpm_operation operation, void *request)
{
    /* An authorisation is never longer than the key's name algorithm's digest. */
    if (!TPM_FITS(auth, *(TPM2B_AUTH *)0))
        return CKR_PIN_INCORRECT;
    struct key_work work = {key, auth, operation, request};
    return tpm_run(key->tpm, key, run_on_key, &work);
}
