/* PKCS#11 as this project sees it: p11-kit's header, and what version 3.0 and
 * later add where that header is still older. Values are those of the OASIS
 * PKCS#11 3.0, 3.1 and 3.2 headers. */
#ifndef SIGNET_BASE_PKCS11_H
#define SIGNET_BASE_PKCS11_H

/* The entry points are the only symbols that the module exports. */
#pragma GCC visibility push(default)
#include <p11-kit/pkcs11.h>

#ifndef CK_TRUE
#define CK_TRUE 1
#define CK_FALSE 0
#endif

/* What each version adds to the function list, in the list's order; 3.1 adds nothing. */
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

#define SIGNET_FUNCTIONS_3_2(X)                                                                    \
    X(C_EncapsulateKey) X(C_DecapsulateKey) X(C_VerifySignatureInit) X(C_VerifySignature)          \
    X(C_VerifySignatureUpdate) X(C_VerifySignatureFinal) X(C_GetSessionValidationFlags)            \
    X(C_AsyncComplete) X(C_AsyncGetID) X(C_AsyncJoin) X(C_WrapKeyAuthenticated)                    \
    X(C_UnwrapKeyAuthenticated)
/* clang-format on */

#define SIGNET_MEMBER(name) __typeof__(&name) name;

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

typedef struct CK_FUNCTION_LIST_3_0 {
    CK_VERSION version;
    SIGNET_FUNCTIONS_2_40(SIGNET_MEMBER)
    SIGNET_FUNCTIONS_3_0(SIGNET_MEMBER)
} CK_FUNCTION_LIST_3_0;

#endif /* CRYPTOKI_VERSION_MAJOR < 3 */

/* Parameters of mechanisms, which headers of version 3 may have or not: under names of
 * our own they are in nobody's way. */
typedef struct signet_eddsa_params {
    CK_BBOOL phFlag;
    CK_ULONG ulContextDataLen;
    CK_BYTE_PTR pContextData;
} signet_eddsa_params;
#define CK_EDDSA_PARAMS signet_eddsa_params

typedef struct signet_hkdf_params {
    CK_BBOOL bExtract;
    CK_BBOOL bExpand;
    CK_MECHANISM_TYPE prfHashMechanism;
    CK_ULONG ulSaltType;
    CK_BYTE_PTR pSalt;
    CK_ULONG ulSaltLen;
    CK_OBJECT_HANDLE hSaltKey;
    CK_BYTE_PTR pInfo;
    CK_ULONG ulInfoLen;
} signet_hkdf_params;
#define CK_HKDF_PARAMS signet_hkdf_params

typedef CK_ULONG CK_GENERATOR_FUNCTION; /* C11 lets it be said twice */

typedef struct signet_gcm_message_params {
    CK_BYTE_PTR pIv;
    CK_ULONG ulIvLen;
    CK_ULONG ulIvFixedBits;
    CK_GENERATOR_FUNCTION ivGenerator;
    CK_BYTE_PTR pTag;
    CK_ULONG ulTagBits;
} signet_gcm_message_params;
#define CK_GCM_MESSAGE_PARAMS signet_gcm_message_params

#if CRYPTOKI_VERSION_MAJOR < 3 || (CRYPTOKI_VERSION_MAJOR == 3 && CRYPTOKI_VERSION_MINOR < 2)

#define CKS_LAST_VALIDATION_OK 1UL

typedef CK_ULONG CK_SESSION_VALIDATION_FLAGS_TYPE;

typedef struct CK_ASYNC_DATA {
    CK_ULONG ulVersion;
    CK_BYTE_PTR pValue;
    CK_ULONG ulValue;
    CK_OBJECT_HANDLE hObject;
    CK_OBJECT_HANDLE hAdditionalObject;
} CK_ASYNC_DATA;

/* The functions that version 3.2 adds, in the order of its function list. */
CK_RV C_EncapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                       CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE_PTR templ, CK_ULONG count,
                       unsigned char *ciphertext, CK_ULONG_PTR ciphertext_len,
                       CK_OBJECT_HANDLE_PTR key);
CK_RV C_DecapsulateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                       CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE_PTR templ, CK_ULONG count,
                       unsigned char *ciphertext, CK_ULONG ciphertext_len,
                       CK_OBJECT_HANDLE_PTR key);
CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                            CK_OBJECT_HANDLE key, unsigned char *signature, CK_ULONG signature_len);
CK_RV C_VerifySignature(CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG data_len);
CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE session, unsigned char *part, CK_ULONG part_len);
CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE session);
CK_RV C_GetSessionValidationFlags(CK_SESSION_HANDLE session, CK_SESSION_VALIDATION_FLAGS_TYPE type,
                                  CK_FLAGS *flags);
CK_RV C_AsyncComplete(CK_SESSION_HANDLE session, unsigned char *function, CK_ASYNC_DATA *result);
CK_RV C_AsyncGetID(CK_SESSION_HANDLE session, unsigned char *function, CK_ULONG_PTR id);
CK_RV C_AsyncJoin(CK_SESSION_HANDLE session, unsigned char *function, CK_ULONG id,
                  unsigned char *data, CK_ULONG data_len);
CK_RV C_WrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                             CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key,
                             unsigned char *associated, CK_ULONG associated_len,
                             unsigned char *wrapped_key, CK_ULONG_PTR wrapped_key_len);
CK_RV C_UnwrapKeyAuthenticated(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                               CK_OBJECT_HANDLE unwrapping_key, unsigned char *wrapped_key,
                               CK_ULONG wrapped_key_len, CK_ATTRIBUTE_PTR templ, CK_ULONG count,
                               unsigned char *associated, CK_ULONG associated_len,
                               CK_OBJECT_HANDLE_PTR key);

typedef struct CK_FUNCTION_LIST_3_2 {
    CK_VERSION version;
    SIGNET_FUNCTIONS_2_40(SIGNET_MEMBER)
    SIGNET_FUNCTIONS_3_0(SIGNET_MEMBER)
    SIGNET_FUNCTIONS_3_2(SIGNET_MEMBER)
} CK_FUNCTION_LIST_3_2;

#endif /* older than 3.2 */

#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 4UL
#endif

#ifndef CKA_ENCAPSULATE
#define CKA_ENCAPSULATE 0x633UL
#endif
#ifndef CKA_DECAPSULATE
#define CKA_DECAPSULATE 0x634UL
#endif
#ifndef CKF_ENCAPSULATE
#define CKF_ENCAPSULATE 0x10000000UL
#endif
#ifndef CKF_DECAPSULATE
#define CKF_DECAPSULATE 0x20000000UL
#endif
#ifndef CKF_ASYNC_SESSION
#define CKF_ASYNC_SESSION 8UL
#endif
#ifndef CKR_SESSION_ASYNC_NOT_SUPPORTED
#define CKR_SESSION_ASYNC_NOT_SUPPORTED 0x205UL
#endif

#ifndef CKO_TRUST
#define CKO_TRUST 0x0BUL
#endif
#ifndef CKF_FIND_OBJECTS
#define CKF_FIND_OBJECTS 0x40UL
#endif

#ifndef CKK_SHA3_224_HMAC
#define CKK_SHA3_224_HMAC 0x33UL
#endif
#ifndef CKK_SHA3_256_HMAC
#define CKK_SHA3_256_HMAC 0x34UL
#endif
#ifndef CKK_SHA3_384_HMAC
#define CKK_SHA3_384_HMAC 0x35UL
#endif
#ifndef CKK_SHA3_512_HMAC
#define CKK_SHA3_512_HMAC 0x36UL
#endif
#ifndef CKK_EC_EDWARDS
#define CKK_EC_EDWARDS 0x40UL
#endif
#ifndef CKK_EC_MONTGOMERY
#define CKK_EC_MONTGOMERY 0x41UL
#endif
#ifndef CKK_HKDF
#define CKK_HKDF 0x42UL
#endif
#ifndef CKM_SHA3_256_RSA_PKCS
#define CKM_SHA3_256_RSA_PKCS 0x60UL
#endif
#ifndef CKM_SHA3_384_RSA_PKCS
#define CKM_SHA3_384_RSA_PKCS 0x61UL
#endif
#ifndef CKM_SHA3_512_RSA_PKCS
#define CKM_SHA3_512_RSA_PKCS 0x62UL
#endif
#ifndef CKM_SHA3_256_RSA_PKCS_PSS
#define CKM_SHA3_256_RSA_PKCS_PSS 0x63UL
#endif
#ifndef CKM_SHA3_384_RSA_PKCS_PSS
#define CKM_SHA3_384_RSA_PKCS_PSS 0x64UL
#endif
#ifndef CKM_SHA3_512_RSA_PKCS_PSS
#define CKM_SHA3_512_RSA_PKCS_PSS 0x65UL
#endif
#ifndef CKM_SHA3_224_RSA_PKCS
#define CKM_SHA3_224_RSA_PKCS 0x66UL
#endif
#ifndef CKM_SHA3_224_RSA_PKCS_PSS
#define CKM_SHA3_224_RSA_PKCS_PSS 0x67UL
#endif
#ifndef CKM_SHA3_256
#define CKM_SHA3_256 0x2B0UL
#endif
#ifndef CKM_SHA3_256_HMAC
#define CKM_SHA3_256_HMAC 0x2B1UL
#endif
#ifndef CKM_SHA3_256_HMAC_GENERAL
#define CKM_SHA3_256_HMAC_GENERAL 0x2B2UL
#endif
#ifndef CKM_SHA3_224
#define CKM_SHA3_224 0x2B5UL
#endif
#ifndef CKM_SHA3_224_HMAC
#define CKM_SHA3_224_HMAC 0x2B6UL
#endif
#ifndef CKM_SHA3_224_HMAC_GENERAL
#define CKM_SHA3_224_HMAC_GENERAL 0x2B7UL
#endif
#ifndef CKM_SHA3_384
#define CKM_SHA3_384 0x2C0UL
#endif
#ifndef CKM_SHA3_384_HMAC
#define CKM_SHA3_384_HMAC 0x2C1UL
#endif
#ifndef CKM_SHA3_384_HMAC_GENERAL
#define CKM_SHA3_384_HMAC_GENERAL 0x2C2UL
#endif
#ifndef CKM_SHA3_512
#define CKM_SHA3_512 0x2D0UL
#endif
#ifndef CKM_SHA3_512_HMAC
#define CKM_SHA3_512_HMAC 0x2D1UL
#endif
#ifndef CKM_SHA3_512_HMAC_GENERAL
#define CKM_SHA3_512_HMAC_GENERAL 0x2D2UL
#endif
#ifndef CKM_ECDSA_SHA3_224
#define CKM_ECDSA_SHA3_224 0x1047UL
#endif
#ifndef CKM_ECDSA_SHA3_256
#define CKM_ECDSA_SHA3_256 0x1048UL
#endif
#ifndef CKM_ECDSA_SHA3_384
#define CKM_ECDSA_SHA3_384 0x1049UL
#endif
#ifndef CKM_ECDSA_SHA3_512
#define CKM_ECDSA_SHA3_512 0x104AUL
#endif
#ifndef CKM_EC_EDWARDS_KEY_PAIR_GEN
#define CKM_EC_EDWARDS_KEY_PAIR_GEN 0x1055UL
#endif
#ifndef CKM_EC_MONTGOMERY_KEY_PAIR_GEN
#define CKM_EC_MONTGOMERY_KEY_PAIR_GEN 0x1056UL
#endif
#ifndef CKM_EDDSA
#define CKM_EDDSA 0x1057UL
#endif
#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP 0x210BUL
#endif
#ifndef CKM_HKDF_DERIVE
#define CKM_HKDF_DERIVE 0x402AUL
#endif
#ifndef CKM_HKDF_DATA
#define CKM_HKDF_DATA 0x402BUL
#endif
#ifndef CKM_HKDF_KEY_GEN
#define CKM_HKDF_KEY_GEN 0x402CUL
#endif
#ifndef CKG_MGF1_SHA3_224
#define CKG_MGF1_SHA3_224 6UL
#endif
#ifndef CKG_MGF1_SHA3_256
#define CKG_MGF1_SHA3_256 7UL
#endif
#ifndef CKG_MGF1_SHA3_384
#define CKG_MGF1_SHA3_384 8UL
#endif
#ifndef CKG_MGF1_SHA3_512
#define CKG_MGF1_SHA3_512 9UL
#endif
#ifndef CKD_SHA224_KDF
#define CKD_SHA224_KDF 5UL
#endif
#ifndef CKD_SHA256_KDF
#define CKD_SHA256_KDF 6UL
#endif
#ifndef CKD_SHA384_KDF
#define CKD_SHA384_KDF 7UL
#endif
#ifndef CKD_SHA512_KDF
#define CKD_SHA512_KDF 8UL
#endif
#ifndef CKD_SHA3_224_KDF
#define CKD_SHA3_224_KDF 0xAUL
#endif
#ifndef CKD_SHA3_256_KDF
#define CKD_SHA3_256_KDF 0xBUL
#endif
#ifndef CKD_SHA3_384_KDF
#define CKD_SHA3_384_KDF 0xCUL
#endif
#ifndef CKD_SHA3_512_KDF
#define CKD_SHA3_512_KDF 0xDUL
#endif
#ifndef CKF_HKDF_SALT_NULL
#define CKF_HKDF_SALT_NULL 1UL
#endif
#ifndef CKF_HKDF_SALT_DATA
#define CKF_HKDF_SALT_DATA 2UL
#endif
#ifndef CKF_HKDF_SALT_KEY
#define CKF_HKDF_SALT_KEY 4UL
#endif
#ifndef CKF_MESSAGE_ENCRYPT
#define CKF_MESSAGE_ENCRYPT 0x2UL
#endif
#ifndef CKF_MESSAGE_DECRYPT
#define CKF_MESSAGE_DECRYPT 0x4UL
#endif
#ifndef CKF_MESSAGE_SIGN
#define CKF_MESSAGE_SIGN 0x8UL
#endif
#ifndef CKF_MESSAGE_VERIFY
#define CKF_MESSAGE_VERIFY 0x10UL
#endif
#ifndef CKF_MULTI_MESSAGE
#define CKF_MULTI_MESSAGE 0x20UL
#endif
#ifndef CKF_END_OF_MESSAGE
#define CKF_END_OF_MESSAGE 1UL
#endif
#ifndef CKG_NO_GENERATE
#define CKG_NO_GENERATE 0UL
#endif
#ifndef CKG_GENERATE
#define CKG_GENERATE 1UL
#endif
#ifndef CKG_GENERATE_COUNTER
#define CKG_GENERATE_COUNTER 2UL
#endif
#ifndef CKG_GENERATE_RANDOM
#define CKG_GENERATE_RANDOM 3UL
#endif
#ifndef CKG_GENERATE_COUNTER_XOR
#define CKG_GENERATE_COUNTER_XOR 4UL
#endif
#ifndef CKR_CURVE_NOT_SUPPORTED
#define CKR_CURVE_NOT_SUPPORTED 0x140UL
#endif
#ifndef CKR_PIN_TOO_WEAK
#define CKR_PIN_TOO_WEAK 0x1B8UL
#endif
#ifndef CKR_AEAD_DECRYPT_FAILED
#define CKR_AEAD_DECRYPT_FAILED 0x35UL
#endif
#ifndef CKR_TOKEN_RESOURCE_EXCEEDED
#define CKR_TOKEN_RESOURCE_EXCEEDED 0x201UL
#endif

#pragma GCC visibility pop

#endif
