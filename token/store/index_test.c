#include "token/store/watch_support.h"

#include "token/store/index.h"

/* --- the file ----------------------------------------------------------------- */

static const struct index_part parts[] = {
    {.name = {(const uint8_t *)"a", 1},
     .stamp = {1, 2, 3, 4, 5},
     .content = {(const uint8_t *)"what it holds", 13}},
    {.name = {(const uint8_t *)"bb", 2},
     .stamp = {UINT64_MAX, 1, 0, -1, INT64_MIN},
     .content = {(const uint8_t *)"x", 1}},
    {.name = {(const uint8_t *)"c", 1}},
};

static struct bytes index_of_parts(void)
{
    struct bytes index = {0};
    size_t size = INDEX_HEADER_SIZE, at = INDEX_HEADER_SIZE;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        size += index_part_size(&parts[i]);
    assert_ok(bytes_alloc(&index, size));
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        at += index_put(index.data + at, &parts[i]);
    assert_int_equal(at, size);
    index_finish(&index);
    return index;
}

static void parts_are_read_as_they_were_written(UNUSED void **state)
{
    struct bytes index = index_of_parts();
    struct index_reader reader;
    struct index_part part;
    assert_true(index_open(bytes_view(&index), &reader));
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        poison(part);
        assert_true(index_next(&reader, &part));
        assert_true(view_equal(part.name, parts[i].name));
        assert_true(view_equal(part.content, parts[i].content));
        assert_int_equal((part.content.data - index.data) % 8, 0);
        assert_memory_equal(&part.stamp, &parts[i].stamp, sizeof(part.stamp));
    }
    poison(part);
    assert_false(index_next(&reader, &part));
    assert_poison(part);
    bytes_free(&index);
}

static void every_damaged_bit_is_seen(UNUSED void **state)
{
    struct bytes index = index_of_parts();
    struct index_reader reader;
    poison(reader);
    for (size_t i = 0; i < index.size * 8; i++) {
        index.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(index_open(bytes_view(&index), &reader));
        index.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t size = 0; size < index.size; size++)
        assert_false(index_open(view_of(index.data, size), &reader));
    assert_poison(reader);
    assert_true(index_open(bytes_view(&index), &reader));
    bytes_free(&index);
}

static void a_part_that_says_more_than_there_is_ends_it(UNUSED void **state)
{
    struct bytes index = index_of_parts();
    struct index_reader reader;
    struct index_part part;
    for (size_t offset = 40; offset < 48; offset += 4) {
        uint8_t *size = index.data + INDEX_HEADER_SIZE + offset;
        uint8_t before[4];
        memcpy(before, size, 4);
        memset(size, 0xff, 4);
        index_finish(&index);
        assert_true(index_open(bytes_view(&index), &reader));
        assert_false(index_next(&reader, &part));
        memcpy(size, before, 4);
    }
    bytes_free(&index);
}

/* --- in a directory ----------------------------------------------------------- */

#define FILES 40

static void make_token(int count)
{
    make_directory("token");
    make_files("token/%02d", count);
    let_settle();
}

/* Reads a file as the caller of the store does, and keeps "<name" for it. */
static void keep(struct directory *directory, const char *name)
{
    struct bytes content = {0};
    struct file_stamp stamp;
    char part[64];
    snprintf(part, sizeof(part), "<%s", name);
    assert_ok(directory_read(directory, name, &content, &stamp, NULL));
    assert_ok(directory_index_set(directory, name, &stamp, view_string(part)));
    bytes_free(&content);
}

static void keep_all(struct directory *directory)
{
    for (size_t i = 0; i < directory_count(directory); i++)
        if (!directory_at(directory, i)->cached.data)
            keep(directory, directory_at(directory, i)->name);
}

static bool has_index(void)
{
    return access("token/.index", F_OK) == 0;
}

static void index_all(void)
{
    struct directory *directory = open_directory("token");
    keep_all(directory);
    directory_index_save(directory);
    directory_free(directory);
    assert_true(has_index());
}

static size_t count_cached(const struct directory *directory)
{
    size_t count = 0;
    for (size_t i = 0; i < directory_count(directory); i++) {
        const struct directory_file *file = directory_at(directory, i);
        char part[64];
        if (!file->cached.data)
            continue;
        snprintf(part, sizeof(part), "<%s", file->name);
        assert_view(file->cached, part);
        count++;
    }
    return count;
}

static void what_was_kept_is_there_for_the_next(UNUSED void **state)
{
    struct stat status;
    make_token(FILES);
    struct directory *directory = open_directory("token");
    assert_int_equal(count_cached(directory), 0);
    keep_all(directory);
    assert_int_equal(count_cached(directory), FILES);
    directory_index_save(directory);
    assert_int_equal(count_cached(directory), 0);
    assert_int_equal(stat("token/.index", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(count_names("token", ".index."), 0);
    assert_false(refresh(directory));
    directory_free(directory);
    directory = open_directory("token");
    assert_int_equal(count_cached(directory), FILES);
    directory_index_save(directory);
    assert_int_equal(count_cached(directory), 0);
    directory_free(directory);
}

static void a_changed_file_has_lost_its_part(UNUSED void **state)
{
    static const char *const commands[] = {
        "printf y | dd of=token/05 bs=1 conv=notrunc",
        "cp -p token/05 x; mv x token/05",
        "touch -d 2001-01-01 token/05",
        "chmod 0400 token/05",
    };
    make_token(FILES);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        index_all();
        run(commands[i]);
        struct directory *directory = open_directory("token");
        assert_int_equal(count_cached(directory), FILES - 1);
        assert_null(directory_find(directory, "05")->cached.data);
        directory_free(directory);
        let_settle();
        assert_int_equal(unlink("token/.index"), 0);
    }
    index_all();
    struct directory *directory = open_directory("token");
    write_file("token/06", "x");
    refresh(directory);
    assert_null(directory_find(directory, "06")->cached.data);
    write_text(directory, "07", "x");
    assert_null(directory_find(directory, "07")->cached.data);
    assert_int_equal(count_cached(directory), FILES - 2);
    directory_free(directory);
}

static void names_that_came_or_went_do_not_confuse_it(UNUSED void **state)
{
    make_token(FILES);
    index_all();
    run("cd token; rm 00 07 39; echo x >000; echo x >0; echo x >99; echo x >071");
    struct directory *directory = open_directory("token");
    assert_int_equal(directory_count(directory), FILES + 1);
    assert_int_equal(count_cached(directory), FILES - 3);
    directory_free(directory);
}

static void a_damaged_index_counts_for_nothing_and_is_replaced(UNUSED void **state)
{
    static const char *const commands[] = {
        "printf x | dd of=token/.index bs=1 seek=100 conv=notrunc",
        "truncate -s -1 token/.index",
        "truncate -s 10 token/.index",
        ": >token/.index",
        "printf '\\002' | dd of=token/.index bs=1 seek=8 conv=notrunc",
        "rm token/.index; mkfifo token/.index",
        "mv token/.index x; ln -s ../x token/.index",
        "truncate -s 200M token/.index",
    };
    make_token(FILES);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        index_all();
        run(commands[i]);
        struct directory *directory = open_directory("token");
        assert_int_equal(count_cached(directory), 0);
        keep_all(directory);
        directory_index_save(directory);
        directory_free(directory);
        directory = open_directory("token");
        assert_int_equal(count_cached(directory), FILES);
        directory_free(directory);
    }
}

static void what_was_read_too_soon_is_not_kept(UNUSED void **state)
{
    make_directory("token");
    coarse = true;
    for (int i = 0; i < 4; i++) {
        write_file("token/a", i % 2 ? "one" : "two");
        struct directory *directory = open_directory("token");
        keep(directory, "a");
        write_file("token/a", i % 2 ? "two" : "one");
        let_settle();
        directory_index_save(directory);
        directory_free(directory);
        assert_false(has_index());
        ahead = 0;
    }
    let_settle();
    index_all();
}

static void what_was_not_read_is_not_kept(UNUSED void **state)
{
    make_token(1);
    struct directory *directory = open_directory("token");
    struct file_stamp stamp = directory_find(directory, "00")->stamp;
    assert_ok(directory_index_set(directory, "00", &stamp, view_string("x")));
    assert_ok(directory_index_set(directory, "missing", &stamp, view_string("x")));
    keep(directory, "00");
    assert_int_equal(count_cached(directory), 1);
    write_file("token/00", "more");
    refresh(directory);
    stamp = directory_find(directory, "00")->stamp;
    assert_ok(directory_index_set(directory, "00", &stamp, view_string("x")));
    assert_int_equal(count_cached(directory), 0);
    let_settle();
    keep(directory, "00");
    stamp.modified++;
    assert_ok(directory_index_set(directory, "00", &stamp, view_string("x")));
    assert_int_equal(count_cached(directory), 1);
    directory_free(directory);
}

static void an_own_file_is_kept_at_once(UNUSED void **state)
{
    make_directory("token");
    struct directory *directory = open_directory("token");
    write_text(directory, "a", "x");
    const struct directory_file *file = directory_find(directory, "a");
    assert_ok(directory_index_set(directory, "a", &file->stamp, view_string("<a")));
    assert_false(refresh(directory));
    assert_int_equal(count_cached(directory), 1);
    directory_index_save(directory);
    directory_free(directory);
    directory = open_directory("token");
    assert_int_equal(count_cached(directory), 1);
    directory_free(directory);
}

static void it_is_written_when_enough_is_new(UNUSED void **state)
{
    char name[8];
    make_token(200);
    struct directory *directory = open_directory("token");
    for (int i = 0; i < 15; i++) {
        snprintf(name, sizeof(name), "%02d", i);
        keep(directory, name);
        keep(directory, name);
        directory_index_save(directory);
        assert_false(has_index());
        assert_int_equal(count_cached(directory), i + 1);
    }
    keep(directory, "15");
    directory_index_save(directory);
    assert_true(has_index());
    keep_all(directory);
    directory_index_save(directory);
    directory_free(directory);
    directory = open_directory("token");
    assert_int_equal(count_cached(directory), 200);
    directory_free(directory);
}

static void what_is_kept_anew_replaces_the_old(UNUSED void **state)
{
    make_token(FILES);
    struct directory *directory = open_directory("token");
    for (size_t i = 0; i < FILES; i++) {
        struct bytes content = {0};
        struct file_stamp stamp;
        const char *name = directory_at(directory, i)->name;
        assert_ok(directory_read(directory, name, &content, &stamp, NULL));
        assert_ok(directory_index_set(directory, name, &stamp, view_string("old")));
        bytes_free(&content);
    }
    directory_index_save(directory);
    directory_free(directory);
    directory = open_directory("token");
    for (size_t i = 0; i < FILES; i++)
        keep(directory, directory_at(directory, i)->name);
    directory_index_save(directory);
    directory_free(directory);
    directory = open_directory("token");
    assert_int_equal(count_cached(directory), FILES);
    directory_free(directory);
}

static void two_add_to_one_index(UNUSED void **state)
{
    char name[8];
    make_token(FILES);
    struct directory *one = open_directory("token"), *two = open_directory("token");
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "%02d", i);
        keep(i % 2 ? one : two, name);
    }
    directory_index_save(one);
    directory_index_save(two);
    directory_free(one);
    directory_free(two);
    one = open_directory("token");
    assert_int_equal(count_cached(one), FILES);
    directory_free(one);
}

static void a_locked_directory_is_left_alone(UNUSED void **state)
{
    make_token(FILES);
    struct directory *one = open_directory("token"), *two = open_directory("token");
    keep_all(one);
    assert_ok(directory_lock(two, NULL));
    directory_index_save(one);
    assert_false(has_index());
    directory_unlock(two);
    assert_ok(directory_lock(one, NULL));
    directory_index_save(one);
    assert_true(has_index());
    directory_unlock(one);
    directory_free(one);
    directory_free(two);
}

static void a_directory_that_was_replaced_has_another_index(UNUSED void **state)
{
    make_token(FILES);
    index_all();
    struct directory *directory = open_directory("token");
    assert_int_equal(count_cached(directory), FILES);
    run("rm -r token");
    refresh(directory);
    make_token(FILES);
    refresh(directory);
    assert_int_equal(count_cached(directory), 0);
    keep_all(directory);
    directory_index_save(directory);
    directory_free(directory);
    directory = open_directory("token");
    assert_int_equal(count_cached(directory), FILES);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_are_read_as_they_were_written),
        TEST(every_damaged_bit_is_seen),
        TEST(a_part_that_says_more_than_there_is_ends_it),
        TEST(what_was_kept_is_there_for_the_next),
        TEST(a_changed_file_has_lost_its_part),
        TEST(names_that_came_or_went_do_not_confuse_it),
        TEST(a_damaged_index_counts_for_nothing_and_is_replaced),
        TEST(what_was_read_too_soon_is_not_kept),
        TEST(what_was_not_read_is_not_kept),
        TEST(an_own_file_is_kept_at_once),
        TEST(it_is_written_when_enough_is_new),
        TEST(what_is_kept_anew_replaces_the_old),
        TEST(two_add_to_one_index),
        TEST(a_locked_directory_is_left_alone),
        TEST(a_directory_that_was_replaced_has_another_index),
    };
    return in_directory(tests);
}
