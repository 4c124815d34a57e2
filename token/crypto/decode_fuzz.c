#include <stddef.h>
#include <stdint.h>

#include "token/crypto/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct view passwords[] = {{0}, view_string("1234")};
    for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
        struct decoded decoded = {0};
        struct reason reason = {0};
        CK_RV rv = crypto_decode(view_of(data, size), passwords[i], &decoded, &reason);
        if (rv != CKR_OK && rv != CKR_HOST_MEMORY && reason.text[0] == '\0')
            __builtin_trap();
        decoded_clear(&decoded);
    }
    return 0;
}
