#include <string.h>

#include "token/base/log.h"
#include "token/tpm/connection.h"
#include "token/tpm/error.h"
#include "token/tpm/operation.h"
#include "token/tpm/public.h"
#include "token/tpm/run.h"
#include "token/tpm/secret.h"

bool tpm_secret_has_hash(enum hash hash)
{
    return tpm_hash_algorithm(hash) != TPM2_ALG_NULL;
}

struct mac_request {
    TPM2_ALG_ID hash;
    struct view data;
    TPM2B_DIGEST *code;
};

static void take_piece(struct view *data, TPM2B_MAX_BUFFER *piece)
{
    piece->size = (UINT16)(data->size < TPM_SECRET_PIECE ? data->size : TPM_SECRET_PIECE);
    if (piece->size)
        memcpy(piece->buffer, data->data, piece->size);
    *data = view_of(data->data + piece->size, data->size - piece->size);
}

static TSS2_RC mac_short(struct tpm *tpm, const struct tpm_target *target,
                         struct mac_request *request, const char **ret_command)
{
    TPM2B_MAX_BUFFER data = {0};
    struct view rest = request->data;
    ESYS_TR how = ESYS_TR_NONE;
    *ret_command = "TPM2_HMAC";
    take_piece(&rest, &data);
    TSS2_RC rc = tpm_target_session(tpm, target, true, &how);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_HMAC(tpm->esys, target->key, how, ESYS_TR_NONE, ESYS_TR_NONE, &data,
                       request->hash, &request->code);
    explicit_bzero(&data, sizeof(data));
    return rc;
}

/* The sequence's own authorisation is empty. */
static TSS2_RC run_sequence(struct tpm *tpm, const struct tpm_target *target, ESYS_TR sequence,
                            struct mac_request *request, const char **ret_command)
{
    TPM2B_MAX_BUFFER piece = {0};
    struct view rest = request->data;
    ESYS_TR how = ESYS_TR_NONE;
    TSS2_RC rc = TSS2_RC_SUCCESS;
    *ret_command = "TPM2_SequenceUpdate";
    while (rc == TSS2_RC_SUCCESS && rest.size > TPM_SECRET_PIECE) {
        take_piece(&rest, &piece);
        rc = tpm_target_session(tpm, target, false, &how);
        if (rc == TSS2_RC_SUCCESS)
            rc = Esys_SequenceUpdate(tpm->esys, sequence, how, ESYS_TR_NONE, ESYS_TR_NONE, &piece);
    }
    if (rc == TSS2_RC_SUCCESS) {
        *ret_command = "TPM2_SequenceComplete";
        take_piece(&rest, &piece);
        rc = tpm_target_session(tpm, target, true, &how);
    }
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_SequenceComplete(tpm->esys, sequence, how, ESYS_TR_NONE, ESYS_TR_NONE, &piece,
                                   ESYS_TR_RH_NULL, &request->code, NULL);
    explicit_bzero(&piece, sizeof(piece));
    return rc;
}

static TSS2_RC mac_long(struct tpm *tpm, const struct tpm_target *target,
                        struct mac_request *request, const char **ret_command)
{
    static const TPM2B_AUTH no_auth;
    ESYS_TR sequence = ESYS_TR_NONE;
    ESYS_TR how = ESYS_TR_NONE;
    *ret_command = "TPM2_HMAC_Start";
    TSS2_RC rc = tpm_target_session(tpm, target, false, &how);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_HMAC_Start(tpm->esys, target->key, how, ESYS_TR_NONE, ESYS_TR_NONE, &no_auth,
                             request->hash, &sequence);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = run_sequence(tpm, target, sequence, request, ret_command);
    if (rc != TSS2_RC_SUCCESS && Esys_FlushContext(tpm->esys, sequence) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(tpm->esys, &sequence);
    return rc;
}

/* Chips lack hashes; that is nothing of the caller's data. */
static TSS2_RC explain(TSS2_RC rc, const char *command, const char *what)
{
    if (!tpm_error_lacks(rc) && !tpm_error_is(rc, TPM2_RC_MODE) &&
        !tpm_error_is(rc, TPM2_RC_COMMAND_CODE))
        return rc;
    log_line(LOG_LEVEL_ERROR, "tpm",
             "%s: this TPM has no %s for keys like this one (0x%x); 'secret keys = software' in "
             "the section makes keys that are used in software",
             command, what, (unsigned)rc);
    return TPM_RC_TOLD(CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static TSS2_RC mac(struct tpm *tpm, const struct tpm_target *target, void *request,
                   const char **ret_command)
{
    struct mac_request *mac_request = request;
    TSS2_RC rc = mac_request->data.size <= TPM_SECRET_PIECE
                     ? mac_short(tpm, target, mac_request, ret_command)
                     : mac_long(tpm, target, mac_request, ret_command);
    return explain(rc, *ret_command, "HMAC with this hash");
}

CK_RV tpm_secret_mac(struct tpm_key *key, struct view auth, enum hash hash, struct view data,
                     struct bytes *ret_code)
{
    struct mac_request request = {.hash = tpm_hash_algorithm(hash), .data = data};
    if (request.hash == TPM2_ALG_NULL)
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    CK_RV rv = tpm_key_run(key, auth, mac, &request);
    if (rv == CKR_OK)
        rv = request.code->size == hash_size(hash)
                 ? bytes_copy(ret_code, view_of(request.code->buffer, request.code->size))
                 : (CK_RV)CKR_DEVICE_ERROR;
    if (request.code)
        explicit_bzero(request.code, sizeof(*request.code));
    Esys_Free(request.code);
    return rv;
}

struct cipher_request {
    TPM2_ALG_ID mode;
    TPMI_YES_NO decrypt;
    TPM2B_IV iv;
    TPM2B_MAX_BUFFER in;
    TPM2B_MAX_BUFFER *out;
};

/* TPM2_EncryptDecrypt is older, and its first parameter cannot be encrypted. */
static TSS2_RC send_cipher(struct tpm *tpm, const struct tpm_target *target,
                           struct cipher_request *request, const char **ret_command)
{
    ESYS_TR how = ESYS_TR_NONE;
    TSS2_RC rc = tpm_target_session(tpm, target, true, &how);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (!tpm->no_encrypt_decrypt2) {
        *ret_command = "TPM2_EncryptDecrypt2";
        rc = Esys_EncryptDecrypt2(tpm->esys, target->key, how, ESYS_TR_NONE, ESYS_TR_NONE,
                                  &request->in, request->decrypt, request->mode, &request->iv,
                                  &request->out, NULL);
        tpm->no_encrypt_decrypt2 = tpm_error_is(rc, TPM2_RC_COMMAND_CODE);
    }
    if (!tpm->no_encrypt_decrypt2 || target->session)
        return rc;
    *ret_command = "TPM2_EncryptDecrypt";
    return Esys_EncryptDecrypt(tpm->esys, target->key, how, ESYS_TR_NONE, ESYS_TR_NONE,
                               request->decrypt, request->mode, &request->iv, &request->in,
                               &request->out, NULL);
}

static TSS2_RC cipher(struct tpm *tpm, const struct tpm_target *target, void *request,
                      const char **ret_command)
{
    TSS2_RC rc = send_cipher(tpm, target, request, ret_command);
    return explain(rc, *ret_command, "AES in this mode");
}

/* Counts as NIST SP 800-38A B.1 does, over all 128 bits. */
static void count_on(uint8_t counter[BLOCK_MODE_SIZE], size_t blocks)
{
    for (size_t i = BLOCK_MODE_SIZE; i-- > 0 && blocks; blocks >>= 8) {
        blocks += counter[i];
        counter[i] = (uint8_t)blocks;
    }
}

/* What the next piece is chained to is known here: a TPM's word for it is not needed. */
static void chain_on(enum block_mode mode, struct view cipher_text, uint8_t chain[BLOCK_MODE_SIZE])
{
    if (mode == BLOCK_MODE_CTR)
        count_on(chain, cipher_text.size / BLOCK_MODE_SIZE);
    else if (mode == BLOCK_MODE_CBC)
        memcpy(chain, cipher_text.data + cipher_text.size - BLOCK_MODE_SIZE, BLOCK_MODE_SIZE);
}

static CK_RV cipher_piece(struct tpm_key *key, struct view auth, struct cipher_request *request,
                          uint8_t *out)
{
    CK_RV rv = tpm_key_run(key, auth, cipher, request);
    if (rv == CKR_OK && request->out->size != request->in.size)
        rv = CKR_DEVICE_ERROR;
    if (rv == CKR_OK)
        memcpy(out, request->out->buffer, request->in.size);
    if (request->out)
        explicit_bzero(request->out, sizeof(*request->out));
    Esys_Free(request->out);
    request->out = NULL;
    return rv;
}

CK_RV tpm_secret_cipher(struct tpm_key *key, struct view auth, enum block_mode mode, bool encrypt,
                        uint8_t chain[BLOCK_MODE_SIZE], struct view in, uint8_t *out)
{
    static const TPM2_ALG_ID modes[] = {
        [BLOCK_MODE_ECB] = TPM2_ALG_ECB,
        [BLOCK_MODE_CBC] = TPM2_ALG_CBC,
        [BLOCK_MODE_CTR] = TPM2_ALG_CTR,
    };
    struct cipher_request request = {.mode = modes[mode], .decrypt = !encrypt};
    CK_RV rv = in.size % BLOCK_MODE_SIZE ? CKR_DATA_LEN_RANGE : CKR_OK;
    while (rv == CKR_OK && in.size) {
        take_piece(&in, &request.in);
        request.iv.size = mode == BLOCK_MODE_ECB ? 0 : BLOCK_MODE_SIZE;
        memcpy(request.iv.buffer, chain, request.iv.size);
        rv = cipher_piece(key, auth, &request, out);
        if (rv == CKR_OK)
            chain_on(mode,
                     encrypt ? view_of(out, request.in.size)
                             : view_of(request.in.buffer, request.in.size),
                     chain);
        out += request.in.size;
    }
    explicit_bzero(&request.in, sizeof(request.in));
    return rv;
}
