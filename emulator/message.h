#ifndef EMULATOR_MESSAGE_H
#define EMULATOR_MESSAGE_H

#include "emulator/bytes.h"

/* libtpms' TPM_PT_MAX_COMMAND_SIZE and TPM_PT_MAX_RESPONSE_SIZE. */
#define MESSAGE_MAX 4096

/* One command or one response. */
struct message {
    size_t size;
    uint8_t bytes[MESSAGE_MAX];
};

#endif
