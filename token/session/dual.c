#include "token/session/dual.h"

#include "token/session/output.h"
#include "token/session/running.h"

static CK_RV run(struct session *session, enum operation_kind cipher, enum operation_kind with,
                 struct view in, struct bytes *ret_made)
{
    struct operation *operation = session->operations[cipher];
    operation->fed = true;
    CK_RV rv = job_update(operation->job, in, ret_made);
    if (rv != CKR_OK)
        return rv;
    return operation_update(session, with, cipher == OPERATION_ENCRYPT ? in : bytes_view(ret_made));
}

static CK_RV dual(struct session *session, enum operation_kind cipher, enum operation_kind with,
                  struct view in, CK_BYTE *out, CK_ULONG *out_size)
{
    const struct operation *operation = session->operations[cipher];
    struct bytes made CLEANUP(bytes_free) = {0};
    CK_RV rv = CKR_OK;
    bool exact = true;
    if (!operation || !operation_is_active(session, with))
        return CKR_OPERATION_NOT_INITIALIZED;
    if (!out_size || !operation_can_read(in))
        rv = CKR_ARGUMENTS_BAD;
    else if (operation->has_result)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else if (output_tells(job_output_size(operation->job, in.size, false, &exact), exact, out,
                          out_size, &rv))
        return rv;
    if (rv == CKR_OK)
        rv = run(session, cipher, with, in, &made);
    if (rv == CKR_OK)
        rv = output_give(bytes_view(&made), out, out_size);
    if (rv != CKR_OK) {
        operation_cancel(session, cipher);
        operation_cancel(session, with);
    }
    return rv;
}

CK_RV dual_encrypt(struct session *session, enum operation_kind with, struct view in, CK_BYTE *out,
                   CK_ULONG *out_size)
{
    return dual(session, OPERATION_ENCRYPT, with, in, out, out_size);
}

CK_RV dual_decrypt(struct session *session, enum operation_kind with, struct view in, CK_BYTE *out,
                   CK_ULONG *out_size)
{
    return dual(session, OPERATION_DECRYPT, with, in, out, out_size);
}
