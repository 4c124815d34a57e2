#include "emulator/test_support.h"

#include "emulator/behaviour/parameters.h"

#define TOLD_MAX 32

struct told {
    size_t count;
    size_t stop_after;
    struct asked asked[TOLD_MAX];
};

static bool note(void *context, const struct asked *asked)
{
    struct told *told = context;

    assert_true(told->count < TOLD_MAX);
    told->asked[told->count++] = *asked;
    return told->count != told->stop_after;
}

static void walk(const struct message *m, struct told *ret)
{
    const struct command command = {.code = get_u32(m->bytes + 6), .parameters = HEADER_SIZE};

    ret->count = 0;
    parameters_walk(&command, m, note, ret);
}

static void assert_told(const struct told *told, size_t index, enum asked_kind kind, uint16_t value,
                        uint32_t refusal)
{
    assert_true(index < told->count);
    assert_int_equal(told->asked[index].kind, kind);
    assert_int_equal(told->asked[index].value, value);
    assert_int_equal(told->asked[index].refusal, refusal);
}

/* Create of a restricted P-384 decryption key, without its handle. */
static void make_create(struct message *m)
{
    size_t at;

    begin(m, TPM2_ST_NO_SESSIONS, TPM2_CC_Create);
    add_2b(m, "inSensitive");
    at = m->size;
    add_u16(m, 0);
    add_u16(m, TPM2_ALG_ECC);
    add_u16(m, TPM2_ALG_SHA256);
    add_u32(m, 0);
    add_2b(m, "policy");
    add_u16(m, TPM2_ALG_AES);
    add_u16(m, 128);
    add_u16(m, TPM2_ALG_CFB);
    add_u16(m, TPM2_ALG_ECDH);
    add_u16(m, TPM2_ALG_SHA384);
    add_u16(m, TPM2_ECC_NIST_P384);
    add_u16(m, TPM2_ALG_NULL);
    add_2b(m, "x");
    add_2b(m, "y");
    put_u16(m->bytes + at, (uint16_t)(m->size - at - 2));
    add_u16(m, 0);
    add_u32(m, 0);
}

#define OF_2(code) ((code) + TPM2_RC_P + 2 * TPM2_RC_1)

static void a_template_tells_all_its_algorithms_in_order(void **state)
{
    struct told told = {0};
    struct message m;

    (void)state;
    make_create(&m);
    walk(&m, &told);
    assert_int_equal(told.count, 8);
    assert_told(&told, 0, ASKED_ALGORITHM, TPM2_ALG_ECC, OF_2(TPM2_RC_TYPE));
    assert_told(&told, 1, ASKED_ALGORITHM, TPM2_ALG_SHA256, OF_2(TPM2_RC_HASH));
    assert_told(&told, 2, ASKED_ALGORITHM, TPM2_ALG_AES, OF_2(TPM2_RC_SYMMETRIC));
    assert_told(&told, 3, ASKED_KEY_BITS, 128, OF_2(TPM2_RC_VALUE));
    assert_int_equal(told.asked[3].of, TPM2_ALG_AES);
    assert_told(&told, 4, ASKED_ALGORITHM, TPM2_ALG_CFB, OF_2(TPM2_RC_MODE));
    assert_told(&told, 5, ASKED_ALGORITHM, TPM2_ALG_ECDH, OF_2(TPM2_RC_SCHEME));
    assert_told(&told, 6, ASKED_ALGORITHM, TPM2_ALG_SHA384, OF_2(TPM2_RC_HASH));
    assert_told(&told, 7, ASKED_CURVE, TPM2_ECC_NIST_P384, OF_2(TPM2_RC_CURVE));
}

static void a_cut_command_tells_the_beginning_of_it(void **state)
{
    struct told whole = {0}, part = {0};
    struct message m;
    size_t size;

    (void)state;
    make_create(&m);
    walk(&m, &whole);
    size = m.size;
    for (m.size = HEADER_SIZE; m.size < size; m.size++) {
        walk(&m, &part);
        assert_true(part.count <= whole.count);
        for (size_t i = 0; i < part.count; i++)
            assert_told(&part, i, whole.asked[i].kind, whole.asked[i].value,
                        whole.asked[i].refusal);
    }
}

static void a_template_that_is_longer_than_it_says_ends_the_walk(void **state)
{
    struct told told = {0};
    struct message m;

    (void)state;
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_Import);
    add_u16(&m, 0);
    add_u16(&m, 10);
    add_u16(&m, TPM2_ALG_KEYEDHASH);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u32(&m, 0);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_HMAC);
    add_u16(&m, TPM2_ALG_SHA384);
    add_u16(&m, 0);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_AES);
    add_u16(&m, 256);
    add_u16(&m, TPM2_ALG_CFB);
    walk(&m, &told);
    assert_true(told.count <= 4);
}

static void a_visitor_ends_the_walk(void **state)
{
    struct told told = {.stop_after = 3};
    struct message m;

    (void)state;
    make_create(&m);
    walk(&m, &told);
    assert_int_equal(told.count, 3);
}

static void unknown_commands_and_counts_tell_nothing(void **state)
{
    struct told told = {0};
    struct message m;

    (void)state;
    begin(&m, TPM2_ST_NO_SESSIONS, 0x20000000);
    add_u16(&m, TPM2_ALG_SHA384);
    walk(&m, &told);
    assert_int_equal(told.count, 0);
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_PCR_Read);
    add_u32(&m, UINT32_MAX);
    for (size_t i = 0; i < 40; i++) {
        add_u16(&m, TPM2_ALG_SHA1);
        add_u8(&m, 0);
    }
    walk(&m, &told);
    assert_int_equal(told.count, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_tells_all_its_algorithms_in_order),
        cmocka_unit_test(a_cut_command_tells_the_beginning_of_it),
        cmocka_unit_test(a_template_that_is_longer_than_it_says_ends_the_walk),
        cmocka_unit_test(a_visitor_ends_the_walk),
        cmocka_unit_test(unknown_commands_and_counts_tell_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
