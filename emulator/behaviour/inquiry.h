#ifndef EMULATOR_BEHAVIOUR_INQUIRY_H
#define EMULATOR_BEHAVIOUR_INQUIRY_H

#include "emulator/stage.h"

#include <stdbool.h>

/* What a stage asks the TPM below it, by commands of its own that no client sees. */

/* Called for each handle; false ends it. */
typedef bool (*inquiry_visitor)(void *context, uint32_t handle);

/* TPM2_GetCapability(TPM_CAP_HANDLES) of the type of `first`. */
void inquiry_handles(struct stage *below, uint32_t first, inquiry_visitor visitor, void *context);

/* How many persistent objects there are. *ret_taken: `handle` is one of them. */
uint32_t inquiry_persistent(struct stage *below, uint32_t handle, bool *ret_taken);

/* The bytes of data in all NV indexes together, but for the manufacturer's (the EK
 * certificates): data sheets tell what is left beside these. */
uint32_t inquiry_nv_used(struct stage *below);

/* Is that session among the saved ones? */
bool inquiry_is_saved(struct stage *below, uint32_t session);

#endif
