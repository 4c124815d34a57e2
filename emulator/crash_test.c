/* A process that is killed at any operation on the disk leaves the old state or
 * the new one, whole; and the new one if its client had the answer. */

#include "emulator/crash_support.h"

#include <sys/mman.h>

/* Kills the process at the operation of this number, counted from 0. */
struct killer {
    unsigned at;
    enum disk_outcome outcome;
    size_t eighths; /* of a write that it dies in */
    unsigned seen;
    uint64_t writes; /* a bit for each operation that can be half done */
};

static struct disk_fate kill_at(void *data, const struct disk_operation *operation)
{
    struct killer *killer = data;

    if (operation->kind == DISK_WRITE && killer->seen < 64)
        killer->writes |= (uint64_t)1 << killer->seen;
    if (killer->seen++ != killer->at)
        return (struct disk_fate){DISK_GOES_ON, 0, 0};
    return (struct disk_fate){killer->outcome, 0, operation->size * killer->eighths / 8};
}

/* What the child tells; in memory that it shares with the test. */
struct report {
    volatile bool answered;
    volatile unsigned operations;
    volatile uint64_t writes;
};

struct run {
    const char *directory;
    const struct deed *deed; /* NULL: the manufacture */
    struct killer killer;
    struct report *report;
};

static int do_and_die(void *argument)
{
    struct run *job = argument;
    TSS2_TCTI_CONTEXT *context = NULL;

    if (!job->deed)
        disk_watch(kill_at, &job->killer);
    CHILD_CHECK(test_try_open(job->directory, &context) == TSS2_RC_SUCCESS);
    if (job->deed) {
        disk_watch(kill_at, &job->killer);
        CHILD_CHECK(job->deed->run(context) == job->deed->rc);
    }
    disk_watch(NULL, NULL);
    job->report->answered = true;
    job->report->operations = job->killer.seen;
    job->report->writes = job->killer.writes;
    test_close(context);
    return 0;
}

static struct report *new_report(void)
{
    struct report *report =
        mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(report != MAP_FAILED);
    return report;
}

#define NOBODY                                                                                     \
    {                                                                                              \
        .at = UINT32_MAX                                                                           \
    }

/* How it can die at one operation. */
static const struct {
    enum disk_outcome outcome;
    size_t eighths;
} ways[] = {
    {DISK_DIES_BEFORE, 0}, {DISK_DIES_AFTER, 0},  {DISK_DIES_DURING, 1},
    {DISK_DIES_DURING, 4}, {DISK_DIES_DURING, 7},
};

/* How many of them there are at the operation. */
static size_t ways_at(const struct report *report, unsigned at)
{
    bool write = at < 64 && (report->writes >> at & 1);

    return write ? sizeof(ways) / sizeof(ways[0]) : 2;
}

static struct killer killer_of(unsigned at, size_t way)
{
    return (struct killer){.at = at, .outcome = ways[way].outcome, .eighths = ways[way].eighths};
}

/* Old or new, and new if it was answered. */
static void expect_whole(const struct run *job, const struct look *old, const struct look *new,
                         const struct look *found)
{
    bool right = looks_equal(found, new) || (!job->report->answered && looks_equal(found, old));

    if (!right)
        print_error("%s, killed at operation %u in way %d (%zu/8), answered %d: neither old nor "
                    "new\n",
                    job->deed->name, job->killer.at, (int)job->killer.outcome, job->killer.eighths,
                    job->report->answered);
    assert_true(right);
}

/* The TPM goes on: the deed can be done, again or for the first time. */
static void expect_goes_on(const char *directory)
{
    TSS2_TCTI_CONTEXT *context = test_open(directory);
    struct look before = look_at(context, false);

    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    if (before.indexes == 0) {
        assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
        assert_int_equal(define_data(context), TPM2_RC_SUCCESS);
        assert_int_equal(write_data(context, "old data"), TPM2_RC_SUCCESS);
    }
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    before = look_at(context, false);
    test_close(context);
    context = test_open(directory);
    assert_int_equal(read_counter(context, COUNTER_INDEX), before.counter);
    test_close(context);
    expect_tidy(directory);
}

/* watched: another process works on the directory all the while, and what it
 * sees afterwards must be what those see that come later. */
static void kill_once(struct run *job, const char *template, bool watched, const struct look *old,
                      const struct look *new)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    struct look seen, found;
    int status;

    copy_directory(template, job->directory);
    job->report->answered = false;
    if (watched)
        context = test_open(job->directory);
    status = run_child(do_and_die, job);
    assert_true(status == 0 || status == 1000 + SIGKILL);
    if (watched) {
        seen = look_at(context, false);
        expect_whole(job, old, new, &seen);
        assert_int_equal(extend_pcr(context, 0), TPM2_RC_SUCCESS);
        test_close(context);
    }
    found = look_into(job->directory, false);
    expect_whole(job, old, new, &found);
    if (watched)
        assert_true(looks_equal(&seen, &found));
    expect_goes_on(job->directory);
    test_remove(job->directory);
}

static void kill_at_every_operation(const char *directory, const struct deed *deed, bool watched)
{
    char template[PATH_MAX], done[PATH_MAX], path[PATH_MAX];
    struct run job = {test_path(directory, "tpm", path), deed, NOBODY, new_report()};
    struct look old, new;
    unsigned operations;

    prepare_deeds(test_path(directory, "template", template));
    old = look_into(template, false);
    copy_directory(template, test_path(directory, "done", done));
    job.directory = done;
    assert_int_equal(run_child(do_and_die, &job), 0);
    operations = job.report->operations;
    assert_in_range(operations, deed->lost_in_reset ? 2 : 8, 20);
    new = look_into(done, false);
    assert_false(looks_equal(&old, &new));
    job.directory = path;
    for (unsigned at = 0; at <= operations; at++)
        for (size_t way = 0; way < ways_at(job.report, at); way++) {
            job.killer = killer_of(at, way);
            kill_once(&job, template, watched, &old, &new);
        }
    test_remove(template);
    test_remove(done);
    (void)munmap(job.report, sizeof(*job.report));
}

static void a_killed_command_is_done_or_not(void **state)
{
    for (size_t i = 0; i < DEEDS; i++)
        kill_at_every_operation(*state, &deeds[i], false);
}

static void those_who_work_on_see_what_those_see_who_come_later(void **state)
{
    for (size_t i = 0; i < DEEDS; i++)
        kill_at_every_operation(*state, &deeds[i], true);
}

static void a_killed_manufacture_leaves_a_tpm_or_nothing(void **state)
{
    char path[PATH_MAX];
    /* Two new directories deep. */
    struct run job = {test_path(*state, "new/tpm", path), NULL, NOBODY, new_report()};
    char parent[PATH_MAX];
    unsigned operations;

    (void)test_path(*state, "new", parent);
    assert_int_equal(run_child(do_and_die, &job), 0);
    operations = job.report->operations;
    assert_in_range(operations, 16, 40);
    for (unsigned at = 0; at <= operations; at++)
        for (size_t way = 0; way < ways_at(job.report, at); way++) {
            struct look first, second;

            test_remove(parent);
            job.killer = killer_of(at, way);
            assert_int_equal(run_child(do_and_die, &job), at < operations ? 1000 + SIGKILL : 0);
            first = look_into(path, true);
            second = look_into(path, true);
            assert_true(looks_equal(&first, &second));
            assert_int_equal(first.certificates, CERTIFICATES);
            expect_goes_on(path);
        }
    (void)munmap(job.report, sizeof(*job.report));
}

/* --- starts that are more than taking over ----------------------------------------- */

static void change_version(const char *path)
{
    char file[PATH_MAX];
    FILE *control = fopen(test_path(path, CONTROL_FILE, file), "r+e");

    assert_non_null(control);
    assert_int_equal(fseek(control, 8, SEEK_SET), 0);
    assert_int_equal(fputc(99, control), 99);
    assert_int_equal(fclose(control), 0);
}

/* As swtpm leaves it: its two files, and none of ours. */
static void leave_as_swtpm(const char *path)
{
    TPM_STATE_SCOPE struct tpm_state published = TPM_STATE_EMPTY;
    BLOB_SCOPE struct blob file = {NULL, 0};
    struct directory directory = DIRECTORY_CLOSED;
    struct control control = CONTROL_CLOSED;

    assert_int_equal(directory_open(path, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(control_open(&directory, &control), TSS2_RC_SUCCESS);
    assert_int_equal(control_read(&control, control_generation(control_word(&control)), &published),
                     TSS2_RC_SUCCESS);
    assert_int_equal(swtpm_file_wrap(&published.running, &file), TSS2_RC_SUCCESS);
    assert_int_equal(directory_replace(&directory, SWTPM_VOLATILE_FILE, &file), TSS2_RC_SUCCESS);
    assert_int_equal(directory_remove(&directory, CONTROL_FILE), TSS2_RC_SUCCESS);
    control_close(&control);
    directory_close(&directory);
}

static const struct {
    const char *name;
    void (*change)(const char *path);
    bool resets;
    uint32_t tries; /* that it may count: those of a TPM whose volatile state is lost */
} starts[] = {
    {"after a reboot", reboot, true, 0},
    {"from another version's file", change_version, true, 1},
    {"from swtpm", leave_as_swtpm, false, 0},
};

static void expect_started(const char *path, size_t start, const struct look *before)
{
    struct look found = look_into(path, false), like = found;
    static const uint8_t fresh[32];

    assert_in_range(found.failed_tries, before->failed_tries,
                    before->failed_tries + starts[start].tries);
    like.failed_tries = before->failed_tries;
    if (starts[start].resets) {
        assert_memory_equal(found.pcr, fresh, sizeof(fresh));
        memcpy(like.pcr, before->pcr, sizeof(like.pcr));
    }
    assert_true(looks_equal(&like, before));
    expect_goes_on(path);
}

static void start_once(struct run *job, const char *template, size_t start,
                       const struct look *before, int status)
{
    copy_directory(template, job->directory);
    starts[start].change(job->directory);
    assert_int_equal(run_child(do_and_die, job), status);
    expect_started(job->directory, start, before);
    test_remove(job->directory);
}

static void kill_start(const char *directory, const char *template, size_t start)
{
    char path[PATH_MAX];
    struct run job = {test_path(directory, "tpm", path), NULL, NOBODY, new_report()};
    struct look before = look_into(template, false);

    start_once(&job, template, start, &before, 0);
    assert_in_range(job.report->operations, 4, 30);
    for (unsigned at = 0; at < job.report->operations; at++)
        for (size_t way = 0; way < ways_at(job.report, at); way++) {
            job.killer = killer_of(at, way);
            start_once(&job, template, start, &before, 1000 + SIGKILL);
        }
    (void)munmap(job.report, sizeof(*job.report));
}

static void a_killed_start_can_be_repeated(void **state)
{
    char template[PATH_MAX];

    prepare_deeds(test_path(*state, "template", template));
    for (size_t start = 0; start < sizeof(starts) / sizeof(starts[0]); start++)
        kill_start(*state, template, start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAST_TEST(a_killed_command_is_done_or_not),
        FAST_TEST(those_who_work_on_see_what_those_see_who_come_later),
        FAST_TEST(a_killed_start_can_be_repeated),
        FAST_TEST(a_killed_manufacture_leaves_a_tpm_or_nothing),
    };

    return cmocka_run_group_tests_name("emulator: killed processes", tests, NULL, NULL);
}
