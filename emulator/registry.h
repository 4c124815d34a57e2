#ifndef EMULATOR_REGISTRY_H
#define EMULATOR_REGISTRY_H

#include "emulator/instance.h"

/* The TPMs of this process, one for each state directory (by device and inode). */

/* The instance of a directory, powered on; shared if there is one. To be given
 * back with registry_release. */
TSS2_RC registry_acquire(const char *path, struct instance **ret);
void registry_release(struct instance *instance);

#endif
