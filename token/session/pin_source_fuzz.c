#include <stdlib.h>
#include <string.h>

#include "token/session/pin_source.h"

/* The value of `pin source`. No source is asked. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_source source = {0};
    struct reason reason = {0};
    char *value = calloc(1, size + 1);
    if (!value)
        return 0;
    if (size)
        memcpy(value, data, size);
    CK_RV rv = pin_source_parse(value, "/etc/signet", &source, &reason);
    check(rv == CKR_OK || rv == CKR_DATA_INVALID || rv == CKR_HOST_MEMORY);
    if (rv == CKR_DATA_INVALID)
        check(reason.text[0] && !source.value);
    if (rv == CKR_OK && source.kind == PIN_SOURCE_FILE)
        check(source.value && source.value[0] == '/');
    if (rv == CKR_OK && source.kind == PIN_SOURCE_CREDENTIAL)
        check(source.value && !strchr(source.value, '/') && strcmp(source.value, "..") != 0);
    pin_source_clear(&source);
    free(value);
    return 0;
}
