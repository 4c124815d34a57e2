/* PKCS#11 5.7: object management functions. */
#include "token/api/guard.h"
#include "token/session/objects.h"
#include "token/session/search.h"

CK_RV C_CreateObject(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *template, unsigned long count,
                     CK_OBJECT_HANDLE *object)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !object || (!template && count) ? CKR_ARGUMENTS_BAD
                                         : objects_create(session, template, count, object);
    guard_leave(session->token);
    return rv;
}

CK_RV C_CopyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                   unsigned long count, CK_OBJECT_HANDLE *new_object)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !new_object || (!template && count)
             ? CKR_ARGUMENTS_BAD
             : objects_copy(session, object, template, count, new_object);
    guard_leave(session->token);
    return rv;
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = objects_destroy(session, object);
    guard_leave(session->token);
    return rv;
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, unsigned long *size)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    const struct object *found = token_object(session->token, object);
    if (found && size)
        *size = object_size(found);
    guard_leave(session->token);
    return !found ? CKR_OBJECT_HANDLE_INVALID : size ? CKR_OK : CKR_ARGUMENTS_BAD;
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                          unsigned long count)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !template || !count ? CKR_ARGUMENTS_BAD : objects_read(session, object, template, count);
    guard_leave(session->token);
    return rv;
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                          unsigned long count)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !template || !count ? CKR_ARGUMENTS_BAD : objects_change(session, object, template, count);
    guard_leave(session->token);
    return rv;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *template, unsigned long count)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !template && count ? CKR_ARGUMENTS_BAD : search_begin(session, template, count);
    guard_leave(session->token);
    return rv;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *object,
                    unsigned long max_object_count, unsigned long *object_count)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !object_count || (!object && max_object_count)
             ? CKR_ARGUMENTS_BAD
             : search_next(session, object, max_object_count, object_count);
    guard_leave(session->token);
    return rv;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE handle)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = session->search.active ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
    search_end(&session->search);
    guard_leave(session->token);
    return rv;
}
