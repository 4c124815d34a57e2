/* A change of a PIN that is killed leaves the old PIN or the new one, never none. */
#include "token/session/kill_support.h"

static CK_RV set_pin(struct parts *parts)
{
    open_session(parts);
    return session_set_pin(parts->session, view_string("1234"), view_string("new"));
}

static CK_RV init_pin(struct parts *parts)
{
    open_session(parts);
    CK_RV rv = login(parts, CKU_SO, "so-pin");
    return rv != CKR_OK ? rv : session_init_pin(parts->session, view_string("given"));
}

static CK_RV set_so_pin(struct parts *parts)
{
    open_session(parts);
    CK_RV rv = login(parts, CKU_SO, "so-pin");
    return rv != CKR_OK
               ? rv
               : session_set_pin(parts->session, view_string("so-pin"), view_string("so-new"));
}

static void a_killed_change_of_the_pin_leaves_one_that_works(UNUSED void **state)
{
    static const char *const pins[] = {"1234", "new", NULL};
    make_token();
    for (unsigned steps = 1; dies(set_pin, steps); steps++) {
        assert_one_works(CKU_USER, pins, steps);
        restore("before");
    }
}

static void a_killed_change_of_the_so_pin_leaves_one_that_works(UNUSED void **state)
{
    static const char *const pins[] = {"so-pin", "so-new", NULL};
    make_token();
    for (unsigned steps = 1; dies(set_so_pin, steps); steps++) {
        assert_one_works(CKU_SO, pins, steps);
        restore("before");
    }
}

static bool is_pending(void)
{
    struct bytes file CLEANUP(bytes_free) = read_file("work/token");
    return strstr((char *)file.data, "[user pending]") != NULL;
}

/* The last point of a change at which the new PIN is still pending: it is valid already. */
static void leave_pending(void)
{
    for (unsigned steps = 1; dies(set_pin, steps); steps++) {
        if (is_pending())
            save("pending");
        restore("before");
    }
    restore("pending");
}

static void a_killed_init_pin_leaves_one_that_works(UNUSED void **state)
{
    static const char *const pins[] = {"given", "new", "1234", NULL};
    make_token();
    leave_pending();
    for (unsigned steps = 1; dies(init_pin, steps); steps++) {
        assert_one_works(CKU_USER, pins, steps);
        restore("pending");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(a_killed_change_of_the_pin_leaves_one_that_works),
        in_own_directory(a_killed_change_of_the_so_pin_leaves_one_that_works),
        in_own_directory(a_killed_init_pin_leaves_one_that_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
