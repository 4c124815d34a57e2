#include "token/crypto/decoder.h"

#include <stdlib.h>

#include "token/crypto/certificate.h"
#include "token/crypto/der.h"
#include "token/crypto/encrypted.h"
#include "token/crypto/public.h"
#include "token/crypto/tss2.h"

CK_RV decoder_fail(struct decoder *decoder, const struct reason *why, CK_RV rv)
{
    if (rv == CKR_DATA_INVALID)
        reason_set(decoder->reason, "cannot be used: %s: %s", decoder->where, why->text);
    else if (rv == CKR_PIN_INCORRECT)
        reason_set(decoder->reason, "cannot be opened with this password (%s)", decoder->where);
    else
        reason_set(decoder->reason, "cannot be read: error 0x%lx", (unsigned long)rv);
    return rv;
}

static CK_RV fail(struct decoder *decoder, const char *text)
{
    struct reason why = {0};
    reason_set(&why, "%s", text);
    return decoder_fail(decoder, &why, CKR_DATA_INVALID);
}

CK_RV decoder_add_certificate(struct decoder *decoder, struct view der)
{
    struct decoded *found = &decoder->found;
    struct reason why = {0};
    if (found->certificate_count == DECODE_MAX_CERTIFICATES)
        return fail(decoder, "it is one certificate too many");
    struct certificate certificate = {0};
    CK_RV rv = certificate_decode(der, &certificate, &why);
    if (rv != CKR_OK)
        return decoder_fail(decoder, &why, rv);
    struct certificate *grown =
        realloc(found->certificates, (found->certificate_count + 1) * sizeof(*grown));
    if (!grown) {
        certificate_clear(&certificate);
        return CKR_HOST_MEMORY;
    }
    grown[found->certificate_count++] = certificate;
    found->certificates = grown;
    return CKR_OK;
}

/* OpenSSL's own kind: a certificate with trust settings behind it. */
CK_RV decoder_add_trusted_certificate(struct decoder *decoder, struct view der)
{
    struct der certificate;
    if (!der_next(&der, &certificate))
        return fail(decoder, "its DER is malformed");
    return decoder_add_certificate(decoder, certificate.whole);
}

CK_RV decoder_add_tpm_key(struct decoder *decoder, struct view der)
{
    struct reason why = {0};
    if (decoder->found.tpm_key)
        return fail(decoder, "it is a second TPM key");
    CK_RV rv = tss2_decode(der, &decoder->found.tpm_key, &why);
    return rv == CKR_OK ? CKR_OK : decoder_fail(decoder, &why, rv);
}

static CK_RV keep_public_key(struct decoder *decoder, const struct public_key *key)
{
    if (decoder->found.public_key)
        return fail(decoder, "it is a second public key");
    struct public_key *kept = calloc(1, sizeof(*kept));
    if (!kept)
        return CKR_HOST_MEMORY;
    CK_RV rv = public_key_copy(kept, key);
    if (rv != CKR_OK) {
        free(kept);
        return rv;
    }
    decoder->found.public_key = kept;
    return CKR_OK;
}

CK_RV decoder_add_public_key(struct decoder *decoder, struct view der)
{
    CLEANUP(public_key_clear) struct public_key key = {0};
    CK_RV rv = crypto_public_decode(der, &key);
    if (rv == CKR_KEY_TYPE_INCONSISTENT)
        return fail(decoder, "its algorithm, size or curve is not supported");
    if (rv == CKR_DATA_INVALID)
        return fail(decoder, "its DER is malformed");
    return rv == CKR_OK ? keep_public_key(decoder, &key) : rv;
}

CK_RV decoder_add_rsa_public_key(struct decoder *decoder, struct view der)
{
    CLEANUP(public_key_clear) struct public_key key = {.algorithm = KEY_ALGORITHM_RSA};
    struct view numbers, modulus, exponent;
    if (!der_only(der, DER_SEQUENCE, &numbers) || !der_take_unsigned(&numbers, &modulus) ||
        !der_take_unsigned(&numbers, &exponent) || numbers.size)
        return fail(decoder, "its DER is malformed");
    CK_RV rv = bytes_copy(&key.modulus, modulus);
    if (rv == CKR_OK)
        rv = bytes_copy(&key.exponent, exponent);
    if (rv == CKR_OK)
        rv = crypto_public_complete(&key);
    if (rv == CKR_ATTRIBUTE_VALUE_INVALID)
        return fail(decoder, "it is no RSA key of a supported size");
    return rv == CKR_OK ? keep_public_key(decoder, &key) : rv;
}

static CK_RV add_private_key(struct decoder *decoder, enum software_key_form form, struct view der)
{
    struct reason why = {0};
    if (decoder->found.private_key)
        return fail(decoder, "it is a second private key");
    CK_RV rv = software_key_decode(form, der, &decoder->found.private_key, &why);
    return rv == CKR_OK ? CKR_OK : decoder_fail(decoder, &why, rv);
}

CK_RV decoder_add_pkcs8(struct decoder *decoder, struct view der)
{
    return add_private_key(decoder, SOFTWARE_KEY_PKCS8, der);
}

CK_RV decoder_add_pkcs1(struct decoder *decoder, struct view der)
{
    return add_private_key(decoder, SOFTWARE_KEY_PKCS1, der);
}

CK_RV decoder_add_sec1(struct decoder *decoder, struct view der)
{
    return add_private_key(decoder, SOFTWARE_KEY_SEC1, der);
}

CK_RV decoder_add_decrypted(struct decoder *decoder, enum software_key_form form, struct view der)
{
    const struct reason none = {0};
    if (!software_key_plausible(form, der))
        return decoder_fail(decoder, &none, CKR_PIN_INCORRECT);
    return add_private_key(decoder, form, der);
}

CK_RV decoder_add_encrypted_pkcs8(struct decoder *decoder, struct view der)
{
    struct reason why = {0};
    CLEANUP(bytes_free) struct bytes plain = {0};
    CK_RV rv = encrypted_pkcs8_open(der, decoder->password, &plain, &why);
    if (rv != CKR_OK)
        return decoder_fail(decoder, &why, rv);
    if (decoder->password.data)
        return decoder_add_decrypted(decoder, SOFTWARE_KEY_PKCS8, bytes_view(&plain));
    decoder->found.encrypted = true;
    return CKR_OK;
}
