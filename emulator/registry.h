#ifndef EMULATOR_REGISTRY_H
#define EMULATOR_REGISTRY_H

#include "emulator/conf.h"
#include "emulator/instance.h"

/* The TPMs of this process: for each state directory (by device and inode) one
 * copy, and up to one for each processor where threads would wait for another. */

/* An instance of a directory, powered on; shared if there is one. To be given
 * back with registry_release. The order is for a TPM that is made;
 * NULL: as by default. */
TSS2_RC registry_acquire(const struct conf *conf, const struct tpm_order *order,
                         struct instance **ret);

/* Another instance of the same directory with less to do; made if there is none
 * yet and a processor for it. False if it would be of no use. */
bool registry_acquire_another(struct instance *instance, struct instance **ret);

void registry_release(struct instance *instance);

#endif
