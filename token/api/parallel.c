/* PKCS#11 5.20: parallel function management functions, both of the past. */
#include "token/api/call.h"

CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
    return call_without_mechanism(session, CKR_FUNCTION_NOT_PARALLEL);
}

CK_RV C_CancelFunction(CK_SESSION_HANDLE session)
{
    return call_without_mechanism(session, CKR_FUNCTION_NOT_PARALLEL);
}
