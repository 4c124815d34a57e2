#include "token/crypto/software_key.h"

#include <string.h>

#include <openssl/decoder.h>
#include <openssl/objects.h>

#include "token/crypto/curve.h"
#include "token/crypto/der.h"
#include "token/crypto/key.h"

OPENSSL_DROP(OSSL_DECODER_CTX, OSSL_DECODER_CTX_free)
OPENSSL_DROP(ASN1_OBJECT, ASN1_OBJECT_free)

/* What a private key says about itself in front of its secrets. */
struct outline {
    struct view oid;
    struct view parameters; /* an EC key's curve */
    struct view secret;     /* of PKCS #8, as are the attributes and the public key behind it */
    struct view rest;
};

static bool read_pkcs8(struct view in, struct outline *outline)
{
    struct view version, algorithm;
    if (!der_take(&in, DER_INTEGER, &version) || !der_take(&in, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &outline->oid) ||
        !der_take(&in, DER_OCTET_STRING, &outline->secret))
        return false;
    outline->parameters = algorithm;
    outline->rest = in;
    return true;
}

static bool read_pkcs1(struct view in)
{
    struct view version, modulus, exponent;
    return der_take(&in, DER_INTEGER, &version) && der_take_unsigned(&in, &modulus) &&
           der_take_unsigned(&in, &exponent) && der_peek(in) == DER_INTEGER;
}

static bool read_sec1(struct view in, struct outline *outline)
{
    struct view version, secret;
    if (!der_take(&in, DER_INTEGER, &version) || !der_take(&in, DER_OCTET_STRING, &secret))
        return false;
    (void)der_take(&in, DER_CONTEXT(0), &outline->parameters);
    return true;
}

static bool read_outline(enum software_key_form form, struct view der, struct outline *outline)
{
    struct view inner;
    if (!der_only(der, DER_SEQUENCE, &inner))
        return false;
    switch (form) {
    case SOFTWARE_KEY_PKCS8:
        return read_pkcs8(inner, outline);
    case SOFTWARE_KEY_PKCS1:
        return read_pkcs1(inner);
    default:
        return read_sec1(inner, outline);
    }
}

bool software_key_plausible(enum software_key_form form, struct view der)
{
    struct outline outline = {0};
    return read_outline(form, der, &outline);
}

static CK_RV refuse_algorithm(struct view oid, struct reason *reason)
{
    char name[80] = "unknown";
    CLEANUP(bytes_free) struct bytes whole = {0};
    CK_RV rv = der_append(&whole, DER_OID, oid);
    if (rv != CKR_OK)
        return rv;
    const unsigned char *in = whole.data;
    CLEANUP(ASN1_OBJECT_drop) ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &in, (long)whole.size);
    if (object)
        OBJ_obj2txt(name, sizeof(name), object, 0);
    reason_set(reason,
               "its algorithm (%s) is not supported, only RSA, EC, EdDSA, X25519 and X448 are",
               name);
    return CKR_DATA_INVALID;
}

/* The key's type for OpenSSL, after a look at what it would take long to refuse. */
static CK_RV choose_type(enum software_key_form form, const struct outline *outline,
                         const char **ret_type, struct reason *reason)
{
    static const uint8_t rsa_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
    static const uint8_t ec_oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
    bool pkcs8 = form == SOFTWARE_KEY_PKCS8;
    if (form == SOFTWARE_KEY_PKCS1 ||
        (pkcs8 && view_equal(outline->oid, view_of(rsa_oid, sizeof(rsa_oid))))) {
        *ret_type = "RSA";
        return CKR_OK;
    }
    if (pkcs8 && !view_equal(outline->oid, view_of(ec_oid, sizeof(ec_oid))))
        return refuse_algorithm(outline->oid, reason);
    if (!curve_by_oid(KEY_ALGORITHM_EC, outline->parameters)) {
        reason_set(reason, "its curve is not supported");
        return CKR_DATA_INVALID;
    }
    *ret_type = "EC";
    return CKR_OK;
}

static EVP_PKEY *decode(const char *type, const char *structure, struct view der)
{
    EVP_PKEY *pkey = NULL;
    CLEANUP(OSSL_DECODER_CTX_drop)
    OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(
        &pkey, "DER", structure, type, EVP_PKEY_KEYPAIR, crypto_context(), NULL);
    if (!decoder || OSSL_DECODER_from_data(decoder, &der.data, &der.size) != 1 || der.size) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

/* RFC 8410, 7. OpenSSL 3.0 would not read the second version, which has the public
 * key too: [1] IMPLICIT BIT STRING. */
static CK_RV decode_raw(const struct curve *curve, const struct outline *outline,
                        EVP_PKEY **ret_pkey, struct reason *reason)
{
    uint8_t point[64];
    struct view secret, attributes, public = {0}, rest = outline->rest;
    size_t size = sizeof(point);
    (void)der_take(&rest, DER_CONTEXT(0), &attributes);
    (void)der_take(&rest, DER_CONTEXT_PRIMITIVE(1), &public);
    if (outline->parameters.size || rest.size ||
        !der_only(outline->secret, DER_OCTET_STRING, &secret) ||
        secret.size != curve_private_size(curve)) {
        reason_set(reason, "its DER is malformed");
        return CKR_DATA_INVALID;
    }
    CLEANUP(EVP_PKEY_drop)
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(crypto_context(), curve->name, NULL,
                                                     secret.data, secret.size);
    if (!pkey || EVP_PKEY_get_raw_public_key(pkey, point, &size) != 1)
        return CKR_HOST_MEMORY;
    if (public.data && (public.size != size + 1 || memcmp(public.data + 1, point, size) != 0)) {
        reason_set(reason, "its public key is another one's");
        return CKR_DATA_INVALID;
    }
    *ret_pkey = pkey;
    pkey = NULL;
    return CKR_OK;
}

static CK_RV decode_numbers(enum software_key_form form, const struct outline *outline,
                            struct view der, EVP_PKEY **ret_pkey, struct reason *reason)
{
    const char *type = NULL;
    CK_RV rv = choose_type(form, outline, &type, reason);
    if (rv != CKR_OK)
        return rv;
    EVP_PKEY *pkey =
        decode(type, form == SOFTWARE_KEY_PKCS8 ? "PrivateKeyInfo" : "type-specific", der);
    if (!pkey) {
        reason_set(reason, "OpenSSL cannot read it: %s", crypto_error_text());
        return CKR_DATA_INVALID;
    }
    *ret_pkey = pkey;
    return CKR_OK;
}

CK_RV software_key_decode(enum software_key_form form, struct view der, struct crypto_key **ret_key,
                          struct reason *reason)
{
    KEEP_ERROR_QUEUE;
    struct outline outline = {0};
    CLEANUP(EVP_PKEY_drop) EVP_PKEY *pkey = NULL;
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    if (!read_outline(form, der, &outline)) {
        reason_set(reason, "its DER is malformed");
        return CKR_DATA_INVALID;
    }
    const struct curve *raw = form == SOFTWARE_KEY_PKCS8 ? curve_by_algorithm(outline.oid) : NULL;
    CK_RV rv = raw ? decode_raw(raw, &outline, &pkey, reason)
                   : decode_numbers(form, &outline, der, &pkey, reason);
    if (rv == CKR_OK)
        rv = crypto_key_take(crypto_context(), pkey, false, ret_key);
    if (rv == CKR_KEY_TYPE_INCONSISTENT) {
        reason_set(reason, "its size or curve is not supported");
        return CKR_DATA_INVALID;
    }
    if (rv == CKR_OK)
        pkey = NULL;
    return rv;
}
