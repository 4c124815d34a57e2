#include "token/base/test_support.h"

#include <tss2/tss2_mu.h>

#include "token/tpm/public.h"

static TPM2B_PUBLIC ec_area(void)
{
    TPM2B_PUBLIC public = {.publicArea = {.type = TPM2_ALG_ECC, .nameAlg = TPM2_ALG_SHA256}};
    TPMT_PUBLIC *area = &public.publicArea;
    area->objectAttributes = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT;
    area->parameters.eccDetail = (TPMS_ECC_PARMS){.symmetric.algorithm = TPM2_ALG_NULL,
                                                  .scheme.scheme = TPM2_ALG_NULL,
                                                  .curveID = TPM2_ECC_NIST_P256,
                                                  .kdf.scheme = TPM2_ALG_NULL};
    area->unique.ecc.x.size = area->unique.ecc.y.size = 32;
    memset(area->unique.ecc.x.buffer, 0x11, 32);
    memset(area->unique.ecc.y.buffer, 0x22, 32);
    return public;
}

static TPM2B_PUBLIC rsa_area(void)
{
    TPM2B_PUBLIC public = {.publicArea = {.type = TPM2_ALG_RSA, .nameAlg = TPM2_ALG_SHA256}};
    TPMT_PUBLIC *area = &public.publicArea;
    area->objectAttributes = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT;
    area->parameters.rsaDetail = (TPMS_RSA_PARMS){
        .symmetric.algorithm = TPM2_ALG_NULL, .scheme.scheme = TPM2_ALG_NULL, .keyBits = 2048};
    area->unique.rsa.size = 256;
    memset(area->unique.rsa.buffer, 0xc3, 256);
    return public;
}

struct marshalled {
    uint8_t data[sizeof(TPM2B_PUBLIC) + 8];
    size_t size;
};

static struct marshalled marshal(const TPM2B_PUBLIC *public)
{
    struct marshalled area = {.size = 0};
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(public, area.data, sizeof(area.data), &area.size),
                     0);
    return area;
}

static void assert_malformed(const void *data, size_t size)
{
    TPM2B_PUBLIC public;
    struct reason reason = {0};
    /* A copy of its exact size, so that reading past it is seen. */
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, data, size);
    poison(public);
    assert_rv(tpm_public_decode(view_of(copy, size), &public, &reason), CKR_DATA_INVALID);
    assert_poison(public);
    assert_contains(reason.text, "malformed");
    free(copy);
}

static void a_whole_public_area_is_read(UNUSED void **state)
{
    const TPM2B_PUBLIC areas[] = {ec_area(), rsa_area()};
    for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
        struct marshalled area = marshal(&areas[i]);
        TPM2B_PUBLIC public;
        struct reason reason = {0};
        poison(public);
        assert_ok(tpm_public_decode(view_of(area.data, area.size), &public, &reason));
        assert_int_equal(public.publicArea.type, areas[i].publicArea.type);
        assert_int_equal(public.publicArea.objectAttributes, areas[i].publicArea.objectAttributes);
    }
}

static void every_truncation_is_malformed(UNUSED void **state)
{
    const TPM2B_PUBLIC areas[] = {ec_area(), rsa_area()};
    for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
        struct marshalled area = marshal(&areas[i]);
        for (size_t size = 0; size < area.size; size++)
            assert_malformed(area.data, size);
        assert_malformed(area.data, area.size + 1);
    }
    assert_malformed(NULL, 0);
}

static void sizes_that_do_not_add_up_are_malformed(UNUSED void **state)
{
    const TPM2B_PUBLIC public = ec_area();
    struct marshalled area = marshal(&public);
    static const struct {
        size_t at;
        uint8_t high, low;
    } rows[] = {
        {0, 0, 0},        {0, 0xff, 0xff}, {0, 0, 2}, /* the whole */
        {2, 0, 5},        {2, 0xff, 0xff},            /* an unknown type */
        {10, 0xff, 0xff}, {10, 0, 65},                /* the policy's size */
        {20, 0xff, 0xff}, {20, 0, 129},               /* the point's size */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct marshalled hostile = area;
        hostile.data[rows[i].at] = rows[i].high;
        hostile.data[rows[i].at + 1] = rows[i].low;
        assert_malformed(hostile.data, hostile.size);
    }
}

static void an_ec_key_has_its_curve_and_point(UNUSED void **state)
{
    static const struct {
        TPM2_ECC_CURVE curve;
        unsigned bits;
        const char *oid;
        size_t oid_size;
    } rows[] = {
        {TPM2_ECC_NIST_P256, 256, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10},
        {TPM2_ECC_NIST_P384, 384, "\x06\x05\x2b\x81\x04\x00\x22", 7},
        {TPM2_ECC_NIST_P521, 521, "\x06\x05\x2b\x81\x04\x00\x23", 7},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        TPM2B_PUBLIC public = ec_area();
        struct public_key key = {0};
        struct reason reason = {0};
        size_t coordinate = (rows[i].bits + 7) / 8;
        public.publicArea.parameters.eccDetail.curveID = rows[i].curve;
        public.publicArea.unique.ecc.x.size = 31; /* zeros in front were left out */
        assert_ok(tpm_public_key(&public.publicArea, &key, &reason));
        assert_int_equal(key.algorithm, KEY_ALGORITHM_EC);
        assert_int_equal(key.bits, rows[i].bits);
        assert_true(view_equal(bytes_view(&key.curve), view_of(rows[i].oid, rows[i].oid_size)));
        assert_int_equal(key.point.size, 1 + 2 * coordinate);
        assert_int_equal(key.point.data[0], 4);
        assert_int_equal(key.point.data[coordinate - 31], 0);
        assert_int_equal(key.point.data[1 + coordinate - 31], 0x11);
        assert_int_equal(key.point.data[2 * coordinate], 0x22);
        assert_int_equal(key.spki.size, 0);
        public_key_clear(&key);
    }
}

static void an_rsa_key_has_its_modulus_and_exponent(UNUSED void **state)
{
    static const struct {
        uint32_t exponent;
        const char *bytes;
        size_t size;
    } rows[] = {
        {0, "\1\0\1", 3}, {65537, "\1\0\1", 3}, {3, "\3", 1}, {0xfffffffb, "\xff\xff\xff\xfb", 4}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        TPM2B_PUBLIC public = rsa_area();
        struct public_key key = {0};
        struct reason reason = {0};
        public.publicArea.parameters.rsaDetail.exponent = rows[i].exponent;
        assert_ok(tpm_public_key(&public.publicArea, &key, &reason));
        assert_int_equal(key.algorithm, KEY_ALGORITHM_RSA);
        assert_int_equal(key.bits, 2048);
        assert_int_equal(key.modulus.size, 256);
        assert_true(view_equal(bytes_view(&key.exponent), view_of(rows[i].bytes, rows[i].size)));
        public_key_clear(&key);
    }
}

static void assert_no_key(const TPM2B_PUBLIC *public, const char *why)
{
    struct public_key key;
    struct reason reason = {0};
    poison(key);
    assert_rv(tpm_public_key(&public->publicArea, &key, &reason), CKR_DATA_INVALID);
    assert_poison(key);
    assert_contains(reason.text, why);
}

static void what_is_no_key_of_a_known_kind_is_told(UNUSED void **state)
{
    TPM2B_PUBLIC public = ec_area();
    public.publicArea.parameters.eccDetail.curveID = TPM2_ECC_SM2_P256;
    assert_no_key(&public, "curve");
    public = ec_area();
    public.publicArea.unique.ecc.x.size = 33;
    assert_no_key(&public, "point");
    public = ec_area();
    public.publicArea.unique.ecc.y.size = 0;
    assert_no_key(&public, "point");
    public = rsa_area();
    public.publicArea.unique.rsa.size = 127;
    assert_no_key(&public, "1024");
    public.publicArea.unique.rsa.size = 0;
    assert_no_key(&public, "1024");
    public.publicArea.type = TPM2_ALG_KEYEDHASH;
    assert_no_key(&public, "neither RSA nor ECC");
    public.publicArea.type = TPM2_ALG_SYMCIPHER;
    assert_no_key(&public, "neither RSA nor ECC");
}

static void abilities_follow_attributes_and_scheme(UNUSED void **state)
{
    enum { S = TPMA_OBJECT_SIGN_ENCRYPT, D = TPMA_OBJECT_DECRYPT, R = TPMA_OBJECT_RESTRICTED };
    static const struct {
        bool rsa;
        TPMA_OBJECT attributes;
        TPM2_ALG_ID scheme, hash;
        struct tpm_key_abilities expected;
    } rows[] = {
        {true, S | D, TPM2_ALG_NULL, 0, {.sign = true, .decrypt = true}},
        {true, S, TPM2_ALG_NULL, 0, {.sign = true}},
        {true, D, TPM2_ALG_NULL, 0, {.decrypt = true}},
        {true, 0, TPM2_ALG_NULL, 0, {.sign = false}},
        {true, R | S, TPM2_ALG_RSASSA, TPM2_ALG_SHA256, {.sign = false}},
        {true, R | D, TPM2_ALG_NULL, 0, {.sign = false}},
        {true,
         S,
         TPM2_ALG_RSASSA,
         TPM2_ALG_SHA256,
         {.sign = true,
          .fixed = true,
          .fixed_scheme = SCHEME_RSA_PKCS1,
          .fixed_hash = HASH_SHA256}},
        {true,
         S,
         TPM2_ALG_RSAPSS,
         TPM2_ALG_SHA384,
         {.sign = true, .fixed = true, .fixed_scheme = SCHEME_RSA_PSS, .fixed_hash = HASH_SHA384}},
        {true,
         D,
         TPM2_ALG_OAEP,
         TPM2_ALG_SHA1,
         {.decrypt = true,
          .fixed = true,
          .fixed_scheme = SCHEME_RSA_OAEP,
          .fixed_hash = HASH_SHA1}},
        {true,
         D,
         TPM2_ALG_RSAES,
         0,
         {.decrypt = true, .fixed = true, .fixed_scheme = SCHEME_RSA_PKCS1}},
        {false, S | D, TPM2_ALG_NULL, 0, {.sign = true, .decrypt = true}},
        {false,
         S,
         TPM2_ALG_ECDSA,
         TPM2_ALG_SHA512,
         {.sign = true, .fixed = true, .fixed_scheme = SCHEME_ECDSA, .fixed_hash = HASH_SHA512}},
        {false, S, TPM2_ALG_ECDAA, TPM2_ALG_SHA256, {.sign = false}},
        {false, S, TPM2_ALG_ECSCHNORR, TPM2_ALG_SHA256, {.sign = false}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        TPM2B_PUBLIC public = rows[i].rsa ? rsa_area() : ec_area();
        TPMT_PUBLIC *area = &public.publicArea;
        area->objectAttributes = rows[i].attributes;
        if (rows[i].rsa) {
            area->parameters.rsaDetail.scheme.scheme = rows[i].scheme;
            area->parameters.rsaDetail.scheme.details.anySig.hashAlg = rows[i].hash;
        } else {
            area->parameters.eccDetail.scheme.scheme = rows[i].scheme;
            area->parameters.eccDetail.scheme.details.anySig.hashAlg = rows[i].hash;
        }
        struct tpm_key_abilities abilities = tpm_public_abilities(area);
        assert_int_equal(abilities.sign, rows[i].expected.sign);
        assert_int_equal(abilities.decrypt, rows[i].expected.decrypt);
        assert_int_equal(abilities.fixed, rows[i].expected.fixed);
        assert_int_equal(abilities.fixed_scheme, rows[i].expected.fixed_scheme);
        assert_int_equal(abilities.fixed_hash, rows[i].expected.fixed_hash);
    }
}

static void hashes_have_the_tpms_names_where_it_has_them(UNUSED void **state)
{
    static const struct {
        enum hash hash;
        TPM2_ALG_ID algorithm;
    } rows[] = {{HASH_SHA1, TPM2_ALG_SHA1},
                {HASH_SHA256, TPM2_ALG_SHA256},
                {HASH_SHA384, TPM2_ALG_SHA384},
                {HASH_SHA512, TPM2_ALG_SHA512},
                {HASH_NONE, TPM2_ALG_NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(tpm_hash_algorithm(rows[i].hash), rows[i].algorithm);
        assert_int_equal(tpm_hash_of(rows[i].algorithm), rows[i].hash);
    }
    assert_int_equal(tpm_hash_algorithm(HASH_SHA224), TPM2_ALG_NULL);
    assert_int_equal(tpm_hash_of(TPM2_ALG_SM3_256), HASH_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_public_area_is_read),
        cmocka_unit_test(every_truncation_is_malformed),
        cmocka_unit_test(sizes_that_do_not_add_up_are_malformed),
        cmocka_unit_test(an_ec_key_has_its_curve_and_point),
        cmocka_unit_test(an_rsa_key_has_its_modulus_and_exponent),
        cmocka_unit_test(what_is_no_key_of_a_known_kind_is_told),
        cmocka_unit_test(abilities_follow_attributes_and_scheme),
        cmocka_unit_test(hashes_have_the_tpms_names_where_it_has_them),
    };
    setenv("TSS2_LOG", "all+none", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
