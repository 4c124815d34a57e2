/* The life of a token directory among other processes and killed ones. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "token/session/writable_support.h"
#include "token/tpm/health.h"

/* The embedded TPM misbehaves for connections that are made from now on. */
static void misbehave(const char *schedule)
{
    write_file("faults", schedule);
    setenv("SIGNET_TPM_FAULTS", "faults", 1);
}

static struct parts new_token(void)
{
    struct parts parts = open_directory("");
    initialise(&parts);
    return parts;
}

struct delayed {
    struct parts parts;
    CK_RV rv;
};

static void *login_meanwhile(void *argument)
{
    struct delayed *delayed = argument;
    delayed->rv = login(&delayed->parts, CKU_USER, "1234");
    return NULL;
}

/* The login has read the token's file, and the change comes before it asks the TPM. */
static void a_login_follows_a_change_that_overtakes_it(UNUSED void **state)
{
    struct parts parts = new_token();
    struct delayed delayed = {.rv = CKR_GENERAL_ERROR};
    pthread_t thread;
    delayed.parts = open_apart("StartAuthSession at 1 delay 1500ms\n");
    assert_int_equal(pthread_create(&thread, NULL, login_meanwhile, &delayed), 0);
    usleep(300000);
    assert_ok(session_set_pin(parts.session, view_string("1234"), view_string("77")));
    assert_ok(session_set_pin(parts.session, view_string("77"), view_string("1234")));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(delayed.rv);
    close_parts(&delayed.parts);
    close_parts(&parts);
}

static unsigned indexes_there(const struct vault_seal seals[VAULT_USERS])
{
    unsigned count = 0;
    struct tpm *tpm = NULL;
    assert_ok(tpm_acquire(emulator_choice(), &tpm));
    for (enum vault_user user = 0; user < VAULT_USERS; user++) {
        const uint32_t indexes[] = {seals[user].pin_index, seals[user].counter_index};
        for (size_t i = 0; i < ARRAY_SIZE(indexes); i++) {
            bool there = false;
            assert_ok(tpm_health_index(tpm, indexes[i], &there));
            count += there;
        }
    }
    tpm_release(tpm);
    return count;
}

static void initialise_until_killed(const char *schedule)
{
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        misbehave(schedule);
        struct parts parts = open_directory("");
        (void)!token_initialise(parts.token, view_string("so-pin"), view_of(label, 32));
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The file that generate() has made. */
static void key_file(struct parts *parts, char path[PATH_MAX])
{
    CK_OBJECT_HANDLE public_key, private_key;
    assert_ok(login(parts, CKU_USER, "1234"));
    generate(parts, &public_key, &private_key);
    file_of(parts, private_key, path);
}

/* Killed when all is in place but the rest of the old token, of which an entry stays too. */
static void the_next_login_removes_what_a_killed_initialisation_left(UNUSED void **state)
{
    struct parts parts = new_token();
    char path[PATH_MAX];
    key_file(&parts, path);
    struct bytes entry CLEANUP(bytes_free) = read_file(path);
    struct vault_seal old[VAULT_USERS];
    memcpy(old, parts.token->writable->file.seals, sizeof(old));
    close_parts(&parts);
    initialise_until_killed("NV_UndefineSpace at 1 die before\n");
    write_file(path, (const char *)entry.data);
    assert_int_equal(indexes_there(old), 4);

    parts = open_directory("");
    assert_true(flags_of(&parts) & CKF_TOKEN_INITIALIZED);
    assert_true(parts.token->writable->file.has_previous);
    open_session(&parts);
    assert_ok(login(&parts, CKU_SO, "so-pin"));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(indexes_there(old), 0);
    assert_false(parts.token->writable->file.has_previous);
    assert_ok(session_init_pin(parts.session, view_string("1234")));
    close_parts(&parts);
}

static void the_next_initialisation_removes_it_too(UNUSED void **state)
{
    struct parts parts = new_token();
    struct vault_seal old[VAULT_USERS];
    memcpy(old, parts.token->writable->file.seals, sizeof(old));
    close_parts(&parts);
    initialise_until_killed("NV_UndefineSpace at 1 die before\n");
    parts = open_directory("");
    assert_true(flags_of(&parts) & CKF_TOKEN_INITIALIZED);
    assert_true(parts.token->writable->file.has_previous);
    initialise(&parts);
    assert_int_equal(indexes_there(old), 0);
    assert_false(parts.token->writable->file.has_previous);
    close_parts(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(a_login_follows_a_change_that_overtakes_it),
        in_own_directory(the_next_login_removes_what_a_killed_initialisation_left),
        in_own_directory(the_next_initialisation_removes_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
