/* What the tests of this room and the one above share: the embedded TPM in the
 * test's own directory, keys made in it, and a TCTI between that looks on and can
 * answer in the TPM's place. */
#ifndef SIGNET_TPM_TEST_SUPPORT_H
#define SIGNET_TPM_TEST_SUPPORT_H

#include <endian.h>
#include <limits.h>
#include <signal.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include "token/base/test_support.h"

#include "token/tpm/connection.h"
#include "token/tpm/key.h"
#include "token/tpm/loaded.h"

static UNUSED TSS2_TCTI_CONTEXT *emulator_open(void)
{
    TSS2_TCTI_CONTEXT *tcti = NULL;
    char path[PATH_MAX];
    emulator_path(path);
    assert_int_equal(Tss2_TctiLdr_Initialize_Ex(path, emulator_configuration(), &tcti), 0);
    return tcti;
}

/* The TCTI between. The command numbered `fault_at` of those with the code gets
 * fault_rc (a transport error if it is a TSS2_TCTI_RC_…), `fault_times` times. */
struct watched {
    TSS2_TCTI_CONTEXT_COMMON_V2 common;
    TSS2_TCTI_CONTEXT *child;
    uint32_t codes[64];
    size_t count;
    uint8_t first[4096]; /* the first command with code `keep` */
    size_t first_size;
    uint32_t keep;
    const char *secret; /* looked for in all that goes to and fro */
    bool seen;
    uint32_t fault_code;
    uint32_t fault_rc;
    unsigned fault_times;
    unsigned fault_after; /* commands with the code that pass before */
    bool answer_fault;
    unsigned kill_at; /* the process dies in place of sending this command, from 1 */
    unsigned all;     /* commands so far, not reset by tests */
};

static UNUSED void look_for_secret(struct watched *watched, const uint8_t *data, size_t size)
{
    if (watched->secret && memmem(data, size, watched->secret, strlen(watched->secret)))
        watched->seen = true;
}

static UNUSED TSS2_RC watched_transmit(TSS2_TCTI_CONTEXT *context, size_t size,
                                       const uint8_t *command)
{
    struct watched *watched = (struct watched *)context;
    uint32_t code;
    memcpy(&code, command + 6, sizeof(code));
    code = be32toh(code);
    look_for_secret(watched, command, size);
    if (++watched->all == watched->kill_at)
        kill(getpid(), SIGKILL);
    if (watched->count < ARRAY_SIZE(watched->codes))
        watched->codes[watched->count++] = code;
    if (code == watched->keep && !watched->first_size && size <= sizeof(watched->first)) {
        memcpy(watched->first, command, size);
        watched->first_size = size;
    }
    if (!watched->fault_times || (watched->fault_code && watched->fault_code != code))
        return Tss2_Tcti_Transmit(watched->child, size, command);
    if (watched->fault_after) {
        watched->fault_after--;
        return Tss2_Tcti_Transmit(watched->child, size, command);
    }
    watched->fault_times--;
    if ((watched->fault_rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER)
        return watched->fault_rc;
    watched->answer_fault = true;
    return TSS2_RC_SUCCESS;
}

static UNUSED TSS2_RC watched_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response,
                                      int32_t timeout)
{
    struct watched *watched = (struct watched *)context;
    if (!watched->answer_fault) {
        TSS2_RC rc = Tss2_Tcti_Receive(watched->child, size, response, timeout);
        if (rc == TSS2_RC_SUCCESS && response)
            look_for_secret(watched, response, *size);
        return rc;
    }
    uint8_t answer[10] = {0x80, 0x01, 0, 0, 0, 10};
    uint32_t rc = htobe32(watched->fault_rc);
    memcpy(answer + 6, &rc, sizeof(rc));
    *size = sizeof(answer);
    if (response) {
        memcpy(response, answer, sizeof(answer));
        watched->answer_fault = false;
    }
    return TSS2_RC_SUCCESS;
}

/* A TPM whose first connection goes through `watched`; a later one is direct. */
static UNUSED struct tpm *watched_tpm(struct watched *watched)
{
    struct tpm *tpm = NULL;
    *watched = (struct watched){.child = emulator_open()};
    TSS2_TCTI_CONTEXT *context = (TSS2_TCTI_CONTEXT *)watched;
    TSS2_TCTI_MAGIC(context) = 0x7761746368656421ULL;
    TSS2_TCTI_VERSION(context) = 2;
    TSS2_TCTI_TRANSMIT(context) = watched_transmit;
    TSS2_TCTI_RECEIVE(context) = watched_receive;
    assert_ok(tpm_acquire(emulator_choice(), &tpm));
    assert_null(tpm->esys);
    tpm->tcti = context;
    assert_int_equal(Esys_Initialize(&tpm->esys, context, NULL), 0);
    return tpm;
}

static UNUSED void watched_close(struct watched *watched, struct tpm *tpm)
{
    tpm_release(tpm);
    Tss2_TctiLdr_Finalize(&watched->child);
}

static UNUSED unsigned sent(const struct watched *watched, uint32_t code)
{
    unsigned count = 0;
    for (size_t i = 0; i < watched->count; i++)
        count += watched->codes[i] == code;
    return count;
}

static UNUSED void inject(struct watched *watched, uint32_t code, uint32_t rc, unsigned times)
{
    watched->fault_code = code;
    watched->fault_rc = rc;
    watched->fault_times = times;
    watched->count = 0;
}

/* What a key is to be. Attributes besides the usual ones; scheme NULL: any. */
struct wish {
    TPM2_ALG_ID type;
    TPMA_OBJECT attributes;
    TPM2_ALG_ID scheme;
    TPM2_ALG_ID hash;
    TPM2_ECC_CURVE curve; /* 0: P-256 */
    const char *auth;
    bool other_parent; /* one that no tool would make */
};

/* A key file's two blobs, marshalled. */
struct made {
    uint8_t public[sizeof(TPM2B_PUBLIC)];
    size_t public_size;
    uint8_t private[sizeof(TPM2B_PRIVATE)];
    size_t private_size;
};

static UNUSED TPM2B_PUBLIC storage_template(bool noda)
{
    TPM2B_PUBLIC public = {.publicArea = {.type = TPM2_ALG_ECC, .nameAlg = TPM2_ALG_SHA256}};
    TPMS_ECC_PARMS *ecc = &public.publicArea.parameters.eccDetail;
    public.publicArea.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                         TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                         TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED |
                                         TPMA_OBJECT_DECRYPT | (noda ? TPMA_OBJECT_NODA : 0);
    ecc->symmetric.algorithm = TPM2_ALG_AES;
    ecc->symmetric.keyBits.aes = 128;
    ecc->symmetric.mode.aes = TPM2_ALG_CFB;
    ecc->scheme.scheme = ecc->kdf.scheme = TPM2_ALG_NULL;
    ecc->curveID = TPM2_ECC_NIST_P256;
    return public;
}

static UNUSED ESYS_TR make_primary(ESYS_CONTEXT *esys, const TPM2B_PUBLIC *template)
{
    static const TPM2B_SENSITIVE_CREATE no_sensitive;
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcr;
    ESYS_TR handle = ESYS_TR_NONE;
    assert_int_equal(Esys_CreatePrimary(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                        ESYS_TR_NONE, &no_sensitive, template, &no_data, &no_pcr,
                                        &handle, NULL, NULL, NULL, NULL),
                     0);
    return handle;
}

static UNUSED TPM2B_PUBLIC wished_public(const struct wish *wish)
{
    TPM2B_PUBLIC public = {.publicArea = {.type = wish->type, .nameAlg = TPM2_ALG_SHA256}};
    TPMT_PUBLIC *area = &public.publicArea;
    TPM2_ALG_ID scheme = wish->scheme ? wish->scheme : TPM2_ALG_NULL;
    area->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                             TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                             TPMA_OBJECT_NODA | wish->attributes;
    if (wish->type == TPM2_ALG_RSA) {
        area->parameters.rsaDetail = (TPMS_RSA_PARMS){
            .symmetric.algorithm = TPM2_ALG_NULL, .scheme.scheme = scheme, .keyBits = 2048};
        area->parameters.rsaDetail.scheme.details.anySig.hashAlg = wish->hash;
    } else {
        area->parameters.eccDetail =
            (TPMS_ECC_PARMS){.symmetric.algorithm = TPM2_ALG_NULL,
                             .scheme.scheme = scheme,
                             .curveID = wish->curve ? wish->curve : TPM2_ECC_NIST_P256,
                             .kdf.scheme = TPM2_ALG_NULL};
        area->parameters.eccDetail.scheme.details.anySig.hashAlg = wish->hash;
    }
    return public;
}

static UNUSED void make_key(const struct wish *wish, struct made *ret_made)
{
    static const TPM2B_DATA no_data;
    static const TPML_PCR_SELECTION no_pcr;
    TSS2_TCTI_CONTEXT *tcti = emulator_open();
    ESYS_CONTEXT *esys = NULL;
    assert_int_equal(Esys_Initialize(&esys, tcti, NULL), 0);
    TPM2B_PUBLIC template = storage_template(true), public = wished_public(wish);
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    TPM2B_PUBLIC *out_public = NULL;
    TPM2B_PRIVATE *out_private = NULL;
    if (wish->other_parent)
        template.publicArea.unique.ecc.x = (TPM2B_ECC_PARAMETER){.size = 1, .buffer = {7}};
    if (wish->auth) {
        sensitive.sensitive.userAuth.size = (UINT16)strlen(wish->auth);
        memcpy(sensitive.sensitive.userAuth.buffer, wish->auth, strlen(wish->auth));
    }
    ESYS_TR parent = make_primary(esys, &template);
    assert_int_equal(Esys_Create(esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                 &sensitive, &public, &no_data, &no_pcr, &out_private, &out_public,
                                 NULL, NULL, NULL),
                     0);
    *ret_made = (struct made){.public_size = 0};
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(out_public, ret_made->public,
                                                  sizeof(ret_made->public), &ret_made->public_size),
                     0);
    assert_int_equal(Tss2_MU_TPM2B_PRIVATE_Marshal(out_private, ret_made->private,
                                                   sizeof(ret_made->private),
                                                   &ret_made->private_size),
                     0);
    Esys_Free(out_public);
    Esys_Free(out_private);
    Esys_FlushContext(esys, parent);
    Esys_Finalize(&esys);
    Tss2_TctiLdr_Finalize(&tcti);
}

static UNUSED struct tpm_key_source source_of(const struct made *made)
{
    return (struct tpm_key_source){.parent = TPM2_RH_OWNER,
                                   .public = view_of(made->public, made->public_size),
                                   .private = view_of(made->private, made->private_size)};
}

/* Keeps a primary of this template at a persistent handle, or removes it (NULL). */
static UNUSED void keep_primary(const TPM2B_PUBLIC *template, TPM2_HANDLE at)
{
    TSS2_TCTI_CONTEXT *tcti = emulator_open();
    ESYS_CONTEXT *esys = NULL;
    ESYS_TR handle = ESYS_TR_NONE, kept = ESYS_TR_NONE;
    assert_int_equal(Esys_Initialize(&esys, tcti, NULL), 0);
    if (template)
        handle = make_primary(esys, template);
    else
        assert_int_equal(
            Esys_TR_FromTPMPublic(esys, at, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle), 0);
    assert_int_equal(Esys_EvictControl(esys, ESYS_TR_RH_OWNER, handle, ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE, ESYS_TR_NONE, at, &kept),
                     0);
    if (template)
        Esys_FlushContext(esys, handle);
    Esys_Finalize(&esys);
    Tss2_TctiLdr_Finalize(&tcti);
}

#endif
