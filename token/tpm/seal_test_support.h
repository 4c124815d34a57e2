/* What the tests of seals share: a token, its PINs, and the owner of the TPM, who may
 * do what Signet does not. */
#ifndef SIGNET_TPM_SEAL_TEST_SUPPORT_H
#define SIGNET_TPM_SEAL_TEST_SUPPORT_H

#include <openssl/evp.h>

#include "token/tpm/seal.h"
#include "token/tpm/test_support.h"

#define SECRET "the secret of 32 bytes, in a seal"

static UNUSED CK_RV test_hash(enum hash hash, struct view data, uint8_t out[HASH_MAX_SIZE])
{
    assert_int_equal(hash, HASH_SHA256);
    return EVP_Digest(data.data, data.size, out, NULL, EVP_sha256(), NULL) == 1
               ? CKR_OK
               : CKR_FUNCTION_FAILED;
}

/* The two authorisations of a PIN, as key/ would derive them. */
struct pin {
    uint8_t pin[HASH_MAX_SIZE];
    uint8_t seal[HASH_MAX_SIZE];
    struct tpm_seal_auth auth;
};

static UNUSED const struct tpm_seal_auth *pin_auth(const char *text)
{
    static struct pin pin;
    char salted[64];
    snprintf(salted, sizeof(salted), "count %s", text);
    assert_ok(test_hash(HASH_SHA256, view_string(salted), pin.pin));
    snprintf(salted, sizeof(salted), "seal %s", text);
    assert_ok(test_hash(HASH_SHA256, view_string(salted), pin.seal));
    pin.auth = (struct tpm_seal_auth){.pin = view_of(pin.pin, 32), .seal = view_of(pin.seal, 32)};
    return &pin.auth;
}

static const uint8_t token_name[] = "0123456789abcdef";
static const struct view token = {token_name, 16};

static UNUSED struct tpm_seal_request request_of(const char *pin, const struct tpm_seal *old)
{
    return (struct tpm_seal_request){.token = token,
                                     .role = TPM_SEAL_USER,
                                     .secret = view_string(SECRET),
                                     .auth = *pin_auth(pin),
                                     .try_limit = 3,
                                     .protection = TPM_PROTECTION_AUTO,
                                     .old = old,
                                     .hash = test_hash};
}

static UNUSED struct tpm_seal make_seal(struct tpm *tpm, const char *pin,
                                        const struct tpm_seal *old)
{
    struct tpm_seal seal = {0};
    struct tpm_seal_request request = request_of(pin, old);
    assert_ok(tpm_seal_make(tpm, &request, &seal));
    return seal;
}

static UNUSED CK_RV open_by(struct tpm *tpm, const struct tpm_seal *seal,
                            const struct tpm_seal_auth *auth, struct tpm_seal_tries *ret_tries)
{
    struct bytes secret = {0};
    CK_RV rv = tpm_seal_open(tpm, seal, token, TPM_SEAL_USER, auth, (struct view){0},
                             TPM_PROTECTION_AUTO, &secret, ret_tries);
    if (rv == CKR_OK)
        assert_view(bytes_view(&secret), SECRET);
    else
        assert_null(secret.data);
    bytes_free(&secret);
    return rv;
}

static UNUSED CK_RV open_seal(struct tpm *tpm, const struct tpm_seal *seal, const char *pin)
{
    struct tpm_seal_tries tries;
    return open_by(tpm, seal, pin_auth(pin), &tries);
}

/* Somebody else on the same TPM, with ESYS alone. */
struct other {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
};

static UNUSED struct other other_begin(void)
{
    struct other other = {.tcti = emulator_open()};
    assert_int_equal(Esys_Initialize(&other.esys, other.tcti, NULL), 0);
    return other;
}

static UNUSED void other_end(struct other *other)
{
    Esys_Finalize(&other->esys);
    Tss2_TctiLdr_Finalize(&other->tcti);
}

static UNUSED uint32_t property(ESYS_CONTEXT *esys, uint32_t name)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    assert_int_equal(Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        TPM2_CAP_TPM_PROPERTIES, name, 1, &more, &data),
                     0);
    assert_int_equal(data->data.tpmProperties.tpmProperty[0].property, name);
    uint32_t value = data->data.tpmProperties.tpmProperty[0].value;
    Esys_Free(data);
    return value;
}

/* Wrong authorisations as the TPM's global dictionary attack logic counts them. */
static UNUSED unsigned global_count(void)
{
    struct other other = other_begin();
    unsigned count = property(other.esys, TPM2_PT_LOCKOUT_COUNTER);
    other_end(&other);
    return count;
}

/* NV indexes below those of the TPM's manufacturer. */
static UNUSED unsigned index_count(void)
{
    struct other other = other_begin();
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    unsigned count = 0;
    assert_int_equal(Esys_GetCapability(other.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        TPM2_CAP_HANDLES, TPM2_NV_INDEX_FIRST, 254, &more, &data),
                     0);
    for (uint32_t i = 0; i < data->data.handles.count; i++)
        count += data->data.handles.handle[i] < 0x01c00000;
    Esys_Free(data);
    other_end(&other);
    return count;
}

static UNUSED ESYS_TR other_index_of(const struct other *other, uint32_t handle)
{
    ESYS_TR index = ESYS_TR_NONE;
    assert_int_equal(Esys_TR_FromTPMPublic(other->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, &index),
                     0);
    return index;
}

static UNUSED void other_undefine(uint32_t handle)
{
    struct other other = other_begin();
    ESYS_TR index = other_index_of(&other, handle);
    assert_int_equal(Esys_NV_UndefineSpace(other.esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE),
                     0);
    other_end(&other);
}

static UNUSED TSS2_RC other_define(const struct other *other, uint32_t handle, TPMA_NV attributes,
                                   UINT16 size, const TPM2B_DIGEST *policy, const char *auth)
{
    TPM2B_AUTH value = {.size = (UINT16)strlen(auth)};
    TPM2B_NV_PUBLIC public = {.nvPublic = {.nvIndex = handle,
                                           .nameAlg = TPM2_ALG_SHA256,
                                           .attributes = attributes,
                                           .dataSize = size}};
    ESYS_TR index = ESYS_TR_NONE;
    memcpy(value.buffer, auth, strlen(auth));
    if (policy)
    public.nvPublic.authPolicy = *policy;
    TSS2_RC rc = Esys_NV_DefineSpace(other->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                     ESYS_TR_NONE, &value, &public, &index);
    if (rc == 0)
        Esys_TR_Close(other->esys, &index);
    return rc;
}

/* An index with the same public area, but this authorisation; not yet written. */
static UNUSED void other_redefine(uint32_t handle, const char *auth)
{
    struct other other = other_begin();
    TPM2B_NV_PUBLIC *public = NULL;
    ESYS_TR index = other_index_of(&other, handle);
    assert_int_equal(Esys_NV_ReadPublic(other.esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        &public, NULL),
                     0);
    other_undefine(handle);
    assert_int_equal(other_define(&other, handle, public->nvPublic.attributes & ~TPMA_NV_WRITTEN,
                                  public->nvPublic.dataSize, &public->nvPublic.authPolicy, auth),
                     0);
    Esys_Free(public);
    other_end(&other);
}

/* Every index and key of the owner is gone, and what was counted. */
static UNUSED void clear_tpm(void)
{
    struct other other = other_begin();
    assert_int_equal(
        Esys_Clear(other.esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
        0);
    other_end(&other);
}

static UNUSED int on_a_cleared_tpm(UNUSED void **state)
{
    clear_tpm();
    return 0;
}

static UNUSED int begin_seals(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    tpm_quiet();
    return 0;
}

static UNUSED struct tpm *plain_tpm(void)
{
    struct tpm *tpm = NULL;
    assert_ok(tpm_acquire(emulator_choice(), &tpm));
    return tpm;
}

#endif
