#include "token/crypto/test_support.h"

static const char *const curves[] = {"P-256", "P-384", "P-521", "P-224", "secp256k1"};
static struct crypto_key *rsa, *ec[ARRAY_SIZE(curves)];
static struct public_key rsa_public, ec_public[ARRAY_SIZE(curves)];

static int make_keys(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    rsa = load_key("rsa.key");
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
        char command[128];
        snprintf(command, sizeof(command),
                 "openssl genpkey -algorithm EC -pkeyopt group:%s -out ec.key", curves[i]);
        run(command);
        ec[i] = load_key("ec.key");
        if (crypto_key_public(ec[i], &ec_public[i]) != CKR_OK)
            return -1;
    }
    return crypto_key_public(rsa, &rsa_public) == CKR_OK ? 0 : -1;
}

static int drop_keys(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
        crypto_key_free(ec[i]);
        public_key_clear(&ec_public[i]);
    }
    crypto_key_free(rsa);
    public_key_clear(&rsa_public);
    return leave_directory(state);
}

static void pkcs1_signatures_over_any_short_input_verify(UNUSED void **state)
{
    static const struct scheme scheme = {.kind = SCHEME_RSA_PKCS1};
    static const uint8_t input[246] = {0x30, 0, 1, 2};
    const size_t sizes[] = {0, 1, 20, 51, 245};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct bytes signature = {0};
        struct view data = view_of(input, sizes[i]);
        assert_int_equal(crypto_key_sign(rsa, &scheme, data, &signature), CKR_OK);
        assert_int_equal(crypto_verify(&rsa_public, &scheme, data, bytes_view(&signature)), CKR_OK);
        assert_int_equal(crypto_verify(&rsa_public, &scheme, view_of(input, sizes[i] ^ 1),
                                       bytes_view(&signature)),
                         CKR_SIGNATURE_INVALID);
        bytes_free(&signature);
    }
    assert_int_equal(crypto_verify(&rsa_public, &scheme, view_of(input, 246), view_of(input, 246)),
                     CKR_DATA_LEN_RANGE);
}

static void a_pkcs1_signature_of_openssl_verifies(UNUSED void **state)
{
    static const struct scheme scheme = {.kind = SCHEME_RSA_PKCS1};
    struct bytes info = {0};
    uint8_t digest[HASH_MAX_SIZE];
    run("printf message >message; openssl dgst -sha384 -sign rsa.key -out signature message");
    struct bytes signature = read_file("signature");
    assert_int_equal(crypto_hash(HASH_SHA384, view_string("message"), digest), CKR_OK);
    assert_int_equal(crypto_digest_info(HASH_SHA384, view_of(digest, 48), &info), CKR_OK);
    assert_int_equal(crypto_verify(&rsa_public, &scheme, bytes_view(&info), bytes_view(&signature)),
                     CKR_OK);
    bytes_free(&info);
    bytes_free(&signature);
}

static void every_changed_bit_of_a_signature_is_noticed(UNUSED void **state)
{
    const struct scheme schemes[] = {{.kind = SCHEME_RSA_PKCS1},
                                     {.kind = SCHEME_RSA_RAW},
                                     {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, 32, {0}},
                                     {.kind = SCHEME_ECDSA}};
    uint8_t digest[32] = {9, 9, 9};
    struct view input = view_of(digest, sizeof(digest));
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        bool is_ec = schemes[i].kind == SCHEME_ECDSA;
        const struct public_key *key = is_ec ? &ec_public[0] : &rsa_public;
        struct bytes signature = {0};
        assert_int_equal(crypto_key_sign(is_ec ? ec[0] : rsa, &schemes[i], input, &signature),
                         CKR_OK);
        assert_int_equal(crypto_verify(key, &schemes[i], input, bytes_view(&signature)), CKR_OK);
        for (size_t bit = 0; bit < 8 * signature.size; bit += 13) {
            signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(crypto_verify(key, &schemes[i], input, bytes_view(&signature)),
                             CKR_SIGNATURE_INVALID);
            signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        bytes_free(&signature);
    }
}

static void signatures_of_the_wrong_length_are_told_apart(UNUSED void **state)
{
    const struct scheme pkcs1 = {.kind = SCHEME_RSA_PKCS1}, ecdsa = {.kind = SCHEME_ECDSA};
    static const uint8_t zeros[300];
    struct view input = view_of(zeros, 32);
    const size_t rsa_sizes[] = {0, 1, 255, 257}, ec_sizes[] = {0, 1, 63, 65, 72};
    for (size_t i = 0; i < ARRAY_SIZE(rsa_sizes); i++)
        assert_int_equal(crypto_verify(&rsa_public, &pkcs1, input, view_of(zeros, rsa_sizes[i])),
                         CKR_SIGNATURE_LEN_RANGE);
    for (size_t i = 0; i < ARRAY_SIZE(ec_sizes); i++)
        assert_int_equal(crypto_verify(&ec_public[0], &ecdsa, input, view_of(zeros, ec_sizes[i])),
                         CKR_SIGNATURE_LEN_RANGE);
    assert_int_equal(crypto_verify(&rsa_public, &pkcs1, input, view_of(zeros, 256)),
                     CKR_SIGNATURE_INVALID);
    assert_int_equal(crypto_verify(&ec_public[0], &ecdsa, input, view_of(zeros, 64)),
                     CKR_SIGNATURE_INVALID);
    assert_int_equal(crypto_verify(&rsa_public, &pkcs1, input, bytes_view(&rsa_public.modulus)),
                     CKR_SIGNATURE_INVALID);
}

static void ecdsa_verifies_on_each_curve_and_truncates_long_digests(UNUSED void **state)
{
    static const struct scheme scheme = {.kind = SCHEME_ECDSA};
    uint8_t digest[HASH_MAX_SIZE] = {0xff, 1, 2, 3};
    const size_t sizes[] = {1, 20, 32, 64};
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
            struct bytes signature = {0};
            struct view input = view_of(digest, sizes[j]);
            assert_int_equal(crypto_key_sign(ec[i], &scheme, input, &signature), CKR_OK);
            assert_int_equal(signature.size, public_key_block_size(&ec_public[i]));
            assert_int_equal(crypto_verify(&ec_public[i], &scheme, input, bytes_view(&signature)),
                             CKR_OK);
            /* Only the bits up to the order's size count. */
            digest[sizes[j] - 1] ^= 1;
            bool counts = sizes[j] * 8 <= ec_public[i].bits;
            assert_int_equal(crypto_verify(&ec_public[i], &scheme, input, bytes_view(&signature)),
                             counts ? CKR_SIGNATURE_INVALID : CKR_OK);
            digest[sizes[j] - 1] ^= 1;
            bytes_free(&signature);
        }
}

static void keys_and_schemes_that_do_not_belong_together_are_refused(UNUSED void **state)
{
    const struct scheme pkcs1 = {.kind = SCHEME_RSA_PKCS1}, ecdsa = {.kind = SCHEME_ECDSA},
                        oaep = {SCHEME_RSA_OAEP, HASH_SHA1, HASH_SHA1, 0, {0}};
    static const uint8_t zeros[256];
    struct view input = view_of(zeros, 20), signature = view_of(zeros, 256);
    struct bytes out;
    memset(&out, POISON, sizeof(out));
    assert_int_equal(crypto_verify(&ec_public[0], &pkcs1, input, signature),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_verify(&rsa_public, &ecdsa, input, signature),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_verify(&rsa_public, &oaep, input, signature), CKR_MECHANISM_INVALID);
    assert_int_equal(crypto_encrypt(&ec_public[0], &oaep, input, &out), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_encrypt(&rsa_public, &ecdsa, input, &out), CKR_MECHANISM_INVALID);
    assert_true(all_poison(&out, sizeof(out)));
}

static void what_is_encrypted_decrypts_to_the_same(UNUSED void **state)
{
    const struct scheme schemes[] = {
        {.kind = SCHEME_RSA_PKCS1},
        {.kind = SCHEME_RSA_RAW},
        {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA1, 0, view_string("label")}};
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        struct bytes cipher = {0}, plain = {0};
        assert_int_equal(crypto_encrypt(&rsa_public, &schemes[i], view_string("secret"), &cipher),
                         CKR_OK);
        assert_int_equal(cipher.size, 256);
        assert_int_equal(crypto_key_decrypt(rsa, &schemes[i], bytes_view(&cipher), &plain), CKR_OK);
        size_t zeros = schemes[i].kind == SCHEME_RSA_RAW ? 250 : 0;
        assert_int_equal(plain.size, zeros + 6);
        assert_memory_equal(plain.data + zeros, "secret", 6);
        bytes_free(&cipher);
        bytes_free(&plain);
    }
}

static void plaintexts_that_do_not_fit_are_refused(UNUSED void **state)
{
    const struct scheme pkcs1 = {.kind = SCHEME_RSA_PKCS1}, raw = {.kind = SCHEME_RSA_RAW};
    uint8_t data[257];
    struct bytes out;
    memset(data, 0xff, sizeof(data));
    memset(&out, POISON, sizeof(out));
    assert_int_equal(crypto_encrypt(&rsa_public, &pkcs1, view_of(data, 246), &out),
                     CKR_DATA_LEN_RANGE);
    assert_int_equal(crypto_encrypt(&rsa_public, &raw, view_of(data, 257), &out),
                     CKR_DATA_LEN_RANGE);
    assert_int_equal(crypto_encrypt(&rsa_public, &raw, view_of(data, 256), &out), CKR_DATA_INVALID);
    assert_true(all_poison(&out, sizeof(out)));
}

static void points_are_understood_in_every_encoding(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
        const struct public_key *key = &ec_public[i];
        size_t size = key->point.size, half = (size - 1) / 2;
        uint8_t encoded[160], wrapped[160];
        struct bytes point;
        memset(&point, POISON, sizeof(point));
        assert_int_equal(crypto_point_decode(key, bytes_view(&key->point), &point), CKR_OK);
        assert_view_equal(bytes_view(&point), bytes_view(&key->point));
        bytes_free(&point);
        encoded[0] = 2 + (key->point.data[size - 1] & 1);
        memcpy(encoded + 1, key->point.data + 1, half);
        assert_int_equal(crypto_point_decode(key, view_of(encoded, 1 + half), &point), CKR_OK);
        assert_view_equal(bytes_view(&point), bytes_view(&key->point));
        bytes_free(&point);
        wrapped[0] = 4;
        wrapped[1] = (uint8_t)(1 + half);
        memcpy(wrapped + 2, encoded, 1 + half);
        assert_int_equal(crypto_point_decode(key, view_of(wrapped, 3 + half), &point), CKR_OK);
        assert_view_equal(bytes_view(&point), bytes_view(&key->point));
        bytes_free(&point);
        size_t header = size < 128 ? 2 : 3;
        wrapped[1] = size < 128 ? (uint8_t)size : 0x81;
        wrapped[header - 1] = (uint8_t)size;
        memcpy(wrapped + header, key->point.data, size);
        assert_int_equal(crypto_point_decode(key, view_of(wrapped, header + size), &point), CKR_OK);
        assert_view_equal(bytes_view(&point), bytes_view(&key->point));
        bytes_free(&point);
    }
}

static void points_off_the_curve_are_refused(UNUSED void **state)
{
    const struct public_key *key = &ec_public[0];
    uint8_t encoded[66];
    struct bytes point;
    memset(&point, POISON, sizeof(point));
    memcpy(encoded, key->point.data, 65);
    encoded[64] ^= 1;
    assert_int_equal(crypto_point_decode(key, view_of(encoded, 65), &point),
                     CKR_MECHANISM_PARAM_INVALID);
    encoded[64] ^= 1;
    for (size_t size = 0; size < 65; size++)
        assert_int_equal(crypto_point_decode(key, view_of(encoded, size), &point),
                         CKR_MECHANISM_PARAM_INVALID);
    encoded[0] = 6; /* hybrid */
    assert_int_equal(crypto_point_decode(key, view_of(encoded, 65), &point),
                     CKR_MECHANISM_PARAM_INVALID);
    static const uint8_t infinity[1], zeros[65] = {4};
    assert_int_equal(crypto_point_decode(key, view_of(infinity, 1), &point),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(crypto_point_decode(key, view_of(zeros, 65), &point),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(crypto_point_decode(&rsa_public, view_of(encoded, 65), &point),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_true(all_poison(&point, sizeof(point)));
}

static void a_key_is_completed_to_what_openssl_writes(UNUSED void **state)
{
    run("openssl pkey -in rsa.key -pubout -outform DER -out rsa.spki");
    run("openssl pkey -in ec.key -pubout -outform DER -out ec.spki"); /* of the last curve */
    struct public_key *const keys[] = {&rsa_public, &ec_public[ARRAY_SIZE(curves) - 1]};
    static const char *const files[] = {"rsa.spki", "ec.spki"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes expected = read_file(files[i]);
        struct public_key key = {0}, decoded;
        memset(&decoded, POISON, sizeof(decoded));
        assert_int_equal(public_key_copy(&key, keys[i]), CKR_OK);
        key.bits = 0;
        bytes_free(&key.spki);
        assert_int_equal(crypto_public_complete(&key), CKR_OK);
        assert_int_equal(key.bits, keys[i]->bits);
        assert_view_equal(bytes_view(&key.spki), bytes_view(&expected));
        assert_int_equal(crypto_public_decode(bytes_view(&expected), &decoded), CKR_OK);
        assert_true(public_key_equal(&decoded, &key));
        assert_int_equal(decoded.bits, key.bits);
        assert_view_equal(bytes_view(&decoded.spki), bytes_view(&expected));
        public_key_clear(&key);
        public_key_clear(&decoded);
        bytes_free(&expected);
    }
}

static void keys_of_no_sense_are_not_completed_and_stay_as_they_are(UNUSED void **state)
{
    struct public_key key = {0};
    assert_int_equal(crypto_public_complete(&key), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(public_key_copy(&key, &ec_public[0]), CKR_OK);
    key.point.data[64] ^= 1;
    assert_int_equal(crypto_public_complete(&key), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(key.point.data[64], ec_public[0].point.data[64] ^ 1);
    key.point.data[64] ^= 1;
    key.curve.data[9] ^= 0x40;
    assert_int_equal(crypto_public_complete(&key), CKR_ATTRIBUTE_VALUE_INVALID);
    public_key_clear(&key);
    assert_int_equal(public_key_copy(&key, &rsa_public), CKR_OK);
    key.modulus.data[255] &= 0xfe;
    assert_int_equal(crypto_public_complete(&key), CKR_ATTRIBUTE_VALUE_INVALID);
    key.modulus.data[255] |= 1;
    key.modulus.size = 40;
    assert_int_equal(crypto_public_complete(&key), CKR_ATTRIBUTE_VALUE_INVALID);
    key.modulus.size = 256;
    bytes_free(&key.exponent);
    assert_int_equal(crypto_public_complete(&key), CKR_ATTRIBUTE_VALUE_INVALID);
    public_key_clear(&key);
}

static void leading_zeros_of_rsa_numbers_are_dropped(UNUSED void **state)
{
    struct public_key key = {.algorithm = KEY_ALGORITHM_RSA};
    assert_int_equal(bytes_alloc(&key.modulus, 260), CKR_OK);
    memcpy(key.modulus.data + 4, rsa_public.modulus.data, 256);
    assert_int_equal(bytes_copy(&key.exponent, view_of("\0\1\0\1", 4)), CKR_OK);
    assert_int_equal(crypto_public_complete(&key), CKR_OK);
    assert_true(public_key_equal(&key, &rsa_public));
    assert_int_equal(key.bits, 2048);
    public_key_clear(&key);
}

static void a_public_key_that_is_cut_or_of_another_kind_is_refused(UNUSED void **state)
{
    struct public_key key;
    memset(&key, POISON, sizeof(key));
    for (size_t size = 0; size < ec_public[0].spki.size; size++)
        assert_int_equal(crypto_public_decode(view_of(ec_public[0].spki.data, size), &key),
                         CKR_DATA_INVALID);
    run("openssl genpkey -algorithm RSA-PSS -out pss.key");
    run("openssl pkey -in pss.key -pubout -outform DER -out pss.spki");
    struct bytes other = read_file("pss.spki");
    assert_int_equal(crypto_public_decode(bytes_view(&other), &key), CKR_KEY_TYPE_INCONSISTENT);
    bytes_free(&other);
    assert_true(all_poison(&key, sizeof(key)));
}

static void a_compressed_point_in_a_public_key_is_expanded(UNUSED void **state)
{
    struct public_key key = {0};
    run("openssl ec -in ec.key -pubout -conv_form compressed -outform DER -out compressed.spki");
    struct bytes spki = read_file("compressed.spki");
    assert_int_equal(crypto_public_decode(bytes_view(&spki), &key), CKR_OK);
    assert_true(public_key_equal(&key, &ec_public[ARRAY_SIZE(curves) - 1]));
    assert_view_equal(bytes_view(&key.spki), bytes_view(&spki));
    public_key_clear(&key);
    bytes_free(&spki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pkcs1_signatures_over_any_short_input_verify),
        cmocka_unit_test(a_pkcs1_signature_of_openssl_verifies),
        cmocka_unit_test(every_changed_bit_of_a_signature_is_noticed),
        cmocka_unit_test(signatures_of_the_wrong_length_are_told_apart),
        cmocka_unit_test(ecdsa_verifies_on_each_curve_and_truncates_long_digests),
        cmocka_unit_test(keys_and_schemes_that_do_not_belong_together_are_refused),
        cmocka_unit_test(what_is_encrypted_decrypts_to_the_same),
        cmocka_unit_test(plaintexts_that_do_not_fit_are_refused),
        cmocka_unit_test(points_are_understood_in_every_encoding),
        cmocka_unit_test(points_off_the_curve_are_refused),
        cmocka_unit_test(a_key_is_completed_to_what_openssl_writes),
        cmocka_unit_test(keys_of_no_sense_are_not_completed_and_stay_as_they_are),
        cmocka_unit_test(leading_zeros_of_rsa_numbers_are_dropped),
        cmocka_unit_test(a_public_key_that_is_cut_or_of_another_kind_is_refused),
        cmocka_unit_test(a_compressed_point_in_a_public_key_is_expanded),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
