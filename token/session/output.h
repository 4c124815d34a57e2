/* The one rule about output lengths (PKCS#11 5.2): no buffer asks for the length,
 * too small a one is told it, and neither changes anything. */
#ifndef SIGNET_SESSION_OUTPUT_H
#define SIGNET_SESSION_OUTPUT_H

#include "token/base/bytes.h"

/* True if a call that will make `size` bytes (or, not exact, at most so many) is
 * answered by that: *out_size is set, and *ret_rv is CKR_OK or CKR_BUFFER_TOO_SMALL. */
bool output_tells(size_t size, bool exact, const CK_BYTE *out, CK_ULONG *out_size, CK_RV *ret_rv);

/* Hands a result over; CKR_BUFFER_TOO_SMALL if it turned out not to fit. `out` may be
 * memory that the result was made from. */
CHECKED CK_RV output_give(struct view result, CK_BYTE *out, CK_ULONG *out_size);

#endif
