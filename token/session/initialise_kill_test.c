/* An initialisation that is killed leaves the old token or the new one. */
#include "token/session/kill_support.h"

static CK_RV make_token_again(struct parts *parts)
{
    return token_initialise(parts->token, view_string("so-pin"), view_of(label, 32));
}

static void a_killed_initialisation_leaves_the_old_token_or_the_new_one(UNUSED void **state)
{
    static const char *const pins[] = {"1234", NULL};
    make_token();
    for (unsigned steps = 1; dies(make_token_again, steps); steps++) {
        struct parts parts = open_again();
        bool old = flags_of(&parts) & CKF_USER_PIN_INITIALIZED;
        if (old)
            assert_one_works(CKU_USER, pins, steps);
        module_remove_session(parts.module, parts.session);
        session_free(parts.session);
        assert_ok(token_initialise(parts.token, view_string("so-pin"), view_of(label, 32)));
        open_session(&parts);
        assert_int_equal(count(&parts, CKO_PRIVATE_KEY), 0);
        assert_ok(login(&parts, CKU_SO, "so-pin"));
        close_parts(&parts);
        restore("before");
    }
}

static void a_killed_first_initialisation_can_be_made_again(UNUSED void **state)
{
    struct parts parts = open_directory("");
    close_parts(&parts);
    run("mkdir work tpm");
    save("nothing");
    for (unsigned steps = 1; dies(make_token_again, steps); steps++) {
        parts = open_again();
        module_remove_session(parts.module, parts.session);
        session_free(parts.session);
        assert_ok(token_initialise(parts.token, view_string("so-pin"), view_of(label, 32)));
        open_session(&parts);
        assert_ok(login(&parts, CKU_SO, "so-pin"));
        assert_ok(session_init_pin(parts.session, view_string("1234")));
        close_parts(&parts);
        restore("nothing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(a_killed_initialisation_leaves_the_old_token_or_the_new_one),
        in_own_directory(a_killed_first_initialisation_can_be_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
