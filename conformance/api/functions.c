#include "conformance/api/functions.h"

struct answers {
    CK_RV expected;
    unsigned wrong;
};

static void note(struct answers *answers, const char *call, CK_RV got)
{
    if (got == answers->expected)
        return;
    fprintf(stderr, "%s gave %s, expected %s\n", call, rv_name(got), rv_name(answers->expected));
    answers->wrong++;
}

#define ASK(call) note(answers, #call, p11->call)
#define ASK_V3(call) note(answers, #call, p11_v3->call)
#define ASK_V32(call) note(answers, #call, p11_v32->call)

/* Arguments that would be right for a running module. */
static CK_SESSION_HANDLE session = 1;
static CK_OBJECT_HANDLE object = 1;
static CK_ULONG length;
static CK_BYTE bytes[64];
static CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
static CK_ATTRIBUTE template = {CKA_LABEL, bytes, 4};

static void ask_slot_functions(struct answers *answers)
{
    CK_INFO info;
    CK_SLOT_ID slot = 0;
    CK_SLOT_INFO slot_info;
    CK_TOKEN_INFO token;
    CK_MECHANISM_TYPE type;
    CK_MECHANISM_INFO mechanism_info;

    ASK(C_GetInfo(&info));
    length = 1;
    ASK(C_GetSlotList(CK_FALSE, &slot, &length));
    ASK(C_GetSlotInfo(0, &slot_info));
    ASK(C_GetTokenInfo(0, &token));
    ASK(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
    length = 1;
    ASK(C_GetMechanismList(0, &type, &length));
    ASK(C_GetMechanismInfo(0, CKM_SHA256, &mechanism_info));
    ASK(C_InitToken(0, bytes, 4, bytes));
    ASK(C_InitPIN(session, bytes, 4));
    ASK(C_SetPIN(session, bytes, 4, bytes, 4));
}

static void ask_session_functions(struct answers *answers)
{
    CK_SESSION_INFO info;

    ASK(C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session));
    ASK(C_CloseSession(session));
    ASK(C_CloseAllSessions(0));
    ASK(C_GetSessionInfo(session, &info));
    length = sizeof(bytes);
    ASK(C_GetOperationState(session, bytes, &length));
    ASK(C_SetOperationState(session, bytes, 4, object, object));
    ASK(C_Login(session, CKU_USER, bytes, 4));
    ASK(C_Logout(session));
    ASK(C_GetFunctionStatus(session));
    ASK(C_CancelFunction(session));
}

static void ask_object_functions(struct answers *answers)
{
    ASK(C_CreateObject(session, &template, 1, &object));
    ASK(C_CopyObject(session, object, &template, 1, &object));
    ASK(C_DestroyObject(session, object));
    ASK(C_GetObjectSize(session, object, &length));
    ASK(C_GetAttributeValue(session, object, &template, 1));
    ASK(C_SetAttributeValue(session, object, &template, 1));
    ASK(C_FindObjectsInit(session, &template, 1));
    ASK(C_FindObjects(session, &object, 1, &length));
    ASK(C_FindObjectsFinal(session));
}

static void ask_cipher_functions(struct answers *answers)
{
    length = sizeof(bytes);
    ASK(C_EncryptInit(session, &mechanism, object));
    ASK(C_Encrypt(session, bytes, 4, bytes, &length));
    ASK(C_EncryptUpdate(session, bytes, 4, bytes, &length));
    ASK(C_EncryptFinal(session, bytes, &length));
    ASK(C_DecryptInit(session, &mechanism, object));
    ASK(C_Decrypt(session, bytes, 4, bytes, &length));
    ASK(C_DecryptUpdate(session, bytes, 4, bytes, &length));
    ASK(C_DecryptFinal(session, bytes, &length));
    ASK(C_DigestInit(session, &mechanism));
    ASK(C_Digest(session, bytes, 4, bytes, &length));
    ASK(C_DigestUpdate(session, bytes, 4));
    ASK(C_DigestKey(session, object));
    ASK(C_DigestFinal(session, bytes, &length));
    ASK(C_DigestEncryptUpdate(session, bytes, 4, bytes, &length));
    ASK(C_DecryptDigestUpdate(session, bytes, 4, bytes, &length));
    ASK(C_SignEncryptUpdate(session, bytes, 4, bytes, &length));
    ASK(C_DecryptVerifyUpdate(session, bytes, 4, bytes, &length));
}

static void ask_signature_functions(struct answers *answers)
{
    length = sizeof(bytes);
    ASK(C_SignInit(session, &mechanism, object));
    ASK(C_Sign(session, bytes, 4, bytes, &length));
    ASK(C_SignUpdate(session, bytes, 4));
    ASK(C_SignFinal(session, bytes, &length));
    ASK(C_SignRecoverInit(session, &mechanism, object));
    ASK(C_SignRecover(session, bytes, 4, bytes, &length));
    ASK(C_VerifyInit(session, &mechanism, object));
    ASK(C_Verify(session, bytes, 4, bytes, 4));
    ASK(C_VerifyUpdate(session, bytes, 4));
    ASK(C_VerifyFinal(session, bytes, 4));
    ASK(C_VerifyRecoverInit(session, &mechanism, object));
    ASK(C_VerifyRecover(session, bytes, 4, bytes, &length));
}

static void ask_key_functions(struct answers *answers)
{
    length = sizeof(bytes);
    ASK(C_GenerateKey(session, &mechanism, &template, 1, &object));
    ASK(C_GenerateKeyPair(session, &mechanism, &template, 1, &template, 1, &object, &object));
    ASK(C_WrapKey(session, &mechanism, object, object, bytes, &length));
    ASK(C_UnwrapKey(session, &mechanism, object, bytes, 4, &template, 1, &object));
    ASK(C_DeriveKey(session, &mechanism, object, &template, 1, &object));
    ASK(C_SeedRandom(session, bytes, 4));
    ASK(C_GenerateRandom(session, bytes, 4));
}

static void ask_message_cipher_functions(struct answers *answers)
{
    length = sizeof(bytes);
    ASK_V3(C_MessageEncryptInit(session, &mechanism, object));
    ASK_V3(C_EncryptMessage(session, NULL, 0, NULL, 0, bytes, 4, bytes, &length));
    ASK_V3(C_EncryptMessageBegin(session, NULL, 0, NULL, 0));
    ASK_V3(C_EncryptMessageNext(session, NULL, 0, bytes, 4, bytes, &length, 0));
    ASK_V3(C_MessageEncryptFinal(session));
    ASK_V3(C_MessageDecryptInit(session, &mechanism, object));
    ASK_V3(C_DecryptMessage(session, NULL, 0, NULL, 0, bytes, 4, bytes, &length));
    ASK_V3(C_DecryptMessageBegin(session, NULL, 0, NULL, 0));
    ASK_V3(C_DecryptMessageNext(session, NULL, 0, bytes, 4, bytes, &length, 0));
    ASK_V3(C_MessageDecryptFinal(session));
}

static void ask_message_signature_functions(struct answers *answers)
{
    length = sizeof(bytes);
    ASK_V3(C_MessageSignInit(session, &mechanism, object));
    ASK_V3(C_SignMessage(session, NULL, 0, bytes, 4, bytes, &length));
    ASK_V3(C_SignMessageBegin(session, NULL, 0));
    ASK_V3(C_SignMessageNext(session, NULL, 0, bytes, 4, bytes, &length));
    ASK_V3(C_MessageSignFinal(session));
    ASK_V3(C_MessageVerifyInit(session, &mechanism, object));
    ASK_V3(C_VerifyMessage(session, NULL, 0, bytes, 4, bytes, 4));
    ASK_V3(C_VerifyMessageBegin(session, NULL, 0));
    ASK_V3(C_VerifyMessageNext(session, NULL, 0, bytes, 4, bytes, 4));
    ASK_V3(C_MessageVerifyFinal(session));
}

static void ask_version_3_functions(struct answers *answers)
{
    ASK_V3(C_LoginUser(session, CKU_USER, bytes, 4, bytes, 4));
    ASK_V3(C_SessionCancel(session, 0));
    ask_message_cipher_functions(answers);
    ask_message_signature_functions(answers);
}

static void ask_version_3_2_functions(struct answers *answers)
{
    CK_UTF8CHAR name[] = "C_Sign";
    CK_ASYNC_DATA result = {0};
    CK_FLAGS flags;

    length = sizeof(bytes);
    ASK_V32(C_EncapsulateKey(session, &mechanism, object, &template, 1, bytes, &length, &object));
    ASK_V32(C_DecapsulateKey(session, &mechanism, object, &template, 1, bytes, 4, &object));
    ASK_V32(C_VerifySignatureInit(session, &mechanism, object, bytes, 4));
    ASK_V32(C_VerifySignature(session, bytes, 4));
    ASK_V32(C_VerifySignatureUpdate(session, bytes, 4));
    ASK_V32(C_VerifySignatureFinal(session));
    ASK_V32(C_GetSessionValidationFlags(session, CKS_LAST_VALIDATION_OK, &flags));
    ASK_V32(C_AsyncComplete(session, name, &result));
    ASK_V32(C_AsyncGetID(session, name, &length));
    ASK_V32(C_AsyncJoin(session, name, 1, bytes, 4));
    ASK_V32(C_WrapKeyAuthenticated(session, &mechanism, object, object, bytes, 4, bytes, &length));
    ASK_V32(C_UnwrapKeyAuthenticated(session, &mechanism, object, bytes, 4, &template, 1, bytes, 4,
                                     &object));
}

unsigned functions_not_answering(CK_RV expected)
{
    struct answers answers = {.expected = expected};

    ask_slot_functions(&answers);
    ask_session_functions(&answers);
    ask_object_functions(&answers);
    ask_cipher_functions(&answers);
    ask_signature_functions(&answers);
    ask_key_functions(&answers);
    if (p11_v3)
        ask_version_3_functions(&answers);
    if (p11_v32)
        ask_version_3_2_functions(&answers);
    note(&answers, "C_Finalize(NULL)", p11->C_Finalize(NULL));
    return answers.wrong;
}

/* The lists are a version followed by nothing but function pointers. */
static unsigned null_pointers(const void *list, size_t first, size_t size)
{
    unsigned count = 0;

    for (size_t offset = first; offset < size; offset += sizeof(void *)) {
        void *pointer;

        memcpy(&pointer, (const char *)list + offset, sizeof(pointer));
        if (pointer)
            continue;
        print_error("the function at offset %zu of the list is NULL\n", offset);
        count++;
    }
    return count;
}

unsigned null_functions_2_40(const CK_FUNCTION_LIST *list)
{
    return null_pointers(list, offsetof(CK_FUNCTION_LIST, C_Initialize), sizeof(*list));
}

unsigned null_functions_3_0(const CK_FUNCTION_LIST_3_0 *list)
{
    return null_pointers(list, offsetof(CK_FUNCTION_LIST_3_0, C_Initialize), sizeof(*list));
}

unsigned null_functions_3_2(const CK_FUNCTION_LIST_3_2 *list)
{
    return null_pointers(list, offsetof(CK_FUNCTION_LIST_3_2, C_Initialize), sizeof(*list));
}
