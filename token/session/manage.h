/* Key management (PKCS#11 5.18): generating, wrapping, unwrapping and deriving keys.
 * The guard's token lock is held. */
#ifndef SIGNET_SESSION_MANAGE_H
#define SIGNET_SESSION_MANAGE_H

#include "token/session/session.h"

CHECKED CK_RV manage_generate(struct session *session, const CK_MECHANISM *mechanism,
                              const CK_ATTRIBUTE *template, CK_ULONG count,
                              CK_OBJECT_HANDLE *ret_handle);

struct manage_template {
    const CK_ATTRIBUTE *attributes;
    CK_ULONG count;
};
CHECKED CK_RV manage_generate_pair(struct session *session, const CK_MECHANISM *mechanism,
                                   struct manage_template public, struct manage_template private,
                                   CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private);

/* The output-length rule holds: out NULL asks for the length. */
CHECKED CK_RV manage_wrap(struct session *session, const CK_MECHANISM *mechanism,
                          CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key, CK_BYTE *out,
                          CK_ULONG *out_size);

CHECKED CK_RV manage_unwrap(struct session *session, const CK_MECHANISM *mechanism,
                            CK_OBJECT_HANDLE unwrapping, struct view wrapped,
                            struct manage_template template, CK_OBJECT_HANDLE *ret_handle);

/* With authenticated encryption; `associated` is that of C_WrapKeyAuthenticated. */
CHECKED CK_RV manage_wrap_authenticated(struct session *session, const CK_MECHANISM *mechanism,
                                        CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE target,
                                        struct view associated, CK_BYTE *out, CK_ULONG *out_size);
CHECKED CK_RV manage_unwrap_authenticated(struct session *session, const CK_MECHANISM *mechanism,
                                          CK_OBJECT_HANDLE unwrapping, struct view wrapped,
                                          struct manage_template template, struct view associated,
                                          CK_OBJECT_HANDLE *ret_handle);

/* A fresh secret key for the holder of a private key: the key object and the ciphertext,
 * whose length may be asked for as in manage_wrap; and the key out of the ciphertext. */
CHECKED CK_RV manage_encapsulate(struct session *session, const CK_MECHANISM *mechanism,
                                 CK_OBJECT_HANDLE public_key, struct manage_template template,
                                 CK_BYTE *out, CK_ULONG *out_size, CK_OBJECT_HANDLE *ret_handle);
CHECKED CK_RV manage_decapsulate(struct session *session, const CK_MECHANISM *mechanism,
                                 CK_OBJECT_HANDLE private_key, struct manage_template template,
                                 struct view ciphertext, CK_OBJECT_HANDLE *ret_handle);

CHECKED CK_RV manage_derive(struct session *session, const CK_MECHANISM *mechanism,
                            CK_OBJECT_HANDLE base, struct manage_template template,
                            CK_OBJECT_HANDLE *ret_handle);

#endif
