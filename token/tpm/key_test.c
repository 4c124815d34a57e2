#include "token/tpm/test_support.h"

/* Loading, evicting and reloading keys; what each of it costs in commands. */

static const struct wish ec_wish = {.type = TPM2_ALG_ECC,
                                    .attributes = TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT};
static struct made ec_made;

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    tpm_quiet();
    make_key(&ec_wish, &ec_made);
    return 0;
}

static struct tpm_key *new_key(struct tpm *tpm, const struct made *made)
{
    struct tpm_key_source source = source_of(made);
    struct tpm_key *key = NULL;
    struct reason reason = {0};
    if (tpm_key_new(tpm, &source, &key, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    return key;
}

static CK_RV sign(struct tpm_key *key)
{
    static const uint8_t digest[32] = {1, 2, 3};
    struct bytes signature = {0};
    CK_RV rv = tpm_key_sign(key, (struct view){0}, SCHEME_ECDSA, HASH_SHA256,
                            view_of(digest, sizeof(digest)), &signature);
    if (rv == CKR_OK)
        assert_int_equal(signature.size, 64);
    bytes_free(&signature);
    return rv;
}

static void a_key_is_loaded_when_first_used_and_stays(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *key = new_key(tpm, &ec_made);
    assert_int_equal(watched.count, 0);
    assert_ok(sign(key));
    assert_int_equal(sent(&watched, TPM2_CC_Load), 1);
    assert_int_equal(sent(&watched, TPM2_CC_Sign), 1);
    assert_true(watched.count <= 5);
    assert_ptr_equal(tpm->loaded, key);
    watched.count = 0;
    assert_ok(sign(key));
    assert_int_equal(watched.count, 1);
    watched.count = 0;
    tpm_key_free(key);
    assert_null(tpm->loaded);
    assert_int_equal(sent(&watched, TPM2_CC_FlushContext), 1);
    watched_close(&watched, tpm);
}

static void the_parent_is_flushed_before_the_key_is_used(UNUSED void **state)
{
    static const uint32_t order[] = {TPM2_CC_CreatePrimary, TPM2_CC_Load, TPM2_CC_FlushContext,
                                     TPM2_CC_Sign};
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *key = new_key(tpm, &ec_made);
    assert_ok(sign(key));
    size_t next = 0;
    for (size_t i = 0; i < watched.count && next < ARRAY_SIZE(order); i++)
        next += watched.codes[i] == order[next];
    assert_int_equal(next, ARRAY_SIZE(order));
    tpm_key_free(key);
    watched_close(&watched, tpm);
}

static void the_key_used_last_is_first_in_the_list(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *one = new_key(tpm, &ec_made), *two = new_key(tpm, &ec_made);
    assert_ok(sign(one));
    assert_ok(sign(two));
    assert_ptr_equal(tpm->loaded, two);
    assert_ok(sign(one));
    assert_ptr_equal(tpm->loaded, one);
    assert_ptr_equal(one->next, two);
    assert_null(two->next);
    tpm_key_free(one);
    assert_ptr_equal(tpm->loaded, two);
    tpm_key_free(two);
    watched_close(&watched, tpm);
}

static void a_full_tpm_loses_the_key_used_longest_ago(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *keys[3];
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        keys[i] = new_key(tpm, &ec_made);
    assert_ok(sign(keys[0]));
    assert_ok(sign(keys[1]));
    inject(&watched, TPM2_CC_Load, TPM2_RC_OBJECT_MEMORY, 1);
    assert_ok(sign(keys[2]));
    assert_int_equal(keys[0]->esys, ESYS_TR_NONE);
    assert_int_not_equal(keys[1]->esys, ESYS_TR_NONE);
    assert_int_not_equal(keys[2]->esys, ESYS_TR_NONE);
    watched.count = 0;
    assert_ok(sign(keys[0]));
    assert_int_equal(sent(&watched, TPM2_CC_Load), 1);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        tpm_key_free(keys[i]);
    watched_close(&watched, tpm);
}

static void with_nothing_to_evict_a_full_tpm_is_an_error(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *key = new_key(tpm, &ec_made);
    inject(&watched, TPM2_CC_Load, TPM2_RC_OBJECT_MEMORY, 100);
    assert_rv(sign(key), CKR_DEVICE_MEMORY);
    assert_in_range(sent(&watched, TPM2_CC_Load), 1, 10);
    assert_int_equal(key->esys, ESYS_TR_NONE);
    assert_null(tpm->loaded);
    watched.fault_times = 0;
    assert_ok(sign(key));
    tpm_key_free(key);
    watched_close(&watched, tpm);
}

/* A reset of the TPM takes every key: all of them are loaded again when used. */
static void a_handle_that_vanished_makes_all_keys_load_again(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *one = new_key(tpm, &ec_made), *two = new_key(tpm, &ec_made);
    assert_ok(sign(one));
    assert_ok(sign(two));
    inject(&watched, TPM2_CC_Sign, TPM2_RC_REFERENCE_H0, 1);
    assert_ok(sign(one));
    assert_int_equal(sent(&watched, TPM2_CC_Load), 1);
    assert_int_equal(two->esys, ESYS_TR_NONE);
    assert_ptr_equal(tpm->loaded, one);
    assert_null(one->next);
    inject(&watched, TPM2_CC_Sign, TPM2_RC_REFERENCE_H0, 100);
    assert_rv(sign(one), CKR_DEVICE_ERROR);
    assert_int_equal(sent(&watched, TPM2_CC_Sign), 2);
    tpm_key_free(one);
    tpm_key_free(two);
    watched_close(&watched, tpm);
}

static void a_connection_that_broke_is_made_anew_once(UNUSED void **state)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *key = new_key(tpm, &ec_made);
    assert_ok(sign(key));
    inject(&watched, TPM2_CC_Sign, TSS2_TCTI_RC_IO_ERROR, 1);
    assert_ok(sign(key));
    assert_ptr_not_equal(tpm->tcti, (TSS2_TCTI_CONTEXT *)&watched);
    assert_ok(sign(key));
    tpm_key_free(key);
    watched_close(&watched, tpm);
}

static void an_authorisation_beyond_all_sizes_is_never_sent(UNUSED void **state)
{
    uint8_t auth[256] = {0};
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key *key = new_key(tpm, &ec_made);
    assert_rv(tpm_key_check_auth(key, view_of(auth, sizeof(auth))), CKR_PIN_INCORRECT);
    assert_rv(tpm_key_check_auth(key, view_of(auth, sizeof(TPMU_HA) + 1)), CKR_PIN_INCORRECT);
    assert_int_equal(watched.count, 0);
    tpm_key_free(key);
    watched_close(&watched, tpm);
}

static void the_authorisation_is_checked_without_a_signature(UNUSED void **state)
{
    const struct wish wish = {
        .type = TPM2_ALG_ECC, .attributes = TPMA_OBJECT_SIGN_ENCRYPT, .auth = "1234"};
    struct made made;
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    make_key(&wish, &made);
    struct tpm_key *key = new_key(tpm, &made);
    assert_rv(tpm_key_check_auth(key, view_string("12345")), CKR_PIN_INCORRECT);
    assert_rv(tpm_key_check_auth(key, (struct view){0}), CKR_PIN_INCORRECT);
    assert_ok(tpm_key_check_auth(key, view_string("1234")));
    assert_int_equal(sent(&watched, TPM2_CC_Sign), 0);
    /* It is not kept: the next command brings its own. */
    assert_rv(sign(key), CKR_PIN_INCORRECT);
    tpm_key_free(key);
    watched_close(&watched, tpm);
}

static bool crosses_in_clear(enum tpm_protection protection, const struct made *made)
{
    struct watched watched;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key_source source = source_of(made);
    struct tpm_key *key = NULL;
    struct reason reason = {0};
    source.protection = protection;
    assert_ok(tpm_key_new(tpm, &source, &key, &reason));
    watched.secret = "a secret PIN";
    for (int i = 0; i < 2; i++) {
        assert_ok(tpm_key_check_auth(key, view_string(watched.secret)));
        assert_rv(tpm_key_check_auth(key, view_string("wrong")), CKR_PIN_INCORRECT);
    }
    bool seen = watched.seen;
    tpm_key_free(key);
    watched_close(&watched, tpm);
    return seen;
}

static void a_protected_authorisation_never_crosses_in_clear(UNUSED void **state)
{
    const struct wish wish = {
        .type = TPM2_ALG_ECC, .attributes = TPMA_OBJECT_SIGN_ENCRYPT, .auth = "a secret PIN"};
    struct made made;
    make_key(&wish, &made);
    assert_true(crosses_in_clear(TPM_PROTECTION_OFF, &made));
    assert_false(crosses_in_clear(TPM_PROTECTION_ON, &made));
}

static void a_key_without_connection_is_freed_in_silence(UNUSED void **state)
{
    struct tpm *tpm = NULL;
    assert_ok(tpm_acquire("nowhere:at all", &tpm));
    struct tpm_key *key = new_key(tpm, &ec_made);
    tpm_release(tpm);
    assert_rv(sign(key), CKR_DEVICE_ERROR);
    assert_rv(sign(key), CKR_DEVICE_ERROR);
    tpm_key_free(key);
    tpm_key_free(NULL);
}

static void tpms_are_shared_by_their_choice(UNUSED void **state)
{
    struct tpm *one = NULL, *same = NULL, *other = NULL;
    assert_ok(tpm_acquire("device:/dev/one", &one));
    assert_ok(tpm_acquire("device:/dev/one", &same));
    assert_ok(tpm_acquire("device:/dev/two", &other));
    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, other);
    tpm_release(one);
    tpm_release(other);
    assert_int_equal(same->references, 1);
    tpm_release(same);
    tpm_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_loaded_when_first_used_and_stays),
        cmocka_unit_test(the_parent_is_flushed_before_the_key_is_used),
        cmocka_unit_test(the_key_used_last_is_first_in_the_list),
        cmocka_unit_test(a_full_tpm_loses_the_key_used_longest_ago),
        cmocka_unit_test(with_nothing_to_evict_a_full_tpm_is_an_error),
        cmocka_unit_test(a_handle_that_vanished_makes_all_keys_load_again),
        cmocka_unit_test(a_connection_that_broke_is_made_anew_once),
        cmocka_unit_test(an_authorisation_beyond_all_sizes_is_never_sent),
        cmocka_unit_test(the_authorisation_is_checked_without_a_signature),
        cmocka_unit_test(a_protected_authorisation_never_crosses_in_clear),
        cmocka_unit_test(a_key_without_connection_is_freed_in_silence),
        cmocka_unit_test(tpms_are_shared_by_their_choice),
    };
    return cmocka_run_group_tests(tests, begin_group, leave_directory);
}
