#ifndef EMULATOR_BUILD_H
#define EMULATOR_BUILD_H

#include "emulator/message.h"

#include <stdbool.h>

/* Puts a command together: begin, then its handles, authorizations and
 * parameters in order. What would not fit into a message is left out, and the
 * TPM then refuses the command for its size. */
void build_begin(struct message *command, uint16_t tag, uint32_t code);
void build_u8(struct message *command, uint8_t value);
void build_u16(struct message *command, uint16_t value);
void build_u32(struct message *command, uint32_t value);
void build_bytes(struct message *command, const void *data, size_t size);

/* A TPM2B. */
void build_2b(struct message *command, const void *data, size_t size);

/* The authorization area of one empty password. */
void build_empty_password(struct message *command);

/* Fills in the header's size: the command is whole. */
void build_end(struct message *command);

/* Takes a response apart, front to back. Once it was cut everything reads as 0
 * and empty; so it is enough to ask at the end. Borrows the response. */
struct answer {
    const uint8_t *at;
    size_t left;
    bool cut;
};

/* From an offset on: behind the header, or what response_parameters says. */
struct answer answer_from(const struct message *response, size_t offset);

/* A TPM2B's content as an answer of its own. */
struct answer answer_2b(struct answer *answer);

/* The next bytes; NULL if there are not so many. */
const uint8_t *answer_bytes(struct answer *answer, size_t size);
uint8_t answer_u8(struct answer *answer);
uint16_t answer_u16(struct answer *answer);
uint32_t answer_u32(struct answer *answer);
uint64_t answer_u64(struct answer *answer);

#endif
