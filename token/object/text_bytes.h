/* Bytes as text: quoted, hexadecimal or Base64. Inside the room only. */
#ifndef SIGNET_OBJECT_TEXT_BYTES_H
#define SIGNET_OBJECT_TEXT_BYTES_H

#include "token/base/bytes.h"

/* "text", hex:… or base64:…, whichever suits; and any of them back (at most `max`
 * bytes). *ret_why is set on CKR_DATA_INVALID, to a part of a sentence. */
CHECKED CK_RV text_of_bytes(struct view value, struct bytes *ret_text);
CHECKED CK_RV text_to_bytes(struct view text, size_t max, struct bytes *ret_value,
                            const char **ret_why);

#endif
