#include "token/crypto/pkcs12.h"

#include <limits.h>

#include <openssl/pkcs12.h>

#include "token/crypto/der.h"
#include "token/crypto/encrypted.h"
#include "token/crypto/openssl.h"

#define MAX_NESTING 4

OPENSSL_DROP(PKCS12, PKCS12_free)

typedef STACK_OF(PKCS7) content_list;
typedef STACK_OF(PKCS12_SAFEBAG) bag_list;

static void content_list_drop(content_list **list)
{
    sk_PKCS7_pop_free(*list, PKCS7_free);
}

static void bag_list_drop(bag_list **list)
{
    sk_PKCS12_SAFEBAG_pop_free(*list, PKCS12_SAFEBAG_free);
}

static CK_RV fail(struct decoder *decoder, CK_RV rv, const char *text)
{
    struct reason why = {0};
    reason_set(&why, "%s", text);
    return decoder_fail(decoder, &why, rv);
}

/* CertBag ::= SEQUENCE { x509Certificate, [0] OCTET STRING } inside [0] of the
 * bag. OpenSSL's accessor would parse the certificate in the host's context. */
static CK_RV add_certificate_bag(struct decoder *decoder, const PKCS12_SAFEBAG *bag)
{
    unsigned char *der = NULL;
    int size = i2d_PKCS12_SAFEBAG(bag, &der);
    if (size <= 0)
        return CKR_HOST_MEMORY;
    struct view in, oid, wrapped, pair, certificate;
    CK_RV rv = CKR_OK;
    if (!der_only(view_of(der, (size_t)size), DER_SEQUENCE, &in) || !der_take(&in, DER_OID, &oid) ||
        !der_take(&in, DER_CONTEXT(0), &wrapped) || !der_only(wrapped, DER_SEQUENCE, &pair) ||
        !der_take(&pair, DER_OID, &oid) || !der_take(&pair, DER_CONTEXT(0), &wrapped) ||
        !der_only(wrapped, DER_OCTET_STRING, &certificate))
        rv = fail(decoder, CKR_DATA_INVALID, "a certificate in it is malformed");
    else
        rv = decoder_add_certificate(decoder, certificate);
    OPENSSL_free(der);
    return rv;
}

static CK_RV add_plain_key_bag(struct decoder *decoder, const PKCS12_SAFEBAG *bag)
{
    unsigned char *der = NULL;
    int size = i2d_PKCS8_PRIV_KEY_INFO(PKCS12_SAFEBAG_get0_p8inf(bag), &der);
    if (size <= 0)
        return CKR_HOST_MEMORY;
    CK_RV rv = decoder_add_pkcs8(decoder, view_of(der, (size_t)size));
    OPENSSL_clear_free(der, (size_t)size);
    return rv;
}

static CK_RV open_sealed(struct decoder *decoder, const X509_ALGOR *algorithm,
                         const ASN1_OCTET_STRING *cipher, struct view password,
                         struct bytes *ret_plain)
{
    struct reason why = {0};
    CK_RV rv = encrypted_check(algorithm, &why);
    if (rv == CKR_OK)
        rv = encrypted_open(algorithm, cipher, password, ret_plain);
    return rv == CKR_OK ? CKR_OK : decoder_fail(decoder, &why, rv);
}

static CK_RV add_sealed_key_bag(struct decoder *decoder, const PKCS12_SAFEBAG *bag,
                                struct view password)
{
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OCTET_STRING *cipher = NULL;
    CLEANUP(bytes_free) struct bytes plain = {0};
    X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, &cipher);
    CK_RV rv = open_sealed(decoder, algorithm, cipher, password, &plain);
    if (rv == CKR_OK)
        rv = decoder_add_decrypted(decoder, SOFTWARE_KEY_PKCS8, bytes_view(&plain));
    return rv;
}

static CK_RV add_bags(struct decoder *decoder, const bag_list *bags, struct view password,
                      unsigned nesting);

static CK_RV add_bag(struct decoder *decoder, const PKCS12_SAFEBAG *bag, struct view password,
                     unsigned nesting)
{
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
        return add_plain_key_bag(decoder, bag);
    case NID_pkcs8ShroudedKeyBag:
        return add_sealed_key_bag(decoder, bag, password);
    case NID_certBag:
        if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
            return CKR_OK;
        return add_certificate_bag(decoder, bag);
    case NID_safeContentsBag:
        return add_bags(decoder, PKCS12_SAFEBAG_get0_safes(bag), password, nesting + 1);
    default:
        return CKR_OK;
    }
}

static CK_RV add_bags(struct decoder *decoder, const bag_list *bags, struct view password,
                      unsigned nesting)
{
    if (nesting > MAX_NESTING)
        return fail(decoder, CKR_DATA_INVALID, "it is nested too deeply");
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        CK_RV rv = add_bag(decoder, sk_PKCS12_SAFEBAG_value(bags, i), password, nesting);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

static CK_RV unpack_sealed(struct decoder *decoder, const PKCS7 *content, struct view password,
                           bag_list **ret_bags)
{
    if (!content->d.encrypted || !content->d.encrypted->enc_data->enc_data)
        return fail(decoder, CKR_DATA_INVALID, "a part of it is missing");
    const PKCS7_ENC_CONTENT *sealed = content->d.encrypted->enc_data;
    CLEANUP(bytes_free) struct bytes plain = {0};
    CK_RV rv = open_sealed(decoder, sealed->algorithm, sealed->enc_data, password, &plain);
    if (rv != CKR_OK)
        return rv;
    const unsigned char *in = plain.data;
    bag_list *bags =
        (bag_list *)ASN1_item_d2i(NULL, &in, (long)plain.size, ASN1_ITEM_rptr(PKCS12_SAFEBAGS));
    if (!bags)
        return fail(decoder, CKR_PIN_INCORRECT, "");
    *ret_bags = bags;
    return CKR_OK;
}

static CK_RV add_content(struct decoder *decoder, PKCS7 *content, struct view password)
{
    CLEANUP(bag_list_drop) bag_list *bags = NULL;
    if (PKCS7_type_is_encrypted(content)) {
        CK_RV rv = unpack_sealed(decoder, content, password, &bags);
        if (rv != CKR_OK)
            return rv;
    } else if (PKCS7_type_is_data(content) && content->d.data) {
        bags = PKCS12_unpack_p7data(content);
    }
    if (!bags)
        return fail(decoder, CKR_DATA_INVALID, "a part of it is neither plain nor encrypted data");
    return add_bags(decoder, bags, password, 0);
}

static CK_RV add_contents(struct decoder *decoder, const PKCS12 *file, struct view password)
{
    CLEANUP(content_list_drop) content_list *contents = PKCS12_unpack_authsafes(file);
    if (!contents)
        return fail(decoder, CKR_DATA_INVALID, "its content is malformed or signed with a key");
    for (int i = 0; i < sk_PKCS7_num(contents); i++) {
        CK_RV rv = add_content(decoder, sk_PKCS7_value(contents, i), password);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

/* Whether the check of the password itself can be done. PBMAC1 (RFC 9579) came
 * with OpenSSL 3.4. */
static CK_RV check_mac(struct decoder *decoder, const PKCS12 *file)
{
    const X509_ALGOR *algorithm = NULL;
    const ASN1_INTEGER *rounds = NULL;
    const ASN1_OBJECT *object = NULL;
    int64_t count = 1;
    PKCS12_get0_mac(NULL, &algorithm, NULL, &rounds, file);
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    int nid = OBJ_obj2nid(object);
    if (rounds &&
        (ASN1_INTEGER_get_int64(&count, rounds) != 1 || count < 1 || count > ENCRYPTED_MAX_ROUNDS))
        return fail(decoder, CKR_DATA_INVALID, "its check value asks for too many rounds");
    if (nid == NID_pbmac1 && OpenSSL_version_num() >= 0x30400000L) {
        struct reason why = {0};
        CK_RV rv = encrypted_check_pbmac1(algorithm, &why);
        return rv == CKR_OK ? CKR_OK : decoder_fail(decoder, &why, rv);
    }
    CLEANUP(EVP_MD_drop)
    EVP_MD *md = nid == NID_undef ? NULL : EVP_MD_fetch(crypto_context(), OBJ_nid2sn(nid), NULL);
    if (md)
        return CKR_OK;
    return fail(decoder, CKR_DATA_INVALID,
                "its check value is of a kind that this OpenSSL does not know; write it anew with "
                "an `openssl pkcs12 -export` command");
}

static bool mac_fits(PKCS12 *file, struct view password)
{
    return password.size <= INT_MAX &&
           PKCS12_verify_mac(file, (const char *)password.data, (int)password.size) == 1;
}

/* What no password could open is told at once, not after asking for one. */
static CK_RV check_contents(struct decoder *decoder, const PKCS12 *file)
{
    CLEANUP(content_list_drop) content_list *contents = PKCS12_unpack_authsafes(file);
    for (int i = 0; contents && i < sk_PKCS7_num(contents); i++) {
        const PKCS7 *content = sk_PKCS7_value(contents, i);
        if (!PKCS7_type_is_encrypted(content) || !content->d.encrypted)
            continue;
        struct reason why = {0};
        CK_RV rv = encrypted_check(content->d.encrypted->enc_data->algorithm, &why);
        if (rv != CKR_OK)
            return decoder_fail(decoder, &why, rv);
    }
    return CKR_OK;
}

static CK_RV wrong_password(struct decoder *decoder, const PKCS12 *file)
{
    if (decoder->password.data)
        return fail(decoder, CKR_PIN_INCORRECT, "");
    decoder->found.encrypted = true;
    return check_contents(decoder, file);
}

/* There are two ways to write no password: an empty string, and none at all. */
static CK_RV add_with_mac(struct decoder *decoder, PKCS12 *file)
{
    struct view password = decoder->password.data ? decoder->password : view_of("", 0);
    CK_RV rv = check_mac(decoder, file);
    if (rv != CKR_OK)
        return rv;
    if (mac_fits(file, password))
        return add_contents(decoder, file, password);
    if (password.size == 0 && mac_fits(file, (struct view){0}))
        return add_contents(decoder, file, (struct view){0});
    return wrong_password(decoder, file);
}

static CK_RV add_without_mac(struct decoder *decoder, const PKCS12 *file)
{
    struct view password = decoder->password.data ? decoder->password : view_of("", 0);
    CK_RV rv = add_contents(decoder, file, password);
    if (rv == CKR_PIN_INCORRECT && !decoder->password.data) {
        decoder->found.encrypted = true;
        return CKR_OK;
    }
    return rv;
}

CK_RV decoder_add_pkcs12(struct decoder *decoder, struct view der)
{
    KEEP_ERROR_QUEUE;
    if (!crypto_context())
        return CKR_HOST_MEMORY;
    CLEANUP(BIO_drop) BIO *in = BIO_new_mem_buf(der.data, (int)der.size);
    CLEANUP(PKCS12_drop) PKCS12 *file = PKCS12_init_ex(NID_pkcs7_data, crypto_context(), NULL);
    if (!in || !file)
        return CKR_HOST_MEMORY;
    if (!d2i_PKCS12_bio(in, &file) || !file)
        return fail(decoder, CKR_DATA_INVALID, "its DER is malformed or cut off");
    return PKCS12_mac_present(file) ? add_with_mac(decoder, file) : add_without_mac(decoder, file);
}
