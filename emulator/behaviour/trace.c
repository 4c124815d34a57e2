#include "emulator/behaviour/trace.h"

#include "emulator/behaviour/output.h"
#include "emulator/error.h"
#include "emulator/names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define TIME_SIZE 64
#define DAY 86400u

struct trace {
    struct output output;
    uint64_t lost; /* lines that could not be written since the last that could */
};

/* The civil date of a day since 1970. gmtime takes a lock, which after a fork in
 * a program of several threads may never be given back. */
static void civil_date(uint64_t day, unsigned *year, unsigned *month, unsigned *day_of_month)
{
    uint64_t shifted = day + 719468; /* since 1 March of year 0 */
    uint64_t era = shifted / 146097;
    unsigned of_era = (unsigned)(shifted % 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned since_march = (5 * of_year + 2) / 153;

    *day_of_month = of_year - (153 * since_march + 2) / 5 + 1;
    *month = since_march < 10 ? since_march + 3 : since_march - 9;
    *year = (unsigned)(year_of_era + era * 400) + (*month <= 2);
}

static void write_time(uint64_t nanoseconds, char text[TIME_SIZE])
{
    uint64_t seconds = nanoseconds / 1000000000u;
    unsigned micro = (unsigned)(nanoseconds % 1000000000u / 1000);
    unsigned of_day = (unsigned)(seconds % DAY);
    unsigned year, month, day;

    civil_date(seconds / DAY, &year, &month, &day);
    (void)snprintf(text, TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", year % 10000, month, day,
                   of_day / 3600, of_day / 60 % 60, of_day % 60, micro);
}

static void write_name(const struct command *command, char *text, size_t room)
{
    const char *name = command_name(command->code);

    if (name)
        (void)snprintf(text, room, "%s", name);
    else
        (void)snprintf(text, room, "0x%" PRIx32, command->code);
}

/* FlushContext has its handle, which it ends, among the parameters. */
static unsigned handles_of(const struct observation *seen, uint32_t handles[COMMAND_HANDLES_MAX])
{
    if (seen->command.code == TPM2_CC_FlushContext && seen->sent->size >= HEADER_SIZE + 4) {
        handles[0] = get_u32(seen->sent->bytes + HEADER_SIZE);
        return 1;
    }
    memcpy(handles, seen->command.handles, sizeof(seen->command.handles));
    return seen->command.handle_count;
}

static void write_handles(const struct observation *seen, char *text, size_t room)
{
    uint32_t handles[COMMAND_HANDLES_MAX];
    unsigned count = handles_of(seen, handles);
    size_t at = 0;

    (void)snprintf(text, room, "-");
    for (unsigned i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%08" PRIx32, i ? "," : "", handles[i]);
}

static void write_new_handle(const struct observation *seen, char *text, size_t room)
{
    uint32_t handle = seen->answer ? response_handle(&seen->command, seen->answer) : 0;

    if (handle)
        (void)snprintf(text, room, "%08" PRIx32, handle);
    else
        (void)snprintf(text, room, "-");
}

static void write_outcome(const struct observation *seen, char *text, size_t room)
{
    char name[RESPONSE_CODE_TEXT_MAX];

    if (!seen->answer) {
        (void)snprintf(text, room, "no answer");
    } else if (seen->answer->size < HEADER_SIZE) {
        (void)snprintf(text, room, "no code");
    } else {
        response_code_describe(response_code(seen->answer), name, sizeof(name));
        (void)snprintf(text, room, "rc=0x%03" PRIx32 " %s", response_code(seen->answer), name);
    }
}

size_t trace_line(const struct observation *seen, char text[TRACE_LINE_MAX])
{
    char time[TIME_SIZE], name[40], handles[9 * COMMAND_HANDLES_MAX], made[9];
    char outcome[RESPONSE_CODE_TEXT_MAX + 16];

    write_time(seen->started, time);
    write_name(&seen->command, name, sizeof(name));
    write_handles(seen, handles, sizeof(handles));
    write_new_handle(seen, made, sizeof(made));
    write_outcome(seen, outcome, sizeof(outcome));
    return (size_t)snprintf(text, TRACE_LINE_MAX,
                            "%s pid=%" PRIu32 " conn=%" PRIu32
                            " %s handles=%s new=%s sessions=%u in=%zu out=%zu us=%" PRIu64 " %s\n",
                            time, seen->process, seen->connection, name, handles, made,
                            seen->command.authorization_count, seen->sent->size,
                            seen->answer ? seen->answer->size : 0, seen->duration / 1000, outcome);
}

/* As the line that follows, so that both sort together. */
static size_t lost_line(const struct trace *trace, const struct observation *seen, char *text)
{
    char time[TIME_SIZE];

    if (trace->lost == 0)
        return 0;
    write_time(seen->started, time);
    return (size_t)snprintf(text, TRACE_LINE_MAX,
                            "%s pid=%" PRIu32 " conn=%" PRIu32 " %" PRIu64 " lines lost\n", time,
                            seen->process, seen->connection, trace->lost);
}

void trace_note(struct trace *trace, const struct observation *seen)
{
    char text[2 * TRACE_LINE_MAX];
    size_t length = lost_line(trace, seen, text);

    length += trace_line(seen, text + length);
    if (output_append(&trace->output, text, length))
        trace->lost = 0;
    else
        trace->lost++;
}

TSS2_RC trace_open(const char *path, struct trace **ret)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    TSS2_RC rc;

    if (!trace) {
        error_set("no memory for the trace");
        return TSS2_TCTI_RC_MEMORY;
    }
    rc = strcmp(path, "-") == 0
             ? output_open_stderr("trace", &trace->output)
             : output_open("trace", path, O_WRONLY | O_APPEND | O_CREAT, &trace->output);
    if (rc == TSS2_RC_SUCCESS)
        *ret = trace;
    else
        free(trace);
    return rc;
}

void trace_close(struct trace *trace)
{
    if (trace)
        output_close(&trace->output);
    free(trace);
}
