#include "token/tpm/public.h"

#include <string.h>
#include <tss2/tss2_mu.h>

/* Named curves: DER of the OBJECT IDENTIFIER (RFC 5480 section 2.1.1.1). */
static const struct curve {
    TPM2_ECC_CURVE id;
    unsigned bits;
    uint8_t oid[10];
    size_t oid_size;
} curves[] = {
    {TPM2_ECC_NIST_P192, 192, {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1}, 10},
    {TPM2_ECC_NIST_P224, 224, {6, 5, 0x2b, 0x81, 4, 0, 0x21}, 7},
    {TPM2_ECC_NIST_P256, 256, {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, 10},
    {TPM2_ECC_NIST_P384, 384, {6, 5, 0x2b, 0x81, 4, 0, 0x22}, 7},
    {TPM2_ECC_NIST_P521, 521, {6, 5, 0x2b, 0x81, 4, 0, 0x23}, 7},
};

static const struct {
    enum hash hash;
    TPM2_ALG_ID algorithm;
} hashes[] = {
    {HASH_SHA1, TPM2_ALG_SHA1},
    {HASH_SHA256, TPM2_ALG_SHA256},
    {HASH_SHA384, TPM2_ALG_SHA384},
    {HASH_SHA512, TPM2_ALG_SHA512},
};

TPM2_ALG_ID tpm_hash_algorithm(enum hash hash)
{
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
        if (hashes[i].hash == hash)
            return hashes[i].algorithm;
    return TPM2_ALG_NULL;
}

enum hash tpm_hash_of(TPM2_ALG_ID algorithm)
{
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
        if (hashes[i].algorithm == algorithm)
            return hashes[i].hash;
    return HASH_NONE;
}

CK_RV tpm_public_decode(struct view marshalled, TPM2B_PUBLIC *ret_public, struct reason *reason)
{
    TPM2B_PUBLIC public = {0};
    size_t offset = 0;
    /* tpm2-tss does not compare the size in front with what it reads. */
    bool whole = marshalled.size > 2 &&
                 (size_t)(marshalled.data[0] << 8 | marshalled.data[1]) == marshalled.size - 2;
    TSS2_RC rc =
        whole ? Tss2_MU_TPM2B_PUBLIC_Unmarshal(marshalled.data, marshalled.size, &offset, &public)
              : TSS2_MU_RC_INSUFFICIENT_BUFFER;
    if (rc != TSS2_RC_SUCCESS || offset != marshalled.size) {
        reason_set(reason, "the TPM key's public area is malformed");
        return CKR_DATA_INVALID;
    }
    *ret_public = public;
    return CKR_OK;
}

static CK_RV rsa_key(const TPMT_PUBLIC *area, struct public_key *key)
{
    const TPM2B_PUBLIC_KEY_RSA *modulus = &area->unique.rsa;
    uint32_t exponent = area->parameters.rsaDetail.exponent;
    if (exponent == 0)
        exponent = 65537;
    uint8_t big_endian[4];
    size_t size = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        if (size || (exponent >> shift) & 0xff)
            big_endian[size++] = (uint8_t)(exponent >> shift);
    key->algorithm = KEY_ALGORITHM_RSA;
    key->bits = modulus->size * 8u;
    CK_RV rv = bytes_copy(&key->modulus, view_of(modulus->buffer, modulus->size));
    return rv != CKR_OK ? rv : bytes_copy(&key->exponent, view_of(big_endian, size));
}

static CK_RV ec_key(const TPMT_PUBLIC *area, const struct curve *curve, struct public_key *key)
{
    size_t coordinate = (curve->bits + 7) / 8;
    const TPMS_ECC_POINT *point = &area->unique.ecc;
    key->algorithm = KEY_ALGORITHM_EC;
    key->bits = curve->bits;
    CK_RV rv = bytes_copy(&key->curve, view_of(curve->oid, curve->oid_size));
    if (rv == CKR_OK)
        rv = bytes_alloc(&key->point, 1 + 2 * coordinate);
    if (rv != CKR_OK)
        return rv;
    key->point.data[0] = 4;
    memcpy(key->point.data + 1 + coordinate - point->x.size, point->x.buffer, point->x.size);
    memcpy(key->point.data + 1 + 2 * coordinate - point->y.size, point->y.buffer, point->y.size);
    return CKR_OK;
}

TPM2_ECC_CURVE tpm_public_curve(struct view parameters, size_t *ret_coordinate)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
        if (!view_equal(view_of(curves[i].oid, curves[i].oid_size), parameters))
            continue;
        *ret_coordinate = (curves[i].bits + 7) / 8;
        return curves[i].id;
    }
    return TPM2_ECC_NONE;
}

static const struct curve *find_curve(const TPMT_PUBLIC *area)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].id == area->parameters.eccDetail.curveID)
            return &curves[i];
    return NULL;
}

CK_RV tpm_public_key(const TPMT_PUBLIC *area, struct public_key *ret_key, struct reason *reason)
{
    struct public_key key CLEANUP(public_key_clear) = {0};
    CK_RV rv;
    if (area->type == TPM2_ALG_RSA) {
        if (area->unique.rsa.size < 128) {
            reason_set(reason, "the TPM key's RSA modulus is shorter than 1024 bits");
            return CKR_DATA_INVALID;
        }
        rv = rsa_key(area, &key);
    } else if (area->type == TPM2_ALG_ECC) {
        const struct curve *curve = find_curve(area);
        size_t coordinate = curve ? (curve->bits + 7) / 8 : 0;
        const TPMS_ECC_POINT *point = &area->unique.ecc;
        if (!curve || point->x.size > coordinate || point->y.size > coordinate ||
            point->x.size == 0 || point->y.size == 0) {
            reason_set(reason, curve ? "the TPM key's point does not fit its curve"
                                     : "the TPM key's curve is not one of NIST's");
            return CKR_DATA_INVALID;
        }
        rv = ec_key(area, curve, &key);
    } else {
        reason_set(reason, "the TPM key is neither RSA nor ECC");
        return CKR_DATA_INVALID;
    }
    if (rv != CKR_OK)
        return rv;
    public_key_clear(ret_key);
    *ret_key = key;
    key = (struct public_key){0};
    return CKR_OK;
}

bool tpm_public_secret(const TPMT_PUBLIC *area, struct public_key *ret_key)
{
    const TPMT_SYM_DEF_OBJECT *cipher = &area->parameters.symDetail.sym;
    TPMA_OBJECT uses = area->objectAttributes &
                       (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT);
    if (uses != (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT))
        return false;
    if (area->type == TPM2_ALG_KEYEDHASH &&
        area->parameters.keyedHashDetail.scheme.scheme == TPM2_ALG_NULL) {
        ret_key->algorithm = KEY_ALGORITHM_SECRET;
        return true;
    }
    if (area->type != TPM2_ALG_SYMCIPHER || cipher->algorithm != TPM2_ALG_AES ||
        cipher->mode.aes != TPM2_ALG_NULL)
        return false;
    ret_key->algorithm = KEY_ALGORITHM_AES;
    ret_key->bits = cipher->keyBits.aes;
    return true;
}

CK_RV tpm_key_public_read(struct view public, struct public_key *ret_key, struct reason *reason)
{
    TPM2B_PUBLIC decoded;
    CK_RV rv = tpm_public_decode(public, &decoded, reason);
    return rv != CKR_OK ? rv : tpm_public_key(&decoded.publicArea, ret_key, reason);
}

static bool fixed_scheme(TPM2_ALG_ID algorithm, enum scheme_kind *kind)
{
    static const struct {
        TPM2_ALG_ID algorithm;
        enum scheme_kind kind;
    } schemes[] = {
        {TPM2_ALG_RSASSA, SCHEME_RSA_PKCS1}, {TPM2_ALG_RSAES, SCHEME_RSA_PKCS1},
        {TPM2_ALG_RSAPSS, SCHEME_RSA_PSS},   {TPM2_ALG_OAEP, SCHEME_RSA_OAEP},
        {TPM2_ALG_ECDSA, SCHEME_ECDSA},
    };
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        if (schemes[i].algorithm == algorithm) {
            *kind = schemes[i].kind;
            return true;
        }
    }
    return false;
}

struct tpm_key_abilities tpm_public_abilities(const TPMT_PUBLIC *area)
{
    /* The scheme's union begins with the hash in every member that has one. */
    TPM2_ALG_ID scheme = area->type == TPM2_ALG_RSA ? area->parameters.rsaDetail.scheme.scheme
                                                    : area->parameters.eccDetail.scheme.scheme;
    TPM2_ALG_ID hash = area->type == TPM2_ALG_RSA
                           ? area->parameters.rsaDetail.scheme.details.anySig.hashAlg
                           : area->parameters.eccDetail.scheme.details.anySig.hashAlg;
    struct tpm_key_abilities abilities = {
        .sign = area->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT,
        .decrypt = area->objectAttributes & TPMA_OBJECT_DECRYPT,
        .fixed = scheme != TPM2_ALG_NULL,
    };
    /* A restricted key works on the TPM's own structures only. */
    if (area->objectAttributes & TPMA_OBJECT_RESTRICTED)
        return (struct tpm_key_abilities){0};
    if (!abilities.fixed)
        return abilities;
    if (!fixed_scheme(scheme, &abilities.fixed_scheme))
        return (struct tpm_key_abilities){0};
    abilities.fixed_hash = tpm_hash_of(hash);
    /* RSAES alone has no hash; one that is not known here cannot be asked for. */
    if (abilities.fixed_hash == HASH_NONE && scheme != TPM2_ALG_RSAES)
        return (struct tpm_key_abilities){0};
    return abilities;
}

/* Esys_TR_FromTPMPublic reads the area and keeps it; what it keeps can be had
 * serialised: handle, name, kind, TPM2B_PUBLIC. Without that, it is read again. */
static TSS2_RC kept_public(ESYS_CONTEXT *esys, ESYS_TR handle, TPM2B_PUBLIC *public)
{
    uint8_t *data = NULL;
    size_t size = 0;
    size_t offset = 0;
    TPM2B_NAME name = {0};
    UINT32 kind;
    TPM2_HANDLE tpm_handle;
    TSS2_RC rc = Esys_TR_Serialize(esys, handle, &data, &size);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = Tss2_MU_UINT32_Unmarshal(data, size, &offset, &tpm_handle);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NAME_Unmarshal(data, size, &offset, &name);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_UINT32_Unmarshal(data, size, &offset, &kind);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(data, size, &offset, public);
    Esys_Free(data);
    return rc;
}

TSS2_RC tpm_public_of(ESYS_CONTEXT *esys, ESYS_TR handle, TPM2B_PUBLIC *ret_public)
{
    TPM2B_PUBLIC *read = NULL;
    TPM2B_PUBLIC kept = {0};
    if (kept_public(esys, handle, &kept) == TSS2_RC_SUCCESS) {
        *ret_public = kept;
        return TSS2_RC_SUCCESS;
    }
    TSS2_RC rc =
        Esys_ReadPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &read, NULL, NULL);
    if (rc == TSS2_RC_SUCCESS)
        *ret_public = *read;
    Esys_Free(read);
    return rc;
}
