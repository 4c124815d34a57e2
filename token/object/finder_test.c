#include <time.h>

#include "token/object/finder.h"
#include "token/object/finder_tags.h"
#include "token/object/test_support.h"

static struct object *data_object(const char *label, const char *value)
{
    struct template template;
    begin_data(&template);
    add_text(&template, CKA_LABEL, label);
    add_text(&template, CKA_VALUE, value);
    return object_of(&template);
}

static struct finder_hits find_text(const struct finder *finder, CK_ATTRIBUTE_TYPE type,
                                    const char *text)
{
    struct template template = {.count = 0};
    struct finder_hits hits;
    poison(hits);
    add_text(&template, type, text);
    finder_find(finder, template.list, template.count, &hits);
    return hits;
}

static bool is_hit(const struct finder *finder, const struct finder_hits *hits,
                   const struct object *object)
{
    for (size_t i = 0; i < hits->count; i++)
        if (finder_hit(finder, hits, i) == object)
            return true;
    return false;
}

static void objects_are_found_by_what_they_hold(UNUSED void **state)
{
    struct finder *finder = NULL;
    struct object *a = data_object("a", "value"), *b = data_object("b", "value");
    assert_ok(finder_new(&finder));
    assert_ok(finder_add(finder, a));
    assert_ok(finder_add(finder, b));
    struct finder_hits hits = find_text(finder, CKA_LABEL, "a");
    assert_true(hits.indexed);
    assert_int_equal(hits.count, 1);
    assert_ptr_equal(finder_hit(finder, &hits, 0), a);
    hits = find_text(finder, CKA_LABEL, "c");
    assert_true(hits.indexed);
    assert_int_equal(hits.count, 0);
    /* The label of one is no value of the other. */
    assert_int_equal(find_text(finder, CKA_APPLICATION, "a").count, 0);
    finder_remove(finder, a);
    finder_remove(finder, a);
    assert_int_equal(find_text(finder, CKA_LABEL, "a").count, 0);
    assert_int_equal(find_text(finder, CKA_LABEL, "b").count, 1);
    finder_free(finder);
    object_free(a);
    object_free(b);
    finder_free(NULL);
}

static void the_rarest_value_of_a_template_is_looked_up(UNUSED void **state)
{
    struct finder *finder = NULL;
    struct object *objects[10];
    CK_OBJECT_CLASS class = CKO_DATA;
    assert_ok(finder_new(&finder));
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        objects[i] = data_object(i == 7 ? "one" : "all", "value");
        assert_ok(finder_add(finder, objects[i]));
    }
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_VALUE, (void *)(uintptr_t) "value", 5},
                               {CKA_LABEL, (void *)(uintptr_t) "one", 3}};
    struct finder_hits hits;
    finder_find(finder, template, 3, &hits);
    assert_int_equal(hits.count, 1);
    assert_true(is_hit(finder, &hits, objects[7]));
    finder_find(finder, template, 2, &hits);
    assert_int_equal(hits.count, 10);
    template[2].ulValueLen = 2;
    finder_find(finder, template, 3, &hits);
    assert_true(hits.indexed && hits.count == 0);
    finder_free(finder);
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
        object_free(objects[i]);
}

static void without_anything_to_look_up_the_caller_walks(UNUSED void **state)
{
    struct finder *finder = NULL;
    struct finder_hits hits;
    struct template template = {.count = 0};
    assert_ok(finder_new(&finder));
    finder_find(finder, NULL, 0, &hits);
    assert_false(hits.indexed);
    add_ulong(&template, CKA_CLASS, CKO_PRIVATE_KEY);
    add_bool(&template, CKA_TOKEN, true);
    add_bytes(&template, CKA_LABEL, NULL, 0);
    add_text(&template, CKA_ID, "");
    finder_find(finder, template.list, template.count, &hits);
    assert_false(hits.indexed);
    finder_free(finder);
}

/* Values of secret keys are in no index, but a template may ask for them. */
static void a_value_is_looked_up_for_certificates_and_data_alone(UNUSED void **state)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_DATA, CKO_CERTIFICATE, CKO_SECRET_KEY,
                                              CKO_PRIVATE_KEY};
    struct finder *finder = NULL;
    struct template template;
    struct finder_hits hits;
    uint32_t tags[FINDER_MAX_TAGS];
    begin_secret(&template);
    struct object *secret = object_of(&template);
    begin_certificate(&template);
    struct object *certificate = object_of(&template);
    assert_ok(finder_new(&finder));
    assert_ok(finder_add(finder, secret));
    assert_ok(finder_add(finder, certificate));
    assert_false(find_text(finder, CKA_VALUE, "the secret value").indexed);
    assert_int_equal(finder_tags(secret, tags), 0);
    assert_int_equal(finder_tags(certificate, tags), 2);
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        template = (struct template){.count = 0};
        add_text(&template, CKA_VALUE, "certificate");
        add_ulong(&template, CKA_CLASS, classes[i]);
        finder_find(finder, template.list, template.count, &hits);
        assert_int_equal(hits.indexed, i < 2);
        assert_int_equal(is_hit(finder, &hits, certificate), i < 2);
    }
    finder_free(finder);
    object_free(secret);
    object_free(certificate);
}

static void long_values_are_told_apart_by_their_ends_and_size(UNUSED void **state)
{
    char values[4][600];
    struct object *objects[4];
    struct finder *finder = NULL;
    assert_ok(finder_new(&finder));
    for (size_t i = 0; i < 4; i++) {
        memset(values[i], 'x', sizeof(values[i]) - 1);
        values[i][sizeof(values[i]) - 1] = 0;
    }
    values[1][0] = values[2][598] = 'y';
    values[3][598] = 0;
    for (size_t i = 0; i < 4; i++) {
        objects[i] = data_object(values[i], "");
        assert_ok(finder_add(finder, objects[i]));
    }
    for (size_t i = 0; i < 4; i++) {
        struct finder_hits hits = find_text(finder, CKA_LABEL, values[i]);
        assert_int_equal(hits.count, 1);
        assert_ptr_equal(finder_hit(finder, &hits, 0), objects[i]);
    }
    values[0][300] = 'z'; /* another value, the same objects to compare */
    struct finder_hits hits = find_text(finder, CKA_LABEL, values[0]);
    assert_true(hits.count == 1 &&
                !object_matches(objects[0], &(CK_ATTRIBUTE){CKA_LABEL, values[0], 599}, 1));
    finder_free(finder);
    for (size_t i = 0; i < 4; i++)
        object_free(objects[i]);
}

#define MANY 3000

/* Against a plain walk, while objects come and go. */
static void assert_same_as_walk(const struct finder *finder, struct object *const *objects,
                                const bool *present, const char *label)
{
    CK_ATTRIBUTE wanted = {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};
    struct finder_hits hits;
    size_t matches = 0, found = 0;
    finder_find(finder, &wanted, 1, &hits);
    assert_true(hits.indexed);
    for (size_t i = 0; i < MANY; i++)
        matches += present[i] && object_matches(objects[i], &wanted, 1);
    for (size_t i = 0; i < hits.count; i++)
        found += object_matches(finder_hit(finder, &hits, i), &wanted, 1);
    assert_int_equal(found, matches);
}

static void it_finds_what_a_walk_finds_whatever_comes_and_goes(UNUSED void **state)
{
    static struct object *objects[MANY];
    static bool present[MANY];
    struct finder *finder = NULL;
    char label[32];
    srand(7);
    assert_ok(finder_new(&finder));
    for (size_t i = 0; i < MANY; i++) {
        /* Many of few labels, few of many. */
        snprintf(label, sizeof(label), "label %zu", i % 3 ? i : i % 30);
        objects[i] = data_object(label, i % 2 ? "odd" : "even");
    }
    for (unsigned step = 0; step < 4 * MANY; step++) {
        size_t i = (size_t)rand() % MANY;
        if (present[i])
            finder_remove(finder, objects[i]);
        else
            assert_ok(finder_add(finder, objects[i]));
        present[i] = !present[i];
        snprintf(label, sizeof(label), "label %zu", (size_t)rand() % (step % 2 ? 30 : MANY));
        if (step % 16 == 0)
            assert_same_as_walk(finder, objects, present, label);
    }
    for (size_t i = 0; i < MANY; i++)
        finder_remove(finder, objects[i]);
    assert_int_equal(find_text(finder, CKA_LABEL, "label 3").count, 0);
    for (size_t i = 0; i < MANY; i++)
        assert_ok(finder_add(finder, objects[i]));
    memset(present, 1, sizeof(present));
    for (size_t i = 0; i < MANY; i += 50) {
        snprintf(label, sizeof(label), "label %zu", i);
        assert_same_as_walk(finder, objects, present, label);
    }
    for (size_t i = 0; i < MANY; i++)
        object_free(objects[i]);
    finder_free(finder);
}

static struct object *public_key_object(unsigned number)
{
    struct template template;
    uint8_t point[67] = {4, 65, 4}, spki[91] = {0x30, 89}, id[20] = {0};
    char label[32];
    for (size_t i = 0; i < 20; i++)
        id[i] = point[3 + i] = spki[60 + i] = (uint8_t)(number * 2654435761u >> (i % 4 * 8));
    snprintf(label, sizeof(label), "key %u", number);
    template = (struct template){.count = 0};
    add_ulong(&template, CKA_CLASS, CKO_PUBLIC_KEY);
    add_ulong(&template, CKA_KEY_TYPE, CKK_EC);
    add_text(&template, CKA_EC_PARAMS, P256);
    add_bytes(&template, CKA_EC_POINT, point, sizeof(point));
    add_bytes(&template, CKA_PUBLIC_KEY_INFO, spki, sizeof(spki));
    add_bytes(&template, CKA_ID, id, sizeof(id));
    add_text(&template, CKA_LABEL, label);
    return object_of(&template);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The figures are printed; memory alone does not depend on the machine. */
static void a_large_token_takes_little_memory(UNUSED void **state)
{
    enum { COUNT = 20000 };
    static struct object *objects[COUNT];
    struct finder *finder = NULL;
    for (unsigned i = 0; i < COUNT; i++)
        objects[i] = public_key_object(i);
    assert_ok(finder_new(&finder));
    double begin = now();
    for (unsigned i = 0; i < COUNT; i++)
        assert_ok(finder_add(finder, objects[i]));
    double built = now();
    size_t hits = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        char label[32];
        snprintf(label, sizeof(label), "key %u", i);
        hits += find_text(finder, CKA_LABEL, label).count;
    }
    double found = now();
    assert_in_range(hits, COUNT, COUNT + 10);
    print_message("          built %.1f ms, lookup %.0f ns, %zu KB, an object %lu bytes\n",
                  (built - begin) * 1e3, (found - built) / COUNT * 1e9,
                  finder_memory(finder) / 1024, object_size(objects[0]));
    assert_true(finder_memory(finder) < 2 * 1024 * 1024);
    assert_true(object_size(objects[0]) < 1024);
    finder_free(finder);
    for (unsigned i = 0; i < COUNT; i++)
        object_free(objects[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_found_by_what_they_hold),
        cmocka_unit_test(the_rarest_value_of_a_template_is_looked_up),
        cmocka_unit_test(without_anything_to_look_up_the_caller_walks),
        cmocka_unit_test(a_value_is_looked_up_for_certificates_and_data_alone),
        cmocka_unit_test(long_values_are_told_apart_by_their_ends_and_size),
        cmocka_unit_test(it_finds_what_a_walk_finds_whatever_comes_and_goes),
        cmocka_unit_test(a_large_token_takes_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
