#include "token/base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_SIZE 1024

static struct {
    _Atomic int level; /* enum log_level */
    _Atomic int file;  /* descriptor; -1: syslog */
} sink = {.level = LOG_OFF, .file = STDERR_FILENO};

static struct {
    log_listener listener;
    void *context;
} ear;

static const char *const level_names[] = {"off", "error", "warning", "info", "debug"};

bool log_level_parse(const char *word, enum log_level *ret_level)
{
    for (enum log_level level = LOG_OFF; level <= LOG_LEVEL_DEBUG; level++) {
        if (strcmp(word, level_names[level]) == 0) {
            *ret_level = level;
            return true;
        }
    }
    return false;
}

bool log_open(const char *target, enum log_level level)
{
    log_close();
    if (!target || !*target || level == LOG_OFF)
        return true;
    if (strcmp(target, "stderr") == 0) {
        sink.file = STDERR_FILENO;
    } else if (strcmp(target, "syslog") == 0) {
        sink.file = -1;
    } else {
        /* A pipe would stop the program: without a reader here, or later by SIGPIPE. */
        int file =
            open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        struct stat status;
        if (file < 0)
            return false;
        if (fstat(file, &status) != 0 || S_ISFIFO(status.st_mode)) {
            close(file);
            return false;
        }
        sink.file = file;
    }
    sink.level = (int)level;
    return true;
}

void log_close(void)
{
    sink.level = LOG_OFF;
    int file = atomic_exchange(&sink.file, STDERR_FILENO);
    if (file >= 0 && file != STDERR_FILENO)
        close(file);
}

void log_listen(log_listener listener, void *context)
{
    ear.context = context;
    ear.listener = listener;
}

static bool is_heard(enum log_level level)
{
    return ear.listener && level != LOG_OFF && level <= LOG_LEVEL_WARNING;
}

static bool is_written(enum log_level level)
{
    return level != LOG_OFF && (int)level <= sink.level;
}

bool log_enabled(enum log_level level)
{
    return is_written(level) || is_heard(level);
}

static int syslog_priority(enum log_level level)
{
    static const int priorities[] = {LOG_DEBUG, LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    return priorities[level];
}

static size_t line_head(char *line, size_t size, enum log_level level, const char *room)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    int more =
        snprintf(line + used, size - used, ".%03ldZ signet[%ld] %s %s: ", now.tv_nsec / 1000000,
                 (long)getpid(), room, level_names[level]);
    return used + (size_t)more;
}

void log_line(enum log_level level, const char *room, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    char line[LINE_MAX_SIZE];
    size_t head = line_head(line, sizeof(line) - 1, level, room);
    va_list arguments;
    va_start(arguments, format);
    int body = vsnprintf(line + head, sizeof(line) - 1 - head, format, arguments);
    va_end(arguments);
    if (body < 0)
        return;
    size_t size = strlen(line);
    for (size_t i = head; i < size; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    if (is_heard(level))
        ear.listener(ear.context, line + head);
    if (!is_written(level))
        return;
    int file = sink.file;
    if (file < 0) {
        syslog(syslog_priority(level) | LOG_AUTHPRIV, "%s", line + head);
        return;
    }
    line[size++] = '\n';
    /* One write: lines of several processes in one file stay whole. */
    if (write(file, line, size) < 0)
        return;
}
