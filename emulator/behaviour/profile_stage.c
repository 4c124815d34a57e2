#include "emulator/behaviour/profile_stage.h"

#include "emulator/behaviour/limits.h"
#include "emulator/behaviour/shown.h"
#include "emulator/behaviour/timing.h"
#include "emulator/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <tss2/tss2_tpm2_types.h>

#define NANOSECONDS 1000000000u

struct profile_stage {
    struct stage stage;
    const struct profile *profile;
    struct command_attributes commands; /* the connection may leave the copy that it began with */
    struct shown shown;
    struct limits limits;
    struct timing timing;
    struct chip chip;
};

static const struct profile *profile_of(const struct conf *conf)
{
    return conf->profile[0] ? profile_find(conf->profile) : &profile_default;
}

TSS2_RC profile_check(const struct conf *conf)
{
    char known[256] = "";
    size_t length = 0;

    if (profile_of(conf))
        return TSS2_RC_SUCCESS;
    for (size_t i = 0; i < profiles_count && length < sizeof(known); i++)
        length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s", i ? ", " : "",
                                   profiles[i]->name);
    error_set("configuration: 'profile' is '%s'; known: %s", conf->profile, known);
    return TSS2_TCTI_RC_BAD_VALUE;
}

static void run_below(struct profile_stage *stage, struct exchange *exchange, uint32_t code)
{
    if (code == TPM2_CC_GetCapability)
        shown_run(&stage->shown, stage->stage.next, exchange);
    else
        stage_run(stage->stage.next, exchange);
}

/* Waits until the command has lasted as long as the chip's would have. */
static void last_for(const struct timespec *start, uint64_t nanoseconds)
{
    uint64_t fraction = (uint64_t)start->tv_nsec + nanoseconds % NANOSECONDS;
    struct timespec end = {
        .tv_sec = start->tv_sec + (time_t)(nanoseconds / NANOSECONDS + fraction / NANOSECONDS),
        .tv_nsec = (long)(fraction % NANOSECONDS),
    };
    struct timespec now;

    /* A sleep that is over already costs as much as a short one. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
        return;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        continue;
}

static void run_as_chip(struct profile_stage *stage, struct exchange *exchange)
{
    const struct message *message = exchange->command;
    struct timespec start;
    struct command command;
    uint32_t refusal;
    double factor;

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    command_parse(message, &stage->commands, &command);
    refusal = limits_check(&stage->limits, stage->stage.next, &command, message);
    if (refusal == TPM2_RC_SUCCESS)
        run_below(stage, exchange, command.code);
    else
        respond_code(refusal, exchange->response);
    if (exchange->lost != TSS2_RC_SUCCESS)
        return;
    limits_note(&stage->limits, &command, message, exchange->response);
    if (profile_takes_time(stage->profile)) {
        enum time_kind kind = timing_kind(&command, message, exchange->response, &factor);

        last_for(&start, timing_draw(&stage->timing, kind, factor));
    }
}

static void run_limited(struct stage *base, struct exchange *exchange)
{
    struct profile_stage *stage = (struct profile_stage *)(void *)base;
    bool taken = chip_is_open(&stage->chip) && chip_take(&stage->chip);

    run_as_chip(stage, exchange);
    if (taken)
        chip_give(&stage->chip);
}

static void run_unlimited(struct stage *base, struct exchange *exchange)
{
    const struct message *message = exchange->command;

    run_below((struct profile_stage *)(void *)base, exchange,
              message->size >= HEADER_SIZE ? get_u32(message->bytes + 6) : 0);
}

static void profile_close(struct stage *base)
{
    struct profile_stage *stage = (struct profile_stage *)(void *)base;

    chip_close(&stage->chip);
    free(stage);
}

static const struct stage_operations limited_operations = {run_limited, profile_close};
static const struct stage_operations unlimited_operations = {run_unlimited, profile_close};

static uint64_t seed_of(const struct conf *conf)
{
    uint64_t seed = 0;

    if (conf->has_seed)
        return conf->seed;
    /* Without entropy the times are just the same each time. */
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        return 0;
    return seed;
}

TSS2_RC profile_open(const struct conf *conf, struct connection *connection, struct stage **ret)
{
    const struct profile *profile = profile_of(conf);
    struct profile_stage *stage;

    if (!profile)
        return profile_check(conf);
    stage = calloc(1, sizeof(*stage));
    if (!stage)
        return TSS2_TCTI_RC_MEMORY;
    stage->stage.operations =
        profile == &profile_default ? &unlimited_operations : &limited_operations;
    stage->profile = profile;
    stage->commands = connection->instance->commands;
    stage->shown = (struct shown){profile, &stage->commands, !conf->bare};
    stage->limits = (struct limits){.profile = profile, .chip = &stage->chip};
    stage->chip = (struct chip)CHIP_CLOSED;
    timing_init(profile, seed_of(conf), conf->speed, &stage->timing);
    if (profile_takes_time(profile) || profile->context_gap != 0) {
        TSS2_RC rc = chip_open(&connection->instance->directory, &stage->chip);

        if (rc != TSS2_RC_SUCCESS) {
            free(stage);
            return rc;
        }
    }
    *ret = &stage->stage;
    return TSS2_RC_SUCCESS;
}
