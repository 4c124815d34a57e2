#include <sys/mman.h>

#include "token/base/log.h"
#include "token/tpm/seal_test_support.h"

/* Bad days: a TPM without room, with an owner, cleared, busy, cut off; a process that
 * is killed between any two commands. */

static struct bytes logged;

static void log_begin(void)
{
    unlink("log");
    assert_true(log_open("log", LOG_LEVEL_WARNING));
}

static void assert_logged(const char *expected)
{
    log_close();
    logged = read_file("log");
    assert_contains((const char *)logged.data, expected);
    bytes_free(&logged);
}

static void set_owner_auth(const char *from, const char *to)
{
    struct other other = other_begin();
    TPM2B_AUTH old = {.size = (UINT16)strlen(from)}, new = {.size = (UINT16)strlen(to)};
    memcpy(old.buffer, from, strlen(from));
    memcpy(new.buffer, to, strlen(to));
    assert_int_equal(Esys_TR_SetAuth(other.esys, ESYS_TR_RH_OWNER, &old), 0);
    assert_int_equal(Esys_HierarchyChangeAuth(other.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                              ESYS_TR_NONE, ESYS_TR_NONE, &new),
                     0);
    other_end(&other);
}

static void keep_root(bool keep)
{
    TPM2B_PUBLIC template = storage_template(true);
    keep_primary(keep ? &template : NULL, 0x81000001);
}

static void with_an_owner_the_second_gate_stands_alone(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal_tries tries;
    keep_root(true);
    set_owner_auth("", "owner");
    log_begin();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    assert_logged("the TPM's owner hierarchy has an authorisation");
    assert_false(seal.gated);
    assert_int_equal(index_count(), 0);
    poison(tries);
    assert_ok(open_by(tpm, &seal, pin_auth("right"), &tries));
    assert_false(tries.known);
    poison(tries);
    assert_rv(open_by(tpm, &seal, pin_auth("wrong"), &tries), CKR_PIN_INCORRECT);
    assert_false(tries.known);
    assert_int_equal(global_count(), 1);
    assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
    /* Until the TPM locks everything. */
    unsigned tried = 0;
    log_begin();
    while (open_seal(tpm, &seal, "wrong") == CKR_PIN_INCORRECT && tried < 100)
        tried++;
    assert_rv(open_seal(tpm, &seal, "right"), CKR_PIN_LOCKED);
    assert_logged("it allows another try in at most");
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void an_owner_who_comes_later_stops_changes_and_not_logins(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL), seal = make_seal(tpm, "new", &old), next;
    struct tpm_seal_request request = request_of("next", &old);
    struct tpm_seal_tries tries;
    keep_root(true);
    set_owner_auth("", "owner");
    assert_ok(open_seal(tpm, &old, "old"));
    assert_rv(open_by(tpm, &old, pin_auth("wrong"), &tries), CKR_PIN_INCORRECT);
    assert_false(tries.known);
    assert_int_equal(tries.limit, 3);
    poison(next);
    log_begin();
    assert_rv(tpm_seal_make(tpm, &request, &next), CKR_DEVICE_ERROR);
    assert_logged("the PIN cannot be changed");
    assert_poison(next);
    log_begin();
    assert_rv(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER), CKR_DEVICE_ERROR);
    assert_logged("the old PIN stays valid");
    assert_rv(tpm_seal_remove(tpm, &old, token, TPM_SEAL_USER), CKR_DEVICE_ERROR);
    assert_ok(open_seal(tpm, &old, "old"));
    set_owner_auth("owner", "");
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    assert_ok(open_seal(tpm, &seal, "new"));
    assert_int_equal(global_count(), 0);
    keep_root(false);
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void an_owner_without_a_kept_root_is_told_what_to_do(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal;
    struct tpm_seal_request request = request_of("right", NULL);
    set_owner_auth("", "owner");
    poison(seal);
    log_begin();
    assert_rv(tpm_seal_make(tpm, &request, &seal), CKR_DEVICE_ERROR);
    assert_logged("tpm2_createprimary -C o -P AUTH -G ecc256 -c srk.ctx -a \"fixedtpm|fixedparent|"
                  "sensitivedataorigin|userwithauth|noda|restricted|decrypt\"' and "
                  "'tpm2_evictcontrol -C o -P AUTH -c srk.ctx 0x81000001'");
    assert_poison(seal);
    tpm_release(tpm);
}

static void fill_nv(uint32_t *next)
{
    struct other other = other_begin();
    for (UINT16 size = 2048; size; size /= 2)
        while (other_define(&other, *next, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, size, NULL,
                            "") == 0)
            ++*next;
    other_end(&other);
}

static void without_nv_room_the_second_gate_stands_alone(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    uint32_t next = 0x01400000;
    struct tpm_seal old = make_seal(tpm, "old", NULL);
    fill_nv(&next);
    unsigned before = index_count();
    log_begin();
    struct tpm_seal seal = make_seal(tpm, "new", &old);
    assert_logged("no room for NV indexes");
    assert_false(seal.gated);
    assert_int_equal(index_count(), before);
    assert_ok(open_seal(tpm, &seal, "new"));
    assert_ok(open_seal(tpm, &old, "old"));
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    assert_int_equal(index_count(), before - 2);
    assert_rv(open_seal(tpm, &old, "old"), CKR_DEVICE_ERROR);
    /* Room for one of the two is not enough, and neither stays. */
    fill_nv(&next);
    before = index_count();
    other_undefine(next - 1);
    other_undefine(next - 2);
    struct tpm_seal first = make_seal(tpm, "first", NULL);
    if (!first.gated)
        assert_int_equal(index_count(), before - 2);
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_seal_clear(&first);
    tpm_release(tpm);
}

static void half_the_gates_are_taken_back(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    static const struct {
        uint32_t code, rc;
        unsigned after;
    } faults[] = {{TPM2_CC_NV_DefineSpace, TPM2_RC_NV_SPACE, 0},
                  {TPM2_CC_NV_DefineSpace, TPM2_RC_NV_SPACE, 1},
                  {TPM2_CC_NV_DefineSpace, TPM2_RC_ATTRIBUTES | TPM2_RC_P | TPM2_RC_2, 1},
                  {TPM2_CC_NV_Write, TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1, 0},
                  {TPM2_CC_NV_Increment, TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        inject(&watched, faults[i].code, faults[i].rc, 1);
        watched.fault_after = faults[i].after;
        struct tpm_seal seal = make_seal(tpm, "right", NULL);
        assert_false(seal.gated);
        assert_int_equal(index_count(), 0);
        assert_ok(open_seal(tpm, &seal, "right"));
        tpm_seal_clear(&seal);
    }
    /* What is no lack of gates is an error. */
    static const uint32_t hard[] = {TPM2_CC_NV_Read, TPM2_CC_NV_Write, TPM2_CC_Create};
    for (size_t i = 0; i < ARRAY_SIZE(hard); i++) {
        struct tpm_seal_request request = request_of("right", NULL);
        struct tpm_seal seal;
        poison(seal);
        inject(&watched, hard[i], TPM2_RC_NV_UNAVAILABLE, 1);
        assert_rv(tpm_seal_make(tpm, &request, &seal), CKR_DEVICE_ERROR);
        assert_poison(seal);
        assert_int_equal(index_count(), 0);
    }
    watched_close(&watched, tpm);
}

static void handles_that_others_hold_are_left_alone(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal first = make_seal(tpm, "right", NULL), seal;
    uint32_t counter = first.counter_index;
    assert_ok(tpm_seal_remove(tpm, &first, token, TPM_SEAL_USER));
    struct other other = other_begin();
    unsigned others = 0;
    /* Each round somebody takes the handle that it used. */
    do {
        assert_int_equal(
            other_define(&other, counter, TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE, 8, NULL, ""), 0);
        seal = make_seal(tpm, "right", NULL);
        others++;
        assert_int_equal(index_count(), others + (seal.gated ? 2 : 0));
        assert_ok(open_seal(tpm, &seal, "right"));
        assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
        assert_int_not_equal(seal.counter_index, counter);
        counter = seal.counter_index;
        tpm_seal_clear(&seal);
    } while (seal.gated = counter != 0, seal.gated);
    assert_int_equal(others, 5);
    other_end(&other);
    tpm_seal_clear(&first);
    tpm_release(tpm);
}

static void a_cleared_or_exchanged_tpm_is_told_from_a_wrong_pin(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct tpm_root root = {0};
    struct bytes secret = {0};
    struct tpm_seal_tries tries;
    assert_ok(tpm_root_read(tpm, &root));
    assert_ok(tpm_seal_open(tpm, &seal, token, TPM_SEAL_USER, pin_auth("right"),
                            bytes_view(&root.name), TPM_PROTECTION_AUTO, &secret, &tries));
    bytes_free(&secret);
    clear_tpm();
    poison(tries);
    log_begin();
    assert_rv(tpm_seal_open(tpm, &seal, token, TPM_SEAL_USER, pin_auth("right"),
                            bytes_view(&root.name), TPM_PROTECTION_AUTO, &secret, &tries),
              CKR_DEVICE_ERROR);
    assert_logged("this is not the TPM that the token was made on, or it was cleared since");
    assert_poison(tries);
    assert_null(secret.data);
    log_begin();
    assert_rv(open_seal(tpm, &seal, "right"), CKR_DEVICE_ERROR);
    assert_logged("cleared since");
    assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
    tpm_root_clear(&root);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void another_root_kept_by_the_owner_does_not_matter(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    TPM2B_PUBLIC template = storage_template(true);
    struct tpm_root root = {0};
    struct tpm_seal_tries tries;
    struct bytes secret = {0};
    assert_ok(tpm_root_read(tpm, &root));
    template.publicArea.unique.ecc.x = (TPM2B_ECC_PARAMETER){.size = 1, .buffer = {7}};
    keep_primary(&template, 0x81000001);
    tpm->no_persistent_parent = false;
    assert_ok(open_seal(tpm, &seal, "right"));
    assert_ok(tpm_seal_open(tpm, &seal, token, TPM_SEAL_USER, pin_auth("right"),
                            bytes_view(&root.name), TPM_PROTECTION_AUTO, &secret, &tries));
    keep_root(false);
    bytes_free(&secret);
    tpm_root_clear(&root);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

/* The number of commands of one try; then the same with a fault at each of them. */
static void a_busy_tpm_is_waited_for_at_every_command(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    for (unsigned after = 0; after < 9; after++) {
        inject(&watched, 0, TPM2_RC_RETRY, 1);
        watched.fault_after = after;
        assert_ok(open_seal(tpm, &seal, "right"));
        assert_int_equal(watched.fault_times, 0);
    }
    struct tpm_seal next = make_seal(tpm, "next", &seal);
    for (unsigned after = 0; after < 5; after++) {
        inject(&watched, 0, TPM2_RC_RETRY, 1);
        watched.fault_after = after;
        assert_ok(tpm_seal_commit(tpm, &next, &seal, token, TPM_SEAL_USER));
        watched.fault_times = 0;
    }
    assert_ok(open_seal(tpm, &next, "next"));
    assert_int_equal(index_count(), 2);
    assert_int_equal(global_count(), 0);
    tpm_seal_clear(&seal);
    tpm_seal_clear(&next);
    watched_close(&watched, tpm);
}

/* A lost connection: made anew, but a PIN that may have been counted is not sent twice. */
static void a_cut_connection_never_sends_a_pin_twice(UNUSED void **state)
{
    for (unsigned after = 0; after < 10; after++) {
        struct watched watched;
        struct tpm *tpm = watched_tpm(&watched);
        struct tpm_seal seal = make_seal(tpm, "right", NULL);
        tpm->no_persistent_parent = false;
        inject(&watched, 0, TSS2_TCTI_RC_IO_ERROR, 1);
        watched.fault_after = after;
        CK_RV rv = open_seal(tpm, &seal, "right");
        bool pin_sent = sent(&watched, TPM2_CC_PolicySecret);
        if (rv != (pin_sent && after < 9 ? CKR_DEVICE_ERROR : CKR_OK))
            fail_msg("after %u commands: 0x%lx", after, rv);
        assert_ok(open_seal(tpm, &seal, "right"));
        assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
        tpm_seal_clear(&seal);
        watched_close(&watched, tpm);
    }
    assert_int_equal(global_count(), 0);
}

static void a_cut_connection_leaves_no_index_behind(UNUSED void **state)
{
    for (unsigned after = 0; after < 8; after++) {
        struct watched watched;
        struct tpm *tpm = watched_tpm(&watched);
        inject(&watched, 0, TSS2_TCTI_RC_IO_ERROR, 1);
        watched.fault_after = after;
        struct tpm_seal seal = make_seal(tpm, "right", NULL);
        assert_true(seal.gated);
        assert_int_equal(index_count(), 2);
        assert_ok(open_seal(tpm, &seal, "right"));
        assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
        tpm_seal_clear(&seal);
        watched_close(&watched, tpm);
    }
}

static void other_loaded_keys_give_way(UNUSED void **state)
{
    static const struct wish wish = {.type = TPM2_ALG_ECC, .attributes = TPMA_OBJECT_SIGN_ENCRYPT};
    struct watched watched;
    struct made made;
    make_key(&wish, &made);
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct tpm_key_source source = source_of(&made);
    static const uint32_t commands[] = {TPM2_CC_CreatePrimary, TPM2_CC_Load};
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        struct tpm_key *key = NULL;
        assert_ok(tpm_key_new(tpm, &source, &key, NULL));
        assert_ok(tpm_key_check_auth(key, (struct view){0}));
        inject(&watched, commands[i], TPM2_RC_OBJECT_MEMORY, 1);
        assert_ok(open_seal(tpm, &seal, "right"));
        assert_null(tpm->loaded);
        assert_ok(tpm_key_check_auth(key, (struct view){0}));
        tpm_key_free(key);
    }
    tpm_seal_clear(&seal);
    watched_close(&watched, tpm);
}

static bool crosses(const char *secret, enum tpm_protection protection, bool gated)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_seal_request request = request_of("", NULL);
    struct tpm_seal_tries tries;
    struct tpm_seal seal = {0};
    struct bytes opened = {0};
    watched.secret = secret;
    request.protection = protection;
    request.auth.pin = view_string("the count's authorisation, 32 by");
    request.auth.seal = view_string("the seal's authorisation, 32 byt");
    if (!gated)
        inject(&watched, TPM2_CC_NV_DefineSpace, TPM2_RC_NV_SPACE, 1);
    assert_ok(tpm_seal_make(tpm, &request, &seal));
    assert_int_equal(seal.gated, gated);
    assert_ok(tpm_seal_open(tpm, &seal, token, TPM_SEAL_USER, &request.auth, (struct view){0},
                            protection, &opened, &tries));
    assert_view(bytes_view(&opened), SECRET);
    struct tpm_seal_auth wrong = request.auth;
    wrong.pin = view_string("the count's authorisation, wrong");
    wrong.seal = view_string("the seal's authorisation, wrong!");
    assert_rv(tpm_seal_open(tpm, &seal, token, TPM_SEAL_USER, &wrong, (struct view){0}, protection,
                            &opened, &tries),
              CKR_PIN_INCORRECT);
    bytes_free(&opened);
    assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
    tpm_seal_clear(&seal);
    watched_close(&watched, tpm);
    return watched.seen;
}

static void nothing_secret_crosses_a_protected_bus(UNUSED void **state)
{
    static const char *const secrets[] = {"the count's authorisation", "the seal's authorisation",
                                          "the secret of 32 bytes"};
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
        assert_true(crosses(secrets[i], TPM_PROTECTION_OFF, true));
        assert_false(crosses(secrets[i], TPM_PROTECTION_ON, true));
        assert_false(crosses(secrets[i], TPM_PROTECTION_ON, false));
    }
}

static void a_protected_login_takes_11_commands_or_9_with_a_kept_root(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    tpm_release(tpm);
    for (unsigned kept = 0; kept < 2; kept++) {
        struct watched watched;
        struct tpm_seal_tries tries;
        struct bytes secret = {0};
        if (kept)
            keep_root(true);
        tpm = watched_tpm(&watched);
        for (unsigned again = 0; again < 2; again++) {
            watched.count = 0;
            assert_ok(tpm_seal_open(tpm, &seal, token, TPM_SEAL_USER, pin_auth("right"),
                                    (struct view){0}, TPM_PROTECTION_ON, &secret, &tries));
            assert_int_equal(watched.count, (kept ? 9 : 11) - again * (kept ? 1 : 2));
        }
        bytes_free(&secret);
        watched_close(&watched, tpm);
    }
    keep_root(false);
    tpm_seal_clear(&seal);
}

/* What a process shares with the one that goes on after its death: the file that it
 * would have written. */
struct shared_seal {
    bool stored;
    struct tpm_seal seal;
    uint8_t public[512];
    uint8_t private[512];
};

static void store(struct shared_seal *shared, const struct tpm_seal *seal)
{
    shared->seal = *seal;
    memcpy(shared->public, seal->object.public.data, seal->object.public.size);
    memcpy(shared->private, seal->object.private.data, seal->object.private.size);
    shared->seal.object.public.data = shared->public;
    shared->seal.object.private.data = shared->private;
    shared->stored = true;
}

struct victim {
    unsigned kill_at;
    const struct tpm_seal *old;
    struct shared_seal *shared;
};

static int make_store_commit(void *argument)
{
    const struct victim *victim = argument;
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_seal_request request = request_of("new", victim->old);
    struct tpm_seal seal = {0};
    watched.kill_at = victim->kill_at;
    if (tpm_seal_make(tpm, &request, &seal) != CKR_OK)
        return 2;
    store(victim->shared, &seal);
    if (victim->old && tpm_seal_commit(tpm, &seal, victim->old, token, TPM_SEAL_USER) != CKR_OK)
        return 3;
    return 0;
}

static struct shared_seal *share(void)
{
    void *shared = mmap(NULL, sizeof(struct shared_seal), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    return shared;
}

static void a_kill_at_any_command_leaves_one_seal_that_opens(UNUSED void **state)
{
    struct shared_seal *shared = share();
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL);
    tpm_release(tpm);
    unsigned killed = 0;
    for (int status = 128 + SIGKILL; status != 0; killed++) {
        struct victim victim = {killed + 1, &old, shared};
        shared->stored = false;
        status = in_child(make_store_commit, &victim);
        assert_true(status == 0 || status == 128 + SIGKILL);
        tpm = plain_tpm();
        CK_RV by_old = open_seal(tpm, &old, "old");
        CK_RV by_new = shared->stored ? open_seal(tpm, &shared->seal, "new") : CKR_PIN_EXPIRED;
        assert_true((by_old == CKR_OK) + (by_new == CKR_OK) == 1);
        assert_true(by_old == CKR_OK || by_old == CKR_PIN_EXPIRED);
        assert_true(by_new == CKR_OK || by_new == CKR_PIN_EXPIRED);
        /* Who finds both goes on, or begins again; both end well. */
        if (shared->stored) {
            assert_ok(tpm_seal_commit(tpm, &shared->seal, &old, token, TPM_SEAL_USER));
            assert_ok(open_seal(tpm, &shared->seal, "new"));
            assert_rv(open_seal(tpm, &old, "old"), CKR_PIN_EXPIRED);
            assert_int_equal(index_count(), 2);
        }
        struct tpm_seal next = make_seal(tpm, "old", shared->stored ? &shared->seal : &old);
        assert_ok(tpm_seal_commit(tpm, &next, shared->stored ? &shared->seal : &old, token,
                                  TPM_SEAL_USER));
        assert_ok(open_seal(tpm, &next, "old"));
        assert_int_equal(index_count(), 2);
        tpm_seal_clear(&old);
        old = next;
        tpm_release(tpm);
    }
    /* Seven commands of make, five of commit. */
    assert_int_equal(killed, 7 + 5 + 1);
    assert_int_equal(global_count(), 0);
    tpm_seal_clear(&old);
    munmap(shared, sizeof(*shared));
}

static void a_kill_while_the_first_seal_is_made_leaks_no_index(UNUSED void **state)
{
    struct shared_seal *shared = share();
    unsigned killed = 0;
    for (int status = 128 + SIGKILL; status != 0; killed++) {
        struct victim victim = {killed + 1, NULL, shared};
        status = in_child(make_store_commit, &victim);
        assert_true(status == 0 || status == 128 + SIGKILL);
        struct tpm *tpm = plain_tpm();
        struct tpm_seal seal = make_seal(tpm, "right", NULL);
        assert_ok(open_seal(tpm, &seal, "right"));
        assert_int_equal(index_count(), 2);
        assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
        tpm_seal_clear(&seal);
        tpm_release(tpm);
    }
    assert_int_equal(killed, 8 + 1);
    munmap(shared, sizeof(*shared));
}

static void a_pending_change_is_made_again_by_another(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL);
    struct tpm_seal pending = make_seal(tpm, "pending", &old), seal = make_seal(tpm, "new", &old);
    /* They have the same numbers; each PIN passes at most one of the two gates. */
    assert_int_equal(pending.pin_index, seal.pin_index);
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    assert_ok(open_seal(tpm, &seal, "new"));
    assert_rv(open_seal(tpm, &pending, "pending"), CKR_PIN_INCORRECT);
    assert_int_equal(global_count(), 0);
    assert_rv(open_seal(tpm, &pending, "new"), CKR_PIN_INCORRECT);
    assert_int_equal(global_count(), 1);
    assert_int_equal(index_count(), 2);
    tpm_seal_clear(&old);
    tpm_seal_clear(&pending);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

#define BAD_DAY(name) cmocka_unit_test_setup(name, on_a_cleared_tpm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BAD_DAY(with_an_owner_the_second_gate_stands_alone),
        BAD_DAY(an_owner_who_comes_later_stops_changes_and_not_logins),
        BAD_DAY(an_owner_without_a_kept_root_is_told_what_to_do),
        BAD_DAY(without_nv_room_the_second_gate_stands_alone),
        BAD_DAY(half_the_gates_are_taken_back),
        BAD_DAY(handles_that_others_hold_are_left_alone),
        BAD_DAY(a_cleared_or_exchanged_tpm_is_told_from_a_wrong_pin),
        BAD_DAY(another_root_kept_by_the_owner_does_not_matter),
        BAD_DAY(a_busy_tpm_is_waited_for_at_every_command),
        BAD_DAY(a_cut_connection_never_sends_a_pin_twice),
        BAD_DAY(a_cut_connection_leaves_no_index_behind),
        BAD_DAY(other_loaded_keys_give_way),
        BAD_DAY(nothing_secret_crosses_a_protected_bus),
        BAD_DAY(a_protected_login_takes_11_commands_or_9_with_a_kept_root),
        BAD_DAY(a_kill_at_any_command_leaves_one_seal_that_opens),
        BAD_DAY(a_kill_while_the_first_seal_is_made_leaks_no_index),
        BAD_DAY(a_pending_change_is_made_again_by_another),
    };
    return cmocka_run_group_tests(tests, begin_seals, leave_directory);
}
