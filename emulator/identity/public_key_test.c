#include "emulator/test_support.h"

#include "emulator/error.h"
#include "emulator/identity/public_key.h"

#include <openssl/evp.h>

/* Templates L-1 and L-2, with keys in their places. */
static void build_area(struct message *area, uint16_t type)
{
    uint8_t unique[256], policy[32] = {0};

    memset(unique, 0xc5, sizeof(unique));
    area->size = 0;
    add_u16(area, type);
    add_u16(area, TPM2_ALG_SHA256);
    add_u32(area, 0x000300b2);
    build_2b(area, policy, sizeof(policy));
    add_u16(area, TPM2_ALG_AES);
    add_u16(area, 128);
    add_u16(area, TPM2_ALG_CFB);
    add_u16(area, TPM2_ALG_NULL);
    if (type == TPM2_ALG_RSA) {
        add_u16(area, 2048);
        add_u32(area, 0);
        build_2b(area, unique, 256);
    } else {
        /* The base point, which is on the curve. */
        static const uint8_t x[] = {0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47,
                                    0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
                                    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0,
                                    0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96};
        static const uint8_t y[] = {0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b,
                                    0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
                                    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce,
                                    0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

        add_u16(area, TPM2_ECC_NIST_P256);
        add_u16(area, TPM2_ALG_NULL);
        build_2b(area, x, sizeof(x));
        build_2b(area, y, sizeof(y));
    }
}

static void a_whole_area_is_a_key(void **state)
{
    static const uint16_t types[] = {TPM2_ALG_RSA, TPM2_ALG_ECC};
    static const int bits[] = {2048, 256};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct message area;
        EVP_PKEY *key = NULL;

        build_area(&area, types[i]);
        assert_int_equal(public_key_read(answer_from(&area, 0), &key), TSS2_RC_SUCCESS);
        assert_int_equal(EVP_PKEY_get_bits(key), bits[i]);
        EVP_PKEY_free(key);
    }
}

static void every_cut_of_an_area_is_refused(void **state)
{
    static const uint16_t types[] = {TPM2_ALG_RSA, TPM2_ALG_ECC};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct message area;
        size_t whole;

        build_area(&area, types[i]);
        whole = area.size;
        for (area.size = 0; area.size < whole; area.size++) {
            EVP_PKEY *key = (EVP_PKEY *)(void *)&area;

            error_clear();
            assert_int_not_equal(public_key_read(answer_from(&area, 0), &key), TSS2_RC_SUCCESS);
            assert_int_not_equal(error_text()[0], 0);
            assert_ptr_equal(key, &area);
        }
    }
}

static void a_point_off_the_curve_is_refused(void **state)
{
    struct message area;
    EVP_PKEY *key = NULL;

    (void)state;
    build_area(&area, TPM2_ALG_ECC);
    area.bytes[area.size - 1] ^= 1;
    assert_int_not_equal(public_key_read(answer_from(&area, 0), &key), TSS2_RC_SUCCESS);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_area_is_a_key),
        cmocka_unit_test(every_cut_of_an_area_is_refused),
        cmocka_unit_test(a_point_off_the_curve_is_refused),
    };

    return cmocka_run_group_tests_name("emulator: public keys", tests, NULL, NULL);
}
