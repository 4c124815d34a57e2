#ifndef EMULATOR_CONF_H
#define EMULATOR_CONF_H

#include <limits.h>
#include <tss2/tss2_common.h>

/* What the configuration string of the TCTI asks for. */
struct conf {
    char directory[PATH_MAX];
};

/* Reads "key=value,key=value"; NULL and "" mean the defaults. Returns
 * TSS2_TCTI_RC_BAD_VALUE, or NOT_IMPLEMENTED for keys that have no code behind
 * them yet, with the reason as error text; *ret is then untouched. */
TSS2_RC conf_read(const char *text, struct conf *ret);

#endif
