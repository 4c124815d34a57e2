#include "emulator/behaviour/parameters.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define LIST_MAX 16

/* The kinds of parameters, one letter each. */
static const struct parameters_row {
    uint32_t code;
    const char *parameters;
} rows[] = {
    {TPM2_CC_Create, "bp"},
    {TPM2_CC_CreatePrimary, "bp"},
    {TPM2_CC_CreateLoaded, "bp"},
    {TPM2_CC_Load, "bp"},
    {TPM2_CC_LoadExternal, "bp"},
    {TPM2_CC_Import, "bpbby"},
    {TPM2_CC_Duplicate, "by"},
    {TPM2_CC_TestParms, "t"},
    {TPM2_CC_Sign, "bs"},
    {TPM2_CC_Quote, "bsl"},
    {TPM2_CC_Certify, "bs"},
    {TPM2_CC_CertifyCreation, "bbs"},
    {TPM2_CC_CertifyX509, "bs"},
    {TPM2_CC_NV_Certify, "bsz"},
    {TPM2_CC_GetTime, "bs"},
    {TPM2_CC_GetCommandAuditDigest, "bs"},
    {TPM2_CC_GetSessionAuditDigest, "bs"},
    {TPM2_CC_VerifySignature, "bs"},
    {TPM2_CC_PolicySigned, "bbb4s"},
    {TPM2_CC_RSA_Encrypt, "br"},
    {TPM2_CC_RSA_Decrypt, "br"},
    {TPM2_CC_ECC_Parameters, "c"},
    {TPM2_CC_EC_Ephemeral, "c"},
    {TPM2_CC_ZGen_2Phase, "bbk"},
    {TPM2_CC_EncryptDecrypt, "1m"},
    {TPM2_CC_EncryptDecrypt2, "b1m"},
    {TPM2_CC_Hash, "bh"},
    {TPM2_CC_HMAC, "bh"},
    {TPM2_CC_HMAC_Start, "bh"},
    {TPM2_CC_HashSequenceStart, "bh"},
    {TPM2_CC_StartAuthSession, "bb1yh"},
    {TPM2_CC_SetPrimaryPolicy, "bh"},
    {TPM2_CC_PCR_SetAuthPolicy, "bh"},
    {TPM2_CC_SetCommandCodeAuditStatus, "h"},
    {TPM2_CC_PCR_Extend, "d"},
    {TPM2_CC_PCR_Read, "l"},
    {TPM2_CC_PCR_Allocate, "l"},
    {TPM2_CC_PolicyPCR, "bl"},
    {TPM2_CC_NV_DefineSpace, "bn"},
    {TPM2_CC_NV_Write, "w"},
    {TPM2_CC_NV_Extend, "w"},
    {TPM2_CC_NV_Read, "z"},
};

struct walk {
    const uint8_t *at, *end;
    unsigned parameter;
    bool over; /* nothing more is to be told */
    asked_visitor visitor;
    void *context;
};

static uint32_t read_number(struct walk *walk, size_t size)
{
    uint32_t value = 0;

    if (walk->over || (size_t)(walk->end - walk->at) < size) {
        walk->over = true;
        return 0;
    }
    while (size-- > 0)
        value = value << 8 | *walk->at++;
    return value;
}

static uint16_t read_u16(struct walk *walk)
{
    return (uint16_t)read_number(walk, 2);
}

static void skip(struct walk *walk, size_t size)
{
    if (walk->over || (size_t)(walk->end - walk->at) < size)
        walk->over = true;
    else
        walk->at += size;
}

static void skip_2b(struct walk *walk)
{
    skip(walk, read_u16(walk));
}

static void tell(struct walk *walk, enum asked_kind kind, uint16_t value, uint16_t of,
                 uint32_t refusal)
{
    const struct asked asked = {kind, value, of,
                                refusal + TPM2_RC_P + (TPM2_RC_1 * walk->parameter)};

    if (!walk->over && !walk->visitor(walk->context, &asked))
        walk->over = true;
}

static uint16_t walk_algorithm(struct walk *walk, uint32_t refusal)
{
    uint16_t algorithm = read_u16(walk);

    if (algorithm != TPM2_ALG_NULL)
        tell(walk, ASKED_ALGORITHM, algorithm, 0, refusal);
    return algorithm;
}

/* TPMT_SYM_DEF and TPMT_SYM_DEF_OBJECT */
static void walk_symmetric(struct walk *walk)
{
    uint16_t algorithm = walk_algorithm(walk, TPM2_RC_SYMMETRIC);

    if (algorithm == TPM2_ALG_NULL)
        return;
    if (algorithm == TPM2_ALG_XOR) {
        (void)walk_algorithm(walk, TPM2_RC_HASH);
        return;
    }
    tell(walk, ASKED_KEY_BITS, read_u16(walk), algorithm, TPM2_RC_VALUE);
    (void)walk_algorithm(walk, TPM2_RC_MODE);
}

/* What follows the selector of a scheme or a signature. */
static void walk_scheme_details(struct walk *walk, uint16_t scheme)
{
    if (scheme == TPM2_ALG_NULL || scheme == TPM2_ALG_RSAES)
        return;
    (void)walk_algorithm(walk, TPM2_RC_HASH);
    if (scheme == TPM2_ALG_ECDAA)
        skip(walk, 2);
    if (scheme == TPM2_ALG_XOR)
        (void)walk_algorithm(walk, TPM2_RC_KDF);
}

static void walk_scheme(struct walk *walk, uint32_t refusal)
{
    walk_scheme_details(walk, walk_algorithm(walk, refusal));
}

static void walk_curve(struct walk *walk)
{
    tell(walk, ASKED_CURVE, read_u16(walk), 0, TPM2_RC_CURVE);
}

/* TPMU_PUBLIC_PARMS */
static void walk_details(struct walk *walk, uint16_t type)
{
    switch (type) {
    case TPM2_ALG_RSA:
        walk_symmetric(walk);
        walk_scheme(walk, TPM2_RC_VALUE);
        tell(walk, ASKED_RSA_BITS, read_u16(walk), 0, TPM2_RC_VALUE);
        break;
    case TPM2_ALG_ECC:
        walk_symmetric(walk);
        walk_scheme(walk, TPM2_RC_SCHEME);
        walk_curve(walk);
        walk_scheme(walk, TPM2_RC_KDF);
        break;
    case TPM2_ALG_KEYEDHASH:
        walk_scheme(walk, TPM2_RC_VALUE);
        break;
    case TPM2_ALG_SYMCIPHER:
        walk_symmetric(walk);
        break;
    default:
        walk->over = true;
        break;
    }
}

/* TPM2B_PUBLIC, and TPM2B_TEMPLATE, as far as the unique field */
static void walk_public(struct walk *walk)
{
    uint16_t size = read_u16(walk), type;
    const uint8_t *after;

    if (walk->over || size > walk->end - walk->at) {
        walk->over = true;
        return;
    }
    after = walk->at + size;
    type = walk_algorithm(walk, TPM2_RC_TYPE);
    (void)walk_algorithm(walk, TPM2_RC_HASH);
    skip(walk, 4);
    skip_2b(walk);
    walk_details(walk, type);
    if (walk->at > after)
        walk->over = true;
    if (!walk->over)
        walk->at = after;
}

static void walk_nv_public(struct walk *walk)
{
    skip(walk, 2 + 4);
    (void)walk_algorithm(walk, TPM2_RC_HASH);
    skip(walk, 4);
    skip_2b(walk);
    tell(walk, ASKED_NV_SIZE, read_u16(walk), 0, TPM2_RC_SIZE);
}

static void walk_selections(struct walk *walk)
{
    uint32_t count = read_number(walk, 4);

    for (uint32_t i = 0; i < count && i < LIST_MAX && !walk->over; i++) {
        (void)walk_algorithm(walk, TPM2_RC_HASH);
        skip(walk, read_number(walk, 1));
    }
}

static size_t digest_size(uint16_t hash)
{
    switch (hash) {
    case TPM2_ALG_SHA1:
        return 20;
    case TPM2_ALG_SHA256:
    case TPM2_ALG_SM3_256:
        return 32;
    case TPM2_ALG_SHA384:
        return 48;
    case TPM2_ALG_SHA512:
        return 64;
    default:
        return MESSAGE_MAX;
    }
}

static void walk_digests(struct walk *walk)
{
    uint32_t count = read_number(walk, 4);

    for (uint32_t i = 0; i < count && i < LIST_MAX && !walk->over; i++)
        skip(walk, digest_size(walk_algorithm(walk, TPM2_RC_HASH)));
}

static void walk_piece_to_write(struct walk *walk)
{
    uint16_t size = read_u16(walk);

    tell(walk, ASKED_NV_PIECE, size, 0, TPM2_RC_SIZE);
    skip(walk, size);
}

/* Parameters that are an algorithm, or a scheme that begins with one. */
static const struct selector {
    char letter;
    bool is_scheme;
    uint32_t refusal;
} selectors[] = {
    {'h', false, TPM2_RC_HASH},   /* TPMI_ALG_HASH */
    {'k', false, TPM2_RC_SCHEME}, /* TPMI_ECC_KEY_EXCHANGE */
    {'m', false, TPM2_RC_MODE},   /* TPMI_ALG_CIPHER_MODE */
    {'r', true, TPM2_RC_VALUE},   /* TPMT_RSA_DECRYPT */
    {'s', true, TPM2_RC_SCHEME},  /* TPMT_SIG_SCHEME; TPMT_SIGNATURE, if it is the last */
};

static bool walk_selector(struct walk *walk, char letter)
{
    for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
        if (selectors[i].letter != letter)
            continue;
        if (selectors[i].is_scheme)
            walk_scheme(walk, selectors[i].refusal);
        else
            (void)walk_algorithm(walk, selectors[i].refusal);
        return true;
    }
    return false;
}

static void walk_parameter(struct walk *walk, char letter)
{
    if (walk_selector(walk, letter))
        return;
    switch (letter) {
    case '1': /* a byte */
        skip(walk, 1);
        break;
    case '4': /* UINT32 */
        skip(walk, 4);
        break;
    case 'b': /* any TPM2B */
        skip_2b(walk);
        break;
    case 'c': /* TPMI_ECC_CURVE */
        walk_curve(walk);
        break;
    case 'd': /* TPML_DIGEST_VALUES */
        walk_digests(walk);
        break;
    case 'l': /* TPML_PCR_SELECTION */
        walk_selections(walk);
        break;
    case 'n': /* TPM2B_NV_PUBLIC */
        walk_nv_public(walk);
        break;
    case 'p': /* TPM2B_PUBLIC, TPM2B_TEMPLATE */
        walk_public(walk);
        break;
    case 't': /* TPMT_PUBLIC_PARMS */
        walk_details(walk, walk_algorithm(walk, TPM2_RC_TYPE));
        break;
    case 'w': /* TPM2B_MAX_NV_BUFFER */
        walk_piece_to_write(walk);
        break;
    case 'y': /* TPMT_SYM_DEF, TPMT_SYM_DEF_OBJECT */
        walk_symmetric(walk);
        break;
    case 'z': /* the size of an NV read */
        tell(walk, ASKED_NV_PIECE, read_u16(walk), 0, TPM2_RC_VALUE);
        break;
    default:
        walk->over = true;
        break;
    }
}

void parameters_walk(const struct command *command, const struct message *message,
                     asked_visitor visitor, void *context)
{
    struct walk walk = {message->bytes + command->parameters,
                        message->bytes + message->size,
                        1,
                        false,
                        visitor,
                        context};
    const char *kinds = "";

    if (command->parameters > message->size)
        return;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == command->code)
            kinds = rows[i].parameters;
    for (; *kinds && !walk.over; kinds++, walk.parameter++)
        walk_parameter(&walk, *kinds);
}
