/* Bad days of the disk that a token is on: full, or not to be written. Each test has a
 * small disk of its own, in a name space of its own where that is permitted. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/api/making.h"

#define SMALL "size=96k"
#define LARGE 3000
#define MAX_FULL 60

static char disk[4096];

/* A new name space once, whose mounts nobody else sees. */
static bool may_mount(void)
{
    static enum { UNKNOWN, YES, NO } answer;

    if (answer == UNKNOWN) {
        bool apart = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;

        answer = apart && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ? YES : NO;
    }
    return answer == YES;
}

/* A token that nobody has initialised, on a small disk; the module starts on it. */
static CK_SLOT_ID token_on_a_small_disk(void)
{
    CK_SLOT_ID slot;

    if (!may_mount())
        skip_because("mounting is not permitted");
    slot = uninitialised_token(NULL);
    if (!getenv("TOKEN_DISK"))
        skip_because("TOKEN_DISK does not name the place of the token");
    assert_ok(p11->C_Finalize(NULL));
    snprintf(disk, sizeof(disk), "%s", getenv("TOKEN_DISK"));
    assert_int_equal(mount("tmpfs", disk, "tmpfs", 0, SMALL), 0);
    assert_ok(initialise());
    assert_ok(p11->C_GetSlotList(CK_TRUE, &slot, &(CK_ULONG){1}));
    assert_ok(init_token(slot, SO_PIN));
    assert_ok(init_pin_as_so(slot, SO_PIN, USER_PIN));
    return slot;
}

static int unmount(void **state)
{
    close_everything(state);
    if (*disk) {
        p11->C_Finalize(NULL);
        umount2(disk, MNT_DETACH);
        disk[0] = '\0';
        initialise();
    }
    return 0;
}

static void start_on_disk(CK_SLOT_ID *ret_slot)
{
    assert_ok(p11->C_Finalize(NULL));
    assert_ok(initialise());
    assert_ok(find_label(FRESH_LABEL, ret_slot));
}

static CK_SESSION_HANDLE user_on(CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE session = open_rw_session(slot);

    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_OK, CKR_USER_ALREADY_LOGGED_IN);
    return session;
}

static CK_RV create(CK_SESSION_HANDLE session, unsigned number, CK_OBJECT_HANDLE *ret_object)
{
    static unsigned char value[LARGE];
    char label[16];

    snprintf(label, sizeof(label), "%u", number);
    return p11->C_CreateObject(session,
                               LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true),
                                    FLAG(CKA_PRIVATE, number & 1), TEXT(CKA_LABEL, label),
                                    TEXT(CKA_APPLICATION, "full"),
                                    BYTES(CKA_VALUE, value, sizeof(value))),
                               ret_object);
}

/* Until it is full; returns how many there are. */
static unsigned fill_up(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE objects[MAX_FOUND])
{
    unsigned count = 0;
    CK_RV rv;

    do {
        assert_true(count < MAX_FULL);
        rv = create(session, count, &objects[count]);
        count += rv == CKR_OK;
    } while (rv == CKR_OK);
    assert_rv(rv, CKR_DEVICE_MEMORY);
    assert_true(count > 3);
    return count;
}

static void a_full_disk_takes_no_more_and_loses_nothing(void **state)
{
    CK_SLOT_ID slot = token_on_a_small_disk();
    CK_SESSION_HANDLE session = user_on(slot);
    CK_OBJECT_HANDLE objects[MAX_FOUND], found[MAX_FOUND];
    unsigned count = fill_up(session, objects);

    (void)state;
    assert_int_equal(find_all(session, LIST(TEXT(CKA_APPLICATION, "full")), found), count);
    start_on_disk(&slot);
    session = user_on(slot);
    assert_int_equal(find_all(session, LIST(TEXT(CKA_APPLICATION, "full")), found), count);
    for (unsigned i = 0; i < count; i++) {
        unsigned char value[MAX_VALUE];

        assert_int_equal(get_bytes(session, found[i], CKA_VALUE, value), LARGE);
    }
}

static void a_change_that_does_not_fit_is_not_made(void **state)
{
    CK_SLOT_ID slot = token_on_a_small_disk();
    CK_SESSION_HANDLE session = user_on(slot);
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    unsigned count = fill_up(session, objects);
    unsigned char larger[4 * LARGE] = {0}, value[MAX_VALUE];

    (void)state;
    assert_rv(p11->C_SetAttributeValue(session, objects[0],
                                       LIST(BYTES(CKA_VALUE, larger, sizeof(larger)))),
              CKR_DEVICE_MEMORY);
    assert_int_equal(get_bytes(session, objects[0], CKA_VALUE, value), LARGE);
    start_on_disk(&slot);
    session = user_on(slot);
    assert_int_equal(find_all(session, LIST(TEXT(CKA_APPLICATION, "full")), objects), count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(get_bytes(session, objects[i], CKA_VALUE, value), LARGE);
}

static void what_is_destroyed_makes_room(void **state)
{
    CK_SLOT_ID slot = token_on_a_small_disk();
    CK_SESSION_HANDLE session = user_on(slot);
    CK_OBJECT_HANDLE objects[MAX_FOUND], found[MAX_FOUND];
    unsigned count = fill_up(session, objects);

    (void)state;
    for (unsigned i = 0; i < count; i++)
        assert_ok(p11->C_DestroyObject(session, objects[i]));
    assert_int_equal(fill_up(session, objects), count);
    start_on_disk(&slot);
    assert_int_equal(find_all(user_on(slot), LIST(TEXT(CKA_APPLICATION, "full")), found), count);
}

static void a_key_pair_that_does_not_fit_leaves_nothing(void **state)
{
    CK_SLOT_ID slot = token_on_a_small_disk();
    CK_SESSION_HANDLE session = user_on(slot);
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    struct pair pair;
    CK_RV rv;

    (void)state;
    fill_up(session, objects);
    do /* a small file may still fit */
        rv = generate_pair(session, CKM_EC_KEY_PAIR_GEN,
                           LIST(BYTES(CKA_EC_PARAMS, P256), FLAG(CKA_TOKEN, true)),
                           LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SIGN, true)), &pair);
    while (rv == CKR_OK);
    assert_rv(rv, CKR_DEVICE_MEMORY);
    start_on_disk(&slot);
    session = user_on(slot);
    assert_int_equal(find_class(session, CKO_PUBLIC_KEY, objects),
                     find_class(session, CKO_PRIVATE_KEY, objects));
}

static void the_pin_stays_when_a_new_one_does_not_fit(void **state)
{
    CK_SLOT_ID slot = token_on_a_small_disk();
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_SESSION_HANDLE session = user_on(slot);
    const char *pin = USER_PIN;
    CK_RV rv;

    (void)state;
    fill_up(session, objects);
    rv = set_pin(session, USER_PIN, "another");
    assert_rv(rv, CKR_OK, CKR_DEVICE_MEMORY);
    if (rv == CKR_OK) /* there was room for it in the old file's place */
        pin = "another";
    start_on_disk(&slot);
    session = open_rw_session(slot);
    assert_ok(login_as(session, CKU_USER, pin));
    for (CK_ULONG i = find_class(session, CKO_DATA, objects); i > 0; i--)
        assert_ok(p11->C_DestroyObject(session, objects[i - 1]));
    assert_ok(set_pin(session, pin, "third"));
}

static void make_read_only(void)
{
    assert_ok(p11->C_Finalize(NULL));
    assert_int_equal(mount(NULL, disk, NULL, MS_REMOUNT | MS_RDONLY, SMALL), 0);
    assert_ok(initialise());
}

static void a_read_only_disk_is_a_write_protected_token(void **state)
{
    CK_SLOT_ID slot = token_on_a_small_disk();
    CK_SESSION_HANDLE session = user_on(slot);
    CK_OBJECT_HANDLE object = create_sample(session, CERTIFICATE, true, false);

    (void)state;
    create_sample(session, EC_PRIVATE, true, true);
    make_read_only();
    assert_ok(find_label(FRESH_LABEL, &slot));
    expect_true(flag_of_token(slot, CKF_WRITE_PROTECTED));
    session = user_on(slot);
    expect_true(find_class(session, CKO_CERTIFICATE, &object) == 1);
    expect_rv(create(session, 1, &(CK_OBJECT_HANDLE){0}), CKR_TOKEN_WRITE_PROTECTED);
    expect_rv(p11->C_SetAttributeValue(session, object, LIST(TEXT(CKA_LABEL, "new"))),
              CKR_TOKEN_WRITE_PROTECTED);
    expect_rv(p11->C_DestroyObject(session, object), CKR_TOKEN_WRITE_PROTECTED);
    expect_rv(set_pin(session, USER_PIN, "another"), CKR_TOKEN_WRITE_PROTECTED);
    expect_true(find_class(session, CKO_PRIVATE_KEY, &object) == 1);
    expect_rv(sign_simply(session, object), CKR_OK);
    expect_rv(p11->C_CloseAllSessions(slot), CKR_OK);
    expect_rv(init_token(slot, SO_PIN), CKR_TOKEN_WRITE_PROTECTED);
    expect_rv(login_as(open_rw_session(slot), CKU_SO, SO_PIN), CKR_OK);
    expectations_met();
}

static void session_objects_are_made_on_a_read_only_token(void **state)
{
    CK_SLOT_ID slot = token_on_a_small_disk();
    CK_SESSION_HANDLE session;

    (void)state;
    make_read_only();
    assert_ok(find_label(FRESH_LABEL, &slot));
    session = user_on(slot);
    create_sample(session, AES_KEY, false, true);
    assert_ok(sign_simply(session, new_ec_pair(session, P256, false).private_key));
}

#define test(function) cmocka_unit_test_teardown(function, unmount)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_full_disk_takes_no_more_and_loses_nothing),
        test(a_change_that_does_not_fit_is_not_made),
        test(what_is_destroyed_makes_room),
        test(a_key_pair_that_does_not_fit_leaves_nothing),
        test(the_pin_stays_when_a_new_one_does_not_fit),
        test(a_read_only_disk_is_a_write_protected_token),
        test(session_objects_are_made_on_a_read_only_token),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
