#include "token/store/test_support.h"

#include "token/store/listing.h"
#include "token/store/name.h"

static struct look look_of(uint64_t inode)
{
    return (struct look){.kind = LOOK_FILE, .stamp = {.inode = inode}};
}

static void a_name_that_was_seen_twice_is_there_once(UNUSED void **state)
{
    struct listing listing = {0};
    struct look look = look_of(1);
    listing_begin(&listing);
    assert_ok(listing_put(&listing, "b", &look, true));
    assert_ok(listing_put(&listing, "a", &look, true));
    assert_ok(listing_put(&listing, "b", &look, true));
    assert_ok(listing_put(&listing, "b", &look, true));
    assert_ok(listing_end(&listing));
    assert_int_equal(listing.files.count, 2);
    assert_string_equal(listing.files.at[0]->name, "a");
    assert_string_equal(listing.files.at[1]->name, "b");
    listing_clear(&listing);
}

static void there_is_a_limit(UNUSED void **state)
{
    struct listing listing = {0};
    struct look look = look_of(1);
    char name[16];
    listing_begin(&listing);
    for (int i = 0; i < DIRECTORY_MAX_FILES + 5; i++) {
        assert_false(listing.full && i <= DIRECTORY_MAX_FILES);
        snprintf(name, sizeof(name), "%06d", i);
        assert_ok(listing_put(&listing, name, &look, true));
    }
    assert_ok(listing_end(&listing));
    assert_true(listing.full);
    assert_int_equal(listing.files.count, DIRECTORY_MAX_FILES);
    assert_ok(listing_put(&listing, "more", &look, true));
    assert_int_equal(listing.files.count, DIRECTORY_MAX_FILES);
    listing_drop(&listing, "000000");
    assert_ok(listing_put(&listing, "more", &look, true));
    assert_non_null(listing_find(&listing, "more"));
    listing_clear(&listing);
}

static void a_scan_that_failed_leaves_what_was_there(UNUSED void **state)
{
    struct listing listing = {0};
    struct look look = look_of(1);
    assert_ok(listing_put(&listing, "a", &look, true));
    assert_ok(listing_put(&listing, "b", &look, true));
    listing_begin(&listing);
    assert_ok(listing_put(&listing, "a", &look, true));
    assert_ok(listing_put(&listing, "c", &look, true));
    listing_abandon(&listing);
    assert_int_equal(listing.files.count, 2);
    assert_non_null(listing_find(&listing, "b"));
    assert_null(listing_find(&listing, "c"));
    listing_clear(&listing);
}

static void a_version_never_comes_again(UNUSED void **state)
{
    struct listing listing = {0};
    uint64_t last = 0;
    for (uint64_t i = 0; i < 10; i++) {
        struct look look = look_of(i % 2);
        assert_ok(listing_put(&listing, "a", &look, true));
        assert_true(listing_find(&listing, "a")->file.version > last);
        last = listing_find(&listing, "a")->file.version;
        if (i % 3 == 0)
            listing_drop(&listing, "a");
        if (i % 4 == 0)
            listing_clear(&listing);
    }
    listing_clear(&listing);
}

static void a_recent_file_with_the_same_stamp_is_new_when_it_was_rewritten(UNUSED void **state)
{
    static const struct {
        bool recent, rewritten, own, other_stamp, expected;
    } rows[] = {
        {false, false, false, false, false}, {false, true, false, false, false},
        {true, false, false, false, false},  {true, true, false, false, true},
        {true, true, true, false, false},    {false, false, false, true, true},
        {true, true, true, true, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct listing listing = {0};
        struct look look = look_of(1);
        look.recent = rows[i].recent;
        assert_ok(rows[i].own ? listing_put_own(&listing, "a", &look)
                              : listing_put(&listing, "a", &look, true));
        uint64_t before = listing_find(&listing, "a")->file.version;
        listing.changed = false;
        look.stamp.changed += rows[i].other_stamp;
        assert_ok(listing_put(&listing, "a", &look, rows[i].rewritten));
        assert_int_equal(listing.changed, rows[i].expected);
        assert_int_equal(listing_find(&listing, "a")->file.version > before, rows[i].expected);
        listing_clear(&listing);
    }
}

static void a_foreign_version_after_an_own_one_is_not_own(UNUSED void **state)
{
    struct listing listing = {0};
    struct look look = look_of(1);
    look.recent = true;
    assert_ok(listing_put_own(&listing, "a", &look));
    look.stamp.changed = 1;
    assert_ok(listing_put(&listing, "a", &look, true));
    listing.changed = false;
    assert_ok(listing_put(&listing, "a", &look, true));
    assert_true(listing.changed);
    listing_clear(&listing);
}

static void stamps_differ_in_every_member(UNUSED void **state)
{
    const struct file_stamp stamp = {1, 2, 3, 4, 5};
    const struct file_stamp others[] = {
        {0, 2, 3, 4, 5}, {1, 0, 3, 4, 5}, {1, 2, 0, 4, 5}, {1, 2, 3, 0, 5}, {1, 2, 3, 4, 0}};
    assert_true(stamp_equal(&stamp, &stamp));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(stamp_equal(&stamp, &others[i]));
}

static void a_change_is_recent_for_some_ticks(UNUSED void **state)
{
    const int64_t second = 1000000000, now = 1700000000 * second + 500000000;
    static const struct {
        int64_t age; /* in milliseconds */
        bool expected;
    } rows[] = {{0, true}, {40, true}, {60, false}, {-40, true}, {-60, false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct file_stamp stamp = {.modified = now - rows[i].age * 1000000, .changed = 1};
        assert_int_equal(stamp_is_recent(&stamp, now), rows[i].expected);
        stamp.changed = stamp.modified;
        stamp.modified = 1;
        assert_int_equal(stamp_is_recent(&stamp, now), rows[i].expected);
    }
    struct file_stamp whole = {.changed = now - 1500000000, .modified = 1};
    assert_int_equal(whole.changed % second, 0);
    assert_true(stamp_is_recent(&whole, now));
    whole.changed -= second;
    assert_false(stamp_is_recent(&whole, now));
}

static void drafts_have_names_of_their_own(UNUSED void **state)
{
    static const char *const others[] = {
        ".tmp",
        ".a.tmp",
        "a.1.0123456789abcdef.tmp",
        ".a.1.0123456789abcde.tmp",
        ".a.1.0123456789abcdeg.tmp",
        ".a.1.0123456789abcdef",
        ".a..0123456789abcdef.tmp",
        "..1.0123456789abcdef.tmp",
        ".1.0123456789abcdef.tmp",
        ".a.x.0123456789abcdef.tmp",
        ".index",
        "",
    };
    char name[256], other[256], longest[256];
    assert_ok(name_draft("a", name));
    assert_ok(name_draft("a", other));
    assert_string_not_equal(name, other);
    assert_int_equal(strncmp(name, ".a.", 3), 0);
    assert_true(name_is_draft(name));
    assert_false(name_is_entry(name));
    memset(longest, 'x', sizeof(longest));
    longest[255] = 0;
    assert_ok(name_draft(longest, name));
    assert_true(strlen(name) < 256 && name_is_draft(name));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(name_is_draft(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_was_seen_twice_is_there_once),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(a_scan_that_failed_leaves_what_was_there),
        cmocka_unit_test(a_version_never_comes_again),
        cmocka_unit_test(a_recent_file_with_the_same_stamp_is_new_when_it_was_rewritten),
        cmocka_unit_test(a_foreign_version_after_an_own_one_is_not_own),
        cmocka_unit_test(stamps_differ_in_every_member),
        cmocka_unit_test(a_change_is_recent_for_some_ticks),
        cmocka_unit_test(drafts_have_names_of_their_own),
    };
    return in_directory(tests);
}
