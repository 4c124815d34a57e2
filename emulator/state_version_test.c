#include "emulator/test_support.h"

#include "emulator/control.h"
#include "emulator/state_version.h"
#include "emulator/swtpm_file.h"

/* --- the front of a state ------------------------------------------------------- */

static struct blob blob_of(uint8_t *bytes, size_t size)
{
    return (struct blob){bytes, size};
}

static void a_states_formats_are_read(void **state)
{
    uint8_t bytes[] = {0, 9, 0xab, 0x36, 0x47, 0x23, 0, 7, 1, 2, 3};
    struct blob blob = blob_of(bytes, sizeof(bytes));
    struct state_version version = {0xffff, 0xffff};
    char text[64];

    (void)state;
    assert_true(state_version_parse(&blob, STATE_MAGIC_PERMANENT, &version));
    assert_int_equal(version.format, 9);
    assert_int_equal(version.needs, 7);
    assert_string_equal(state_version_describe(&blob, STATE_MAGIC_PERMANENT, text, sizeof(text)),
                        "format 9, for readers of format 7 or newer");
    assert_false(state_version_parse(&blob, STATE_MAGIC_VOLATILE, &version));
    assert_string_equal(state_version_describe(&blob, STATE_MAGIC_VOLATILE, text, sizeof(text)),
                        "of no TPM 2.0 format");
    /* The first format did not say. */
    bytes[1] = 1;
    blob.size = 6;
    assert_true(state_version_parse(&blob, STATE_MAGIC_PERMANENT, &version));
    assert_int_equal(version.needs, 1);
}

static void every_cut_of_it_is_refused(void **state)
{
    uint8_t bytes[] = {0, 3, 0xab, 0x36, 0x47, 0x23, 0, 3};

    (void)state;
    for (size_t size = 0; size < sizeof(bytes); size++) {
        struct blob blob = blob_of(bytes, size);
        struct state_version version = {0xffff, 0xffff};

        assert_false(state_version_parse(&blob, STATE_MAGIC_PERMANENT, &version));
        assert_int_equal(version.format, 0xffff);
    }
}

/* --- states of other versions of libtpms ------------------------------------------ */

static void read_file(const char *path, const char *name, struct blob *ret)
{
    struct directory directory = DIRECTORY_CLOSED;

    assert_int_equal(directory_open(path, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(directory_read(&directory, name, 1 << 22, ret), TSS2_RC_SUCCESS);
    directory_close(&directory);
}

static void replace_file(const char *path, const char *name, const struct blob *content)
{
    struct directory directory = DIRECTORY_CLOSED;

    assert_int_equal(directory_open(path, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(directory_replace(&directory, name, content), TSS2_RC_SUCCESS);
    directory_close(&directory);
}

static void a_state_of_another_libtpms_is_an_error_that_names_both(void **state)
{
    static const struct {
        uint16_t format, needs;
        const char *text;
    } cases[] = {
        {99, 98, "format 99, for readers of format 98 or newer"},
        {1, 1, "format 1, for readers of format 1 or newer"},
        {0, 0, "format 0, for readers of format 0 or newer"},
    };
    BLOB_SCOPE struct blob good = {NULL, 0};

    test_close(test_open(*state));
    read_file(*state, SWTPM_PERMANENT_FILE, &good);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        BLOB_SCOPE struct blob other = {NULL, 0};
        BLOB_SCOPE struct blob after = {NULL, 0};
        TSS2_TCTI_CONTEXT *context = NULL;

        assert_int_equal(blob_copy(good.data, good.size, &other), 0);
        put_u16(other.data + SWTPM_HEADER_SIZE, cases[i].format);
        put_u16(other.data + SWTPM_HEADER_SIZE + 6, cases[i].needs);
        replace_file(*state, SWTPM_PERMANENT_FILE, &other);
        assert_int_not_equal(test_try_open(*state, &context), TSS2_RC_SUCCESS);
        assert_non_null(strstr(signet_tcti_last_error(), cases[i].text));
        assert_non_null(strstr(signet_tcti_last_error(), "libtpms 0."));
        assert_non_null(strstr(signet_tcti_last_error(), SWTPM_PERMANENT_FILE));
        read_file(*state, SWTPM_PERMANENT_FILE, &after);
        assert_int_equal(after.size, other.size);
        assert_memory_equal(after.data, other.data, other.size);
    }
    replace_file(*state, SWTPM_PERMANENT_FILE, &good);
    test_close(test_open(*state));
}

static void a_running_state_of_another_libtpms_is_lost_in_a_reset(void **state)
{
    TPM_STATE_SCOPE struct tpm_state published = TPM_STATE_EMPTY;
    struct directory directory = DIRECTORY_CLOSED;
    struct control control = CONTROL_CLOSED;
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t fresh[32], after[32];
    uint32_t generation;
    uint64_t counter;

    read_pcr(context, 16, fresh);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    test_close(context);

    assert_int_equal(directory_open(*state, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(control_open(&directory, &control), TSS2_RC_SUCCESS);
    generation = control_generation(control_word(&control));
    assert_int_equal(control_read(&control, generation, &published), TSS2_RC_SUCCESS);
    put_u16(published.running.data, 99);
    put_u16(published.running.data + 6, 98);
    assert_int_equal(control_write(&control, generation, &published), TSS2_RC_SUCCESS);
    control_close(&control);
    directory_close(&directory);

    context = test_open(*state);
    assert_int_equal(read_counter(context, COUNTER_INDEX), counter);
    read_pcr(context, 16, after);
    assert_memory_equal(after, fresh, sizeof(after));
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    test_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_states_formats_are_read),
        TEST(every_cut_of_it_is_refused),
        TEST(a_state_of_another_libtpms_is_an_error_that_names_both),
        TEST(a_running_state_of_another_libtpms_is_lost_in_a_reset),
    };

    return cmocka_run_group_tests_name("emulator: versions of states", tests, NULL, NULL);
}
