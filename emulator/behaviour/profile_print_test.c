#include "emulator/test_support.h"

#include "emulator/behaviour/profile.h"
#include "emulator/behaviour/profile_print.h"

static char *printed(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    assert_non_null(file);
    assert_int_equal(profiles_print(file), 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* The line of a profile, which begins with its name. */
static const char *line_of(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (; text; text = strchr(text, '\n')) {
        text += *text == '\n';
        if (strncmp(text, name, length) == 0 && text[length] == ' ')
            return text;
    }
    fail_msg("no line begins with %s", name);
    return NULL;
}

static void every_profile_has_a_line(void **state)
{
    char *text = printed();

    (void)state;
    for (size_t i = 0; i < profiles_count; i++)
        (void)line_of(text, profiles[i]->name);
    free(text);
}

static void no_line_is_wider_than_a_page(void **state)
{
    char *text = printed();

    (void)state;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 100);
    free(text);
}

static void a_line_shows_maker_firmware_and_typical_times(void **state)
{
    char *text = printed(), name[32], id[8], firmware[32];
    double sign, sign_rsa, create_rsa, random;

    (void)state;
    assert_int_equal(sscanf(line_of(text, "slb9670"), "%31s %7s %31s %lf %lf %lf %lf", name, id,
                            firmware, &sign, &sign_rsa, &create_rsa, &random),
                     7);
    assert_string_equal(id, "IFX");
    assert_string_equal(firmware, "7.85.17.51968");
    assert_true(sign > 70.5 && sign < 73);
    assert_true(sign_rsa > 183 && sign_rsa < 191);
    assert_true(create_rsa > 7000 && create_rsa < 10388);
    assert_true(random > 3.8 && random < 4.5);
    free(text);
}

static void estimates_are_marked_and_limits_are_said_in_words(void **state)
{
    char *text = printed();
    const char *line = line_of(text, "hostile");

    (void)state;
    assert_non_null(strchr(line, '~'));
    assert_non_null(strstr(line, "no P-384"));
    assert_non_null(strstr(line, "no EncryptDecrypt"));
    assert_non_null(strstr(line, "context gap 255"));
    assert_non_null(strstr(line_of(text, "amd-ftpm"), "4 persistent objects"));
    free(text);
}

static void a_full_disk_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    if (!full)
        skip();
    assert_int_equal(profiles_print(full), -1);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_has_a_line),
        cmocka_unit_test(no_line_is_wider_than_a_page),
        cmocka_unit_test(a_line_shows_maker_firmware_and_typical_times),
        cmocka_unit_test(estimates_are_marked_and_limits_are_said_in_words),
        cmocka_unit_test(a_full_disk_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
