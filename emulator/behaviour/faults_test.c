#include "emulator/test_support.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/* --- a TPM with a schedule -------------------------------------------------- */

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *file = fopen(test_path(directory, name, path), "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The TPM in the directory's "tpm", with the schedule as its file "faults". */
static TSS2_RC try_open_again(const char *directory, const char *more, TSS2_TCTI_CONTEXT **ret)
{
    char tpm[PATH_MAX], text[1000];
    int length = snprintf(text, sizeof(text), ",faults=%s/faults%s", directory, more);

    assert_in_range(length, 1, sizeof(text) - 1);
    return test_try_open_with(test_path(directory, "tpm", tpm), text, ret);
}

static TSS2_TCTI_CONTEXT *open_again(const char *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    TSS2_RC rc = try_open_again(directory, "", &context);

    if (rc != TSS2_RC_SUCCESS)
        print_error("%s\n", signet_tcti_last_error());
    assert_int_equal(rc, TSS2_RC_SUCCESS);
    return context;
}

static TSS2_TCTI_CONTEXT *open_with(const char *directory, const char *schedule)
{
    write_file(directory, "faults", schedule);
    return open_again(directory);
}

static const uint8_t random_command[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8};

static void transmit(TSS2_TCTI_CONTEXT *context)
{
    assert_int_equal(Tss2_Tcti_Transmit(context, sizeof(random_command), random_command),
                     TSS2_RC_SUCCESS);
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *context, int32_t timeout, struct message *ret)
{
    ret->size = sizeof(ret->bytes);
    return Tss2_Tcti_Receive(context, &ret->size, ret->bytes, timeout);
}

static uint64_t now_milliseconds(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void transmit_increment(TSS2_TCTI_CONTEXT *context)
{
    struct message m;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Increment);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, COUNTER_INDEX);
    add_password(&m, "");
    put_u32(m.bytes + 2, (uint32_t)m.size);
    assert_int_equal(Tss2_Tcti_Transmit(context, m.size, m.bytes), TSS2_RC_SUCCESS);
}

static void make_counter(TSS2_TCTI_CONTEXT *context)
{
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
}

/* --- answers ---------------------------------------------------------------- */

static void an_answer_comes_in_the_place_of_the_command(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "NV_Increment at 2 answer NV_RATE\n");
    uint64_t before;

    make_counter(context);
    before = read_counter(context, COUNTER_INDEX);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_NV_RATE);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before + 1);
    test_close(context);
}

static void an_answer_after_effect_hides_that_the_command_was_done(void **state)
{
    TSS2_TCTI_CONTEXT *context =
        open_with(*state, "NV_Increment at 2 answer FAILURE after effect\n");
    uint64_t before;

    make_counter(context);
    before = read_counter(context, COUNTER_INDEX);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_FAILURE);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before + 1);
    test_close(context);
}

static void every_code_can_be_answered(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "GetRandom at 1 answer LOCKOUT\n"
                                                   "GetRandom at 2 answer OBJECT_MEMORY\n"
                                                   "GetRandom at 3 answer TPM_RC_YIELDED\n"
                                                   "GetRandom at 4 answer 0x9a2\n"
                                                   "GetRandom at 5 answer CONTEXT_GAP\n");

    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_LOCKOUT);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_OBJECT_MEMORY);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_YIELDED);
    assert_int_equal(get_random(context, 8, NULL), 0x9a2);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_CONTEXT_GAP);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

static void a_rule_counts_the_commands_that_it_names(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "GetRandom at 3 answer RETRY\n"
                                                   "GetRandom,PCR_Extend at 4 answer TESTING\n");

    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    (void)get_property(context, TPM2_PT_MANUFACTURER);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_TESTING);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_RETRY);
    test_close(context);
}

static void all_rules_that_are_due_act_and_the_first_answer_stands(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "GetRandom at 1 answer RETRY\n"
                                                   "any at 1 answer LOCKOUT\n"
                                                   "any at 1 corrupt at 9\n"
                                                   "any at 1 cut 10\n");

    assert_int_equal(get_random(context, 8, NULL), (TPM2_RC_RETRY ^ 0xff));
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

/* --- late, lost and broken answers ------------------------------------------ */

static void a_delayed_answer_is_waited_for(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "any at 1 delay 60ms\n");
    struct message response;
    uint64_t start = now_milliseconds();

    transmit(context);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_BLOCK, &response), TSS2_RC_SUCCESS);
    assert_true(now_milliseconds() - start >= 59);
    assert_int_equal(response_code(&response), TPM2_RC_SUCCESS);
    test_close(context);
}

static void a_delayed_answer_is_not_there_before_its_time(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "any at 1 delay 600s\n");
    struct message response;
    uint64_t start = now_milliseconds();

    transmit(context);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_NONE, &response), TSS2_TCTI_RC_TRY_AGAIN);
    assert_int_equal(receive(context, 20, &response), TSS2_TCTI_RC_TRY_AGAIN);
    assert_true(now_milliseconds() - start >= 19);
    assert_int_equal(Tss2_Tcti_Transmit(context, sizeof(random_command), random_command),
                     TSS2_TCTI_RC_BAD_SEQUENCE);
    /* It was done long ago: a client that gives up waiting gets its answer. */
    assert_int_equal(Tss2_Tcti_Cancel(context), TSS2_RC_SUCCESS);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_BLOCK, &response), TSS2_RC_SUCCESS);
    assert_int_equal(response.size, 20);
    test_close(context);
}

static void without_an_answer_the_driver_gives_up_and_goes_on(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "NV_Increment at 2 no answer 30ms\n");
    struct message response;
    uint64_t before, start;

    make_counter(context);
    before = read_counter(context, COUNTER_INDEX);
    start = now_milliseconds();
    transmit_increment(context);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_BLOCK, &response), TSS2_TCTI_RC_IO_ERROR);
    assert_true(now_milliseconds() - start >= 29);
    assert_non_null(strstr(signet_tcti_last_error(), "no answer"));
    assert_int_equal(read_counter(context, COUNTER_INDEX), before);
    test_close(context);
}

static void an_answer_can_be_lost_after_effect(void **state)
{
    TSS2_TCTI_CONTEXT *context =
        open_with(*state, "NV_Increment at 2 no answer 1ms after effect\n");
    struct message response;
    uint64_t before;

    make_counter(context);
    before = read_counter(context, COUNTER_INDEX);
    transmit_increment(context);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_BLOCK, &response), TSS2_TCTI_RC_IO_ERROR);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before + 1);
    test_close(context);
}

static void a_timeout_passes_before_the_driver_gives_up(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "any at 1 no answer 600s\n");
    struct message response;
    uint64_t start = now_milliseconds();

    transmit(context);
    assert_int_equal(receive(context, 30, &response), TSS2_TCTI_RC_TRY_AGAIN);
    assert_true(now_milliseconds() - start >= 29);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_NONE, &response), TSS2_TCTI_RC_TRY_AGAIN);
    assert_int_equal(Tss2_Tcti_Cancel(context), TSS2_RC_SUCCESS);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_NONE, &response), TSS2_RC_SUCCESS);
    assert_int_equal(response_code(&response), TPM2_RC_CANCELED);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

static void a_cut_answer_reaches_the_client(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "any at 1 cut 5\nany at 2 cut 0\n"
                                                   "any at 3 cut 4096\n");
    struct message response;

    transmit(context);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_BLOCK, &response), TSS2_RC_SUCCESS);
    assert_int_equal(response.size, 5);
    transmit(context);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_BLOCK, &response), TSS2_RC_SUCCESS);
    assert_int_equal(response.size, 0);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
}

/* What differs between two properties' answers, one of them corrupted. */
static unsigned flipped_bits(TSS2_TCTI_CONTEXT *context, struct message *ret)
{
    struct message m, good;
    unsigned bits = 0;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    add_u32(&m, TPM2_CAP_TPM_PROPERTIES);
    add_u32(&m, TPM2_PT_MANUFACTURER);
    add_u32(&m, 1);
    put_u32(m.bytes + 2, (uint32_t)m.size);
    assert_int_equal(Tss2_Tcti_Transmit(context, m.size, m.bytes), TSS2_RC_SUCCESS);
    assert_int_equal(receive(context, TSS2_TCTI_TIMEOUT_BLOCK, ret), TSS2_RC_SUCCESS);
    assert_int_equal(run(context, &m, &good), TPM2_RC_SUCCESS);
    assert_int_equal(ret->size, good.size);
    for (size_t i = 0; i < good.size; i++)
        for (uint8_t x = ret->bytes[i] ^ good.bytes[i]; x; x >>= 1)
            bits += x & 1;
    return bits;
}

static void a_corrupted_answer_has_one_bit_flipped_by_the_seed(void **state)
{
    struct message first, again, other;
    TSS2_TCTI_CONTEXT *context = open_with(*state, "seed 1\nany at 1 corrupt\n");

    assert_int_equal(flipped_bits(context, &first), 1);
    test_close(context);
    context = open_with(*state, "seed 1\n\nany at 1 corrupt\n");
    assert_int_equal(flipped_bits(context, &again), 1);
    assert_memory_equal(first.bytes, again.bytes, first.size);
    test_close(context);
    context = open_with(*state, "seed 2\n\nany at 1 corrupt\n");
    assert_int_equal(flipped_bits(context, &other), 1);
    assert_memory_not_equal(first.bytes, other.bytes, first.size);
    test_close(context);
}

static void the_seed_of_the_configuration_stands_above_the_schedules(void **state)
{
    struct message first, configured;
    TSS2_TCTI_CONTEXT *context = open_with(*state, "seed 1\nany at 1 corrupt\n");

    assert_int_equal(flipped_bits(context, &first), 1);
    test_close(context);
    write_file(*state, "faults", "seed 2\nany at 1 corrupt\n");
    assert_int_equal(try_open_again(*state, ",seed=1", &context), TSS2_RC_SUCCESS);
    assert_int_equal(flipped_bits(context, &configured), 1);
    assert_memory_equal(first.bytes, configured.bytes, first.size);
    test_close(context);
}

static void a_byte_at_an_offset_is_inverted(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "any at 1 corrupt at 3\nany at 3 corrupt at 99");
    struct message response;

    assert_int_equal(flipped_bits(context, &response), 8);
    assert_int_equal(response.bytes[3], 0xff);
    assert_int_equal(flipped_bits(context, &response), 0);
    test_close(context);
}

/* --- the state of the TPM --------------------------------------------------- */

static void handles_that_are_gone_are_unknown_references(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "Sign at 2 handles gone\n");
    TSS2_TCTI_CONTEXT *other;
    char tpm[PATH_MAX];
    uint32_t key = 0, others_key = 0;

    other = test_open(test_path(*state, "tpm", tpm));
    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(other, "", 2, KEY_PLAIN, &others_key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_REFERENCE_H0);
    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 0);
    assert_int_equal(sign(other, others_key, ""), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    test_close(other);
    test_close(context);
}

static void handles_go_also_without_a_resource_manager(void **state)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t key = 0;

    write_file(*state, "faults", "Sign at 2 handles gone\n");
    assert_int_equal(try_open_again(*state, ",rm=off", &context), TSS2_RC_SUCCESS);
    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_REFERENCE_H0);
    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 0);
    test_close(context);
}

static uint32_t test_result(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetTestResult);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    assert_true(response.size >= HEADER_SIZE + 6);
    assert_int_equal(get_u16(response.bytes + HEADER_SIZE), response.size - HEADER_SIZE - 6);
    return get_u32(response.bytes + response.size - 4);
}

static void failure_mode_lasts_until_a_reset(void **state)
{
    TSS2_TCTI_CONTEXT *context =
        open_with(*state, "GetRandom at 2 failure mode\nGetRandom at 4 reset\n");

    assert_int_equal(test_result(context), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_FAILURE);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_FAILURE);
    assert_int_equal(test_result(context), TPM2_RC_FAILURE);
    test_close(context);
    context = open_again(*state);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_FAILURE);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(test_result(context), TPM2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    test_close(context);
}

static uint32_t ask_capability(TSS2_TCTI_CONTEXT *context, uint32_t capability, uint32_t property,
                               struct message *response)
{
    struct message m;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    add_u32(&m, capability);
    add_u32(&m, property);
    add_u32(&m, 100);
    return run(context, &m, response);
}

static void in_failure_mode_a_tpm_still_says_who_made_it(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "any at 1 failure mode\n");
    struct message response;
    const uint8_t *list = response.bytes + HEADER_SIZE;

    assert_int_equal(ask_capability(context, TPM2_CAP_TPM_PROPERTIES, 0, &response), 0);
    assert_int_equal(response.size, HEADER_SIZE + 17);
    assert_int_equal(list[0], 1);
    assert_int_equal(get_u32(list + 5), 1);
    assert_int_equal(get_u32(list + 9), TPM2_PT_MANUFACTURER);
    assert_memory_equal(list + 13, "IBM", 4);
    assert_int_equal(
        ask_capability(context, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FIRMWARE_VERSION_2, &response), 0);
    assert_int_equal(list[0], 0);
    assert_int_equal(get_u32(list + 5), 1);
    assert_int_equal(get_u32(list + 9), TPM2_PT_FIRMWARE_VERSION_2);
    assert_int_equal(
        ask_capability(context, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_LOADED_CURVES, &response), 0);
    assert_int_equal(response.size, HEADER_SIZE + 9);
    assert_int_equal(list[0], 0);
    assert_int_equal(get_u32(list + 5), 0);
    assert_int_equal(ask_capability(context, TPM2_CAP_HANDLES, 0x81000000, &response),
                     TPM2_RC_FAILURE);
    test_close(context);
}

/* --- counting ---------------------------------------------------------------- */

static void counts_go_on_when_a_connection_is_opened_again(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "GetRandom at 2 answer RETRY\n");

    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
    context = open_again(*state);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_RETRY);
    test_close(context);
    context = open_with(*state, "GetRandom at 2 answer RETRY # changed\n");
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_RETRY);
    test_close(context);
}

static int count_refusals(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    int refused = 0;

    CHILD_CHECK(try_open_again(directory, "", &context) == TSS2_RC_SUCCESS);
    for (int i = 0; i < 100; i++)
        refused += get_random(context, 8, NULL) == TPM2_RC_RETRY;
    test_close(context);
    return refused;
}

static void processes_that_share_counts_make_one_schedule(void **state)
{
    pid_t children[4];
    int refused = 0;

    write_file(*state, "faults", "count in counts\nGetRandom every 10 answer RETRY\n");
    for (int i = 0; i < 4; i++)
        children[i] = start_child(count_refusals, *state);
    for (int i = 0; i < 4; i++)
        refused += wait_child(children[i]);
    assert_int_equal(refused, 40);
    assert_int_equal(count_refusals(*state), 10);
}

static void counts_of_another_schedule_are_begun_anew(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "count in counts\nany at 2 answer RETRY\n");

    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
    context = open_with(*state, "count in counts\nany at 2 answer LOCKOUT\n");
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_LOCKOUT);
    test_close(context);
}

/* --- the disk ------------------------------------------------------------------ */

static void a_store_that_fails_is_no_effect(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "NV_Increment at 2 disk ENOSPC\n"
                                                   "NV_Increment at 3 disk EDQUOT\n"
                                                   "NV_Increment at 4 disk EIO\n"
                                                   "NV_Increment at 5 disk EROFS\n");
    static const int errors[] = {ENOSPC, EDQUOT, EIO, EROFS};
    uint64_t before;

    make_counter(context);
    before = read_counter(context, COUNTER_INDEX);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_NV_UNAVAILABLE);
        if (!strstr(signet_tcti_last_error(), strerror(errors[i])))
            fail_msg("the error is: %s", signet_tcti_last_error());
        assert_int_equal(read_counter(context, COUNTER_INDEX), before);
    }
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before + 1);
    test_close(context);
}

static void a_command_that_stores_nothing_needs_no_disk(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "any disk EROFS\n");

    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_NV_UNAVAILABLE);
    test_close(context);
}

struct broken_disk {
    const char *directory;
    uint32_t answers[2];
};

static void *extend_in_thread(void *argument)
{
    struct broken_disk *disk = argument;
    char tpm[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = test_open(test_path(disk->directory, "tpm", tpm));

    for (int i = 0; i < 200; i++)
        disk->answers[1] |= extend_pcr(context, 16);
    test_close(context);
    return NULL;
}

/* The schedule is one connection's; another thread has none. */
static void the_disk_of_other_threads_is_whole(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_with(*state, "PCR_Extend disk EIO\n");
    struct broken_disk disk = {.directory = *state};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, extend_in_thread, &disk), 0);
    for (int i = 0; i < 200; i++)
        disk.answers[0] |= extend_pcr(context, 23) ^ TPM2_RC_NV_UNAVAILABLE;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(disk.answers[0], 0);
    assert_int_equal(disk.answers[1], 0);
    test_close(context);
}

/* --- a process that dies ------------------------------------------------------ */

static int increment_in_child(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    CHILD_CHECK(try_open_again(directory, "", &context) == TSS2_RC_SUCCESS);
    return (int)increment(context, COUNTER_INDEX);
}

static void assert_counter_after_death(const char *directory, const char *schedule, int more)
{
    TSS2_TCTI_CONTEXT *context;
    char tpm[PATH_MAX];
    uint64_t before;

    context = test_open(test_path(directory, "tpm", tpm));
    make_counter(context);
    before = read_counter(context, COUNTER_INDEX);
    write_file(directory, "faults", schedule);
    assert_int_equal(run_child(increment_in_child, (void *)(uintptr_t)directory), 1000 + SIGKILL);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before + (uint64_t)more);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    test_close(context);
}

static void a_process_dies_before_the_effect(void **state)
{
    assert_counter_after_death(*state, "NV_Increment at 1 die before\n", 0);
}

static void a_process_dies_after_the_effect(void **state)
{
    assert_counter_after_death(*state, "NV_Increment at 1 die after\n", 1);
}

/* Killed at each operation of a store: the counter has moved once or not at all,
 * and never goes back. At some operation it has begun to have moved. */
static void a_process_dies_in_the_midst_of_a_store(void **state)
{
    char tpm[PATH_MAX], schedule[64];
    TSS2_TCTI_CONTEXT *context = test_open(test_path(*state, "tpm", tpm));
    int status = 1000 + SIGKILL, deaths = 0;
    uint64_t before, after;
    bool moved = false;

    make_counter(context);
    for (unsigned i = 1; status == 1000 + SIGKILL && i < 100; i++) {
        before = read_counter(context, COUNTER_INDEX);
        (void)snprintf(schedule, sizeof(schedule), "NV_Increment at 1 die in store %u\n", i);
        write_file(*state, "faults", schedule);
        status = run_child(increment_in_child, *state);
        after = read_counter(context, COUNTER_INDEX);
        assert_true(after == before + 1 || (after == before && !moved));
        moved = after == before + 1;
        deaths += status == 1000 + SIGKILL;
    }
    assert_int_equal(status, 0);
    assert_in_range(deaths, 3, 50);
    test_close(context);
}

/* --- schedules that are none --------------------------------------------------- */

static void assert_not_opened(const char *directory, const char *why)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    assert_int_equal(try_open_again(directory, "", &context), TSS2_TCTI_RC_BAD_VALUE);
    if (!strstr(signet_tcti_last_error(), why))
        fail_msg("the error is: %s", signet_tcti_last_error());
}

static void a_broken_schedule_is_refused_when_the_tcti_is_opened(void **state)
{
    char path[PATH_MAX];

    assert_not_opened(*state, "/faults: cannot read the fault schedule: No such file");
    write_file(*state, "faults", "any at 1 cut 5\n\nSgin at 1 cut 5\n");
    assert_not_opened(*state, "/faults:3: there is no command 'Sgin'");
    assert_int_equal(unlink(test_path(*state, "faults", path)), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_not_opened(*state, "not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_not_opened(*state, "not a regular file");
}

static void counts_do_not_overwrite_other_files(void **state)
{
    char path[PATH_MAX], text[32] = "";
    FILE *file;

    write_file(*state, "precious", "do not lose this\n");
    write_file(*state, "faults", "count in precious\nany at 1 cut 5\n");
    assert_not_opened(*state, "/precious: cannot count there: the file holds something else");
    file = fopen(test_path(*state, "precious", path), "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    assert_string_equal(text, "do not lose this\n");
    write_file(*state, "faults", "count in no/such/folder\nany at 1 cut 5\n");
    assert_not_opened(*state, "no/such/folder: cannot count there: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_comes_in_the_place_of_the_command),
        TEST(an_answer_after_effect_hides_that_the_command_was_done),
        TEST(every_code_can_be_answered),
        TEST(a_rule_counts_the_commands_that_it_names),
        TEST(all_rules_that_are_due_act_and_the_first_answer_stands),
        TEST(a_delayed_answer_is_waited_for),
        TEST(a_delayed_answer_is_not_there_before_its_time),
        TEST(without_an_answer_the_driver_gives_up_and_goes_on),
        TEST(an_answer_can_be_lost_after_effect),
        TEST(a_timeout_passes_before_the_driver_gives_up),
        TEST(a_cut_answer_reaches_the_client),
        TEST(a_corrupted_answer_has_one_bit_flipped_by_the_seed),
        TEST(the_seed_of_the_configuration_stands_above_the_schedules),
        TEST(a_byte_at_an_offset_is_inverted),
        TEST(handles_that_are_gone_are_unknown_references),
        TEST(handles_go_also_without_a_resource_manager),
        TEST(failure_mode_lasts_until_a_reset),
        TEST(in_failure_mode_a_tpm_still_says_who_made_it),
        TEST(counts_go_on_when_a_connection_is_opened_again),
        TEST(processes_that_share_counts_make_one_schedule),
        TEST(counts_of_another_schedule_are_begun_anew),
        TEST(a_store_that_fails_is_no_effect),
        TEST(a_command_that_stores_nothing_needs_no_disk),
        TEST(the_disk_of_other_threads_is_whole),
        TEST(a_process_dies_before_the_effect),
        TEST(a_process_dies_after_the_effect),
        TEST(a_process_dies_in_the_midst_of_a_store),
        TEST(a_broken_schedule_is_refused_when_the_tcti_is_opened),
        TEST(counts_do_not_overwrite_other_files),
    };

    return cmocka_run_group_tests_name("emulator: faults", tests, NULL, NULL);
}
