#ifndef EMULATOR_CLI_WORDS_H
#define EMULATOR_CLI_WORDS_H

#include <stdint.h>

#define WORDS_MAX 512

/* Names as TPM 2.0 Library part 2 has them, in lower case; numbers for those
 * that have no name here. All give their text in ret. */
const char *words_algorithm(uint16_t algorithm, char ret[WORDS_MAX]);
const char *words_curve(uint16_t curve, char ret[WORDS_MAX]);

/* TPMA_NV and TPMA_OBJECT, joined with "|". */
const char *words_nv_attributes(uint32_t attributes, char ret[WORDS_MAX]);
const char *words_object_attributes(uint32_t attributes, char ret[WORDS_MAX]);

#endif
