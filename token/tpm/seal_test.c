#include "token/tpm/seal_test_support.h"

/* The life of a seal: made, opened, replaced, removed; and what it costs. */

static void a_seal_opens_with_its_pin(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal_tries tries;
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    assert_true(seal.gated);
    assert_int_equal(seal.try_limit, 3);
    poison(tries);
    assert_ok(open_by(tpm, &seal, pin_auth("right"), &tries));
    assert_true(tries.known);
    assert_int_equal(tries.failed, 0);
    assert_int_equal(tries.limit, 3);
    assert_int_equal(index_count(), 2);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void a_wrong_pin_moves_only_the_tokens_count(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal_tries tries;
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    for (unsigned i = 1; i <= 3; i++) {
        poison(tries);
        assert_rv(open_by(tpm, &seal, pin_auth("wrong"), &tries), CKR_PIN_INCORRECT);
        assert_true(tries.known);
        assert_int_equal(tries.failed, i);
        assert_int_equal(tries.limit, 3);
    }
    poison(tries);
    assert_rv(open_by(tpm, &seal, pin_auth("right"), &tries), CKR_PIN_LOCKED);
    assert_true(tries.known);
    assert_int_equal(tries.failed, 3);
    assert_int_equal(global_count(), 0);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void the_right_pin_resets_the_count(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal_tries tries;
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_rv(open_seal(tpm, &seal, "wrong"), CKR_PIN_INCORRECT);
        assert_rv(open_by(tpm, &seal, pin_auth("wrong"), &tries), CKR_PIN_INCORRECT);
        assert_int_equal(tries.failed, 2);
        assert_ok(open_seal(tpm, &seal, "right"));
    }
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void one_token_locked_leaves_the_other_role_open(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal user = make_seal(tpm, "user", NULL), so = {0};
    struct tpm_seal_request request = request_of("so", NULL);
    struct tpm_seal_tries tries;
    struct bytes secret = {0};
    request.role = TPM_SEAL_SO;
    assert_ok(tpm_seal_make(tpm, &request, &so));
    assert_int_equal(index_count(), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(open_seal(tpm, &user, "wrong"), CKR_OK);
    assert_rv(open_seal(tpm, &user, "user"), CKR_PIN_LOCKED);
    assert_ok(tpm_seal_open(tpm, &so, token, TPM_SEAL_SO, pin_auth("so"), (struct view){0},
                            TPM_PROTECTION_AUTO, &secret, &tries));
    assert_view(bytes_view(&secret), SECRET);
    bytes_free(&secret);
    tpm_seal_clear(&user);
    tpm_seal_clear(&so);
    tpm_release(tpm);
}

static void limits_of_1_and_255_hold(UNUSED void **state)
{
    static const uint32_t limits[] = {1, 255};
    struct tpm *tpm = plain_tpm();
    for (size_t l = 0; l < ARRAY_SIZE(limits); l++) {
        struct tpm_seal_request request = request_of("right", NULL);
        struct tpm_seal_tries tries;
        struct tpm_seal seal = {0};
        request.try_limit = limits[l];
        assert_ok(tpm_seal_make(tpm, &request, &seal));
        for (unsigned i = 1; i <= limits[l]; i++)
            assert_rv(open_by(tpm, &seal, pin_auth("wrong"), &tries), CKR_PIN_INCORRECT);
        assert_int_equal(tries.failed, limits[l]);
        assert_rv(open_seal(tpm, &seal, "right"), CKR_PIN_LOCKED);
        tpm_seal_clear(&seal);
    }
    assert_int_equal(global_count(), 0);
    tpm_release(tpm);
}

static void authorisations_of_no_bytes_are_authorisations(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal_auth empty = {.open = false};
    struct tpm_seal_tries tries;
    struct tpm_seal_request request = request_of("", NULL);
    struct tpm_seal seal = {0};
    request.auth = empty;
    assert_ok(tpm_seal_make(tpm, &request, &seal));
    assert_true(seal.gated);
    assert_rv(open_seal(tpm, &seal, "wrong"), CKR_PIN_INCORRECT);
    assert_ok(open_by(tpm, &seal, &empty, &tries));
    tpm_seal_clear(&seal);
    seal = make_seal(tpm, "right", NULL);
    assert_rv(open_by(tpm, &seal, &empty, &tries), CKR_PIN_INCORRECT);
    assert_int_equal(tries.failed, 1);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void an_open_seal_asks_for_nothing_and_has_no_indexes(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal_request request = request_of("", NULL);
    struct tpm_seal_tries tries;
    struct tpm_seal seal = {0};
    request.auth = (struct tpm_seal_auth){.open = true};
    request.hash = NULL;
    request.try_limit = 0;
    assert_ok(tpm_seal_make(tpm, &request, &seal));
    assert_false(seal.gated);
    assert_int_equal(index_count(), 0);
    assert_ok(open_by(tpm, &seal, &request.auth, &tries));
    assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void a_new_seal_opens_after_its_commit_and_the_old_one_until_then(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seals[4] = {make_seal(tpm, "pin 0", NULL)};
    char pin[8], next[8];
    for (unsigned i = 0; i < 3; i++) {
        snprintf(pin, sizeof(pin), "pin %u", i);
        snprintf(next, sizeof(next), "pin %u", i + 1);
        seals[i + 1] = make_seal(tpm, next, &seals[i]);
        assert_int_not_equal(seals[i + 1].pin_index, seals[i].pin_index);
        assert_ok(open_seal(tpm, &seals[i], pin));
        assert_rv(open_seal(tpm, &seals[i + 1], next), CKR_PIN_EXPIRED);
        assert_int_equal(index_count(), 3);
        assert_ok(tpm_seal_commit(tpm, &seals[i + 1], &seals[i], token, TPM_SEAL_USER));
        assert_int_equal(index_count(), 2);
        assert_ok(open_seal(tpm, &seals[i + 1], next));
        assert_ok(tpm_seal_commit(tpm, &seals[i + 1], &seals[i], token, TPM_SEAL_USER));
        assert_ok(open_seal(tpm, &seals[i + 1], next));
        for (unsigned old = 0; old <= i; old++) {
            snprintf(pin, sizeof(pin), "pin %u", old);
            assert_rv(open_seal(tpm, &seals[old], pin), CKR_PIN_EXPIRED);
            assert_rv(open_seal(tpm, &seals[old], next), CKR_PIN_EXPIRED);
        }
    }
    /* The old copies counted no try. */
    for (unsigned i = 0; i < 4; i++)
        assert_rv(open_seal(tpm, &seals[0], "wrong"), CKR_PIN_EXPIRED);
    assert_ok(open_seal(tpm, &seals[3], "pin 3"));
    for (unsigned i = 0; i < 4; i++)
        tpm_seal_clear(&seals[i]);
    assert_int_equal(global_count(), 0);
    tpm_release(tpm);
}

static void a_locked_seal_is_replaced(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL);
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(open_seal(tpm, &old, "wrong"), CKR_OK);
    struct tpm_seal seal = make_seal(tpm, "new", &old);
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    assert_rv(open_seal(tpm, &seal, "old"), CKR_PIN_INCORRECT);
    assert_ok(open_seal(tpm, &seal, "new"));
    assert_rv(open_seal(tpm, &old, "old"), CKR_PIN_EXPIRED);
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void a_gated_seal_gives_way_to_an_open_one_and_back(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL), seal = {0};
    struct tpm_seal_request request = request_of("", &old);
    struct tpm_seal_tries tries;
    request.auth = (struct tpm_seal_auth){.open = true};
    assert_ok(tpm_seal_make(tpm, &request, &seal));
    assert_ok(open_seal(tpm, &old, "old"));
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    assert_int_equal(index_count(), 0);
    assert_ok(open_by(tpm, &seal, &request.auth, &tries));
    struct tpm_seal gated = make_seal(tpm, "new", &seal);
    assert_true(gated.counter > old.counter);
    assert_ok(open_seal(tpm, &gated, "new"));
    assert_ok(tpm_seal_commit(tpm, &gated, &seal, token, TPM_SEAL_USER));
    assert_ok(open_seal(tpm, &gated, "new"));
    /* At the same handles, by the same Names, and yet dead. */
    assert_rv(open_seal(tpm, &old, "old"), CKR_PIN_EXPIRED);
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_seal_clear(&gated);
    tpm_release(tpm);
}

static void removing_frees_the_indexes_and_no_foreign_ones(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct other other = other_begin();
    struct tpm_seal lying = seal;
    lying.pin_index = lying.counter_index = 0x01812345;
    assert_int_equal(other_define(&other, lying.pin_index, TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE, 8,
                                  NULL, "theirs"),
                     0);
    other_end(&other);
    assert_ok(tpm_seal_remove(tpm, &lying, token, TPM_SEAL_USER));
    assert_ok(tpm_seal_remove(tpm, &seal, view_string("fedcba9876543210"), TPM_SEAL_USER));
    assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_SO));
    assert_int_equal(index_count(), 3);
    assert_ok(open_seal(tpm, &seal, "right"));
    assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
    assert_int_equal(index_count(), 1);
    assert_ok(tpm_seal_remove(tpm, &seal, token, TPM_SEAL_USER));
    assert_rv(open_seal(tpm, &seal, "right"), CKR_DEVICE_ERROR);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void removing_frees_what_a_killed_change_left(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL), seal = make_seal(tpm, "new", &old);
    assert_int_equal(index_count(), 3);
    assert_ok(tpm_seal_remove(tpm, &old, token, TPM_SEAL_USER));
    assert_int_equal(index_count(), 0);
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void removing_all_needs_no_seal_and_frees_no_foreign_indexes(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL), next = make_seal(tpm, "next", &seal);
    struct tpm_seal_request request = request_of("so", NULL);
    struct tpm_seal so;
    request.role = TPM_SEAL_SO;
    assert_ok(tpm_seal_make(tpm, &request, &so));
    assert_int_equal(index_count(), 5);
    assert_ok(tpm_seal_remove_all(tpm, view_string("fedcba9876543210")));
    assert_int_equal(index_count(), 5);
    assert_rv(tpm_seal_remove_all(tpm, view_string("short")), CKR_ARGUMENTS_BAD);
    assert_ok(tpm_seal_remove_all(tpm, token));
    assert_int_equal(index_count(), 0);
    tpm_seal_clear(&seal);
    tpm_seal_clear(&next);
    tpm_seal_clear(&so);
    tpm_release(tpm);
}

static void nothing_stays_loaded(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    assert_ok(open_seal(tpm, &seal, "right"));
    assert_rv(open_seal(tpm, &seal, "wrong"), CKR_PIN_INCORRECT);
    seal.counter++;
    assert_rv(open_seal(tpm, &seal, "right"), CKR_PIN_EXPIRED);
    static const uint32_t kinds[] = {TPM2_TRANSIENT_FIRST, TPM2_LOADED_SESSION_FIRST};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        assert_int_equal(Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                            TPM2_CAP_HANDLES, kinds[i], 10, &more, &data),
                         0);
        assert_int_equal(data->data.handles.count, 0);
        Esys_Free(data);
    }
    tpm_seal_clear(&seal);
    watched_close(&watched, tpm);
}

static void commands_are_counted(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    assert_int_equal(watched.count, 8);
    watched.count = 0;
    /* The root is looked for at its handle once. */
    assert_ok(open_seal(tpm, &seal, "right"));
    assert_int_equal(watched.count, 10);
    watched.count = 0;
    assert_rv(open_seal(tpm, &seal, "wrong"), CKR_PIN_INCORRECT);
    assert_int_equal(watched.count, 9);
    watched.count = 0;
    struct tpm_seal next = make_seal(tpm, "next", &seal);
    assert_int_equal(watched.count, 7);
    watched.count = 0;
    assert_ok(tpm_seal_commit(tpm, &next, &seal, token, TPM_SEAL_USER));
    assert_int_equal(watched.count, 5);
    watched.count = 0;
    assert_ok(tpm_seal_remove(tpm, &next, token, TPM_SEAL_USER));
    assert_int_equal(watched.count, 5);
    tpm_seal_clear(&seal);
    tpm_seal_clear(&next);
    watched_close(&watched, tpm);
}

static unsigned commands_of_a_first_login(const struct tpm_seal *seal)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    assert_ok(open_seal(tpm, seal, "right"));
    unsigned count = (unsigned)watched.count;
    watched_close(&watched, tpm);
    return count;
}

static void a_first_login_takes_10_commands_or_8_with_a_kept_root(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    TPM2B_PUBLIC template = storage_template(true);
    tpm_release(tpm);
    assert_int_equal(commands_of_a_first_login(&seal), 10);
    keep_primary(&template, 0x81000001);
    assert_int_equal(commands_of_a_first_login(&seal), 8);
    keep_primary(NULL, 0x81000001);
    tpm_seal_clear(&seal);
}

static void bad_requests_are_refused_without_a_command(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    static const uint8_t much[TPM_SEAL_MAX_SECRET + 1];
    struct tpm_seal_request requests[6];
    struct tpm_seal seal;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        requests[i] = request_of("right", NULL);
    requests[0].token.size = 15;
    requests[1].secret.size = 0;
    requests[2].secret = view_of(much, sizeof(much));
    requests[3].auth.pin = view_of(much, 33);
    requests[4].auth.seal = view_of(much, 33);
    requests[5].try_limit = 0;
    poison(seal);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        assert_rv(tpm_seal_make(tpm, &requests[i], &seal), CKR_ARGUMENTS_BAD);
    assert_poison(seal);
    assert_int_equal(watched.count, 0);
    watched_close(&watched, tpm);
}

static void a_malformed_seal_is_refused_without_a_command(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct tpm_seal bad[6];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        bad[i] = seal;
    bad[0].pin_index = 0x01400000;
    bad[1].counter_index = 0x81000001;
    bad[2].object.parent = 0x81000001;
    bad[3].object.public.size--;
    bad[4].object.private.size--;
    bad[5].object.private = seal.object.public;
    watched.count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bad) - 1; i++)
        assert_rv(open_seal(tpm, &bad[i], "right"), CKR_DATA_INVALID);
    assert_int_equal(watched.count, 0);
    assert_int_not_equal(open_seal(tpm, &bad[5], "right"), CKR_OK);
    assert_ok(open_seal(tpm, &seal, "right"));
    tpm_seal_clear(&seal);
    watched_close(&watched, tpm);
}

static void the_tpm_says_who_it_is_in_one_command(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_identity identity;
    poison(identity);
    assert_ok(tpm_identity_read(tpm, &identity));
    assert_int_equal(watched.count, 1);
    assert_string_equal(identity.manufacturer, "IBM");
    assert_true(strlen(identity.vendor) > 0);
    assert_int_equal(identity.firmware[0], property(tpm->esys, TPM2_PT_FIRMWARE_VERSION_1));
    assert_int_equal(identity.firmware[1], property(tpm->esys, TPM2_PT_FIRMWARE_VERSION_2));
    assert_int_equal(identity.firmware_major, 255);
    watched_close(&watched, tpm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_seal_opens_with_its_pin, on_a_cleared_tpm),
        cmocka_unit_test_setup(a_wrong_pin_moves_only_the_tokens_count, on_a_cleared_tpm),
        cmocka_unit_test_setup(the_right_pin_resets_the_count, on_a_cleared_tpm),
        cmocka_unit_test_setup(one_token_locked_leaves_the_other_role_open, on_a_cleared_tpm),
        cmocka_unit_test_setup(limits_of_1_and_255_hold, on_a_cleared_tpm),
        cmocka_unit_test_setup(authorisations_of_no_bytes_are_authorisations, on_a_cleared_tpm),
        cmocka_unit_test_setup(an_open_seal_asks_for_nothing_and_has_no_indexes, on_a_cleared_tpm),
        cmocka_unit_test_setup(a_new_seal_opens_after_its_commit_and_the_old_one_until_then,
                               on_a_cleared_tpm),
        cmocka_unit_test_setup(a_locked_seal_is_replaced, on_a_cleared_tpm),
        cmocka_unit_test_setup(a_gated_seal_gives_way_to_an_open_one_and_back, on_a_cleared_tpm),
        cmocka_unit_test_setup(removing_frees_the_indexes_and_no_foreign_ones, on_a_cleared_tpm),
        cmocka_unit_test_setup(removing_frees_what_a_killed_change_left, on_a_cleared_tpm),
        cmocka_unit_test_setup(removing_all_needs_no_seal_and_frees_no_foreign_indexes,
                               on_a_cleared_tpm),
        cmocka_unit_test_setup(nothing_stays_loaded, on_a_cleared_tpm),
        cmocka_unit_test_setup(commands_are_counted, on_a_cleared_tpm),
        cmocka_unit_test_setup(a_first_login_takes_10_commands_or_8_with_a_kept_root,
                               on_a_cleared_tpm),
        cmocka_unit_test_setup(bad_requests_are_refused_without_a_command, on_a_cleared_tpm),
        cmocka_unit_test_setup(a_malformed_seal_is_refused_without_a_command, on_a_cleared_tpm),
        cmocka_unit_test_setup(the_tpm_says_who_it_is_in_one_command, on_a_cleared_tpm),
    };
    return cmocka_run_group_tests(tests, begin_seals, leave_directory);
}
