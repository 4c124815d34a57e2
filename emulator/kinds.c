#include "emulator/kinds.h"

#include <stddef.h>
#include <tss2/tss2_tpm2_types.h>

#ifndef TPM2_CC_PolicyAuthorizeNV
#define TPM2_CC_PolicyAuthorizeNV 0x00000192u
#endif

/* Of revision 1.59 and later: libtpms 0.10 has them, tpm2-tss 3.2 not. */
#ifndef TPM2_CC_ECC_Encrypt
#define TPM2_CC_ECC_Encrypt 0x00000199u
#endif
#ifndef TPM2_CC_ECC_Decrypt
#define TPM2_CC_ECC_Decrypt 0x0000019au
#endif
#ifndef TPM2_CC_PolicyCapability
#define TPM2_CC_PolicyCapability 0x0000019bu
#endif
#ifndef TPM2_CC_PolicyParameters
#define TPM2_CC_PolicyParameters 0x0000019cu
#endif

/* Where a response has its TPMT_SIGNATURE. */
enum signature_place {
    NO_SIGNATURE,
    SIGNATURE_FIRST,
    SIGNATURE_AFTER_ATTEST,
};

/* Every command that is not here changes all that is shared. */
static const struct kind_row {
    uint32_t code;
    enum command_kind kind;
    enum signature_place signature;
} rows[] = {
    {TPM2_CC_Sign, KIND_OWN_OBJECTS, SIGNATURE_FIRST},
    {TPM2_CC_VerifySignature, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_RSA_Encrypt, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_RSA_Decrypt, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ECDH_KeyGen, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ECDH_ZGen, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ECC_Parameters, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ECC_Encrypt, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ECC_Decrypt, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_TestParms, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_Load, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_LoadExternal, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_Import, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_Duplicate, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_Rewrap, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_Unseal, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_HMAC, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_Hash, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_HMAC_Start, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_HashSequenceStart, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_SequenceUpdate, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_SequenceComplete, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_EncryptDecrypt, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_EncryptDecrypt2, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ObjectChangeAuth, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ActivateCredential, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_MakeCredential, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_ReadPublic, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_GetRandom, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_StirRandom, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_SelfTest, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_IncrementalSelfTest, KIND_OWN_OBJECTS, NO_SIGNATURE},
    {TPM2_CC_GetTestResult, KIND_OWN_OBJECTS, NO_SIGNATURE},

    {TPM2_CC_PCR_Read, KIND_READS_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_Read, KIND_READS_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_ReadPublic, KIND_READS_SHARED, NO_SIGNATURE},
    {TPM2_CC_GetCapability, KIND_READS_SHARED, NO_SIGNATURE},
    {TPM2_CC_ReadClock, KIND_READS_SHARED, NO_SIGNATURE},
    {TPM2_CC_GetTime, KIND_READS_SHARED, SIGNATURE_AFTER_ATTEST},
    {TPM2_CC_Quote, KIND_READS_SHARED, SIGNATURE_AFTER_ATTEST},
    {TPM2_CC_Certify, KIND_READS_SHARED, SIGNATURE_AFTER_ATTEST},
    {TPM2_CC_CertifyCreation, KIND_READS_SHARED, SIGNATURE_AFTER_ATTEST},
    {TPM2_CC_NV_Certify, KIND_READS_SHARED, SIGNATURE_AFTER_ATTEST},
    /* Creation data hold the PCRs. */
    {TPM2_CC_Create, KIND_READS_SHARED, NO_SIGNATURE},
    {TPM2_CC_CreatePrimary, KIND_READS_SHARED, NO_SIGNATURE},
    {TPM2_CC_CreateLoaded, KIND_READS_SHARED, NO_SIGNATURE},

    {TPM2_CC_PCR_Extend, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PCR_Event, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PCR_Reset, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_EventSequenceComplete, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_Write, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_Increment, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_Extend, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_SetBits, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_WriteLock, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_ReadLock, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_NV_GlobalWriteLock, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_StartAuthSession, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_ContextSave, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_ContextLoad, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_FlushContext, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicySigned, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicySecret, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyTicket, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyOR, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyPCR, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyLocality, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyNV, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyCounterTimer, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyCommandCode, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyPhysicalPresence, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyCpHash, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyNameHash, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyDuplicationSelect, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyAuthorize, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyAuthValue, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyPassword, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyGetDigest, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyNvWritten, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyTemplate, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyAuthorizeNV, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyRestart, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyCapability, KIND_CHANGES_SHARED, NO_SIGNATURE},
    {TPM2_CC_PolicyParameters, KIND_CHANGES_SHARED, NO_SIGNATURE},
};

static const struct kind_row *row_of(uint32_t code)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

/* The handle that FlushContext and ContextLoad have among their parameters. */
static bool parameter_is_object(const struct command *command, const struct message *message)
{
    size_t at = HEADER_SIZE;

    if (command->code == TPM2_CC_ContextLoad)
        at += 8; /* TPMS_CONTEXT.sequence */
    else if (command->code != TPM2_CC_FlushContext)
        return false;
    return message->size >= at + 4 && handle_is_transient(get_u32(message->bytes + at));
}

enum command_kind command_kind(const struct command *command, const struct message *message)
{
    const struct kind_row *row = row_of(command->code);

    if (!row)
        return KIND_CHANGES_HARD;
    if (parameter_is_object(command, message))
        return KIND_OWN_OBJECTS;
    /* A session's nonces, and the counter of saved ones, are in the shared table. */
    if (command->uses_session && row->kind < KIND_CHANGES_SHARED)
        return KIND_CHANGES_SHARED;
    return row->kind;
}

static bool names_object(const struct command *command)
{
    for (unsigned i = 0; i < command->handle_count; i++)
        if (handle_is_transient(command->handles[i]))
            return true;
    return false;
}

enum command_kind command_kind_bare(const struct command *command, const struct message *message)
{
    enum command_kind kind = command_kind(command, message);

    if (kind >= KIND_CHANGES_SHARED)
        return kind;
    if (command->returns_handle || command->flushes_handles ||
        command->code == TPM2_CC_SequenceUpdate || parameter_is_object(command, message))
        return KIND_CHANGES_SHARED;
    return names_object(command) ? KIND_READS_SHARED : kind;
}

bool command_attests(const struct command *command)
{
    const struct kind_row *row = row_of(command->code);

    return row && row->signature == SIGNATURE_AFTER_ATTEST;
}

bool response_spends_commit(const struct command *command, const struct message *response)
{
    const struct kind_row *row = row_of(command->code);
    size_t at = response_parameters(command, response);

    if (!row || row->signature == NO_SIGNATURE)
        return false;
    if (row->signature == SIGNATURE_AFTER_ATTEST && response->size >= at + 2)
        at += 2 + (size_t)get_u16(response->bytes + at);
    return response->size >= at + 2 && get_u16(response->bytes + at) == TPM2_ALG_ECDAA;
}
