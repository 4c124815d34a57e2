/* What names in a token directory say. */
#ifndef SIGNET_STORE_NAME_H
#define SIGNET_STORE_NAME_H

#include <sys/types.h>

#include "token/base/bytes.h"

#define NAME_INDEX ".index"
#define NAME_LOCK ".lock"

/* Can it be an entry: no dot file, nothing that an editor leaves behind (x~, #x#,
 * x.bak, x.swp, x.tmp), and UTF-8 without control characters. */
bool name_is_entry(const char *name);

/* A name to write beside the one that the file shall get: .NAME.PID.RANDOM.tmp,
 * 256 bytes with its end. CKR_DEVICE_ERROR without random numbers. */
CHECKED CK_RV name_draft(const char *name, char ret_name[256]);
bool name_is_draft(const char *name);

#endif
