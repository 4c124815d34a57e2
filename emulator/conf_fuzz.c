#include "emulator/conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    struct conf conf;

    if (!text)
        return 0;
    memcpy(text, data, size);
    if (conf_read(text, &conf) == TSS2_RC_SUCCESS && conf.directory[0] == '\0')
        abort();
    free(text);
    return 0;
}
