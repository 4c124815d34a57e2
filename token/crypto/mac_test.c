#include "token/crypto/mac.h"
#include "token/crypto/test_support.h"

/* RFC 2202 and RFC 4231, test case 1. */
static void each_hmac_gives_its_known_answer(UNUSED void **state)
{
    static const struct {
        enum hash hash;
        const char *code;
    } known[] = {
        {HASH_SHA1, "b617318655057264e28bc0b6fb378c8ef146be00"},
        {HASH_SHA224, "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"},
        {HASH_SHA256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {HASH_SHA384, "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
                      "faea9ea9076ede7f4af152e8b2fa9cb6"},
        {HASH_SHA512, "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
                      "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
        {HASH_SHA3_224, "3b16546bbc7be2706a031dcafd56373d9884367641d8c59af3c860f7"},
        {HASH_SHA3_256, "ba85192310dffa96e2a3a40e69774351140bb7185e1202cdcc917589f95e16bb"},
        {HASH_SHA3_384, "68d2dcf7fd4ddd0a2240c8a437305f61fb7334cfb5d0226e1bc27dc10a2e723a"
                        "20d370b47743130e26ac7e3d532886bd"},
        {HASH_SHA3_512, "eb3fbd4b2eaab8f5c504bd3a41465aacec15770a7cabac531e482f860b5ec7ba"
                        "47ccb2c6f2afce8f88d22b6dc61380f23a668fd3888bb80537c0a0b86407689e"},
    };
    struct bytes key = from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        uint8_t out[HASH_MAX_SIZE];
        assert_int_equal(crypto_hmac(known[i].hash, bytes_view(&key), view_string("Hi There"), out),
                         CKR_OK);
        assert_hex_equal(view_of(out, hash_size(known[i].hash)), known[i].code);
    }
    bytes_free(&key);
}

/* RFC 4231, test case 6. */
static void a_long_key_is_hashed(UNUSED void **state)
{
    uint8_t key[131], out[HASH_MAX_SIZE];
    memset(key, 0xaa, sizeof(key));
    assert_int_equal(
        crypto_hmac(HASH_SHA256, view_of(key, sizeof(key)),
                    view_string("Test Using Larger Than Block-Size Key - Hash Key First"), out),
        CKR_OK);
    assert_hex_equal(view_of(out, 32),
                     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void an_empty_key_is_a_key(UNUSED void **state)
{
    uint8_t out[HASH_MAX_SIZE];
    assert_int_equal(crypto_hmac(HASH_SHA256, (struct view){0}, (struct view){0}, out), CKR_OK);
    assert_hex_equal(view_of(out, 32),
                     "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 4493, in pieces of every size. */
static void cmac_gives_its_known_answers(UNUSED void **state)
{
    static const struct {
        size_t size;
        const char *code;
    } known[] = {{0, "bb1d6929e95937287fa37d129b756746"},
                 {16, "070a16b46b4d4144f79bdd9dd04a287c"},
                 {40, "dfa66747de9ae63030ca32611497c827"},
                 {64, "51f0bebf7e3b9d92fc49741779363cfe"}};
    struct bytes key = from_hex("2b7e151628aed2a6abf7158809cf4f3c");
    struct bytes data =
        from_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                 "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        for (size_t step = 1; step <= 64; step++) {
            struct crypto_mac *mac = NULL;
            struct bytes code;
            memset(&code, POISON, sizeof(code));
            assert_int_equal(crypto_mac_new(HASH_NONE, bytes_view(&key), &mac), CKR_OK);
            for (size_t at = 0; at < known[i].size; at += step) {
                size_t size = known[i].size - at < step ? known[i].size - at : step;
                assert_int_equal(crypto_mac_update(mac, view_of(data.data + at, size)), CKR_OK);
            }
            assert_int_equal(crypto_mac_finish(mac, &code), CKR_OK);
            assert_hex_equal(bytes_view(&code), known[i].code);
            crypto_mac_free(mac);
            bytes_free(&code);
        }
    bytes_free(&key);
    bytes_free(&data);
}

static void a_cmac_key_has_a_size_of_aes(UNUSED void **state)
{
    static const uint8_t zeros[33];
    for (size_t size = 0; size <= sizeof(zeros); size++) {
        struct crypto_mac *mac = NULL;
        bool fits = size == 16 || size == 24 || size == 32;
        assert_int_equal(crypto_mac_new(HASH_NONE, view_of(zeros, size), &mac),
                         fits ? CKR_OK : CKR_KEY_SIZE_RANGE);
        assert_int_equal(mac != NULL, fits);
        crypto_mac_free(mac);
    }
}

static void a_finished_mac_goes_no_further(UNUSED void **state)
{
    struct crypto_mac *mac = NULL;
    struct bytes code = {0}, more;
    memset(&more, POISON, sizeof(more));
    assert_int_equal(crypto_mac_new(HASH_SHA256, view_string("key"), &mac), CKR_OK);
    assert_int_equal(crypto_mac_finish(mac, &code), CKR_OK);
    assert_int_equal(code.size, 32);
    assert_int_equal(crypto_mac_update(mac, view_string("x")), CKR_FUNCTION_FAILED);
    assert_int_equal(crypto_mac_finish(mac, &more), CKR_FUNCTION_FAILED);
    assert_true(all_poison(&more, sizeof(more)));
    crypto_mac_free(mac);
    crypto_mac_free(NULL);
    bytes_free(&code);
}

/* RFC 5869, test cases 1 and 3. */
static void hkdf_gives_its_known_answers(UNUSED void **state)
{
    struct bytes secret = from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    struct bytes salt = from_hex("000102030405060708090a0b0c"), out = {0}, key = {0};
    struct bytes info = from_hex("f0f1f2f3f4f5f6f7f8f9");
    struct hkdf hkdf = {.hash = HASH_SHA256,
                        .extract = true,
                        .expand = true,
                        .salt = bytes_view(&salt),
                        .info = bytes_view(&info)};
    const char *okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                      "34007208d5b887185865";
    assert_int_equal(crypto_hkdf(&hkdf, bytes_view(&secret), 42, &out), CKR_OK);
    assert_hex_equal(bytes_view(&out), okm);
    bytes_free(&out);

    hkdf.expand = false;
    assert_int_equal(crypto_hkdf(&hkdf, bytes_view(&secret), 32, &key), CKR_OK);
    assert_hex_equal(bytes_view(&key),
                     "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    hkdf.expand = true;
    hkdf.extract = false;
    assert_int_equal(crypto_hkdf(&hkdf, bytes_view(&key), 42, &out), CKR_OK);
    assert_hex_equal(bytes_view(&out), okm);
    bytes_free(&out);

    hkdf = (struct hkdf){.hash = HASH_SHA256, .extract = true, .expand = true};
    assert_int_equal(crypto_hkdf(&hkdf, bytes_view(&secret), 42, &out), CKR_OK);
    assert_hex_equal(bytes_view(&out),
                     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                     "9d201395faa4b61a96c8");
    bytes_free(&out);
    bytes_free(&key);
    bytes_free(&secret);
    bytes_free(&salt);
    bytes_free(&info);
}

static void hkdf_refuses_what_it_cannot_make(UNUSED void **state)
{
    struct bytes out;
    const struct {
        struct hkdf hkdf;
        size_t size;
    } cases[] = {
        {{.hash = HASH_SHA256, .extract = true, .expand = true}, 255 * 32 + 1},
        {{.hash = HASH_SHA256}, 32},
        {{.hash = HASH_NONE, .extract = true, .expand = true}, 32},
        {{.hash = HASH_SHA256, .extract = true}, 33},
    };
    memset(&out, POISON, sizeof(out));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(crypto_hkdf(&cases[i].hkdf, view_string("key"), cases[i].size, &out),
                         CKR_MECHANISM_PARAM_INVALID);
    assert_true(all_poison(&out, sizeof(out)));
    const struct hkdf most = {.hash = HASH_SHA256, .expand = true};
    assert_int_equal(crypto_hkdf(&most, view_string("key"), 255 * 32, &out), CKR_OK);
    assert_int_equal(out.size, 255 * 32);
    bytes_free(&out);
}

/* CAVS 12.0, ANSX963_2001: SHA-256 without and with SharedInfo. */
static void the_x963_kdf_gives_its_known_answers(UNUSED void **state)
{
    struct bytes out = {0}, secret = from_hex("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08");
    assert_int_equal(crypto_x963_kdf(HASH_SHA256, bytes_view(&secret), (struct view){0}, 16, &out),
                     CKR_OK);
    assert_hex_equal(bytes_view(&out), "443024c3dae66b95e6f5670601558f71");
    bytes_free(&out);
    bytes_free(&secret);

    struct bytes shared = from_hex("75eef81aa3041e33b80971203d2c0c52");
    secret = from_hex("22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d");
    assert_int_equal(
        crypto_x963_kdf(HASH_SHA256, bytes_view(&secret), bytes_view(&shared), 128, &out), CKR_OK);
    assert_hex_equal(bytes_view(&out),
                     "c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e"
                     "52a13d9c7c6fc878c50c5ea0bc7b00e0da2447cfd874f6cf92f30d0097111485"
                     "500c90c3af8b487872d04685d14c8d1dc8d7fa08beb0ce0ababc11f0bd496269"
                     "142d43525a78e5bc79a17f59676a5706dc54d54d4d1f0bd7e386128ec26afc21");
    bytes_free(&out);
    memset(&out, POISON, sizeof(out));
    assert_int_equal(crypto_x963_kdf(HASH_NONE, bytes_view(&secret), (struct view){0}, 16, &out),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(
        crypto_x963_kdf(HASH_SHA256, bytes_view(&secret), (struct view){0}, SIZE_MAX, &out),
        CKR_MECHANISM_PARAM_INVALID);
    assert_true(all_poison(&out, sizeof(out)));
    bytes_free(&secret);
    bytes_free(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_hmac_gives_its_known_answer),
        cmocka_unit_test(a_long_key_is_hashed),
        cmocka_unit_test(an_empty_key_is_a_key),
        cmocka_unit_test(cmac_gives_its_known_answers),
        cmocka_unit_test(a_cmac_key_has_a_size_of_aes),
        cmocka_unit_test(a_finished_mac_goes_no_further),
        cmocka_unit_test(hkdf_gives_its_known_answers),
        cmocka_unit_test(hkdf_refuses_what_it_cannot_make),
        cmocka_unit_test(the_x963_kdf_gives_its_known_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
