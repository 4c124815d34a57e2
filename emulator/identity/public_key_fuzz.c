#include "emulator/identity/public_key.h"

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    EVP_PKEY *key = NULL;

    if (public_key_read((struct answer){data, size, false}, &key) == TSS2_RC_SUCCESS)
        EVP_PKEY_free(key);
    return 0;
}
