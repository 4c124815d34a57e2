#ifndef EMULATOR_BEHAVIOUR_TIMING_H
#define EMULATOR_BEHAVIOUR_TIMING_H

#include "emulator/behaviour/profile.h"
#include "emulator/command.h"

/* How long a chip would have taken for a command that the TPM has answered. */
struct timing {
    struct distribution distributions[TIME_KINDS];
    struct draws draws;
    double speed;
};

/* The same seed gives the same times for the same commands. */
void timing_init(const struct profile *profile, uint64_t seed, double speed, struct timing *ret);

/* The figure that a kind's times are drawn from. What was never published, as of
 * Load, is estimated by something alike:
 *   Load, context swaps, changes of NV: the creation of a small sealed object;
 *   Unseal: an HMAC;  a salted session: the decryption of its salt;
 *   CreatePrimary: Create;  all else: GetRandom. */
const struct figure *timing_figure(const struct profile *profile, enum time_kind kind);

/* What a command took, and by what factor its key differs from RSA-2048 or P-256:
 * 3072 bits take 4 times as long to make and 2.5 times to use, 1024 bits 0.2 and
 * 0.3; P-384 1.9 times, P-521 4 times (estimates from the dataset's other rows). */
enum time_kind timing_kind(const struct command *command, const struct message *message,
                           const struct message *response, double *ret_factor);

/* Draws a time, in nanoseconds, divided by the speed. */
uint64_t timing_draw(struct timing *timing, enum time_kind kind, double factor);

#endif
