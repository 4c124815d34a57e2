#include "token/tpm/loaded.h"

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/parent.h"
#include "token/tpm/protection.h"
#include "token/tpm/public.h"
#include "token/tpm/run.h"
#include "token/tpm/tcti.h"

static void unlink_key(struct tpm_key *key)
{
    struct tpm_key **link = &key->tpm->loaded;
    while (*link && *link != key)
        link = &(*link)->next;
    if (*link)
        *link = key->next;
    key->next = NULL;
}

static void link_first(struct tpm_key *key)
{
    key->next = key->tpm->loaded;
    key->tpm->loaded = key;
}

static void flush(struct tpm_key *key)
{
    if (key->handle)
        (void)Esys_TR_Close(key->tpm->esys, &key->esys);
    else if (Esys_FlushContext(key->tpm->esys, key->esys) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(key->tpm->esys, &key->esys);
    key->esys = ESYS_TR_NONE;
    unlink_key(key);
}

void tpm_key_forget_all(struct tpm *tpm)
{
    while (tpm->loaded) {
        struct tpm_key *key = tpm->loaded;
        if (tpm->esys)
            (void)Esys_TR_Close(tpm->esys, &key->esys);
        key->esys = ESYS_TR_NONE;
        unlink_key(key);
    }
}

void tpm_key_flush_all(struct tpm *tpm)
{
    while (tpm->loaded)
        flush(tpm->loaded);
    protection_end(tpm);
}

bool tpm_key_evict_oldest(struct tpm *tpm, const struct tpm_key *keep)
{
    struct tpm_key *oldest = NULL;
    for (struct tpm_key *key = tpm->loaded; key; key = key->next)
        if (key != keep && !key->handle)
            oldest = key;
    if (!oldest)
        return false;
    flush(oldest);
    return true;
}

void tpm_key_unload(struct tpm_key *key)
{
    lock_take(key->tpm->lock);
    /* A resource manager does it when the connection closes. */
    if (key->esys != ESYS_TR_NONE && key->tpm->esys) {
        if (tcti_has_manager(key->tpm->choice) && key->tpm->references == 1)
            unlink_key(key);
        else
            flush(key);
    }
    lock_release(key->tpm->lock);
}

/* A persistent key whose public half the configuration gave: is it still there? */
static TSS2_RC check_expected(struct tpm_key *key, ESYS_TR handle)
{
    TPM2B_PUBLIC public = {0};
    TSS2_RC rc = tpm_public_of(key->tpm->esys, handle, &public);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    struct public_key found = {0};
    struct reason reason = {.text = "it is a key of another kind"};
    CK_RV rv = tpm_public_key(&public.publicArea, &found, &reason);
    if (rv == CKR_OK && !public_key_equal(&found, &key->public_key)) {
        reason_set(&reason, "it is not the certificate's key");
        rv = CKR_DATA_INVALID;
    }
    if (rv == CKR_OK)
        key->abilities = tpm_public_abilities(&public.publicArea);
    public_key_clear(&found);
    if (rv == CKR_OK)
        return TSS2_RC_SUCCESS;
    log_line(LOG_LEVEL_ERROR, "tpm", "the object at handle 0x%08x cannot be used: %s",
             (unsigned)key->handle, reason.text);
    return TPM_RC_TOLD(CKR_DEVICE_ERROR);
}

static TSS2_RC load_persistent(struct tpm_key *key, const char **command)
{
    *command = "TPM2_ReadPublic of the persistent key";
    ESYS_TR handle = ESYS_TR_NONE;
    TSS2_RC rc = Esys_TR_FromTPMPublic(key->tpm->esys, key->handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &handle);
    if (rc == TSS2_RC_SUCCESS && key->public_key.algorithm != KEY_ALGORITHM_NONE)
        rc = check_expected(key, handle);
    if (rc != TSS2_RC_SUCCESS && handle != ESYS_TR_NONE)
        (void)Esys_TR_Close(key->tpm->esys, &handle);
    if (rc == TSS2_RC_SUCCESS)
        key->esys = handle;
    return rc;
}

/* Chips lack algorithms, sizes and curves; that is nothing of the caller's data. */
static TSS2_RC explain_refusal(const struct tpm_key *key, TSS2_RC rc)
{
    if (!tpm_error_lacks(rc))
        return rc;
    bool rsa = key->public.publicArea.type == TPM2_ALG_RSA;
    bool asymmetric = rsa || key->public.publicArea.type == TPM2_ALG_ECC;
    if (asymmetric)
        log_line(LOG_LEVEL_ERROR, "tpm",
                 "TPM2_Load: this TPM has no keys of this kind (0x%x): %s %u. Make a key that it "
                 "has, P-256 or RSA 2048 as a rule",
                 rc, rsa ? "RSA with bits:" : "the curve",
                 rsa ? key->public.publicArea.parameters.rsaDetail.keyBits
                     : key->public.publicArea.parameters.eccDetail.curveID);
    else
        log_line(LOG_LEVEL_ERROR, "tpm",
                 "TPM2_Load: this TPM has no secret keys of this kind (0x%x)", (unsigned)rc);
    return TPM_RC_TOLD(CKR_DEVICE_ERROR);
}

/* One way of finding the parent. What a wrong parent answers depends on the TPM:
 * integrity failure on most. */
static TSS2_RC load_under(struct tpm_key *key, unsigned way, bool session, bool *next_way,
                          const char **command)
{
    struct parent parent;
    bool absent;
    *next_way = true;
    TSS2_RC rc =
        parent_open(key->tpm, key->parent, key->rsa_parent, way, &parent, &absent, command);
    if (absent || rc != TSS2_RC_SUCCESS) {
        *next_way = absent;
        return rc != TSS2_RC_SUCCESS ? rc : (TSS2_RC)TPM2_RC_INTEGRITY;
    }
    ESYS_TR handle = ESYS_TR_NONE;
    if (session)
        rc = protection_start(key->tpm, parent.handle, key->strict, command);
    if (rc != TSS2_RC_SUCCESS) {
        parent_close(key->tpm, &parent);
        *next_way = false;
        return rc;
    }
    *command = "TPM2_Load";
    /* Room is made here, while the parent is loaded: to make it again is dear. */
    do {
        rc = Esys_Load(key->tpm->esys, parent.handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                       &key->private, &key->public, &handle);
    } while (tpm_error_remedy(rc) == TPM_REMEDY_EVICT && tpm_key_evict_oldest(key->tpm, key));
    parent_close(key->tpm, &parent);
    if (rc == TSS2_RC_SUCCESS)
        key->esys = handle;
    else
        rc = explain_refusal(key, rc);
    *next_way = tpm_error_is(rc, TPM2_RC_INTEGRITY);
    if (way == 0 && parent_ways(key->parent) > 1 && tpm_error_wants_auth(rc)) {
        key->tpm->no_persistent_parent = true;
        *next_way = true;
    }
    return rc;
}

static TSS2_RC load_file(struct tpm_key *key, bool session, const char **command)
{
    TSS2_RC rc = (TSS2_RC)TPM2_RC_INTEGRITY;
    bool next_way = true;
    bool known_foreign = key->foreign && key->foreign == key->tpm->connection;
    unsigned ways = known_foreign ? 2 : parent_ways(key->parent);
    for (unsigned way = key->way; next_way && way < ways; way++) {
        TSS2_RC tried = load_under(key, way, session, &next_way, command);
        /* The standard way's answer is the one to tell; a TPM may lack the others. */
        if (tried == TSS2_RC_SUCCESS)
            key->way = way;
        if (tried == TSS2_RC_SUCCESS || way <= 1 || !next_way)
            rc = way > 1 && tried != TSS2_RC_SUCCESS && tpm_error_remedy(tried) == TPM_REMEDY_NONE
                     ? (TSS2_RC)TPM2_RC_INTEGRITY
                     : tried;
    }
    /* Other templates are tried once: an RSA primary takes a chip many seconds. */
    key->foreign = tpm_error_is(rc, TPM2_RC_INTEGRITY) ? key->tpm->connection : 0;
    if (rc != TSS2_RC_SUCCESS)
        key->way = 0;
    return rc;
}

static TSS2_RC load(struct tpm_key *key, bool session, const char **ret_command)
{
    if (key->esys != ESYS_TR_NONE) {
        if (key->tpm->loaded != key) {
            unlink_key(key);
            link_first(key);
        }
    } else {
        TSS2_RC rc =
            key->handle ? load_persistent(key, ret_command) : load_file(key, session, ret_command);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
        link_first(key);
    }
    return session ? protection_start(key->tpm, ESYS_TR_NONE, key->strict, ret_command)
                   : TSS2_RC_SUCCESS;
}

/* The user's PIN has nothing to do with it, and a parent may count wrong tries. */
TSS2_RC tpm_key_load(struct tpm_key *key, bool session, const char **ret_command)
{
    TSS2_RC rc =
        key->parent_refused ? TPM_RC_TOLD(CKR_DEVICE_ERROR) : load(key, session, ret_command);
    if (!key->parent_refused && !tpm_error_wants_auth(rc))
        return rc;
    key->parent_refused = true;
    log_line(LOG_LEVEL_ERROR, "tpm",
             "the key's parent, or the owner hierarchy of this TPM, has an authorisation of its "
             "own: such keys are not served");
    return TPM_RC_TOLD(CKR_DEVICE_ERROR);
}
