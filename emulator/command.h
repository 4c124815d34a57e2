#ifndef EMULATOR_COMMAND_H
#define EMULATOR_COMMAND_H

#include "emulator/message.h"

#include <stdbool.h>

/* TPM 2.0 Library part 1, "Command/Response Structure". */
#define HEADER_SIZE 10
#define COMMAND_HANDLES_MAX 3
#define COMMAND_AUTHORIZATIONS_MAX 3

/* TPM 2.0 Library part 2, TPM_HC. tpm2-tss has these, but shifts into the sign. */
#define LOADED_SESSION_FIRST 0x02000000u
#define TRANSIENT_FIRST 0x80000000u
#define PERSISTENT_FIRST 0x81000000u

/* The TPM's own list of its commands (TPM_CAP_COMMANDS): TPMA_CC by code. */
struct command_attributes {
    uint32_t attributes[256];
};

/* What has to be known of a command to share a TPM. Bytes that the TPM will
 * refuse are no error here: what cannot be read counts as absent. */
struct command {
    uint32_t code;
    unsigned handle_count;
    uint32_t handles[COMMAND_HANDLES_MAX];
    bool has_sessions; /* TPM_ST_SESSIONS */
    bool uses_session; /* an HMAC or policy session is among them */
    unsigned authorization_count;
    uint32_t authorizations[COMMAND_AUTHORIZATIONS_MAX]; /* sessions, or TPM_RS_PW */
    size_t parameters;    /* offset; the message's size if there are none */
    bool returns_handle;  /* TPMA_CC rHandle */
    bool flushes_handles; /* TPMA_CC flushed */
};

/* 0 for codes that the TPM does not have. */
uint32_t command_attributes_of(const struct command_attributes *table, uint32_t code);

void command_parse(const struct message *message, const struct command_attributes *table,
                   struct command *ret);

uint32_t response_code(const struct message *response);

/* The handle of a successful response to a command that returns one, else 0. */
uint32_t response_handle(const struct command *command, const struct message *response);

/* Offset of the response's parameters; its size if there are none. */
size_t response_parameters(const struct command *command, const struct message *response);

/* Did the TPM end the session of an authorization, as the command did not ask for
 * it to continue? */
bool response_ends_session(const struct command *command, const struct message *response,
                           unsigned authorization);

/* A response of a return code alone. */
void respond_code(uint32_t code, struct message *response);

/* Is the handle one of a transient object? Of a loaded HMAC or policy session? */
bool handle_is_transient(uint32_t handle);
bool handle_is_session(uint32_t handle);

/* Of an NV index? */
bool handle_is_nv_index(uint32_t handle);

#endif
