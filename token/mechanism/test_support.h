/* What the tests of this room share: bytes from hexadecimal digits, and keys. */
#ifndef SIGNET_MECHANISM_TEST_SUPPORT_H
#define SIGNET_MECHANISM_TEST_SUPPORT_H

#include "token/base/test_support.h"

#include "token/key/make.h"
#include "token/mechanism/job.h"

/* Bytes that live as long as the test program. */
#define MAX_HEX_SIZE 512

static UNUSED struct view from_hex(const char *hex)
{
    static uint8_t pool[64 * 1024];
    static size_t used;
    size_t size = strlen(hex) / 2;
    if (used + size > sizeof(pool))
        used = 0;
    uint8_t *bytes = pool + used;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &bytes[i]), 1);
    used += size;
    return (struct view){.data = bytes, .size = size};
}

static UNUSED void check_hex(struct view actual, const char *hex, const char *file, int line)
{
    char text[2 * MAX_HEX_SIZE + 1] = "";
    assert_true(actual.size <= MAX_HEX_SIZE);
    for (size_t i = 0; i < actual.size; i++)
        snprintf(text + 2 * i, 3, "%02x", actual.data[i]);
    if (strcmp(text, hex) != 0)
        fail_msg("%s instead of %s, %s:%d", text, hex, file, line);
}

#define assert_hex(actual, hex) check_hex((actual), (hex), __FILE__, __LINE__)

static UNUSED struct key *secret_key(const char *hex)
{
    struct key *key = NULL;
    assert_ok(key_secret_new(from_hex(hex), &key));
    return key;
}

/* What C_XInit takes; a parameter's memory is not changed by any mechanism here. */
static UNUSED CK_MECHANISM with_parameter(CK_MECHANISM_TYPE type, const void *parameter,
                                          CK_ULONG size)
{
    return (CK_MECHANISM){type, (void *)(uintptr_t)parameter, size};
}

static UNUSED CK_RV begin_job(CK_FLAGS operation, const CK_MECHANISM *given, struct key *key,
                              struct job **ret_job)
{
    const struct mechanism *row = mechanism_find(given->mechanism);
    assert_non_null(row);
    return job_new(row, operation, given, key, NULL, ret_job);
}

/* The whole of an operation, its input cut into pieces of this size (0: in one). */
static UNUSED CK_RV run_job(struct job *job, struct view input, size_t piece, struct bytes *out)
{
    CK_RV rv = CKR_OK;
    for (size_t at = 0; at < input.size && rv == CKR_OK;) {
        size_t size = piece && piece < input.size - at ? piece : input.size - at;
        bool exact = false;
        size_t before = out->size, expected = job_output_size(job, size, false, &exact);
        rv = job_update(job, view_of(input.data + at, size), out);
        if (rv == CKR_OK) {
            assert_true(exact);
            assert_int_equal(out->size - before, expected);
        }
        at += size;
    }
    bool exact = false;
    size_t before = out->size, expected = job_output_size(job, 0, true, &exact);
    if (rv == CKR_OK)
        rv = job_finish(job, out);
    if (rv == CKR_OK && exact)
        assert_int_equal(out->size - before, expected);
    if (rv == CKR_OK)
        assert_true(out->size - before <= expected);
    return rv;
}

#endif
