#include "emulator/test_support.h"

#include "emulator/control.h"
#include "emulator/swtpm_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

static void read_file(const char *directory, const char *name, struct blob *ret)
{
    struct directory open_directory = DIRECTORY_CLOSED;

    assert_int_equal(directory_open(directory, &open_directory), TSS2_RC_SUCCESS);
    assert_int_equal(directory_read(&open_directory, name, 1 << 22, ret), TSS2_RC_SUCCESS);
    directory_close(&open_directory);
}

static void write_file(const char *directory, const char *name, const void *data, size_t size)
{
    char path[PATH_MAX];
    FILE *file = fopen(test_path(directory, name, path), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void expect_not_opened(const char *directory, const char *reason)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    assert_int_not_equal(test_try_open(directory, &context), TSS2_RC_SUCCESS);
    if (!strstr(signet_tcti_last_error(), reason))
        print_error("'%s' says nothing of '%s'\n", signet_tcti_last_error(), reason);
    assert_non_null(strstr(signet_tcti_last_error(), reason));
    assert_non_null(strstr(signet_tcti_last_error(), directory));
}

/* --- manufacture ----------------------------------------------------------- */

static void a_new_tpm_survives_a_developers_typing_errors(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t permanent = get_property(context, TPM2_PT_PERMANENT);

    assert_int_equal(get_property(context, TPM2_PT_MAX_AUTH_FAIL), 32);
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_INTERVAL), 10);
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_RECOVERY), 10);
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), 0);
    assert_int_equal(permanent & (TPMA_PERMANENT_OWNERAUTHSET | TPMA_PERMANENT_ENDORSEMENTAUTHSET |
                                  TPMA_PERMANENT_LOCKOUTAUTHSET),
                     0);
    assert_int_equal(count_handles(context, PERSISTENT_FIRST, NULL), 0);
    test_close(context);
}

static int open_and_name(void *argument)
{
    struct {
        const char *directory;
        int pipe;
    } *race = argument;
    TSS2_TCTI_CONTEXT *context = NULL;
    struct message m, response;

    CHILD_CHECK(test_try_open(race->directory, &context) == TSS2_RC_SUCCESS);
    /* A primary's unique part tells the seed, and so the TPM. */
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadPublic);
    CHILD_CHECK(create_key(context, "", 1, KEY_PLAIN, NULL) == TPM2_RC_SUCCESS);
    add_u32(&m, TRANSIENT_FIRST);
    CHILD_CHECK(run(context, &m, &response) == TPM2_RC_SUCCESS);
    CHILD_CHECK(write(race->pipe, response.bytes + HEADER_SIZE, 64) == 64);
    test_close(context);
    return 0;
}

static void processes_that_race_to_manufacture_make_one_tpm(void **state)
{
    struct {
        const char *directory;
        int pipe;
    } race = {*state, -1};
    uint8_t first[64], other[64];
    pid_t children[8];
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    race.pipe = ends[1];
    for (int i = 0; i < 8; i++)
        children[i] = start_child(open_and_name, &race);
    for (int i = 0; i < 8; i++)
        assert_int_equal(wait_child(children[i]), 0);
    assert_int_equal(read(ends[0], first, sizeof(first)), sizeof(first));
    for (int i = 1; i < 8; i++) {
        assert_int_equal(read(ends[0], other, sizeof(other)), sizeof(other));
        assert_memory_equal(first, other, sizeof(first));
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int open_only(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    return test_try_open(directory, &context) == TSS2_RC_SUCCESS ? 0 : 1;
}

static void a_killed_manufacture_leaves_a_usable_directory(void **state)
{
    for (int i = 0; i < 40; i++) {
        char path[PATH_MAX], name[32];
        pid_t child;

        (void)snprintf(name, sizeof(name), "tpm%d", i);
        child = start_child(open_only, (void *)(uintptr_t)test_path(*state, name, path));
        (void)usleep((useconds_t)(500 + i * 100));
        (void)kill(child, SIGKILL);
        (void)wait_child(child);
        test_close(test_open(path));
    }
}

/* --- broken states ----------------------------------------------------------- */

static void broken_states_are_named_and_left_alone(void **state)
{
    static const struct {
        const char *what;
        size_t keep; /* bytes from the front; 0: all */
        size_t at;
        uint8_t value;
        const char *reason;
    } cases[] = {
        {"cut in the header", 7, 0, 2, "too short"},
        {"cut in the state", 900, 0, 2, "length"},
        {"another format", 0, 1, 9, "newer format"},
        {"a newer libtpms' minimum version", 0, 16 + 7, 99, "libtpms"},
        {"another magic", 0, 16 + 2, 0, "libtpms"},
    };
    BLOB_SCOPE struct blob good = {NULL, 0};

    test_close(test_open(*state));
    read_file(*state, SWTPM_PERMANENT_FILE, &good);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        BLOB_SCOPE struct blob bad = {NULL, 0};
        BLOB_SCOPE struct blob after = {NULL, 0};
        char path[PATH_MAX];

        assert_int_equal(blob_copy(good.data, cases[i].keep ? cases[i].keep : good.size, &bad), 0);
        bad.data[cases[i].at] = cases[i].value;
        write_file(*state, SWTPM_PERMANENT_FILE, bad.data, bad.size);
        expect_not_opened(*state, cases[i].reason);
        assert_non_null(strstr(signet_tcti_last_error(), SWTPM_PERMANENT_FILE));
        read_file(*state, SWTPM_PERMANENT_FILE, &after);
        assert_int_equal(after.size, bad.size);
        assert_memory_equal(after.data, bad.data, bad.size);
        assert_int_not_equal(access(test_path(*state, SWTPM_PERMANENT_FILE ".new", path), F_OK), 0);
    }
    write_file(*state, SWTPM_PERMANENT_FILE, good.data, good.size);
    test_close(test_open(*state));
}

static void every_cut_of_a_state_is_an_error(void **state)
{
    BLOB_SCOPE struct blob good = {NULL, 0};

    test_close(test_open(*state));
    read_file(*state, SWTPM_PERMANENT_FILE, &good);
    for (size_t size = 0; size < good.size; size += 97) {
        BLOB_SCOPE struct blob file = {NULL, 0};
        struct blob cut = {good.data + SWTPM_HEADER_SIZE, size};

        /* Once cut as a file is, once with a header that fits. */
        write_file(*state, SWTPM_PERMANENT_FILE, good.data, size);
        expect_not_opened(*state, SWTPM_PERMANENT_FILE);
        if (size == 0 || size + SWTPM_HEADER_SIZE >= good.size)
            continue;
        assert_int_equal(swtpm_file_wrap(&cut, &file), TSS2_RC_SUCCESS);
        write_file(*state, SWTPM_PERMANENT_FILE, file.data, file.size);
        expect_not_opened(*state, SWTPM_PERMANENT_FILE);
    }
    write_file(*state, SWTPM_PERMANENT_FILE, good.data, good.size);
    test_close(test_open(*state));
}

static void a_directory_in_the_place_of_the_state_is_an_error(void **state)
{
    char path[PATH_MAX];

    assert_int_equal(mkdir(test_path(*state, SWTPM_PERMANENT_FILE, path), 0700), 0);
    expect_not_opened(*state, "not a file");
}

static void a_missing_state_is_not_made_anew_over_a_known_one(void **state)
{
    char path[PATH_MAX];

    test_close(test_open(*state));
    assert_int_equal(unlink(test_path(*state, SWTPM_PERMANENT_FILE, path)), 0);
    expect_not_opened(*state, "missing");
    assert_int_equal(unlink(test_path(*state, CONTROL_FILE, path)), 0);
    test_close(test_open(*state));
}

static void a_broken_control_file_costs_no_more_than_a_reset(void **state)
{
    BLOB_SCOPE struct blob control = {NULL, 0};
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint64_t counter;

    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    test_close(context);
    read_file(*state, CONTROL_FILE, &control);
    for (size_t at = 0; at < control.size; at += 4096 + 512) {
        uint8_t old = control.data[at];

        control.data[at] ^= 0x55;
        write_file(*state, CONTROL_FILE, control.data, control.size);
        control.data[at] = old;
        context = test_open(*state);
        assert_int_equal(read_counter(context, COUNTER_INDEX), counter);
        test_close(context);
    }
    write_file(*state, CONTROL_FILE, "short", 5);
    context = test_open(*state);
    assert_int_equal(read_counter(context, COUNTER_INDEX), counter);
    test_close(context);
}

/* --- reboot -------------------------------------------------------------------- */

/* Makes it look as if the machine had been started since. */
static void reboot(const char *path)
{
    TPM_STATE_SCOPE struct tpm_state published = TPM_STATE_EMPTY;
    struct directory directory = DIRECTORY_CLOSED;
    struct control control = CONTROL_CLOSED;
    uint32_t generation;

    assert_int_equal(directory_open(path, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(control_open(&directory, &control), TSS2_RC_SUCCESS);
    generation = control_generation(control_word(&control));
    assert_int_equal(control_read(&control, generation, &published), TSS2_RC_SUCCESS);
    (void)snprintf(published.boot_id, sizeof(published.boot_id), "00000000-another-boot");
    assert_int_equal(control_write(&control, generation, &published), TSS2_RC_SUCCESS);
    control_close(&control);
    directory_close(&directory);
}

static void a_reboot_of_the_machine_is_a_tpm_reset(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    struct message saved;
    uint32_t key = 0, copy = 0, session = 0, resets;
    uint8_t fresh[32], extended[32], after[32];
    uint64_t counter;

    read_pcr(context, 0, fresh);
    assert_int_equal(extend_pcr(context, 0), TPM2_RC_SUCCESS);
    read_pcr(context, 0, extended);
    assert_memory_not_equal(fresh, extended, sizeof(fresh));
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(context, key, &saved), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(context, TPM2_SE_POLICY, &session, NULL), TPM2_RC_SUCCESS);
    test_close(context);

    context = test_open(*state);
    read_pcr(context, 0, after);
    assert_memory_equal(after, extended, sizeof(after));
    test_close(context);

    reboot(*state);
    context = test_open(*state);
    read_pcr(context, 0, after);
    assert_memory_equal(after, fresh, sizeof(after));
    assert_int_equal(count_handles(context, LOADED_SESSION_FIRST, NULL), 0);
    assert_int_equal(load_context(context, &saved, &copy),
                     TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1);
    assert_int_equal(read_counter(context, COUNTER_INDEX), counter);
    resets = get_property(context, TPM2_PT_PERMANENT);
    assert_int_equal(resets & TPMA_PERMANENT_INLOCKOUT, 0);
    test_close(context);
}

static void reboots_are_no_failed_tries(void **state)
{
    for (int i = 0; i < 3; i++) {
        TSS2_TCTI_CONTEXT *context = test_open(*state);
        uint32_t key = 0;

        assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), 0);
        assert_int_equal(create_key(context, "pw", 1, KEY_DA, &key), TPM2_RC_SUCCESS);
        assert_int_equal(sign(context, key, "pw"), TPM2_RC_SUCCESS);
        test_close(context);
        reboot(*state);
    }
}

/* --- killed between two writes ---------------------------------------------------- */

/* Sets the control file back by one generation, as if the publisher had been
 * killed before the last of its writes, the word. */
static void forget_last_publish(const char *path)
{
    struct directory directory = DIRECTORY_CLOSED;
    struct control control = CONTROL_CLOSED;

    assert_int_equal(directory_open(path, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(control_open(&directory, &control), TSS2_RC_SUCCESS);
    (void)control_flip(&control, control_generation(control_word(&control)) - 1, false);
    control_close(&control);
    directory_close(&directory);
}

static void a_publish_is_whole_wherever_its_process_was_killed(void **state)
{
    for (int file_written = 0; file_written < 2; file_written++) {
        BLOB_SCOPE struct blob before = {NULL, 0};
        char path[PATH_MAX];
        TSS2_TCTI_CONTEXT *context =
            test_open(test_path(*state, file_written ? "new" : "old", path));
        uint8_t extended[32], after[32];
        uint64_t counter;

        assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
        read_pcr(context, 16, extended);
        assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
        assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
        counter = read_counter(context, COUNTER_INDEX);
        read_file(path, SWTPM_PERMANENT_FILE, &before);
        assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
        test_close(context);

        forget_last_publish(path);
        if (!file_written)
            write_file(path, SWTPM_PERMANENT_FILE, before.data, before.size);
        context = test_open(path);
        assert_int_equal(read_counter(context, COUNTER_INDEX), counter + (uint64_t)file_written);
        /* Nor was it a reset. */
        read_pcr(context, 16, after);
        assert_memory_equal(extended, after, sizeof(after));
        test_close(context);
    }
}

/* --- states that cannot be stored ------------------------------------------------- */

/* Failure mode would answer 0x101 to everything. */
static int expect_rolled_back(TSS2_TCTI_CONTEXT *context, uint32_t key, uint64_t counter)
{
    CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    CHILD_CHECK(sign(context, key, "") == TPM2_RC_SUCCESS);
    CHILD_CHECK(read_counter(context, COUNTER_INDEX) == counter);
    return 0;
}

static int write_without_room(void *directory)
{
    struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t key = 0;
    uint64_t counter;

    CHILD_CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHILD_CHECK(test_try_open(directory, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(create_key(context, "", 1, KEY_PLAIN, &key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(define_counter(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    for (int i = 0; i < 3; i++) {
        CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
        CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_NV_UNAVAILABLE);
        CHILD_CHECK(strstr(signet_tcti_last_error(), "cannot write"));
        CHILD_CHECK(extend_pcr(context, 16) == TPM2_RC_NV_UNAVAILABLE);
        CHILD_CHECK(expect_rolled_back(context, key, counter) == 0);
        CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &all) == 0);
        CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
        CHILD_CHECK(read_counter(context, COUNTER_INDEX) == ++counter);
    }
    test_close(context);
    return 0;
}

static void a_write_that_fails_is_a_return_code_and_no_failure_mode(void **state)
{
    assert_int_equal(run_child(write_without_room, *state), 0);
}

static int fill(const char *path)
{
    char block[4096] = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return -1;
    while (write(fd, block, sizeof(block)) > 0)
        continue;
    return close(fd);
}

/* Status 77: a file system of our own is not permitted here. */
static int work_on_full_disk(void *directory)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    char filler[PATH_MAX], path[PATH_MAX];
    uint32_t key = 0;
    uint64_t counter;

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", directory, "tmpfs", 0, "size=4m") != 0)
        return 77;
    (void)test_path(directory, "filler", filler);
    CHILD_CHECK(test_try_open(test_path(directory, "tpm", path), &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(create_key(context, "", 1, KEY_PLAIN, &key) == TPM2_RC_SUCCESS);
    CHILD_CHECK(define_counter(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);

    CHILD_CHECK(fill(filler) == 0);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_NV_UNAVAILABLE);
    CHILD_CHECK(strstr(signet_tcti_last_error(), "No space left"));
    CHILD_CHECK(expect_rolled_back(context, key, counter) == 0);
    CHILD_CHECK(unlink(filler) == 0);
    CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);

    /* A full disk from the start: an error, and a TPM once there is room. */
    CHILD_CHECK(fill(filler) == 0);
    test_close(context);
    CHILD_CHECK(test_try_open(test_path(directory, "new", path), &context) != TSS2_RC_SUCCESS);
    CHILD_CHECK(unlink(filler) == 0);
    CHILD_CHECK(test_try_open(path, &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    test_close(context);

    CHILD_CHECK(test_try_open(test_path(directory, "tpm", path), &context) == TSS2_RC_SUCCESS);
    CHILD_CHECK(read_counter(context, COUNTER_INDEX) == counter + 1);
    test_close(context);
    return 0;
}

static void a_full_disk_is_survived(void **state)
{
    int status = run_child(work_on_full_disk, *state);

    if (status == 77) {
        print_message("mounting a file system is not permitted here; run as root\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void a_directory_that_vanished_is_a_return_code(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = test_open(test_path(*state, "tpm", path));
    uint32_t key = 0;
    uint64_t counter;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    test_remove(path);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_NV_UNAVAILABLE);
    assert_non_null(strstr(signet_tcti_last_error(), path));
    assert_int_equal(expect_rolled_back(context, key, counter), 0);
    test_close(context);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* --- swtpm ------------------------------------------------------------------------- */

#define WITH_SWTPM                                                                                 \
    "swtpm_start() { swtpm socket --tpm2 --tpmstate dir=$PWD/tpm --server "                        \
    "type=unixio,path=$PWD/sock"                                                                   \
    " --ctrl type=unixio,path=$PWD/sock.ctrl --flags startup-clear --daemon --pid file=$PWD/pid; " \
    "}\n"                                                                                          \
    "swtpm_stop() { TPM2TOOLS_TCTI=swtpm:path=$PWD/sock tpm2_shutdown -c; kill $(cat pid);"        \
    " while [ -e pid ]; do sleep 0.02; done; }\n"                                                  \
    "swtpm_do() { TPM2TOOLS_TCTI=swtpm:path=$PWD/sock \"$@\"; }\n"

/* A script that fails leaves no swtpm behind. */
#define WITH_SWTPM_ENDING WITH_SWTPM "trap 'test ! -e pid || kill $(cat pid)' EXIT\n"

static void need_swtpm(void)
{
    need_program("swtpm", "swtpm");
    need_tpm2_tools();
}

static void swtpm_takes_the_directory_and_gives_it_back(void **state)
{
    need_swtpm();
    assert_int_equal(
        run_script(*state, WITH_SWTPM_ENDING
                   "tpm2_nvdefine -Q -C o -s 5 -a 'ownerread|ownerwrite' 0x1500001\n"
                   "printf hello | tpm2_nvwrite -Q -C o -i- 0x1500001\n"
                   "swtpm_start\n"
                   "test \"$(swtpm_do tpm2_nvread -C o -s 5 0x1500001)\" = hello\n"
                   "printf world | swtpm_do tpm2_nvwrite -Q -C o -i- 0x1500001\n"
                   "swtpm_do tpm2_nvdefine -Q -C o -s 3 -a 'ownerread|ownerwrite' 0x1500002\n"
                   "swtpm_stop\n"
                   "test \"$(tpm2_nvread -C o -s 5 0x1500001)\" = world\n"
                   "printf abc | tpm2_nvwrite -Q -C o -i- 0x1500002\n"
                   "test \"$(tpm2_nvread -C o -s 3 0x1500002)\" = abc\n"
                   "tpm2_getcap properties-variable | grep -q 'LOCKOUT_COUNTER: 0x0'\n"
                   "swtpm_start\n"
                   "test \"$(swtpm_do tpm2_nvread -C o -s 3 0x1500002)\" = abc\n"
                   "swtpm_stop\n"),
        0);
}

static void a_directory_that_swtpm_made_is_taken(void **state)
{
    need_swtpm();
    assert_int_equal(
        run_script(*state, WITH_SWTPM_ENDING
                   "mkdir tpm; swtpm_start\n"
                   "swtpm_do tpm2_nvdefine -Q -C o -s 5 -a 'ownerread|ownerwrite' 0x1500001\n"
                   "printf hello | swtpm_do tpm2_nvwrite -Q -C o -i- 0x1500001\n"
                   "swtpm_stop\n"
                   "test \"$(tpm2_nvread -C o -s 5 0x1500001)\" = hello\n"),
        0);
}

static void a_running_swtpm_is_a_clear_error(void **state)
{
    char path[PATH_MAX];

    need_swtpm();
    assert_int_equal(run_script(*state, WITH_SWTPM "mkdir tpm; swtpm_start\n"), 0);
    expect_not_opened(test_path(*state, "tpm", path), "running swtpm");
    assert_int_equal(run_script(*state, WITH_SWTPM "swtpm_stop\n"), 0);
    test_close(test_open(path));
}

static void swtpm_does_not_start_on_a_directory_in_use(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context;

    need_swtpm();
    context = test_open(test_path(*state, "tpm", path));
    assert_int_equal(
        run_script(*state, WITH_SWTPM "if swtpm_start >/dev/null 2>&1; then exit 1; fi\n"), 0);
    test_close(context);
    assert_int_equal(run_script(*state, WITH_SWTPM "swtpm_start; swtpm_stop\n"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_tpm_survives_a_developers_typing_errors),
        TEST(processes_that_race_to_manufacture_make_one_tpm),
        TEST(a_killed_manufacture_leaves_a_usable_directory),
        TEST(broken_states_are_named_and_left_alone),
        TEST(every_cut_of_a_state_is_an_error),
        TEST(a_directory_in_the_place_of_the_state_is_an_error),
        TEST(a_missing_state_is_not_made_anew_over_a_known_one),
        TEST(a_broken_control_file_costs_no_more_than_a_reset),
        TEST(a_reboot_of_the_machine_is_a_tpm_reset),
        TEST(reboots_are_no_failed_tries),
        TEST(a_publish_is_whole_wherever_its_process_was_killed),
        TEST(a_write_that_fails_is_a_return_code_and_no_failure_mode),
        TEST(a_full_disk_is_survived),
        TEST(a_directory_that_vanished_is_a_return_code),
        TEST(swtpm_takes_the_directory_and_gives_it_back),
        TEST(a_directory_that_swtpm_made_is_taken),
        TEST(a_running_swtpm_is_a_clear_error),
        TEST(swtpm_does_not_start_on_a_directory_in_use),
    };

    return cmocka_run_group_tests_name("emulator: state", tests, NULL, NULL);
}
