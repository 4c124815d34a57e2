#include "emulator/swtpm_file.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken out of a file must make the same file again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BLOB_SCOPE struct blob file = {NULL, 0};
    BLOB_SCOPE struct blob state = {NULL, 0};
    BLOB_SCOPE struct blob again = {NULL, 0};

    if (blob_copy(data, size, &file) != 0 || swtpm_file_unwrap(&file, &state) != TSS2_RC_SUCCESS)
        return 0;
    if (swtpm_file_wrap(&state, &again) != TSS2_RC_SUCCESS || again.size != file.size)
        abort();
    return 0;
}
