#include "emulator/identity/ek.h"

#include "emulator/build.h"
#include "emulator/command.h"
#include "emulator/error.h"
#include "emulator/identity/certificate.h"
#include "emulator/identity/issuer.h"
#include "emulator/identity/public_key.h"
#include "emulator/identity/vendor.h"
#include "emulator/names.h"
#include "emulator/openssl_scope.h"
#include "emulator/query.h"
#include "emulator/tpm.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define WRITE_AT_ONCE 1024
#define EXTENSIONS_MAX 2048

/* Policy A: PolicySecret(TPM_RH_ENDORSEMENT) */
static const uint8_t policy_a[] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                   0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                   0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};

static const uint8_t zeros[256];

/* Templates L-1 and L-2: where they differ. */
static const struct ek_template {
    uint32_t index;
    uint16_t type;
    const char *key_usage;
} templates[] = {
    {EK_RSA_INDEX, TPM2_ALG_RSA, "keyEncipherment"},
    {EK_ECC_INDEX, TPM2_ALG_ECC, "keyAgreement"},
};

static TSS2_RC failed(const char *command, uint32_t rc)
{
    const char *name = response_code_name(rc);

    error_set("cannot make the endorsement keys: %s fails with 0x%x%s%s", command, rc,
              name ? " TPM_RC_" : "", name ? name : "");
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

static void build_template(struct message *to, const struct ek_template *template)
{
    build_u16(to, template->type);
    build_u16(to, TPM2_ALG_SHA256);
    build_u32(to, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                      TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT);
    build_2b(to, policy_a, sizeof(policy_a));
    build_u16(to, TPM2_ALG_AES);
    build_u16(to, 128);
    build_u16(to, TPM2_ALG_CFB);
    build_u16(to, TPM2_ALG_NULL);
    if (template->type == TPM2_ALG_RSA) {
        build_u16(to, 2048);
        build_u32(to, 0);
        build_2b(to, zeros, 256);
    } else {
        build_u16(to, TPM2_ECC_NIST_P256);
        build_u16(to, TPM2_ALG_NULL);
        build_2b(to, zeros, 32);
        build_2b(to, zeros, 32);
    }
}

/* TPM2_CreatePrimary in the endorsement hierarchy; the key does not stay. */
static TSS2_RC create(struct tpm_backend *tpm, const struct ek_template *template,
                      EVP_PKEY **ret_public)
{
    struct message command, response, area = {.size = 0};
    struct answer answer;
    uint32_t rc;

    build_template(&area, template);
    build_begin(&command, TPM2_ST_SESSIONS, TPM2_CC_CreatePrimary);
    build_u32(&command, TPM2_RH_ENDORSEMENT);
    build_empty_password(&command);
    build_u16(&command, 4);
    build_u32(&command, 0);
    build_2b(&command, area.bytes, area.size);
    build_u16(&command, 0);
    build_u32(&command, 0);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return failed("TPM2_CreatePrimary", rc);
    (void)tpm_flush(tpm, get_u32(response.bytes + HEADER_SIZE));
    answer = answer_from(&response, HEADER_SIZE + 8);
    return public_key_read(answer_2b(&answer), ret_public);
}

static uint32_t define(struct tpm_backend *tpm, uint32_t index, size_t size)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_SESSIONS, TPM2_CC_NV_DefineSpace);
    build_u32(&command, TPM2_RH_PLATFORM);
    build_empty_password(&command);
    build_u16(&command, 0);
    build_u16(&command, 14);
    build_u32(&command, index);
    build_u16(&command, TPM2_ALG_SHA256);
    build_u32(&command, TPMA_NV_PLATFORMCREATE | TPMA_NV_PPWRITE | TPMA_NV_PPREAD |
                            TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA |
                            TPMA_NV_WRITEDEFINE);
    build_u16(&command, 0);
    build_u16(&command, (uint16_t)size);
    return tpm_run(tpm, &command, &response);
}

static uint32_t write_some(struct tpm_backend *tpm, uint32_t index, const struct blob *content,
                           size_t offset)
{
    struct message command, response;
    size_t left = content->size - offset;

    build_begin(&command, TPM2_ST_SESSIONS, TPM2_CC_NV_Write);
    build_u32(&command, TPM2_RH_PLATFORM);
    build_u32(&command, index);
    build_empty_password(&command);
    build_2b(&command, content->data + offset, left < WRITE_AT_ONCE ? left : WRITE_AT_ONCE);
    build_u16(&command, (uint16_t)offset);
    return tpm_run(tpm, &command, &response);
}

static TSS2_RC store(struct tpm_backend *tpm, uint32_t index, const struct blob *certificate)
{
    uint32_t most = 0, rc = tpm_read_property(tpm, TPM2_PT_NV_INDEX_MAX, &most);

    if (rc != TPM2_RC_SUCCESS)
        return failed("TPM2_GetCapability", rc);
    if (certificate->size > most) {
        error_set("a certificate of an endorsement key has %zu bytes, and an NV index holds %u; "
                  "take a CA with a shorter name or signature",
                  certificate->size, most);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    rc = define(tpm, index, certificate->size);
    if (rc != TPM2_RC_SUCCESS)
        return failed("TPM2_NV_DefineSpace", rc);
    for (size_t done = 0; rc == TPM2_RC_SUCCESS && done < certificate->size; done += WRITE_AT_ONCE)
        rc = write_some(tpm, index, certificate, done);
    return rc == TPM2_RC_SUCCESS ? TSS2_RC_SUCCESS : failed("TPM2_NV_Write", rc);
}

/* What the certificates say of the TPM. */
struct tpm_facts {
    uint32_t manufacturer;
    uint32_t firmware;
    uint32_t level;
    uint32_t revision;
};

static TSS2_RC read_facts(struct tpm_backend *tpm, struct tpm_facts *ret)
{
    const struct {
        uint32_t property;
        uint32_t *to;
    } wanted[] = {
        {TPM2_PT_MANUFACTURER, &ret->manufacturer},
        {TPM2_PT_FIRMWARE_VERSION_1, &ret->firmware},
        {TPM2_PT_LEVEL, &ret->level},
        {TPM2_PT_REVISION, &ret->revision},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        uint32_t rc = tpm_read_property(tpm, wanted[i].property, wanted[i].to);

        if (rc != TPM2_RC_SUCCESS)
            return failed("TPM2_GetCapability", rc);
    }
    return TSS2_RC_SUCCESS;
}

/* Section 3.2. The empty subject makes the alternative name critical. What stands
 * before a type's first dot OpenSSL leaves away. */
static void write_extensions(const struct tpm_facts *facts, const char *key_usage,
                             char ret[EXTENSIONS_MAX])
{
    (void)snprintf(ret, EXTENSIONS_MAX,
                   "[extensions]\n"
                   "basicConstraints = critical, CA:FALSE\n"
                   "keyUsage = critical, %s\n"
                   "extendedKeyUsage = 2.23.133.8.1\n"
                   "subjectAltName = critical, dirName:device\n"
                   "subjectDirectoryAttributes = ASN1:SEQUENCE:attributes\n"
                   "authorityKeyIdentifier = keyid:always\n"
                   "[device]\n"
                   "tpmManufacturer.2.23.133.2.1 = id:%08X\n"
                   "tpmModel.2.23.133.2.2 = " VENDOR_NAME "\n"
                   "tpmVersion.2.23.133.2.3 = id:%08X\n"
                   "[attributes]\n"
                   "attribute = SEQUENCE:tpmSpecification\n"
                   "[tpmSpecification]\n"
                   "type = OID:2.23.133.2.16\n"
                   "values = SET:specifications\n"
                   "[specifications]\n"
                   "value = SEQUENCE:specification\n"
                   "[specification]\n"
                   "family = UTF8:2.0\n"
                   "level = INTEGER:%u\n"
                   "revision = INTEGER:%u\n",
                   key_usage, facts->manufacturer, facts->firmware, facts->level, facts->revision);
}

static TSS2_RC issue(const struct issuer *issuer, const char *extensions, EVP_PKEY *public,
                     struct blob *ret)
{
    X509 *certificate = NULL;
    TSS2_RC rc = certificate_make(&(struct certificate_plan){.public = public,
                                                             .extensions = extensions,
                                                             .issuer = issuer->certificate,
                                                             .issuer_key = issuer->key},
                                  &certificate);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = certificate_der(certificate, ret);
    X509_free(certificate);
    return rc;
}

static TSS2_RC certify_one(struct tpm_backend *tpm, const struct issuer *issuer,
                           const struct tpm_facts *facts, const struct ek_template *template)
{
    BLOB_SCOPE struct blob certificate = {NULL, 0};
    char extensions[EXTENSIONS_MAX];
    EVP_PKEY *public = NULL;
    TSS2_RC rc = create(tpm, template, &public);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    write_extensions(facts, template->key_usage, extensions);
    rc = issue(issuer, extensions, public, &certificate);
    EVP_PKEY_free(public);
    return rc == TSS2_RC_SUCCESS ? store(tpm, template->index, &certificate) : rc;
}

static TSS2_RC find_issuer(const struct ek_order *order, struct issuer *ret)
{
    if (order && order->ca_key && order->ca_certificate)
        return issuer_read(order->ca_key, order->ca_certificate, ret);
    return issuer_make(ret);
}

static TSS2_RC certify_all(struct tpm_backend *tpm, const struct directory *directory,
                           const struct ek_order *order)
{
    ISSUER_SCOPE struct issuer issuer = {NULL, NULL};
    BLOB_SCOPE struct blob pem = {NULL, 0};
    struct tpm_facts facts;
    TSS2_RC rc = find_issuer(order, &issuer);

    if (rc == TSS2_RC_SUCCESS)
        rc = read_facts(tpm, &facts);
    for (size_t i = 0; rc == TSS2_RC_SUCCESS && i < sizeof(templates) / sizeof(templates[0]); i++)
        rc = certify_one(tpm, &issuer, &facts, &templates[i]);
    if (rc == TSS2_RC_SUCCESS)
        rc = issuer_pem(&issuer, &pem);
    return rc == TSS2_RC_SUCCESS ? directory_replace(directory, EK_CA_FILE, &pem) : rc;
}

TSS2_RC ek_certify(struct tpm_backend *tpm, const struct directory *directory,
                   const struct ek_order *order)
{
    if (!order || !order->none)
        return certify_all(tpm, directory, order);
    /* What a manufacture left that was killed vouches for nothing. */
    directory_tidy(directory, EK_CA_FILE);
    return directory_remove(directory, EK_CA_FILE);
}
