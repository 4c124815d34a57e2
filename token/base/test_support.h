/* What the tests of the rooms share. */
#ifndef SIGNET_BASE_TEST_SUPPORT_H
#define SIGNET_BASE_TEST_SUPPORT_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "token/base/bytes.h"
#include "token/base/public_key.h"
#include "token/base/reason.h"

#define POISON 0xa5

#define assert_rv(call, expected) assert_int_equal((call), (expected))
#define assert_ok(call) assert_int_equal((call), CKR_OK)

#define assert_view(actual, text)                                                                  \
    do {                                                                                           \
        struct view got = (actual);                                                                \
        struct view want = view_string(text);                                                      \
        assert_int_equal(got.size, want.size);                                                     \
        assert_true(view_equal(got, want));                                                        \
    } while (0)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (!strstr((text), (part)))                                                               \
            fail_msg("\"%s\" lacks \"%s\"", (text), (part));                                       \
    } while (0)

/* Fills an out-parameter, so that it can be seen whether it was written. */
#define poison(object) memset(&(object), POISON, sizeof(object))
#define assert_poison(object) assert_true(all_poison(&(object), sizeof(object)))

static UNUSED bool all_poison(const void *object, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)object)[i] != POISON)
            return false;
    return true;
}

static char test_directory[64];

/* Group fixtures: the tests run in a new directory that is their HOME, and
 * nothing of the caller's configuration reaches them. */
static UNUSED int enter_directory(UNUSED void **state)
{
    static const char *const foreign[] = {"SIGNET_CONF", "OPENSSL_PKCS11_CONF", "XDG_CONFIG_HOME",
                                          "SIGNET_LOG",  "SIGNET_LOG_LEVEL",    "OPENSSL_CONF"};
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        unsetenv(foreign[i]);
    snprintf(test_directory, sizeof(test_directory), "/tmp/signet-test.XXXXXX");
    if (!mkdtemp(test_directory) || chdir(test_directory) != 0)
        return -1;
    return setenv("HOME", test_directory, 1);
}

static UNUSED int leave_directory(UNUSED void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", test_directory);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

/* Runs a shell command without its chatter. */
static UNUSED void run(const char *command)
{
    char quiet[2048];
    snprintf(quiet, sizeof(quiet), "exec >command.log 2>&1; %s", command);
    if (system(quiet) != 0)
        fail_msg("%s", command);
}

/* A file's content with a NUL behind it; the caller frees it. */
static UNUSED struct bytes read_file(const char *path)
{
    struct bytes content = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("no file %s", path);
    assert_ok(bytes_alloc(&content, 256 * 1024));
    content.size = fread(content.data, 1, content.size - 1, file);
    fclose(file);
    return content;
}

static UNUSED void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

/* Runs `body` in a forked child and answers its exit status, or 128 and more. */
static UNUSED int in_child(int (*body)(void *), void *argument)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(body(argument));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define in_directory(tests) cmocka_run_group_tests(tests, enter_directory, leave_directory)

/* The embedded TPM, in the test's own directory. */
#define EMULATOR "libtss2-tcti-signet.so.0"

/* Where the library was built: above this program. */
static UNUSED void emulator_path(char path[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - sizeof(EMULATOR));
    assert_true(size > 0);
    path[size] = 0;
    for (char *slash; (slash = strrchr(path, '/'));) {
        strcpy(slash + 1, EMULATOR);
        if (access(path, R_OK) == 0)
            return;
        *slash = 0;
    }
    fail_msg("%s was not built", EMULATOR);
}

static UNUSED const char *emulator_configuration(void)
{
    static char configuration[sizeof(test_directory) + 32];
    snprintf(configuration, sizeof(configuration), "dir=%s/tpm,sync=off", test_directory);
    return configuration;
}

/* The configuration's word for it. */
static UNUSED const char *emulator_choice(void)
{
    static char choice[PATH_MAX + sizeof(test_directory) + 32];
    char path[PATH_MAX];
    emulator_path(path);
    snprintf(choice, sizeof(choice), "%s:%s", path, emulator_configuration());
    return choice;
}

#endif
