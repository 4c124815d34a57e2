#ifndef EMULATOR_CLI_SCRIPT_SUPPORT_H
#define EMULATOR_CLI_SCRIPT_SUPPORT_H

#include "emulator/test_support.h"

/* Runs the built signet-tpm as people do, and looks at the TPMs with the TCTI. */

/* status COMMAND...: its exit status. fails TEXT COMMAND...: exit status 1, nothing
 * on stdout, and one line on stderr that has the text. */
#define HELPERS                                                                                    \
    "status() { if \"$@\" >out 2>err; then echo 0; else echo $?; fi; }\n"                          \
    "fails() { text=$1; shift; test $(status \"$@\") -eq 1; cat err; test ! -s out;"               \
    " test $(wc -l <err) -eq 1; grep -q '^signet-tpm: ' err; grep -q -e \"$text\" err; }\n"        \
    "facts() { signet-tpm describe $1 | sed 's/^ *//; s/   */: /'; }\n"                            \
    "fact() { facts $1 | grep -qx \"$2\"; }\n"

/* Runs a shell script with -eu in the directory; its output goes to "log" there.
 * Returns the exit status. */
static inline int script(const char *directory, const char *text)
{
    char library[PATH_MAX], path[2 * PATH_MAX], whole[8192];
    pid_t child;

    if (!library_directory(library)) {
        print_message("libtss2-tcti-signet.so.0 not found; set SIGNET_TCTI_DIR\n");
        skip();
    }
    (void)snprintf(path, sizeof(path), "%s:%s", library, getenv("PATH"));
    (void)snprintf(whole, sizeof(whole), "exec >>log 2>&1\nset -x\n" HELPERS "%s", text);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)setenv("PATH", path, 1);
        (void)setenv("HOME", directory, 1);
        (void)unsetenv("XDG_STATE_HOME");
        if (chdir(directory) != 0)
            _exit(126);
        (void)execlp("sh", "sh", "-euc", whole, (char *)NULL);
        _exit(127);
    }
    return wait_child(child);
}

static inline void print_log(const char *directory)
{
    char path[PATH_MAX], line[512];
    FILE *log = fopen(test_path(directory, "log", path), "re");

    while (log && fgets(line, sizeof(line), log))
        print_error("%s", line);
    if (log)
        (void)fclose(log);
}

static inline void expect_done(const char *directory, const char *text)
{
    int status = script(directory, text);

    if (status != 0)
        print_log(directory);
    assert_int_equal(status, 0);
}

#endif
