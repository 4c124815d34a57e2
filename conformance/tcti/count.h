/* The parts of the counting TCTI, hidden from whoever loads it. */
#ifndef CONFORMANCE_TCTI_COUNT_H
#define CONFORMANCE_TCTI_COUNT_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* The return code that the file named by COUNT_TCTI_FAULTS wants for this
 * command, or 0. The file is read anew at each command; its lines are
 *     CODE SKIP TIMES RC
 * with CODE a command code in hexadecimal or '*', RC in hexadecimal, and '#'
 * before a comment: the first SKIP matching commands pass, the next TIMES get
 * RC. The counting starts again when the text of the file changes. An RC of a
 * TSS layer (above 0xFFFF) is what the transmission itself returns. */
uint32_t fault_for(uint32_t command_code);

/* Appends "CODE SIZE RC" to the file named by COUNT_TCTI_LOG. */
void log_command(uint32_t command_code, size_t size, uint32_t response_code);

#pragma GCC visibility pop

#endif
