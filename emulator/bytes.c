#include "emulator/bytes.h"

#include <stdlib.h>
#include <string.h>

int blob_copy(const void *data, size_t size, struct blob *ret)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        return -1;
    if (size)
        memcpy(copy, data, size);
    *ret = (struct blob){copy, size};
    return 0;
}

void blob_free(struct blob *blob)
{
    struct blob old;

    if (!blob || !blob->data)
        return;
    /* Emptied first: a fork in between must not leave the child a dead pointer. */
    old = *blob;
    *blob = (struct blob){NULL, 0};
    explicit_bzero(old.data, old.size);
    free(old.data);
}

void blob_move(struct blob *to, struct blob *from)
{
    blob_free(to);
    *to = *from;
    *from = (struct blob){NULL, 0};
}
