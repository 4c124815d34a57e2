/* Authenticated encryption of one message after the other under one key: AES-GCM by
 * CK_GCM_MESSAGE_PARAMS (PKCS#11 3.0, 5.9, 5.11 and 6.13). The parameter is the
 * caller's memory, and new with every call. */
#ifndef SIGNET_MECHANISM_MESSAGE_H
#define SIGNET_MECHANISM_MESSAGE_H

#include "token/mechanism/mechanism.h"

struct message;

/* Begins; `operation` is CKF_MESSAGE_ENCRYPT or CKF_MESSAGE_DECRYPT. A reference of
 * `key` is taken. CKR_MECHANISM_PARAM_INVALID, CKR_KEY_SIZE_RANGE. */
CHECKED CK_RV message_new(const struct mechanism *mechanism, CK_FLAGS operation,
                          const CK_MECHANISM *given, struct key *key, struct message **ret_message);
/* NULL is fine. */
void message_free(struct message *message);

/* True between message_begin and message_finish. */
bool message_is_begun(const struct message *message);

/* Begins one message. Encryption writes the IV to the parameter as its generator says;
 * what cannot be made unique any more is CKR_TOKEN_RESOURCE_EXCEEDED. */
CHECKED CK_RV message_begin(struct message *message, void *parameter, CK_ULONG parameter_size,
                            struct view associated);

/* The bytes that so much input would append, exactly; decryption gives nothing before
 * the tag was checked, and then all. */
size_t message_output_size(const struct message *message, size_t input_size, bool last);

CHECKED CK_RV message_update(struct message *message, struct view input, struct bytes *out);

/* Ends one message: writes the tag to the parameter, or checks the one that is there:
 * CKR_AEAD_DECRYPT_FAILED. */
CHECKED CK_RV message_finish(struct message *message, void *parameter, CK_ULONG parameter_size,
                             struct bytes *out);

/* Drops the message that is under way; the next may begin. */
void message_abandon(struct message *message);

#endif
