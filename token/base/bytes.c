#include "token/base/bytes.h"

#include <stdlib.h>
#include <string.h>

struct view view_of(const void *data, size_t size)
{
    return (struct view){.data = data, .size = data ? size : 0};
}

struct view view_string(const char *string)
{
    return view_of(string, string ? strlen(string) : 0);
}

struct view bytes_view(const struct bytes *bytes)
{
    return view_of(bytes->data, bytes->size);
}

bool view_equal(struct view a, struct view b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

CK_RV bytes_alloc(struct bytes *bytes, size_t size)
{
    uint8_t *data = calloc(1, size ? size : 1);
    if (!data)
        return CKR_HOST_MEMORY;
    bytes_free(bytes);
    bytes->data = data;
    bytes->size = size;
    return CKR_OK;
}

CK_RV bytes_copy(struct bytes *bytes, struct view from)
{
    struct bytes copy = {0};
    CK_RV rv = bytes_alloc(&copy, from.size);
    if (rv != CKR_OK)
        return rv;
    if (from.size)
        memcpy(copy.data, from.data, from.size);
    bytes_free(bytes);
    *bytes = copy;
    return CKR_OK;
}

CK_RV bytes_append(struct bytes *bytes, struct view more, size_t max)
{
    if (bytes->size > max || more.size > max - bytes->size)
        return CKR_DATA_LEN_RANGE;
    if (more.size == 0)
        return CKR_OK;
    struct bytes grown = {0};
    CK_RV rv = bytes_alloc(&grown, bytes->size + more.size);
    if (rv != CKR_OK)
        return rv;
    if (bytes->size)
        memcpy(grown.data, bytes->data, bytes->size);
    memcpy(grown.data + bytes->size, more.data, more.size);
    bytes_free(bytes);
    *bytes = grown;
    return CKR_OK;
}

void bytes_free(struct bytes *bytes)
{
    if (!bytes || !bytes->data)
        return;
    explicit_bzero(bytes->data, bytes->size);
    free(bytes->data);
    *bytes = (struct bytes){0};
}
