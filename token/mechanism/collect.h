/* A message that is collected for a key that wants it whole. Inside the room only. */
#ifndef SIGNET_MECHANISM_COLLECT_H
#define SIGNET_MECHANISM_COLLECT_H

#include "token/base/bytes.h"

/* `room` may have more than the `size` bytes that were collected. Zeroed is empty. */
struct collected {
    struct bytes room;
    size_t size;
};

/* Appends; more than `limit` bytes in all is CKR_DATA_LEN_RANGE. */
CHECKED CK_RV collect(struct collected *collected, struct view more, size_t limit);
struct view collected_view(const struct collected *collected);
/* Wipes it, and leaves it empty. */
void collected_free(struct collected *collected);

#endif
