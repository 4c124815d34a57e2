#include "emulator/identity/summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BLOB_SCOPE struct blob der = {NULL, 0};
    struct certificate_summary summary;

    if (blob_copy(data, size, &der) == 0)
        (void)certificate_summarise(&der, &summary);
    return 0;
}
