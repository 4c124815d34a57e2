/* PKCS#11 3.2, 5.21: asynchronous functions. No session is asynchronous (C_OpenSession
 * says so), and so nothing is ever pending. */
#include "token/api/call.h"

static CK_RV answer(CK_SESSION_HANDLE session, bool arguments_good)
{
    return call_without_mechanism(session,
                                  arguments_good ? CKR_FUNCTION_NOT_SUPPORTED : CKR_ARGUMENTS_BAD);
}

/* The result may be left out. */
CK_RV C_AsyncComplete(CK_SESSION_HANDLE session, unsigned char *function,
                      CK_ASYNC_DATA *result UNUSED)
{
    return answer(session, function);
}

CK_RV C_AsyncGetID(CK_SESSION_HANDLE session, unsigned char *function, unsigned long *id)
{
    return answer(session, function && id);
}

CK_RV C_AsyncJoin(CK_SESSION_HANDLE session, unsigned char *function, unsigned long id UNUSED,
                  unsigned char *data, unsigned long data_len)
{
    return answer(session, function && (data || !data_len));
}
