#include "emulator/test_support.h"

/* What outlasts which change of power: TPM 2.0 Library part 1, "TPM Power State
 * Transitions", "Context Management" and "Time". */

/* Codes of commands that no TPM has: each does something to the power. */
#define RESET 0x1f0u
#define RESTART 0x1f1u
#define RESUME 0x1f2u
#define POWER_LOSS 0x1f3u

static const char schedule[] = "0x1f0 reset\n0x1f1 restart\n0x1f2 resume\n0x1f3 power loss\n";

static TSS2_TCTI_CONTEXT *open_again(const char *directory)
{
    char tpm[PATH_MAX], text[1000];
    int length = snprintf(text, sizeof(text), ",faults=%s/faults", directory);

    assert_in_range(length, 1, sizeof(text) - 1);
    return test_open_with(test_path(directory, "tpm", tpm), text);
}

static TSS2_TCTI_CONTEXT *open_powered(const char *directory)
{
    char path[PATH_MAX];
    FILE *file = fopen(test_path(directory, "faults", path), "we");

    assert_non_null(file);
    assert_true(fputs(schedule, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return open_again(directory);
}

static void cycle(TSS2_TCTI_CONTEXT *context, uint32_t how)
{
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, how);
    assert_int_equal(run(context, &m, &response), TPM2_RC_COMMAND_CODE);
}

/* --- time and counts -------------------------------------------------------- */

struct clock {
    uint64_t clock;
    uint32_t resets, restarts;
    uint8_t safe;
};

static struct clock read_clock(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;
    const uint8_t *info = response.bytes + HEADER_SIZE + 8;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadClock);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    assert_int_equal(response.size, HEADER_SIZE + 25);
    return (struct clock){(uint64_t)get_u32(info) << 32 | get_u32(info + 4), get_u32(info + 8),
                          get_u32(info + 12), info[16]};
}

static void the_clock_counts_resets_and_restarts(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    struct clock first = read_clock(context), now;

    cycle(context, RESTART);
    now = read_clock(context);
    assert_int_equal(now.resets, first.resets);
    assert_int_equal(now.restarts, first.restarts + 1);
    cycle(context, RESUME);
    now = read_clock(context);
    assert_int_equal(now.resets, first.resets);
    assert_int_equal(now.restarts, first.restarts + 2);
    cycle(context, RESET);
    now = read_clock(context);
    assert_int_equal(now.resets, first.resets + 1);
    assert_int_equal(now.restarts, 0);
    assert_true(now.safe);
    assert_true(now.clock >= first.clock);
    cycle(context, POWER_LOSS);
    now = read_clock(context);
    assert_int_equal(now.resets, first.resets + 2);
    assert_int_equal(now.restarts, 0);
    assert_false(now.safe);
    test_close(context);
}

/* --- PCRs --------------------------------------------------------------------- */

/* Is the extended PCR as it was afterwards, or all zero? */
static bool pcr_outlasts(TSS2_TCTI_CONTEXT *context, uint32_t pcr, uint32_t how)
{
    static const uint8_t zero[32];
    uint8_t before[32], after[32];

    assert_int_equal(extend_pcr(context, pcr), TPM2_RC_SUCCESS);
    read_pcr(context, pcr, before);
    cycle(context, how);
    read_pcr(context, pcr, after);
    if (memcmp(after, before, sizeof(after)) == 0)
        return true;
    assert_memory_equal(after, zero, sizeof(after));
    return false;
}

static void boot_pcrs_outlast_a_suspend_alone(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);

    assert_true(pcr_outlasts(context, 0, RESUME));
    assert_false(pcr_outlasts(context, 0, RESTART));
    assert_false(pcr_outlasts(context, 0, RESET));
    assert_false(pcr_outlasts(context, 0, POWER_LOSS));
    assert_false(pcr_outlasts(context, 16, RESUME));
    test_close(context);
}

/* --- NV ------------------------------------------------------------------------ */

#define LOCKED_INDEX 0x01800010u
#define CLEARED_INDEX 0x01800011u

static void define_ordinary(TSS2_TCTI_CONTEXT *context, uint32_t index, uint32_t attributes)
{
    assert_int_equal(define_nv(context, index, attributes | TPMA_NV_NO_DA, ""), TPM2_RC_SUCCESS);
}

static uint32_t write_nv(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Write);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, index);
    add_password(&m, "");
    add_2b(&m, "8 bytes.");
    add_u16(&m, 0);
    return run(context, &m, &response);
}

static uint32_t read_nv(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Read);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, index);
    add_password(&m, "");
    add_u16(&m, 8);
    add_u16(&m, 0);
    return run(context, &m, &response);
}

static void lock_nv(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_WriteLock);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, index);
    add_password(&m, "");
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
}

static void locks_until_startup_outlast_a_suspend_alone(void **state)
{
    static const uint32_t clearing[] = {RESTART, RESET, POWER_LOSS};
    TSS2_TCTI_CONTEXT *context = open_powered(*state);

    define_ordinary(context, LOCKED_INDEX, TPMA_NV_WRITE_STCLEAR);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(write_nv(context, LOCKED_INDEX), TPM2_RC_SUCCESS);
        lock_nv(context, LOCKED_INDEX);
        assert_int_equal(write_nv(context, LOCKED_INDEX), TPM2_RC_NV_LOCKED);
        cycle(context, RESUME);
        assert_int_equal(write_nv(context, LOCKED_INDEX), TPM2_RC_NV_LOCKED);
        cycle(context, clearing[i]);
    }
    assert_int_equal(write_nv(context, LOCKED_INDEX), TPM2_RC_SUCCESS);
    test_close(context);
}

static void values_until_startup_outlast_a_suspend_alone(void **state)
{
    static const uint32_t clearing[] = {RESTART, RESET, POWER_LOSS};
    TSS2_TCTI_CONTEXT *context = open_powered(*state);

    define_ordinary(context, CLEARED_INDEX, TPMA_NV_CLEAR_STCLEAR);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(write_nv(context, CLEARED_INDEX), TPM2_RC_SUCCESS);
        cycle(context, RESUME);
        assert_int_equal(read_nv(context, CLEARED_INDEX), TPM2_RC_SUCCESS);
        cycle(context, clearing[i]);
        assert_int_equal(read_nv(context, CLEARED_INDEX), TPM2_RC_NV_UNINITIALIZED);
    }
    test_close(context);
}

static void stored_values_outlast_everything(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    uint64_t value;

    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    value = read_counter(context, COUNTER_INDEX);
    for (uint32_t how = RESET; how <= POWER_LOSS; how++) {
        cycle(context, how);
        assert_int_equal(read_counter(context, COUNTER_INDEX), value);
    }
    test_close(context);
    context = open_again(*state);
    assert_int_equal(read_counter(context, COUNTER_INDEX), value);
    test_close(context);
}

/* --- objects and sessions ------------------------------------------------------- */

static void objects_outlast_what_does_not_reset(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    uint32_t key = 0;

    for (uint32_t how = RESET; how <= POWER_LOSS; how++) {
        bool lost = how == RESET || how == POWER_LOSS;

        assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
        assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
        cycle(context, how);
        assert_int_equal(sign(context, key, ""), lost ? TPM2_RC_REFERENCE_H0 : TPM2_RC_SUCCESS);
        if (lost)
            continue;
        assert_int_equal(flush(context, key), TPM2_RC_SUCCESS);
    }
    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 0);
    test_close(context);
}

static void saved_objects_outlast_what_does_not_reset(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    struct message saved;
    uint32_t key = 0;

    for (uint32_t how = RESET; how <= POWER_LOSS; how++) {
        bool lost = how == RESET || how == POWER_LOSS;

        assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
        assert_int_equal(save_context(context, key, &saved), TPM2_RC_SUCCESS);
        assert_int_equal(flush(context, key), TPM2_RC_SUCCESS);
        cycle(context, how);
        assert_int_equal(load_context(context, &saved, &key) == TPM2_RC_SUCCESS, !lost);
        if (!lost)
            assert_int_equal(flush(context, key), TPM2_RC_SUCCESS);
    }
    test_close(context);
}

static void loaded_sessions_outlast_nothing(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    uint32_t session = 0;

    for (uint32_t how = RESET; how <= POWER_LOSS; how++) {
        assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
        assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), 1);
        cycle(context, how);
        assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), 0);
        assert_int_not_equal(flush(context, session), TPM2_RC_SUCCESS);
    }
    test_close(context);
}

static void saved_sessions_outlast_what_does_not_reset(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    struct message saved;
    uint32_t session = 0;

    for (uint32_t how = RESET; how <= POWER_LOSS; how++) {
        bool lost = how == RESET || how == POWER_LOSS;

        assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
        assert_int_equal(save_context(context, session, &saved), TPM2_RC_SUCCESS);
        cycle(context, how);
        assert_int_equal(load_context(context, &saved, &session) == TPM2_RC_SUCCESS, !lost);
        if (!lost)
            assert_int_equal(flush(context, session), TPM2_RC_SUCCESS);
    }
    test_close(context);
}

/* --- dictionary attacks ----------------------------------------------------------- */

/* The use of a protected key with the right authorisation, and then this. */
static uint32_t tries_after(const char *directory, uint32_t how)
{
    TSS2_TCTI_CONTEXT *context = open_powered(directory);
    uint32_t key = 0, tries;

    assert_int_equal(create_key(context, "secret", 1, KEY_DA, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, "secret"), TPM2_RC_SUCCESS);
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), 0);
    cycle(context, how);
    tries = get_property(context, TPM2_PT_LOCKOUT_COUNTER);
    test_close(context);
    return tries;
}

static void a_loss_of_power_counts_as_a_failed_try(void **state)
{
    assert_int_equal(tries_after(*state, POWER_LOSS), 1);
}

static void an_orderly_way_down_does_not(void **state)
{
    assert_int_equal(tries_after(*state, RESET), 0);
    assert_int_equal(tries_after(*state, RESTART), 0);
    assert_int_equal(tries_after(*state, RESUME), 0);
}

/* --- others ------------------------------------------------------------------------- */

struct other {
    const char *directory;
    uint32_t how;
};

static int cycle_in_child(void *argument)
{
    const struct other *other = argument;
    TSS2_TCTI_CONTEXT *context = open_again(other->directory);
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, other->how);
    CHILD_CHECK(run(context, &m, &response) == TPM2_RC_COMMAND_CODE);
    test_close(context);
    return 0;
}

static void other_processes_live_through_it(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    struct other other = {*state, RESUME};
    struct clock first = read_clock(context), now;
    uint32_t key = 0, session = 0;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 0), TPM2_RC_SUCCESS);
    assert_int_equal(run_child(cycle_in_child, &other), 0);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), 0);
    other.how = RESET;
    assert_int_equal(run_child(cycle_in_child, &other), 0);
    assert_int_equal(sign(context, key, ""), TPM2_RC_REFERENCE_H0);
    now = read_clock(context);
    assert_int_equal(now.resets, first.resets + 1);
    assert_false(pcr_outlasts(context, 0, RESET));
    test_close(context);
}

static void random_numbers_do_not_repeat(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_powered(*state);
    uint8_t numbers[5][16];

    assert_int_equal(get_random(context, 16, numbers[0]), TPM2_RC_SUCCESS);
    for (uint32_t i = 0; i < 4; i++) {
        cycle(context, RESET + i);
        assert_int_equal(get_random(context, 16, numbers[i + 1]), TPM2_RC_SUCCESS);
        for (uint32_t j = 0; j <= i; j++)
            assert_memory_not_equal(numbers[i + 1], numbers[j], 16);
    }
    test_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_clock_counts_resets_and_restarts),
        TEST(boot_pcrs_outlast_a_suspend_alone),
        TEST(locks_until_startup_outlast_a_suspend_alone),
        TEST(values_until_startup_outlast_a_suspend_alone),
        TEST(stored_values_outlast_everything),
        TEST(objects_outlast_what_does_not_reset),
        TEST(saved_objects_outlast_what_does_not_reset),
        TEST(loaded_sessions_outlast_nothing),
        TEST(saved_sessions_outlast_what_does_not_reset),
        TEST(a_loss_of_power_counts_as_a_failed_try),
        TEST(an_orderly_way_down_does_not),
        TEST(other_processes_live_through_it),
        TEST(random_numbers_do_not_repeat),
    };

    return cmocka_run_group_tests_name("emulator: faults of power", tests, NULL, NULL);
}
