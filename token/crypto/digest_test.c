#include "token/crypto/test_support.h"

static const struct {
    enum hash hash;
    const char *abc; /* FIPS 180 and 202 examples */
} known[] = {
    {HASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {HASH_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {HASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HASH_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                  "8086072ba1e7cc2358baeca134c825a7"},
    {HASH_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {HASH_SHA3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
    {HASH_SHA3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    {HASH_SHA3_384, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
                    "98d88cea927ac7f539f1edf228376d25"},
    {HASH_SHA3_512, "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
                    "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
};

static void assert_hex(const uint8_t *data, size_t size, const char *hex)
{
    char text[2 * HASH_MAX_SIZE + 1] = "";
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    assert_string_equal(text, hex);
}

static void each_hash_gives_its_known_answer(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        uint8_t out[HASH_MAX_SIZE];
        assert_int_equal(crypto_hash(known[i].hash, view_string("abc"), out), CKR_OK);
        assert_hex(out, hash_size(known[i].hash), known[i].abc);
    }
}

static void a_digest_in_parts_is_the_digest_of_the_whole(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct crypto_digest *digest = NULL;
        uint8_t out[HASH_MAX_SIZE];
        assert_int_equal(crypto_digest_new(known[i].hash, &digest), CKR_OK);
        assert_int_equal(crypto_digest_update(digest, view_string("a")), CKR_OK);
        assert_int_equal(crypto_digest_update(digest, (struct view){0}), CKR_OK);
        assert_int_equal(crypto_digest_update(digest, view_string("bc")), CKR_OK);
        assert_int_equal(crypto_digest_finish(digest, out), CKR_OK);
        assert_hex(out, hash_size(known[i].hash), known[i].abc);
        crypto_digest_free(digest);
    }
}

static void a_finished_digest_takes_no_more(UNUSED void **state)
{
    struct crypto_digest *digest = NULL;
    uint8_t out[HASH_MAX_SIZE];
    assert_int_equal(crypto_digest_new(HASH_SHA256, &digest), CKR_OK);
    assert_int_equal(crypto_digest_finish(digest, out), CKR_OK);
    memset(out, POISON, sizeof(out));
    assert_int_equal(crypto_digest_update(digest, view_string("x")), CKR_FUNCTION_FAILED);
    assert_int_equal(crypto_digest_finish(digest, out), CKR_FUNCTION_FAILED);
    assert_true(all_poison(out, sizeof(out)));
    crypto_digest_free(digest);
    crypto_digest_free(NULL);
}

static void a_hash_that_does_not_exist_is_refused(UNUSED void **state)
{
    struct crypto_digest *digest;
    uint8_t out[HASH_MAX_SIZE];
    memset(&digest, POISON, sizeof(digest));
    memset(out, POISON, sizeof(out));
    assert_int_equal(crypto_digest_new(HASH_NONE, &digest), CKR_MECHANISM_INVALID);
    assert_int_equal(crypto_digest_new((enum hash)99, &digest), CKR_MECHANISM_INVALID);
    assert_int_equal(crypto_hash(HASH_NONE, view_string("x"), out), CKR_MECHANISM_INVALID);
    assert_true(all_poison(&digest, sizeof(digest)));
    assert_true(all_poison(out, sizeof(out)));
}

static void random_bytes_differ_and_seeding_only_adds(UNUSED void **state)
{
    uint8_t first[32], second[32];
    assert_int_equal(crypto_random(first, sizeof(first)), CKR_OK);
    assert_int_equal(crypto_random_seed(view_string("the same seed")), CKR_OK);
    assert_int_equal(crypto_random(second, sizeof(second)), CKR_OK);
    assert_memory_not_equal(first, second, sizeof(first));
    assert_int_equal(crypto_random_seed(view_string("the same seed")), CKR_OK);
    assert_int_equal(crypto_random(first, sizeof(first)), CKR_OK);
    assert_memory_not_equal(first, second, sizeof(first));
    assert_int_equal(crypto_random(NULL, 0), CKR_OK);
    assert_int_equal(crypto_random_seed((struct view){0}), CKR_OK);
}

static void large_requests_for_random_bytes_are_filled(UNUSED void **state)
{
    const size_t size = 1000000;
    uint8_t *large = calloc(1, size);
    assert_non_null(large);
    assert_int_equal(crypto_random(large, size), CKR_OK);
    size_t zeros = 0;
    for (size_t i = 0; i < size; i++)
        zeros += large[i] == 0;
    assert_in_range(zeros, 3000, 5000);
    assert_int_equal(crypto_random_seed(view_of(large, size)), CKR_OK);
    free(large);
}

static void a_copy_goes_on_by_itself(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct crypto_digest *digest = NULL, *copy;
        uint8_t out[HASH_MAX_SIZE];
        memset(&copy, POISON, sizeof(copy));
        assert_int_equal(crypto_digest_new(known[i].hash, &digest), CKR_OK);
        assert_int_equal(crypto_digest_update(digest, view_string("ab")), CKR_OK);
        assert_int_equal(crypto_digest_copy(digest, &copy), CKR_OK);
        assert_int_equal(crypto_digest_update(digest, view_string("x")), CKR_OK);
        assert_int_equal(crypto_digest_finish(digest, out), CKR_OK);
        assert_int_equal(crypto_digest_update(copy, view_string("c")), CKR_OK);
        assert_int_equal(crypto_digest_finish(copy, out), CKR_OK);
        assert_hex(out, hash_size(known[i].hash), known[i].abc);
        crypto_digest_free(copy);
        memset(&copy, POISON, sizeof(copy));
        assert_int_equal(crypto_digest_copy(digest, &copy), CKR_FUNCTION_FAILED);
        assert_true(all_poison(&copy, sizeof(copy)));
        crypto_digest_free(digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_hash_gives_its_known_answer),
        cmocka_unit_test(a_digest_in_parts_is_the_digest_of_the_whole),
        cmocka_unit_test(a_copy_goes_on_by_itself),
        cmocka_unit_test(a_finished_digest_takes_no_more),
        cmocka_unit_test(a_hash_that_does_not_exist_is_refused),
        cmocka_unit_test(random_bytes_differ_and_seeding_only_adds),
        cmocka_unit_test(large_requests_for_random_bytes_are_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
