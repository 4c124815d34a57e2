#ifndef EMULATOR_BEHAVIOUR_PARAMETERS_H
#define EMULATOR_BEHAVIOUR_PARAMETERS_H

#include "emulator/command.h"

/* Something that the parameters of a command ask for, of which a TPM may have
 * more or less. TPM 2.0 Library part 2, chapters 9 to 13. */
enum asked_kind {
    ASKED_ALGORITHM, /* TPM_ALG_ID; TPM_ALG_NULL is never told */
    ASKED_CURVE,     /* TPM_ECC_CURVE */
    ASKED_RSA_BITS,
    ASKED_KEY_BITS, /* of the symmetric algorithm `of` */
    ASKED_NV_SIZE,  /* bytes of an index to be defined */
    ASKED_NV_PIECE, /* bytes to be read or written at once */
};

struct asked {
    enum asked_kind kind;
    uint16_t value;
    uint16_t of;
    /* What a TPM answers that does not have it, with the parameter's number. */
    uint32_t refusal;
};

/* Called for one thing after the other; false ends the walk. */
typedef bool (*asked_visitor)(void *context, const struct asked *asked);

/* Tells all that a command's parameters ask for, in their order. Bytes that the
 * TPM will refuse end the walk; what an encrypted session hides is not told. */
void parameters_walk(const struct command *command, const struct message *message,
                     asked_visitor visitor, void *context);

#endif
