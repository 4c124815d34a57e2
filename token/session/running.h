/* The inside of struct operation, for the files that carry operations out. */
#ifndef SIGNET_SESSION_RUNNING_H
#define SIGNET_SESSION_RUNNING_H

#include "token/mechanism/job.h"
#include "token/mechanism/message.h"
#include "token/session/operation.h"

/* Has a job, or, to encrypt and decrypt messages, a message. `result` is kept when it
 * did not fit the caller's buffer, so that the key is not asked twice, and with it the
 * `input` that it answers. `fed` tells that C_XUpdate was called, or a message begun. `signature`
 * is that of C_VerifySignatureInit. */
struct operation {
    struct job *job;
    struct message *message;
    bool fed;
    bool has_result;
    bool private_object;
    bool always_authenticate;
    bool waits_for_login;
    struct bytes result;
    struct bytes input;
    struct bytes signature;
};

/* Cancels the operation and answers `rv`. */
CK_RV operation_ended(struct session *session, enum operation_kind kind, CK_RV rv);

/* A NULL with a length is nothing that can be read. */
static inline bool operation_can_read(struct view in)
{
    return in.data || !in.size;
}

#endif
