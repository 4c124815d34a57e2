/* The files of a token directory as objects, whoever changes them. */
#include <unistd.h>

#include "token/session/records.h"
#include "token/session/writable_support.h"

static struct parts begin(void)
{
    struct parts parts = open_directory("");
    initialise(&parts);
    assert_ok(login(&parts, CKU_USER, "1234"));
    return parts;
}

static CK_OBJECT_HANDLE make_data(struct parts *parts, const char *name)
{
    CK_OBJECT_HANDLE handle;
    assert_ok(create_data(parts, name, view_string("v"), false, &handle));
    return handle;
}

/* An entry file of this token, written by hand. */
static void write_entry(const struct parts *parts, const char *name, const char *groups)
{
    char id[2 * VAULT_TOKEN_SIZE + 1], text[2048];
    token_id(parts, id);
    snprintf(text, sizeof(text), "Signet entry 1\ntoken = %s\n%s", id, groups);
    write_file(name, text);
}

static void handles_stay_with_their_unique_ids(UNUSED void **state)
{
    struct parts parts = begin();
    write_entry(&parts, "work/a.pem",
                "[data]\nunique id = \"1\"\nlabel = \"one\"\n"
                "[data]\nunique id = \"2\"\nlabel = \"two\"\n");
    CK_OBJECT_HANDLE one = find_by(&parts, CKA_LABEL, "one");
    CK_OBJECT_HANDLE two = find_by(&parts, CKA_LABEL, "two");
    assert_true(one && two);
    write_entry(&parts, "work/a.pem",
                "[data]\nunique id = \"3\"\nlabel = \"three\"\n"
                "[data]\nunique id = \"2\"\nlabel = \"TWO\"\n"
                "[data]\nunique id = \"1\"\nlabel = \"ONE\"\n");
    look(&parts);
    assert_int_equal(find_by(&parts, CKA_LABEL, "ONE"), one);
    assert_int_equal(find_by(&parts, CKA_LABEL, "TWO"), two);
    CK_OBJECT_HANDLE three = find_by(&parts, CKA_LABEL, "three");
    assert_true(three > two);
    write_entry(&parts, "work/a.pem", "[data]\nunique id = \"3\"\nlabel = \"three\"\n");
    look(&parts);
    assert_null(token_object(parts.token, one));
    assert_non_null(token_object(parts.token, three));
    run("rm work/a.pem");
    look(&parts);
    assert_null(token_object(parts.token, three));
    assert_int_equal(parts.token->object_count, 1);
    close_parts(&parts);
}

static void a_renamed_file_is_served_under_its_new_name(UNUSED void **state)
{
    char path[PATH_SIZE], command[2 * PATH_SIZE];
    struct parts parts = begin();
    file_of(&parts, make_data(&parts, "d"), path);
    snprintf(command, sizeof(command), "mv '%s' 'work/it'\"'\"'s mine.pem'", path);
    run(command);
    look(&parts);
    assert_int_equal(count(&parts, CKO_DATA), 1);
    CK_OBJECT_HANDLE data = find_by(&parts, CKA_LABEL, "d");
    assert_ok(set_label(&parts, data, "renamed"));
    assert_int_equal(find_by(&parts, CKA_LABEL, "renamed"), data);
    assert_int_equal(access("work/it's mine.pem", F_OK), 0);
    assert_ok(objects_destroy(parts.session, data));
    assert_int_equal(access("work/it's mine.pem", F_OK), -1);
    close_parts(&parts);
}

static void a_copied_file_is_another_object(UNUSED void **state)
{
    char path[PATH_SIZE], command[2 * PATH_SIZE];
    struct parts parts = begin();
    CK_OBJECT_HANDLE data = make_data(&parts, "d");
    file_of(&parts, data, path);
    snprintf(command, sizeof(command), "cp '%s' work/copy.pem", path);
    run(command);
    look(&parts);
    assert_int_equal(count(&parts, CKO_DATA), 2);
    assert_ok(set_label(&parts, data, "changed"));
    CK_OBJECT_HANDLE copy = find_by(&parts, CKA_LABEL, "d");
    assert_true(copy && copy != data);
    assert_ok(objects_destroy(parts.session, data));
    assert_int_equal(find_by(&parts, CKA_LABEL, "d"), copy);
    close_parts(&parts);
}

static void what_another_process_writes_is_seen(UNUSED void **state)
{
    struct parts one = begin();
    struct parts two = open_again();
    assert_ok(login(&two, CKU_USER, "1234"));
    CK_OBJECT_HANDLE data = make_data(&one, "d");
    CK_OBJECT_HANDLE there = find_by(&two, CKA_LABEL, "d");
    assert_true(there);
    assert_ok(set_label(&two, there, "e"));
    look(&one);
    assert_attribute(&one, data, CKA_LABEL, "e");
    assert_ok(objects_destroy(one.session, data));
    assert_int_equal(count(&two, CKO_DATA), 0);
    assert_null(token_object(two.token, there));
    close_parts(&two);
    close_parts(&one);
}

static bool has_problem(const struct parts *parts, const char *name, const char *why)
{
    const struct problems *problems = &parts->token->problems;
    for (size_t i = 0; i < problems->count; i++)
        if (problems->list[i].file && strcmp(problems->list[i].file, name) == 0)
            return strstr(problems->list[i].reason.text, why) != NULL;
    return false;
}

static void damaged_and_foreign_files_are_left_out_and_named(UNUSED void **state)
{
    struct parts parts = begin();
    CK_OBJECT_HANDLE good = make_data(&parts, "good");
    write_entry(&parts, "work/twice.pem", "[data]\nunique id = \"1\"\n[data]\nunique id = \"1\"\n");
    write_file("work/foreign.pem", "Signet entry 1\ntoken = 000102030405060708090a0b0c0d0e0f\n"
                                   "[data]\nunique id = \"1\"\n");
    write_file("work/later.pem", "Signet entry 7\n");
    write_file("work/quote\"d.pem", "Signet entry 1\n\x01\n");
    log_to_file();
    look(&parts);
    assert_int_equal(count(&parts, CKO_DATA), 1);
    assert_non_null(token_object(parts.token, good));
    assert_true(has_problem(&parts, "twice.pem", "same unique id"));
    assert_true(has_problem(&parts, "foreign.pem", "another token"));
    assert_true(has_problem(&parts, "later.pem", "newer version"));
    assert_true(has_problem(&parts, "quote\"d.pem", "control character"));
    assert_logged("work/quote\"d.pem:2");
    write_entry(&parts, "work/twice.pem", "[data]\nunique id = \"1\"\n");
    run("rm work/foreign.pem");
    look(&parts);
    assert_int_equal(count(&parts, CKO_DATA), 2);
    assert_false(has_problem(&parts, "twice.pem", ""));
    assert_false(has_problem(&parts, "foreign.pem", ""));
    close_parts(&parts);
}

/* A file that becomes another token's loses its objects. */
static void an_entry_that_turns_bad_takes_its_objects_along(UNUSED void **state)
{
    char path[PATH_SIZE];
    struct parts parts = begin();
    CK_OBJECT_HANDLE data = make_data(&parts, "d");
    file_of(&parts, data, path);
    write_file(path, "Signet entry 1\nnonsense\n");
    assert_rv(set_label(&parts, data, "x"), CKR_OBJECT_HANDLE_INVALID);
    assert_null(token_object(parts.token, data));
    close_parts(&parts);
}

/* What the index says of a file, put there by somebody else. */
static void forge(const char *name, const struct bytes *blob)
{
    struct directory *directory = NULL;
    struct bytes text CLEANUP(bytes_free) = {0};
    struct file_stamp stamp;
    bool changed;
    assert_ok(directory_new("work", &directory));
    assert_ok(directory_refresh(directory, &changed, NULL));
    assert_ok(directory_read(directory, name, &text, &stamp, NULL));
    assert_ok(directory_index_set(directory, name, &stamp, bytes_view(blob)));
    directory_index_save(directory);
    directory_free(directory);
}

/* As records.c writes it: a head, and packed attributes. */
static void make_blob(const struct parts *parts, uint32_t claimed, uint64_t size_added, size_t same,
                      struct bytes *ret_blob)
{
    uint32_t head[4] = {1, claimed, 1, 1};
    struct attributes attributes CLEANUP(attributes_clear) = {0};
    struct bytes packed CLEANUP(bytes_free) = {0};
    assert_ok(attributes_set_ulong(&attributes, CKA_CLASS, CKO_DATA));
    assert_ok(attributes_set(&attributes, CKA_UNIQUE_ID, view_string("forged")));
    assert_ok(attributes_set(&attributes, CKA_LABEL, view_string("forged")));
    assert_ok(attributes_pack(&attributes, &packed));
    uint64_t size = packed.size + size_added;
    bytes_free(ret_blob);
    assert_ok(bytes_append(ret_blob, view_of(head, sizeof(head)), 65536));
    assert_ok(bytes_append(ret_blob, view_of(parts->token->writable->file.id, 16), 65536));
    for (size_t i = 0; i < same; i++) {
        assert_ok(bytes_append(ret_blob, view_of(&size, sizeof(size)), 65536));
        assert_ok(bytes_append(ret_blob, bytes_view(&packed), 65536));
        assert_ok(
            bytes_append(ret_blob, view_of("\0\0\0\0\0\0\0", (8 - packed.size % 8) % 8), 65536));
    }
}

/* Of files that were changed just now the index keeps nothing. */
static void let_settle(void)
{
    usleep(100000);
}

static void assert_not_believed(const struct bytes *blob)
{
    forge("real.pem", blob);
    struct parts other = open_again();
    assert_int_equal(find_by(&other, CKA_LABEL, "forged"), CK_INVALID_HANDLE);
    assert_true(find_by(&other, CKA_LABEL, "real") != CK_INVALID_HANDLE);
    close_parts(&other);
}

static void a_malformed_index_is_not_believed(UNUSED void **state)
{
    struct bytes blob = {0};
    struct parts parts = begin();
    write_entry(&parts, "work/real.pem", "[data]\nunique id = \"r\"\nlabel = \"real\"\n");
    let_settle();
    make_blob(&parts, 1, 0, 1, &blob);
    forge("real.pem", &blob);
    struct parts other = open_again();
    assert_true(find_by(&other, CKA_LABEL, "forged") != CK_INVALID_HANDLE);
    close_parts(&other);
    make_blob(&parts, 2, 0, 1, &blob);
    assert_not_believed(&blob);
    make_blob(&parts, 34, 0, 34, &blob);
    assert_not_believed(&blob);
    make_blob(&parts, UINT32_MAX, 0, 1, &blob);
    assert_not_believed(&blob);
    make_blob(&parts, 1, UINT64_MAX - 200, 1, &blob);
    assert_not_believed(&blob);
    make_blob(&parts, 1, 1, 1, &blob);
    assert_not_believed(&blob);
    make_blob(&parts, 1, 0, 2, &blob);
    assert_not_believed(&blob);
    for (size_t size = 0; size < blob.size / 2; size += 3) {
        struct bytes part = {blob.data, size};
        if (size)
            assert_not_believed(&part);
    }
    bytes_free(&blob);
    close_parts(&parts);
}

/* One that is whole, but says the same id three times, harms nothing. */
static void an_index_with_doubles_frees_nothing_twice(UNUSED void **state)
{
    struct bytes blob = {0};
    struct parts parts = begin();
    write_entry(&parts, "work/real.pem", "[data]\nunique id = \"r\"\nlabel = \"real\"\n");
    let_settle();
    make_blob(&parts, 3, 0, 3, &blob);
    forge("real.pem", &blob);
    struct parts other = open_again();
    assert_int_equal(count(&other, CKO_DATA), 3);
    forge("real.pem", &blob);
    run("touch work/real.pem");
    look(&other);
    run("touch work/real.pem; rm work/real.pem");
    look(&other);
    assert_int_equal(other.token->object_count, 1);
    close_parts(&other);
    bytes_free(&blob);
    close_parts(&parts);
}

/* The same contents once more, with an id in them twice. */
static void doubles_that_are_applied_again_stay_apart(UNUSED void **state)
{
    struct parts parts = begin();
    for (int round = 0; round < 3; round++) {
        struct attributes contents[2] = {{0}, {0}};
        for (size_t i = 0; i < 2; i++) {
            assert_ok(attributes_set_ulong(&contents[i], CKA_CLASS, CKO_DATA));
            assert_ok(attributes_set(&contents[i], CKA_UNIQUE_ID, view_string("same")));
        }
        assert_ok(writable_apply(parts.token, "x.pem", 1, contents, 2));
        const struct record *record = writable_find_record(parts.token, "x.pem");
        assert_int_equal(record->count, 2);
        assert_ptr_not_equal(record->objects[0], record->objects[1]);
        assert_int_equal(parts.token->object_count, 3);
    }
    writable_forget(parts.token, "x.pem");
    assert_int_equal(parts.token->object_count, 1);
    close_parts(&parts);
}

static void many_files_come_and_go(UNUSED void **state)
{
    struct parts parts = begin();
    char name[64], group[128];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "work/%03d.pem", i);
        snprintf(group, sizeof(group), "[data]\nunique id = \"%d\"\nlabel = \"%d\"\n", i, i);
        write_entry(&parts, name, group);
    }
    CK_OBJECT_HANDLE last = find_by(&parts, CKA_LABEL, "299");
    assert_int_equal(parts.token->object_count, 301);
    run("cd work; rm 0*.pem 1*.pem");
    assert_int_equal(find_by(&parts, CKA_LABEL, "299"), last);
    assert_int_equal(parts.token->object_count, 101);
    assert_int_equal(find_by(&parts, CKA_LABEL, "7"), CK_INVALID_HANDLE);
    close_parts(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(handles_stay_with_their_unique_ids),
        in_own_directory(a_renamed_file_is_served_under_its_new_name),
        in_own_directory(a_copied_file_is_another_object),
        in_own_directory(what_another_process_writes_is_seen),
        in_own_directory(damaged_and_foreign_files_are_left_out_and_named),
        in_own_directory(an_entry_that_turns_bad_takes_its_objects_along),
        in_own_directory(a_malformed_index_is_not_believed),
        in_own_directory(an_index_with_doubles_frees_nothing_twice),
        in_own_directory(doubles_that_are_applied_again_stay_apart),
        in_own_directory(many_files_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
