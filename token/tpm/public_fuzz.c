#include <stdlib.h>

#include "token/tpm/public.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_key(const struct public_key *key)
{
    size_t coordinate = public_key_coordinate_size(key);
    if (key->algorithm == KEY_ALGORITHM_EC)
        check(key->point.size == 1 + 2 * coordinate && key->point.data[0] == 4 && key->curve.size);
    else
        check(key->algorithm == KEY_ALGORITHM_RSA && key->modulus.size >= 128 &&
              key->exponent.size && key->exponent.data[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TPM2B_PUBLIC public;
    struct public_key key = {0};
    struct reason reason = {0};
    setenv("TSS2_LOG", "all+none", 0);
    if (tpm_public_decode(view_of(data, size), &public, &reason) != CKR_OK) {
        check(reason.text[0]);
        return 0;
    }
    (void)tpm_public_abilities(&public.publicArea);
    if (tpm_public_key(&public.publicArea, &key, &reason) == CKR_OK)
        check_key(&key);
    else
        check(reason.text[0]);
    public_key_clear(&key);
    if (tpm_public_secret(&public.publicArea, &key))
        check(key.algorithm == KEY_ALGORITHM_SECRET || key.algorithm == KEY_ALGORITHM_AES);
    return 0;
}
