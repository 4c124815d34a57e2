#ifndef EMULATOR_SWTPM_RUNNING_H
#define EMULATOR_SWTPM_RUNNING_H

#include "emulator/instance.h"

/* The volatile state that swtpm leaves when it is told to store it (to migrate, or
 * to suspend). It belongs to the permanent state if it is not older: a TPM must
 * not go on from before a reset that swtpm did since. */

/* False if there is none, or none of use; then *ret is untouched. */
bool swtpm_running_read(const struct directory *directory, struct blob *ret);

/* Makes the running TPM's state one to share: without loaded objects, and its
 * sessions nobody's. TPM2_RC_SUCCESS, or what the TPM said. */
uint32_t swtpm_running_adopt(struct instance *instance);

#endif
