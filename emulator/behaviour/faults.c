#include "emulator/behaviour/faults.h"

#include "emulator/behaviour/counts.h"
#include "emulator/behaviour/disk_fault.h"
#include "emulator/behaviour/failure.h"
#include "emulator/behaviour/handles.h"
#include "emulator/behaviour/schedule.h"
#include "emulator/command.h"
#include "emulator/descriptor.h"
#include "emulator/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

struct faults {
    struct stage stage;
    struct connection *connection;
    struct schedule *schedule;
    struct counts *counts;
    bool counts_are_mapped;
};

/* A rule that is due. */
struct due {
    const struct rule *rule;
    uint64_t draw;
};

/* One command, and what is to happen to it. */
struct play {
    struct faults *faults;
    struct exchange *exchange;
    bool answered; /* the command is not run: it has its answer */
    struct disk_fault disk;
    size_t due_count;
    struct due due[SCHEDULE_RULES_MAX];
};

/* --- what the faults do ---------------------------------------------------- */

/* The first rule that keeps the command from the TPM says what it is answered. */
static void answer(struct play *play, const struct due *due)
{
    if (play->answered)
        return;
    respond_code(due->rule->value, play->exchange->response);
    play->answered = true;
}

static void answer_after(struct play *play, const struct due *due)
{
    respond_code(due->rule->value, play->exchange->response);
}

static void lose_answer(struct play *play, const struct due *due)
{
    play->exchange->lost = TSS2_TCTI_RC_IO_ERROR;
    play->exchange->delay += due->rule->microseconds;
}

/* A client that cancels a command that was never done learns just that. */
static void lose_command(struct play *play, const struct due *due)
{
    if (play->answered)
        return;
    respond_code(TPM2_RC_CANCELED, play->exchange->response);
    play->answered = true;
    lose_answer(play, due);
}

static void delay(struct play *play, const struct due *due)
{
    play->exchange->delay += due->rule->microseconds;
}

static void cut(struct play *play, const struct due *due)
{
    struct message *response = play->exchange->response;

    if (due->rule->value < response->size)
        response->size = due->rule->value;
}

static void corrupt(struct play *play, const struct due *due)
{
    struct message *response = play->exchange->response;

    if (response->size > 0)
        response->bytes[due->draw / 8 % response->size] ^= (uint8_t)(1u << due->draw % 8);
}

static void corrupt_at(struct play *play, const struct due *due)
{
    struct message *response = play->exchange->response;

    if (due->rule->value < response->size)
        response->bytes[due->rule->value] ^= 0xff;
}

static void cycle_power(struct play *play, enum tpm_reset how)
{
    if (connection_reset(play->faults->connection, how) == TSS2_RC_SUCCESS) {
        atomic_store(&play->faults->counts->failure_mode, 0);
        return;
    }
    error_prefix("faults");
    respond_code(TPM2_RC_NV_UNAVAILABLE, play->exchange->response);
    play->answered = true;
}

static void reset(struct play *play, const struct due *due)
{
    (void)due;
    cycle_power(play, TPM_RESET);
}

static void restart(struct play *play, const struct due *due)
{
    (void)due;
    cycle_power(play, TPM_RESTART);
}

static void resume(struct play *play, const struct due *due)
{
    (void)due;
    cycle_power(play, TPM_RESUME);
}

static void lose_power(struct play *play, const struct due *due)
{
    (void)due;
    cycle_power(play, TPM_POWER_LOSS);
}

static void drop_handles(struct play *play, const struct due *due)
{
    (void)due;
    handles_flush(play->faults->stage.next);
}

static void enter_failure_mode(struct play *play, const struct due *due)
{
    (void)due;
    atomic_store(&play->faults->counts->failure_mode, 1);
}

static void break_disk(struct play *play, const struct due *due)
{
    play->disk.error = (int)due->rule->value;
}

static void die_in_store(struct play *play, const struct due *due)
{
    play->disk.at = due->rule->value;
}

static void die(struct play *play, const struct due *due)
{
    (void)play;
    (void)due;
    (void)kill(getpid(), SIGKILL);
}

/* When each fault acts: before the command runs, after it ran, or on whatever
 * answer there is. */
static const struct {
    void (*before)(struct play *play, const struct due *due);
    void (*after)(struct play *play, const struct due *due);
    void (*on_answer)(struct play *play, const struct due *due);
} acts[FAULTS] = {
    [FAULT_ANSWER] = {answer, answer_after, NULL},
    [FAULT_NO_ANSWER] = {lose_command, lose_answer, NULL},
    [FAULT_DELAY] = {NULL, NULL, delay},
    [FAULT_CUT] = {NULL, NULL, cut},
    [FAULT_CORRUPT] = {NULL, NULL, corrupt},
    [FAULT_CORRUPT_AT] = {NULL, NULL, corrupt_at},
    [FAULT_RESET] = {reset, NULL, NULL},
    [FAULT_RESTART] = {restart, NULL, NULL},
    [FAULT_RESUME] = {resume, NULL, NULL},
    [FAULT_POWER_LOSS] = {lose_power, NULL, NULL},
    [FAULT_HANDLES_GONE] = {drop_handles, NULL, NULL},
    [FAULT_FAILURE_MODE] = {enter_failure_mode, NULL, NULL},
    [FAULT_DISK] = {break_disk, NULL, NULL},
    [FAULT_DIE_BEFORE] = {die, NULL, NULL},
    [FAULT_DIE_AFTER] = {NULL, die, NULL},
    [FAULT_DIE_IN_STORE] = {die_in_store, NULL, NULL},
};

/* --- a command ------------------------------------------------------------- */

static void find_due(struct play *play)
{
    const struct message *command = play->exchange->command;
    const struct faults *faults = play->faults;
    const struct schedule *schedule = faults->schedule;
    uint32_t code = command->size >= HEADER_SIZE ? get_u32(command->bytes + 6) : 0;

    play->due_count = 0;
    for (size_t i = 0; i < schedule->rule_count; i++) {
        uint64_t count;

        if (!rule_matches(&schedule->rules[i], code))
            continue;
        count = atomic_fetch_add(&faults->counts->rules[i], 1) + 1;
        if (schedule_is_due(schedule, i, count))
            play->due[play->due_count++] =
                (struct due){&schedule->rules[i], schedule_draw(schedule, i, count)};
    }
}

static void act_before(struct play *play)
{
    for (size_t i = 0; i < play->due_count; i++) {
        const struct rule *rule = play->due[i].rule;

        if (!rule->after_effect && acts[rule->fault].before)
            acts[rule->fault].before(play, &play->due[i]);
    }
}

/* What acted before in the place of the command leaves nothing to act after. */
static void act_after(struct play *play)
{
    for (size_t i = 0; i < play->due_count; i++)
        if (acts[play->due[i].rule->fault].after)
            acts[play->due[i].rule->fault].after(play, &play->due[i]);
}

static void act_on_answer(struct play *play)
{
    for (size_t i = 0; i < play->due_count; i++)
        if (acts[play->due[i].rule->fault].on_answer)
            acts[play->due[i].rule->fault].on_answer(play, &play->due[i]);
}

/* The command, with what its operations on the disk are to meet. */
static void run_on_disk(struct play *play)
{
    bool meets = play->disk.error != 0 || play->disk.at != 0;

    if (meets && !disk_fault_begin(&play->disk)) {
        error_set("faults: too many threads meet a fault of the disk at once");
        respond_code(TPM2_RC_NV_UNAVAILABLE, play->exchange->response);
        return;
    }
    stage_run(play->faults->stage.next, play->exchange);
    if (meets)
        disk_fault_end();
}

static void run_command(struct play *play)
{
    if (atomic_load(&play->faults->counts->failure_mode))
        failure_answer(play->faults->stage.next, play->exchange);
    else
        run_on_disk(play);
}

static void faults_run(struct stage *stage, struct exchange *exchange)
{
    struct play play; /* not initialised as a whole: most of it is never used */

    play.faults = (struct faults *)(void *)stage;
    play.exchange = exchange;
    play.answered = false;
    play.disk = (struct disk_fault){0, 0};
    find_due(&play);
    act_before(&play);
    if (!play.answered) {
        run_command(&play);
        act_after(&play);
    }
    act_on_answer(&play);
}

/* --- opening --------------------------------------------------------------- */

static void faults_close(struct stage *stage)
{
    struct faults *faults = (struct faults *)(void *)stage;

    if (faults->counts_are_mapped)
        counts_unmap(faults->counts);
    free(faults->schedule);
    free(faults);
}

static const struct stage_operations faults_operations = {faults_run, faults_close};

static TSS2_RC refuse(const char *path, const char *why)
{
    error_set("%.300s: cannot read the fault schedule: %s", path, why);
    return TSS2_TCTI_RC_BAD_VALUE;
}

static TSS2_RC read_schedule(const char *path, char *text, size_t room, size_t *ret_size)
{
    FD_SCOPE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t got = 1;
    size_t size = 0;

    if (fd < 0 || fstat(fd, &status) != 0)
        return refuse(path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(path, "it is not a regular file");
    while (got > 0 && size < room) {
        got = read(fd, text + size, room - size);
        if (got < 0)
            return refuse(path, strerror(errno));
        size += (size_t)got;
    }
    *ret_size = size;
    return TSS2_RC_SUCCESS;
}

/* The path of the file of counts, which is relative to the schedule. */
static TSS2_RC count_path(const char *schedule_path, const char *count_file, char ret[PATH_MAX])
{
    const char *slash = strrchr(schedule_path, '/');
    int folder = slash && count_file[0] != '/' ? (int)(slash - schedule_path + 1) : 0;
    int length = snprintf(ret, PATH_MAX, "%.*s%s", folder, schedule_path, count_file);

    return length > 0 && length < PATH_MAX ? TSS2_RC_SUCCESS
                                           : refuse(schedule_path, "a path in it is too long");
}

static TSS2_RC open_counts(const struct conf *conf, uint64_t hash, struct faults *faults)
{
    const char *directory = faults->connection->instance->directory.path;
    char path[PATH_MAX];
    TSS2_RC rc;

    if (faults->schedule->count_file[0] == '\0')
        return counts_of_process(counts_hash(hash, directory, strlen(directory)), &faults->counts);
    rc = count_path(conf->faults, faults->schedule->count_file, path);
    if (rc == TSS2_RC_SUCCESS)
        rc = counts_in_file(path, hash, &faults->counts);
    faults->counts_are_mapped = rc == TSS2_RC_SUCCESS;
    return rc;
}

static TSS2_RC load(const struct conf *conf, char *text, struct faults *faults)
{
    size_t size = 0;
    TSS2_RC rc = read_schedule(conf->faults, text, SCHEDULE_SIZE_MAX + 1, &size);

    if (rc == TSS2_RC_SUCCESS)
        rc = schedule_parse(conf->faults, text, size, &faults->schedule);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (conf->has_seed)
        faults->schedule->seed = conf->seed;
    disk_fault_prepare();
    return open_counts(conf, counts_hash(faults->schedule->seed, text, size), faults);
}

TSS2_RC faults_open(const struct conf *conf, struct connection *connection, struct stage **ret)
{
    struct faults *faults;
    char *text;
    TSS2_RC rc = TSS2_TCTI_RC_MEMORY;

    if (conf->faults[0] == '\0')
        return TSS2_RC_SUCCESS;
    faults = calloc(1, sizeof(*faults));
    text = malloc(SCHEDULE_SIZE_MAX + 1);
    if (faults && text) {
        faults->stage.operations = &faults_operations;
        faults->connection = connection;
        rc = load(conf, text, faults);
    }
    free(text);
    if (rc == TSS2_RC_SUCCESS)
        *ret = &faults->stage;
    else if (faults)
        faults_close(&faults->stage);
    return rc;
}
