/* A TPM that fails in the midst of each operation on a token directory: it is done or
 * has an error of its own, and the token is as before or as after, and usable. All
 * places of each fault are tried with SIGNET_TEST_THOROUGH, else some. */
#include "token/session/writable_support.h"

static const char so_pin[] = "so-pin", user_pin[] = "1234", new_pin[] = "77";

/* "%u" is the place of the command. Nothing that is seen once only may be an error. */
static const struct fault {
    const char *schedule;
    bool passes;
} faults[] = {
    {"any at %u answer RETRY", true},
    {"any at %u answer YIELDED", true},
    {"any at %u for 3 answer NV_RATE", true},
    {"any at %u answer OBJECT_MEMORY", false},
    {"any at %u answer SESSION_MEMORY", false},
    {"any at %u no answer 1ms", false},
    {"any at %u no answer 1ms after effect", false},
    {"any at %u reset", false},
    {"any at %u resume", false},
    {"any at %u handles gone", false},
    {"any at %u power loss", false},
    {"any from %u failure mode", false},
    {"any at %u disk ENOSPC", false},
    {"any at %u cut 9", false},
    {"any at %u answer FAILURE", false},
};

static CK_RV initialise_again(struct parts *parts)
{
    module_remove_session(parts->module, parts->session);
    session_free(parts->session);
    parts->session = NULL;
    return token_initialise(parts->token, view_string(so_pin), view_of(label, 32));
}

static CK_RV set_user_pin(struct parts *parts)
{
    CK_RV rv = login(parts, CKU_SO, so_pin);
    return rv != CKR_OK ? rv : session_init_pin(parts->session, view_string(new_pin));
}

static CK_RV change_pin(struct parts *parts)
{
    return session_set_pin(parts->session, view_string(user_pin), view_string(new_pin));
}

static CK_RV log_in(struct parts *parts)
{
    return login(parts, CKU_USER, user_pin);
}

static CK_RV make_pair(struct parts *parts)
{
    CK_OBJECT_HANDLE public_key, private_key;
    CK_RV rv = login(parts, CKU_USER, user_pin);
    return rv != CKR_OK ? rv : try_generate(parts, &public_key, &private_key);
}

/* What an operation that was done leaves, and how many commands it has. */
static const struct operation {
    const char *name;
    CK_RV (*run)(struct parts *parts);
    unsigned commands;
    const char *pin; /* the user's; NULL: has none */
    size_t pairs;
} operations[] = {
    {"C_InitToken", initialise_again, 30, NULL, 0},    {"C_InitPIN", set_user_pin, 24, new_pin, 1},
    {"C_SetPIN", change_pin, 24, new_pin, 1},          {"C_Login", log_in, 10, user_pin, 1},
    {"C_GenerateKeyPair", make_pair, 14, user_pin, 2},
};

static bool is_clear(CK_RV rv)
{
    return rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_MEMORY || rv == CKR_DEVICE_REMOVED ||
           rv == CKR_FUNCTION_FAILED;
}

static void make_world(void)
{
    struct parts parts = open_directory("");
    CK_OBJECT_HANDLE public_key, private_key;
    initialise(&parts);
    assert_ok(login(&parts, CKU_USER, user_pin));
    generate(&parts, &public_key, &private_key);
    close_parts(&parts);
}

/* Does the token stand as the operation leaves it? All that it has is to work. */
static bool is_state(struct parts *parts, const char *pin, size_t pairs)
{
    CK_RV rv = login(parts, CKU_USER, pin ? pin : user_pin);
    if (!pin)
        return rv == CKR_USER_PIN_NOT_INITIALIZED;
    if (rv != CKR_OK || count(parts, CKO_PRIVATE_KEY) != pairs ||
        count(parts, CKO_PUBLIC_KEY) != pairs)
        return false;
    assert_ok(sign(parts, find_class(parts->token, CKO_PRIVATE_KEY)));
    return true;
}

static void assert_settled(const struct operation *operation, CK_RV rv, const char *what)
{
    struct parts parts = open_directory("");
    open_session(&parts);
    bool is_new = is_state(&parts, operation->pin, operation->pairs);
    if (parts.token->login != TOKEN_PUBLIC)
        assert_ok(token_logout(parts.token));
    bool is_old = !is_new && is_state(&parts, user_pin, 1);
    if (!is_new && !is_old)
        fail_msg("%s: '%s' leaves neither the old nor the new (0x%lx)", operation->name, what, rv);
    if (!is_new && rv == CKR_OK)
        fail_msg("%s: '%s' was not done", operation->name, what);
    if (parts.token->login != TOKEN_PUBLIC)
        assert_ok(token_logout(parts.token));
    assert_ok(login(&parts, CKU_SO, so_pin));
    /* And back to where it began. */
    if (operation->pin && operation->pairs == 1 && is_new)
        assert_ok(session_init_pin(parts.session, view_string(user_pin)));
    close_parts(&parts);
    if (is_new && operation->pairs != 1) {
        assert_int_equal(system("rm -rf work"), 0);
        make_world();
    }
}

static void try_fault(const struct operation *operation, const struct fault *fault, unsigned place)
{
    char what[160];
    unsigned length = (unsigned)snprintf(what, sizeof(what), fault->schedule, place);
    snprintf(what + length, sizeof(what) - length, " # %s\n", operation->name);
    struct parts parts = open_apart(what);
    CK_RV rv = operation->run(&parts);
    close_parts(&parts);
    what[length] = 0;
    if (rv != CKR_OK && (fault->passes || !is_clear(rv)))
        fail_msg("%s: '%s' ends in 0x%lx", operation->name, what, rv);
    if (getenv("SIGNET_TEST_TELL"))
        printf("%s: %s: 0x%lx\n", operation->name, what, rv);
    assert_settled(operation, rv, what);
    /* A power loss may count as a wrong try, and the TPM locks after a few. */
    if (strstr(fault->schedule, "power loss")) {
        assert_int_equal(system("rm -rf work tpm"), 0);
        make_world();
    }
}

static void whatever_fails_the_token_is_the_old_or_the_new(UNUSED void **state)
{
    unsigned step = getenv("SIGNET_TEST_THOROUGH") ? 1 : 71;
    unsigned turn = 0;
    make_world();
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        for (size_t j = 0; j < ARRAY_SIZE(faults); j++)
            for (unsigned place = 1; place <= operations[i].commands; place++)
                if (turn++ % step == 0 ||
                    (operations[i].run == change_pin && strstr(faults[j].schedule, "after effect")))
                    try_fault(&operations[i], &faults[j], place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(whatever_fails_the_token_is_the_old_or_the_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
