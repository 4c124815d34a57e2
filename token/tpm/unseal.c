#include <string.h>
#include <tss2/tss2_mu.h>

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/index.h"
#include "token/tpm/loaded.h"
#include "token/tpm/policy.h"
#include "token/tpm/protection.h"
#include "token/tpm/public.h"
#include "token/tpm/root.h"
#include "token/tpm/run.h"

struct open_request {
    const struct tpm_seal *seal;
    const struct tpm_seal_auth *auth;
    struct index_owner owner;
    struct view root_name;
    bool protected;
    bool strict;
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private;
    /* Of one try; nothing of it outlives that. */
    ESYS_TR object;
    ESYS_TR session;
    struct policy_gates gates;
    /* The answer. */
    bool tried;
    struct tpm_seal_tries tries;
    TPM2B_SENSITIVE_DATA *secret;
};

/* A session without encryption, where the bus is not to be feared. */
static TSS2_RC start_plain(struct tpm *tpm, ESYS_TR *ret_session)
{
    static const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
    return Esys_StartAuthSession(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none, TPM2_ALG_SHA256,
                                 ret_session);
}

static TSS2_RC start_sessions(struct tpm *tpm, ESYS_TR root, struct open_request *open,
                              const char **ret_command)
{
    TSS2_RC rc = TSS2_RC_SUCCESS;
    ESYS_TR session = ESYS_TR_NONE;
    if (open->protected)
        rc = protection_start(tpm, root, open->strict, ret_command);
    if (rc != TSS2_RC_SUCCESS || !open->seal->gated)
        return rc;
    *ret_command = "TPM2_StartAuthSession";
    rc = open->protected ? protection_session(tpm, root, TPM2_SE_POLICY, open->strict, &session)
                         : start_plain(tpm, &session);
    if (rc == TSS2_RC_SUCCESS)
        open->session = session;
    return rc;
}

static void end_session(struct tpm *tpm, struct open_request *open)
{
    if (open->session != ESYS_TR_NONE &&
        Esys_FlushContext(tpm->esys, open->session) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(tpm->esys, &open->session);
    open->session = ESYS_TR_NONE;
}

static TSS2_RC load(struct tpm *tpm, const struct root *root, void *request,
                    const char **ret_command)
{
    struct open_request *open = request;
    ESYS_TR object = ESYS_TR_NONE;
    *ret_command = "TPM2_Load of the token's secret";
    TSS2_RC rc;
    do {
        rc = Esys_Load(tpm->esys, root->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                       &open->private, &open->public, &object);
    } while (tpm_error_remedy(rc) == TPM_REMEDY_EVICT && tpm_key_evict_oldest(tpm, NULL));
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    open->object = object;
    return start_sessions(tpm, root->handle, open, ret_command);
}

static void unload(struct tpm *tpm, struct open_request *open)
{
    index_close(tpm, &open->gates.counter_index);
    index_close(tpm, &open->gates.pin_index);
    end_session(tpm, open);
    if (open->object == ESYS_TR_NONE)
        return;
    (void)tpm_set_auth(tpm, open->object, (struct view){0});
    if (Esys_FlushContext(tpm->esys, open->object) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(tpm->esys, &open->object);
    open->object = ESYS_TR_NONE;
}

static TSS2_RC other_index(const char *what, uint32_t handle)
{
    log_line(LOG_LEVEL_ERROR, "tpm",
             "the token's %s, NV index 0x%08x, was deleted from the TPM or is another's now: this "
             "PIN cannot open the token any more",
             what, (unsigned)handle);
    return TPM_RC_TOLD(CKR_DEVICE_ERROR);
}

/* The index itself does not do, or is not there. */
static bool is_no_index(TSS2_RC rc)
{
    static const TSS2_RC codes[] = {
        TPM2_RC_HANDLE,    TPM2_RC_NV_UNINITIALIZED, TPM2_RC_NV_RANGE, TPM2_RC_NV_AUTHORIZATION,
        TPM2_RC_NV_LOCKED, TPM2_RC_ATTRIBUTES,       TPM2_RC_SIZE,     TPM2_RC_VALUE};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (tpm_error_is(rc, codes[i]))
            return true;
    return false;
}

/* Third gate, asked first: the counter. */
static TSS2_RC pass_counter(struct tpm *tpm, struct open_request *open, const char **ret_command)
{
    TPM2B_OPERAND operand = policy_operand(open->seal->counter);
    *ret_command = "TPM2_PolicyNV";
    TSS2_RC rc = index_expect(tpm, open->seal->counter_index, INDEX_COUNTER, &open->owner,
                              &open->gates.counter_index);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_PolicyNV(tpm->esys, open->gates.counter_index, open->gates.counter_index,
                           open->session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &operand, 0,
                           TPM2_EO_EQ);
    if (tpm_error_is(rc, TPM2_RC_POLICY)) {
        log_line(LOG_LEVEL_WARNING, "tpm",
                 "the token's counter, NV index 0x%08x, is not at %llu: this PIN was changed since "
                 "(the file is an old copy), or its change was not finished",
                 (unsigned)open->seal->counter_index, (unsigned long long)open->seal->counter);
        return TPM_RC_TOLD(CKR_PIN_EXPIRED);
    }
    return is_no_index(rc) || tpm_error_wants_auth(rc)
               ? other_index("counter", open->seal->counter_index)
               : rc;
}

/* How many tries are left. Only the owner may read that; without that authorisation it
 * stays unknown. False: it is no index of ours. */
static bool read_tries(struct tpm *tpm, struct open_request *open)
{
    struct tpm_seal_tries tries = {.known = true};
    ESYS_TR index = ESYS_TR_NONE;
    bool own = true;
    TSS2_RC rc = index_read_tries(tpm, open->gates.pin_index, &tries.failed, &tries.limit);
    bool plausible = rc == TSS2_RC_SUCCESS && tries.limit == open->seal->try_limit &&
                     tries.failed && tries.failed <= tries.limit;
    open->tries = plausible ? tries : (struct tpm_seal_tries){.limit = open->seal->try_limit};
    if (!plausible && index_find(tpm, open->seal->pin_index, INDEX_PIN, &open->owner, &own,
                                 &index) != TSS2_RC_SUCCESS)
        own = true;
    index_close(tpm, &index);
    return own;
}

static TSS2_RC wrong_pin(struct tpm *tpm, struct open_request *open, bool locked)
{
    if (!read_tries(tpm, open))
        return other_index("count of wrong PINs", open->seal->pin_index);
    open->tried = true;
    /* Who is told the count says it with the token's place. */
    enum log_level level = open->tries.known ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;
    if (locked || (open->tries.known && open->tries.failed >= open->tries.limit))
        log_line(level, "tpm",
                 "the PIN is locked after %u wrong ones; it can be set anew by who is above it: "
                 "C_InitPIN by the security officer for the user",
                 (unsigned)open->seal->try_limit);
    else if (open->tries.known)
        log_line(level, "tpm", "wrong PIN: %u of %u tries are used", (unsigned)open->tries.failed,
                 (unsigned)open->tries.limit);
    else
        log_line(level, "tpm", "wrong PIN");
    return TPM_RC_TOLD(locked ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT);
}

/* First gate: the token's own count of wrong PINs. */
static TSS2_RC pass_pin(struct tpm *tpm, struct open_request *open, const char **ret_command)
{
    ESYS_TR how = open->protected ? tpm->session : ESYS_TR_PASSWORD;
    *ret_command = "TPM2_PolicySecret (login)";
    TSS2_RC rc =
        index_expect(tpm, open->seal->pin_index, INDEX_PIN, &open->owner, &open->gates.pin_index);
    if (is_no_index(rc))
        return other_index("count of wrong PINs", open->seal->pin_index);
    if (rc == TSS2_RC_SUCCESS)
        rc = tpm_set_auth(tpm, open->gates.pin_index, open->auth->pin);
    if (rc == TSS2_RC_SUCCESS && open->protected)
        rc = protection_use(tpm, false);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    tpm->unproven_sent = true;
    rc = Esys_PolicySecret(tpm->esys, open->gates.pin_index, open->session, how, ESYS_TR_NONE,
                           ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
    if (tpm_error_is(rc, TPM2_RC_BAD_AUTH))
        return wrong_pin(tpm, open, false);
    if (tpm_error_is(rc, TPM2_RC_AUTH_UNAVAILABLE))
        return wrong_pin(tpm, open, true);
    /* AUTH_FAIL and LOCKOUT: it takes part in the global count, as none of ours. */
    return is_no_index(rc) || tpm_error_is(rc, TPM2_RC_AUTH_FAIL) ||
                   tpm_error_is(rc, TPM2_RC_LOCKOUT)
               ? other_index("count of wrong PINs", open->seal->pin_index)
               : rc;
}

/* The session ends with the command that it authorises. */
static TSS2_RC unseal_by_policy(struct tpm *tpm, struct open_request *open,
                                const char **ret_command)
{
    TPMA_SESSION attributes = open->protected ? TPMA_SESSION_ENCRYPT : 0;
    *ret_command = "TPM2_PolicyAuthValue";
    TSS2_RC rc =
        Esys_PolicyAuthValue(tpm->esys, open->session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TRSess_SetAttributes(tpm->esys, open->session, attributes, 0xff);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    *ret_command = "TPM2_Unseal";
    rc = Esys_Unseal(tpm->esys, open->object, open->session, ESYS_TR_NONE, ESYS_TR_NONE,
                     &open->secret);
    if (rc == TSS2_RC_SUCCESS) {
        (void)Esys_TR_Close(tpm->esys, &open->session);
        open->session = ESYS_TR_NONE;
        open->tried = true;
        open->tries = (struct tpm_seal_tries){.known = true, .limit = open->seal->try_limit};
    }
    if (tpm_error_is(rc, TPM2_RC_POLICY_FAIL))
        return other_index("counter or count of wrong PINs", open->seal->pin_index);
    if (!tpm_error_wants_auth(rc))
        return rc;
    log_line(LOG_LEVEL_ERROR, "tpm",
             "the PIN passed the token's count, NV index 0x%08x, but is not the one that the "
             "secret was sealed with: somebody with owner authorisation defined the index anew, or "
             "the token's file was changed",
             (unsigned)open->seal->pin_index);
    open->tried = true;
    return TPM_RC_TOLD(CKR_PIN_INCORRECT);
}

/* The second gate alone. */
static TSS2_RC unseal_by_auth(struct tpm *tpm, struct open_request *open, const char **ret_command)
{
    ESYS_TR how = open->protected ? tpm->session : ESYS_TR_PASSWORD;
    TPMA_SESSION attributes = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT;
    *ret_command = "TPM2_Unseal";
    TSS2_RC rc = open->protected
                     ? Esys_TRSess_SetAttributes(tpm->esys, tpm->session, attributes, 0xff)
                     : TSS2_RC_SUCCESS;
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_Unseal(tpm->esys, open->object, how, ESYS_TR_NONE, ESYS_TR_NONE, &open->secret);
    if (rc == TSS2_RC_SUCCESS || tpm_error_wants_auth(rc))
        open->tried = true;
    return rc;
}

static TSS2_RC pass(struct tpm *tpm, struct open_request *open, const char **ret_command)
{
    bool gated = open->seal->gated;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (gated)
        rc = pass_counter(tpm, open, ret_command);
    if (rc == TSS2_RC_SUCCESS && gated)
        rc = pass_pin(tpm, open, ret_command);
    if (rc == TSS2_RC_SUCCESS && !open->auth->open)
        rc = tpm_set_auth(tpm, open->object, open->auth->seal);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    tpm->unproven_sent = !open->auth->open;
    return gated ? unseal_by_policy(tpm, open, ret_command)
                 : unseal_by_auth(tpm, open, ret_command);
}

static TSS2_RC open_seal(struct tpm *tpm, void *request, const char **ret_command)
{
    struct open_request *open = request;
    open->object = open->session = ESYS_TR_NONE;
    open->gates = (struct policy_gates){.counter_index = ESYS_TR_NONE, .pin_index = ESYS_TR_NONE};
    TSS2_RC rc = root_use(tpm, ROOT_FOR_OLD, open->root_name, load, request, ret_command);
    if (rc == TSS2_RC_SUCCESS)
        rc = pass(tpm, open, ret_command);
    unload(tpm, open);
    return rc;
}

static CK_RV decode(const struct tpm_seal *seal, struct open_request *open)
{
    const struct bytes *private = &seal->object.private;
    struct reason reason = {0};
    size_t offset = 0;
    CK_RV rv = tpm_public_decode(bytes_view(&seal->object.public), &open->public, &reason);
    bool valid = rv == CKR_OK && open->public.publicArea.type == TPM2_ALG_KEYEDHASH &&
                 seal->object.parent == TPM2_RH_OWNER && private->size &&
                 Tss2_MU_TPM2B_PRIVATE_Unmarshal(private->data, private->size, &offset,
                                                 &open->private) == TSS2_RC_SUCCESS &&
                 offset == private->size &&
                 (!seal->gated ||
                  (index_handle_valid(seal->pin_index) && index_handle_valid(seal->counter_index)));
    if (valid)
        return CKR_OK;
    log_line(LOG_LEVEL_ERROR, "tpm", "the token's sealed secret is malformed");
    return CKR_DATA_INVALID;
}

CK_RV tpm_seal_open(struct tpm *tpm, const struct tpm_seal *seal, struct view token,
                    enum tpm_seal_role role, const struct tpm_seal_auth *auth,
                    struct view root_name, enum tpm_protection protection, struct bytes *ret_secret,
                    struct tpm_seal_tries *ret_tries)
{
    struct open_request open = {.seal = seal,
                                .auth = auth,
                                .owner = {token, role},
                                .root_name = root_name,
                                .protected = protection_wanted(tpm, protection),
                                .strict = protection == TPM_PROTECTION_ON};
    if (token.size != TPM_SEAL_TOKEN_SIZE || !TPM_FITS(auth->pin, *(TPM2B_AUTH *)0) ||
        !TPM_FITS(auth->seal, *(TPM2B_AUTH *)0))
        return CKR_ARGUMENTS_BAD;
    CK_RV rv = decode(seal, &open);
    if (rv != CKR_OK)
        return rv;
    rv = tpm_run(tpm, NULL, open_seal, &open);
    if (open.tried)
        *ret_tries = open.tries;
    if (!open.secret)
        return rv;
    if (rv == CKR_OK)
        rv = bytes_copy(ret_secret, view_of(open.secret->buffer, open.secret->size));
    explicit_bzero(open.secret, sizeof(*open.secret));
    Esys_Free(open.secret);
    return rv;
}
