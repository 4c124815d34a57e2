/* Reading, making, copying, changing and removing objects, of sessions and of tokens
 * (PKCS#11 5.7). The guard's token lock is held. */
#ifndef SIGNET_SESSION_OBJECTS_H
#define SIGNET_SESSION_OBJECTS_H

#include "token/session/session.h"

CHECKED CK_RV objects_create(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count,
                             CK_OBJECT_HANDLE *ret_handle);

/* C_CopyObject; an empty template is fine (NSS). */
CHECKED CK_RV objects_copy(struct session *session, CK_OBJECT_HANDLE handle,
                           const CK_ATTRIBUTE *template, CK_ULONG count,
                           CK_OBJECT_HANDLE *ret_handle);

CHECKED CK_RV objects_change(struct session *session, CK_OBJECT_HANDLE handle,
                             const CK_ATTRIBUTE *template, CK_ULONG count);
CHECKED CK_RV objects_destroy(struct session *session, CK_OBJECT_HANDLE handle);

/* C_GetAttributeValue. Not CHECKED: its five cases are the caller's answer. */
CK_RV objects_read(struct session *session, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *template,
                   CK_ULONG count);

#endif
