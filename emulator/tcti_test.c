#include "emulator/test_support.h"

#include <dlfcn.h>

static const uint8_t random_command[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 8};

static void the_info_names_the_tcti(void **state)
{
    const TSS2_TCTI_INFO *info = Tss2_Tcti_Info();

    (void)state;
    assert_int_equal(info->version, 2);
    assert_string_equal(info->name, "signet");
    assert_non_null(info->description);
    assert_non_null(info->config_help);
    assert_ptr_equal(info, Tss2_Tcti_Info());
}

static void init_asks_for_its_size_and_checks_its_arguments(void **state)
{
    const TSS2_TCTI_INFO *info = Tss2_Tcti_Info();
    uint8_t small[16];
    size_t size = 0xa5;

    (void)state;
    assert_int_equal(info->init(NULL, NULL, NULL), TSS2_TCTI_RC_BAD_VALUE);
    assert_int_equal(info->init(NULL, &size, NULL), TSS2_RC_SUCCESS);
    assert_true(size > sizeof(TSS2_TCTI_CONTEXT_COMMON_V2));
    size = sizeof(small);
    assert_int_equal(info->init((TSS2_TCTI_CONTEXT *)(void *)small, &size, "dir=/x"),
                     TSS2_TCTI_RC_BAD_VALUE);
}

static void a_failing_init_says_why(void **state)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    char path[PATH_MAX];
    FILE *file = fopen(test_path(*state, "file", path), "w");

    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(test_try_open(path, &context), TSS2_TCTI_RC_IO_ERROR);
    assert_non_null(strstr(signet_tcti_last_error(), path));
    assert_null(context);
}

static void missing_directories_are_made_for_the_owner_alone(void **state)
{
    char path[PATH_MAX];
    struct stat status;
    mode_t mask = umask(0117);
    TSS2_TCTI_CONTEXT *context = test_open(test_path(*state, "a/b/c", path));

    (void)umask(mask);
    test_close(context);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(test_path(*state, "a", path), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(test_path(*state, "a/b/c/tpm2-00.permall", path), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(stat(test_path(*state, "a/b/c/signet.state", path), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void calls_out_of_order_are_refused(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t response[64];
    size_t size = sizeof(response);

    assert_int_equal(Tss2_Tcti_Receive(context, &size, response, -1), TSS2_TCTI_RC_BAD_SEQUENCE);
    assert_int_equal(Tss2_Tcti_Cancel(context), TSS2_TCTI_RC_BAD_SEQUENCE);
    assert_int_equal(Tss2_Tcti_Transmit(context, sizeof(random_command), random_command),
                     TSS2_RC_SUCCESS);
    assert_int_equal(Tss2_Tcti_Transmit(context, sizeof(random_command), random_command),
                     TSS2_TCTI_RC_BAD_SEQUENCE);
    assert_int_equal(Tss2_Tcti_SetLocality(context, 1), TSS2_TCTI_RC_BAD_SEQUENCE);
    assert_int_equal(Tss2_Tcti_Cancel(context), TSS2_RC_SUCCESS);
    assert_int_equal(Tss2_Tcti_Receive(context, &size, response, 0), TSS2_RC_SUCCESS);
    assert_int_equal(Tss2_Tcti_Receive(context, &size, response, 0), TSS2_TCTI_RC_BAD_SEQUENCE);
    test_close(context);
}

static void a_small_buffer_can_be_tried_again(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint8_t response[64];
    size_t size = 0xa5a5;

    assert_int_equal(Tss2_Tcti_Transmit(context, sizeof(random_command), random_command),
                     TSS2_RC_SUCCESS);
    assert_int_equal(Tss2_Tcti_Receive(context, &size, NULL, -1), TSS2_RC_SUCCESS);
    assert_int_equal(size, 20);
    size = 19;
    assert_int_equal(Tss2_Tcti_Receive(context, &size, response, -1),
                     TSS2_TCTI_RC_INSUFFICIENT_BUFFER);
    assert_int_equal(size, 20);
    assert_int_equal(Tss2_Tcti_Receive(context, &size, response, -1), TSS2_RC_SUCCESS);
    assert_int_equal(size, 20);
    test_close(context);
}

static void bad_arguments_are_refused(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    static uint8_t huge[MESSAGE_MAX + 1];
    uint8_t response[64];
    size_t size = sizeof(response);
    TPM2_HANDLE handle = 0;

    assert_int_equal(Tss2_Tcti_Transmit(context, 12, NULL), TSS2_TCTI_RC_BAD_REFERENCE);
    assert_int_equal(Tss2_Tcti_Transmit(context, 0, random_command), TSS2_TCTI_RC_BAD_VALUE);
    assert_int_equal(Tss2_Tcti_Transmit(context, sizeof(huge), huge), TSS2_TCTI_RC_BAD_VALUE);
    assert_int_equal(Tss2_Tcti_Receive(context, NULL, response, -1), TSS2_TCTI_RC_BAD_REFERENCE);
    assert_int_equal(Tss2_Tcti_Receive(context, &size, response, -2), TSS2_TCTI_RC_BAD_VALUE);
    assert_int_equal(Tss2_Tcti_SetLocality(context, 5), TSS2_TCTI_RC_BAD_VALUE);
    assert_int_equal(Tss2_Tcti_SetLocality(context, 3), TSS2_RC_SUCCESS);
    assert_int_equal(Tss2_Tcti_GetPollHandles(context, NULL, NULL), TSS2_TCTI_RC_BAD_REFERENCE);
    assert_int_equal(Tss2_Tcti_GetPollHandles(context, NULL, &size), TSS2_TCTI_RC_NOT_IMPLEMENTED);
    assert_int_equal(Tss2_Tcti_MakeSticky(context, NULL, 1), TSS2_TCTI_RC_BAD_REFERENCE);
    assert_int_equal(Tss2_Tcti_MakeSticky(context, &handle, 1), TSS2_TCTI_RC_NOT_IMPLEMENTED);
    test_close(context);
}

static void a_finalized_context_is_refused(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    TSS2_TCTI_CONTEXT_COMMON_V2 calls = *(TSS2_TCTI_CONTEXT_COMMON_V2 *)(void *)context;
    size_t size = 0;

    Tss2_Tcti_Finalize(context);
    calls.v1.finalize(context);
    assert_int_equal(calls.v1.transmit(context, 12, random_command), TSS2_TCTI_RC_BAD_CONTEXT);
    assert_int_equal(calls.v1.receive(context, &size, NULL, -1), TSS2_TCTI_RC_BAD_CONTEXT);
    assert_int_equal(calls.v1.cancel(context), TSS2_TCTI_RC_BAD_CONTEXT);
    assert_int_equal(calls.v1.setLocality(context, 0), TSS2_TCTI_RC_BAD_CONTEXT);
    assert_int_equal(calls.v1.getPollHandles(NULL, NULL, &size), TSS2_TCTI_RC_BAD_CONTEXT);
    assert_int_equal(calls.makeSticky(NULL, NULL, 0), TSS2_TCTI_RC_BAD_CONTEXT);
    calls.v1.finalize(NULL);
    free(context);
}

static void the_locality_reaches_the_tpm(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);

    /* PCR 20 is extended from locality 1 up. */
    assert_int_equal(extend_pcr(context, 20), TPM2_RC_LOCALITY);
    assert_int_equal(Tss2_Tcti_SetLocality(context, 2), TSS2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 20), TPM2_RC_SUCCESS);
    test_close(context);
}

static void truncated_and_random_commands_get_an_error_and_do_no_harm(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    struct message m, response;
    uint32_t key = 0;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_Sign);
    add_u32(&m, key);
    add_password(&m, "");
    add_2b(&m, "a digest");
    for (size_t size = 1; size <= m.size; size++) {
        put_u32(m.bytes + 2, (uint32_t)size);
        assert_int_not_equal(test_send(context, m.bytes, size, &response), TPM2_RC_SUCCESS);
    }
    srandom(1);
    for (int i = 0; i < 3000; i++) {
        m.size = HEADER_SIZE + (size_t)random() % 200;
        for (size_t at = 0; at < m.size; at++)
            m.bytes[at] = (uint8_t)random();
        put_u16(m.bytes, i & 1 ? TPM2_ST_SESSIONS : TPM2_ST_NO_SESSIONS);
        put_u32(m.bytes + 2, (uint32_t)m.size);
        put_u32(m.bytes + 6, TPM2_CC_FIRST + (uint32_t)random() % 0x80);
        if (m.size >= 14 && i & 2)
            put_u32(m.bytes + 10, key);
        (void)test_send(context, m.bytes, m.size, &response);
    }
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    test_close(context);
}

static void startup_and_shutdown_do_not_disturb_a_running_tpm(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    struct message m, response;
    uint32_t key = 0;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    for (uint16_t type = TPM2_SU_CLEAR; type <= TPM2_SU_STATE; type++) {
        begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_Startup);
        add_u16(&m, type);
        assert_int_equal(run(context, &m, &response), TPM2_RC_INITIALIZE);
        begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_Shutdown);
        add_u16(&m, type);
        assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
        assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
        assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    }
    test_close(context);
}

static int use_loaded_library(const char *file, const char *directory)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    TSS2_TCTI_INFO_FUNC info;
    TSS2_TCTI_CONTEXT *context;
    uint8_t response[64];
    char text[PATH_MAX + 8];
    size_t size = 0;

    CHILD_CHECK(library != NULL);
    info = (TSS2_TCTI_INFO_FUNC)dlsym(library, TSS2_TCTI_INFO_SYMBOL);
    CHILD_CHECK(info != NULL && dlsym(library, "signet_tcti_last_error") != NULL);
    (void)snprintf(text, sizeof(text), "dir=%s", directory);
    CHILD_CHECK(info()->init(NULL, &size, NULL) == TSS2_RC_SUCCESS);
    context = calloc(1, size);
    CHILD_CHECK(context && info()->init(context, &size, text) == TSS2_RC_SUCCESS);
    CHILD_CHECK(Tss2_Tcti_Transmit(context, sizeof(random_command), random_command) ==
                TSS2_RC_SUCCESS);
    size = sizeof(response);
    CHILD_CHECK(Tss2_Tcti_Receive(context, &size, response, -1) == TSS2_RC_SUCCESS && size == 20);
    Tss2_Tcti_Finalize(context);
    free(context);
    CHILD_CHECK(dlclose(library) == 0);
    return 0;
}

static bool mapped(const char *name)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 128];
    bool found = false;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        found = found || strstr(line, name);
    (void)fclose(maps);
    return found;
}

static void the_library_can_be_unloaded_and_loaded_again(void **state)
{
    char directory[PATH_MAX], file[PATH_MAX + 64];

    if (!library_directory(directory)) {
        print_message("libtss2-tcti-signet.so.0 not found; set SIGNET_TCTI_DIR\n");
        skip();
    }
    (void)snprintf(file, sizeof(file), "%s/libtss2-tcti-signet.so.0", directory);
    for (int i = 0; i < 5; i++)
        assert_int_equal(use_loaded_library(file, *state), 0);
    assert_false(mapped("libtpms"));
    /* If the library is gone, its fork handlers must be, too. */
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            _exit(0);
        assert_int_equal(wait_child(child), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_info_names_the_tcti),
        TEST(init_asks_for_its_size_and_checks_its_arguments),
        TEST(a_failing_init_says_why),
        TEST(missing_directories_are_made_for_the_owner_alone),
        TEST(calls_out_of_order_are_refused),
        TEST(a_small_buffer_can_be_tried_again),
        TEST(bad_arguments_are_refused),
        TEST(a_finalized_context_is_refused),
        TEST(the_locality_reaches_the_tpm),
        TEST(truncated_and_random_commands_get_an_error_and_do_no_harm),
        TEST(startup_and_shutdown_do_not_disturb_a_running_tpm),
        TEST(the_library_can_be_unloaded_and_loaded_again),
    };

    return cmocka_run_group_tests_name("emulator: the TCTI", tests, NULL, NULL);
}
