#include "emulator/identity/certificate.h"

#include "emulator/error.h"
#include "emulator/openssl_scope.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#define SERIAL_SIZE 16
#define DAY_SECONDS 86400

/* RFC 5280 4.1.2.5: no well-defined end */
#define NO_END "99991231235959Z"

static void free_certificate(X509 **certificate)
{
    X509_free(*certificate);
}

static void free_conf(CONF **conf)
{
    NCONF_free(*conf);
}

static void free_bio(BIO **bio)
{
    (void)BIO_free(*bio);
}

static void free_digest(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

TSS2_RC certificate_failed(const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    error_set("%s: %s", what, reason ? reason : "OpenSSL fails");
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    BIGNUM *number;
    bool done;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and as long as it may be */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return done;
}

static bool set_times(X509 *certificate)
{
    return X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_SECONDS) &&
           ASN1_TIME_set_string(X509_getm_notAfter(certificate), NO_END) == 1;
}

static bool set_names(X509 *certificate, const struct certificate_plan *plan)
{
    X509_NAME *subject = X509_get_subject_name(certificate);

    if (plan->common_name &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   (const unsigned char *)plan->common_name, -1, -1, 0) != 1)
        return false;
    return X509_set_issuer_name(certificate,
                                plan->issuer ? X509_get_subject_name(plan->issuer) : subject) == 1;
}

static bool add_extensions(X509 *certificate, const struct certificate_plan *plan)
{
    __attribute__((cleanup(free_conf))) CONF *conf = NCONF_new_ex(openssl_private(), NULL);
    __attribute__((cleanup(free_bio))) BIO *text = BIO_new_mem_buf(plan->extensions, -1);
    X509V3_CTX context;
    long line = 0;

    if (!conf || !text || NCONF_load_bio(conf, text, &line) != 1)
        return false;
    X509V3_set_ctx(&context, plan->issuer ? plan->issuer : certificate, certificate, NULL, NULL, 0);
    X509V3_set_nconf(&context, conf);
    return X509V3_EXT_add_nconf(conf, &context, "extensions", certificate) == 1;
}

/* Ed25519 and its like have no digest of their own to choose. */
static bool sign(X509 *certificate, EVP_PKEY *key)
{
    __attribute__((cleanup(free_digest))) EVP_MD_CTX *context = EVP_MD_CTX_new();
    char digest[64] = "";

    if (!context)
        return false;
    if (EVP_PKEY_get_default_digest_name(key, digest, sizeof(digest)) <= 0 ||
        strcmp(digest, "UNDEF") == 0)
        digest[0] = '\0';
    return EVP_DigestSignInit_ex(context, NULL, digest[0] ? digest : NULL, openssl_private(), NULL,
                                 key, NULL) == 1 &&
           X509_sign_ctx(certificate, context) > 0;
}

TSS2_RC certificate_make(const struct certificate_plan *plan, X509 **ret)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();
    __attribute__((cleanup(free_certificate))) X509 *made = X509_new_ex(openssl_private(), NULL);

    if (!made || X509_set_version(made, X509_VERSION_3) != 1 || !set_serial(made) ||
        !set_times(made) || !set_names(made, plan) || X509_set_pubkey(made, plan->public) != 1 ||
        !add_extensions(made, plan) || !sign(made, plan->issuer_key))
        return certificate_failed("cannot make a certificate");
    *ret = made;
    made = NULL;
    return TSS2_RC_SUCCESS;
}

TSS2_RC certificate_der(X509 *certificate, struct blob *ret)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();
    unsigned char *der = NULL;
    int size = i2d_X509(certificate, &der), rc;

    if (size <= 0)
        return certificate_failed("cannot encode a certificate");
    rc = blob_copy(der, (size_t)size, ret);
    OPENSSL_free(der);
    return rc == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_MEMORY;
}
