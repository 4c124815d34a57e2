#include "emulator/cli/words.h"

#include <stdio.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

struct word {
    uint32_t value;
    const char *name;
};

static const struct word algorithms[] = {
    {TPM2_ALG_RSA, "RSA"},
    {TPM2_ALG_ECC, "ECC"},
    {TPM2_ALG_KEYEDHASH, "keyedhash"},
    {TPM2_ALG_SYMCIPHER, "symcipher"},
    {TPM2_ALG_SHA1, "sha1"},
    {TPM2_ALG_SHA256, "sha256"},
    {TPM2_ALG_SHA384, "sha384"},
    {TPM2_ALG_SHA512, "sha512"},
    {TPM2_ALG_SM3_256, "sm3_256"},
    {TPM2_ALG_AES, "AES"},
    {TPM2_ALG_TDES, "TDES"},
    {TPM2_ALG_CAMELLIA, "Camellia"},
    {TPM2_ALG_SM4, "SM4"},
    {0, NULL},
};

static const struct word curves[] = {
    {TPM2_ECC_NIST_P192, "NIST P-192"},
    {TPM2_ECC_NIST_P224, "NIST P-224"},
    {TPM2_ECC_NIST_P256, "NIST P-256"},
    {TPM2_ECC_NIST_P384, "NIST P-384"},
    {TPM2_ECC_NIST_P521, "NIST P-521"},
    {TPM2_ECC_BN_P256, "BN P-256"},
    {TPM2_ECC_BN_P638, "BN P-638"},
    {TPM2_ECC_SM2_P256, "SM2 P-256"},
    {0, NULL},
};

static const struct word nv_attributes[] = {
    {TPMA_NV_PPWRITE, "ppwrite"},
    {TPMA_NV_OWNERWRITE, "ownerwrite"},
    {TPMA_NV_AUTHWRITE, "authwrite"},
    {TPMA_NV_POLICYWRITE, "policywrite"},
    {TPMA_NV_POLICY_DELETE, "policy_delete"},
    {TPMA_NV_WRITELOCKED, "writelocked"},
    {TPMA_NV_WRITEALL, "writeall"},
    {TPMA_NV_WRITEDEFINE, "writedefine"},
    {TPMA_NV_WRITE_STCLEAR, "write_stclear"},
    {TPMA_NV_GLOBALLOCK, "globallock"},
    {TPMA_NV_PPREAD, "ppread"},
    {TPMA_NV_OWNERREAD, "ownerread"},
    {TPMA_NV_AUTHREAD, "authread"},
    {TPMA_NV_POLICYREAD, "policyread"},
    {TPMA_NV_NO_DA, "no_da"},
    {TPMA_NV_ORDERLY, "orderly"},
    {TPMA_NV_CLEAR_STCLEAR, "clear_stclear"},
    {TPMA_NV_READLOCKED, "readlocked"},
    {TPMA_NV_WRITTEN, "written"},
    {TPMA_NV_PLATFORMCREATE, "platformcreate"},
    {TPMA_NV_READ_STCLEAR, "read_stclear"},
    {0, NULL},
};

/* TPM_NT; ordinary ones need no word. */
static const struct word nv_types[] = {
    {TPM2_NT_COUNTER, "counter"},   {TPM2_NT_BITS, "bits"},         {TPM2_NT_EXTEND, "extend"},
    {TPM2_NT_PIN_FAIL, "pin_fail"}, {TPM2_NT_PIN_PASS, "pin_pass"}, {0, NULL},
};

static const struct word object_attributes[] = {
    {TPMA_OBJECT_FIXEDTPM, "fixedtpm"},
    {TPMA_OBJECT_STCLEAR, "stclear"},
    {TPMA_OBJECT_FIXEDPARENT, "fixedparent"},
    {TPMA_OBJECT_SENSITIVEDATAORIGIN, "sensitivedataorigin"},
    {TPMA_OBJECT_USERWITHAUTH, "userwithauth"},
    {TPMA_OBJECT_ADMINWITHPOLICY, "adminwithpolicy"},
    {TPMA_OBJECT_NODA, "noda"},
    {TPMA_OBJECT_ENCRYPTEDDUPLICATION, "encryptedduplication"},
    {TPMA_OBJECT_RESTRICTED, "restricted"},
    {TPMA_OBJECT_DECRYPT, "decrypt"},
    {TPMA_OBJECT_SIGN_ENCRYPT, "sign"},
    {0, NULL},
};

static const char *find(const struct word *words, uint32_t value)
{
    for (; words->name; words++)
        if (words->value == value)
            return words->name;
    return NULL;
}

static const char *name_or_number(const struct word *words, uint32_t value, char ret[WORDS_MAX])
{
    const char *name = find(words, value);

    if (name)
        (void)snprintf(ret, WORDS_MAX, "%s", name);
    else
        (void)snprintf(ret, WORDS_MAX, "0x%04x", value);
    return ret;
}

const char *words_algorithm(uint16_t algorithm, char ret[WORDS_MAX])
{
    return name_or_number(algorithms, algorithm, ret);
}

const char *words_curve(uint16_t curve, char ret[WORDS_MAX])
{
    return name_or_number(curves, curve, ret);
}

static void append(char ret[WORDS_MAX], const char *name)
{
    size_t length = strlen(ret);

    (void)snprintf(ret + length, WORDS_MAX - length, "%s%s", length ? "|" : "", name);
}

static const char *name_bits(const struct word *words, uint32_t bits, char ret[WORDS_MAX])
{
    for (; words->name; words++)
        if (bits & words->value)
            append(ret, words->name);
    return ret;
}

const char *words_nv_attributes(uint32_t attributes, char ret[WORDS_MAX])
{
    const char *type = find(nv_types, (attributes & TPMA_NV_TPM2_NT_MASK) >> TPMA_NV_TPM2_NT_SHIFT);

    ret[0] = '\0';
    if (type)
        append(ret, type);
    return name_bits(nv_attributes, attributes, ret);
}

const char *words_object_attributes(uint32_t attributes, char ret[WORDS_MAX])
{
    ret[0] = '\0';
    return name_bits(object_attributes, attributes, ret);
}
