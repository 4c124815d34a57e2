#include "token/session/message.h"

#include "token/session/output.h"
#include "token/session/running.h"

/* The operation, if it is begun and between messages (`inside` false) or in one. */
static CK_RV find(const struct session *session, enum operation_kind kind, bool inside,
                  struct operation **ret_operation)
{
    struct operation *operation = session->operations[kind];
    if (!operation || (inside && !operation->fed))
        return CKR_OPERATION_NOT_INITIALIZED;
    if (!inside && operation->fed)
        return CKR_OPERATION_ACTIVE;
    *ret_operation = operation;
    return CKR_OK;
}

/* One message is over; the next needs its own login where the key wants that. */
static CK_RV message_over(struct operation *operation, CK_RV rv)
{
    if (operation->message)
        message_abandon(operation->message);
    operation->fed = false;
    operation->waits_for_login = operation->always_authenticate;
    return rv;
}

static CK_RV crypt_begin(struct operation *operation, struct message_parameter parameter,
                         struct view associated)
{
    if (!operation_can_read(associated))
        return CKR_ARGUMENTS_BAD;
    return message_begin(operation->message, parameter.data, parameter.size, associated);
}

/* The rest of a message, or a piece, into memory of its own. */
static CK_RV crypt(struct operation *operation, struct message_parameter parameter, struct view in,
                   bool last, struct bytes *ret_made)
{
    CK_RV rv = message_update(operation->message, in, ret_made);
    if (rv == CKR_OK && last)
        rv = message_finish(operation->message, parameter.data, parameter.size, ret_made);
    return rv;
}

CK_RV message_crypt(struct session *session, enum operation_kind kind,
                    struct message_parameter parameter, struct view associated, struct view in,
                    CK_BYTE *out, CK_ULONG *out_size)
{
    struct operation *operation = NULL;
    struct bytes made CLEANUP(bytes_free) = {0};
    CK_RV rv = find(session, kind, false, &operation);
    if (rv != CKR_OK)
        return rv;
    if (!out_size || !operation_can_read(in))
        return CKR_ARGUMENTS_BAD;
    if (output_tells(message_output_size(operation->message, in.size, true), true, out, out_size,
                     &rv))
        return rv;
    rv = crypt_begin(operation, parameter, associated);
    if (rv == CKR_OK)
        rv = crypt(operation, parameter, in, true, &made);
    if (rv == CKR_OK)
        rv = output_give(bytes_view(&made), out, out_size);
    return message_over(operation, rv);
}

CK_RV message_crypt_begin(struct session *session, enum operation_kind kind,
                          struct message_parameter parameter, struct view associated)
{
    struct operation *operation = NULL;
    CK_RV rv = find(session, kind, false, &operation);
    if (rv == CKR_OK)
        rv = crypt_begin(operation, parameter, associated);
    if (rv == CKR_OK)
        operation->fed = true;
    return rv;
}

CK_RV message_crypt_next(struct session *session, enum operation_kind kind,
                         struct message_parameter parameter, struct view in, bool last,
                         CK_BYTE *out, CK_ULONG *out_size)
{
    struct operation *operation = NULL;
    struct bytes made CLEANUP(bytes_free) = {0};
    CK_RV rv = find(session, kind, true, &operation);
    if (rv != CKR_OK)
        return rv;
    if (!out_size || !operation_can_read(in))
        return message_over(operation, CKR_ARGUMENTS_BAD);
    if (output_tells(message_output_size(operation->message, in.size, last), true, out, out_size,
                     &rv))
        return rv;
    rv = crypt(operation, parameter, in, last, &made);
    if (rv == CKR_OK)
        rv = output_give(bytes_view(&made), out, out_size);
    return rv != CKR_OK || last ? message_over(operation, rv) : rv;
}

static CK_RV check_no_parameter(struct message_parameter parameter)
{
    return parameter.size ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}

/* A message that is over leaves the job ready for the next. */
static CK_RV part_over(struct operation *operation, CK_RV rv)
{
    CK_RV restarted = job_restart(operation->job);
    bytes_free(&operation->result);
    (void)message_over(operation, rv);
    return rv != CKR_OK ? rv : restarted;
}

static CK_RV feed(struct operation *operation, struct message_parameter parameter, struct view in)
{
    struct bytes nothing CLEANUP(bytes_free) = {0};
    CK_RV rv = check_no_parameter(parameter);
    if (rv == CKR_OK && !operation_can_read(in))
        rv = CKR_ARGUMENTS_BAD;
    return rv != CKR_OK ? rv : job_update(operation->job, in, &nothing);
}

/* The last of a message: its length is known before, so nothing need be kept. */
static CK_RV sign_last(struct operation *operation, struct message_parameter parameter,
                       struct view in, CK_BYTE *out, CK_ULONG *out_size)
{
    bool exact = true;
    CK_RV rv = CKR_OK;
    if (output_tells(job_output_size(operation->job, in.size, true, &exact), exact, out, out_size,
                     &rv))
        return rv;
    if (operation->waits_for_login)
        return CKR_USER_NOT_LOGGED_IN;
    rv = feed(operation, parameter, in);
    if (rv == CKR_OK)
        rv = job_finish(operation->job, &operation->result);
    if (rv == CKR_OK)
        rv = output_give(bytes_view(&operation->result), out, out_size);
    return part_over(operation, rv);
}

static CK_RV verify_last(struct operation *operation, struct message_parameter parameter,
                         struct view in, struct view signature)
{
    CK_RV rv = feed(operation, parameter, in);
    if (rv == CKR_OK)
        rv = job_verify(operation->job, signature);
    return part_over(operation, rv);
}

CK_RV message_sign(struct session *session, struct message_parameter parameter, struct view in,
                   CK_BYTE *out, CK_ULONG *out_size)
{
    struct operation *operation = NULL;
    CK_RV rv = find(session, OPERATION_MESSAGE_SIGN, false, &operation);
    if (rv == CKR_OK && !out_size)
        rv = CKR_ARGUMENTS_BAD;
    return rv != CKR_OK ? rv : sign_last(operation, parameter, in, out, out_size);
}

CK_RV message_verify(struct session *session, struct message_parameter parameter, struct view in,
                     struct view signature)
{
    struct operation *operation = NULL;
    CK_RV rv = find(session, OPERATION_MESSAGE_VERIFY, false, &operation);
    if (rv == CKR_OK && !operation_can_read(signature))
        rv = CKR_ARGUMENTS_BAD;
    return rv != CKR_OK ? rv : verify_last(operation, parameter, in, signature);
}

CK_RV message_part_begin(struct session *session, enum operation_kind kind,
                         struct message_parameter parameter)
{
    struct operation *operation = NULL;
    CK_RV rv = find(session, kind, false, &operation);
    if (rv == CKR_OK)
        rv = check_no_parameter(parameter);
    if (rv == CKR_OK)
        operation->fed = true;
    return rv;
}

CK_RV message_sign_next(struct session *session, struct message_parameter parameter, struct view in,
                        CK_BYTE *out, CK_ULONG *out_size)
{
    struct operation *operation = NULL;
    CK_RV rv = find(session, OPERATION_MESSAGE_SIGN, true, &operation);
    if (rv != CKR_OK)
        return rv;
    if (out_size)
        return sign_last(operation, parameter, in, out, out_size);
    rv = feed(operation, parameter, in);
    return rv != CKR_OK ? part_over(operation, rv) : rv;
}

CK_RV message_verify_next(struct session *session, struct message_parameter parameter,
                          struct view in, struct view signature)
{
    struct operation *operation = NULL;
    CK_RV rv = find(session, OPERATION_MESSAGE_VERIFY, true, &operation);
    if (rv != CKR_OK)
        return rv;
    if (signature.data)
        return verify_last(operation, parameter, in, signature);
    rv = feed(operation, parameter, in);
    return rv != CKR_OK ? part_over(operation, rv) : rv;
}

CK_RV message_end(struct session *session, enum operation_kind kind)
{
    if (!operation_is_active(session, kind))
        return CKR_OPERATION_NOT_INITIALIZED;
    operation_cancel(session, kind);
    return CKR_OK;
}
