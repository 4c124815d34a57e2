/* A TPM in trouble: the right CKR_ code, one log line, nothing on the error
 * stream, and work again when the trouble is over. The errors are made by the
 * counting TCTI; no wrong PIN reaches the TPM. */
#include <sys/mman.h>
#include <unistd.h>

#include "conformance/api/counting.h"
#include "conformance/api/workers.h"

/* TPM 2.0 Library, part 2: command codes and response codes. */
#define CREATE_PRIMARY "131 "
#define POLICY_SECRET "151 "
#define LOAD "157 "
#define SIGN "15d "
#define ANY_COMMAND "* "
#define ONCE "0 1 "
#define ALWAYS "0 1000000 "
#define OBJECT_MEMORY "902\n"
#define REFERENCE_H0 "910\n"
#define LOCKOUT "921\n"
#define RETRY "922\n"
#define AUTH_FAIL "98e\n"
#define FAILURE "101\n"
/* TSS2_TCTI_RC_IO_ERROR: the connection itself fails. */
#define IO_ERROR "000a000a\n"

static int begin_test(void **state)
{
    (void)state;
    if (!getenv("COUNT_TCTI_FAULTS"))
        return 0;
    inject_nothing();
    p11->C_Finalize(NULL);
    return initialise() == CKR_OK ? 0 : -1;
}

static int end_test(void **state)
{
    if (getenv("COUNT_TCTI_FAULTS"))
        inject_nothing();
    return close_everything(state);
}

static struct token *ec_token_or_skip(void)
{
    counting_or_skip();
    return token_or_skip("PKCS11_TOKEN_EC");
}

static struct token *warm_ec_token_or_skip(void)
{
    struct token *token = ec_token_or_skip();

    assert_ok(sign_with(token, CKM_ECDSA));
    return token;
}

static CK_RV sign(struct token *token)
{
    return sign_with(token, CKM_ECDSA);
}

static void a_few_retries_are_carried_out(void **state)
{
    struct token *token = warm_ec_token_or_skip();

    (void)state;
    inject(SIGN "0 3 " RETRY);
    assert_ok(sign(token));
    inject(ANY_COMMAND "0 2 " RETRY);
    assert_ok(sign(token));
}

static void retries_without_end_are_given_up(void **state)
{
    struct token *token = warm_ec_token_or_skip();
    double start = seconds_now(), took;

    (void)state;
    inject(ANY_COMMAND ALWAYS RETRY);
    assert_rv(sign(token), CKR_DEVICE_ERROR, CKR_FUNCTION_FAILED);
    took = seconds_now() - start;
    print_message("given up after %.2f s and %u commands\n", took, commands_sent());
    assert_true(took < 60);
    inject_nothing();
    assert_ok(sign(token));
}

static void a_locked_tpm_locks_the_pin(void **state)
{
    struct token *token;

    (void)state;
    counting_or_skip();
    token = token_without_login("PKCS11_TOKEN_PIN");
    inject(POLICY_SECRET ALWAYS LOCKOUT LOAD ALWAYS LOCKOUT);
    assert_rv(login(token->session, pin_or_skip()), CKR_PIN_LOCKED);
    assert_int_equal(session_state(token->session), CKS_RO_PUBLIC_SESSION);
    inject_nothing();
    assert_ok(login(token->session, pin_or_skip()));
}

static void a_locked_tpm_does_not_sign(void **state)
{
    struct token *token = warm_ec_token_or_skip();

    (void)state;
    inject(SIGN ALWAYS LOCKOUT);
    assert_rv(sign(token), CKR_PIN_LOCKED);
    inject_nothing();
    assert_ok(sign(token));
}

static void a_pin_that_the_tpm_refuses_is_incorrect(void **state)
{
    struct token *token;

    (void)state;
    counting_or_skip();
    token = token_without_login("PKCS11_TOKEN_PIN");
    inject(POLICY_SECRET ONCE AUTH_FAIL);
    assert_rv(login(token->session, pin_or_skip()), CKR_PIN_INCORRECT);
    assert_int_equal(session_state(token->session), CKS_RO_PUBLIC_SESSION);
    assert_ok(login(token->session, pin_or_skip()));
}

/* Another key is loaded: what the module can give up by itself. */
static void a_full_tpm_is_emptied_and_asked_again(void **state)
{
    static const char *const faults[] = {LOAD ONCE OBJECT_MEMORY, CREATE_PRIMARY ONCE OBJECT_MEMORY,
                                         SIGN ONCE OBJECT_MEMORY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct token *token;

        counting_or_skip();
        inject_nothing();
        start_anew();
        assert_ok(sign_with(token_or_skip("PKCS11_TOKEN_RSA"), CKM_SHA256_RSA_PKCS));
        token = ec_token_or_skip();
        forget_commands();
        inject(faults[i]);
        if (expect_rv(sign(token), CKR_OK) != CKR_OK)
            print_error("    at %s    after %s\n", faults[i], command_codes());
        expect_rv(sign(token), CKR_OK);
    }
    expectations_met();
}

static void a_tpm_that_stays_full_is_out_of_memory(void **state)
{
    struct token *token = ec_token_or_skip();

    (void)state;
    inject(LOAD ALWAYS OBJECT_MEMORY CREATE_PRIMARY ALWAYS OBJECT_MEMORY);
    assert_rv(sign(token), CKR_DEVICE_MEMORY);
    inject_nothing();
    assert_ok(sign(token));
}

/* After a suspend the TPM has forgotten what was loaded. */
static void a_handle_that_is_gone_is_loaded_again(void **state)
{
    struct token *token = warm_ec_token_or_skip();

    (void)state;
    inject(SIGN ONCE REFERENCE_H0);
    assert_ok(sign(token));
    forget_commands();
    assert_ok(sign(token));
    assert_int_equal(commands_sent(), 1);
}

static void a_handle_that_is_always_gone_ends_in_an_error(void **state)
{
    struct token *token = warm_ec_token_or_skip();

    (void)state;
    inject(SIGN ALWAYS REFERENCE_H0);
    assert_rv(sign(token), CKR_DEVICE_ERROR, CKR_FUNCTION_FAILED);
    assert_true(commands_sent() < 100);
    inject_nothing();
    assert_ok(sign(token));
}

static void a_connection_that_fails_is_a_device_error(void **state)
{
    struct token *token = warm_ec_token_or_skip();

    (void)state;
    inject(ANY_COMMAND ALWAYS IO_ERROR);
    assert_rv(sign(token), CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED);
    assert_rv(sign(token), CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED);
    inject_nothing();
    assert_ok(sign(token));
}

static void without_a_tpm_everything_public_still_works(void **state)
{
    struct token *token;
    unsigned char random[8];

    (void)state;
    counting_or_skip();
    inject(ANY_COMMAND ALWAYS IO_ERROR);
    start_anew();
    token = ec_token_or_skip();
    assert_ok(p11->C_GenerateRandom(token->session, random, sizeof(random)));
    assert_rv(sign(token), CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED);
}

static void a_tpm_in_failure_mode_is_a_device_error(void **state)
{
    struct token *token = warm_ec_token_or_skip();

    (void)state;
    inject(ANY_COMMAND ALWAYS FAILURE);
    assert_rv(sign(token), CKR_DEVICE_ERROR);
    inject_nothing();
    assert_ok(sign(token));
}

static void trouble_at_every_step_of_a_cold_start_is_survived(void **state)
{
    (void)state;
    for (unsigned step = 0; step < 6; step++) {
        struct token *token;
        char fault[64];
        CK_RV rv;

        counting_or_skip();
        start_anew();
        token = ec_token_or_skip();
        snprintf(fault, sizeof(fault), "* %u 1 %s", step, IO_ERROR);
        inject(fault);
        rv = sign(token);
        expect_rv(rv, CKR_OK, CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED);
        inject_nothing();
        expect_rv(sign(token), CKR_OK);
    }
    expectations_met();
}

static unsigned lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    unsigned count = 0;

    while (file && fgets(line, sizeof(line), file))
        count++;
    if (file)
        fclose(file);
    return count;
}

/* A lockout may have a second line: the time to wait. */
static void every_failure_leaves_one_log_line(void **state)
{
    static const char *const faults[] = {SIGN ALWAYS LOCKOUT, ANY_COMMAND ALWAYS FAILURE,
                                         ANY_COMMAND ALWAYS IO_ERROR, ANY_COMMAND ALWAYS RETRY};
    const char *log = getenv("SIGNET_LOG");
    struct token *token;

    (void)state;
    counting_or_skip();
    if (!log)
        skip_because("SIGNET_LOG is not set");
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        unsigned before, lines;

        start_anew();
        token = warm_ec_token_or_skip();
        before = lines_of(log);
        inject(faults[i]);
        expect_true(sign(token) != CKR_OK);
        inject_nothing();
        lines = lines_of(log) - before;
        if (lines < 1 || lines > 1 + (strstr(faults[i], LOCKOUT) != NULL))
            print_error("%u lines for %s", lines, faults[i]);
        expect_true(lines == 1 || (lines == 2 && strstr(faults[i], LOCKOUT)));
    }
    expectations_met();
}

/* Bytes that the calls between the two write on the error stream. */
static int saved_stream = -1;

static void begin_capture(void)
{
    int memory = memfd_create("stderr", MFD_CLOEXEC);

    assert_true(memory >= 0);
    fflush(stderr);
    saved_stream = dup(STDERR_FILENO);
    dup2(memory, STDERR_FILENO);
    close(memory);
}

static off_t end_capture(void)
{
    off_t size;

    fflush(stderr);
    size = lseek(STDERR_FILENO, 0, SEEK_END);
    dup2(saved_stream, STDERR_FILENO);
    close(saved_stream);
    return size;
}

static void trouble_prints_nothing_on_the_error_stream(void **state)
{
    static const char *const faults[] = {ANY_COMMAND ALWAYS LOCKOUT, ANY_COMMAND ALWAYS FAILURE,
                                         ANY_COMMAND ALWAYS IO_ERROR, LOAD ONCE OBJECT_MEMORY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct token *token;

        counting_or_skip();
        start_anew();
        token = ec_token_or_skip();
        inject(faults[i]);
        begin_capture();
        sign(token);
        if (end_capture() > 0)
            expectation_failed(__FILE__, __LINE__, "nothing was printed");
        inject_nothing();
    }
    expectations_met();
}

#define test(function) cmocka_unit_test_setup_teardown(function, begin_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_few_retries_are_carried_out),
        test(retries_without_end_are_given_up),
        test(a_locked_tpm_locks_the_pin),
        test(a_locked_tpm_does_not_sign),
        test(a_pin_that_the_tpm_refuses_is_incorrect),
        test(a_full_tpm_is_emptied_and_asked_again),
        test(a_tpm_that_stays_full_is_out_of_memory),
        test(a_handle_that_is_gone_is_loaded_again),
        test(a_handle_that_is_always_gone_ends_in_an_error),
        test(a_connection_that_fails_is_a_device_error),
        test(without_a_tpm_everything_public_still_works),
        test(a_tpm_in_failure_mode_is_a_device_error),
        test(trouble_at_every_step_of_a_cold_start_is_survived),
        test(every_failure_leaves_one_log_line),
        test(trouble_prints_nothing_on_the_error_stream),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
