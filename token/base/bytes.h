/* Byte strings: `struct view` borrows, `struct bytes` owns. */
#ifndef SIGNET_BASE_BYTES_H
#define SIGNET_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "token/base/compiler.h"
#include "token/base/pkcs11.h"

/* Borrowed bytes; {NULL, 0} is the empty one. Valid as long as their owner. */
struct view {
    const uint8_t *data;
    size_t size;
};

/* Owned bytes. A zeroed struct is empty and may be freed. */
struct bytes {
    uint8_t *data;
    size_t size;
};

struct view view_of(const void *data, size_t size);
struct view view_string(const char *string);
struct view bytes_view(const struct bytes *bytes);

/* Same length and same content. Not constant-time: for public data only. */
bool view_equal(struct view a, struct view b);

/* Replaces `bytes` by a copy of `from`. CKR_HOST_MEMORY leaves it untouched. */
CHECKED CK_RV bytes_copy(struct bytes *bytes, struct view from);

/* Replaces `bytes` by `size` zero bytes. CKR_HOST_MEMORY leaves it untouched. */
CHECKED CK_RV bytes_alloc(struct bytes *bytes, size_t size);

/* Appends; more than `max` bytes in all is CKR_DATA_LEN_RANGE. The old memory
 * is wiped when it moves, so that secrets may be collected here. */
CHECKED CK_RV bytes_append(struct bytes *bytes, struct view more, size_t max);

/* Wipes, frees and nulls; NULL and the empty one are fine. */
void bytes_free(struct bytes *bytes);

#endif
