#include "token/object/test_support.h"

#include "token/mechanism/family.h"
#include "token/mechanism/manage.h"

/* The table itself. */

#define OPERATIONS                                                                                 \
    (CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_VERIFY | CKF_DERIVE |                 \
     CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER)
#define MANAGEMENT                                                                                 \
    (CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_WRAP | CKF_UNWRAP | CKF_ENCAPSULATE |              \
     CKF_DECAPSULATE)
#define MESSAGES                                                                                   \
    (CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT |           \
     CKF_MULTI_MESSAGE)
#define CURVES (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS)

static size_t row_count(void)
{
    size_t count = 0;
    while (mechanism_at(count))
        count++;
    return count;
}

static void every_row_is_found_by_its_type_and_by_no_other(UNUSED void **state)
{
    assert_true(row_count() >= 20);
    for (size_t i = 0; i < row_count(); i++)
        assert_ptr_equal(mechanism_find(mechanism_at(i)->type), mechanism_at(i));
    assert_null(mechanism_find(CKM_VENDOR_DEFINED + 1));
    assert_null(mechanism_find(CK_UNAVAILABLE_INFORMATION));
    assert_null(mechanism_at(row_count()));
    assert_null(mechanism_at(SIZE_MAX));
}

/* Whether flags come in pairs. */
static void assert_pair(const struct mechanism *row, CK_FLAGS one, CK_FLAGS other)
{
    if (!(row->flags & one) != !(row->flags & other))
        fail_msg("row %#lx: %#lx without %#lx", row->type, one, other);
}

static void every_row_makes_sense(UNUSED void **state)
{
    for (size_t i = 0; i < row_count(); i++) {
        const struct mechanism *row = mechanism_at(i);
        assert_int_not_equal(row->flags & (OPERATIONS | MANAGEMENT), 0);
        assert_int_equal(row->flags & ~(CK_FLAGS)(OPERATIONS | MANAGEMENT | CURVES | MESSAGES), 0);
        assert_true(row->min_size <= row->max_size);
        /* Who signs also verifies, and so on. */
        assert_pair(row, CKF_SIGN, CKF_VERIFY);
        assert_pair(row, CKF_SIGN, CKF_MESSAGE_SIGN);
        assert_pair(row, CKF_VERIFY, CKF_MESSAGE_VERIFY);
        assert_pair(row, CKF_SIGN_RECOVER, CKF_VERIFY_RECOVER);
        assert_pair(row, CKF_ENCRYPT, CKF_DECRYPT);
        assert_pair(row, CKF_MESSAGE_ENCRYPT, CKF_MESSAGE_DECRYPT);
        assert_pair(row, CKF_WRAP, CKF_UNWRAP);
        assert_pair(row, CKF_ENCAPSULATE, CKF_DECAPSULATE);
        assert_pair(row, CKF_MULTI_MESSAGE, MESSAGES & ~(CK_FLAGS)CKF_MULTI_MESSAGE);
    }
}

/* What job_new, job_update and the functions of manage.h will call. */
static void every_row_has_what_its_flags_promise(UNUSED void **state)
{
    for (size_t i = 0; i < row_count(); i++) {
        const struct mechanism *row = mechanism_at(i);
        const struct family *family = row->family;
        CK_FLAGS jobs = row->flags & (OPERATIONS & ~(CK_FLAGS)CKF_DERIVE);
        if (!jobs && !(row->flags & (CKF_DERIVE | CKF_WRAP))) {
            assert_int_not_equal(row->flags & (CKF_GENERATE | CKF_GENERATE_KEY_PAIR), 0);
            assert_int_not_equal(mechanism_generates(row), CK_UNAVAILABLE_INFORMATION);
            continue;
        }
        assert_int_equal(mechanism_generates(row), CK_UNAVAILABLE_INFORMATION);
        assert_non_null(family);
        assert_int_equal(jobs != 0, family->begin != NULL);
        if (jobs)
            assert_true(family->update && family->finish && family->output_size);
        assert_true(!(row->flags & CKF_VERIFY) || family->verify);
        assert_true(!(row->flags & CKF_MESSAGE_SIGN) || family->restart);
        assert_int_equal((row->flags & CKF_DERIVE) != 0, family->derive != NULL);
        assert_true(!(row->flags & CKF_WRAP) ||
                    (family->wrap && family->unwrap && family->wrapped_size));
        assert_true(!(row->flags & CKF_ENCAPSULATE) ||
                    (family->encapsulate && family->encapsulated_size && family->decapsulate));
        if (family->parameters)
            assert_true(row->hash != HASH_NONE || family->input_limit);
        assert_true(!(row->flags & (CKF_ENCRYPT | CKF_DECRYPT)) || row->hash == HASH_NONE);
    }
}

static void sizes_and_curves_follow_the_kind_of_key(UNUSED void **state)
{
    static const struct {
        enum key_algorithm algorithm;
        CK_KEY_TYPE type;
        bool curves, symmetric;
    } kinds[] = {
        {KEY_ALGORITHM_RSA, CKK_RSA, false, false},
        {KEY_ALGORITHM_EC, CKK_EC, true, false},
        {KEY_ALGORITHM_EDWARDS, CKK_EC_EDWARDS, true, false},
        {KEY_ALGORITHM_MONTGOMERY, CKK_EC_MONTGOMERY, true, false},
        {KEY_ALGORITHM_AES, CKK_AES, false, true},
        {KEY_ALGORITHM_SECRET, CKK_GENERIC_SECRET, false, true},
    };
    for (size_t i = 0; i < row_count(); i++) {
        const struct mechanism *row = mechanism_at(i);
        bool digest = row->algorithm == KEY_ALGORITHM_NONE, found = digest;
        assert_int_equal(digest, (row->flags & CKF_DIGEST) != 0);
        assert_int_equal(!digest, row->max_size > 0);
        for (size_t j = 0; j < ARRAY_SIZE(kinds); j++) {
            if (kinds[j].algorithm != row->algorithm)
                continue;
            found = true;
            assert_int_equal(mechanism_key_type(row), kinds[j].type);
            assert_true(mechanism_takes(row, kinds[j].type));
            assert_int_equal(row->flags & CURVES, kinds[j].curves ? CURVES : 0);
            assert_int_equal(mechanism_is_symmetric(row), kinds[j].symmetric);
        }
        assert_true(found);
    }
}

static void a_row_takes_the_types_of_keys_that_fit_it(UNUSED void **state)
{
    static const struct {
        CK_MECHANISM_TYPE mechanism;
        CK_KEY_TYPE type;
        bool taken;
    } rows[] = {
        {CKM_SHA256_HMAC, CKK_GENERIC_SECRET, true},
        {CKM_SHA256_HMAC, CKK_SHA256_HMAC, true},
        {CKM_SHA256_HMAC_GENERAL, CKK_SHA256_HMAC, true},
        {CKM_SHA256_HMAC, CKK_SHA384_HMAC, false},
        {CKM_SHA256_HMAC, CKK_AES, false},
        {CKM_SHA3_512_HMAC, CKK_SHA3_512_HMAC, true},
        {CKM_AES_CMAC, CKK_AES, true},
        {CKM_AES_CMAC, CKK_GENERIC_SECRET, false},
        {CKM_AES_GCM, CKK_RSA, false},
        {CKM_RSA_PKCS, CKK_RSA, true},
        {CKM_ECDSA, CKK_EC_EDWARDS, false},
        {CKM_ECDH1_DERIVE, CKK_EC, true},
        {CKM_ECDH1_DERIVE, CKK_EC_MONTGOMERY, true},
        {CKM_ECDH1_COFACTOR_DERIVE, CKK_EC_MONTGOMERY, false},
        {CKM_HKDF_DERIVE, CKK_HKDF, true},
        {CKM_HKDF_DERIVE, CKK_GENERIC_SECRET, true},
        {CKM_SHA256, CKK_RSA, false},
        {CKM_SHA256, CK_UNAVAILABLE_INFORMATION, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (mechanism_takes(mechanism_find(rows[i].mechanism), rows[i].type) != rows[i].taken)
            fail_msg("row %zu", i);
}

static void a_generation_says_what_it_makes_and_of_what_size(UNUSED void **state)
{
    static const struct {
        CK_MECHANISM_TYPE mechanism;
        CK_KEY_TYPE type;
        unsigned smallest, largest, odd;
    } rows[] = {
        {CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, 1024, 4096, 2047},
        {CKM_AES_KEY_GEN, CKK_AES, 128, 256, 129},
        {CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET, 8, 32768, 12},
        {CKM_HKDF_KEY_GEN, CKK_HKDF, 8, 32768, 9},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CK_BYTE byte = 0;
        const CK_MECHANISM given = {rows[i].mechanism, NULL, 0},
                           odd = {rows[i].mechanism, &byte, 1};
        struct key_spec spec = {.bits = rows[i].smallest};
        assert_int_equal(mechanism_generates(mechanism_find(rows[i].mechanism)), rows[i].type);
        assert_ok(mechanism_check_generation(&given, &spec));
        assert_rv(mechanism_check_generation(&odd, &spec), CKR_MECHANISM_PARAM_INVALID);
        spec.bits -= 8;
        assert_rv(mechanism_check_generation(&given, &spec), CKR_KEY_SIZE_RANGE);
        spec.bits = rows[i].odd;
        assert_rv(mechanism_check_generation(&given, &spec), CKR_KEY_SIZE_RANGE);
        spec.bits = rows[i].largest;
        assert_ok(mechanism_check_generation(&given, &spec));
        spec.bits += 8;
        assert_rv(mechanism_check_generation(&given, &spec), CKR_KEY_SIZE_RANGE);
    }
    const CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, sign = {CKM_ECDSA, NULL, 0};
    assert_ok(mechanism_check_generation(&ec, &(struct key_spec){.bits = 0}));
    assert_rv(mechanism_check_generation(&sign, &(struct key_spec){.bits = 0}),
              CKR_MECHANISM_INVALID);
}

static void digests_are_named_by_their_mechanism(UNUSED void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        enum hash hash;
    } rows[] = {{CKM_SHA_1, HASH_SHA1},
                {CKM_SHA224, HASH_SHA224},
                {CKM_SHA256, HASH_SHA256},
                {CKM_SHA384, HASH_SHA384},
                {CKM_SHA512, HASH_SHA512},
                {CKM_SHA3_224, HASH_SHA3_224},
                {CKM_SHA3_256, HASH_SHA3_256},
                {CKM_SHA3_384, HASH_SHA3_384},
                {CKM_SHA3_512, HASH_SHA3_512},
                {CKM_SHA256_RSA_PKCS, HASH_NONE},
                {CKM_SHA256_HMAC, HASH_NONE},
                {CKM_ECDSA_SHA256, HASH_NONE},
                {CKM_MD5, HASH_NONE},
                {CKM_VENDOR_DEFINED, HASH_NONE},
                {0, HASH_NONE}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(mechanism_hash(rows[i].type), rows[i].hash);
}

static CK_FLAGS operations(CK_MECHANISM_TYPE type, const struct key *key,
                           const struct public_key *public_key)
{
    const struct mechanism *row = mechanism_find(type);
    assert_non_null(row);
    CK_FLAGS flags = mechanism_flags(row, key, public_key);
    /* Without an operation it is not to be listed at all. */
    if (!(flags & OPERATIONS))
        assert_int_equal(flags, 0);
    assert_int_equal(!(flags & CKF_SIGN), !(flags & CKF_MESSAGE_SIGN));
    assert_int_equal(flags & (MANAGEMENT | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER), 0);
    return flags & OPERATIONS;
}

struct abilities {
    bool sign, decrypt, derive;
};

static CK_FLAGS with_key(CK_MECHANISM_TYPE type, enum key_algorithm algorithm,
                         struct abilities abilities)
{
    const struct public_key public_key = {.algorithm = algorithm};
    struct idle_key *idle = idle_key_new(&public_key);
    idle->sign = abilities.sign;
    idle->decrypt = abilities.decrypt;
    idle->derive = abilities.derive;
    CK_FLAGS flags = operations(type, &idle->key, &public_key);
    key_unref(&idle->key);
    return flags;
}

static void a_row_offers_what_the_key_can_do(UNUSED void **state)
{
    const enum key_algorithm RSA = KEY_ALGORITHM_RSA, EC = KEY_ALGORITHM_EC;
    const CK_FLAGS signs = CKF_SIGN | CKF_VERIFY, crypts = CKF_ENCRYPT | CKF_DECRYPT;
    const struct {
        CK_MECHANISM_TYPE type;
        enum key_algorithm algorithm;
        struct abilities abilities;
        CK_FLAGS flags;
    } rows[] = {
        {CKM_RSA_PKCS, RSA, {true, true, false}, signs | crypts},
        {CKM_RSA_PKCS, RSA, {true, false, false}, signs | CKF_ENCRYPT},
        {CKM_RSA_PKCS, RSA, {false, true, false}, crypts | CKF_VERIFY},
        {CKM_RSA_PKCS, RSA, {false, false, false}, CKF_ENCRYPT | CKF_VERIFY},
        {CKM_SHA256_RSA_PKCS, RSA, {false, true, false}, CKF_VERIFY},
        {CKM_RSA_PKCS_OAEP, RSA, {true, false, false}, CKF_ENCRYPT},
        {CKM_RSA_PKCS, EC, {true, true, true}, 0},
        {CKM_ECDSA, RSA, {true, true, true}, 0},
        {CKM_ECDSA, EC, {true, false, false}, signs},
        {CKM_ECDSA, EC, {false, false, true}, CKF_VERIFY},
        {CKM_ECDH1_DERIVE, EC, {true, false, true}, CKF_DERIVE},
        {CKM_ECDH1_DERIVE, EC, {true, false, false}, 0},
        {CKM_ECDH1_DERIVE, RSA, {true, true, true}, 0},
        {CKM_SHA256, RSA, {false, false, false}, CKF_DIGEST},
        {CKM_EDDSA, KEY_ALGORITHM_EDWARDS, {true, false, false}, signs},
        {CKM_EDDSA, EC, {true, false, true}, 0},
        {CKM_ECDH1_DERIVE, KEY_ALGORITHM_MONTGOMERY, {false, false, true}, CKF_DERIVE},
        {CKM_ECDSA, KEY_ALGORITHM_MONTGOMERY, {false, false, true}, 0},
        {CKM_AES_CBC_PAD, RSA, {true, true, true}, 0},
        {CKM_SHA256_HMAC, RSA, {true, true, true}, 0},
        {CKM_HKDF_DERIVE, EC, {true, true, true}, 0},
        {CKM_RSA_AES_KEY_WRAP, RSA, {true, true, true}, 0},
        {CKM_RSA_PKCS_KEY_PAIR_GEN, RSA, {true, true, true}, 0},
        {CKM_AES_KEY_GEN, RSA, {true, true, true}, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (with_key(rows[i].type, rows[i].algorithm, rows[i].abilities) != rows[i].flags)
            fail_msg("row %zu", i);
}

static void without_a_private_key_public_operations_are_left(UNUSED void **state)
{
    const struct public_key rsa = {.algorithm = KEY_ALGORITHM_RSA};
    const struct public_key ec = {.algorithm = KEY_ALGORITHM_EC};
    assert_int_equal(operations(CKM_RSA_PKCS, NULL, &rsa), CKF_VERIFY | CKF_ENCRYPT);
    assert_int_equal(operations(CKM_ECDSA_SHA256, NULL, &ec), CKF_VERIFY);
    assert_int_equal(operations(CKM_ECDSA_SHA256, NULL, &rsa), 0);
    assert_int_equal(operations(CKM_ECDH1_DERIVE, NULL, &ec), 0);
    assert_int_equal(operations(CKM_SHA_1, NULL, &ec), CKF_DIGEST);
}

static void while_the_key_is_unknown_it_may_do_all(UNUSED void **state)
{
    const struct public_key unknown = {.algorithm = KEY_ALGORITHM_NONE};
    const struct abilities all = {true, true, true};
    assert_int_equal(with_key(CKM_RSA_PKCS, KEY_ALGORITHM_NONE, all),
                     CKF_SIGN | CKF_VERIFY | CKF_ENCRYPT | CKF_DECRYPT);
    assert_int_equal(with_key(CKM_ECDSA, KEY_ALGORITHM_NONE, all), CKF_SIGN | CKF_VERIFY);
    assert_int_equal(operations(CKM_ECDSA, NULL, &unknown), 0);
    assert_int_equal(operations(CKM_SHA256, NULL, &unknown), CKF_DIGEST);
}

static void a_token_directory_has_all_of_the_table(UNUSED void **state)
{
    for (size_t i = 0; i < row_count(); i++) {
        const struct mechanism *row = mechanism_at(i);
        bool sealed =
            row->type == CKM_EC_EDWARDS_KEY_PAIR_GEN || row->type == CKM_EC_MONTGOMERY_KEY_PAIR_GEN;
        assert_int_equal(mechanism_flags_of_directory(row, true), row->flags);
        assert_int_equal(mechanism_flags_of_directory(row, false), sealed ? 0 : row->flags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_type_and_by_no_other),
        cmocka_unit_test(every_row_makes_sense),
        cmocka_unit_test(every_row_has_what_its_flags_promise),
        cmocka_unit_test(a_row_takes_the_types_of_keys_that_fit_it),
        cmocka_unit_test(a_generation_says_what_it_makes_and_of_what_size),
        cmocka_unit_test(a_token_directory_has_all_of_the_table),
        cmocka_unit_test(sizes_and_curves_follow_the_kind_of_key),
        cmocka_unit_test(digests_are_named_by_their_mechanism),
        cmocka_unit_test(a_row_offers_what_the_key_can_do),
        cmocka_unit_test(without_a_private_key_public_operations_are_left),
        cmocka_unit_test(while_the_key_is_unknown_it_may_do_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
