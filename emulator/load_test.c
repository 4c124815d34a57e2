#include "emulator/load.h"

/* For correctness; load_bench.c measures. */
static void check_load(const struct load *load)
{
    struct load_result result;

    load_run(load, &result);
    print_message("%.0f signatures/s, %.0f writes/s (the slowest %.0f), %lu draws\n",
                  result.signatures, result.writes, result.slowest_writes, result.draws);
    assert_int_equal(result.first_error, TPM2_RC_SUCCESS);
    assert_int_equal(result.lost_writes, 0);
    assert_true(result.draws > 0);
    assert_int_equal(result.equal_draws, 0);
}

static void many_processes_sign_while_others_write(void **state)
{
    const struct load load = {*state, 16, 4, 4, 2};

    check_load(&load);
}

static void threads_of_one_process_sign_together(void **state)
{
    const struct load load = {*state, 1, 8, 1, 0.5};

    check_load(&load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_processes_sign_while_others_write),
        TEST(threads_of_one_process_sign_together),
    };

    return cmocka_run_group_tests_name("emulator: load", tests, NULL, NULL);
}
