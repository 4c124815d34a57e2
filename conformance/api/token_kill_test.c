/* A process that writes on a token is killed at any moment. What was reported done is
 * there; what was not is there whole or not at all. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conformance/api/children.h"
#include "conformance/api/making.h"

#define KILLS 20
#define NAMES 8
#define LONGEST_MS 60

/* What the writer has told of each of its objects, in memory that survives it. */
struct told {
    unsigned version;  /* of the last call that returned: 0 is absent, else its label's */
    unsigned intended; /* of the call that runs; the same where none does */
};

static struct told *told;
static unsigned next_version;

static void label_of(unsigned name, unsigned version, char ret_label[32])
{
    snprintf(ret_label, 32, "object %u version %u", name, version);
}

static CK_OBJECT_HANDLE child_find(CK_SESSION_HANDLE session, const char *label)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    child_rv(p11->C_FindObjectsInit(
                 session, LIST(TEXT(CKA_LABEL, label), NUMBER(CKA_CLASS, CKO_PRIVATE_KEY))),
             CKR_OK);
    child_rv(p11->C_FindObjects(session, &object, 1, &count), CKR_OK);
    child_rv(p11->C_FindObjectsFinal(session), CKR_OK);
    child_true(count == 1);
    return object;
}

/* Pairs of keys, as their two objects have to come and go together. */
static CK_RV child_generate(CK_SESSION_HANDLE session, const char *label)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public_key, private_key;

    return p11->C_GenerateKeyPair(
        session, &mechanism,
        LIST(BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_TOKEN, true), TEXT(CKA_LABEL, label)),
        LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SIGN, true), TEXT(CKA_LABEL, label)), &public_key,
        &private_key);
}

static void write_once(CK_SESSION_HANDLE session, unsigned name, unsigned action)
{
    char old[32], new[32];

    label_of(name, told[name].version, old);
    label_of(name, next_version, new);
    if (told[name].version == 0) {
        told[name].intended = next_version;
        child_rv(child_generate(session, new), CKR_OK);
    } else if (action == 0) {
        told[name].intended = 0;
        child_rv(p11->C_DestroyObject(session, child_find(session, old)), CKR_OK);
    } else {
        CK_OBJECT_HANDLE object = child_find(session, old);

        told[name].intended = next_version;
        child_rv(p11->C_SetAttributeValue(session, object, LIST(TEXT(CKA_LABEL, new))), CKR_OK);
    }
    told[name].version = told[name].intended;
    next_version++;
}

static void write_until_killed(void)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID slot = 0;
    unsigned turn = (unsigned)getpid();

    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
             CKR_OK);
    child_rv(login_as(session, CKU_USER, USER_PIN), CKR_OK);
    told[NAMES].version = 1; /* ready */
    while (true) {
        turn = turn * 1103515245 + 12345;
        write_once(session, turn / 65536 % NAMES, turn / 1048576 % 3);
    }
}

static void sleep_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&time, NULL);
}

/* Starts a writer and kills it some time after it was ready. */
static void kill_a_writer(void (*writer)(void), unsigned ms)
{
    pid_t child;
    int status = 0;

    told[NAMES].version = 0;
    child = start_child(writer);
    for (unsigned i = 0; i < 10000 && !*(volatile unsigned *)&told[NAMES].version; i++)
        sleep_ms(1);
    sleep_ms(ms);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("the writer ended by itself, with status 0x%x", (unsigned)status);
}

static CK_ULONG found_of(CK_SESSION_HANDLE session, unsigned name, unsigned version,
                         CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret_object)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    char label[32];
    CK_ULONG count;

    label_of(name, version, label);
    count = find_all(session, LIST(TEXT(CKA_LABEL, label), NUMBER(CKA_CLASS, class)), objects);
    *ret_object = count ? objects[0] : CK_INVALID_HANDLE;
    return count;
}

/* The old version or the new one, of which the key signs. Settles what it is. */
static void check_one(CK_SESSION_HANDLE session, unsigned name)
{
    unsigned before = told[name].version, after = told[name].intended;
    CK_OBJECT_HANDLE old = CK_INVALID_HANDLE, new = CK_INVALID_HANDLE;
    CK_ULONG olds = before ? found_of(session, name, before, CKO_PRIVATE_KEY, &old) : 0;
    CK_ULONG news =
        after && after != before ? found_of(session, name, after, CKO_PRIVATE_KEY, &new) : 0;

    if (olds + news > 1 || (olds + news == 0 && before && after))
        fail_msg("object %u has %lu old and %lu new versions", name, olds, news);
    if (olds + news)
        assert_ok(sign_simply(session, olds ? old : new));
    told[name].version = told[name].intended = olds ? before : news ? after : 0;
}

static void check_all(void)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_SESSION_HANDLE session = user_session();
    unsigned there = 0;

    for (unsigned name = 0; name < NAMES; name++) {
        check_one(session, name);
        there += told[name].version != 0;
    }
    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, objects), there);
}

static void share_memory(void)
{
    if (told)
        return;
    told = mmap(NULL, (NAMES + 1) * sizeof(*told), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(told, MAP_FAILED);
}

static void whoever_is_killed_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("a process that is killed leaves its keys loaded in this TPM");
    common_token(NULL);
    share_memory();
    for (unsigned i = 0; i < KILLS; i++) {
        next_version = (i + 1) * 1000000;
        assert_ok(p11->C_Finalize(NULL));
        kill_a_writer(write_until_killed, i * LONGEST_MS / KILLS);
        start_again();
        check_all();
    }
}

static void change_until_killed(void)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID slot = 0;
    bool turn = false;

    child_rv(initialise(), CKR_OK);
    child_rv(find_label(FRESH_LABEL, &slot), CKR_OK);
    child_rv(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
             CKR_OK);
    told[NAMES].version = 1;
    for (;; turn = !turn)
        child_rv(set_pin(session, turn ? "one" : "other", turn ? "other" : "one"), CKR_OK,
                 CKR_PIN_INCORRECT);
}

static void a_killed_change_of_the_pin_leaves_one_of_both(void **state)
{
    CK_SLOT_ID slot;

    (void)state;
    if (setting("PKCS11_EXCLUSIVE"))
        skip_because("a process that is killed leaves its keys loaded in this TPM");
    slot = initialised_token(NULL);
    if (token_info(slot).ulMinPinLen > 3)
        skip_because("PINs of this token are longer than those of the test");
    assert_ok(init_pin_as_so(slot, SO_PIN, "one"));
    share_memory();
    for (unsigned i = 0; i < KILLS; i++) {
        CK_SESSION_HANDLE session;

        assert_ok(p11->C_Finalize(NULL));
        kill_a_writer(change_until_killed, i * LONGEST_MS / KILLS);
        assert_ok(initialise());
        assert_ok(find_label(FRESH_LABEL, &slot));
        session = open_rw_session(slot);
        if (login_as(session, CKU_USER, "one") != CKR_OK)
            assert_ok(login_as(session, CKU_USER, "other"));
        assert_ok(p11->C_CloseSession(session));
    }
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(whoever_is_killed_leaves_the_old_or_the_new),
        test(a_killed_change_of_the_pin_leaves_one_of_both),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
