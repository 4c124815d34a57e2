#include "token/tpm/create.h"

#include <string.h>

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/protection.h"
#include "token/tpm/public.h"
#include "token/tpm/root.h"
#include "token/tpm/run.h"
#include "token/tpm/template.h"

void tpm_created_clear(struct tpm_created *created)
{
    bytes_free(&created->public);
    bytes_free(&created->private);
    *created = (struct tpm_created){0};
}

void tpm_root_clear(struct tpm_root *root)
{
    public_key_clear(&root->public_key);
    bytes_free(&root->name);
    *root = (struct tpm_root){0};
}

/* What the TPM refused is the kind of key that was asked for. */
static TSS2_RC explain(const TPMT_PUBLIC *area, const char *command, TSS2_RC rc)
{
    bool rsa = area->type == TPM2_ALG_RSA;
    if (!tpm_error_lacks(rc) && !tpm_error_is(rc, TPM2_RC_RANGE))
        return rc;
    log_line(LOG_LEVEL_INFO, "tpm", "%s: this TPM has no keys of this kind (0x%x): %s %u", command,
             (unsigned)rc, rsa ? "RSA with bits:" : "the curve",
             rsa ? area->parameters.rsaDetail.keyBits : area->parameters.eccDetail.curveID);
    return TPM_RC_TOLD(rsa ? CKR_KEY_SIZE_RANGE : CKR_CURVE_NOT_SUPPORTED);
}

static TSS2_RC create(struct tpm *tpm, void *request, const char **ret_command)
{
    struct root_create *create_request = request;
    TSS2_RC rc = root_use(tpm, ROOT_FOR_NEW, (struct view){0}, root_create, request, ret_command);
    return explain(&create_request->public.publicArea, *ret_command, rc);
}

CK_RV tpm_key_create(struct tpm *tpm, const struct key_spec *spec, struct view auth,
                     enum tpm_protection protection, struct tpm_created *ret_created)
{
    struct root_create request = {.protected = protection_wanted(tpm, protection),
                                  .strict = protection == TPM_PROTECTION_ON};
    CK_RV rv = template_of_spec(spec, &request.public.publicArea);
    if (rv != CKR_OK)
        return rv;
    rv = template_auth(auth, &request.sensitive.sensitive.userAuth);
    if (rv == CKR_OK)
        rv = tpm_run(tpm, NULL, create, &request);
    explicit_bzero(&request.sensitive, sizeof(request.sensitive));
    if (rv != CKR_OK)
        return rv;
    *ret_created = request.created;
    return CKR_OK;
}

static TSS2_RC read_root(struct tpm *tpm, const struct root *root, void *request,
                         const char **ret_command)
{
    struct tpm_root *read = request;
    struct tpm_root made = {.rsa = root->rsa};
    struct reason reason = {0};
    TPM2B_PUBLIC public = {0};
    TPM2B_NAME *name = NULL;
    *ret_command = "TPM2_ReadPublic of the storage root";
    TSS2_RC rc = tpm_public_of(tpm->esys, root->handle, &public);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_GetName(tpm->esys, root->handle, &name);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    CK_RV rv = tpm_public_key(&public.publicArea, &made.public_key, &reason);
    if (rv == CKR_OK)
        rv = bytes_copy(&made.name, view_of(name->name, name->size));
    Esys_Free(name);
    if (rv != CKR_OK) {
        tpm_root_clear(&made);
        log_line(LOG_LEVEL_ERROR, "tpm", "the storage root cannot be used: %s", reason.text);
        return TPM_RC_TOLD(rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR);
    }
    tpm_root_clear(read);
    *read = made;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC use_to_read(struct tpm *tpm, void *request, const char **ret_command)
{
    return root_use(tpm, ROOT_FOR_NEW, (struct view){0}, read_root, request, ret_command);
}

CK_RV tpm_root_read(struct tpm *tpm, struct tpm_root *ret_root)
{
    struct tpm_root root = {0};
    CK_RV rv = tpm_run(tpm, NULL, use_to_read, &root);
    if (rv == CKR_OK)
        *ret_root = root;
    return rv;
}

struct import_request {
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE duplicate;
    TPM2B_ENCRYPTED_SECRET seed;
    struct tpm_created created;
};

static TSS2_RC import_under(struct tpm *tpm, const struct root *root, void *request,
                            const char **ret_command)
{
    static const TPMT_SYM_DEF_OBJECT no_inner = {.algorithm = TPM2_ALG_NULL};
    struct import_request *import = request;
    TPM2B_PRIVATE *private = NULL;
    *ret_command = "TPM2_Import";
    TSS2_RC rc =
        Esys_Import(tpm->esys, root->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                    &import->public, &import->duplicate, &import->seed, &no_inner, &private);
    if (rc == TSS2_RC_SUCCESS)
        rc = root_created(root, &import->public, private, &import->created);
    Esys_Free(private);
    return explain(&import->public.publicArea, *ret_command, rc);
}

static TSS2_RC import(struct tpm *tpm, void *request, const char **ret_command)
{
    return root_use(tpm, ROOT_FOR_NEW, (struct view){0}, import_under, request, ret_command);
}

CK_RV tpm_key_import(struct tpm *tpm, struct view public, struct view duplicate,
                     struct view encrypted_secret, struct tpm_created *ret_created)
{
    struct import_request request = {0};
    struct reason reason = {0};
    CK_RV rv = tpm_public_decode(public, &request.public, &reason);
    if (rv == CKR_OK)
        rv = template_duplicate(duplicate, encrypted_secret, &request.duplicate, &request.seed);
    else
        log_line(LOG_LEVEL_ERROR, "tpm", "a key to import cannot be used: %s", reason.text);
    if (rv == CKR_OK)
        rv = tpm_run(tpm, NULL, import, &request);
    if (rv == CKR_OK)
        *ret_created = request.created;
    return rv;
}
