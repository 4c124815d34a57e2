/* PKCS#11 as this project sees it: p11-kit's header, and what version 3.0 and
 * later add where that header is still at 2.40. Values are those of the OASIS
 * PKCS#11 3.0 and 3.1 headers. */
#ifndef SIGNET_BASE_PKCS11_H
#define SIGNET_BASE_PKCS11_H

/* The entry points are the only symbols that the module exports. */
#pragma GCC visibility push(default)
#include <p11-kit/pkcs11.h>

#ifndef CK_TRUE
#define CK_TRUE 1
#define CK_FALSE 0
#endif

/* The functions of the two lists, each in its list's order. */
/* clang-format off */
#define SIGNET_FUNCTIONS_2_40(X)                                                                   \
    X(C_Initialize) X(C_Finalize) X(C_GetInfo) X(C_GetFunctionList) X(C_GetSlotList)               \
    X(C_GetSlotInfo) X(C_GetTokenInfo) X(C_GetMechanismList) X(C_GetMechanismInfo)                 \
    X(C_InitToken) X(C_InitPIN) X(C_SetPIN) X(C_OpenSession) X(C_CloseSession)                     \
    X(C_CloseAllSessions) X(C_GetSessionInfo) X(C_GetOperationState) X(C_SetOperationState)        \
    X(C_Login) X(C_Logout) X(C_CreateObject) X(C_CopyObject) X(C_DestroyObject)                    \
    X(C_GetObjectSize) X(C_GetAttributeValue) X(C_SetAttributeValue) X(C_FindObjectsInit)          \
    X(C_FindObjects) X(C_FindObjectsFinal) X(C_EncryptInit) X(C_Encrypt) X(C_EncryptUpdate)        \
    X(C_EncryptFinal) X(C_DecryptInit) X(C_Decrypt) X(C_DecryptUpdate) X(C_DecryptFinal)           \
    X(C_DigestInit) X(C_Digest) X(C_DigestUpdate) X(C_DigestKey) X(C_DigestFinal)                  \
    X(C_SignInit) X(C_Sign) X(C_SignUpdate) X(C_SignFinal) X(C_SignRecoverInit)                    \
    X(C_SignRecover) X(C_VerifyInit) X(C_Verify) X(C_VerifyUpdate) X(C_VerifyFinal)                \
    X(C_VerifyRecoverInit) X(C_VerifyRecover) X(C_DigestEncryptUpdate)                             \
    X(C_DecryptDigestUpdate) X(C_SignEncryptUpdate) X(C_DecryptVerifyUpdate)                       \
    X(C_GenerateKey) X(C_GenerateKeyPair) X(C_WrapKey) X(C_UnwrapKey) X(C_DeriveKey)               \
    X(C_SeedRandom) X(C_GenerateRandom) X(C_GetFunctionStatus) X(C_CancelFunction)                 \
    X(C_WaitForSlotEvent)

#define SIGNET_FUNCTIONS_3_0(X)                                                                    \
    X(C_GetInterfaceList) X(C_GetInterface) X(C_LoginUser) X(C_SessionCancel)                      \
    X(C_MessageEncryptInit) X(C_EncryptMessage) X(C_EncryptMessageBegin)                           \
    X(C_EncryptMessageNext) X(C_MessageEncryptFinal) X(C_MessageDecryptInit)                       \
    X(C_DecryptMessage) X(C_DecryptMessageBegin) X(C_DecryptMessageNext)                           \
    X(C_MessageDecryptFinal) X(C_MessageSignInit) X(C_SignMessage) X(C_SignMessageBegin)           \
    X(C_SignMessageNext) X(C_MessageSignFinal) X(C_MessageVerifyInit) X(C_VerifyMessage)           \
    X(C_VerifyMessageBegin) X(C_VerifyMessageNext) X(C_MessageVerifyFinal)
/* clang-format on */

#if CRYPTOKI_VERSION_MAJOR < 3

#define CKF_INTERFACE_FORK_SAFE 1UL

#define CKO_PROFILE 9UL
#define CKP_BASELINE_PROVIDER 1UL
#define CKP_EXTENDED_PROVIDER 2UL
#define CKP_AUTHENTICATION_TOKEN 3UL
#define CKP_PUBLIC_CERTIFICATES_TOKEN 4UL

#define CKA_PROFILE_ID 0x601UL

#ifndef CKR_ACTION_PROHIBITED
#define CKR_ACTION_PROHIBITED 0x1BUL
#endif
#define CKR_OPERATION_CANCEL_FAILED 0x202UL

typedef struct CK_INTERFACE {
    unsigned char *pInterfaceName;
    void *pFunctionList;
    CK_FLAGS flags;
} CK_INTERFACE;

typedef CK_INTERFACE *CK_INTERFACE_PTR;
typedef CK_INTERFACE_PTR *CK_INTERFACE_PTR_PTR;

/* The functions that version 3.0 adds, in the order of its function list. */
CK_RV C_GetInterfaceList(CK_INTERFACE_PTR interfaces, CK_ULONG_PTR count);
CK_RV C_GetInterface(unsigned char *name, CK_VERSION_PTR version,
                     CK_INTERFACE_PTR_PTR ret_interface, CK_FLAGS flags);
CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin,
                  CK_ULONG pin_len, unsigned char *username, CK_ULONG username_len);
CK_RV C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags);

#define SIGNET_MESSAGE_INIT(name)                                                                  \
    CK_RV name(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
#define SIGNET_MESSAGE_FINAL(name) CK_RV name(CK_SESSION_HANDLE session)
#define SIGNET_MESSAGE_CRYPT(name)                                                                 \
    CK_RV name(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,                 \
               unsigned char *associated, CK_ULONG associated_len, unsigned char *in,              \
               CK_ULONG in_len, unsigned char *out, CK_ULONG_PTR out_len)
#define SIGNET_MESSAGE_CRYPT_BEGIN(name)                                                           \
    CK_RV name(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,                 \
               unsigned char *associated, CK_ULONG associated_len)
#define SIGNET_MESSAGE_CRYPT_NEXT(name)                                                            \
    CK_RV name(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,                 \
               unsigned char *in, CK_ULONG in_len, unsigned char *out, CK_ULONG_PTR out_len,       \
               CK_FLAGS flags)
#define SIGNET_MESSAGE_SIGN(name)                                                                  \
    CK_RV name(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,                 \
               unsigned char *data, CK_ULONG data_len, unsigned char *signature,                   \
               CK_ULONG_PTR signature_len)
#define SIGNET_MESSAGE_SIGN_BEGIN(name)                                                            \
    CK_RV name(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len)
#define SIGNET_MESSAGE_VERIFY(name)                                                                \
    CK_RV name(CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,                 \
               unsigned char *data, CK_ULONG data_len, unsigned char *signature,                   \
               CK_ULONG signature_len)

SIGNET_MESSAGE_INIT(C_MessageEncryptInit);
SIGNET_MESSAGE_CRYPT(C_EncryptMessage);
SIGNET_MESSAGE_CRYPT_BEGIN(C_EncryptMessageBegin);
SIGNET_MESSAGE_CRYPT_NEXT(C_EncryptMessageNext);
SIGNET_MESSAGE_FINAL(C_MessageEncryptFinal);
SIGNET_MESSAGE_INIT(C_MessageDecryptInit);
SIGNET_MESSAGE_CRYPT(C_DecryptMessage);
SIGNET_MESSAGE_CRYPT_BEGIN(C_DecryptMessageBegin);
SIGNET_MESSAGE_CRYPT_NEXT(C_DecryptMessageNext);
SIGNET_MESSAGE_FINAL(C_MessageDecryptFinal);
SIGNET_MESSAGE_INIT(C_MessageSignInit);
SIGNET_MESSAGE_SIGN(C_SignMessage);
SIGNET_MESSAGE_SIGN_BEGIN(C_SignMessageBegin);
SIGNET_MESSAGE_SIGN(C_SignMessageNext);
SIGNET_MESSAGE_FINAL(C_MessageSignFinal);
SIGNET_MESSAGE_INIT(C_MessageVerifyInit);
SIGNET_MESSAGE_VERIFY(C_VerifyMessage);
SIGNET_MESSAGE_SIGN_BEGIN(C_VerifyMessageBegin);
SIGNET_MESSAGE_VERIFY(C_VerifyMessageNext);
SIGNET_MESSAGE_FINAL(C_MessageVerifyFinal);

#define SIGNET_MEMBER(name) __typeof__(&name) name;
typedef struct CK_FUNCTION_LIST_3_0 {
    CK_VERSION version;
    SIGNET_FUNCTIONS_2_40(SIGNET_MEMBER)
    SIGNET_FUNCTIONS_3_0(SIGNET_MEMBER)
} CK_FUNCTION_LIST_3_0;

#endif /* CRYPTOKI_VERSION_MAJOR < 3 */

#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 4UL
#endif

#ifndef CKO_TRUST
#define CKO_TRUST 0x0BUL
#endif
#ifndef CKF_FIND_OBJECTS
#define CKF_FIND_OBJECTS 0x40UL
#endif

#pragma GCC visibility pop

#endif
