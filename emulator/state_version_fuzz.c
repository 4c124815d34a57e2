#include "emulator/state_version.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t magics[] = {STATE_MAGIC_PERMANENT, STATE_MAGIC_VOLATILE};
    BLOB_SCOPE struct blob state = {NULL, 0};

    if (blob_copy(data, size, &state) != 0)
        return 0;
    for (size_t i = 0; i < 2; i++) {
        struct state_version version = {0xffff, 0xffff};
        char text[64];

        if (state_version_parse(&state, magics[i], &version) &&
            (size < 6 || version.format != get_u16(data)))
            abort();
        if (strlen(state_version_describe(&state, magics[i], text, sizeof(text))) < 10)
            abort();
    }
    return 0;
}
