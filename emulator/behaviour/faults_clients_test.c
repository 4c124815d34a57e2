#include "emulator/test_support.h"

#include <tss2/tss2_esys.h>

/* Faults as clients see them that know nothing of schedules: ESYS and the
 * programs of tpm2-tools. */

/* --- ESYS --------------------------------------------------------------------- */

/* An ESYS on a TPM in the directory's "tpm" that plays the schedule. */
struct client {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
};

static struct client connect_with(const char *directory, const char *schedule)
{
    char tpm[PATH_MAX], path[PATH_MAX], text[1000];
    struct client client = {NULL, NULL};
    FILE *file = fopen(test_path(directory, "faults", path), "we");
    int length = snprintf(text, sizeof(text), ",faults=%s/faults", directory);

    assert_in_range(length, 1, sizeof(text) - 1);
    assert_non_null(file);
    assert_true(fputs(schedule, file) >= 0);
    assert_int_equal(fclose(file), 0);
    (void)setenv("TSS2_LOG", "all+none", 1);
    client.tcti = test_open_with(test_path(directory, "tpm", tpm), text);
    assert_int_equal(Esys_Initialize(&client.esys, client.tcti, NULL), TSS2_RC_SUCCESS);
    return client;
}

static void disconnect(struct client *client)
{
    Esys_Finalize(&client->esys);
    test_close(client->tcti);
}

static TSS2_RC esys_random(struct client *client)
{
    TPM2B_DIGEST *bytes = NULL;
    TSS2_RC rc = Esys_GetRandom(client->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, 8, &bytes);

    if (rc == TSS2_RC_SUCCESS)
        assert_int_equal(bytes->size, 8);
    Esys_Free(bytes);
    return rc;
}

/* After an error below it, ESYS 3.2 refuses all but its end; the TCTI goes on. */
static void start_esys_again(struct client *client)
{
    assert_int_not_equal(esys_random(client), TSS2_RC_SUCCESS);
    Esys_Finalize(&client->esys);
    assert_int_equal(Esys_Initialize(&client->esys, client->tcti, NULL), TSS2_RC_SUCCESS);
}

static void esys_survives_a_storm_that_ends(void **state)
{
    static const char *const codes[] = {"RETRY", "YIELDED", "TESTING"};

    for (size_t i = 0; i < 3; i++) {
        char schedule[100];
        struct client client;

        (void)snprintf(schedule, sizeof(schedule), "GetRandom at 2 for 3 answer %s\n", codes[i]);
        client = connect_with(*state, schedule);
        assert_int_equal(esys_random(&client), TSS2_RC_SUCCESS);
        assert_int_equal(esys_random(&client), TSS2_RC_SUCCESS);
        disconnect(&client);
    }
}

static void esys_gives_up_in_a_storm_without_end(void **state)
{
    struct client client = connect_with(*state, "GetRandom from 2 answer RETRY\n");

    assert_int_equal(esys_random(&client), TSS2_RC_SUCCESS);
    assert_int_equal(esys_random(&client), TPM2_RC_RETRY);
    assert_int_equal(esys_random(&client), TPM2_RC_RETRY);
    disconnect(&client);
}

static void esys_reports_a_lost_answer_and_goes_on(void **state)
{
    struct client client = connect_with(*state, "GetRandom at 1 no answer 1ms\n");

    assert_int_equal(esys_random(&client), TSS2_TCTI_RC_IO_ERROR);
    start_esys_again(&client);
    assert_int_equal(esys_random(&client), TSS2_RC_SUCCESS);
    disconnect(&client);
}

static void esys_refuses_answers_that_were_cut_short(void **state)
{
    struct client client = connect_with(*state, "GetRandom at 1 cut 5\nGetRandom at 2 cut 0\n");

    assert_int_not_equal(esys_random(&client), TSS2_RC_SUCCESS);
    start_esys_again(&client);
    assert_int_not_equal(esys_random(&client), TSS2_RC_SUCCESS);
    start_esys_again(&client);
    assert_int_equal(esys_random(&client), TSS2_RC_SUCCESS);
    disconnect(&client);
}

/* The answer's size field is then far from its size. */
static void esys_refuses_an_answer_with_a_corrupted_size(void **state)
{
    struct client client = connect_with(*state, "GetRandom at 1 corrupt at 3\n");

    assert_int_not_equal(esys_random(&client), TSS2_RC_SUCCESS);
    start_esys_again(&client);
    assert_int_equal(esys_random(&client), TSS2_RC_SUCCESS);
    disconnect(&client);
}

/* --- tpm2-tools ----------------------------------------------------------------- */

static void tools_survive_a_storm_and_fail_without_its_end(void **state)
{
    need_tpm2_tools();
    assert_int_equal(run_script(*state, "echo 'GetRandom at 1 for 3 answer RETRY' >storm\n"
                                        "echo 'GetRandom answer RETRY' >endless\n"
                                        "export SIGNET_TPM_FAULTS=storm\n"
                                        "test $(tpm2_getrandom --hex 8 | wc -c) -eq 16\n"
                                        "export SIGNET_TPM_FAULTS=endless\n"
                                        "! tpm2_getrandom --hex 8 2>err\n"
                                        "grep -qi 0x922 err\n"),
                     0);
}

static void tools_meet_a_schedule_that_counts_over_processes(void **state)
{
    need_tpm2_tools();
    assert_int_equal(run_script(*state, "exec >log 2>&1\n"
                                        "unset TSS2_LOG\n"
                                        "tpm2_nvdefine -C o -a 'ownerwrite|ownerread|nt=counter' "
                                        "0x1800002\n"
                                        "cat >faults <<EOF\n"
                                        "count in counts\n"
                                        "NV_Increment at 2 answer LOCKOUT\n"
                                        "NV_Increment at 3 die before\n"
                                        "EOF\n"
                                        "export SIGNET_TPM_FAULTS=faults\n"
                                        "tpm2_nvincrement -C o 0x1800002\n"
                                        "tpm2_nvread -C o 0x1800002 >first\n"
                                        "! tpm2_nvincrement -C o 0x1800002 2>err\n"
                                        "grep -q 921 err\n"
                                        "tpm2_nvincrement -C o 0x1800002 && exit 1 || rc=$?\n"
                                        "test $rc -eq 137\n"
                                        "tpm2_nvread -C o 0x1800002 >second\n"
                                        "cmp first second\n"
                                        "tpm2_nvincrement -C o 0x1800002\n"),
                     0);
}

static void tools_are_told_where_a_schedule_is_wrong(void **state)
{
    need_tpm2_tools();
    assert_int_equal(run_script(*state, "echo 'Sgin at 1 cut 5' >faults\n"
                                        "export SIGNET_TPM_FAULTS=faults\n"
                                        "! tpm2_getrandom --hex 8 2>err\n"
                                        "test -s err\n"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(esys_survives_a_storm_that_ends),
        TEST(esys_gives_up_in_a_storm_without_end),
        TEST(esys_reports_a_lost_answer_and_goes_on),
        TEST(esys_refuses_answers_that_were_cut_short),
        TEST(esys_refuses_an_answer_with_a_corrupted_size),
        TEST(tools_survive_a_storm_and_fail_without_its_end),
        TEST(tools_meet_a_schedule_that_counts_over_processes),
        TEST(tools_are_told_where_a_schedule_is_wrong),
    };

    return cmocka_run_group_tests_name("emulator: faults and clients", tests, NULL, NULL);
}
