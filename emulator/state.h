#ifndef EMULATOR_STATE_H
#define EMULATOR_STATE_H

#include "emulator/instance.h"
#include "emulator/kinds.h"

/* The instance's way to and from the published state, under the instance's lock. */

/* Has what a command of this kind depends on moved since the TPM's state was
 * taken? */
bool state_is_behind(const struct instance *instance, enum command_kind kind);

/* Replaces the TPM's state by the published one. The connections keep their
 * objects, as saved contexts. The random number generator is stirred: every
 * process starts from the same published one. Needs no lock of the directory. */
TSS2_RC state_take_over(struct instance *instance);

/* Under the directory's lock: publishes the TPM's state, durably if it asked for
 * its permanent state to be stored; without anybody's objects. On failure nothing
 * is published and the TPM is out of step: the next take-over rolls it back.
 * TSS2_TCTI_RC_TRY_AGAIN: a publish of a killed process was completed first, and
 * the state has moved on. */
TSS2_RC state_publish(struct instance *instance, bool hard);

/* Throws away what the TPM has done since the published state; the connections keep
 * their objects as they are. */
void state_drop(struct instance *instance);

uint32_t state_next_generation(uint32_t generation);

#endif
