#include "emulator/identity/summary.h"

#include "emulator/openssl_scope.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* The TCG's attributes by their numbers: only newer OpenSSLs know names for them. */
static void print_name(const X509_NAME *name, unsigned long kind_of_name,
                       char ret[SUMMARY_TEXT_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned long flags = (XN_FLAG_ONELINE & ~(unsigned long)XN_FLAG_FN_MASK) | kind_of_name;
    int length = 0;

    if (bio && X509_NAME_print_ex(bio, name, 0, flags) >= 0)
        length = BIO_read(bio, ret, SUMMARY_TEXT_MAX - 1);
    ret[length > 0 ? length : 0] = '\0';
    (void)BIO_free(bio);
}

static void print_subject(const X509 *certificate, char ret[SUMMARY_TEXT_MAX])
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    unsigned long kind_of_name = XN_FLAG_FN_SN;
    GENERAL_NAMES *names = NULL;

    if (X509_NAME_entry_count(subject) == 0)
        names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        if (sk_GENERAL_NAME_value(names, i)->type == GEN_DIRNAME) {
            subject = sk_GENERAL_NAME_value(names, i)->d.directoryName;
            kind_of_name = XN_FLAG_FN_OID;
        }
    print_name(subject, kind_of_name, ret);
    GENERAL_NAMES_free(names);
}

static void print_hex(const unsigned char *bytes, size_t size, char *ret)
{
    for (size_t i = 0; i < size; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static void print_serial(const X509 *certificate, char ret[64])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    size_t size = (size_t)ASN1_STRING_length(serial);

    ret[0] = '\0';
    print_hex(ASN1_STRING_get0_data(serial), size < 31 ? size : 31, ret);
}

static void print_key(const X509 *certificate, char ret[64])
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    const char *type = key ? EVP_PKEY_get0_type_name(key) : NULL;

    if (type)
        (void)snprintf(ret, 64, "%.40s %d", type, EVP_PKEY_get_bits(key));
    else
        (void)snprintf(ret, 64, "unknown");
}

static bool print_fingerprint(const X509 *certificate, char ret[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD *sha256 = EVP_MD_fetch(openssl_private(), "SHA256", NULL);
    unsigned size = 0;
    bool done = sha256 && X509_digest(certificate, sha256, digest, &size) == 1 && size == 32;

    if (done)
        print_hex(digest, size, ret);
    EVP_MD_free(sha256);
    return done;
}

bool certificate_summarise(const struct blob *der, struct certificate_summary *ret)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();
    const unsigned char *at = der->data;
    X509 *certificate = X509_new_ex(openssl_private(), NULL);
    bool done;

    /* d2i frees and empties what it cannot fill. */
    if (!certificate || !d2i_X509(&certificate, &at, (long)der->size))
        return false;
    print_key(certificate, ret->key);
    print_subject(certificate, ret->subject);
    print_name(X509_get_issuer_name(certificate), XN_FLAG_FN_SN, ret->issuer);
    print_serial(certificate, ret->serial);
    done = print_fingerprint(certificate, ret->fingerprint);
    X509_free(certificate);
    return done;
}
