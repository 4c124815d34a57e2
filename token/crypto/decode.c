#include "token/crypto/decode.h"

#include <stdio.h>
#include <stdlib.h>

#include "token/crypto/decoder.h"
#include "token/crypto/der.h"
#include "token/crypto/encrypted.h"
#include "token/crypto/pkcs12.h"
#include "token/crypto/tss2.h"

typedef CK_RV (*adder)(struct decoder *decoder, struct view der);

/* Blocks that may have an encryption header have the key's form. */
static const struct label {
    const char *name;
    adder add;
    bool may_be_encrypted;
    enum software_key_form form;
} labels[] = {
    {"TSS2 PRIVATE KEY", decoder_add_tpm_key, false, 0},
    {"TSS2 KEY BLOB", decoder_add_tpm_key, false, 0},
    {"CERTIFICATE", decoder_add_certificate, false, 0},
    {"X509 CERTIFICATE", decoder_add_certificate, false, 0},
    {"TRUSTED CERTIFICATE", decoder_add_trusted_certificate, false, 0},
    {"PRIVATE KEY", decoder_add_pkcs8, true, SOFTWARE_KEY_PKCS8},
    {"ENCRYPTED PRIVATE KEY", decoder_add_encrypted_pkcs8, false, 0},
    {"RSA PRIVATE KEY", decoder_add_pkcs1, true, SOFTWARE_KEY_PKCS1},
    {"EC PRIVATE KEY", decoder_add_sec1, true, SOFTWARE_KEY_SEC1},
    {"PUBLIC KEY", decoder_add_public_key, false, 0},
    {"RSA PUBLIC KEY", decoder_add_rsa_public_key, false, 0},
};

static const struct label *find_label(struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
        if (view_equal(view_string(labels[i].name), name))
            return &labels[i];
    return NULL;
}

static CK_RV open_header(struct decoder *decoder, const struct label *label,
                         const struct pem_encryption *encryption, struct view cipher)
{
    struct reason why = {0};
    CLEANUP(bytes_free) struct bytes plain = {0};
    CK_RV rv = CKR_DATA_INVALID;
    if (label->may_be_encrypted)
        rv = encrypted_pem_open(encryption, cipher, decoder->password, &plain, &why);
    else
        reason_set(&why, "it cannot have an encryption header");
    if (rv != CKR_OK)
        return decoder_fail(decoder, &why, rv);
    if (decoder->password.data)
        return decoder_add_decrypted(decoder, label->form, bytes_view(&plain));
    decoder->found.encrypted = true;
    return CKR_OK;
}

static CK_RV add_block(struct decoder *decoder, const struct label *label,
                       const struct pem_block *block)
{
    CLEANUP(bytes_free) struct bytes content = {0};
    struct pem_encryption encryption;
    CK_RV rv = pem_decode(block, &content, &encryption, decoder->reason);
    if (rv != CKR_OK)
        return rv;
    snprintf(decoder->where, sizeof(decoder->where), "the %s at line %u", label->name, block->line);
    if (encryption.cipher[0])
        return open_header(decoder, label, &encryption, bytes_view(&content));
    return label->add(decoder, bytes_view(&content));
}

static bool nothing_found(const struct decoded *found)
{
    return !found->tpm_key && !found->private_key && !found->public_key &&
           found->certificate_count == 0 && !found->encrypted;
}

static CK_RV refuse_label(struct decoder *decoder, struct view label)
{
    bool openssh = view_equal(label, view_string("OPENSSH PRIVATE KEY"));
    reason_set(decoder->reason, "holds no key or certificate of a known kind, only %.*s%s",
               (int)label.size, (const char *)label.data,
               openssh ? "; convert it with `ssh-keygen -p -m PKCS8 -f FILE`" : "");
    return CKR_DATA_INVALID;
}

static CK_RV add_pem(struct decoder *decoder, struct view text, bool *ret_any)
{
    struct pem_reader reader = pem_reader_of(text);
    struct view unknown = {0};
    for (*ret_any = false;; *ret_any = true) {
        struct pem_block block;
        CK_RV rv = pem_next(&reader, &block, decoder->reason);
        if (rv != CKR_OK)
            return rv;
        if (!block.label.data)
            break;
        const struct label *label = find_label(block.label);
        if (!label)
            unknown = block.label;
        else
            rv = add_block(decoder, label, &block);
        if (rv != CKR_OK)
            return rv;
    }
    if (unknown.data && nothing_found(&decoder->found))
        return refuse_label(decoder, unknown);
    return CKR_OK;
}

static const struct shape {
    const char *name;
    adder add;
} shape_pkcs12 = {"the PKCS #12 file", decoder_add_pkcs12},
  shape_tss2 = {"the DER TPM key", decoder_add_tpm_key},
  shape_certificate = {"the DER certificate", decoder_add_certificate},
  shape_pkcs8 = {"the DER PKCS #8 key", decoder_add_pkcs8},
  shape_encrypted = {"the DER encrypted PKCS #8 key", decoder_add_encrypted_pkcs8},
  shape_pkcs1 = {"the DER PKCS #1 key", decoder_add_pkcs1},
  shape_sec1 = {"the DER SEC 1 key", decoder_add_sec1},
  shape_public = {"the DER public key", decoder_add_public_key},
  shape_rsa_public = {"the DER RSA public key", decoder_add_rsa_public_key};

/* Structures that begin with a version or another number. */
static const struct shape *recognise_numbered(struct view in)
{
    struct view number, second;
    if (!der_take_unsigned(&in, &number))
        return NULL;
    switch (der_peek(in)) {
    case DER_SEQUENCE:
        return number.size == 1 && number.data[0] == 3 ? &shape_pkcs12 : &shape_pkcs8;
    case DER_OCTET_STRING:
        return &shape_sec1;
    case DER_INTEGER:
        if (!der_take_unsigned(&in, &second))
            return NULL;
        return in.size ? &shape_pkcs1 : &shape_rsa_public;
    default:
        return NULL;
    }
}

/* Structures that begin with an algorithm, or a certificate's body. */
static const struct shape *recognise_nested(struct view in)
{
    struct view first;
    if (!der_take(&in, DER_SEQUENCE, &first))
        return NULL;
    switch (der_peek(in)) {
    case DER_BIT_STRING:
        return &shape_public;
    case DER_OCTET_STRING:
        return &shape_encrypted;
    case DER_SEQUENCE:
        return &shape_certificate;
    default:
        return NULL;
    }
}

static const struct shape *recognise(struct view der)
{
    struct view inner;
    if (!der_only(der, DER_SEQUENCE, &inner))
        return NULL;
    switch (der_peek(inner)) {
    case DER_OID:
        return &shape_tss2;
    case DER_INTEGER:
        return recognise_numbered(inner);
    case DER_SEQUENCE:
        return recognise_nested(inner);
    default:
        return NULL;
    }
}

static CK_RV add_der(struct decoder *decoder, struct view der)
{
    /* Some programs write PKCS #12 with an indefinite length, which is BER. */
    bool indefinite = der.size > 2 && der.data[1] == 0x80;
    const struct shape *shape = indefinite ? &shape_pkcs12 : recognise(der);
    if (!shape) {
        reason_set(decoder->reason, "is DER of an unknown kind");
        return CKR_DATA_INVALID;
    }
    snprintf(decoder->where, sizeof(decoder->where), "%s", shape->name);
    return shape->add(decoder, der);
}

static CK_RV refuse_unknown(struct decoder *decoder, struct view file)
{
    size_t needed = der_peek(file) == DER_SEQUENCE ? der_size_needed(file) : 0;
    if (needed > file.size)
        reason_set(decoder->reason, "is truncated: its DER should have %zu bytes and has %zu",
                   needed, file.size);
    else if (needed && recognise(view_of(file.data, needed)))
        reason_set(decoder->reason, "has %zu bytes more than its DER", file.size - needed);
    else if (file.size >= 2 && ((file.data[0] == 0xff && file.data[1] == 0xfe) ||
                                (file.data[0] == 0xfe && file.data[1] == 0xff)))
        reason_set(decoder->reason, "is text in UTF-16; store it in UTF-8");
    else
        reason_set(decoder->reason, "is neither PEM nor DER of a known kind");
    return CKR_DATA_INVALID;
}

static CK_RV add_file(struct decoder *decoder, struct view file)
{
    if (file.size == 0) {
        reason_set(decoder->reason, "is empty");
        return CKR_DATA_INVALID;
    }
    if (file.size > DECODE_MAX_FILE_SIZE) {
        reason_set(decoder->reason, "is larger than %u bytes", (unsigned)DECODE_MAX_FILE_SIZE);
        return CKR_DATA_INVALID;
    }
    if (der_peek(file) == DER_SEQUENCE &&
        (der_size_needed(file) == file.size || (file.size > 2 && file.data[1] == 0x80)))
        return add_der(decoder, file);
    bool any = false;
    CK_RV rv = add_pem(decoder, file, &any);
    return rv == CKR_OK && !any ? refuse_unknown(decoder, file) : rv;
}

CK_RV crypto_decode(struct view file, struct view password, struct decoded *ret_decoded,
                    struct reason *reason)
{
    struct decoder decoder = {.password = password, .reason = reason};
    CK_RV rv = add_file(&decoder, file);
    if (rv == CKR_OK && nothing_found(&decoder.found)) {
        reason_set(reason, "holds no key and no certificate");
        rv = CKR_DATA_INVALID;
    }
    if (rv != CKR_OK) {
        decoded_clear(&decoder.found);
        return rv;
    }
    *ret_decoded = decoder.found;
    return CKR_OK;
}

void decoded_clear(struct decoded *decoded)
{
    if (!decoded)
        return;
    tss2_free(decoded->tpm_key);
    crypto_key_free(decoded->private_key);
    public_key_clear(decoded->public_key);
    free(decoded->public_key);
    for (size_t i = 0; i < decoded->certificate_count; i++)
        certificate_clear(&decoded->certificates[i]);
    free(decoded->certificates);
    *decoded = (struct decoded){0};
}
