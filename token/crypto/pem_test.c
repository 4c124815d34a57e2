#include "token/crypto/pem.h"
#include "token/crypto/test_support.h"

/* The only block of the text, decoded. */
static struct bytes content_of(struct view text)
{
    struct pem_reader reader = pem_reader_of(text);
    struct pem_block block;
    struct pem_encryption encryption;
    struct bytes content = {0};
    assert_int_equal(pem_next(&reader, &block, NULL), CKR_OK);
    assert_view_equal(block.label, view_string("SOME DATA"));
    assert_int_equal(pem_decode(&block, &content, &encryption, NULL), CKR_OK);
    assert_int_equal(pem_next(&reader, &block, NULL), CKR_OK);
    assert_null(block.label.data);
    return content;
}

static void every_length_comes_back(UNUSED void **state)
{
    uint8_t data[200];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 200);
    for (size_t size = 1; size <= sizeof(data); size++) {
        struct bytes text = {0};
        assert_int_equal(pem_write(&text, "SOME DATA", view_of(data, size)), CKR_OK);
        struct bytes back = content_of(bytes_view(&text));
        assert_view_equal(bytes_view(&back), view_of(data, size));
        bytes_free(&back);
        bytes_free(&text);
    }
}

static void lines_have_64_characters(UNUSED void **state)
{
    static const uint8_t zeros[97];
    struct bytes text = {0};
    assert_int_equal(pem_write(&text, "X", view_of(zeros, 96)), CKR_OK);
    assert_view_equal(
        bytes_view(&text),
        view_string("-----BEGIN X-----\n"
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                    "-----END X-----\n"));
    assert_int_equal(pem_write(&text, "Y", view_of(zeros, 1)), CKR_OK);
    const char *second = "-----BEGIN Y-----\nAA==\n-----END Y-----\n";
    assert_memory_equal(text.data + text.size - strlen(second), second, strlen(second));
    bytes_free(&text);
}

static void openssl_writes_the_same(UNUSED void **state)
{
    struct bytes text = {0};
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out key.pem");
    run("openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der");
    struct bytes der = read_file("key.der"), pem = read_file("key.pem");
    assert_int_equal(pem_write(&text, "PRIVATE KEY", bytes_view(&der)), CKR_OK);
    assert_view_equal(bytes_view(&text), bytes_view(&pem));
    bytes_free(&der);
    bytes_free(&pem);
    bytes_free(&text);
}

static void a_block_begins_on_a_line_of_its_own(UNUSED void **state)
{
    static const char *const fronts[] = {"", "label: x", "label: x\n"};
    static const char *const expected[] = {"-----BEGIN", "label: x\n-----BEGIN",
                                           "label: x\n-----BEGIN"};
    for (size_t i = 0; i < ARRAY_SIZE(fronts); i++) {
        struct bytes text = {0};
        assert_int_equal(bytes_copy(&text, view_string(fronts[i])), CKR_OK);
        assert_int_equal(pem_write(&text, "SOME DATA", view_string("data")), CKR_OK);
        assert_memory_equal(text.data, expected[i], strlen(expected[i]));
        struct bytes back = content_of(bytes_view(&text));
        assert_view_equal(bytes_view(&back), view_string("data"));
        bytes_free(&back);
        bytes_free(&text);
    }
}

static void what_no_reader_takes_is_not_written(UNUSED void **state)
{
    char label[66];
    struct bytes text = {0};
    memset(label, 'A', sizeof(label));
    label[65] = 0;
    assert_int_equal(pem_write(&text, "X", (struct view){0}), CKR_DATA_LEN_RANGE);
    assert_int_equal(pem_write(&text, label, view_string("x")), CKR_DATA_LEN_RANGE);
    assert_int_equal(text.size, 0);
    label[64] = 0;
    assert_int_equal(pem_write(&text, label, view_string("x")), CKR_OK);
    struct pem_reader reader = pem_reader_of(bytes_view(&text));
    struct pem_block block;
    assert_int_equal(pem_next(&reader, &block, NULL), CKR_OK);
    assert_view_equal(block.label, view_string(label));
    bytes_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(lines_have_64_characters),
        cmocka_unit_test(openssl_writes_the_same),
        cmocka_unit_test(a_block_begins_on_a_line_of_its_own),
        cmocka_unit_test(what_no_reader_takes_is_not_written),
    };
    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
