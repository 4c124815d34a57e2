#ifndef EMULATOR_SWTPM_FILE_H
#define EMULATOR_SWTPM_FILE_H

#include "emulator/bytes.h"

#include <tss2/tss2_common.h>

/* swtpm's file format: 16 bytes, big-endian, before the libtpms state. */
#define SWTPM_PERMANENT_FILE "tpm2-00.permall"
#define SWTPM_VOLATILE_FILE "tpm2-00.volatilestate"
#define SWTPM_LOCK_FILE ".lock"
#define SWTPM_HEADER_SIZE 16

/* The largest permanent state that is believed; libtpms has 176 kB of NV. */
#define PERMANENT_STATE_MAX (512u * 1024)

/* Frames a libtpms state. TSS2_TCTI_RC_MEMORY on failure. */
TSS2_RC swtpm_file_wrap(const struct blob *state, struct blob *ret_file);

/* Takes the state out of a file. TSS2_TCTI_RC_BAD_VALUE with the reason as
 * error text if the file is cut, encrypted, or not of this format. */
TSS2_RC swtpm_file_unwrap(const struct blob *file, struct blob *ret_state);

#endif
