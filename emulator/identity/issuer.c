#include "emulator/identity/issuer.h"

#include "emulator/error.h"
#include "emulator/identity/certificate.h"
#include "emulator/openssl_scope.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char ca_extensions[] = "[extensions]\n"
                                    "basicConstraints = critical, CA:TRUE, pathlen:0\n"
                                    "keyUsage = critical, keyCertSign\n"
                                    "subjectKeyIdentifier = hash\n";

static void free_bio(BIO **bio)
{
    (void)BIO_free(*bio);
}

void issuer_free(struct issuer *issuer)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();

    EVP_PKEY_free(issuer->key);
    X509_free(issuer->certificate);
    *issuer = (struct issuer){NULL, NULL};
}

TSS2_RC issuer_make(struct issuer *ret)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();
    ISSUER_SCOPE struct issuer made = {NULL, NULL};
    char name[64];
    uint32_t number;
    TSS2_RC rc;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return certificate_failed("no random number");
    (void)snprintf(name, sizeof(name), "Embedded TPM EK CA %08x", number);
    made.key = EVP_PKEY_Q_keygen(openssl_private(), NULL, "EC", "P-256");
    if (!made.key)
        return certificate_failed("cannot make the key of a CA");
    rc = certificate_make(&(struct certificate_plan){.common_name = name,
                                                     .public = made.key,
                                                     .extensions = ca_extensions,
                                                     .issuer_key = made.key},
                          &made.certificate);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    *ret = made;
    made = (struct issuer){NULL, NULL};
    return TSS2_RC_SUCCESS;
}

static BIO *open_file(const char *path)
{
    BIO *bio = BIO_new_file(path, "r");

    if (!bio)
        error_set("%s: cannot read: %s", path, strerror(errno));
    return bio;
}

/* Nobody is there to be asked for a password. */
static int no_password(char *buffer, int size, int writing, void *asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static TSS2_RC read_key(const char *path, EVP_PKEY **ret)
{
    __attribute__((cleanup(free_bio))) BIO *bio = open_file(path);
    bool asked = false;
    EVP_PKEY *key;

    if (!bio)
        return TSS2_TCTI_RC_IO_ERROR;
    key = PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, &asked, openssl_private(), NULL);
    if (!key) {
        error_set(asked ? "%s: the key is encrypted; decrypt it first"
                        : "%s: not a private key in PEM",
                  path);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    *ret = key;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC read_certificate(const char *path, X509 **ret)
{
    __attribute__((cleanup(free_bio))) BIO *bio = open_file(path);
    X509 *certificate, *empty = bio ? X509_new_ex(openssl_private(), NULL) : NULL;

    if (!empty)
        return TSS2_TCTI_RC_IO_ERROR;
    certificate = PEM_read_bio_X509(bio, &empty, NULL, NULL);
    if (!certificate) {
        X509_free(empty);
        error_set("%s: not a certificate in PEM", path);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    *ret = certificate;
    return TSS2_RC_SUCCESS;
}

static const char *fault_of(const struct issuer *issuer)
{
    if (X509_check_private_key(issuer->certificate, issuer->key) != 1)
        return "the certificate is not that of the key; name the two that belong together";
    if (X509_check_ca(issuer->certificate) != 1 ||
        !(X509_get_key_usage(issuer->certificate) & KU_KEY_CERT_SIGN))
        return "not the certificate of a CA (basicConstraints CA:TRUE, keyUsage keyCertSign)";
    if (!X509_get0_subject_key_id(issuer->certificate))
        return "the CA's certificate has no subjectKeyIdentifier; issue one that has";
    return NULL;
}

TSS2_RC issuer_read(const char *key_path, const char *certificate_path, struct issuer *ret)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();
    ISSUER_SCOPE struct issuer made = {NULL, NULL};
    const char *fault;
    TSS2_RC rc = read_key(key_path, &made.key);

    if (rc == TSS2_RC_SUCCESS)
        rc = read_certificate(certificate_path, &made.certificate);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    fault = fault_of(&made);
    if (fault) {
        error_set("%s: %s", certificate_path, fault);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    *ret = made;
    made = (struct issuer){NULL, NULL};
    return TSS2_RC_SUCCESS;
}

TSS2_RC issuer_pem(const struct issuer *issuer, struct blob *ret)
{
    OPENSSL_SCOPE struct openssl_scope scope = openssl_enter();
    __attribute__((cleanup(free_bio))) BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long size;

    if (!bio || PEM_write_bio_X509(bio, issuer->certificate) != 1)
        return certificate_failed("cannot encode a certificate");
    size = BIO_get_mem_data(bio, &text);
    return blob_copy(text, (size_t)size, ret) == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_MEMORY;
}
