#include "token/session/operation.h"

#include <stdlib.h>
#include <string.h>

#include "token/mechanism/job.h"
#include "token/session/mechanisms.h"

/* `result` is kept when it did not fit the caller's buffer, so that the key is
 * not asked twice. `fed` tells that C_XUpdate was called. */
struct operation {
    struct job *job;
    bool fed;
    bool has_result;
    struct bytes result;
};

/* What each kind needs: the flag in the mechanism's row, and the class and the
 * permission of its key. */
static const struct {
    CK_FLAGS flag;
    CK_OBJECT_CLASS class;
    CK_ATTRIBUTE_TYPE permission;
} needs[OPERATION_KINDS] = {
    [OPERATION_ENCRYPT] = {CKF_ENCRYPT, CKO_PUBLIC_KEY, CKA_ENCRYPT},
    [OPERATION_DECRYPT] = {CKF_DECRYPT, CKO_PRIVATE_KEY, CKA_DECRYPT},
    [OPERATION_DIGEST] = {CKF_DIGEST, 0, 0},
    [OPERATION_SIGN] = {CKF_SIGN, CKO_PRIVATE_KEY, CKA_SIGN},
    [OPERATION_VERIFY] = {CKF_VERIFY, CKO_PUBLIC_KEY, CKA_VERIFY},
};

bool operation_is_active(const struct session *session, enum operation_kind kind)
{
    return session->operations[kind] != NULL;
}

void operation_cancel(struct session *session, enum operation_kind kind)
{
    struct operation *operation = session->operations[kind];
    if (!operation)
        return;
    session->operations[kind] = NULL;
    job_free(operation->job);
    bytes_free(&operation->result);
    free(operation);
}

/* An operation that failed is over. */
static CK_RV ended(struct session *session, enum operation_kind kind, CK_RV rv)
{
    operation_cancel(session, kind);
    return rv;
}

static CK_RV find_key(const struct token *token, enum operation_kind kind,
                      const struct mechanism *row, CK_OBJECT_HANDLE handle,
                      const struct object **ret_key)
{
    const struct object *key = token_object(token, handle);
    if (!key)
        return token_object_is_hidden(token, handle) ? CKR_USER_NOT_LOGGED_IN
                                                     : CKR_KEY_HANDLE_INVALID;
    CK_OBJECT_CLASS class = object_class(key);
    if (class != CKO_PRIVATE_KEY && class != CKO_PUBLIC_KEY && class != CKO_SECRET_KEY)
        return CKR_KEY_HANDLE_INVALID;
    if (class != needs[kind].class ||
        attributes_ulong(&key->attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION) !=
            mechanism_key_type(row))
        return CKR_KEY_TYPE_INCONSISTENT;
    if (!object_bool(key, needs[kind].permission))
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    *ret_key = key;
    return CKR_OK;
}

static CK_RV new_job(struct session *session, enum operation_kind kind,
                     const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle, struct job **ret_job)
{
    const struct token *token = session->token;
    const struct mechanism *row = mechanism_find(mechanism->mechanism);
    if (!(token_mechanism_flags(token, row) & needs[kind].flag))
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen && !mechanism->pParameter)
        return CKR_MECHANISM_PARAM_INVALID;
    if (kind == OPERATION_DIGEST)
        return job_new(row, CKF_DIGEST, mechanism, NULL, NULL, ret_job);
    const struct object *key = NULL;
    CK_RV rv = find_key(token, kind, row, handle, &key);
    if (rv != CKR_OK)
        return rv;
    return job_new(row, needs[kind].flag, mechanism, key->key, &key->public_key, ret_job);
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
    CK_RV rv = new_job(session, kind, mechanism, key, &operation->job);
    if (rv != CKR_OK) {
        free(operation);
        return rv;
    }
    session->operations[kind] = operation;
    return CKR_OK;
}

/* The output-length rule. Nothing is computed to answer a length, or when the
 * exact length is known not to fit. */
static CK_RV give(struct session *session, enum operation_kind kind, CK_BYTE *out,
                  CK_ULONG *out_size)
{
    struct operation *operation = session->operations[kind];
    bool exact = true;
    size_t size =
        operation->has_result ? operation->result.size : job_output_size(operation->job, &exact);
    if (!out || (exact && *out_size < size)) {
        *out_size = size;
        return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    }
    if (!operation->has_result) {
        CK_RV rv = job_finish(operation->job, &operation->result);
        if (rv != CKR_OK)
            return ended(session, kind, rv);
        operation->has_result = true;
    }
    CK_ULONG room = *out_size;
    *out_size = operation->result.size;
    if (room < operation->result.size)
        return CKR_BUFFER_TOO_SMALL;
    if (operation->result.size)
        memcpy(out, operation->result.data, operation->result.size);
    return ended(session, kind, CKR_OK);
}

/* Will the next call to give() need the input? */
static bool only_asks(const struct operation *operation, const CK_BYTE *out, CK_ULONG out_size)
{
    bool exact = true;
    size_t size = job_output_size(operation->job, &exact);
    return !out || (exact && out_size < size);
}

static CK_RV feed(struct operation *operation, struct view in)
{
    if (in.size && !in.data)
        return CKR_ARGUMENTS_BAD;
    return job_update(operation->job, in);
}

CK_RV operation_once(struct session *session, enum operation_kind kind, struct view in,
                     CK_BYTE *out, CK_ULONG *out_size)
{
    struct operation *operation = session->operations[kind];
    if (!operation)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (operation->fed)
        return CKR_OPERATION_ACTIVE;
    if (!out_size)
        return ended(session, kind, CKR_ARGUMENTS_BAD);
    if (only_asks(operation, out, *out_size))
        return give(session, kind, out, out_size);
    if (in.size && !in.data)
        return ended(session, kind, CKR_ARGUMENTS_BAD);
    /* Called again after CKR_BUFFER_TOO_SMALL: for the same data, or for other. */
    bool same = operation->has_result && view_equal(bytes_view(&operation->job->input), in);
    if (!same) {
        operation->has_result = false;
        bytes_free(&operation->result);
        bytes_free(&operation->job->input);
        CK_RV rv = feed(operation, in);
        if (rv != CKR_OK)
            return ended(session, kind, rv);
    }
    return give(session, kind, out, out_size);
}

CK_RV operation_update(struct session *session, enum operation_kind kind, struct view in)
{
    struct operation *operation = session->operations[kind];
    if (!operation)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (operation->has_result)
        return ended(session, kind, CKR_OPERATION_NOT_INITIALIZED);
    operation->fed = true;
    CK_RV rv = feed(operation, in);
    return rv == CKR_OK ? rv : ended(session, kind, rv);
}

CK_RV operation_update_out(struct session *session, enum operation_kind kind, struct view in,
                           CK_ULONG *out_size)
{
    if (!operation_is_active(session, kind))
        return CKR_OPERATION_NOT_INITIALIZED;
    if (!out_size)
        return ended(session, kind, CKR_ARGUMENTS_BAD);
    CK_RV rv = operation_update(session, kind, in);
    if (rv == CKR_OK)
        *out_size = 0;
    return rv;
}

CK_RV operation_finish(struct session *session, enum operation_kind kind, CK_BYTE *out,
                       CK_ULONG *out_size)
{
    if (!operation_is_active(session, kind))
        return CKR_OPERATION_NOT_INITIALIZED;
    if (!out_size)
        return ended(session, kind, CKR_ARGUMENTS_BAD);
    return give(session, kind, out, out_size);
}

static CK_RV verify_end(struct session *session, struct view signature)
{
    struct operation *operation = session->operations[OPERATION_VERIFY];
    CK_RV rv = signature.size && !signature.data ? CKR_ARGUMENTS_BAD
                                                 : job_verify(operation->job, signature);
    return ended(session, OPERATION_VERIFY, rv);
}

CK_RV operation_verify(struct session *session, struct view in, struct view signature)
{
    struct operation *operation = session->operations[OPERATION_VERIFY];
    if (!operation)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (operation->fed)
        return CKR_OPERATION_ACTIVE;
    CK_RV rv = feed(operation, in);
    return rv != CKR_OK ? ended(session, OPERATION_VERIFY, rv) : verify_end(session, signature);
}

CK_RV operation_verify_finish(struct session *session, struct view signature)
{
    if (!operation_is_active(session, OPERATION_VERIFY))
        return CKR_OPERATION_NOT_INITIALIZED;
    return verify_end(session, signature);
}

CK_RV operation_digest_key(struct session *session, CK_OBJECT_HANDLE handle)
{
    if (!operation_is_active(session, OPERATION_DIGEST))
        return CKR_OPERATION_NOT_INITIALIZED;
    const struct object *key = token_object(session->token, handle);
    if (!key)
        return ended(session, OPERATION_DIGEST, CKR_KEY_HANDLE_INVALID);
    if (object_class(key) != CKO_SECRET_KEY)
        return ended(session, OPERATION_DIGEST, CKR_KEY_INDIGESTIBLE);
    return operation_update(session, OPERATION_DIGEST,
                            attributes_value(&key->attributes, CKA_VALUE));
}
