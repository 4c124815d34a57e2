#include "token/mechanism/message.h"

#include <stdlib.h>
#include <string.h>

#include "token/mechanism/aes.h"
#include "token/mechanism/cipher.h"
#include "token/mechanism/family.h"
#include "token/mechanism/gcm_iv.h"

/* `made` counts the IVs that were made here. */
struct message {
    CK_FLAGS operation;
    struct key *key;
    struct aes *cipher;
    size_t tag_size;
    size_t collected;
    uint64_t made;
};

static CK_RV check_key(struct key *key)
{
    static const uint8_t iv[12];
    const struct cipher_parameters parameters = {.iv = view_of(iv, sizeof(iv)), .tag_size = 16};
    struct aes *cipher = NULL;
    CK_RV rv = aes_new(CIPHER_AES_GCM, true, key, &parameters, &cipher);
    aes_free(cipher);
    return rv;
}

CK_RV message_new(const struct mechanism *mechanism, CK_FLAGS operation, const CK_MECHANISM *given,
                  struct key *key, struct message **ret_message)
{
    if (mechanism->variant != CIPHER_AES_GCM || !(mechanism->flags & operation))
        return CKR_MECHANISM_INVALID;
    if (given->ulParameterLen && !mechanism_parameter(given, sizeof(CK_GCM_MESSAGE_PARAMS)))
        return CKR_MECHANISM_PARAM_INVALID;
    CK_RV rv = check_key(key);
    if (rv != CKR_OK)
        return rv;
    struct message *message = calloc(1, sizeof(*message));
    if (!message)
        return CKR_HOST_MEMORY;
    message->operation = operation;
    message->key = key_ref(key);
    *ret_message = message;
    return CKR_OK;
}

void message_free(struct message *message)
{
    if (!message)
        return;
    aes_free(message->cipher);
    key_unref(message->key);
    free(message);
}

bool message_is_begun(const struct message *message)
{
    return message->cipher != NULL;
}

void message_abandon(struct message *message)
{
    aes_free(message->cipher);
    message->cipher = NULL;
    message->collected = 0;
}

static CK_RV read_parameter(void *parameter, CK_ULONG size, CK_GCM_MESSAGE_PARAMS **ret_gcm)
{
    CK_GCM_MESSAGE_PARAMS *gcm = parameter;
    if (!gcm || size != sizeof(*gcm) || !gcm->pIv || gcm->ulIvLen < 1 ||
        gcm->ulIvLen > GCM_IV_MAX_SIZE || !gcm->pTag || gcm->ulTagBits % 8 || gcm->ulTagBits > 128)
        return CKR_MECHANISM_PARAM_INVALID;
    *ret_gcm = gcm;
    return CKR_OK;
}

/* The IV that this message gets, before it is told to the caller. */
static CK_RV next_iv(const struct message *message, const CK_GCM_MESSAGE_PARAMS *gcm,
                     uint8_t iv[GCM_IV_MAX_SIZE])
{
    memcpy(iv, gcm->pIv, gcm->ulIvLen);
    if (message->operation == CKF_MESSAGE_DECRYPT)
        return CKR_OK;
    return gcm_iv_generate(gcm->ivGenerator, gcm->ulIvFixedBits, message->made, iv, gcm->ulIvLen);
}

CK_RV message_begin(struct message *message, void *parameter, CK_ULONG parameter_size,
                    struct view associated)
{
    CK_GCM_MESSAGE_PARAMS *gcm = NULL;
    uint8_t iv[GCM_IV_MAX_SIZE];
    if (message->cipher)
        return CKR_OPERATION_ACTIVE;
    CK_RV rv = read_parameter(parameter, parameter_size, &gcm);
    if (rv == CKR_OK)
        rv = next_iv(message, gcm, iv);
    if (rv != CKR_OK)
        return rv;
    const struct cipher_parameters parameters = {
        .iv = view_of(iv, gcm->ulIvLen),
        .associated = associated,
        .tag_size = gcm->ulTagBits / 8,
    };
    bool encrypt = message->operation == CKF_MESSAGE_ENCRYPT;
    rv = aes_new(CIPHER_AES_GCM, encrypt, message->key, &parameters, &message->cipher);
    if (rv != CKR_OK)
        return rv;
    message->tag_size = parameters.tag_size;
    if (encrypt && gcm->ivGenerator != CKG_NO_GENERATE) {
        memcpy(gcm->pIv, iv, gcm->ulIvLen);
        message->made++;
    }
    return CKR_OK;
}

size_t message_output_size(const struct message *message, size_t input_size, bool last)
{
    if (message->operation == CKF_MESSAGE_ENCRYPT)
        return input_size;
    return last ? message->collected + input_size : 0;
}

CK_RV message_update(struct message *message, struct view input, struct bytes *out)
{
    CK_RV rv = aes_update(message->cipher, input, out);
    if (rv == CKR_OK)
        message->collected += input.size;
    return rv;
}

static CK_RV end_encryption(struct message *message, CK_GCM_MESSAGE_PARAMS *gcm)
{
    struct bytes tag CLEANUP(bytes_free) = {0};
    CK_RV rv = aes_finish(message->cipher, &tag);
    if (rv == CKR_OK && tag.size != gcm->ulTagBits / 8)
        rv = CKR_FUNCTION_FAILED;
    if (rv == CKR_OK)
        memcpy(gcm->pTag, tag.data, tag.size);
    return rv;
}

static CK_RV end_decryption(struct message *message, const CK_GCM_MESSAGE_PARAMS *gcm,
                            struct bytes *out)
{
    CK_RV rv = aes_update(message->cipher, view_of(gcm->pTag, gcm->ulTagBits / 8), out);
    if (rv == CKR_OK)
        rv = aes_finish(message->cipher, out);
    return rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_AEAD_DECRYPT_FAILED : rv;
}

CK_RV message_finish(struct message *message, void *parameter, CK_ULONG parameter_size,
                     struct bytes *out)
{
    CK_GCM_MESSAGE_PARAMS *gcm = NULL;
    CK_RV rv = read_parameter(parameter, parameter_size, &gcm);
    if (rv == CKR_OK && gcm->ulTagBits / 8 != message->tag_size)
        rv = CKR_MECHANISM_PARAM_INVALID;
    if (rv == CKR_OK)
        rv = message->operation == CKF_MESSAGE_ENCRYPT ? end_encryption(message, gcm)
                                                       : end_decryption(message, gcm, out);
    message_abandon(message);
    return rv;
}
