#ifndef EMULATOR_TEST_SUPPORT_H
#define EMULATOR_TEST_SUPPORT_H

/* What the tests of this room share: state directories of their own, commands
 * put together by hand, and child processes. Included by *_test.c alone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "emulator/command.h"
#include "emulator/tcti.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

/* --- state directories ------------------------------------------------- */

static inline int test_remove_one(const char *path, const struct stat *status, int kind,
                                  struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void test_remove(const char *path)
{
    (void)nftw(path, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* cmocka fixture: *state becomes the path of a new directory. */
static inline int test_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(PATH_MAX);

    if (!path)
        return -1;
    (void)snprintf(path, PATH_MAX, "%s/signet-emulator-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        return -1;
    *state = path;
    return 0;
}

static inline int test_teardown(void **state)
{
    test_remove(*state);
    free(*state);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, test_setup, test_teardown)

static inline const char *test_path(const char *directory, const char *name, char path[PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);

    assert_in_range(length, 1, PATH_MAX - 1);
    return path;
}

/* --- TCTI contexts ------------------------------------------------------ */

static inline TSS2_RC test_try_open_with(const char *directory, const char *more,
                                         TSS2_TCTI_CONTEXT **ret)
{
    const TSS2_TCTI_INFO *info = Tss2_Tcti_Info();
    char text[2 * PATH_MAX];
    size_t size = 0;
    TSS2_TCTI_CONTEXT *context;
    TSS2_RC rc;

    (void)snprintf(text, sizeof(text), "dir=%s%s", directory, more);
    assert_int_equal(info->init(NULL, &size, NULL), TSS2_RC_SUCCESS);
    context = malloc(size);
    assert_non_null(context);
    memset(context, 0xa5, size);
    rc = info->init(context, &size, text);
    if (rc == TSS2_RC_SUCCESS)
        *ret = context;
    else
        free(context);
    return rc;
}

static inline TSS2_RC test_try_open(const char *directory, TSS2_TCTI_CONTEXT **ret)
{
    return test_try_open_with(directory, "", ret);
}

/* `more` is further configuration, as ",rm=off". */
static inline TSS2_TCTI_CONTEXT *test_open_with(const char *directory, const char *more)
{
    TSS2_TCTI_CONTEXT *context = NULL;
    TSS2_RC rc = test_try_open_with(directory, more, &context);

    if (rc != TSS2_RC_SUCCESS)
        print_error("%s\n", signet_tcti_last_error());
    assert_int_equal(rc, TSS2_RC_SUCCESS);
    return context;
}

static inline TSS2_TCTI_CONTEXT *test_open(const char *directory)
{
    return test_open_with(directory, "");
}

static inline void test_close(TSS2_TCTI_CONTEXT *context)
{
    Tss2_Tcti_Finalize(context);
    free(context);
}

static inline uint32_t test_send(TSS2_TCTI_CONTEXT *context, const void *command, size_t size,
                                 struct message *response)
{
    response->size = sizeof(response->bytes);
    assert_int_equal(Tss2_Tcti_Transmit(context, size, command), TSS2_RC_SUCCESS);
    assert_int_equal(
        Tss2_Tcti_Receive(context, &response->size, response->bytes, TSS2_TCTI_TIMEOUT_BLOCK),
        TSS2_RC_SUCCESS);
    assert_in_range(response->size, HEADER_SIZE, sizeof(response->bytes));
    assert_int_equal(get_u32(response->bytes + 2), response->size);
    return get_u32(response->bytes + 6);
}

/* --- commands ----------------------------------------------------------- */

static inline void add_u8(struct message *m, uint8_t value)
{
    m->bytes[m->size++] = value;
}

static inline void add_u16(struct message *m, uint16_t value)
{
    put_u16(m->bytes + m->size, value);
    m->size += 2;
}

static inline void add_u32(struct message *m, uint32_t value)
{
    put_u32(m->bytes + m->size, value);
    m->size += 4;
}

static inline void add_bytes(struct message *m, const void *data, size_t size)
{
    memcpy(m->bytes + m->size, data, size);
    m->size += size;
}

/* A TPM2B of a string. */
static inline void add_2b(struct message *m, const char *text)
{
    add_u16(m, (uint16_t)strlen(text));
    add_bytes(m, text, strlen(text));
}

static inline void begin(struct message *m, uint16_t tag, uint32_t code)
{
    m->size = 0;
    add_u16(m, tag);
    add_u32(m, 0);
    add_u32(m, code);
}

/* One authorization: of a session, or TPM2_RS_PW with a password. */
static inline void add_auth(struct message *m, uint32_t session, uint8_t attributes,
                            const char *password)
{
    add_u32(m, (uint32_t)(9 + strlen(password)));
    add_u32(m, session);
    add_u16(m, 0);
    add_u8(m, attributes);
    add_2b(m, password);
}

static inline void add_password(struct message *m, const char *password)
{
    add_auth(m, TPM2_RS_PW, TPMA_SESSION_CONTINUESESSION, password);
}

static inline uint32_t run(TSS2_TCTI_CONTEXT *context, struct message *m, struct message *response)
{
    put_u32(m->bytes + 2, (uint32_t)m->size);
    return test_send(context, m->bytes, m->size, response);
}

static inline uint32_t get_random(TSS2_TCTI_CONTEXT *context, uint16_t size, uint8_t *ret)
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetRandom);
    add_u16(&m, size);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS && ret)
        memcpy(ret, response.bytes + HEADER_SIZE + 2, size);
    return rc;
}

static inline uint32_t get_property(TSS2_TCTI_CONTEXT *context, uint32_t property)
{
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    add_u32(&m, TPM2_CAP_TPM_PROPERTIES);
    add_u32(&m, property);
    add_u32(&m, 1);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    assert_int_equal(get_u32(response.bytes + HEADER_SIZE + 9), property);
    return get_u32(response.bytes + HEADER_SIZE + 13);
}

/* How many handles of a type the TPM shows; the first of them in *ret_first. */
static inline uint32_t count_handles(TSS2_TCTI_CONTEXT *context, uint32_t first,
                                     uint32_t *ret_first)
{
    struct message m, response;
    uint32_t count;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    add_u32(&m, TPM2_CAP_HANDLES);
    add_u32(&m, first);
    add_u32(&m, 254);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    count = get_u32(response.bytes + HEADER_SIZE + 5);
    assert_int_equal(response.size, HEADER_SIZE + 9 + count * 4);
    if (count && ret_first)
        *ret_first = get_u32(response.bytes + HEADER_SIZE + 9);
    return count;
}

#define KEY_PLAIN 0u
#define KEY_DA 1u    /* protected from dictionary attacks */
#define KEY_ECDAA 2u /* with that scheme */

/* A P-256 signing primary of the owner; `unique` makes different ones. */
static inline uint32_t create_key(TSS2_TCTI_CONTEXT *context, const char *password, uint8_t unique,
                                  unsigned kind, uint32_t *ret_handle)
{
    struct message m, response;
    uint32_t attributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                          TPMA_OBJECT_SIGN_ENCRYPT | (kind & KEY_DA ? 0 : TPMA_OBJECT_NODA);
    uint32_t rc;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_CreatePrimary);
    add_u32(&m, TPM2_RH_OWNER);
    add_password(&m, "");
    add_u16(&m, (uint16_t)(4 + strlen(password)));
    add_2b(&m, password);
    add_u16(&m, 0);
    add_u16(&m, kind & KEY_ECDAA ? 27 : 23);
    add_u16(&m, TPM2_ALG_ECC);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u32(&m, attributes);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_NULL);
    add_u16(&m, kind & KEY_ECDAA ? TPM2_ALG_ECDAA : TPM2_ALG_NULL);
    if (kind & KEY_ECDAA) {
        add_u16(&m, TPM2_ALG_SHA256);
        add_u16(&m, 0);
    }
    add_u16(&m, kind & KEY_ECDAA ? TPM2_ECC_BN_P256 : TPM2_ECC_NIST_P256);
    add_u16(&m, TPM2_ALG_NULL);
    add_u16(&m, 1);
    add_u8(&m, unique);
    add_u16(&m, 0);
    add_u16(&m, 0);
    add_u32(&m, 0);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS && ret_handle)
        *ret_handle = get_u32(response.bytes + HEADER_SIZE);
    return rc;
}

/* ECDSA over a digest of 0x11 bytes, authorized by a session or TPM2_RS_PW. */
static inline uint32_t sign_in_session(TSS2_TCTI_CONTEXT *context, uint32_t key, uint32_t session,
                                       uint8_t attributes, const char *password)
{
    struct message m, response;
    uint8_t digest[32];

    memset(digest, 0x11, sizeof(digest));
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_Sign);
    add_u32(&m, key);
    add_auth(&m, session, attributes, password);
    add_u16(&m, sizeof(digest));
    add_bytes(&m, digest, sizeof(digest));
    add_u16(&m, TPM2_ALG_ECDSA);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u16(&m, TPM2_ST_HASHCHECK);
    add_u32(&m, TPM2_RH_NULL);
    add_u16(&m, 0);
    return run(context, &m, &response);
}

/* The first use of a key with dictionary attack protection is to be retried. */
static inline uint32_t sign(TSS2_TCTI_CONTEXT *context, uint32_t key, const char *password)
{
    uint32_t rc = sign_in_session(context, key, TPM2_RS_PW, TPMA_SESSION_CONTINUESESSION, password);

    if (rc == TPM2_RC_RETRY)
        rc = sign_in_session(context, key, TPM2_RS_PW, TPMA_SESSION_CONTINUESESSION, password);
    return rc;
}

static inline uint32_t flush(TSS2_TCTI_CONTEXT *context, uint32_t handle)
{
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_FlushContext);
    add_u32(&m, handle);
    return run(context, &m, &response);
}

static inline uint32_t save_context(TSS2_TCTI_CONTEXT *context, uint32_t handle,
                                    struct message *ret)
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ContextSave);
    add_u32(&m, handle);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS) {
        ret->size = 0;
        add_bytes(ret, response.bytes + HEADER_SIZE, response.size - HEADER_SIZE);
    }
    return rc;
}

static inline uint32_t load_context(TSS2_TCTI_CONTEXT *context, const struct message *saved,
                                    uint32_t *ret_handle)
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ContextLoad);
    add_bytes(&m, saved->bytes, saved->size);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS)
        *ret_handle = get_u32(response.bytes + HEADER_SIZE);
    return rc;
}

/* An unbound, unsalted session; its first nonce, 32 bytes, if asked for. */
static inline uint32_t start_session(TSS2_TCTI_CONTEXT *context, uint8_t type, uint32_t *ret_handle,
                                     uint8_t *ret_nonce)
{
    struct message m, response;
    uint8_t nonce[32] = {0};
    uint32_t rc;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_StartAuthSession);
    add_u32(&m, TPM2_RH_NULL);
    add_u32(&m, TPM2_RH_NULL);
    add_u16(&m, sizeof(nonce));
    add_bytes(&m, nonce, sizeof(nonce));
    add_u16(&m, 0);
    add_u8(&m, type);
    add_u16(&m, TPM2_ALG_NULL);
    add_u16(&m, TPM2_ALG_SHA256);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS) {
        *ret_handle = get_u32(response.bytes + HEADER_SIZE);
        if (ret_nonce)
            memcpy(ret_nonce, response.bytes + HEADER_SIZE + 6, sizeof(nonce));
    }
    return rc;
}

#define COUNTER_INDEX 0x01800001u

/* An index of 8 bytes that the owner writes and reads, and the password opens. */
static inline uint32_t define_nv(TSS2_TCTI_CONTEXT *context, uint32_t index, uint32_t attributes,
                                 const char *password)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_DefineSpace);
    add_u32(&m, TPM2_RH_OWNER);
    add_password(&m, "");
    add_2b(&m, password);
    add_u16(&m, 14);
    add_u32(&m, index);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u32(&m, attributes | TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD);
    add_u16(&m, 0);
    add_u16(&m, 8);
    return run(context, &m, &response);
}

#define NV_COUNTER (TPMA_NV_NO_DA | TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT)

static inline uint32_t define_counter(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    return define_nv(context, index, NV_COUNTER, "");
}

static inline uint32_t increment(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Increment);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, index);
    add_password(&m, "");
    return run(context, &m, &response);
}

static inline uint64_t read_counter(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Read);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, index);
    add_password(&m, "");
    add_u16(&m, 8);
    add_u16(&m, 0);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    return (uint64_t)get_u32(response.bytes + HEADER_SIZE + 6) << 32 |
           get_u32(response.bytes + HEADER_SIZE + 10);
}

static inline uint32_t extend_pcr(TSS2_TCTI_CONTEXT *context, uint32_t pcr)
{
    struct message m, response;
    uint8_t digest[32];

    memset(digest, 0x22, sizeof(digest));
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_PCR_Extend);
    add_u32(&m, pcr);
    add_password(&m, "");
    add_u32(&m, 1);
    add_u16(&m, TPM2_ALG_SHA256);
    add_bytes(&m, digest, sizeof(digest));
    return run(context, &m, &response);
}

/* The SHA-256 bank's value of a PCR below 24. */
static inline void read_pcr(TSS2_TCTI_CONTEXT *context, uint32_t pcr, uint8_t ret[32])
{
    struct message m, response;
    uint8_t selection[3] = {0, 0, 0};

    selection[pcr / 8] = (uint8_t)(1 << pcr % 8);
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_PCR_Read);
    add_u32(&m, 1);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u8(&m, 3);
    add_bytes(&m, selection, sizeof(selection));
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    assert_true(response.size >= 32);
    memcpy(ret, response.bytes + response.size - 32, 32);
}

/* --- child processes ----------------------------------------------------- */

/* Runs `body` in a forked child, which exits with what it returns. */
static inline pid_t start_child(int (*body)(void *), void *argument)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(body(argument));
    return child;
}

/* The exit status of a child; 1000 + signal if it was killed. */
static inline int wait_child(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline int run_child(int (*body)(void *), void *argument)
{
    return wait_child(start_child(body, argument));
}

/* In children cmocka's assertions have nobody to tell: these exit. */
#define CHILD_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "child: %s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition,  \
                    signet_tcti_last_error());                                                     \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* --- foreign programs ----------------------------------------------------- */

/* Where libtss2-tcti-signet.so.0 was built: SIGNET_TCTI_DIR, or beside the test,
 * or above it. NULL if it is not there. */
static inline const char *library_directory(char path[PATH_MAX])
{
    const char *asked = getenv("SIGNET_TCTI_DIR");
    char file[PATH_MAX + 64];
    ssize_t length;

    if (asked) {
        (void)snprintf(path, PATH_MAX, "%s", asked);
        return path;
    }
    length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length < 0)
        return NULL;
    path[length] = '\0';
    for (char *slash = strrchr(path, '/'); slash && slash != path; slash = strrchr(path, '/')) {
        *slash = '\0';
        (void)snprintf(file, sizeof(file), "%s/libtss2-tcti-signet.so.0", path);
        if (access(file, R_OK) == 0)
            return path;
    }
    return NULL;
}

/* A library built with AddressSanitizer needs its runtime first in the process. */
static inline void prepare_sanitizer(void)
{
#if defined(__SANITIZE_ADDRESS__)
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 128];

    while (maps && fgets(line, sizeof(line), maps)) {
        char *at = strchr(line, '/');

        if (at && strstr(at, "libasan.so")) {
            at[strcspn(at, "\n")] = '\0';
            (void)setenv("LD_PRELOAD", at, 1);
            break;
        }
    }
    if (maps)
        (void)fclose(maps);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
#endif
}

/* Runs a shell script with -eu in the directory, with TPM2TOOLS_TCTI and
 * TPM2OPENSSL_TCTI on the state in it. Returns the exit status. */
static inline int run_script(const char *directory, const char *script)
{
    char library[PATH_MAX], tcti[PATH_MAX + 32];
    pid_t child;

    if (!library_directory(library)) {
        print_message("libtss2-tcti-signet.so.0 not found; set SIGNET_TCTI_DIR\n");
        skip();
    }
    (void)snprintf(tcti, sizeof(tcti), "signet:dir=%s/tpm", directory);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prepare_sanitizer();
        (void)setenv("LD_LIBRARY_PATH", library, 1);
        (void)setenv("TPM2TOOLS_TCTI", tcti, 1);
        (void)setenv("TPM2OPENSSL_TCTI", tcti, 1);
        (void)setenv("HOME", directory, 1);
        if (chdir(directory) != 0)
            _exit(126);
        (void)execlp("sh", "sh", "-euc", script, (char *)NULL);
        _exit(127);
    }
    return wait_child(child);
}

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER 1
#else
#define UNDER_ADDRESS_SANITIZER 0
#endif

/* Those of gcc 12: when a thread that is not in the child has one of their locks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER_HANGS_AFTER_FORK 1
#else
#define SANITIZER_HANGS_AFTER_FORK 0
#endif

/* Skips the test if a program is not installed. */
static inline void need_program(const char *program, const char *package)
{
    char script[256];

    (void)snprintf(script, sizeof(script), "command -v %s >/dev/null 2>&1", program);
    if (system(script) == 0)
        return;
    print_message("%s is missing; install %s\n", program, package);
    skip();
}

static inline void need_tpm2_tools(void)
{
    need_program("tpm2_getrandom", "tpm2-tools");
    if (UNDER_ADDRESS_SANITIZER) {
        print_message(
            "tpm2-tools hang at exit with AddressSanitizer preloaded, whatever the TCTI\n");
        skip();
    }
}

#endif
