#include "token/session/operation.h"

#include <stdlib.h>

#include "token/key/make.h"
#include "token/session/key_use.h"
#include "token/session/mechanisms.h"
#include "token/session/output.h"
#include "token/session/running.h"

/* Beyond that of any key that there is a mechanism for. */
#define SIGNATURE_MAX_SIZE 65536

/* What each kind needs: the flag in the mechanism's row, what a job of it does, and the
 * half of its key pair with its permission. */
static const struct {
    CK_FLAGS flag;
    CK_FLAGS job;
    enum key_half half;
    CK_ATTRIBUTE_TYPE permission;
} needs[OPERATION_KINDS] = {
    [OPERATION_ENCRYPT] = {CKF_ENCRYPT, CKF_ENCRYPT, KEY_HALF_PUBLIC, CKA_ENCRYPT},
    [OPERATION_DECRYPT] = {CKF_DECRYPT, CKF_DECRYPT, KEY_HALF_PRIVATE, CKA_DECRYPT},
    [OPERATION_DIGEST] = {CKF_DIGEST, CKF_DIGEST, KEY_HALF_PUBLIC, 0},
    [OPERATION_SIGN] = {CKF_SIGN, CKF_SIGN, KEY_HALF_PRIVATE, CKA_SIGN},
    [OPERATION_VERIFY] = {CKF_VERIFY, CKF_VERIFY, KEY_HALF_PUBLIC, CKA_VERIFY},
    [OPERATION_VERIFY_SIGNATURE] = {CKF_VERIFY, CKF_VERIFY, KEY_HALF_PUBLIC, CKA_VERIFY},
    [OPERATION_SIGN_RECOVER] = {CKF_SIGN_RECOVER, CKF_SIGN_RECOVER, KEY_HALF_PRIVATE,
                                CKA_SIGN_RECOVER},
    [OPERATION_VERIFY_RECOVER] = {CKF_VERIFY_RECOVER, CKF_VERIFY_RECOVER, KEY_HALF_PUBLIC,
                                  CKA_VERIFY_RECOVER},
    [OPERATION_MESSAGE_ENCRYPT] = {CKF_MESSAGE_ENCRYPT, 0, KEY_HALF_PUBLIC, CKA_ENCRYPT},
    [OPERATION_MESSAGE_DECRYPT] = {CKF_MESSAGE_DECRYPT, 0, KEY_HALF_PRIVATE, CKA_DECRYPT},
    [OPERATION_MESSAGE_SIGN] = {CKF_MESSAGE_SIGN, CKF_SIGN, KEY_HALF_PRIVATE, CKA_SIGN},
    [OPERATION_MESSAGE_VERIFY] = {CKF_MESSAGE_VERIFY, CKF_VERIFY, KEY_HALF_PUBLIC, CKA_VERIFY},
};

bool operation_is_active(const struct session *session, enum operation_kind kind)
{
    return session->operations[kind] != NULL;
}

static void operation_free(struct operation *operation)
{
    job_free(operation->job);
    message_free(operation->message);
    bytes_free(&operation->result);
    bytes_free(&operation->input);
    bytes_free(&operation->signature);
    free(operation);
}

void operation_cancel(struct session *session, enum operation_kind kind)
{
    struct operation *operation = session->operations[kind];
    session->operations[kind] = NULL;
    if (operation)
        operation_free(operation);
}

void operation_cancel_flagged(struct session *session, CK_FLAGS flags)
{
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        if (flags & needs[kind].flag)
            operation_cancel(session, kind);
}

void operation_cancel_private(struct session *session)
{
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        if (session->operations[kind] && session->operations[kind]->private_object)
            operation_cancel(session, kind);
}

bool operation_waits_for_login(const struct session *session)
{
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        if (session->operations[kind] && session->operations[kind]->waits_for_login)
            return true;
    return false;
}

CK_RV operation_context_login(struct session *session)
{
    if (!operation_waits_for_login(session))
        return CKR_OPERATION_NOT_INITIALIZED;
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        if (session->operations[kind])
            session->operations[kind]->waits_for_login = false;
    return CKR_OK;
}

CK_RV operation_ended(struct session *session, enum operation_kind kind, CK_RV rv)
{
    operation_cancel(session, kind);
    return rv;
}

/* The public half, where the operation goes by one: the key's own if it is there. */
static CK_RV find_public(const struct object *object, const struct key *key,
                         struct public_key *ret_public)
{
    if (key && key_public(key)->algorithm != KEY_ALGORITHM_NONE)
        return public_key_copy(ret_public, key_public(key));
    return key_use_public(object, ret_public);
}

static void note_object(struct operation *operation, enum operation_kind kind,
                        const struct object *object)
{
    operation->private_object = object_bool(object, CKA_PRIVATE);
    operation->always_authenticate =
        needs[kind].half == KEY_HALF_PRIVATE && object_bool(object, CKA_ALWAYS_AUTHENTICATE);
    operation->waits_for_login = operation->always_authenticate;
}

static CK_RV start(struct token *token, struct operation *operation, enum operation_kind kind,
                   const struct mechanism *row, const CK_MECHANISM *mechanism,
                   struct object *object)
{
    struct public_key public_key CLEANUP(public_key_clear) = {0};
    struct key *key = NULL;
    bool symmetric = mechanism_is_symmetric(row);
    CK_RV rv = CKR_OK;
    note_object(operation, kind, object);
    if (symmetric || needs[kind].half == KEY_HALF_PRIVATE)
        rv = key_use_key(token, object, &key);
    if (rv == CKR_OK && !symmetric)
        rv = find_public(object, key, &public_key);
    if (rv == CKR_OK)
        rv = needs[kind].job
                 ? job_new(row, needs[kind].job, mechanism, key, &public_key, &operation->job)
                 : message_new(row, needs[kind].flag, mechanism, key, &operation->message);
    key_unref(key);
    return rv;
}

static CK_RV prepare(struct operation *operation, struct token *token, enum operation_kind kind,
                     const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle)
{
    const struct mechanism *row = mechanism_find(mechanism->mechanism);
    if (!(token_mechanism_flags(token, row) & needs[kind].flag))
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen && !mechanism->pParameter)
        return CKR_MECHANISM_PARAM_INVALID;
    if (kind == OPERATION_DIGEST)
        return job_new(row, CKF_DIGEST, mechanism, NULL, NULL, &operation->job);
    struct object *object = NULL;
    CK_RV rv = key_use_find(token, row, handle, needs[kind].half, needs[kind].permission, &object);
    return rv != CKR_OK ? rv : start(token, operation, kind, row, mechanism, object);
}

CK_RV operation_begin(struct session *session, enum operation_kind kind,
                      const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    bool active = operation_is_active(session, kind);
    if (!mechanism) {
        operation_cancel(session, kind);
        return active ? CKR_OK : CKR_ARGUMENTS_BAD;
    }
    if (active)
        return CKR_OPERATION_ACTIVE;
    struct operation *operation = calloc(1, sizeof(*operation));
    if (!operation)
        return CKR_HOST_MEMORY;
    CK_RV rv = prepare(operation, session->token, kind, mechanism, key);
    if (rv != CKR_OK) {
        operation_free(operation);
        return rv;
    }
    session->operations[kind] = operation;
    return CKR_OK;
}

/* The length is all that is asked, or all that can be told. */
static bool tells(const struct operation *operation, size_t input_size, bool last,
                  const CK_BYTE *out, CK_ULONG *out_size, CK_RV *ret_rv)
{
    bool exact = true;
    size_t size = operation->has_result ? operation->result.size
                                        : job_output_size(operation->job, input_size, last, &exact);
    return output_tells(size, exact, out, out_size, ret_rv);
}

/* Gives the result, and ends the operation unless it stays for a larger buffer. */
static CK_RV give(struct session *session, enum operation_kind kind, CK_BYTE *out,
                  CK_ULONG *out_size)
{
    struct operation *operation = session->operations[kind];
    operation->has_result = true;
    CK_RV rv = output_give(bytes_view(&operation->result), out, out_size);
    return rv == CKR_BUFFER_TOO_SMALL ? rv : operation_ended(session, kind, rv);
}

/* Called again after CKR_BUFFER_TOO_SMALL: for the same data, or for other. */
static CK_RV forget_other_result(struct operation *operation, struct view in)
{
    if (!operation->has_result || view_equal(bytes_view(&operation->input), in))
        return CKR_OK;
    operation->has_result = false;
    bytes_free(&operation->result);
    bytes_free(&operation->input);
    return job_restart(operation->job);
}

/* With less room than the result may need, the input is kept to know it again. */
static CK_RV run_once(struct operation *operation, struct view in, CK_ULONG room)
{
    bool exact = true;
    CK_RV rv = CKR_OK;
    if (job_output_size(operation->job, in.size, true, &exact) > room)
        rv = bytes_copy(&operation->input, in);
    if (rv == CKR_OK)
        rv = job_update(operation->job, in, &operation->result);
    return rv != CKR_OK ? rv : job_finish(operation->job, &operation->result);
}

CK_RV operation_once(struct session *session, enum operation_kind kind, struct view in,
                     CK_BYTE *out, CK_ULONG *out_size)
{
    struct operation *operation = session->operations[kind];
    CK_RV rv = CKR_OK;
    if (!operation)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (operation->fed)
        return CKR_OPERATION_ACTIVE;
    if (!out_size)
        return operation_ended(session, kind, CKR_ARGUMENTS_BAD);
    if (tells(operation, in.size, true, out, out_size, &rv))
        return rv;
    if (!operation_can_read(in))
        return operation_ended(session, kind, CKR_ARGUMENTS_BAD);
    if (operation->waits_for_login)
        return operation_ended(session, kind, CKR_USER_NOT_LOGGED_IN);
    rv = forget_other_result(operation, in);
    if (rv == CKR_OK && !operation->has_result)
        rv = run_once(operation, in, *out_size);
    return rv != CKR_OK ? operation_ended(session, kind, rv) : give(session, kind, out, out_size);
}

CK_RV operation_update(struct session *session, enum operation_kind kind, struct view in)
{
    struct operation *operation = session->operations[kind];
    struct bytes nothing CLEANUP(bytes_free) = {0};
    if (!operation)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (operation->has_result)
        return operation_ended(session, kind, CKR_OPERATION_NOT_INITIALIZED);
    if (!operation_can_read(in))
        return operation_ended(session, kind, CKR_ARGUMENTS_BAD);
    operation->fed = true;
    CK_RV rv = job_update(operation->job, in, &nothing);
    return rv == CKR_OK ? rv : operation_ended(session, kind, rv);
}

CK_RV operation_update_out(struct session *session, enum operation_kind kind, struct view in,
                           CK_BYTE *out, CK_ULONG *out_size)
{
    struct operation *operation = session->operations[kind];
    struct bytes made CLEANUP(bytes_free) = {0};
    CK_RV rv = CKR_OK;
    if (!operation)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (operation->has_result)
        return operation_ended(session, kind, CKR_OPERATION_NOT_INITIALIZED);
    if (!out_size || !operation_can_read(in))
        return operation_ended(session, kind, CKR_ARGUMENTS_BAD);
    if (tells(operation, in.size, false, out, out_size, &rv))
        return rv;
    operation->fed = true;
    rv = job_update(operation->job, in, &made);
    if (rv == CKR_OK)
        rv = output_give(bytes_view(&made), out, out_size);
    return rv == CKR_OK ? rv : operation_ended(session, kind, rv);
}

CK_RV operation_finish(struct session *session, enum operation_kind kind, CK_BYTE *out,
                       CK_ULONG *out_size)
{
    struct operation *operation = session->operations[kind];
    CK_RV rv = CKR_OK;
    if (!operation)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (!out_size)
        return operation_ended(session, kind, CKR_ARGUMENTS_BAD);
    if (tells(operation, 0, true, out, out_size, &rv))
        return rv;
    if (operation->waits_for_login)
        return operation_ended(session, kind, CKR_USER_NOT_LOGGED_IN);
    if (!operation->has_result)
        rv = job_finish(operation->job, &operation->result);
    return rv != CKR_OK ? operation_ended(session, kind, rv) : give(session, kind, out, out_size);
}

static CK_RV verify_end(struct session *session, enum operation_kind kind, struct view signature)
{
    struct operation *operation = session->operations[kind];
    CK_RV rv =
        operation_can_read(signature) ? job_verify(operation->job, signature) : CKR_ARGUMENTS_BAD;
    return operation_ended(session, kind, rv);
}

static CK_RV verify_once(struct session *session, enum operation_kind kind, struct view in,
                         struct view signature)
{
    if (session->operations[kind]->fed)
        return CKR_OPERATION_ACTIVE;
    CK_RV rv = operation_update(session, kind, in);
    return rv != CKR_OK ? rv : verify_end(session, kind, signature);
}

CK_RV operation_verify(struct session *session, struct view in, struct view signature)
{
    if (!operation_is_active(session, OPERATION_VERIFY))
        return CKR_OPERATION_NOT_INITIALIZED;
    return verify_once(session, OPERATION_VERIFY, in, signature);
}

CK_RV operation_verify_finish(struct session *session, struct view signature)
{
    if (!operation_is_active(session, OPERATION_VERIFY))
        return CKR_OPERATION_NOT_INITIALIZED;
    return verify_end(session, OPERATION_VERIFY, signature);
}

CK_RV operation_begin_verify_signature(struct session *session, const CK_MECHANISM *mechanism,
                                       CK_OBJECT_HANDLE key, struct view signature)
{
    if (mechanism && !operation_can_read(signature))
        return CKR_ARGUMENTS_BAD;
    if (mechanism && signature.size > SIGNATURE_MAX_SIZE)
        return CKR_SIGNATURE_LEN_RANGE;
    CK_RV rv = operation_begin(session, OPERATION_VERIFY_SIGNATURE, mechanism, key);
    if (rv != CKR_OK || !mechanism)
        return rv;
    rv = bytes_copy(&session->operations[OPERATION_VERIFY_SIGNATURE]->signature, signature);
    return rv == CKR_OK ? rv : operation_ended(session, OPERATION_VERIFY_SIGNATURE, rv);
}

CK_RV operation_verify_signature(struct session *session, struct view in)
{
    const struct operation *operation = session->operations[OPERATION_VERIFY_SIGNATURE];
    return operation ? verify_once(session, OPERATION_VERIFY_SIGNATURE, in,
                                   bytes_view(&operation->signature))
                     : CKR_OPERATION_NOT_INITIALIZED;
}

CK_RV operation_verify_signature_finish(struct session *session)
{
    const struct operation *operation = session->operations[OPERATION_VERIFY_SIGNATURE];
    return operation
               ? verify_end(session, OPERATION_VERIFY_SIGNATURE, bytes_view(&operation->signature))
               : CKR_OPERATION_NOT_INITIALIZED;
}

CK_RV operation_digest_key(struct session *session, CK_OBJECT_HANDLE handle)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    struct key *key = NULL;
    if (!operation_is_active(session, OPERATION_DIGEST))
        return CKR_OPERATION_NOT_INITIALIZED;
    struct object *object = token_object(session->token, handle);
    CK_RV rv = object ? CKR_OK : CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && object_class(object) != CKO_SECRET_KEY)
        rv = CKR_KEY_INDIGESTIBLE;
    if (rv == CKR_OK)
        rv = key_use_key(session->token, object, &key);
    if (rv == CKR_OK)
        rv = key_keeps_value(key) ? CKR_KEY_INDIGESTIBLE : key_secret_value(key, &value);
    key_unref(key);
    if (rv != CKR_OK)
        return operation_ended(session, OPERATION_DIGEST, rv);
    return operation_update(session, OPERATION_DIGEST, bytes_view(&value));
}
