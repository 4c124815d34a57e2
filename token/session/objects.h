/* Making, copying, changing and removing objects. The tokens of this version are
 * write-protected: what is made is a session object. The guard's token lock is
 * held. */
#ifndef SIGNET_SESSION_OBJECTS_H
#define SIGNET_SESSION_OBJECTS_H

#include "token/session/session.h"

/* C_CreateObject: public keys, secret keys, certificates and data. */
CHECKED CK_RV objects_create(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count,
                             CK_OBJECT_HANDLE *ret_handle);

/* C_CopyObject; an empty template is fine (NSS). */
CHECKED CK_RV objects_copy(struct session *session, CK_OBJECT_HANDLE handle,
                           const CK_ATTRIBUTE *template, CK_ULONG count,
                           CK_OBJECT_HANDLE *ret_handle);

CHECKED CK_RV objects_change(struct session *session, CK_OBJECT_HANDLE handle,
                             const CK_ATTRIBUTE *template, CK_ULONG count);

CHECKED CK_RV objects_destroy(struct session *session, CK_OBJECT_HANDLE handle);

/* C_DeriveKey with CKM_ECDH1_DERIVE, into a secret key. */
CHECKED CK_RV objects_derive(struct session *session, const CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE base, const CK_ATTRIBUTE *template, CK_ULONG count,
                             CK_OBJECT_HANDLE *ret_handle);

#endif
