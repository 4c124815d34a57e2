#include "token/tpm/parent.h"

#include <string.h>

#include "token/tpm/error.h"
#include "token/tpm/public.h"

/* TCG TPM v2.0 Provisioning Guidance 7.5.1: where an owner keeps the SRK. */
#define SRK_HANDLE 0x81000001u

#define STORAGE_ATTRIBUTES                                                                         \
    (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM |                         \
     TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH)

#define STORAGE_SYMMETRIC                                                                          \
    {                                                                                              \
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB                    \
    }

/* TCG EK Credential Profile 2.x, template H-2, with an empty unique field
 * (draft-bottomley-tpm2-keys 3.1.8). */
static const TPMT_PUBLIC template_ecc = {
    .type = TPM2_ALG_ECC,
    .nameAlg = TPM2_ALG_SHA256,
    .objectAttributes = STORAGE_ATTRIBUTES | TPMA_OBJECT_NODA,
    .parameters.eccDetail = {.symmetric = STORAGE_SYMMETRIC,
                             .scheme.scheme = TPM2_ALG_NULL,
                             .curveID = TPM2_ECC_NIST_P256,
                             .kdf.scheme = TPM2_ALG_NULL},
};

/* Template H-1. */
static const TPMT_PUBLIC template_rsa = {
    .type = TPM2_ALG_RSA,
    .nameAlg = TPM2_ALG_SHA256,
    .objectAttributes = STORAGE_ATTRIBUTES | TPMA_OBJECT_NODA,
    .parameters.rsaDetail = {.symmetric = STORAGE_SYMMETRIC,
                             .scheme.scheme = TPM2_ALG_NULL,
                             .keyBits = 2048},
};

/* In turn: an SRK that the owner keeps (saves CreatePrimary), the standard's
 * template, the same without noDA, and both for the other algorithm, which tools
 * took on a TPM without ECC or before the draft knew rsaParent. */
enum way { WAY_PERSISTENT, WAY_STANDARD, WAY_DA, WAY_OTHER, WAY_OTHER_DA, WAYS };

static bool is_hierarchy(uint32_t parent)
{
    return parent >> 24 == TPM2_HT_PERMANENT;
}

unsigned parent_ways(uint32_t parent)
{
    return is_hierarchy(parent) ? WAYS : 1;
}

static ESYS_TR hierarchy_handle(uint32_t parent)
{
    switch (parent) {
    case TPM2_RH_ENDORSEMENT:
        return ESYS_TR_RH_ENDORSEMENT;
    case TPM2_RH_PLATFORM:
        return ESYS_TR_RH_PLATFORM;
    case TPM2_RH_NULL:
        return ESYS_TR_RH_NULL;
    default:
        return ESYS_TR_RH_OWNER;
    }
}

static TSS2_RC create(struct tpm *tpm, uint32_t parent, const TPMT_PUBLIC *template, bool da,
                      struct parent *ret_parent)
{
    static const TPM2B_SENSITIVE_CREATE no_sensitive = {0};
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcr = {0};
    TPM2B_PUBLIC public = {.publicArea = *template};
    if (da)
    public.publicArea.objectAttributes &= ~TPMA_OBJECT_NODA;
    TSS2_RC rc = Esys_CreatePrimary(tpm->esys, hierarchy_handle(parent), ESYS_TR_PASSWORD,
                                    ESYS_TR_NONE, ESYS_TR_NONE, &no_sensitive, &public, &no_data,
                                    &no_pcr, &ret_parent->handle, NULL, NULL, NULL, NULL);
    ret_parent->transient = true;
    return rc;
}

static bool same_template(const TPMT_PUBLIC *area, const TPMT_PUBLIC *template)
{
    if (area->type != template->type || area->nameAlg != template->nameAlg ||
        area->objectAttributes != template->objectAttributes)
        return false;
    return area->type == TPM2_ALG_RSA
               ? area->parameters.rsaDetail.keyBits == template->parameters.rsaDetail.keyBits
               : area->parameters.eccDetail.curveID == template->parameters.eccDetail.curveID;
}

/* The kept SRK, if it was made from the same template. Whether it came from the
 * same seed shows when the key is loaded under it. */
static TSS2_RC open_kept(struct tpm *tpm, const TPMT_PUBLIC *template, struct parent *ret_parent,
                         bool *ret_absent)
{
    *ret_absent = true;
    if (tpm->no_persistent_parent)
        return TSS2_RC_SUCCESS;
    ESYS_TR handle = ESYS_TR_NONE;
    TSS2_RC rc = Esys_TR_FromTPMPublic(tpm->esys, SRK_HANDLE, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &handle);
    if (tpm_error_is(rc, TPM2_RC_HANDLE)) {
        tpm->no_persistent_parent = true;
        return TSS2_RC_SUCCESS;
    }
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    TPM2B_PUBLIC public = {0};
    rc = tpm_public_of(tpm->esys, handle, &public);
    bool usable = rc == TSS2_RC_SUCCESS && same_template(&public.publicArea, template);
    if (!usable) {
        Esys_TR_Close(tpm->esys, &handle);
        return rc;
    }
    *ret_parent = (struct parent){.handle = handle};
    *ret_absent = false;
    return TSS2_RC_SUCCESS;
}

TSS2_RC parent_open(struct tpm *tpm, uint32_t parent, bool rsa, unsigned way,
                    struct parent *ret_parent, bool *ret_absent, const char **ret_command)
{
    *ret_absent = false;
    *ret_parent = (struct parent){.handle = ESYS_TR_NONE};
    *ret_command = "TPM2_ReadPublic of the key's parent";
    if (!is_hierarchy(parent))
        return Esys_TR_FromTPMPublic(tpm->esys, parent, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                     &ret_parent->handle);
    const TPMT_PUBLIC *standard = rsa ? &template_rsa : &template_ecc;
    const TPMT_PUBLIC *other = rsa ? &template_ecc : &template_rsa;
    if (way == WAY_PERSISTENT) {
        if (parent == TPM2_RH_OWNER)
            return open_kept(tpm, standard, ret_parent, ret_absent);
        *ret_absent = true;
        return TSS2_RC_SUCCESS;
    }
    *ret_command = "TPM2_CreatePrimary of the key's parent";
    bool da = way == WAY_DA || way == WAY_OTHER_DA;
    return create(tpm, parent, way == WAY_STANDARD || way == WAY_DA ? standard : other, da,
                  ret_parent);
}

void parent_close(struct tpm *tpm, struct parent *parent)
{
    if (parent->handle == ESYS_TR_NONE)
        return;
    if (parent->transient)
        (void)Esys_FlushContext(tpm->esys, parent->handle);
    else
        (void)Esys_TR_Close(tpm->esys, &parent->handle);
    parent->handle = ESYS_TR_NONE;
}
