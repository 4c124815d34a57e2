#include "token/tpm/seal.h"

#include <string.h>

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/index.h"
#include "token/tpm/policy.h"
#include "token/tpm/protection.h"
#include "token/tpm/root.h"
#include "token/tpm/run.h"

#define AUTH_MAX_SIZE 32

void tpm_seal_clear(struct tpm_seal *seal)
{
    tpm_created_clear(&seal->object);
    *seal = (struct tpm_seal){0};
}

/* The indexes of one seal: as ESYS objects, and which of them are this call's own. */
struct gates {
    struct policy_gates policy;
    uint32_t counter_handle;
    uint32_t pin_handle;
    bool counter_defined;
    bool pin_defined;
};

struct make_request {
    const struct tpm_seal_request *wanted;
    struct index_owner owner;
    bool protected;
    struct tpm_seal seal;
};

static TSS2_RC increment(struct tpm *tpm, ESYS_TR index, const char **ret_command)
{
    *ret_command = "TPM2_NV_Increment";
    return Esys_NV_Increment(tpm->esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                             ESYS_TR_NONE);
}

/* Owner authorisation was sent empty. */
static TSS2_RC explain_owner(TSS2_RC rc, const char *what)
{
    if (!tpm_error_wants_auth(rc))
        return rc;
    log_line(LOG_LEVEL_ERROR, "tpm",
             "the owner hierarchy of this TPM has got an authorisation since the token was made: "
             "%s; have the owner clear it with 'tpm2_changeauth -c owner -p OLD'",
             what);
    return TPM_RC_TOLD(CKR_DEVICE_ERROR);
}

/* Why there are no gates to be had; NULL: that is not what the code says. */
static const char *lost_gates(TSS2_RC rc)
{
    if (rc == INDEX_RC_NO_HANDLE)
        return "the NV indexes that it could use are others'";
    if (tpm_error_wants_auth(rc))
        return "the TPM's owner hierarchy has an authorisation";
    if (tpm_error_is(rc, TPM2_RC_NV_SPACE))
        return "the TPM has no room for NV indexes";
    if (tpm_error_is(rc, TPM2_RC_ATTRIBUTES) || tpm_error_is(rc, TPM2_RC_RESERVED_BITS) ||
        tpm_error_is(rc, TPM2_RC_VALUE) || tpm_error_is(rc, TPM2_RC_NV_SIZE) ||
        tpm_error_is(rc, TPM2_RC_COMMAND_CODE))
        return "this TPM has no NV indexes that count wrong PINs";
    return NULL;
}

/* The counter of the seal that is replaced, if it is still there; *ret_found tells. */
static TSS2_RC take_counter(struct tpm *tpm, const struct make_request *request,
                            struct gates *gates, bool *ret_found, const char **ret_command)
{
    const struct tpm_seal *old = request->wanted->old;
    uint64_t value;
    *ret_found = false;
    if (!old || !old->gated || !index_handle_valid(old->counter_index))
        return TSS2_RC_SUCCESS;
    *ret_command = "TPM2_NV_ReadPublic";
    TSS2_RC rc = index_find(tpm, old->counter_index, INDEX_COUNTER, &request->owner, ret_found,
                            &gates->policy.counter_index);
    if (rc != TSS2_RC_SUCCESS || !*ret_found)
        return rc;
    rc = index_read_counter(tpm, gates->policy.counter_index, &value, ret_command);
    gates->counter_handle = old->counter_index;
    gates->policy.counter = value + 1;
    return rc;
}

/* A counter begins above all that this TPM ever had: it has to be asked. */
static TSS2_RC new_counter(struct tpm *tpm, const struct make_request *request, struct gates *gates,
                           const char **ret_command)
{
    TSS2_RC rc =
        index_define(tpm, INDEX_COUNTER, &request->owner, (struct view){0}, 0, request->protected,
                     &gates->counter_handle, &gates->policy.counter_index, ret_command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    gates->counter_defined = true;
    rc = increment(tpm, gates->policy.counter_index, ret_command);
    return rc != TSS2_RC_SUCCESS ? rc
                                 : index_read_counter(tpm, gates->policy.counter_index,
                                                      &gates->policy.counter, ret_command);
}

static TSS2_RC new_pin(struct tpm *tpm, const struct make_request *request, struct gates *gates,
                       const char **ret_command)
{
    const struct tpm_seal_request *wanted = request->wanted;
    uint32_t avoid = wanted->old && wanted->old->gated ? wanted->old->pin_index : 0;
    TSS2_RC rc =
        index_define(tpm, INDEX_PIN, &request->owner, wanted->auth.pin, avoid, request->protected,
                     &gates->pin_handle, &gates->policy.pin_index, ret_command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    gates->pin_defined = true;
    return index_write_limit(tpm, gates->policy.pin_index, wanted->try_limit, ret_command);
}

static void close_gates(struct tpm *tpm, struct gates *gates)
{
    index_close(tpm, &gates->policy.counter_index);
    index_close(tpm, &gates->policy.pin_index);
}

/* Takes back what was defined. What the TPM does not let go the next call finds. */
static void undo_gates(struct tpm *tpm, const struct make_request *request, struct gates *gates)
{
    const char *command;
    close_gates(tpm, gates);
    if (gates->counter_defined)
        (void)index_remove(tpm, gates->counter_handle, INDEX_COUNTER, &request->owner, &command);
    if (gates->pin_defined)
        (void)index_remove(tpm, gates->pin_handle, INDEX_PIN, &request->owner, &command);
}

/* *ret_gated false: they cannot be had, and none was left behind. */
static TSS2_RC make_gates(struct tpm *tpm, const struct make_request *request, struct gates *gates,
                          bool *ret_gated, const char **ret_command)
{
    bool found = false;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    *ret_gated = false;
    if (request->protected)
        rc = protection_start(tpm, ESYS_TR_NONE, request->wanted->protection == TPM_PROTECTION_ON,
                              ret_command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = take_counter(tpm, request, gates, &found, ret_command);
    if (rc == TSS2_RC_SUCCESS && !found)
        rc = new_counter(tpm, request, gates, ret_command);
    if (rc == TSS2_RC_SUCCESS)
        rc = new_pin(tpm, request, gates, ret_command);
    *ret_gated = rc == TSS2_RC_SUCCESS;
    if (rc == TSS2_RC_SUCCESS)
        return rc;
    undo_gates(tpm, request, gates);
    if (found)
        rc = explain_owner(rc, "the PIN cannot be changed, as the present one could not be made "
                               "invalid");
    const char *why = lost_gates(rc);
    if (!why)
        return rc;
    log_line(LOG_LEVEL_WARNING, "tpm",
             "the token gets no count of wrong PINs of its own, and copies of its old files stay "
             "valid: %s. Wrong PINs count for the whole TPM",
             why);
    return TSS2_RC_SUCCESS;
}

static void fill_create(const struct make_request *request, bool gated, struct root_create *create)
{
    const struct tpm_seal_request *wanted = request->wanted;
    TPMT_PUBLIC *area = &create->public.publicArea;
    TPMS_SENSITIVE_CREATE *sensitive = &create->sensitive.sensitive;
    create->protected = request->protected;
    create->strict = wanted->protection == TPM_PROTECTION_ON;
    area->type = TPM2_ALG_KEYEDHASH;
    area->nameAlg = TPM2_ALG_SHA256;
    area->parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
    area->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                             (gated ? TPMA_OBJECT_ADMINWITHPOLICY : TPMA_OBJECT_USERWITHAUTH) |
                             (wanted->auth.open ? TPMA_OBJECT_NODA : 0);
    sensitive->data.size = (UINT16)wanted->secret.size;
    memcpy(sensitive->data.buffer, wanted->secret.data, wanted->secret.size);
    struct view auth = wanted->auth.open ? (struct view){0} : wanted->auth.seal;
    sensitive->userAuth.size = (UINT16)auth.size;
    if (auth.size)
        memcpy(sensitive->userAuth.buffer, auth.data, auth.size);
}

static TSS2_RC make(struct tpm *tpm, void *request, const char **ret_command)
{
    struct make_request *making = request;
    struct root_create create = {0};
    struct gates gates = {.policy = {.counter_index = ESYS_TR_NONE, .pin_index = ESYS_TR_NONE}};
    bool gated = false;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (!making->wanted->auth.open)
        rc = make_gates(tpm, making, &gates, &gated, ret_command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    fill_create(making, gated, &create);
    *ret_command = "the seal's policy";
    if (gated)
        rc = policy_digest(tpm->esys, &gates.policy, making->wanted->hash,
                           &create.public.publicArea.authPolicy);
    if (rc == TSS2_RC_SUCCESS)
        rc = root_use(tpm, ROOT_FOR_NEW, (struct view){0}, root_create, &create, ret_command);
    explicit_bzero(&create.sensitive, sizeof(create.sensitive));
    if (rc != TSS2_RC_SUCCESS) {
        undo_gates(tpm, making, &gates);
        return rc;
    }
    close_gates(tpm, &gates);
    making->seal = (struct tpm_seal){.gated = gated, .object = create.created};
    if (gated) {
        making->seal.pin_index = gates.pin_handle;
        making->seal.counter_index = gates.counter_handle;
        making->seal.counter = gates.policy.counter;
        making->seal.try_limit = making->wanted->try_limit;
    }
    return rc;
}

CK_RV tpm_seal_make(struct tpm *tpm, const struct tpm_seal_request *request,
                    struct tpm_seal *ret_seal)
{
    if (request->token.size != TPM_SEAL_TOKEN_SIZE || !request->secret.size ||
        request->secret.size > TPM_SEAL_MAX_SECRET || request->auth.pin.size > AUTH_MAX_SIZE ||
        request->auth.seal.size > AUTH_MAX_SIZE ||
        (!request->auth.open && (!request->try_limit || !request->hash)))
        return CKR_ARGUMENTS_BAD;
    struct make_request making = {.wanted = request,
                                  .owner = {request->token, request->role},
                                  .protected = protection_wanted(tpm, request->protection)};
    CK_RV rv = tpm_run(tpm, NULL, make, &making);
    if (rv != CKR_OK)
        return rv;
    *ret_seal = making.seal;
    return CKR_OK;
}

struct commit_request {
    const struct tpm_seal *seal;
    const struct tpm_seal *old;
    struct index_owner owner;
};

/* Moves the counter on to where the new seal opens and the old one does not. */
static TSS2_RC move_counter(struct tpm *tpm, const struct commit_request *commit,
                            const char **ret_command)
{
    const struct tpm_seal *seal = commit->seal;
    ESYS_TR index = ESYS_TR_NONE;
    bool own = false;
    uint64_t value = 0;
    *ret_command = "TPM2_NV_ReadPublic";
    TSS2_RC rc = index_find(tpm, seal->counter_index, INDEX_COUNTER, &commit->owner, &own, &index);
    if (rc == TSS2_RC_SUCCESS && own)
        rc = index_read_counter(tpm, index, &value, ret_command);
    if (rc == TSS2_RC_SUCCESS && own && value + 1 == seal->counter) {
        rc = increment(tpm, index, ret_command);
        value++;
    }
    index_close(tpm, &index);
    if (rc != TSS2_RC_SUCCESS || value == seal->counter)
        return rc;
    log_line(LOG_LEVEL_ERROR, "tpm",
             "the counter 0x%08x of the token %s: the new PIN cannot be made valid",
             (unsigned)seal->counter_index,
             own ? "was moved on by another change" : "was deleted from the TPM");
    return TPM_RC_TOLD(CKR_DEVICE_ERROR);
}

static TSS2_RC commit_seal(struct tpm *tpm, void *request, const char **ret_command)
{
    const struct commit_request *commit = request;
    const struct tpm_seal *seal = commit->seal;
    const struct tpm_seal *old = commit->old;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (!old->gated)
        return rc;
    if (seal->gated && seal->counter_index == old->counter_index)
        rc = move_counter(tpm, commit, ret_command);
    else if (index_handle_valid(old->counter_index))
        rc = index_remove(tpm, old->counter_index, INDEX_COUNTER, &commit->owner, ret_command);
    bool in_use = seal->gated && seal->pin_index == old->pin_index;
    if (rc == TSS2_RC_SUCCESS && !in_use && index_handle_valid(old->pin_index))
        rc = index_remove(tpm, old->pin_index, INDEX_PIN, &commit->owner, ret_command);
    return explain_owner(rc, "the old PIN stays valid");
}

CK_RV tpm_seal_commit(struct tpm *tpm, const struct tpm_seal *seal, const struct tpm_seal *old,
                      struct view token, enum tpm_seal_role role)
{
    struct commit_request commit = {seal, old, {token, role}};
    if (token.size != TPM_SEAL_TOKEN_SIZE ||
        (seal->gated && !index_handle_valid(seal->counter_index)))
        return CKR_ARGUMENTS_BAD;
    return old->gated ? tpm_run(tpm, NULL, commit_seal, &commit) : CKR_OK;
}

struct remove_request {
    const struct tpm_seal *seal;
    struct index_owner owner;
};

/* The counter first: without it the seal does not open, in whatever copy. */
static TSS2_RC remove_seal(struct tpm *tpm, void *request, const char **ret_command)
{
    const struct remove_request *remove = request;
    const struct tpm_seal *seal = remove->seal;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (index_handle_valid(seal->counter_index))
        rc = index_remove(tpm, seal->counter_index, INDEX_COUNTER, &remove->owner, ret_command);
    if (rc == TSS2_RC_SUCCESS && index_handle_valid(seal->pin_index))
        rc = index_remove(tpm, seal->pin_index, INDEX_PIN, &remove->owner, ret_command);
    return explain_owner(rc, "what the token has in the TPM cannot be removed");
}

CK_RV tpm_seal_remove(struct tpm *tpm, const struct tpm_seal *seal, struct view token,
                      enum tpm_seal_role role)
{
    struct remove_request remove = {seal, {token, role}};
    if (token.size != TPM_SEAL_TOKEN_SIZE)
        return CKR_ARGUMENTS_BAD;
    return seal->gated ? tpm_run(tpm, NULL, remove_seal, &remove) : CKR_OK;
}

static TSS2_RC remove_all(struct tpm *tpm, void *request, const char **ret_command)
{
    struct index_owner owner = {.token = *(const struct view *)request};
    TSS2_RC rc = TSS2_RC_SUCCESS;
    for (unsigned role = TPM_SEAL_USER; role <= TPM_SEAL_SO && rc == TSS2_RC_SUCCESS; role++) {
        owner.role = role;
        rc = index_remove_all(tpm, &owner, ret_command);
    }
    return explain_owner(rc, "what the old token has in the TPM cannot be removed");
}

CK_RV tpm_seal_remove_all(struct tpm *tpm, struct view token)
{
    if (token.size != TPM_SEAL_TOKEN_SIZE)
        return CKR_ARGUMENTS_BAD;
    return tpm_run(tpm, NULL, remove_all, &token);
}
