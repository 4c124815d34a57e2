#include "conformance/api/samples.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

static const char *const names[KINDS] = {
    "data",
    "a certificate",
    "an RSA public key",
    "an RSA private key",
    "an EC public key",
    "an EC private key",
    "an AES key",
    "a generic key",
};

static EVP_PKEY *rsa, *ec;

const char *kind_name(enum kind kind)
{
    return names[kind];
}

bool kind_is_key(enum kind kind)
{
    return kind >= RSA_PUBLIC;
}

EVP_PKEY *new_rsa(unsigned bits)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);

    assert_non_null(key);
    return key;
}

EVP_PKEY *new_ec(const char *curve)
{
    EVP_PKEY *key = EVP_EC_gen(curve);

    assert_non_null(key);
    return key;
}

EVP_PKEY *new_edwards(int type)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(type, NULL);
    EVP_PKEY *key = NULL;

    assert_true(EVP_PKEY_keygen_init(context) > 0 && EVP_PKEY_keygen(context, &key) > 0);
    EVP_PKEY_CTX_free(context);
    return key;
}

EVP_PKEY *sample_key(enum kind kind)
{
    if (kind == EC_PUBLIC || kind == EC_PRIVATE) {
        if (!ec)
            ec = new_ec("P-256");
        return ec;
    }
    if (!rsa)
        rsa = new_rsa(2048);
    return rsa;
}

/* Values outlive their template: tests end soon enough. */
static void *keep(const void *value, size_t length)
{
    static unsigned char store[1 << 18];
    static size_t used;
    unsigned char *kept = store + used;

    assert_true(used + length <= sizeof(store));
    memcpy(kept, value, length);
    used += length;
    return kept;
}

void template_set(struct template *template, CK_ATTRIBUTE attribute)
{
    if (attribute.pValue)
        attribute.pValue = keep(attribute.pValue, attribute.ulValueLen);
    for (CK_ULONG i = 0; i < template->count; i++)
        if (template->list[i].type == attribute.type) {
            template->list[i] = attribute;
            return;
        }
    assert_true(template->count < MAX_ATTRIBUTES);
    template->list[template->count++] = attribute;
}

void template_remove(struct template *template, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < template->count; i++)
        if (template->list[i].type == type)
            template->list[i--] = template->list[--template->count];
}

static void set_bytes(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value,
                      size_t length)
{
    template_set(template, (CK_ATTRIBUTE)BYTES(type, value, length));
}

static void set_flag(struct template *template, CK_ATTRIBUTE_TYPE type, bool value)
{
    template_set(template, (CK_ATTRIBUTE)FLAG(type, value));
}

static void set_number(struct template *template, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    template_set(template, (CK_ATTRIBUTE)NUMBER(type, value));
}

static void set_bignum(struct template *template, CK_ATTRIBUTE_TYPE type, EVP_PKEY *key,
                       const char *name)
{
    unsigned char bytes[1024];
    BIGNUM *number = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    set_bytes(template, type, bytes, (size_t)BN_bn2bin(number, bytes));
    BN_clear_free(number);
}

/* CKA_EC_PARAMS: the object identifier, as in the key's SubjectPublicKeyInfo. */
static void set_curve(struct template *template, EVP_PKEY *key)
{
    char name[64] = "";
    int nid = EVP_PKEY_get_base_id(key);
    unsigned char *der = NULL;
    int length;

    if (nid == EVP_PKEY_EC) {
        assert_int_equal(EVP_PKEY_get_group_name(key, name, sizeof(name), NULL), 1);
        nid = OBJ_sn2nid(name) != NID_undef ? OBJ_sn2nid(name) : EC_curve_nist2nid(name);
    }
    length = i2d_ASN1_OBJECT(OBJ_nid2obj(nid), &der);
    assert_true(length > 0);
    set_bytes(template, CKA_EC_PARAMS, der, (size_t)length);
    OPENSSL_free(der);
}

static CK_KEY_TYPE key_type_of(EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return CKK_RSA;
    case EVP_PKEY_EC:
        return CKK_EC;
    case EVP_PKEY_ED25519:
        return CKK_EC_EDWARDS;
    default:
        return CKK_EC_MONTGOMERY;
    }
}

static void set_point(struct template *template, EVP_PKEY *key)
{
    unsigned char point[256];
    size_t length = 0;
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    unsigned char *der = NULL;
    int der_length;

    assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                     sizeof(point), &length),
                     1);
    ASN1_OCTET_STRING_set(string, point, (int)length);
    der_length = i2d_ASN1_OCTET_STRING(string, &der);
    set_bytes(template, CKA_EC_POINT, der, (size_t)der_length);
    OPENSSL_free(der);
    ASN1_OCTET_STRING_free(string);
}

struct template public_template(EVP_PKEY *key)
{
    struct template template = {.count = 0};

    set_number(&template, CKA_CLASS, CKO_PUBLIC_KEY);
    set_number(&template, CKA_KEY_TYPE, key_type_of(key));
    set_flag(&template, CKA_VERIFY, true);
    if (key_type_of(key) == CKK_RSA) {
        set_bignum(&template, CKA_MODULUS, key, OSSL_PKEY_PARAM_RSA_N);
        set_bignum(&template, CKA_PUBLIC_EXPONENT, key, OSSL_PKEY_PARAM_RSA_E);
        set_flag(&template, CKA_ENCRYPT, true);
    } else {
        set_curve(&template, key);
        set_point(&template, key);
    }
    return template;
}

static void set_rsa_parts(struct template *template, EVP_PKEY *key)
{
    set_bignum(template, CKA_MODULUS, key, OSSL_PKEY_PARAM_RSA_N);
    set_bignum(template, CKA_PUBLIC_EXPONENT, key, OSSL_PKEY_PARAM_RSA_E);
    set_bignum(template, CKA_PRIVATE_EXPONENT, key, OSSL_PKEY_PARAM_RSA_D);
    set_bignum(template, CKA_PRIME_1, key, OSSL_PKEY_PARAM_RSA_FACTOR1);
    set_bignum(template, CKA_PRIME_2, key, OSSL_PKEY_PARAM_RSA_FACTOR2);
    set_bignum(template, CKA_EXPONENT_1, key, OSSL_PKEY_PARAM_RSA_EXPONENT1);
    set_bignum(template, CKA_EXPONENT_2, key, OSSL_PKEY_PARAM_RSA_EXPONENT2);
    set_bignum(template, CKA_COEFFICIENT, key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
    set_flag(template, CKA_DECRYPT, true);
}

struct template private_template(EVP_PKEY *key)
{
    struct template template = {.count = 0};
    unsigned char value[64];
    size_t length = sizeof(value);
    CK_KEY_TYPE type = key_type_of(key);

    set_number(&template, CKA_CLASS, CKO_PRIVATE_KEY);
    set_number(&template, CKA_KEY_TYPE, type);
    if (type == CKK_RSA)
        set_rsa_parts(&template, key);
    else
        set_curve(&template, key);
    if (type == CKK_EC)
        set_bignum(&template, CKA_VALUE, key, OSSL_PKEY_PARAM_PRIV_KEY);
    if (type == CKK_EC_EDWARDS || type == CKK_EC_MONTGOMERY) {
        assert_int_equal(EVP_PKEY_get_raw_private_key(key, value, &length), 1);
        set_bytes(&template, CKA_VALUE, value, length);
    }
    if (type == CKK_EC || type == CKK_EC_MONTGOMERY)
        set_flag(&template, CKA_DERIVE, true);
    if (type != CKK_EC_MONTGOMERY)
        set_flag(&template, CKA_SIGN, true);
    return template;
}

static void set_certificate(struct template *template)
{
    EVP_PKEY *key = sample_key(RSA_PUBLIC);
    X509 *certificate = X509_new();
    unsigned char *der = NULL, *subject = NULL;
    int length;

    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"sample", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    length = i2d_X509_NAME(X509_get_subject_name(certificate), &subject);
    set_bytes(template, CKA_SUBJECT, subject, (size_t)length);
    length = i2d_X509(certificate, &der);
    set_bytes(template, CKA_VALUE, der, (size_t)length);
    OPENSSL_free(der);
    OPENSSL_free(subject);
    X509_free(certificate);
}

static struct template secret_template(CK_KEY_TYPE type, const char *value)
{
    struct template template = {.count = 0};

    set_number(&template, CKA_CLASS, CKO_SECRET_KEY);
    set_number(&template, CKA_KEY_TYPE, type);
    set_bytes(&template, CKA_VALUE, value, strlen(value));
    set_flag(&template, type == CKK_AES ? CKA_ENCRYPT : CKA_SIGN, true);
    set_flag(&template, type == CKK_AES ? CKA_DECRYPT : CKA_VERIFY, true);
    return template;
}

static struct template other_template(enum kind kind)
{
    struct template template = {.count = 0};

    set_number(&template, CKA_CLASS, kind == DATA ? CKO_DATA : CKO_CERTIFICATE);
    if (kind == DATA) {
        set_bytes(&template, CKA_APPLICATION, "a program", 9);
        set_bytes(&template, CKA_VALUE, "what it keeps", 13);
    } else {
        set_number(&template, CKA_CERTIFICATE_TYPE, CKC_X_509);
        set_certificate(&template);
    }
    return template;
}

static struct template template_of(enum kind kind)
{
    switch (kind) {
    case RSA_PUBLIC:
    case EC_PUBLIC:
        return public_template(sample_key(kind));
    case RSA_PRIVATE:
    case EC_PRIVATE:
        return private_template(sample_key(kind));
    case AES_KEY:
        return secret_template(CKK_AES, "0123456789abcdef0123456789abcdef");
    case GENERIC_KEY:
        return secret_template(CKK_GENERIC_SECRET, "a generic secret");
    default:
        return other_template(kind);
    }
}

struct template sample(enum kind kind)
{
    static struct template made[KINDS];

    if (made[kind].count == 0) {
        made[kind] = template_of(kind);
        set_bytes(&made[kind], CKA_LABEL, names[kind], strlen(names[kind]));
    }
    return made[kind];
}

CK_RV create_from(CK_SESSION_HANDLE session, struct template *template,
                  CK_OBJECT_HANDLE *ret_object)
{
    return p11->C_CreateObject(session, template->list, template->count, ret_object);
}

CK_OBJECT_HANDLE create_sample(CK_SESSION_HANDLE session, enum kind kind, bool token, bool private)
{
    struct template template = sample(kind);
    CK_OBJECT_HANDLE object = POISON_ULONG;

    set_flag(&template, CKA_TOKEN, token);
    set_flag(&template, CKA_PRIVATE, private);
    assert_ok(create_from(session, &template, &object));
    assert_int_not_equal(object, POISON_ULONG);
    return object;
}
