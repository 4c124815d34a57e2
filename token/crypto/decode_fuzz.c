#include <stddef.h>
#include <stdint.h>

#include "token/crypto/decode.h"
#include "token/crypto/software_key.h"
#include "token/crypto/tss2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool condition)
{
    if (!condition)
        __builtin_trap();
}

/* What was read can be written, and reads as the same again. */
static void check_tpm_key(const struct tpm_key_file *key)
{
    struct bytes der = {0};
    struct tpm_key_file *again = NULL;
    if (key->has_policy)
        return;
    hold(tss2_encode(key, &der) == CKR_OK);
    hold(tss2_decode(bytes_view(&der), &again, NULL) == CKR_OK);
    hold(view_equal(bytes_view(&key->private), bytes_view(&again->private)));
    hold(key->parent == again->parent && key->type == again->type);
    tss2_free(again);
    bytes_free(&der);
}

static void check_private_key(struct crypto_key *key)
{
    struct public_key public = {0}, other = {0};
    struct crypto_key *again = NULL;
    struct bytes der = {0};
    hold(crypto_key_public(key, &public) == CKR_OK);
    if (public.bits <= 2048 && crypto_key_to_pkcs8(key, &der) == CKR_OK) {
        hold(software_key_decode(SOFTWARE_KEY_PKCS8, bytes_view(&der), &again, NULL) == CKR_OK);
        hold(crypto_key_public(again, &other) == CKR_OK && public_key_equal(&public, &other));
    }
    crypto_key_free(again);
    public_key_clear(&public);
    public_key_clear(&other);
    bytes_free(&der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct view passwords[] = {{0}, view_string("1234")};
    for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
        struct decoded decoded = {0};
        struct reason reason = {0};
        CK_RV rv = crypto_decode(view_of(data, size), passwords[i], &decoded, &reason);
        if (rv != CKR_OK && rv != CKR_HOST_MEMORY && reason.text[0] == '\0')
            __builtin_trap();
        if (decoded.tpm_key)
            check_tpm_key(decoded.tpm_key);
        if (decoded.private_key)
            check_private_key(decoded.private_key);
        decoded_clear(&decoded);
    }
    return 0;
}
