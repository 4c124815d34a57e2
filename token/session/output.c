#include "token/session/output.h"

#include <string.h>

bool output_tells(size_t size, bool exact, const CK_BYTE *out, CK_ULONG *out_size, CK_RV *ret_rv)
{
    if (out && (!exact || *out_size >= size))
        return false;
    *out_size = size;
    *ret_rv = out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    return true;
}

CK_RV output_give(struct view result, CK_BYTE *out, CK_ULONG *out_size)
{
    CK_ULONG room = *out_size;
    *out_size = result.size;
    if (room < result.size)
        return CKR_BUFFER_TOO_SMALL;
    if (result.size)
        memcpy(out, result.data, result.size);
    return CKR_OK;
}
