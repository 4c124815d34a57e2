#include "emulator/names.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

struct name {
    uint32_t value;
    const char *text;
};

/* TPM 2.0 Library part 2, TPM_CC. Values for those that older tpm2-tss lacks. */
static const struct name commands[] = {
    {0x11fu, "NV_UndefineSpaceSpecial"},
    {0x120u, "EvictControl"},
    {0x121u, "HierarchyControl"},
    {0x122u, "NV_UndefineSpace"},
    {0x124u, "ChangeEPS"},
    {0x125u, "ChangePPS"},
    {0x126u, "Clear"},
    {0x127u, "ClearControl"},
    {0x128u, "ClockSet"},
    {0x129u, "HierarchyChangeAuth"},
    {0x12au, "NV_DefineSpace"},
    {0x12bu, "PCR_Allocate"},
    {0x12cu, "PCR_SetAuthPolicy"},
    {0x12du, "PP_Commands"},
    {0x12eu, "SetPrimaryPolicy"},
    {0x12fu, "FieldUpgradeStart"},
    {0x130u, "ClockRateAdjust"},
    {0x131u, "CreatePrimary"},
    {0x132u, "NV_GlobalWriteLock"},
    {0x133u, "GetCommandAuditDigest"},
    {0x134u, "NV_Increment"},
    {0x135u, "NV_SetBits"},
    {0x136u, "NV_Extend"},
    {0x137u, "NV_Write"},
    {0x138u, "NV_WriteLock"},
    {0x139u, "DictionaryAttackLockReset"},
    {0x13au, "DictionaryAttackParameters"},
    {0x13bu, "NV_ChangeAuth"},
    {0x13cu, "PCR_Event"},
    {0x13du, "PCR_Reset"},
    {0x13eu, "SequenceComplete"},
    {0x13fu, "SetAlgorithmSet"},
    {0x140u, "SetCommandCodeAuditStatus"},
    {0x141u, "FieldUpgradeData"},
    {0x142u, "IncrementalSelfTest"},
    {0x143u, "SelfTest"},
    {0x144u, "Startup"},
    {0x145u, "Shutdown"},
    {0x146u, "StirRandom"},
    {0x147u, "ActivateCredential"},
    {0x148u, "Certify"},
    {0x149u, "PolicyNV"},
    {0x14au, "CertifyCreation"},
    {0x14bu, "Duplicate"},
    {0x14cu, "GetTime"},
    {0x14du, "GetSessionAuditDigest"},
    {0x14eu, "NV_Read"},
    {0x14fu, "NV_ReadLock"},
    {0x150u, "ObjectChangeAuth"},
    {0x151u, "PolicySecret"},
    {0x152u, "Rewrap"},
    {0x153u, "Create"},
    {0x154u, "ECDH_ZGen"},
    {0x155u, "HMAC"},
    {0x156u, "Import"},
    {0x157u, "Load"},
    {0x158u, "Quote"},
    {0x159u, "RSA_Decrypt"},
    {0x15bu, "HMAC_Start"},
    {0x15cu, "SequenceUpdate"},
    {0x15du, "Sign"},
    {0x15eu, "Unseal"},
    {0x160u, "PolicySigned"},
    {0x161u, "ContextLoad"},
    {0x162u, "ContextSave"},
    {0x163u, "ECDH_KeyGen"},
    {0x164u, "EncryptDecrypt"},
    {0x165u, "FlushContext"},
    {0x167u, "LoadExternal"},
    {0x168u, "MakeCredential"},
    {0x169u, "NV_ReadPublic"},
    {0x16au, "PolicyAuthorize"},
    {0x16bu, "PolicyAuthValue"},
    {0x16cu, "PolicyCommandCode"},
    {0x16du, "PolicyCounterTimer"},
    {0x16eu, "PolicyCpHash"},
    {0x16fu, "PolicyLocality"},
    {0x170u, "PolicyNameHash"},
    {0x171u, "PolicyOR"},
    {0x172u, "PolicyTicket"},
    {0x173u, "ReadPublic"},
    {0x174u, "RSA_Encrypt"},
    {0x176u, "StartAuthSession"},
    {0x177u, "VerifySignature"},
    {0x178u, "ECC_Parameters"},
    {0x179u, "FirmwareRead"},
    {0x17au, "GetCapability"},
    {0x17bu, "GetRandom"},
    {0x17cu, "GetTestResult"},
    {0x17du, "Hash"},
    {0x17eu, "PCR_Read"},
    {0x17fu, "PolicyPCR"},
    {0x180u, "PolicyRestart"},
    {0x181u, "ReadClock"},
    {0x182u, "PCR_Extend"},
    {0x183u, "PCR_SetAuthValue"},
    {0x184u, "NV_Certify"},
    {0x185u, "EventSequenceComplete"},
    {0x186u, "HashSequenceStart"},
    {0x187u, "PolicyPhysicalPresence"},
    {0x188u, "PolicyDuplicationSelect"},
    {0x189u, "PolicyGetDigest"},
    {0x18au, "TestParms"},
    {0x18bu, "Commit"},
    {0x18cu, "PolicyPassword"},
    {0x18du, "ZGen_2Phase"},
    {0x18eu, "EC_Ephemeral"},
    {0x18fu, "PolicyNvWritten"},
    {0x190u, "PolicyTemplate"},
    {0x191u, "CreateLoaded"},
    {0x192u, "PolicyAuthorizeNV"},
    {0x193u, "EncryptDecrypt2"},
    {0x194u, "AC_GetCapability"},
    {0x195u, "AC_Send"},
    {0x196u, "Policy_AC_SendSelect"},
    {0x197u, "CertifyX509"},
    {0x198u, "ACT_SetTimeout"},
    {0x199u, "ECC_Encrypt"},
    {0x19au, "ECC_Decrypt"},
    {0x19bu, "PolicyCapability"},
    {0x19cu, "PolicyParameters"},
    {0x20000000u, "Vendor_TCG_Test"},
};

/* TPM 2.0 Library part 2, TPM_RC. */
static const struct name codes[] = {
    {TPM2_RC_SUCCESS, "SUCCESS"},
    {TPM2_RC_BAD_TAG, "BAD_TAG"},
    {TPM2_RC_INITIALIZE, "INITIALIZE"},
    {TPM2_RC_FAILURE, "FAILURE"},
    {TPM2_RC_SEQUENCE, "SEQUENCE"},
    {TPM2_RC_DISABLED, "DISABLED"},
    {TPM2_RC_EXCLUSIVE, "EXCLUSIVE"},
    {TPM2_RC_AUTH_TYPE, "AUTH_TYPE"},
    {TPM2_RC_AUTH_MISSING, "AUTH_MISSING"},
    {TPM2_RC_POLICY, "POLICY"},
    {TPM2_RC_PCR, "PCR"},
    {TPM2_RC_PCR_CHANGED, "PCR_CHANGED"},
    {TPM2_RC_UPGRADE, "UPGRADE"},
    {TPM2_RC_TOO_MANY_CONTEXTS, "TOO_MANY_CONTEXTS"},
    {TPM2_RC_AUTH_UNAVAILABLE, "AUTH_UNAVAILABLE"},
    {TPM2_RC_REBOOT, "REBOOT"},
    {TPM2_RC_UNBALANCED, "UNBALANCED"},
    {TPM2_RC_COMMAND_SIZE, "COMMAND_SIZE"},
    {TPM2_RC_COMMAND_CODE, "COMMAND_CODE"},
    {TPM2_RC_AUTHSIZE, "AUTHSIZE"},
    {TPM2_RC_AUTH_CONTEXT, "AUTH_CONTEXT"},
    {TPM2_RC_NV_RANGE, "NV_RANGE"},
    {TPM2_RC_NV_SIZE, "NV_SIZE"},
    {TPM2_RC_NV_LOCKED, "NV_LOCKED"},
    {TPM2_RC_NV_AUTHORIZATION, "NV_AUTHORIZATION"},
    {TPM2_RC_NV_UNINITIALIZED, "NV_UNINITIALIZED"},
    {TPM2_RC_NV_SPACE, "NV_SPACE"},
    {TPM2_RC_NV_DEFINED, "NV_DEFINED"},
    {TPM2_RC_BAD_CONTEXT, "BAD_CONTEXT"},
    {TPM2_RC_CPHASH, "CPHASH"},
    {TPM2_RC_PARENT, "PARENT"},
    {TPM2_RC_NEEDS_TEST, "NEEDS_TEST"},
    {TPM2_RC_NO_RESULT, "NO_RESULT"},
    {TPM2_RC_SENSITIVE, "SENSITIVE"},
    {TPM2_RC_ASYMMETRIC, "ASYMMETRIC"},
    {TPM2_RC_ATTRIBUTES, "ATTRIBUTES"},
    {TPM2_RC_HASH, "HASH"},
    {TPM2_RC_VALUE, "VALUE"},
    {TPM2_RC_HIERARCHY, "HIERARCHY"},
    {TPM2_RC_KEY_SIZE, "KEY_SIZE"},
    {TPM2_RC_MGF, "MGF"},
    {TPM2_RC_MODE, "MODE"},
    {TPM2_RC_TYPE, "TYPE"},
    {TPM2_RC_HANDLE, "HANDLE"},
    {TPM2_RC_KDF, "KDF"},
    {TPM2_RC_RANGE, "RANGE"},
    {TPM2_RC_AUTH_FAIL, "AUTH_FAIL"},
    {TPM2_RC_NONCE, "NONCE"},
    {TPM2_RC_PP, "PP"},
    {TPM2_RC_SCHEME, "SCHEME"},
    {TPM2_RC_SIZE, "SIZE"},
    {TPM2_RC_SYMMETRIC, "SYMMETRIC"},
    {TPM2_RC_TAG, "TAG"},
    {TPM2_RC_SELECTOR, "SELECTOR"},
    {TPM2_RC_INSUFFICIENT, "INSUFFICIENT"},
    {TPM2_RC_SIGNATURE, "SIGNATURE"},
    {TPM2_RC_KEY, "KEY"},
    {TPM2_RC_POLICY_FAIL, "POLICY_FAIL"},
    {TPM2_RC_INTEGRITY, "INTEGRITY"},
    {TPM2_RC_TICKET, "TICKET"},
    {TPM2_RC_RESERVED_BITS, "RESERVED_BITS"},
    {TPM2_RC_BAD_AUTH, "BAD_AUTH"},
    {TPM2_RC_EXPIRED, "EXPIRED"},
    {TPM2_RC_POLICY_CC, "POLICY_CC"},
    {TPM2_RC_BINDING, "BINDING"},
    {TPM2_RC_CURVE, "CURVE"},
    {TPM2_RC_ECC_POINT, "ECC_POINT"},
    {TPM2_RC_CONTEXT_GAP, "CONTEXT_GAP"},
    {TPM2_RC_OBJECT_MEMORY, "OBJECT_MEMORY"},
    {TPM2_RC_SESSION_MEMORY, "SESSION_MEMORY"},
    {TPM2_RC_MEMORY, "MEMORY"},
    {TPM2_RC_SESSION_HANDLES, "SESSION_HANDLES"},
    {TPM2_RC_OBJECT_HANDLES, "OBJECT_HANDLES"},
    {TPM2_RC_LOCALITY, "LOCALITY"},
    {TPM2_RC_YIELDED, "YIELDED"},
    {TPM2_RC_CANCELED, "CANCELED"},
    {TPM2_RC_TESTING, "TESTING"},
    {TPM2_RC_REFERENCE_H0, "REFERENCE_H0"},
    {TPM2_RC_REFERENCE_H1, "REFERENCE_H1"},
    {TPM2_RC_REFERENCE_H2, "REFERENCE_H2"},
    {TPM2_RC_REFERENCE_H3, "REFERENCE_H3"},
    {TPM2_RC_REFERENCE_H4, "REFERENCE_H4"},
    {TPM2_RC_REFERENCE_H5, "REFERENCE_H5"},
    {TPM2_RC_REFERENCE_H6, "REFERENCE_H6"},
    {TPM2_RC_REFERENCE_S0, "REFERENCE_S0"},
    {TPM2_RC_REFERENCE_S1, "REFERENCE_S1"},
    {TPM2_RC_REFERENCE_S2, "REFERENCE_S2"},
    {TPM2_RC_REFERENCE_S3, "REFERENCE_S3"},
    {TPM2_RC_REFERENCE_S4, "REFERENCE_S4"},
    {TPM2_RC_REFERENCE_S5, "REFERENCE_S5"},
    {TPM2_RC_REFERENCE_S6, "REFERENCE_S6"},
    {TPM2_RC_NV_RATE, "NV_RATE"},
    {TPM2_RC_LOCKOUT, "LOCKOUT"},
    {TPM2_RC_RETRY, "RETRY"},
    {TPM2_RC_NV_UNAVAILABLE, "NV_UNAVAILABLE"},
    {TPM2_RC_NOT_USED, "NOT_USED"},
};

/* What is above comes from other layers than a TPM. */
#define CODE_MAX 0xfffu

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *text_of(const struct name *table, size_t count, uint32_t value)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].value == value)
            return table[i].text;
    return NULL;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *without_prefix(const char *text, const char *kind)
{
    if (has_prefix(text, "TPM2_"))
        text += 5;
    else if (has_prefix(text, "TPM_"))
        text += 4;
    return has_prefix(text, kind) ? text + strlen(kind) : text;
}

static bool value_of(const struct name *table, size_t count, const char *kind, const char *text,
                     uint32_t *ret)
{
    char *end;
    unsigned long number;

    if (text[0] >= '0' && text[0] <= '9') {
        number = strtoul(text, &end, 0);
        if (*end != '\0' || number > UINT32_MAX)
            return false;
        *ret = (uint32_t)number;
        return true;
    }
    text = without_prefix(text, kind);
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].text, text) == 0) {
            *ret = table[i].value;
            return true;
        }
    return false;
}

const char *command_name(uint32_t code)
{
    return text_of(commands, COUNT(commands), code);
}

bool command_from_name(const char *text, uint32_t *ret)
{
    return value_of(commands, COUNT(commands), "CC_", text, ret);
}

/* TPM 2.0 Library part 2, "Response Code Formats": a format-1 code says which
 * handle, session or parameter it is about. */
const char *response_code_name(uint32_t code)
{
    if (code <= CODE_MAX && code & TPM2_RC_FMT1)
        code &= TPM2_RC_FMT1 | 0x3f;
    return text_of(codes, COUNT(codes), code);
}

void response_code_describe(uint32_t code, char *text, size_t room)
{
    const char *name = response_code_name(code);
    const char *about = "handle";
    unsigned number = code >> 8 & 7;

    if (code & TPM2_RC_P) {
        about = "parameter";
        number = code >> 8 & 15;
    } else if (code & TPM2_RC_S) {
        about = "session";
    }
    if (code > CODE_MAX || !(code & TPM2_RC_FMT1) || number == 0)
        (void)snprintf(text, room, "%s", name ? name : "unknown");
    else
        (void)snprintf(text, room, "%s %s %u", name ? name : "unknown", about, number);
}

bool response_code_from_name(const char *text, uint32_t *ret)
{
    return value_of(codes, COUNT(codes), "RC_", text, ret);
}
