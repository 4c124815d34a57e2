#include "token/tpm/root.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/loaded.h"
#include "token/tpm/protection.h"
#include "token/tpm/run.h"

/* As parent_open counts its ways. */
enum { WAY_KEPT, WAY_STANDARD };

struct use {
    enum root_purpose purpose;
    struct view name;
    root_work work;
    void *request;
    bool next; /* this root is not there or not the right one: another may be */
};

static struct view known_standard(const struct tpm *tpm)
{
    return view_of(tpm->standard_root, tpm->standard_root_size);
}

static bool has_name(struct tpm *tpm, ESYS_TR handle, unsigned way, struct view expected)
{
    TPM2B_NAME *name = NULL;
    if (Esys_TR_GetName(tpm->esys, handle, &name) != TSS2_RC_SUCCESS)
        return false;
    if (way == WAY_STANDARD && name->size <= sizeof(tpm->standard_root)) {
        memcpy(tpm->standard_root, name->name, name->size);
        tpm->standard_root_size = name->size;
    }
    bool same = !expected.size || view_equal(view_of(name->name, name->size), expected);
    Esys_Free(name);
    return same;
}

static TSS2_RC use_way(struct tpm *tpm, struct use *use, bool rsa, unsigned way, struct view name,
                       const char **ret_command)
{
    struct parent parent;
    bool absent;
    TSS2_RC rc = parent_open(tpm, TPM2_RH_OWNER, rsa, way, &parent, &absent, ret_command);
    use->next = absent || tpm_error_lacks(rc);
    if (absent || rc != TSS2_RC_SUCCESS)
        return rc != TSS2_RC_SUCCESS ? rc : (TSS2_RC)TPM2_RC_INTEGRITY;
    bool same = has_name(tpm, parent.handle, way, name);
    rc = same ? use->work(tpm, &(struct root){parent.handle, rsa}, use->request, ret_command)
              : (TSS2_RC)TPM2_RC_INTEGRITY;
    parent_close(tpm, &parent);
    use->next = !same || (way == WAY_KEPT && tpm_error_is(rc, TPM2_RC_INTEGRITY));
    if (way == WAY_KEPT && tpm_error_wants_auth(rc)) {
        tpm->no_persistent_parent = true;
        use->next = true;
    }
    return rc;
}

static TSS2_RC use_kind(struct tpm *tpm, struct use *use, bool rsa, const char **ret_command)
{
    struct view kept = use->purpose == ROOT_FOR_OLD ? use->name : known_standard(tpm);
    if (use->purpose == ROOT_FOR_OLD || kept.size) {
        TSS2_RC rc = use_way(tpm, use, rsa, WAY_KEPT, kept, ret_command);
        if (!use->next)
            return rc;
    }
    TSS2_RC rc = use_way(tpm, use, rsa, WAY_STANDARD, use->name, ret_command);
    if (use->next || !tpm_error_wants_auth(rc))
        return rc;
    /* The owner lets nobody make primaries: what he keeps is all there is, even if he
     * keeps it only since it was looked for. */
    tpm->no_persistent_parent = false;
    TSS2_RC by_kept = use_way(tpm, use, rsa, WAY_KEPT, use->name, ret_command);
    return use->next ? rc : by_kept;
}

static TSS2_RC explain(TSS2_RC rc, struct view name)
{
    if (tpm_error_is(rc, TPM2_RC_INTEGRITY) && name.size) {
        log_line(LOG_LEVEL_ERROR, "tpm",
                 "this is not the TPM that the token was made on, or it was cleared since: its "
                 "storage root is another. What the token has in the TPM cannot be used any more");
        return TPM_RC_TOLD(CKR_DEVICE_ERROR);
    }
    if (tpm_error_wants_auth(rc)) {
        log_line(
            LOG_LEVEL_ERROR, "tpm",
            "the owner hierarchy of this TPM has an authorisation of its own, and there is no "
            "storage root without one at handle 0x81000001: have the owner keep one there with "
            "'tpm2_createprimary -C o -P AUTH -G ecc256 -c srk.ctx -a \"fixedtpm|fixedparent|"
            "sensitivedataorigin|userwithauth|noda|restricted|decrypt\"' and "
            "'tpm2_evictcontrol -C o -P AUTH -c srk.ctx 0x81000001'");
        return TPM_RC_TOLD(CKR_DEVICE_ERROR);
    }
    return rc;
}

TSS2_RC root_use(struct tpm *tpm, enum root_purpose purpose, struct view name, root_work work,
                 void *request, const char **ret_command)
{
    struct use use = {purpose, name, work, request, true};
    TSS2_RC rc = use_kind(tpm, &use, false, ret_command);
    if (use.next && tpm_error_lacks(rc))
        rc = use_kind(tpm, &use, true, ret_command);
    return explain(rc, name);
}

TSS2_RC root_created(const struct root *root, const TPM2B_PUBLIC *public,
                     const TPM2B_PRIVATE *private, struct tpm_created *ret_created)
{
    uint8_t buffer[sizeof(*public) > sizeof(*private) ? sizeof(*public) : sizeof(*private)];
    struct tpm_created created = {.parent = TPM2_RH_OWNER, .rsa_parent = root->rsa};
    size_t size = 0;
    TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, buffer, sizeof(buffer), &size);
    if (rc == TSS2_RC_SUCCESS && bytes_copy(&created.public, view_of(buffer, size)) != CKR_OK)
        rc = TSS2_ESYS_RC_MEMORY;
    size = 0;
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_PRIVATE_Marshal(private, buffer, sizeof(buffer), &size);
    if (rc == TSS2_RC_SUCCESS && bytes_copy(&created.private, view_of(buffer, size)) != CKR_OK)
        rc = TSS2_ESYS_RC_MEMORY;
    if (rc != TSS2_RC_SUCCESS) {
        tpm_created_clear(&created);
        return rc;
    }
    tpm_created_clear(ret_created);
    *ret_created = created;
    return rc;
}

TSS2_RC root_create(struct tpm *tpm, const struct root *root, void *request,
                    const char **ret_command)
{
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcr;
    struct root_create *create = request;
    TPM2B_PUBLIC *public = NULL;
    TPM2B_PRIVATE *private = NULL;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    if (create->protected)
        rc = protection_start(tpm, root->handle, create->strict, ret_command);
    if (rc == TSS2_RC_SUCCESS && create->protected)
        rc = protection_use(tpm, false);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    *ret_command = "TPM2_Create";
    /* Room is made here, while the parent is loaded: to make it again is dear. */
    do {
        rc = Esys_Create(tpm->esys, root->handle,
                         create->protected ? tpm->session : ESYS_TR_PASSWORD, ESYS_TR_NONE,
                         ESYS_TR_NONE, &create->sensitive, &create->public, &no_data, &no_pcr,
                         &private, &public, NULL, NULL, NULL);
    } while (tpm_error_remedy(rc) == TPM_REMEDY_EVICT && tpm_key_evict_oldest(tpm, NULL));
    if (rc == TSS2_RC_SUCCESS)
        rc = root_created(root, public, private, &create->created);
    Esys_Free(public);
    Esys_Free(private);
    return rc;
}
