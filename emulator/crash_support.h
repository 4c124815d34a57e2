#ifndef EMULATOR_CRASH_SUPPORT_H
#define EMULATOR_CRASH_SUPPORT_H

/* Commands that change a TPM's state, each in its own way, and looks at what they
 * changed: for the tests that end them at every operation on the disk. Included
 * by *_test.c alone. */

#include "emulator/test_support.h"

#include "emulator/control.h"
#include "emulator/disk.h"
#include "emulator/identity/ek.h"
#include "emulator/swtpm_file.h"

#include <dirent.h>
#include <fcntl.h>

#define DATA_INDEX 0x01800002u
/* Of the endorsement keys, in a TPM that was made whole. */
#define CERTIFICATES 2u

#define PERSISTENT_KEY 0x81000001u

/* All that the deeds change, as a client sees it. */
struct look {
    uint64_t counter;
    uint8_t data[8];
    uint32_t indexes; /* of the owner */
    uint32_t certificates;
    uint32_t persistent;
    uint32_t failed_tries;
    uint8_t pcr[32];
    uint8_t key[32]; /* from the owner's seed */
};

struct deed {
    const char *name;
    uint32_t (*run)(TSS2_TCTI_CONTEXT *context);
    uint32_t rc;
    bool lost_in_reset; /* what it changes is volatile */
};

/* --- commands ------------------------------------------------------------- */

static inline uint32_t define_data(TSS2_TCTI_CONTEXT *context)
{
    return define_nv(context, DATA_INDEX, TPMA_NV_NO_DA, "");
}

static inline uint32_t write_data(TSS2_TCTI_CONTEXT *context, const char *text)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Write);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, DATA_INDEX);
    add_password(&m, "");
    add_2b(&m, text);
    add_u16(&m, 0);
    return run(context, &m, &response);
}

static inline uint32_t read_data(TSS2_TCTI_CONTEXT *context, uint8_t ret[8])
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Read);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, DATA_INDEX);
    add_password(&m, "");
    add_u16(&m, 8);
    add_u16(&m, 0);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS)
        memcpy(ret, response.bytes + HEADER_SIZE + 6, 8);
    return rc;
}

static inline uint32_t keep_key(TSS2_TCTI_CONTEXT *context, uint32_t key, uint32_t handle)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_EvictControl);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, key);
    add_password(&m, "");
    add_u32(&m, handle);
    return run(context, &m, &response);
}

/* So that no try is given back while a test runs. */
static inline uint32_t slow_recovery(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_DictionaryAttackParameters);
    add_u32(&m, TPM2_RH_LOCKOUT);
    add_password(&m, "");
    add_u32(&m, 32);
    add_u32(&m, 1000000);
    add_u32(&m, 1000000);
    return run(context, &m, &response);
}

/* --- deeds ---------------------------------------------------------------- */

static inline uint32_t deed_increment(TSS2_TCTI_CONTEXT *context)
{
    return increment(context, COUNTER_INDEX);
}

static inline uint32_t deed_write(TSS2_TCTI_CONTEXT *context)
{
    return write_data(context, "new data");
}

static inline uint32_t deed_evict(TSS2_TCTI_CONTEXT *context)
{
    return keep_key(context, PERSISTENT_KEY, PERSISTENT_KEY);
}

static inline uint32_t deed_clear(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_Clear);
    add_u32(&m, TPM2_RH_LOCKOUT);
    add_password(&m, "");
    return run(context, &m, &response);
}

static inline uint32_t deed_extend(TSS2_TCTI_CONTEXT *context)
{
    return extend_pcr(context, 16);
}

/* The one kept under this handle has the password "pw". */
static inline uint32_t deed_fail(TSS2_TCTI_CONTEXT *context)
{
    return sign_in_session(context, PERSISTENT_KEY + 1, TPM2_RS_PW, TPMA_SESSION_CONTINUESESSION,
                           "wrong");
}

static const struct deed deeds[] = {
    {"NV_Increment", deed_increment, TPM2_RC_SUCCESS, false},
    {"NV_Write", deed_write, TPM2_RC_SUCCESS, false},
    {"EvictControl", deed_evict, TPM2_RC_SUCCESS, false},
    {"Clear", deed_clear, TPM2_RC_SUCCESS, false},
    {"PCR_Extend", deed_extend, TPM2_RC_SUCCESS, true},
    {"a failed try", deed_fail, TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1, false},
};

#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

/* What all deeds can be done on. */
static inline void prepare_deeds(const char *directory)
{
    TSS2_TCTI_CONTEXT *context = test_open(directory);
    uint32_t key = 0;

    assert_int_equal(slow_recovery(context), TPM2_RC_SUCCESS);
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(define_data(context), TPM2_RC_SUCCESS);
    assert_int_equal(write_data(context, "old data"), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(keep_key(context, key, PERSISTENT_KEY), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(context, "pw", 2, KEY_DA, &key), TPM2_RC_SUCCESS);
    assert_int_equal(keep_key(context, key, PERSISTENT_KEY + 1), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, PERSISTENT_KEY + 1, "pw"), TPM2_RC_SUCCESS);
    /* So that a reset shows. */
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    test_close(context);
}

/* --- looks ---------------------------------------------------------------- */

/* A primary's public point tells the seed. */
static inline void look_at_seed(TSS2_TCTI_CONTEXT *context, uint8_t ret[32])
{
    struct message m, response;
    uint32_t key = 0;

    assert_int_equal(create_key(context, "", 3, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadPublic);
    add_u32(&m, key);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    /* TPM2B_NAME outPublic's: before TPM2B_NAME qualifiedName, both 2 + 34 bytes */
    memcpy(ret, response.bytes + response.size - 68, 32);
    assert_int_equal(flush(context, key), TPM2_RC_SUCCESS);
}

static inline struct look look_at(TSS2_TCTI_CONTEXT *context, bool at_seed)
{
    struct look look;

    memset(&look, 0, sizeof(look));
    look.certificates = count_handles(context, EK_RSA_INDEX, NULL);
    look.indexes = count_handles(context, TPM2_NV_INDEX_FIRST, NULL) - look.certificates;
    look.persistent = count_handles(context, PERSISTENT_FIRST, NULL);
    look.failed_tries = get_property(context, TPM2_PT_LOCKOUT_COUNTER);
    read_pcr(context, 16, look.pcr);
    if (look.indexes > 0) {
        look.counter = read_counter(context, COUNTER_INDEX);
        assert_int_equal(read_data(context, look.data), TPM2_RC_SUCCESS);
    }
    if (at_seed)
        look_at_seed(context, look.key);
    return look;
}

static inline struct look look_into(const char *directory, bool at_seed)
{
    TSS2_TCTI_CONTEXT *context = test_open(directory);
    struct look look = look_at(context, at_seed);

    test_close(context);
    return look;
}

static inline bool looks_equal(const struct look *left, const struct look *right)
{
    return memcmp(left, right, sizeof(*left)) == 0;
}

/* --- state directories ------------------------------------------------------ */

/* In memory where that can be: these tests sync thousands of times. */
static inline int fast_setup(void **state)
{
    static const char pattern[] = "/dev/shm/signet-emulator-XXXXXX";
    char *path = malloc(PATH_MAX);

    if (!path)
        return -1;
    memcpy(path, pattern, sizeof(pattern));
    if (!mkdtemp(path)) {
        free(path);
        return test_setup(state);
    }
    *state = path;
    return 0;
}

#define FAST_TEST(function) cmocka_unit_test_setup_teardown(function, fast_setup, test_teardown)

static inline void copy_one(int from, int to, const char *name)
{
    char block[65536];
    int in = openat(from, name, O_RDONLY | O_CLOEXEC);
    int out = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t got;

    assert_true(in >= 0 && out >= 0);
    while ((got = read(in, block, sizeof(block))) > 0)
        assert_int_equal(write(out, block, (size_t)got), got);
    assert_int_equal(got, 0);
    (void)close(in);
    (void)close(out);
}

/* A new directory with the files of another. */
static inline void copy_directory(const char *from, const char *to)
{
    DIR *source = opendir(from);
    struct dirent *entry;
    int target;

    assert_non_null(source);
    assert_int_equal(mkdir(to, 0700), 0);
    target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(target >= 0);
    while ((entry = readdir(source)))
        if (entry->d_name[0] != '.' || strcmp(entry->d_name, SWTPM_LOCK_FILE) == 0)
            copy_one(dirfd(source), target, entry->d_name);
    (void)close(target);
    (void)closedir(source);
}

/* As if the machine had been started since: all whole slots become another boot's. */
static inline void reboot(const char *path)
{
    struct directory directory = DIRECTORY_CLOSED;
    struct control control = CONTROL_CLOSED;
    uint32_t present;

    assert_int_equal(directory_open(path, &directory), TSS2_RC_SUCCESS);
    assert_int_equal(control_open(&directory, &control), TSS2_RC_SUCCESS);
    present = control_generation(control_word(&control));
    for (uint32_t generation = present > 3 ? present - 3 : 1; generation < present + 4;
         generation++) {
        TPM_STATE_SCOPE struct tpm_state slot = TPM_STATE_EMPTY;

        if (control_read(&control, generation, &slot) != TSS2_RC_SUCCESS)
            continue;
        (void)snprintf(slot.boot_id, sizeof(slot.boot_id), "00000000-another-boot");
        assert_int_equal(control_write(&control, generation, &slot), TSS2_RC_SUCCESS);
    }
    control_close(&control);
    directory_close(&directory);
}

/* Nothing is left but the five files there are. */
static inline void expect_tidy(const char *path)
{
    static const char *const known[] = {
        ".",           "..",           SWTPM_PERMANENT_FILE, EK_CA_FILE, "signet.state",
        "signet.lock", SWTPM_LOCK_FILE};
    DIR *directory = opendir(path);
    struct dirent *entry;

    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        bool is_known = false;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || strcmp(entry->d_name, known[i]) == 0;
        if (!is_known)
            print_error("%s/%s is left\n", path, entry->d_name);
        assert_true(is_known);
    }
    (void)closedir(directory);
}

#endif
