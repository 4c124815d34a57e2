/* Users and their PINs, and what becomes of a token whose TPM or files are others. */
#include <errno.h>
#include <sys/syscall.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

#include "token/session/made.h"
#include "token/session/writable_support.h"

/* How many of the next calls pass before one fails; 0: none does. In place of libc's. */
static unsigned sync_fails_at;

int fsync(int file)
{
    if (sync_fails_at && --sync_fails_at == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, file);
}

static CK_RV set_pin(struct parts *parts, const char *old_pin, const char *new_pin)
{
    return session_set_pin(parts->session, view_string(old_pin), view_string(new_pin));
}

static CK_RV init_token(struct parts *parts, const char *pin)
{
    return token_initialise(parts->token, view_string(pin), view_of(label, 32));
}

static void close_session(struct parts *parts)
{
    module_remove_session(parts->module, parts->session);
    session_free(parts->session);
    parts->session = NULL;
}

static struct parts begin(const char *more)
{
    struct parts parts = open_directory(more);
    initialise(&parts);
    return parts;
}

static bool is_open(const struct parts *parts)
{
    return vault_is_open(parts->token->writable->vault);
}

static void a_wrong_old_pin_ends_no_login(UNUSED void **state)
{
    CK_OBJECT_HANDLE public_key, private_key;
    struct parts parts = begin("");
    assert_ok(login(&parts, CKU_USER, "1234"));
    generate(&parts, &public_key, &private_key);
    assert_rv(set_pin(&parts, "4321", "5678"), CKR_PIN_INCORRECT);
    assert_int_equal(parts.token->login, TOKEN_USER);
    assert_ok(sign(&parts, private_key));
    assert_ok(set_pin(&parts, "1234", "5678"));
    assert_ok(sign(&parts, private_key));
    close_parts(&parts);
}

static void changing_a_pin_is_no_login(UNUSED void **state)
{
    struct parts parts = begin("");
    assert_ok(set_pin(&parts, "1234", "5678"));
    assert_int_equal(parts.token->login, TOKEN_PUBLIC);
    assert_false(is_open(&parts));
    assert_rv(set_pin(&parts, "1234", "9"), CKR_PIN_INCORRECT);
    assert_false(is_open(&parts));
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_PIN_INCORRECT);
    assert_false(is_open(&parts));
    assert_ok(login(&parts, CKU_USER, "5678"));
    close_session(&parts);
    assert_false(is_open(&parts));
    close_parts(&parts);
}

static void an_empty_pin_is_a_pin_and_null_is_none(UNUSED void **state)
{
    struct parts parts = begin("");
    const struct view empty = view_of("", 0);
    assert_rv(session_set_pin(parts.session, view_string("1234"), (struct view){0}),
              CKR_ARGUMENTS_BAD);
    assert_rv(life_set_pin(parts.token, view_string("1234"), (struct view){0}), CKR_ARGUMENTS_BAD);
    assert_rv(session_set_pin(parts.session, (struct view){0}, empty), CKR_ARGUMENTS_BAD);
    assert_ok(session_set_pin(parts.session, view_string("1234"), empty));
    assert_true(flags_of(&parts) & CKF_LOGIN_REQUIRED);
    assert_rv(session_login(parts.session, CKU_USER, (struct view){0}), CKR_PIN_INCORRECT);
    assert_false(flags_of(&parts) & CKF_USER_PIN_COUNT_LOW);
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_PIN_INCORRECT);
    assert_ok(session_login(parts.session, CKU_USER, empty));
    close_parts(&parts);
}

static void pins_have_up_to_255_bytes(UNUSED void **state)
{
    uint8_t pin[256];
    struct parts parts = begin("");
    memset(pin, 0xfe, sizeof(pin));
    assert_rv(session_set_pin(parts.session, view_string("1234"), view_of(pin, 256)),
              CKR_PIN_LEN_RANGE);
    assert_ok(session_set_pin(parts.session, view_string("1234"), view_of(pin, 255)));
    assert_rv(session_login(parts.session, CKU_USER, view_of(pin, 256)), CKR_PIN_LEN_RANGE);
    assert_rv(session_login(parts.session, CKU_USER, view_of(pin, 254)), CKR_PIN_INCORRECT);
    assert_ok(session_login(parts.session, CKU_USER, view_of(pin, 255)));
    close_parts(&parts);
}

static void a_locked_user_is_let_in_again_by_the_so(UNUSED void **state)
{
    struct parts parts = begin("user tries = 2\nso tries = 2");
    assert_rv(login(&parts, CKU_USER, "x"), CKR_PIN_INCORRECT);
    assert_true(flags_of(&parts) & CKF_USER_PIN_FINAL_TRY);
    assert_rv(login(&parts, CKU_USER, "x"), CKR_PIN_INCORRECT);
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_PIN_LOCKED);
    assert_true(flags_of(&parts) & CKF_USER_PIN_LOCKED);
    struct parts other = open_again();
    assert_true(flags_of(&other) & CKF_USER_PIN_LOCKED);
    assert_ok(login(&other, CKU_SO, "so-pin"));
    assert_ok(session_init_pin(other.session, view_string("again")));
    close_parts(&other);
    assert_false(flags_of(&parts) & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_COUNT_LOW));
    assert_ok(login(&parts, CKU_USER, "again"));
    close_parts(&parts);
}

static void a_locked_so_wipes_no_token(UNUSED void **state)
{
    struct parts parts = begin("so tries = 2");
    close_session(&parts);
    assert_rv(init_token(&parts, "x"), CKR_PIN_INCORRECT);
    assert_rv(init_token(&parts, "x"), CKR_PIN_INCORRECT);
    assert_rv(init_token(&parts, "so-pin"), CKR_PIN_LOCKED);
    assert_true(flags_of(&parts) & CKF_SO_PIN_LOCKED);
    open_session(&parts);
    assert_rv(login(&parts, CKU_SO, "so-pin"), CKR_PIN_LOCKED);
    assert_ok(login(&parts, CKU_USER, "1234"));
    close_parts(&parts);
}

static void a_token_without_pin_asks_nobody(UNUSED void **state)
{
    CK_OBJECT_HANDLE public_key, private_key;
    struct parts parts = open_directory("pin = none");
    assert_ok(token_initialise(parts.token, (struct view){0}, view_of(label, 32)));
    assert_false(flags_of(&parts) & CKF_LOGIN_REQUIRED);
    open_session(&parts);
    generate(&parts, &public_key, &private_key);
    assert_ok(login(&parts, CKU_USER, "whatever"));
    assert_ok(sign(&parts, private_key));
    assert_ok(token_logout(parts.token));
    assert_ok(sign(&parts, private_key));
    assert_rv(login(&parts, CKU_SO, "whatever"), CKR_USER_TYPE_INVALID);
    assert_rv(set_pin(&parts, "", "1234"), CKR_FUNCTION_REJECTED);
    close_session(&parts);
    assert_ok(init_token(&parts, ""));
    close_parts(&parts);
}

static void keep(const char *name)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s; cp -a work %s", name, name);
    run(command);
}

static void put_back(const char *name)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf work; cp -a %s work", name);
    run(command);
}

static void old_copies_are_dead(UNUSED void **state)
{
    struct parts parts = begin("");
    CK_OBJECT_HANDLE public_key, private_key;
    assert_ok(login(&parts, CKU_USER, "1234"));
    generate(&parts, &public_key, &private_key);
    keep("first");
    assert_ok(set_pin(&parts, "1234", "5678"));
    close_parts(&parts);
    put_back("first");
    parts = open_again();
    log_to_file();
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_DEVICE_ERROR);
    assert_logged("this is an old copy of the token");
    assert_int_equal(count(&parts, CKO_PUBLIC_KEY), 1);
    /* The SO's PIN is still the same: the copy can be made good. */
    assert_ok(login(&parts, CKU_SO, "so-pin"));
    assert_ok(session_init_pin(parts.session, view_string("repaired")));
    assert_ok(token_logout(parts.token));
    assert_ok(login(&parts, CKU_USER, "repaired"));
    keep("second");
    close_session(&parts);
    assert_ok(init_token(&parts, "so-pin"));
    close_parts(&parts);
    put_back("second");
    parts = open_again();
    log_to_file();
    assert_rv(login(&parts, CKU_USER, "repaired"), CKR_DEVICE_ERROR);
    assert_rv(login(&parts, CKU_SO, "so-pin"), CKR_DEVICE_ERROR);
    assert_logged("was deleted from the TPM");
    close_parts(&parts);
}

static void on_another_tpm_public_objects_stay_visible(UNUSED void **state)
{
    struct parts parts = begin("");
    CK_OBJECT_HANDLE public_key, private_key;
    assert_ok(login(&parts, CKU_USER, "1234"));
    generate(&parts, &public_key, &private_key);
    close_parts(&parts);
    run("rm -rf tpm");
    parts = open_again();
    log_to_file();
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_DEVICE_ERROR);
    assert_logged("TPM");
    assert_int_equal(count(&parts, CKO_PUBLIC_KEY), 1);
    assert_rv(login(&parts, CKU_SO, "so-pin"), CKR_DEVICE_ERROR);
    close_session(&parts);
    assert_rv(init_token(&parts, "so-pin"), CKR_DEVICE_ERROR);
    assert_true(flags_of(&parts) & CKF_TOKEN_INITIALIZED);
    close_parts(&parts);
}

/* The owner, whose authorisation is empty, clears away. */
static void delete_index(uint32_t handle)
{
    TSS2_TCTI_CONTEXT *tcti = NULL;
    ESYS_CONTEXT *esys = NULL;
    ESYS_TR index = ESYS_TR_NONE;
    char path[PATH_MAX];
    emulator_path(path);
    assert_int_equal(Tss2_TctiLdr_Initialize_Ex(path, emulator_configuration(), &tcti), 0);
    assert_int_equal(Esys_Initialize(&esys, tcti, NULL), 0);
    assert_int_equal(
        Esys_TR_FromTPMPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &index), 0);
    assert_int_equal(Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE),
                     0);
    Esys_Finalize(&esys);
    Tss2_TctiLdr_Finalize(&tcti);
}

static void a_deleted_index_is_named(UNUSED void **state)
{
    char handle[32];
    struct parts parts = begin("");
    const struct vault_seal *seals = parts.token->writable->file.seals;
    delete_index(seals[VAULT_USER].pin_index);
    delete_index(seals[VAULT_SO].counter_index);
    snprintf(handle, sizeof(handle), "0x%08x", (unsigned)seals[VAULT_USER].pin_index);
    log_to_file();
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_DEVICE_ERROR);
    assert_logged(handle);
    snprintf(handle, sizeof(handle), "0x%08x", (unsigned)seals[VAULT_SO].counter_index);
    log_to_file();
    assert_rv(login(&parts, CKU_SO, "so-pin"), CKR_DEVICE_ERROR);
    assert_logged(handle);
    close_parts(&parts);
}

static CK_OBJECT_HANDLE private_session_object(struct parts *parts)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_PRIVATE, &yes, 1}};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    assert_ok(objects_create(parts->session, template, 2, &handle));
    return handle;
}

/* Two modules: what the second had ends when the first initialises the token again. */
static struct parts replaced_under(struct parts *one, CK_OBJECT_HANDLE *ret_object)
{
    CK_OBJECT_HANDLE public_key, private_key;
    assert_ok(login(one, CKU_USER, "1234"));
    generate(one, &public_key, &private_key);
    close_session(one);
    struct parts two = open_again();
    assert_ok(login(&two, CKU_USER, "1234"));
    *ret_object = private_session_object(&two);
    look(&two);
    assert_ok(init_token(one, "so-pin"));
    open_session(one);
    assert_ok(login(one, CKU_SO, "so-pin"));
    assert_ok(session_init_pin(one->session, view_string("1234")));
    return two;
}

static void initialisation_ends_the_logins_of_others(UNUSED void **state)
{
    CK_OBJECT_HANDLE object;
    struct parts one = begin("");
    struct parts two = replaced_under(&one, &object);
    look(&two);
    assert_int_equal(two.token->login, TOKEN_PUBLIC);
    assert_false(is_open(&two));
    assert_int_equal(two.token->object_count, 1);
    assert_ok(login(&two, CKU_USER, "1234"));
    assert_null(token_object(two.token, object));
    assert_int_equal(count(&two, CKO_PRIVATE_KEY), 0);
    close_parts(&two);
    close_parts(&one);
}

static void a_new_token_is_not_opened_by_a_late_check_of_the_pin(UNUSED void **state)
{
    CK_OBJECT_HANDLE object;
    struct parts one = begin("");
    struct parts two = replaced_under(&one, &object);
    assert_rv(token_check_pin(two.token, view_string("1234")), CKR_USER_NOT_LOGGED_IN);
    assert_false(is_open(&two));
    close_parts(&two);
    close_parts(&one);
}

static void a_new_token_is_not_opened_by_a_late_change_of_the_pin(UNUSED void **state)
{
    CK_OBJECT_HANDLE object;
    struct parts one = begin("");
    struct parts two = replaced_under(&one, &object);
    (void)set_pin(&two, "1234", "5678");
    assert_int_equal(two.token->login, TOKEN_PUBLIC);
    assert_false(is_open(&two));
    close_parts(&two);
    close_parts(&one);
}

static void a_new_token_is_not_written_to_by_late_objects(UNUSED void **state)
{
    CK_OBJECT_HANDLE object, late;
    struct parts one = begin("");
    struct parts two = replaced_under(&one, &object);
    log_to_file();
    assert_rv(create_data(&two, "late", view_string("v"), true, &late), CKR_USER_NOT_LOGGED_IN);
    assert_logged("log in anew");
    look(&one);
    assert_int_equal(one.token->object_count, 1);
    close_parts(&two);
    close_parts(&one);
}

static void initialisation_leaves_what_is_not_its_own(UNUSED void **state)
{
    struct parts parts = begin("");
    CK_OBJECT_HANDLE public_key, private_key;
    assert_ok(login(&parts, CKU_USER, "1234"));
    generate(&parts, &public_key, &private_key);
    run("openssl req -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k "
        "-subj /CN=x -out work/x.pem; echo note > work/note.txt");
    close_session(&parts);
    assert_ok(init_token(&parts, "so-pin"));
    open_session(&parts);
    assert_int_equal(count(&parts, CKO_CERTIFICATE), 1);
    assert_int_equal(access("work/note.txt", F_OK), 0);
    assert_int_equal(count(&parts, CKO_PRIVATE_KEY), 0);
    close_parts(&parts);
}

/* The disk fails at each of its calls in turn: what the module has in mind is afterwards
 * what the files say. */
static void a_failing_disk_is_noticed(UNUSED void **state)
{
    struct parts parts = begin("");
    char old_pin[8] = "1234", new_pin[8] = "";
    CK_RV rv = CKR_DEVICE_ERROR;
    for (unsigned at = 1; rv != CKR_OK; at++) {
        snprintf(new_pin, sizeof(new_pin), "%u", at);
        sync_fails_at = at;
        rv = set_pin(&parts, old_pin, new_pin);
        sync_fails_at = 0;
        if (rv == CKR_PIN_INCORRECT)
            fail_msg("the PIN before call %u was lost", at);
        struct parts other = open_again();
        CK_RV there = login(&other, CKU_USER, new_pin);
        close_parts(&other);
        assert_rv(login(&parts, CKU_USER, there == CKR_OK ? new_pin : old_pin), CKR_OK);
        assert_ok(token_logout(parts.token));
        if (there == CKR_OK)
            strcpy(old_pin, new_pin);
    }
    close_parts(&parts);
}

static void a_failing_disk_hides_no_object(UNUSED void **state)
{
    struct parts parts = begin("");
    CK_OBJECT_HANDLE data;
    CK_RV rv = CKR_DEVICE_ERROR;
    for (unsigned at = 1; rv != CKR_OK; at++) {
        sync_fails_at = at;
        rv = create_data(&parts, "d", view_string("v"), false, &data);
        sync_fails_at = 0;
        struct parts other = open_again();
        assert_int_equal(count(&other, CKO_DATA), count(&parts, CKO_DATA));
        close_parts(&other);
    }
    close_parts(&parts);
}

/* While one process completes a change that was killed, another changes the SO's PIN. */
static int complete_change(UNUSED void *argument)
{
    struct parts parts = open_again();
    return login(&parts, CKU_USER, "new") == CKR_OK ? 0 : 1;
}

static void wait_for_lock(void)
{
    for (int i = 0; i < 300; i++) {
        struct bytes locks CLEANUP(bytes_free) = read_file("/proc/locks");
        if (strstr((char *)locks.data, "-> FLOCK"))
            return;
        usleep(10000);
    }
}

static void a_completed_change_takes_nothing_back(UNUSED void **state)
{
    struct parts parts = begin("");
    struct token_file pending = {0};
    struct writable *writable = parts.token->writable;
    /* As a process leaves it that was killed before its last write. */
    assert_ok(token_file_copy(&pending, &writable->file));
    assert_ok(set_pin(&parts, "1234", "new"));
    assert_ok(vault_seal_copy(&pending.pending[VAULT_USER], &writable->file.seals[VAULT_USER]));
    assert_ok(writable_lock(parts.token));
    assert_ok(writable_write_token_file(parts.token, &pending));
    token_file_clear(&pending);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(complete_change(NULL));
    wait_for_lock();
    assert_ok(login(&parts, CKU_SO, "so-pin"));
    assert_ok(set_pin(&parts, "so-pin", "so-new"));
    assert_ok(token_logout(parts.token));
    writable_release(parts.token);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(login(&parts, CKU_SO, "so-new"));
    assert_ok(token_logout(parts.token));
    assert_ok(login(&parts, CKU_USER, "new"));
    assert_false(writable->file.pending[VAULT_USER].present);
    close_parts(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(a_wrong_old_pin_ends_no_login),
        in_own_directory(changing_a_pin_is_no_login),
        in_own_directory(an_empty_pin_is_a_pin_and_null_is_none),
        in_own_directory(pins_have_up_to_255_bytes),
        in_own_directory(a_locked_user_is_let_in_again_by_the_so),
        in_own_directory(a_locked_so_wipes_no_token),
        in_own_directory(a_token_without_pin_asks_nobody),
        in_own_directory(old_copies_are_dead),
        in_own_directory(on_another_tpm_public_objects_stay_visible),
        in_own_directory(a_deleted_index_is_named),
        in_own_directory(initialisation_ends_the_logins_of_others),
        in_own_directory(a_new_token_is_not_opened_by_a_late_check_of_the_pin),
        in_own_directory(a_new_token_is_not_opened_by_a_late_change_of_the_pin),
        in_own_directory(a_new_token_is_not_written_to_by_late_objects),
        in_own_directory(initialisation_leaves_what_is_not_its_own),
        in_own_directory(a_failing_disk_is_noticed),
        in_own_directory(a_failing_disk_hides_no_object),
        in_own_directory(a_completed_change_takes_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
