#ifndef EMULATOR_PERMANENT_H
#define EMULATOR_PERMANENT_H

#include "emulator/control.h"

/* The permanent file and the control file as one. All of these run under the
 * directory's lock, and name the file in their error texts. */

/* The state in the permanent file. A missing file is success with an empty *ret. */
TSS2_RC permanent_read(const struct directory *directory, struct blob *ret);

/* Replaces the permanent file durably, for a publish of that generation whose
 * slot is written. On failure the old file stands, or will once it can be
 * written again. */
TSS2_RC permanent_write(const struct directory *directory, const struct control *control,
                        uint32_t generation, const struct blob *permanent);

/* Brings both files in step, if a process was killed between the file and the
 * word, or failed to undo: what was under way is completed if it reached the
 * file, what was withdrawn is undone. Before anything is published or read. */
TSS2_RC permanent_settle(const struct directory *directory, const struct control *control);

#endif
