#include "token/tpm/operation.h"

#include <string.h>

#include "token/tpm/error.h"
#include "token/tpm/loaded.h"
#include "token/tpm/protection.h"
#include "token/tpm/public.h"

TSS2_RC tpm_target_session(struct tpm *tpm, const struct tpm_target *target, bool encrypt_response,
                           ESYS_TR *ret_session)
{
    *ret_session = target->session ? tpm->session : ESYS_TR_PASSWORD;
    return target->session ? protection_use(tpm, encrypt_response) : TSS2_RC_SUCCESS;
}

static TSS2_RC check_auth(struct tpm *tpm, const struct tpm_target *target, UNUSED void *request,
                          const char **ret_command)
{
    static const TPMT_SYM_DEF no_symmetric = {.algorithm = TPM2_ALG_NULL};
    ESYS_TR session = ESYS_TR_NONE;
    *ret_command = "TPM2_StartAuthSession";
    TSS2_RC rc = Esys_StartAuthSession(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY,
                                       &no_symmetric, TPM2_ALG_SHA256, &session);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    *ret_command = "TPM2_PolicySecret (login)";
    ESYS_TR how = ESYS_TR_NONE;
    rc = tpm_target_session(tpm, target, false, &how);
    tpm->unproven_sent = true;
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_PolicySecret(tpm->esys, target->key, session, how, ESYS_TR_NONE, ESYS_TR_NONE,
                               NULL, NULL, NULL, 0, NULL, NULL);
    TSS2_RC flushed = Esys_FlushContext(tpm->esys, session);
    return rc != TSS2_RC_SUCCESS ? rc : flushed;
}

CK_RV tpm_key_check_auth(struct tpm_key *key, struct view auth)
{
    return tpm_key_run(key, auth, check_auth, NULL);
}

struct sign_request {
    TPM2B_DIGEST digest;
    TPMT_SIG_SCHEME scheme;
    TPMT_SIGNATURE *signature;
};

static TSS2_RC sign(struct tpm *tpm, const struct tpm_target *target, void *request,
                    const char **ret_command)
{
    static const TPMT_TK_HASHCHECK no_ticket = {.tag = TPM2_ST_HASHCHECK,
                                                .hierarchy = TPM2_RH_NULL};
    struct sign_request *sign_request = request;
    *ret_command = "TPM2_Sign";
    ESYS_TR how = ESYS_TR_NONE;
    TSS2_RC rc = tpm_target_session(tpm, target, false, &how);
    return rc != TSS2_RC_SUCCESS
               ? rc
               : Esys_Sign(tpm->esys, target->key, how, ESYS_TR_NONE, ESYS_TR_NONE,
                           &sign_request->digest, &sign_request->scheme, &no_ticket,
                           &sign_request->signature);
}

/* Appends a number in a field of `size` bytes: a TPM may leave out zeros in front. */
static CK_RV append_number(struct bytes *bytes, struct view number, size_t size)
{
    static const uint8_t zeros[sizeof(((TPM2B_PUBLIC_KEY_RSA *)0)->buffer)];
    if (number.size > size || size > sizeof(zeros))
        return CKR_DEVICE_ERROR;
    size_t most = bytes->size + size;
    CK_RV rv = bytes_append(bytes, view_of(zeros, size - number.size), most);
    return rv != CKR_OK ? rv : bytes_append(bytes, number, most);
}

static CK_RV give(struct bytes *made, CK_RV rv, struct bytes *ret_bytes)
{
    if (rv != CKR_OK) {
        bytes_free(made);
        return rv;
    }
    bytes_free(ret_bytes);
    *ret_bytes = *made;
    return CKR_OK;
}

static CK_RV copy_signature(const struct tpm_key *key, const TPMT_SIGNATURE *signature,
                            TPM2_ALG_ID wanted, struct bytes *ret_signature)
{
    /* What a TPM says is not believed: the union is read as what was asked for. */
    if (signature->sigAlg != wanted ||
        (wanted != TPM2_ALG_ECDSA &&
         signature->signature.rsassa.sig.size != key->public_key.modulus.size))
        return CKR_DEVICE_ERROR;
    if (wanted != TPM2_ALG_ECDSA)
        return bytes_copy(ret_signature, view_of(signature->signature.rsassa.sig.buffer,
                                                 signature->signature.rsassa.sig.size));
    const TPM2B_ECC_PARAMETER *r = &signature->signature.ecdsa.signatureR;
    const TPM2B_ECC_PARAMETER *s = &signature->signature.ecdsa.signatureS;
    size_t size = public_key_coordinate_size(&key->public_key);
    struct bytes both = {0};
    CK_RV rv = append_number(&both, view_of(r->buffer, r->size), size);
    if (rv == CKR_OK)
        rv = append_number(&both, view_of(s->buffer, s->size), size);
    return give(&both, rv, ret_signature);
}

CK_RV tpm_key_sign(struct tpm_key *key, struct view auth, enum scheme_kind kind, enum hash hash,
                   struct view digest, struct bytes *ret_signature)
{
    struct sign_request request = {.digest.size = (UINT16)digest.size};
    if (digest.size > sizeof(request.digest.buffer))
        return CKR_DATA_LEN_RANGE;
    memcpy(request.digest.buffer, digest.data, digest.size);
    request.scheme.scheme = kind == SCHEME_ECDSA     ? TPM2_ALG_ECDSA
                            : kind == SCHEME_RSA_PSS ? TPM2_ALG_RSAPSS
                                                     : TPM2_ALG_RSASSA;
    request.scheme.details.any.hashAlg = tpm_hash_algorithm(hash);
    CK_RV rv = tpm_key_run(key, auth, sign, &request);
    if (rv == CKR_OK)
        rv = copy_signature(key, request.signature, request.scheme.scheme, ret_signature);
    Esys_Free(request.signature);
    return rv;
}

struct decrypt_request {
    TPM2B_PUBLIC_KEY_RSA cipher;
    TPMT_RSA_DECRYPT scheme;
    TPM2B_PUBLIC_KEY_RSA *plain;
};

/* libtpms answers TPM_RC_FAILURE to a ciphertext with bad padding; a TPM that is in
 * failure mode says so in its test result too. */
static bool has_failed(ESYS_CONTEXT *esys)
{
    TPM2B_MAX_BUFFER *data = NULL;
    TPM2_RC result = TPM2_RC_FAILURE;
    TSS2_RC rc = Esys_GetTestResult(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &data, &result);
    Esys_Free(data);
    return rc != TSS2_RC_SUCCESS || result == TPM2_RC_FAILURE;
}

static TSS2_RC decrypt(struct tpm *tpm, const struct tpm_target *target, void *request,
                       const char **ret_command)
{
    struct decrypt_request *decrypt_request = request;
    *ret_command = "TPM2_RSA_Decrypt";
    ESYS_TR how = ESYS_TR_NONE;
    TSS2_RC rc = tpm_target_session(tpm, target, true, &how);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_RSA_Decrypt(tpm->esys, target->key, how, ESYS_TR_NONE, ESYS_TR_NONE,
                              &decrypt_request->cipher, &decrypt_request->scheme, NULL,
                              &decrypt_request->plain);
    if (tpm_error_is(rc, TPM2_RC_FAILURE) && !has_failed(tpm->esys))
        return TPM2_RC_VALUE | TPM2_RC_P | TPM2_RC_1;
    return rc;
}

/* A raw result is a number of the modulus's size; zeros in front may be missing. */
static CK_RV copy_plain(const struct tpm_key *key, enum scheme_kind kind,
                        const TPM2B_PUBLIC_KEY_RSA *plain, struct bytes *ret_plain)
{
    size_t size = kind == SCHEME_RSA_RAW ? key->public_key.modulus.size : plain->size;
    struct bytes padded = {0};
    CK_RV rv = append_number(&padded, view_of(plain->buffer, plain->size), size);
    return give(&padded, rv, ret_plain);
}

CK_RV tpm_key_decrypt(struct tpm_key *key, struct view auth, enum scheme_kind kind, enum hash hash,
                      struct view cipher, struct bytes *ret_plain)
{
    struct decrypt_request request = {.cipher.size = (UINT16)cipher.size};
    if (cipher.size > sizeof(request.cipher.buffer))
        return CKR_DATA_LEN_RANGE;
    memcpy(request.cipher.buffer, cipher.data, cipher.size);
    request.scheme.scheme = kind == SCHEME_RSA_OAEP    ? TPM2_ALG_OAEP
                            : kind == SCHEME_RSA_PKCS1 ? TPM2_ALG_RSAES
                                                       : TPM2_ALG_NULL;
    request.scheme.details.oaep.hashAlg = tpm_hash_algorithm(hash);
    CK_RV rv = tpm_key_run(key, auth, decrypt, &request);
    if (rv == CKR_OK)
        rv = copy_plain(key, kind, request.plain, ret_plain);
    if (request.plain)
        explicit_bzero(request.plain, sizeof(*request.plain));
    Esys_Free(request.plain);
    return rv;
}

struct derive_request {
    TPM2B_ECC_POINT point;
    TPM2B_ECC_POINT *secret;
};

static TSS2_RC derive(struct tpm *tpm, const struct tpm_target *target, void *request,
                      const char **ret_command)
{
    struct derive_request *derive_request = request;
    *ret_command = "TPM2_ECDH_ZGen";
    ESYS_TR how = ESYS_TR_NONE;
    TSS2_RC rc = tpm_target_session(tpm, target, true, &how);
    return rc != TSS2_RC_SUCCESS
               ? rc
               : Esys_ECDH_ZGen(tpm->esys, target->key, how, ESYS_TR_NONE, ESYS_TR_NONE,
                                &derive_request->point, &derive_request->secret);
}

CK_RV tpm_key_derive(struct tpm_key *key, struct view auth, struct view point,
                     struct bytes *ret_secret)
{
    struct derive_request request = {0};
    TPM2B_ECC_PARAMETER *x = &request.point.point.x;
    TPM2B_ECC_PARAMETER *y = &request.point.point.y;
    size_t size = public_key_coordinate_size(&key->public_key);
    if (point.size != 1 + 2 * size || size > sizeof(x->buffer))
        return CKR_MECHANISM_PARAM_INVALID;
    x->size = y->size = (UINT16)size;
    memcpy(x->buffer, point.data + 1, size);
    memcpy(y->buffer, point.data + 1 + size, size);
    CK_RV rv = tpm_key_run(key, auth, derive, &request);
    if (rv != CKR_OK)
        return rv;
    const TPM2B_ECC_PARAMETER *secret = &request.secret->point.x;
    struct bytes padded = {0};
    rv = append_number(&padded, view_of(secret->buffer, secret->size), size);
    rv = give(&padded, rv, ret_secret);
    explicit_bzero(request.secret, sizeof(*request.secret));
    Esys_Free(request.secret);
    return rv;
}
