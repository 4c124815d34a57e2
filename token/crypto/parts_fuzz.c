/* Private and public keys whose parts an application gives: each field is a byte with
 * its length, eight times that for RSA, and as many bytes as are left of it. */
#include <stddef.h>
#include <stdint.h>

#include "token/crypto/private.h"
#include "token/crypto/public.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view take(struct view *in, size_t unit)
{
    if (in->size == 0)
        return (struct view){0};
    size_t size = in->data[0] * unit;
    *in = view_of(in->data + 1, in->size - 1);
    if (size > in->size)
        size = in->size;
    struct view field = view_of(in->data, size);
    *in = view_of(in->data + size, in->size - size);
    return field;
}

static void hold(bool condition)
{
    if (!condition)
        __builtin_trap();
}

/* What is a key at all is one again after any way through its parts. */
static void check_key(struct crypto_key *key)
{
    struct private_parts parts = {0};
    struct crypto_key *again = NULL;
    struct public_key one = {0}, other = {0};
    struct bytes der = {0};
    hold(crypto_key_to_parts(key, &parts) == CKR_OK);
    hold(crypto_key_from_parts(&parts, &again) == CKR_OK);
    hold(crypto_key_to_pkcs8(again, &der) == CKR_OK);
    hold(crypto_key_public(key, &one) == CKR_OK && crypto_key_public(again, &other) == CKR_OK);
    hold(public_key_equal(&one, &other));
    public_key_clear(&one);
    public_key_clear(&other);
    private_parts_clear(&parts);
    crypto_key_free(again);
    bytes_free(&der);
}

static void check_private(enum key_algorithm algorithm, struct view in)
{
    struct private_parts parts = {.algorithm = algorithm};
    struct bytes *const rsa[] = {
        &parts.modulus, &parts.public_exponent, &parts.private_exponent, &parts.prime_1,
        &parts.prime_2, &parts.exponent_1,      &parts.exponent_2,       &parts.coefficient,
    };
    struct bytes *const curve[] = {&parts.curve, &parts.point, &parts.value};
    const bool is_rsa = algorithm == KEY_ALGORITHM_RSA;
    struct crypto_key *key = NULL;
    for (size_t i = 0; i < (is_rsa ? ARRAY_SIZE(rsa) : ARRAY_SIZE(curve)); i++)
        hold(bytes_copy(is_rsa ? rsa[i] : curve[i], take(&in, is_rsa ? 8 : 1)) == CKR_OK);
    if (parts.modulus.size <= 256 && parts.prime_1.size <= 128 &&
        crypto_key_from_parts(&parts, &key) == CKR_OK)
        check_key(key);
    crypto_key_free(key);
    private_parts_clear(&parts);
}

static void check_public(enum key_algorithm algorithm, struct view in)
{
    struct public_key key = {.algorithm = algorithm}, again = {0};
    const bool is_rsa = algorithm == KEY_ALGORITHM_RSA;
    hold(bytes_copy(is_rsa ? &key.modulus : &key.curve, take(&in, is_rsa ? 8 : 1)) == CKR_OK);
    hold(bytes_copy(is_rsa ? &key.exponent : &key.point, take(&in, 1)) == CKR_OK);
    if (crypto_public_complete(&key) == CKR_OK) {
        hold(crypto_public_decode(bytes_view(&key.spki), &again) == CKR_OK);
        hold(public_key_equal(&key, &again) && key.bits == again.bits);
    }
    public_key_clear(&key);
    public_key_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const enum key_algorithm algorithm = (enum key_algorithm)(data[0] % (KEY_ALGORITHM_AES + 1));
    const struct view rest = view_of(data + 1, size - 1);
    check_private(algorithm, rest);
    check_public(algorithm, rest);
    return 0;
}
