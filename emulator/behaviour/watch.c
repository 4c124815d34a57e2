#include "emulator/behaviour/watch.h"

#include "emulator/behaviour/counters.h"
#include "emulator/behaviour/pcap.h"
#include "emulator/behaviour/trace.h"
#include "emulator/error.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct watch {
    struct stage stage;
    struct command_attributes commands; /* the connection may leave the copy that it began with */
    uint32_t connection;
    struct trace *trace;
    struct pcap *pcap;
    struct counters_file *counters;
    struct message sent; /* stages further in may change the command */
};

static uint64_t now(clockid_t clock)
{
    struct timespec time;

    (void)clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void note(struct watch *watch, const struct observation *seen)
{
    if (watch->trace)
        trace_note(watch->trace, seen);
    if (watch->pcap)
        pcap_note(watch->pcap, seen);
    if (watch->counters)
        counters_note(watch->counters, seen);
}

static void watch_run(struct stage *stage, struct exchange *exchange)
{
    struct watch *watch = (struct watch *)(void *)stage;
    struct observation seen = {.sent = &watch->sent, .connection = watch->connection};
    uint64_t start;

    watch->sent.size = exchange->command->size;
    memcpy(watch->sent.bytes, exchange->command->bytes, watch->sent.size);
    command_parse(&watch->sent, &watch->commands, &seen.command);
    seen.started = now(CLOCK_REALTIME);
    start = now(CLOCK_MONOTONIC);
    stage_run(stage->next, exchange);
    seen.duration = now(CLOCK_MONOTONIC) - start;
    seen.process = (uint32_t)getpid();
    seen.answer = exchange->lost == TSS2_RC_SUCCESS ? exchange->response : NULL;
    note(watch, &seen);
    explicit_bzero(watch->sent.bytes, watch->sent.size);
}

static void watch_close(struct stage *stage)
{
    struct watch *watch = (struct watch *)(void *)stage;

    trace_close(watch->trace);
    pcap_close(watch->pcap);
    counters_close(watch->counters);
    free(watch);
}

static const struct stage_operations watch_operations = {watch_run, watch_close};

/* Two names for one file are found by the files' own checks, but for the trace,
 * which has no head. */
static TSS2_RC check_paths(const struct conf *conf)
{
    if (conf->trace[0] == '\0' ||
        (strcmp(conf->trace, conf->pcap) != 0 && strcmp(conf->trace, conf->counters) != 0))
        return TSS2_RC_SUCCESS;
    error_set("trace %.300s: is also the file of pcap or counters; name another", conf->trace);
    return TSS2_TCTI_RC_BAD_VALUE;
}

static TSS2_RC open_files(const struct conf *conf, struct watch *watch)
{
    TSS2_RC rc = check_paths(conf);

    if (rc == TSS2_RC_SUCCESS && conf->trace[0] != '\0')
        rc = trace_open(conf->trace, &watch->trace);
    if (rc == TSS2_RC_SUCCESS && conf->pcap[0] != '\0')
        rc = pcap_open(conf->pcap, &watch->pcap);
    if (rc == TSS2_RC_SUCCESS && conf->counters[0] != '\0')
        rc = counters_open(conf->counters, &watch->counters);
    return rc;
}

TSS2_RC watch_new(const struct conf *conf, const struct command_attributes *commands,
                  struct stage **ret)
{
    static atomic_uint_least32_t connections;
    struct watch *watch;
    TSS2_RC rc;

    if (conf->trace[0] == '\0' && conf->pcap[0] == '\0' && conf->counters[0] == '\0')
        return TSS2_RC_SUCCESS;
    watch = calloc(1, sizeof(*watch));
    if (!watch) {
        error_set("no memory to watch commands");
        return TSS2_TCTI_RC_MEMORY;
    }
    watch->stage.operations = &watch_operations;
    watch->commands = *commands;
    watch->connection = atomic_fetch_add(&connections, 1) + 1;
    rc = open_files(conf, watch);
    if (rc == TSS2_RC_SUCCESS)
        *ret = &watch->stage;
    else
        watch_close(&watch->stage);
    return rc;
}

TSS2_RC watch_open(const struct conf *conf, struct connection *connection, struct stage **ret)
{
    return watch_new(conf, &connection->instance->commands, ret);
}
