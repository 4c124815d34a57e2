#include "emulator/behaviour/schedule.h"

#include "emulator/error.h"
#include "emulator/test_support.h"

static struct schedule *parse(const char *text)
{
    struct schedule *schedule = NULL;
    TSS2_RC rc = schedule_parse("file", text, strlen(text), &schedule);

    if (rc != TSS2_RC_SUCCESS)
        print_error("%s\n", error_text());
    assert_int_equal(rc, TSS2_RC_SUCCESS);
    assert_non_null(schedule);
    return schedule;
}

/* The error must begin and go on like this. */
static void assert_refused(const char *text, const char *begins, const char *contains)
{
    struct schedule *schedule = (struct schedule *)(uintptr_t)0xa5;

    assert_int_equal(schedule_parse("file", text, strlen(text), &schedule), TSS2_TCTI_RC_BAD_VALUE);
    assert_int_equal((uintptr_t)schedule, 0xa5);
    if (strncmp(error_text(), begins, strlen(begins)) != 0 || !strstr(error_text(), contains))
        fail_msg("'%s' gives: %s", text, error_text());
}

static void comments_and_empty_lines_say_nothing(void **state)
{
    struct schedule *schedule = parse("# a comment\n\n \t\r\nany cut 1 # or so\n#any cut 2");

    (void)state;
    assert_int_equal(schedule->rule_count, 1);
    free(schedule);
    schedule = parse("");
    assert_int_equal(schedule->rule_count, 0);
    assert_int_equal(schedule->seed, 0);
    assert_string_equal(schedule->count_file, "");
    free(schedule);
}

static void settings_are_read(void **state)
{
    struct schedule *schedule = parse("seed 0x10\ncount in some/file\n");

    (void)state;
    assert_int_equal(schedule->seed, 16);
    assert_string_equal(schedule->count_file, "some/file");
    free(schedule);
}

static void commands_are_names_and_numbers(void **state)
{
    struct schedule *schedule = parse("Sign,0x17b,TPM2_CC_NV_Write cut 1\nany cut 1\n");
    const struct rule *rule = &schedule->rules[0];

    (void)state;
    assert_int_equal(rule->command_count, 3);
    assert_true(rule_matches(rule, TPM2_CC_Sign));
    assert_true(rule_matches(rule, TPM2_CC_GetRandom));
    assert_true(rule_matches(rule, TPM2_CC_NV_Write));
    assert_false(rule_matches(rule, TPM2_CC_NV_Read));
    assert_false(rule_matches(rule, 0));
    assert_true(rule_matches(&schedule->rules[1], 0));
    free(schedule);
}

/* Of the first 12 commands, those that the rule is due at, as "..x". */
static void assert_due(const char *when, const char *expected)
{
    char text[100], due[13] = "";
    struct schedule *schedule;

    (void)snprintf(text, sizeof(text), "any %s cut 1", when);
    schedule = parse(text);
    for (unsigned i = 0; i < 12; i++)
        due[i] = schedule_is_due(schedule, 0, i + 1) ? 'x' : '.';
    assert_string_equal(due, expected);
    free(schedule);
}

static void rules_are_due_at_their_counts(void **state)
{
    (void)state;
    assert_due("", "xxxxxxxxxxxx");
    assert_due("for 2", "xx..........");
    assert_due("at 1", "x...........");
    assert_due("at 3", "..x.........");
    assert_due("at 3 for 4", "..xxxx......");
    assert_due("from 3", "..xxxxxxxxxx");
    assert_due("from 3 for 4", "..xxxx......");
    assert_due("every 1", "xxxxxxxxxxxx");
    assert_due("every 5", "....x....x..");
    assert_due("every 5 for 2", "....xx...xx.");
    assert_due("probability 0", "............");
    assert_due("probability 1", "xxxxxxxxxxxx");
    assert_due("probability 1.000", "xxxxxxxxxxxx");
}

static unsigned count_due(const struct schedule *schedule, size_t place, unsigned commands)
{
    unsigned due = 0;

    for (unsigned i = 1; i <= commands; i++)
        due += schedule_is_due(schedule, place, i);
    return due;
}

static void chance_strikes_as_often_as_asked(void **state)
{
    struct schedule *schedule = parse("any probability 0.01 cut 1\n"
                                      "any probability .5 cut 1\n"
                                      "any probability 0.01 for 3 cut 1\n");

    (void)state;
    assert_in_range(count_due(schedule, 0, 100000), 900, 1100);
    assert_in_range(count_due(schedule, 1, 100000), 49000, 51000);
    assert_in_range(count_due(schedule, 2, 100000), 2700, 3300);
    free(schedule);
}

static void chance_is_the_seeds(void **state)
{
    struct schedule *one = parse("seed 1\nany probability 0.5 cut 1\n");
    struct schedule *again = parse("seed 1\n\nany probability 0.5 cut 1\n# more\n");
    struct schedule *two = parse("seed 2\nany probability 0.5 cut 1\nany probability 0.5 cut 1\n");
    unsigned other_seed = 0, other_place = 0;

    (void)state;
    for (unsigned i = 1; i <= 1000; i++) {
        assert_int_equal(schedule_is_due(one, 0, i), schedule_is_due(again, 0, i));
        other_seed += schedule_is_due(one, 0, i) != schedule_is_due(two, 0, i);
        other_place += schedule_is_due(two, 0, i) != schedule_is_due(two, 1, i);
    }
    assert_in_range(other_seed, 400, 600);
    assert_in_range(other_place, 400, 600);
    free(one);
    free(again);
    free(two);
}

static void faults_are_read_with_what_belongs_to_them(void **state)
{
    static const struct {
        const char *what;
        enum fault fault;
        bool after_effect;
        uint32_t value;
        uint64_t microseconds;
    } rows[] = {
        {"answer LOCKOUT", FAULT_ANSWER, false, TPM2_RC_LOCKOUT, 0},
        {"answer TPM2_RC_RETRY", FAULT_ANSWER, false, TPM2_RC_RETRY, 0},
        {"answer 0x9a2 after effect", FAULT_ANSWER, true, 0x9a2, 0},
        {"no answer", FAULT_NO_ANSWER, false, 0, 1000000},
        {"no answer after effect", FAULT_NO_ANSWER, true, 0, 1000000},
        {"no answer 20ms after effect", FAULT_NO_ANSWER, true, 0, 20000},
        {"delay 40us", FAULT_DELAY, false, 0, 40},
        {"delay 250ms", FAULT_DELAY, false, 0, 250000},
        {"delay 600s", FAULT_DELAY, false, 0, 600000000},
        {"cut 5", FAULT_CUT, false, 5, 0},
        {"corrupt", FAULT_CORRUPT, false, 0, 0},
        {"corrupt at 7", FAULT_CORRUPT_AT, false, 7, 0},
        {"reset", FAULT_RESET, false, 0, 0},
        {"restart", FAULT_RESTART, false, 0, 0},
        {"resume", FAULT_RESUME, false, 0, 0},
        {"power  loss", FAULT_POWER_LOSS, false, 0, 0},
        {"handles gone", FAULT_HANDLES_GONE, false, 0, 0},
        {"failure mode", FAULT_FAILURE_MODE, false, 0, 0},
        {"disk ENOSPC", FAULT_DISK, false, ENOSPC, 0},
        {"disk EDQUOT", FAULT_DISK, false, EDQUOT, 0},
        {"disk EIO", FAULT_DISK, false, EIO, 0},
        {"disk EROFS", FAULT_DISK, false, EROFS, 0},
        {"die before", FAULT_DIE_BEFORE, false, 0, 0},
        {"die after", FAULT_DIE_AFTER, false, 0, 0},
        {"die in store", FAULT_DIE_IN_STORE, false, 1, 0},
        {"die in store 3", FAULT_DIE_IN_STORE, false, 3, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[100];
        struct schedule *schedule;
        const struct rule *rule;

        (void)snprintf(text, sizeof(text), "Sign at 2 %s", rows[i].what);
        schedule = parse(text);
        rule = &schedule->rules[0];
        assert_int_equal(rule->fault, rows[i].fault);
        assert_int_equal(rule->after_effect, rows[i].after_effect);
        assert_int_equal(rule->value, rows[i].value);
        assert_int_equal(rule->microseconds, rows[i].microseconds);
        free(schedule);
    }
}

static void errors_say_where_and_what_and_what_was_expected(void **state)
{
    (void)state;
    assert_refused("\n\nSgin cut 1", "file:3: there is no command 'Sgin'", "NV_Write");
    assert_refused("Sign, cut 1", "file:1: there is no command ''", "no blanks");
    assert_refused("Sign,any cut 1", "file:1: there is no command 'any'", "any");
    assert_refused("Sign", "file:1: the line ends after 'Sign'", "power loss, handles gone");
    assert_refused("Sign at", "file:1: the line ends after 'at'", "a number from 1 to");
    assert_refused("Sign at 0 cut 1", "file:1: '0' does not do", "a number from 1 to");
    assert_refused("Sign at 99999999999 cut 1", "file:1: '99999999999'", "a number from 1");
    assert_refused("Sign at -1 cut 1", "file:1: '-1'", "a number from 1");
    assert_refused("Sign at 1 for 0 cut 1", "file:1: '0'", "a number from 1 to 10000");
    assert_refused("any probability 1.1 cut 1", "file:1: '1.1' is no probability", "0 to 1");
    assert_refused("any probability 0,5 cut 1", "file:1: '0,5' is no probability", "point");
    assert_refused("any probability . cut 1", "file:1: '.' is no probability", "0 to 1");
    assert_refused("any probability 0.1234567891 cut 1", "file:1: '0.1234567891'", "9 places");
    assert_refused("any explode", "file:1: 'explode' is no fault; expected: answer",
                   "die in store");
    assert_refused("any answer LOKOUT", "file:1: 'LOKOUT' is no response code", "LOCKOUT");
    assert_refused("any answer", "file:1: the line ends after 'answer'", "LOCKOUT");
    assert_refused("any delay 5", "file:1: '5' is no time", "250ms");
    assert_refused("any delay 601s", "file:1: '601s' is no time", "600s");
    assert_refused("any delay 1.5s", "file:1: '1.5s' is no time", "250ms");
    assert_refused("any cut 5000", "file:1: '5000'", "0 to 4096");
    assert_refused("any cut 5 after effect", "file:1: 'after' is too much", "end of the line");
    assert_refused("any power", "file:1: 'power' is no fault", "power loss");
    assert_refused("any disk EPERM", "file:1: 'EPERM' is no error of a disk", "EROFS");
    assert_refused("any disk", "file:1: the line ends after 'disk'", "ENOSPC");
    assert_refused("any die in store 0", "file:1: '0' does not do", "1 to 1000");
    assert_refused("seed x", "file:1: 'x' is no seed", "2^64");
    assert_refused("seed 1 2", "file:1: '2' is too much", "end of the line");
    assert_refused("count in", "file:1: the line ends after 'in'", "path");
    assert_refused("count in a\ncount in b", "file:2: 'b' is a second", "one for all");
    assert_refused("any c\x01t 5", "file:1: 'c?t' is no fault", "cut");
    assert_refused("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 cut 1",
                   "file:1: '1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17' has too many", "16");
    assert_refused("x x x x x x x x x x x x x x x x x x x x x x x x x", "file:1: the line has more",
                   "24");
}

static void a_nul_byte_is_refused(void **state)
{
    struct schedule *schedule = NULL;

    (void)state;
    assert_int_equal(schedule_parse("file", "any at 1\0 cut 1", 15, &schedule),
                     TSS2_TCTI_RC_BAD_VALUE);
    assert_non_null(strstr(error_text(), "NUL"));
}

static void sizes_are_bounded(void **state)
{
    size_t size = SCHEDULE_SIZE_MAX + 1;
    char *text = malloc(size + 1);
    struct schedule *schedule = NULL;

    (void)state;
    assert_non_null(text);
    memset(text, '\n', size);
    assert_int_equal(schedule_parse("file", text, size, &schedule), TSS2_TCTI_RC_BAD_VALUE);
    assert_int_equal(schedule_parse("file", text, size - 1, &schedule), TSS2_RC_SUCCESS);
    free(schedule);
    text[0] = '\0';
    for (int i = 0; i < SCHEDULE_RULES_MAX; i++)
        strcat(text, "any cut 1\n");
    schedule = parse(text);
    assert_int_equal(schedule->rule_count, SCHEDULE_RULES_MAX);
    free(schedule);
    strcat(text, "any cut 1\n");
    assert_refused(text, "file:257: 'any' begins one rule too many", "256");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_and_empty_lines_say_nothing),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(commands_are_names_and_numbers),
        cmocka_unit_test(rules_are_due_at_their_counts),
        cmocka_unit_test(chance_strikes_as_often_as_asked),
        cmocka_unit_test(chance_is_the_seeds),
        cmocka_unit_test(faults_are_read_with_what_belongs_to_them),
        cmocka_unit_test(errors_say_where_and_what_and_what_was_expected),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(sizes_are_bounded),
    };

    return cmocka_run_group_tests_name("emulator: the fault schedule", tests, NULL, NULL);
}
