#ifndef EMULATOR_TPM_H
#define EMULATOR_TPM_H

#include "emulator/backend.h"
#include "emulator/command.h"
#include "emulator/order.h"

/* The commands that the sharing itself sends to its TPM. All return the TPM's
 * response code, TPM2_RC_SUCCESS if it was done. */

/* Ends the command and runs it at locality 0. */
uint32_t tpm_run(struct tpm_backend *tpm, struct message *command, struct message *response);

/* type: TPM2_SU_CLEAR or TPM2_SU_STATE */
uint32_t tpm_startup(struct tpm_backend *tpm, uint16_t type);
uint32_t tpm_shutdown(struct tpm_backend *tpm, uint16_t type);

/* Fresh entropy, so that copies of one state do not answer alike. */
uint32_t tpm_stir_random(struct tpm_backend *tpm);

/* TPM2_DictionaryAttackParameters with the empty lockout authorization. */
uint32_t tpm_set_lockout(struct tpm_backend *tpm, const struct lockout_parameters *lockout);

/* TPM2_GetCapability: the commands; those under command audit (as attributes that
 * are not 0); the handles of a type, from its first one on, as many as there is
 * room for; one property. */
uint32_t tpm_read_commands(struct tpm_backend *tpm, struct command_attributes *ret);
uint32_t tpm_read_audited(struct tpm_backend *tpm, struct command_attributes *ret);
uint32_t tpm_read_handles(struct tpm_backend *tpm, uint32_t first, uint32_t *handles, size_t room,
                          size_t *ret_count);
uint32_t tpm_read_property(struct tpm_backend *tpm, uint32_t property, uint32_t *ret);

/* TPM2_ReadClock: milliseconds since startup, and of the clock. */
uint32_t tpm_read_clock(struct tpm_backend *tpm, uint64_t *ret_time, uint64_t *ret_clock);

uint32_t tpm_context_save(struct tpm_backend *tpm, uint32_t handle, struct blob *ret_context);
uint32_t tpm_context_load(struct tpm_backend *tpm, const struct blob *context,
                          uint32_t *ret_handle);
uint32_t tpm_flush(struct tpm_backend *tpm, uint32_t handle);

#endif
