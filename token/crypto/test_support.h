/* What the tests of this room share. */
#ifndef SIGNET_CRYPTO_TEST_SUPPORT_H
#define SIGNET_CRYPTO_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "token/crypto/decode.h"
#include "token/crypto/digest.h"
#include "token/crypto/library.h"
#include "token/crypto/padding.h"
#include "token/crypto/private.h"
#include "token/crypto/public.h"

#define POISON 0xa5

static char test_directory[64];

/* A loadable key that tpm2-openssl made in a TPM that is long gone. */
static UNUSED const char tss2_pem[] =
    "-----BEGIN TSS2 PRIVATE KEY-----\n"
    "MIHwBgZngQUKAQOgAwEBAQIEQAAAAQRYAFYAIwALAAYAcgAAABAAEAADABAAIOFo\n"
    "EIhuidQNRECRcj2okZkdHM4Fx8lHYBtb8D6VRN+OACBUOfXhZB6YkGtZX3Det8+S\n"
    "+akPluA05k+Rkjk3zejX2ASBgAB+ACAORttQxQ/55ZL9Dkf5OiwXMRzNrd8EOVxB\n"
    "abOOcMuiwAAQoB2mFTx042zx/jlgevl+ZNPoH3Hx2d/6zKVmKHJab5hdvdccEKE9\n"
    "PgVpDnJilN5vqRHXKNIb5SmzICv0MrnI+jf0cOULapa/OBgEM0DjH/7lq2xMlWGa\n"
    "aXT0\n"
    "-----END TSS2 PRIVATE KEY-----\n";

/* Tests that use files run in a directory of their own. */
static UNUSED int enter_directory(UNUSED void **state)
{
    snprintf(test_directory, sizeof(test_directory), "/tmp/signet-crypto-test.XXXXXX");
    return mkdtemp(test_directory) && chdir(test_directory) == 0 ? 0 : -1;
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

static UNUSED struct bytes read_file(const char *path)
{
    struct bytes content = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("no file %s", path);
    assert_int_equal(bytes_alloc(&content, 4 * 1024 * 1024), CKR_OK);
    content.size = fread(content.data, 1, content.size, file);
    fclose(file);
    return content;
}

static UNUSED void write_file(const char *path, struct view content)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.size, file), content.size);
    assert_int_equal(fclose(file), 0);
}

static UNUSED CK_RV decode_file(const char *path, const char *password, struct decoded *ret_decoded,
                                struct reason *reason)
{
    struct bytes content = read_file(path);
    CK_RV rv = crypto_decode(bytes_view(&content), view_string(password), ret_decoded, reason);
    bytes_free(&content);
    return rv;
}

/* The private key of a file that must hold one. */
static UNUSED struct crypto_key *load_key(const char *path)
{
    struct decoded decoded = {0};
    struct reason reason = {0};
    if (decode_file(path, NULL, &decoded, &reason) != CKR_OK || !decoded.private_key)
        fail_msg("%s %s", path, reason.text);
    struct crypto_key *key = decoded.private_key;
    decoded.private_key = NULL;
    decoded_clear(&decoded);
    return key;
}

static UNUSED bool all_poison(const void *object, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)object)[i] != POISON)
            return false;
    return true;
}

/* The bytes of hexadecimal digits, to be freed. */
static UNUSED struct bytes from_hex(const char *hex)
{
    struct bytes bytes = {0};
    assert_int_equal(bytes_alloc(&bytes, strlen(hex) / 2), CKR_OK);
    for (size_t i = 0; i < bytes.size; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &bytes.data[i]), 1);
    return bytes;
}

static UNUSED void check_hex(struct view actual, const char *hex, const char *file, int line)
{
    struct bytes expected = from_hex(hex);
    if (!view_equal(actual, bytes_view(&expected))) {
        for (size_t i = 0; i < actual.size; i++)
            fprintf(stderr, "%02x", actual.data[i]);
        fprintf(stderr, " instead of %s, %s:%d\n", hex, file, line);
        fail();
    }
    bytes_free(&expected);
}

#define assert_hex_equal(actual, hex) check_hex((actual), (hex), __FILE__, __LINE__)

#define assert_view_equal(a, b) assert_true(view_equal((a), (b)))

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (!strstr((text), (part)))                                                               \
            fail_msg("\"%s\" lacks \"%s\"", (text), (part));                                       \
    } while (0)

#endif
