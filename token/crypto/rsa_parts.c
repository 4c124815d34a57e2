#include "token/crypto/rsa_parts.h"

#include <openssl/rsa.h>

#define RSA_MIN_BITS 512
#define RSA_MAX_BITS 16384
#define RECOVERY_TRIES 32

OPENSSL_DROP(BN_CTX, BN_CTX_free)

void rsa_numbers_clear(struct rsa_numbers *numbers)
{
    BIGNUM *const all[] = {
        numbers->modulus, numbers->public_exponent, numbers->private_exponent, numbers->prime_1,
        numbers->prime_2, numbers->exponent_1,      numbers->exponent_2,       numbers->coefficient,
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        BN_clear_free(all[i]);
    *numbers = (struct rsa_numbers){0};
}

/* Everything here is secret: it lives in memory that is wiped, and is reckoned with
 * in constant time where OpenSSL can. */
static BIGNUM *new_number(void)
{
    BIGNUM *number = BN_secure_new();
    if (number)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

/* NULL stays for what is missing. */
static CK_RV read_number(const struct bytes *from, BIGNUM **ret_number)
{
    struct view view = bytes_view(from);
    while (view.size && view.data[0] == 0)
        view = view_of(view.data + 1, view.size - 1);
    if (view.size == 0)
        return CKR_OK;
    if (view.size > RSA_MAX_BITS / 8)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    BIGNUM *number = new_number();
    if (!number || !BN_bin2bn(view.data, (int)view.size, number)) {
        BN_clear_free(number);
        return CKR_HOST_MEMORY;
    }
    *ret_number = number;
    return CKR_OK;
}

static CK_RV read_numbers(const struct private_parts *parts, struct rsa_numbers *numbers)
{
    const struct {
        const struct bytes *from;
        BIGNUM **to;
    } all[] = {
        {&parts->modulus, &numbers->modulus},
        {&parts->public_exponent, &numbers->public_exponent},
        {&parts->private_exponent, &numbers->private_exponent},
        {&parts->prime_1, &numbers->prime_1},
        {&parts->prime_2, &numbers->prime_2},
        {&parts->exponent_1, &numbers->exponent_1},
        {&parts->exponent_2, &numbers->exponent_2},
        {&parts->coefficient, &numbers->coefficient},
    };
    CK_RV rv = CKR_OK;
    for (size_t i = 0; rv == CKR_OK && i < ARRAY_SIZE(all); i++)
        rv = read_number(all[i].from, all[i].to);
    if (rv != CKR_OK || numbers->public_exponent)
        return rv;
    numbers->public_exponent = new_number();
    return numbers->public_exponent && BN_set_word(numbers->public_exponent, RSA_F4)
               ? CKR_OK
               : CKR_HOST_MEMORY;
}

/* Takes over what was computed if it was missing, else compares it. */
static CK_RV settle(BIGNUM **number, BIGNUM *computed)
{
    if (!*number) {
        *number = computed;
        return CKR_OK;
    }
    const bool same = BN_cmp(*number, computed) == 0;
    BN_clear_free(computed);
    return same ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

static CK_RV settle_modulus(struct rsa_numbers *numbers, BN_CTX *context)
{
    BIGNUM *product = new_number();
    if (!product || !BN_mul(product, numbers->prime_1, numbers->prime_2, context)) {
        BN_clear_free(product);
        return CKR_HOST_MEMORY;
    }
    return settle(&numbers->modulus, product);
}

static CK_RV check_range(const struct rsa_numbers *numbers)
{
    const BIGNUM *modulus = numbers->modulus, *exponent = numbers->public_exponent;
    if (BN_num_bits(modulus) < RSA_MIN_BITS || BN_num_bits(modulus) > RSA_MAX_BITS ||
        !BN_is_odd(modulus))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (!BN_is_odd(exponent) || BN_is_one(exponent) || BN_cmp(exponent, modulus) >= 0)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (numbers->private_exponent && BN_cmp(numbers->private_exponent, modulus) >= 0)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return CKR_OK;
}

/* From a square root of 1 other than 1 and -1, by squaring g ^ odd. ret_root is 0
 * for a g that leads to none; CKR_ATTRIBUTE_VALUE_INVALID when it leads to no 1. */
static CK_RV find_root(const BIGNUM *modulus, const BIGNUM *g, const BIGNUM *odd, int twos,
                       BN_CTX *context, BIGNUM *ret_root)
{
    CLEANUP(BIGNUM_drop) BIGNUM *power = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *square = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *minus_one = BN_dup(modulus);
    if (!power || !square || !minus_one || !BN_sub_word(minus_one, 1) ||
        !BN_mod_exp_mont_consttime(power, g, odd, modulus, context, NULL))
        return CKR_HOST_MEMORY;
    BN_zero(ret_root);
    if (BN_is_one(power) || BN_cmp(power, minus_one) == 0)
        return CKR_OK;
    for (int i = 0; i < twos; i++) {
        if (!BN_mod_sqr(square, power, modulus, context))
            return CKR_HOST_MEMORY;
        if (BN_is_one(square))
            return BN_copy(ret_root, power) ? CKR_OK : CKR_HOST_MEMORY;
        if (BN_cmp(square, minus_one) == 0)
            return CKR_OK;
        BN_swap(power, square);
    }
    return CKR_ATTRIBUTE_VALUE_INVALID;
}

/* e d - 1 = odd 2 ^ twos */
static CK_RV split_exponents(const struct rsa_numbers *numbers, BN_CTX *context, BIGNUM *odd,
                             int *ret_twos)
{
    int twos = 0;
    if (!BN_mul(odd, numbers->public_exponent, numbers->private_exponent, context) ||
        !BN_sub_word(odd, 1))
        return CKR_HOST_MEMORY;
    if (BN_is_zero(odd) || BN_is_odd(odd))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    while (!BN_is_bit_set(odd, twos))
        twos++;
    if (!BN_rshift(odd, odd, twos))
        return CKR_HOST_MEMORY;
    *ret_twos = twos;
    return CKR_OK;
}

static CK_RV primes_of_root(struct rsa_numbers *numbers, BIGNUM *root, BN_CTX *context)
{
    CLEANUP(BIGNUM_drop) BIGNUM *one = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *rest = new_number();
    numbers->prime_1 = new_number();
    numbers->prime_2 = new_number();
    if (!one || !rest || !numbers->prime_1 || !numbers->prime_2 || !BN_sub_word(root, 1) ||
        !BN_gcd(numbers->prime_1, root, numbers->modulus, context) ||
        !BN_div(numbers->prime_2, rest, numbers->modulus, numbers->prime_1, context))
        return CKR_HOST_MEMORY;
    if (BN_cmp(numbers->prime_1, numbers->prime_2) < 0)
        BN_swap(numbers->prime_1, numbers->prime_2);
    return CKR_OK;
}

/* SP 800-56B, appendix C. Each try succeeds with a chance of at least a half. */
static CK_RV recover_primes(struct rsa_numbers *numbers, BN_CTX *context)
{
    CLEANUP(BIGNUM_drop) BIGNUM *odd = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *g = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *root = new_number();
    int twos = 0;
    if (!odd || !g || !root)
        return CKR_HOST_MEMORY;
    CK_RV rv = split_exponents(numbers, context, odd, &twos);
    for (int i = 0; rv == CKR_OK && i < RECOVERY_TRIES; i++) {
        if (!BN_priv_rand_range_ex(g, numbers->modulus, 0, context))
            return CKR_FUNCTION_FAILED;
        if (BN_is_zero(g) || BN_is_one(g))
            continue;
        rv = find_root(numbers->modulus, g, odd, twos, context, root);
        if (rv == CKR_OK && !BN_is_zero(root))
            return primes_of_root(numbers, root, context);
    }
    return rv == CKR_OK ? CKR_ATTRIBUTE_VALUE_INVALID : rv;
}

/* Fermat's test to the base 2 tells mistakes, not malice. */
static CK_RV check_prime(const BIGNUM *prime, const BIGNUM *less_one, BN_CTX *context)
{
    CLEANUP(BIGNUM_drop) BIGNUM *two = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *power = new_number();
    if (!two || !power || !BN_set_word(two, 2))
        return CKR_HOST_MEMORY;
    if (!BN_is_odd(prime) || BN_num_bits(prime) < 16)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (!BN_mod_exp_mont_consttime(power, two, less_one, prime, context, NULL))
        return CKR_HOST_MEMORY;
    return BN_is_one(power) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* The inverse of e modulo the least common multiple of p - 1 and q - 1. */
static CK_RV make_private_exponent(struct rsa_numbers *numbers, const BIGNUM *p1, const BIGNUM *q1,
                                   BN_CTX *context)
{
    CLEANUP(BIGNUM_drop) BIGNUM *product = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *divisor = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *multiple = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *inverse = new_number();
    if (!product || !divisor || !multiple || !inverse || !BN_mul(product, p1, q1, context) ||
        !BN_gcd(divisor, p1, q1, context) || !BN_div(multiple, NULL, product, divisor, context))
        return CKR_HOST_MEMORY;
    if (!BN_mod_inverse(inverse, numbers->public_exponent, multiple, context))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    numbers->private_exponent = inverse;
    inverse = NULL;
    return CKR_OK;
}

/* d modulo a prime less one, which must be the inverse of e there. */
static CK_RV settle_exponent(const struct rsa_numbers *numbers, const BIGNUM *less_one,
                             BN_CTX *context, BIGNUM **exponent)
{
    CLEANUP(BIGNUM_drop) BIGNUM *product = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *reduced = new_number();
    if (!product || !reduced ||
        !BN_div(NULL, reduced, numbers->private_exponent, less_one, context) ||
        !BN_mod_mul(product, reduced, numbers->public_exponent, less_one, context))
        return CKR_HOST_MEMORY;
    if (!BN_is_one(product))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    BIGNUM *computed = reduced;
    reduced = NULL;
    return settle(exponent, computed);
}

static CK_RV settle_coefficient(struct rsa_numbers *numbers, BN_CTX *context)
{
    BIGNUM *inverse = new_number();
    if (!inverse)
        return CKR_HOST_MEMORY;
    if (!BN_mod_inverse(inverse, numbers->prime_2, numbers->prime_1, context)) {
        BN_clear_free(inverse);
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    return settle(&numbers->coefficient, inverse);
}

static CK_RV settle_rest(struct rsa_numbers *numbers, BN_CTX *context)
{
    CLEANUP(BIGNUM_drop) BIGNUM *p1 = new_number();
    CLEANUP(BIGNUM_drop) BIGNUM *q1 = new_number();
    if (!p1 || !q1 || !BN_copy(p1, numbers->prime_1) || !BN_copy(q1, numbers->prime_2) ||
        !BN_sub_word(p1, 1) || !BN_sub_word(q1, 1))
        return CKR_HOST_MEMORY;
    CK_RV rv = check_prime(numbers->prime_1, p1, context);
    if (rv == CKR_OK)
        rv = check_prime(numbers->prime_2, q1, context);
    if (rv == CKR_OK && !numbers->private_exponent)
        rv = make_private_exponent(numbers, p1, q1, context);
    if (rv == CKR_OK)
        rv = settle_exponent(numbers, p1, context, &numbers->exponent_1);
    if (rv == CKR_OK)
        rv = settle_exponent(numbers, q1, context, &numbers->exponent_2);
    return rv == CKR_OK ? settle_coefficient(numbers, context) : rv;
}

static CK_RV complete(struct rsa_numbers *numbers, BN_CTX *context)
{
    CK_RV rv = CKR_OK;
    if (!numbers->prime_1 != !numbers->prime_2)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (numbers->prime_1) {
        rv = settle_modulus(numbers, context);
        return rv == CKR_OK ? check_range(numbers) : rv;
    }
    if (!numbers->modulus || !numbers->private_exponent)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    rv = check_range(numbers);
    return rv == CKR_OK ? recover_primes(numbers, context) : rv;
}

CK_RV rsa_numbers_make(const struct private_parts *parts, struct rsa_numbers *ret_numbers)
{
    CLEANUP(rsa_numbers_clear) struct rsa_numbers numbers = {0};
    CLEANUP(BN_CTX_drop) BN_CTX *context = BN_CTX_secure_new_ex(crypto_context());
    if (!context)
        return CKR_HOST_MEMORY;
    CK_RV rv = read_numbers(parts, &numbers);
    if (rv == CKR_OK)
        rv = complete(&numbers, context);
    if (rv == CKR_OK)
        rv = settle_rest(&numbers, context);
    if (rv != CKR_OK)
        return rv;
    *ret_numbers = numbers;
    numbers = (struct rsa_numbers){0};
    return CKR_OK;
}
