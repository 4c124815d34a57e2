#include "token/crypto/curve.h"
#include "token/crypto/pem.h"
#include "token/crypto/test_support.h"

static const char *const curve_names[] = {
    "prime256v1",
    "secp384r1",
    "secp521r1",
    "secp224r1",
    "prime192v1",
    "secp256k1",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "ED25519",
    "ED448",
    "X25519",
    "X448",
};

static struct crypto_key *generate(enum key_algorithm algorithm, unsigned bits, struct view curve)
{
    struct key_spec spec = {.algorithm = algorithm, .bits = bits};
    struct crypto_key *key = NULL;
    assert_int_equal(bytes_copy(&spec.curve, curve), CKR_OK);
    assert_int_equal(crypto_key_generate(&spec, &key), CKR_OK);
    key_spec_clear(&spec);
    return key;
}

static struct crypto_key *generate_named(const char *name)
{
    const struct curve *curve = curve_by_name(name);
    assert_non_null(curve);
    return generate(curve->algorithm, 0, curve_oid(curve));
}

static struct private_parts parts_of(const struct crypto_key *key)
{
    struct private_parts parts = {0};
    assert_int_equal(crypto_key_to_parts(key, &parts), CKR_OK);
    return parts;
}

static struct public_key public_of(const struct crypto_key *key)
{
    struct public_key public = {0};
    assert_int_equal(crypto_key_public(key, &public), CKR_OK);
    return public;
}

static void assert_same_key(const struct crypto_key *a, const struct crypto_key *b)
{
    struct public_key one = public_of(a), other = public_of(b);
    assert_true(public_key_equal(&one, &other));
    assert_view_equal(bytes_view(&one.spki), bytes_view(&other.spki));
    public_key_clear(&one);
    public_key_clear(&other);
}

/* What a private key of this kind is for works, and fits the public half. */
static void assert_works(struct crypto_key *key)
{
    struct public_key public = public_of(key);
    struct bytes out = {0};
    uint8_t digest[32] = {1, 2, 3};
    const struct view input = view_of(digest, sizeof(digest));
    struct scheme scheme = {.kind = SCHEME_ECDSA};
    if (public.algorithm == KEY_ALGORITHM_RSA)
        scheme.kind = SCHEME_RSA_PKCS1;
    if (public.algorithm == KEY_ALGORITHM_EDWARDS)
        scheme.kind = SCHEME_EDDSA;
    if (public.algorithm == KEY_ALGORITHM_MONTGOMERY) {
        assert_int_equal(crypto_key_derive(key, bytes_view(&public.point), &out), CKR_OK);
        assert_int_equal(out.size, public.point.size);
    } else {
        assert_int_equal(crypto_key_sign(key, &scheme, input, &out), CKR_OK);
        assert_int_equal(out.size, public_key_block_size(&public));
        assert_int_equal(crypto_verify(&public, &scheme, input, bytes_view(&out)), CKR_OK);
        out.data[out.size / 2] ^= 1;
        assert_int_equal(crypto_verify(&public, &scheme, input, bytes_view(&out)),
                         CKR_SIGNATURE_INVALID);
    }
    bytes_free(&out);
    public_key_clear(&public);
}

static void a_key_of_every_curve_is_generated_and_comes_back_from_its_parts(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(curve_names); i++) {
        const struct curve *curve = curve_by_name(curve_names[i]);
        struct crypto_key *key = generate_named(curve_names[i]), *again = NULL;
        struct private_parts parts = parts_of(key);
        assert_int_equal(parts.algorithm, curve->algorithm);
        assert_int_equal(parts.value.size, curve_private_size(curve));
        assert_int_equal(parts.point.size, curve_point_size(curve));
        assert_view_equal(bytes_view(&parts.curve), curve_oid(curve));
        assert_int_equal(crypto_key_from_parts(&parts, &again), CKR_OK);
        assert_same_key(key, again);
        assert_works(key);
        assert_works(again);
        crypto_key_free(again);

        bytes_free(&parts.point);
        assert_int_equal(crypto_key_from_parts(&parts, &again), CKR_OK);
        assert_same_key(key, again);
        crypto_key_free(again);
        crypto_key_free(key);
        private_parts_clear(&parts);
    }
}

/* As PKCS #8, both ways, with openssl in between. */
static void openssl_reads_every_key_that_is_written(UNUSED void **state)
{
    for (size_t i = 0; i <= ARRAY_SIZE(curve_names); i++) {
        struct crypto_key *key = i < ARRAY_SIZE(curve_names)
                                     ? generate_named(curve_names[i])
                                     : generate(KEY_ALGORITHM_RSA, 1024, (struct view){0});
        struct bytes der;
        memset(&der, POISON, sizeof(der));
        assert_int_equal(crypto_key_to_pkcs8(key, &der), CKR_OK);
        write_file("key.der", bytes_view(&der));
        run("openssl pkey -inform DER -in key.der -out key.pem && "
            "openssl pkey -in key.pem -pubout -outform DER -out key.spki && "
            "openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out again.der");
        struct crypto_key *again = load_key("key.pem");
        struct bytes spki = read_file("key.spki"), other = read_file("again.der");
        struct public_key public = public_of(key);
        assert_view_equal(bytes_view(&public.spki), bytes_view(&spki));
        assert_view_equal(bytes_view(&der), bytes_view(&other));
        assert_same_key(key, again);
        public_key_clear(&public);
        crypto_key_free(again);
        crypto_key_free(key);
        bytes_free(&spki);
        bytes_free(&other);
        bytes_free(&der);
    }
}

static void a_key_that_openssl_wrote_is_written_as_it_was(UNUSED void **state)
{
    static const char *const options[] = {
        "RSA -pkeyopt rsa_keygen_bits:1024",
        "EC -pkeyopt group:P-256",
        "EC -pkeyopt group:secp521r1",
        "EC -pkeyopt group:brainpoolP384r1",
        "ED25519",
        "X448",
    };
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        char command[256];
        snprintf(command, sizeof(command), "openssl genpkey -out key.pem -algorithm %s",
                 options[i]);
        run(command);
        struct bytes pem = read_file("key.pem"), der = {0}, again = {0};
        struct crypto_key *key = load_key("key.pem");
        assert_int_equal(crypto_key_to_pkcs8(key, &der), CKR_OK);
        assert_int_equal(pem_write(&again, "PRIVATE KEY", bytes_view(&der)), CKR_OK);
        assert_view_equal(bytes_view(&again), bytes_view(&pem));
        crypto_key_free(key);
        bytes_free(&pem);
        bytes_free(&der);
        bytes_free(&again);
    }
}

static struct private_parts rsa_parts;

static int make_rsa(void **state)
{
    struct crypto_key *key = generate(KEY_ALGORITHM_RSA, 1024, (struct view){0});
    rsa_parts = parts_of(key);
    crypto_key_free(key);
    return enter_directory(state);
}

static int drop_rsa(void **state)
{
    private_parts_clear(&rsa_parts);
    return leave_directory(state);
}

enum { N = 1, E = 2, D = 4, P = 8, Q = 16, DP = 32, DQ = 64, QI = 128 };

static struct bytes *number_of(struct private_parts *parts, unsigned which)
{
    struct bytes *const all[] = {
        &parts->modulus, &parts->public_exponent, &parts->private_exponent, &parts->prime_1,
        &parts->prime_2, &parts->exponent_1,      &parts->exponent_2,       &parts->coefficient,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        if (which == 1u << i)
            return all[i];
    fail();
    return NULL;
}

static struct private_parts some_of_rsa(unsigned which)
{
    struct private_parts some = {.algorithm = KEY_ALGORITHM_RSA};
    for (unsigned bit = N; bit <= QI; bit <<= 1)
        if (which & bit)
            assert_int_equal(
                bytes_copy(number_of(&some, bit), bytes_view(number_of(&rsa_parts, bit))), CKR_OK);
    return some;
}

static void an_rsa_key_comes_back_from_any_numbers_that_define_it(UNUSED void **state)
{
    static const unsigned enough[] = {255,   N | E | D, N | D,        P | Q | E,
                                      P | Q, P | Q | D, N | E | P | Q};
    for (size_t i = 0; i < ARRAY_SIZE(enough); i++) {
        struct private_parts some = some_of_rsa(enough[i]);
        struct crypto_key *key = NULL;
        assert_int_equal(crypto_key_from_parts(&some, &key), CKR_OK);
        assert_works(key);
        struct private_parts all = parts_of(key);
        assert_view_equal(bytes_view(&all.modulus), bytes_view(&rsa_parts.modulus));
        assert_view_equal(bytes_view(&all.public_exponent), bytes_view(&rsa_parts.public_exponent));
        for (unsigned bit = D; bit <= QI; bit <<= 1)
            assert_int_not_equal(number_of(&all, bit)->size, 0);
        private_parts_clear(&all);
        private_parts_clear(&some);
        crypto_key_free(key);
    }
}

static void too_few_rsa_numbers_are_refused(UNUSED void **state)
{
    static const unsigned few[] = {0, N, N | E, D | E, P | E, Q | E | N, P | N | E | D, E};
    for (size_t i = 0; i < ARRAY_SIZE(few); i++) {
        struct private_parts some = some_of_rsa(few[i]);
        struct crypto_key *key = NULL;
        assert_int_equal(crypto_key_from_parts(&some, &key), CKR_ATTRIBUTE_VALUE_INVALID);
        assert_null(key);
        private_parts_clear(&some);
    }
}

/* Every number changed in its last, its middle and its first byte. */
static void rsa_numbers_that_do_not_fit_are_refused(UNUSED void **state)
{
    static const unsigned sets[] = {255, N | E | D, N | E | D | P | Q};
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        for (unsigned bit = N; bit <= QI; bit <<= 1)
            for (int at = 0; at < 3 && sets[i] & bit; at++) {
                struct private_parts some = some_of_rsa(sets[i]);
                struct bytes *number = number_of(&some, bit);
                struct crypto_key *key = NULL;
                size_t place = at == 0 ? 0 : at == 1 ? number->size / 2 : number->size - 1;
                number->data[place] ^= at == 2 ? 2 : 1;
                assert_int_equal(crypto_key_from_parts(&some, &key), CKR_ATTRIBUTE_VALUE_INVALID);
                assert_null(key);
                private_parts_clear(&some);
            }
}

static void rsa_numbers_of_no_key_are_refused(UNUSED void **state)
{
    struct private_parts some = some_of_rsa(P | E);
    struct crypto_key *key = NULL;
    assert_int_equal(bytes_copy(&some.prime_2, bytes_view(&some.prime_1)), CKR_OK);
    assert_int_equal(crypto_key_from_parts(&some, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    private_parts_clear(&some);

    some = some_of_rsa(P | Q); /* the exponents one and two */
    for (uint8_t e = 1; e <= 2; e++) {
        assert_int_equal(bytes_copy(&some.public_exponent, view_of(&e, 1)), CKR_OK);
        assert_int_equal(crypto_key_from_parts(&some, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    }
    private_parts_clear(&some);

    some = some_of_rsa(N | E | D); /* too large to be reckoned with at all */
    assert_int_equal(bytes_alloc(&some.private_exponent, 16384 / 8 + 1), CKR_OK);
    memset(some.private_exponent.data, 0xff, some.private_exponent.size);
    assert_int_equal(crypto_key_from_parts(&some, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    private_parts_clear(&some);

    some = some_of_rsa(E); /* a product in a prime's place */
    some.prime_2 = from_hex("7fffffffffffffffffffffffffffffff");
    assert_int_equal(bytes_copy(&some.prime_1, bytes_view(&rsa_parts.modulus)), CKR_OK);
    assert_int_equal(crypto_key_from_parts(&some, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    private_parts_clear(&some);

    some = some_of_rsa(E); /* primes, but too small */
    some.prime_1 = from_hex("7fffffffffffffffffffffffffffffff");
    some.prime_2 = from_hex("01ffffffffffffffffffffff");
    assert_int_equal(crypto_key_from_parts(&some, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    private_parts_clear(&some);
    assert_null(key);
}

/* Both primes less one are divisible by 16 (they are the orders of two curves), which
 * leaves many ways that lead to no root. */
static void primes_are_recovered_however_long_it_takes(UNUSED void **state)
{
    struct private_parts parts = {
        .algorithm = KEY_ALGORITHM_RSA,
        .prime_1 = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        .prime_2 = from_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")};
    struct crypto_key *key = NULL;
    assert_int_equal(crypto_key_from_parts(&parts, &key), CKR_OK);
    private_parts_clear(&parts);
    parts = parts_of(key);
    for (unsigned bit = P; bit <= QI; bit <<= 1)
        bytes_free(number_of(&parts, bit));
    for (int i = 0; i < 64; i++) {
        crypto_key_free(key);
        assert_int_equal(crypto_key_from_parts(&parts, &key), CKR_OK);
    }
    crypto_key_free(key);
    private_parts_clear(&parts);
}

static void leading_zeros_of_parts_do_not_matter(UNUSED void **state)
{
    struct private_parts some = some_of_rsa(255);
    struct crypto_key *key = NULL;
    for (unsigned bit = N; bit <= QI; bit <<= 1) {
        struct bytes *number = number_of(&some, bit), wider = {0};
        assert_int_equal(bytes_alloc(&wider, number->size + 3), CKR_OK);
        memcpy(wider.data + 3, number->data, number->size);
        bytes_free(number);
        *number = wider;
    }
    assert_int_equal(crypto_key_from_parts(&some, &key), CKR_OK);
    struct private_parts all = parts_of(key);
    for (unsigned bit = N; bit <= QI; bit <<= 1)
        assert_view_equal(bytes_view(number_of(&all, bit)), bytes_view(number_of(&rsa_parts, bit)));
    private_parts_clear(&all);
    private_parts_clear(&some);
    crypto_key_free(key);
}

static void a_file_without_crt_numbers_gives_all_eight(UNUSED void **state)
{
    struct crypto_key *key = NULL;
    struct private_parts some = some_of_rsa(N | E | D);
    assert_int_equal(crypto_key_from_parts(&some, &key), CKR_OK);
    struct private_parts all = parts_of(key);
    const bool same = view_equal(bytes_view(&all.prime_1), bytes_view(&rsa_parts.prime_1));
    assert_view_equal(bytes_view(same ? &all.prime_2 : &all.prime_1),
                      bytes_view(&rsa_parts.prime_2));
    private_parts_clear(&all);
    private_parts_clear(&some);
    crypto_key_free(key);
}

/* 0, the order, and one more than it. */
static void ec_numbers_out_of_range_are_refused(UNUSED void **state)
{
    static const char *const orders[] = {
        "00", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552",
        "01ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552", ""};
    const struct curve *p256 = curve_by_name("P-256");
    struct crypto_key *key = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct private_parts parts = {.algorithm = KEY_ALGORITHM_EC, .value = from_hex(orders[i])};
        assert_int_equal(bytes_copy(&parts.curve, curve_oid(p256)), CKR_OK);
        assert_int_equal(crypto_key_from_parts(&parts, &key), CKR_ATTRIBUTE_VALUE_INVALID);
        private_parts_clear(&parts);
    }
    assert_null(key);
    struct private_parts largest = {
        .algorithm = KEY_ALGORITHM_EC,
        .value = from_hex("00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550")};
    assert_int_equal(bytes_copy(&largest.curve, curve_oid(p256)), CKR_OK);
    assert_int_equal(crypto_key_from_parts(&largest, &key), CKR_OK);
    struct private_parts back = parts_of(key);
    assert_int_equal(back.value.size, 32);
    private_parts_clear(&back);
    crypto_key_free(key);

    struct private_parts one = {.algorithm = KEY_ALGORITHM_EC, .value = from_hex("01")};
    assert_int_equal(bytes_copy(&one.curve, curve_oid(p256)), CKR_OK);
    assert_int_equal(crypto_key_from_parts(&one, &key), CKR_OK);
    back = parts_of(key);
    assert_hex_equal(bytes_view(&back.value),
                     "0000000000000000000000000000000000000000000000000000000000000001");
    assert_hex_equal(bytes_view(&back.point), /* the generator */
                     "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                     "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
    private_parts_clear(&back);
    private_parts_clear(&largest);
    private_parts_clear(&one);
    crypto_key_free(key);
}

static void a_point_of_another_key_is_refused(UNUSED void **state)
{
    static const char *const names[] = {"prime256v1", "ED25519", "X448"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct crypto_key *key = generate_named(names[i]), *other = generate_named(names[i]);
        struct private_parts parts = parts_of(key), others = parts_of(other);
        struct crypto_key *none = NULL;
        assert_int_equal(bytes_copy(&parts.point, bytes_view(&others.point)), CKR_OK);
        assert_int_equal(crypto_key_from_parts(&parts, &none), CKR_ATTRIBUTE_VALUE_INVALID);
        parts.point.size--;
        assert_int_equal(crypto_key_from_parts(&parts, &none), CKR_ATTRIBUTE_VALUE_INVALID);
        assert_null(none);
        parts.point.size++;
        private_parts_clear(&parts);
        private_parts_clear(&others);
        crypto_key_free(key);
        crypto_key_free(other);
    }
}

static void unknown_curves_and_sizes_are_refused(UNUSED void **state)
{
    static const uint8_t unknown[] = {0x06, 0x03, 0x2b, 0x65, 0x72};
    struct private_parts parts = {.algorithm = KEY_ALGORITHM_EC, .value = from_hex("01")};
    struct key_spec spec = {.algorithm = KEY_ALGORITHM_EC};
    struct crypto_key *key = NULL;
    assert_int_equal(bytes_copy(&parts.curve, view_of(unknown, sizeof(unknown))), CKR_OK);
    assert_int_equal(bytes_copy(&spec.curve, view_of(unknown, sizeof(unknown))), CKR_OK);
    assert_int_equal(crypto_key_from_parts(&parts, &key), CKR_CURVE_NOT_SUPPORTED);
    assert_int_equal(crypto_key_generate(&spec, &key), CKR_CURVE_NOT_SUPPORTED);
    spec.algorithm = KEY_ALGORITHM_EDWARDS; /* an EC curve is no Edwards curve */
    assert_int_equal(bytes_copy(&spec.curve, curve_oid(curve_by_name("P-256"))), CKR_OK);
    assert_int_equal(crypto_key_generate(&spec, &key), CKR_CURVE_NOT_SUPPORTED);
    spec.algorithm = KEY_ALGORITHM_AES;
    assert_int_equal(crypto_key_generate(&spec, &key), CKR_CURVE_NOT_SUPPORTED);
    key_spec_clear(&spec);

    static const unsigned sizes[] = {0, 511, 16385, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct key_spec rsa = {.algorithm = KEY_ALGORITHM_RSA, .bits = sizes[i]};
        assert_int_equal(crypto_key_generate(&rsa, &key), CKR_KEY_SIZE_RANGE);
    }
    assert_null(key);

    parts.algorithm = KEY_ALGORITHM_EDWARDS;
    assert_int_equal(bytes_copy(&parts.curve, curve_oid(curve_by_name("ED25519"))), CKR_OK);
    assert_int_equal(crypto_key_from_parts(&parts, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    private_parts_clear(&parts);
}

static void the_exponent_of_a_new_key_is_the_wanted_one(UNUSED void **state)
{
    static const struct {
        const char *exponent, *expected;
    } cases[] = {{"", "010001"}, {"000003", "03"}, {"010001", "010001"},
                 {"00", NULL},   {"01", NULL},     {"04", NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct key_spec spec = {
            .algorithm = KEY_ALGORITHM_RSA, .bits = 1024, .exponent = from_hex(cases[i].exponent)};
        struct crypto_key *key = NULL;
        assert_int_equal(crypto_key_generate(&spec, &key),
                         cases[i].expected ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        if (key) {
            struct public_key public = public_of(key);
            assert_hex_equal(bytes_view(&public.exponent), cases[i].expected);
            assert_int_equal(public.bits, 1024);
            public_key_clear(&public);
            assert_works(key);
        }
        crypto_key_free(key);
        key_spec_clear(&spec);
    }
}

static void curves_are_known_by_their_other_names(UNUSED void **state)
{
    static const struct {
        enum key_algorithm algorithm;
        const char *parameters, *oid;
    } cases[] = {
        {KEY_ALGORITHM_EDWARDS, "130c656477617264733235353139", "06032b6570"},
        {KEY_ALGORITHM_EDWARDS, "06092b06010401da470f01", "06032b6570"},
        {KEY_ALGORITHM_EDWARDS, "130a65647761726473343438", "06032b6571"},
        {KEY_ALGORITHM_MONTGOMERY, "130a63757276653235353139", "06032b656e"},
        {KEY_ALGORITHM_MONTGOMERY, "060a2b060104019755010501", "06032b656e"},
        {KEY_ALGORITHM_MONTGOMERY, "13086375727665343438", "06032b656f"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct key_spec spec = {.algorithm = cases[i].algorithm,
                                .curve = from_hex(cases[i].parameters)};
        struct crypto_key *key = NULL;
        assert_int_equal(crypto_key_generate(&spec, &key), CKR_OK);
        struct public_key public = public_of(key);
        assert_hex_equal(bytes_view(&public.curve), cases[i].oid);
        public_key_clear(&public);
        crypto_key_free(key);
        spec.algorithm = KEY_ALGORITHM_EC;
        assert_int_equal(crypto_key_generate(&spec, &key), CKR_CURVE_NOT_SUPPORTED);
        key_spec_clear(&spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_every_curve_is_generated_and_comes_back_from_its_parts),
        cmocka_unit_test(openssl_reads_every_key_that_is_written),
        cmocka_unit_test(a_key_that_openssl_wrote_is_written_as_it_was),
        cmocka_unit_test(an_rsa_key_comes_back_from_any_numbers_that_define_it),
        cmocka_unit_test(too_few_rsa_numbers_are_refused),
        cmocka_unit_test(rsa_numbers_that_do_not_fit_are_refused),
        cmocka_unit_test(rsa_numbers_of_no_key_are_refused),
        cmocka_unit_test(primes_are_recovered_however_long_it_takes),
        cmocka_unit_test(leading_zeros_of_parts_do_not_matter),
        cmocka_unit_test(a_file_without_crt_numbers_gives_all_eight),
        cmocka_unit_test(ec_numbers_out_of_range_are_refused),
        cmocka_unit_test(a_point_of_another_key_is_refused),
        cmocka_unit_test(unknown_curves_and_sizes_are_refused),
        cmocka_unit_test(the_exponent_of_a_new_key_is_the_wanted_one),
        cmocka_unit_test(curves_are_known_by_their_other_names),
    };
    return cmocka_run_group_tests(tests, make_rsa, drop_rsa);
}
