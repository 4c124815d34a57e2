#include "token/mechanism/collect.h"

#include <string.h>

#define FIRST_ROOM 256

/* Room grows by doubling: whole messages may come in small pieces. */
static CK_RV make_room(struct collected *collected, size_t size)
{
    if (size <= collected->room.size)
        return CKR_OK;
    size_t room = collected->room.size ? collected->room.size : FIRST_ROOM;
    while (room < size)
        room *= 2;
    struct bytes grown = {0};
    CK_RV rv = bytes_alloc(&grown, room);
    if (rv != CKR_OK)
        return rv;
    if (collected->size)
        memcpy(grown.data, collected->room.data, collected->size);
    bytes_free(&collected->room);
    collected->room = grown;
    return CKR_OK;
}

CK_RV collect(struct collected *collected, struct view more, size_t limit)
{
    if (more.size > limit || collected->size > limit - more.size)
        return CKR_DATA_LEN_RANGE;
    CK_RV rv = make_room(collected, collected->size + more.size);
    if (rv != CKR_OK || !more.size)
        return rv;
    memcpy(collected->room.data + collected->size, more.data, more.size);
    collected->size += more.size;
    return CKR_OK;
}

struct view collected_view(const struct collected *collected)
{
    return view_of(collected->room.data, collected->size);
}

void collected_free(struct collected *collected)
{
    bytes_free(&collected->room);
    collected->size = 0;
}
