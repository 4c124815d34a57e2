/* What may stand in a line of text or be the name of a file: UTF-8 (RFC 3629)
 * without control characters; a tab is none where blanks may be. */
#ifndef SIGNET_STORE_UTF8_H
#define SIGNET_STORE_UTF8_H

#include "token/base/bytes.h"

bool utf8_is_line(struct view text);
bool utf8_is_name(const char *name);

#endif
