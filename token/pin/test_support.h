/* What the tests of this room share: pinentries that are shell scripts. */
#ifndef SIGNET_PIN_TEST_SUPPORT_H
#define SIGNET_PIN_TEST_SUPPORT_H

#include "token/base/test_support.h"

#include "token/pin/pin.h"

/* A pinentry: writes what it hears to "heard", and answers GETPIN by the lines given. */
static const char *const frame = "#!/bin/sh\n"
                                 "n=0\n"
                                 "echo OK pleased to meet you\n"
                                 "while read -r line; do\n"
                                 "    printf '%%s\\n' \"$line\" >>heard\n"
                                 "    case $line in\n"
                                 "    GETPIN) n=$((n + 1)); %s ;;\n"
                                 "    BYE) echo OK; exit 0 ;;\n"
                                 "    *) echo OK ;;\n"
                                 "    esac\n"
                                 "done\n";

static UNUSED void write_script(const char *path, const char *text)
{
    write_file(path, text);
    assert_int_equal(chmod(path, 0700), 0);
}

static UNUSED void write_pinentry(const char *answer)
{
    char text[2048];
    snprintf(text, sizeof(text), frame, answer);
    (void)remove("heard");
    write_script("pinentry", text);
}

static const struct pin_question plain = {
    .program = "./pinentry",
    .title = "Signet",
    .description = "The PIN of \"web\"",
    .prompt = "PIN:",
};

static UNUSED CK_RV ask(struct pin_question question, char *ret_pin, struct reason *reason)
{
    struct secret *pin CLEANUP(secret_cleanup) = NULL;
    CK_RV rv = pin_from_pinentry(&question, &pin, reason);
    struct view view = secret_view(pin);
    if (rv == CKR_OK)
        snprintf(ret_pin, PIN_MAX_SIZE + 1, "%.*s", (int)view.size, (const char *)view.data);
    else
        assert_null(pin);
    return rv;
}

static UNUSED void assert_answer(const char *answer, const char *pin)
{
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    write_pinentry(answer);
    assert_ok(ask(plain, got, &reason));
    assert_string_equal(got, pin);
}

static UNUSED void assert_failure(const char *answer, CK_RV expected, const char *why)
{
    char got[PIN_MAX_SIZE + 1];
    struct reason reason = {0};
    write_pinentry(answer);
    assert_rv(ask(plain, got, &reason), expected);
    assert_contains(reason.text, why);
}

static UNUSED void assert_heard(const char *line)
{
    struct bytes heard CLEANUP(bytes_free) = read_file("heard");
    assert_contains((const char *)heard.data, line);
}

static UNUSED void assert_not_heard(const char *line)
{
    struct bytes heard CLEANUP(bytes_free) = read_file("heard");
    if (strstr((const char *)heard.data, line))
        fail_msg("\"%s\" was said", line);
}

#endif
