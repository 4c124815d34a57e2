/* The module's C_SignInit and C_Sign beside the same TPM2_Sign issued with ESYS,
 * on the same TPM and the same key, in one process.
 *     sign_bench together|apart MODULE TCTI TOKEN KEYFILE ROUNDS
 * together: both are connected all the time and sign in turn, one signature
 * each. apart: for a TPM that serves one connection at a time; they sign in
 * turn, a block of signatures each, and let go of the TPM after it.
 * SIGNET_CONF names the module's configuration, KEYFILE the token's TSS2 key.
 * Prints the two medians in microseconds, the module's first. */
#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "conformance/bench/bench.h"

#define BLOCK 25
#define WARM_UP 3
#define MAX_ROUNDS 100000

#define TPM(call) tpm_must((call), #call)

static void tpm_must(TSS2_RC rc, const char *call)
{
    if (rc != TSS2_RC_SUCCESS)
        give_up("%s: %s", call, Tss2_RC_Decode(rc));
}

/* The storage root that TSS2 key files with parent 0x40000001 expect
 * (draft-bottomley-tpm2-keys; TCG EK Credential Profile, template H-2). */
static const TPM2B_PUBLIC STORAGE_ROOT = {
    .publicArea = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                            TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                            TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
        .parameters.eccDetail = {
            .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
            .scheme.scheme = TPM2_ALG_NULL,
            .curveID = TPM2_ECC_NIST_P256,
            .kdf.scheme = TPM2_ALG_NULL}}};

/* The direct side: a connection of its own and the key loaded in it. */
struct direct {
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private;
    TPMT_SIG_SCHEME scheme;
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR key;
};

/* A step through DER: sets the element's contents and moves past it. */
static int next_element(const unsigned char **at, const unsigned char *end,
                        const unsigned char **ret_content, long *ret_size)
{
    int tag, class;
    const unsigned char *content = *at;

    if (ASN1_get_object(&content, ret_size, &tag, &class, end - *at) & 0x80)
        give_up("the key file is not DER");
    *ret_content = content;
    *at = content + *ret_size;
    return class == V_ASN1_UNIVERSAL ? tag : -1;
}

/* TPMKey ends with two OCTET STRINGs: TPM2B_PUBLIC, TPM2B_PRIVATE. */
static void read_key(const unsigned char *der, long size, struct direct *direct)
{
    const unsigned char *at = der, *end = der + size, *content;
    int octet_strings = 0;

    next_element(&at, end, &content, &size);
    for (at = content; at < end;) {
        size_t offset = 0;

        if (next_element(&at, end, &content, &size) != V_ASN1_OCTET_STRING)
            continue;
        if (octet_strings++ == 0)
            TPM(Tss2_MU_TPM2B_PUBLIC_Unmarshal(content, (size_t)size, &offset, &direct->public));
        else
            TPM(Tss2_MU_TPM2B_PRIVATE_Unmarshal(content, (size_t)size, &offset, &direct->private));
    }
    if (octet_strings != 2)
        give_up("the key file is not of the expected kind");
}

static void direct_read(struct direct *direct, const char *path)
{
    FILE *file = fopen(path, "r");
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long size;

    if (!file || !PEM_read(file, &name, &header, &der, &size))
        give_up("%s cannot be read", path);
    read_key(der, size, direct);
    direct->scheme.scheme =
        direct->public.publicArea.type == TPM2_ALG_RSA ? TPM2_ALG_RSASSA : TPM2_ALG_ECDSA;
    direct->scheme.details.any.hashAlg = TPM2_ALG_SHA256;
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    fclose(file);
}

static void direct_open(struct direct *direct, const char *tcti)
{
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    TPM2B_DATA outside = {0};
    TPML_PCR_SELECTION pcrs = {0};
    ESYS_TR parent;

    TPM(Tss2_TctiLdr_Initialize(tcti, &direct->tcti));
    TPM(Esys_Initialize(&direct->esys, direct->tcti, NULL));
    TPM(Esys_CreatePrimary(direct->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                           ESYS_TR_NONE, &sensitive, &STORAGE_ROOT, &outside, &pcrs, &parent, NULL,
                           NULL, NULL, NULL));
    TPM(Esys_Load(direct->esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                  &direct->private, &direct->public, &direct->key));
    TPM(Esys_FlushContext(direct->esys, parent));
}

static void direct_close(struct direct *direct)
{
    TPM(Esys_FlushContext(direct->esys, direct->key));
    Esys_Finalize(&direct->esys);
    Tss2_TctiLdr_Finalize(&direct->tcti);
}

static void direct_sign(struct direct *direct)
{
    TPM2B_DIGEST digest = {.size = 32};
    TPMT_TK_HASHCHECK none = {.tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
    TPMT_SIGNATURE *signature;

    memset(digest.buffer, 0x5A, digest.size);
    TPM(Esys_Sign(direct->esys, direct->key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &digest,
                  &direct->scheme, &none, &signature));
    Esys_Free(signature);
}

static double time_module(struct signer *signer)
{
    double begin = microseconds();

    signer_sign(signer);
    return microseconds() - begin;
}

static double time_direct(struct direct *direct)
{
    double begin = microseconds();

    direct_sign(direct);
    return microseconds() - begin;
}

struct times {
    double module[MAX_ROUNDS];
    double direct[MAX_ROUNDS];
};

/* Who is first changes with each round. */
static void sign_together(struct direct *direct, const char *tcti, const char *token, size_t rounds,
                          struct times *times)
{
    struct signer signer;

    MUST(p11->C_Initialize(NULL));
    signer = signer_open(token);
    direct_open(direct, tcti);
    for (size_t i = 0; i < rounds + WARM_UP; i++) {
        size_t at = i < WARM_UP ? 0 : i - WARM_UP;

        if (i % 2)
            times->direct[at] = time_direct(direct);
        times->module[at] = time_module(&signer);
        if (i % 2 == 0)
            times->direct[at] = time_direct(direct);
    }
    direct_close(direct);
    MUST(p11->C_Finalize(NULL));
}

static void module_block(const char *token, double *times)
{
    struct signer signer;

    MUST(p11->C_Initialize(NULL));
    signer = signer_open(token);
    for (size_t i = 0; i < BLOCK + WARM_UP; i++)
        times[i < WARM_UP ? 0 : i - WARM_UP] = time_module(&signer);
    MUST(p11->C_Finalize(NULL));
}

static void direct_block(struct direct *direct, const char *tcti, double *times)
{
    direct_open(direct, tcti);
    for (size_t i = 0; i < BLOCK + WARM_UP; i++)
        times[i < WARM_UP ? 0 : i - WARM_UP] = time_direct(direct);
    direct_close(direct);
}

static void sign_apart(struct direct *direct, const char *tcti, const char *token, size_t rounds,
                       struct times *times)
{
    for (size_t i = 0; i + BLOCK <= rounds; i += BLOCK) {
        module_block(token, times->module + i);
        direct_block(direct, tcti, times->direct + i);
    }
}

int main(int argc, char **argv)
{
    static struct direct direct;
    static struct times times;
    size_t rounds = argc == 7 ? (size_t)atoi(argv[6]) / BLOCK * BLOCK : 0;

    if (rounds < BLOCK || rounds > MAX_ROUNDS)
        give_up("usage: sign_bench together|apart MODULE TCTI TOKEN KEYFILE ROUNDS");
    load_module(argv[2]);
    direct_read(&direct, argv[5]);
    if (strcmp(argv[1], "together") == 0)
        sign_together(&direct, argv[3], argv[4], rounds, &times);
    else
        sign_apart(&direct, argv[3], argv[4], rounds, &times);
    printf("%.1f %.1f\n", median(times.module, rounds), median(times.direct, rounds));
    return 0;
}
