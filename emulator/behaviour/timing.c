#include "emulator/behaviour/timing.h"

#include "emulator/behaviour/parameters.h"

#include <tss2/tss2_tpm2_types.h>

#define NANOSECONDS_PER_MILLISECOND 1e6
#define LONGEST_MILLISECONDS (24 * 3600 * 1e3)
#define RSA_SECRET_MIN 128

/* Where a command shows what it took. */
enum basis {
    BY_CODE,
    BY_TEMPLATE,
    BY_SIGNATURE,
    BY_ATTEST, /* the signature is after what it signs */
    BY_VERIFIED,
    BY_CIPHERTEXT,
    BY_SECRET, /* an encrypted salt or seed, the second parameter */
    BY_POINT,
};

static const struct timing_row {
    uint32_t code;
    enum basis basis;
    enum time_kind kind;
} rows[] = {
    {TPM2_CC_Create, BY_TEMPLATE, TIME_CREATE_OTHER},
    {TPM2_CC_CreatePrimary, BY_TEMPLATE, TIME_CREATE_OTHER},
    {TPM2_CC_CreateLoaded, BY_TEMPLATE, TIME_CREATE_OTHER},
    {TPM2_CC_Sign, BY_SIGNATURE, TIME_HMAC},
    {TPM2_CC_Quote, BY_ATTEST, TIME_HMAC},
    {TPM2_CC_Certify, BY_ATTEST, TIME_HMAC},
    {TPM2_CC_CertifyCreation, BY_ATTEST, TIME_HMAC},
    {TPM2_CC_NV_Certify, BY_ATTEST, TIME_HMAC},
    {TPM2_CC_GetTime, BY_ATTEST, TIME_HMAC},
    {TPM2_CC_VerifySignature, BY_VERIFIED, TIME_HMAC},
    {TPM2_CC_PolicySigned, BY_VERIFIED, TIME_HMAC},
    {TPM2_CC_RSA_Decrypt, BY_CIPHERTEXT, TIME_RSA_DECRYPT},
    {TPM2_CC_RSA_Encrypt, BY_CODE, TIME_VERIFY_RSA},
    {TPM2_CC_StartAuthSession, BY_SECRET, TIME_OTHER},
    {TPM2_CC_ActivateCredential, BY_SECRET, TIME_OTHER},
    {TPM2_CC_ECDH_ZGen, BY_POINT, TIME_ECDH},
    {TPM2_CC_ECDH_KeyGen, BY_POINT, TIME_ECDH},
    {TPM2_CC_ZGen_2Phase, BY_POINT, TIME_ECDH},
    {TPM2_CC_GetRandom, BY_CODE, TIME_GET_RANDOM},
    {TPM2_CC_Hash, BY_CODE, TIME_HASH},
    {TPM2_CC_SequenceUpdate, BY_CODE, TIME_HASH},
    {TPM2_CC_SequenceComplete, BY_CODE, TIME_HASH},
    {TPM2_CC_EventSequenceComplete, BY_CODE, TIME_HASH},
    {TPM2_CC_PCR_Extend, BY_CODE, TIME_HASH},
    {TPM2_CC_PCR_Event, BY_CODE, TIME_HASH},
    {TPM2_CC_HMAC, BY_CODE, TIME_HMAC},
    {TPM2_CC_EncryptDecrypt, BY_CODE, TIME_ENCRYPT},
    {TPM2_CC_EncryptDecrypt2, BY_CODE, TIME_ENCRYPT},
    {TPM2_CC_Load, BY_CODE, TIME_LOAD},
    {TPM2_CC_LoadExternal, BY_CODE, TIME_LOAD},
    {TPM2_CC_Import, BY_CODE, TIME_LOAD},
    {TPM2_CC_ContextSave, BY_CODE, TIME_LOAD},
    {TPM2_CC_ContextLoad, BY_CODE, TIME_LOAD},
    {TPM2_CC_ObjectChangeAuth, BY_CODE, TIME_LOAD},
    {TPM2_CC_Unseal, BY_CODE, TIME_UNSEAL},
    {TPM2_CC_EvictControl, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_DefineSpace, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_UndefineSpace, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_UndefineSpaceSpecial, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_Write, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_Increment, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_Extend, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_SetBits, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_NV_ChangeAuth, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_Clear, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_HierarchyChangeAuth, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_DictionaryAttackLockReset, BY_CODE, TIME_NV_CHANGE},
    {TPM2_CC_DictionaryAttackParameters, BY_CODE, TIME_NV_CHANGE},
};

const struct figure *timing_figure(const struct profile *profile, enum time_kind kind)
{
    switch (kind) {
    case TIME_LOAD:
    case TIME_NV_CHANGE:
        kind = TIME_CREATE_OTHER;
        break;
    case TIME_UNSEAL:
        kind = TIME_HMAC;
        break;
    case TIME_OTHER:
        kind = TIME_GET_RANDOM;
        break;
    default:
        break;
    }
    return &profile->times[kind];
}

void timing_init(const struct profile *profile, uint64_t seed, double speed, struct timing *ret)
{
    for (int kind = 0; kind < TIME_KINDS; kind++)
        distribution_fit(timing_figure(profile, (enum time_kind)kind), &ret->distributions[kind]);
    ret->draws.state = seed;
    ret->speed = speed;
}

static double rsa_factor(size_t bits, bool made)
{
    if (bits <= 1024)
        return made ? 0.2 : 0.3;
    if (bits <= 2048)
        return 1;
    return made ? 4 : 2.5;
}

static double curve_factor(size_t coordinate_bytes)
{
    if (coordinate_bytes <= 32)
        return 1;
    return coordinate_bytes <= 48 ? 1.9 : 4;
}

/* What a template or a signature is of. */
struct subject {
    uint16_t type;
    uint16_t rsa_bits;
    uint16_t curve;
};

static bool note_subject(void *context, const struct asked *asked)
{
    struct subject *subject = context;

    if (asked->kind == ASKED_ALGORITHM && subject->type == 0)
        subject->type = asked->value;
    else if (asked->kind == ASKED_RSA_BITS)
        subject->rsa_bits = asked->value;
    else if (asked->kind == ASKED_CURVE)
        subject->curve = asked->value;
    return true;
}

static size_t curve_bytes(uint16_t curve)
{
    if (curve == TPM2_ECC_NIST_P384)
        return 48;
    return curve == TPM2_ECC_NIST_P521 || curve == TPM2_ECC_BN_P638 ? 66 : 32;
}

static enum time_kind by_template(const struct subject *subject, double *ret_factor)
{
    if (subject->type == TPM2_ALG_RSA) {
        *ret_factor = rsa_factor(subject->rsa_bits, true);
        return TIME_CREATE_RSA;
    }
    if (subject->type == TPM2_ALG_ECC) {
        *ret_factor = curve_factor(curve_bytes(subject->curve));
        return TIME_CREATE_ECC;
    }
    return TIME_CREATE_OTHER;
}

static bool is_rsa_signature(uint16_t algorithm)
{
    return algorithm == TPM2_ALG_RSASSA || algorithm == TPM2_ALG_RSAPSS;
}

/* A TPMT_SIGNATURE: algorithm, hash, and for RSA one TPM2B, for ECC two. */
static enum time_kind by_signature(const struct message *response, size_t at, double *ret_factor)
{
    uint16_t algorithm, size;

    if (response->size < at + 6)
        return TIME_OTHER;
    algorithm = get_u16(response->bytes + at);
    size = get_u16(response->bytes + at + 4);
    if (algorithm == TPM2_ALG_HMAC)
        return TIME_HMAC;
    if (is_rsa_signature(algorithm)) {
        *ret_factor = rsa_factor((size_t)size * 8, false);
        return TIME_SIGN_RSA;
    }
    *ret_factor = curve_factor(size);
    return TIME_SIGN_ECC;
}

/* The size of the TPM2B at an offset; 0 if it is not there. */
static size_t size_of_2b(const struct message *message, size_t at)
{
    return message->size >= at + 2 ? get_u16(message->bytes + at) : 0;
}

static enum time_kind by_secret(const struct command *command, const struct message *message)
{
    size_t at = command->parameters + 2 + size_of_2b(message, command->parameters);
    size_t size = size_of_2b(message, at);

    if (size == 0)
        return TIME_OTHER;
    return size >= RSA_SECRET_MIN ? TIME_RSA_DECRYPT : TIME_ECDH;
}

static const struct timing_row *row_of(uint32_t code)
{
    static const struct timing_row other = {0, BY_CODE, TIME_OTHER};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == code)
            return &rows[i];
    return &other;
}

enum time_kind timing_kind(const struct command *command, const struct message *message,
                           const struct message *response, double *ret_factor)
{
    const struct timing_row *row = row_of(command->code);
    size_t at = response_parameters(command, response);
    struct subject subject = {0, 0, 0};

    *ret_factor = 1;
    if (response_code(response) != TPM2_RC_SUCCESS)
        return TIME_OTHER;
    switch (row->basis) {
    case BY_TEMPLATE:
        parameters_walk(command, message, note_subject, &subject);
        return by_template(&subject, ret_factor);
    case BY_SIGNATURE:
        return by_signature(response, at, ret_factor);
    case BY_ATTEST:
        return by_signature(response, at + 2 + size_of_2b(response, at), ret_factor);
    case BY_VERIFIED:
        parameters_walk(command, message, note_subject, &subject);
        return is_rsa_signature(subject.type) ? TIME_VERIFY_RSA : TIME_VERIFY_ECC;
    case BY_CIPHERTEXT:
        *ret_factor = rsa_factor(size_of_2b(message, command->parameters) * 8, false);
        return row->kind;
    case BY_SECRET:
        return by_secret(command, message);
    case BY_POINT:
        *ret_factor = curve_factor(size_of_2b(response, at + 2));
        return row->kind;
    case BY_CODE:
    default:
        return row->kind;
    }
}

uint64_t timing_draw(struct timing *timing, enum time_kind kind, double factor)
{
    double time = distribution_draw(&timing->distributions[kind], &timing->draws) * factor;

    if (time > LONGEST_MILLISECONDS)
        time = LONGEST_MILLISECONDS;
    return (uint64_t)(time / timing->speed * NANOSECONDS_PER_MILLISECOND);
}
