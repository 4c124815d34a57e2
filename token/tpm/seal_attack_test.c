#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/seal_test_support.h"

/* The attacker has the files, old ones too, and the TPM with its (empty) owner
 * authorisation; he does not have the PIN. */

static CK_RV logged_open(struct tpm *tpm, const struct tpm_seal *seal, const char *pin,
                         const char *expected)
{
    unlink("log");
    assert_true(log_open("log", LOG_LEVEL_WARNING));
    CK_RV rv = open_seal(tpm, seal, pin);
    log_close();
    struct bytes text = read_file("log");
    assert_contains((const char *)text.data, expected);
    bytes_free(&text);
    return rv;
}

static struct tpm_seal_auth of_attacker(void)
{
    return (struct tpm_seal_auth){.pin = view_string("his own PIN"),
                                  .seal = view_string("his guess")};
}

static void write_index(uint32_t handle, uint32_t count, uint32_t limit)
{
    struct other other = other_begin();
    TPM2B_MAX_NV_BUFFER data = {.size = 8};
    count = htobe32(count);
    limit = htobe32(limit);
    memcpy(data.buffer, &count, 4);
    memcpy(data.buffer + 4, &limit, 4);
    assert_int_equal(Esys_NV_Write(other.esys, ESYS_TR_RH_OWNER, other_index_of(&other, handle),
                                   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data, 0),
                     0);
    other_end(&other);
}

static void increment_index(uint32_t handle)
{
    struct other other = other_begin();
    assert_int_equal(Esys_NV_Increment(other.esys, ESYS_TR_RH_OWNER, other_index_of(&other, handle),
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE),
                     0);
    other_end(&other);
}

static void a_pin_index_of_his_own_gets_him_to_the_global_count(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct tpm_seal_auth his = of_attacker();
    struct tpm_seal_tries tries;
    other_redefine(seal.pin_index, "his own PIN");
    write_index(seal.pin_index, 0, 3);
    for (unsigned i = 1; i <= 2; i++) {
        assert_rv(open_by(tpm, &seal, &his, &tries), CKR_PIN_INCORRECT);
        assert_false(tries.known);
        assert_int_equal(global_count(), i);
    }
    /* The owner of the token sees a wrong PIN, and no more than that is lost. */
    assert_rv(open_seal(tpm, &seal, "right"), CKR_PIN_INCORRECT);
    struct tpm_seal next = make_seal(tpm, "next", &seal);
    assert_ok(tpm_seal_commit(tpm, &next, &seal, token, TPM_SEAL_USER));
    assert_ok(open_seal(tpm, &next, "next"));
    tpm_seal_clear(&seal);
    tpm_seal_clear(&next);
    tpm_release(tpm);
}

static void a_raised_limit_is_no_way_past_the_second_gate(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct tpm_seal_tries tries;
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(open_seal(tpm, &seal, "wrong"), CKR_OK);
    write_index(seal.pin_index, 0, 1000);
    assert_rv(open_by(tpm, &seal, pin_auth("wrong"), &tries), CKR_PIN_INCORRECT);
    /* The limit is not the seal's: what it says is not passed on. */
    assert_false(tries.known);
    assert_int_equal(global_count(), 0);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void a_counter_of_his_own_never_comes_back_to_the_old_number(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL), seal = make_seal(tpm, "new", &old);
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    other_redefine(old.counter_index, "");
    assert_rv(logged_open(tpm, &old, "old", "deleted from the TPM or is another's"),
              CKR_DEVICE_ERROR);
    for (unsigned i = 0; i < 3; i++) {
        increment_index(old.counter_index);
        assert_rv(logged_open(tpm, &old, "old", "this PIN was changed since"), CKR_PIN_EXPIRED);
        assert_rv(open_seal(tpm, &seal, "new"), CKR_PIN_EXPIRED);
    }
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static ESYS_TR load_seal(const struct other *other, const struct tpm_seal *seal, const char *auth)
{
    TPM2B_PUBLIC template = storage_template(true), public = {0};
    TPM2B_PRIVATE private = {0};
    TPM2B_AUTH value = {.size = 32};
    ESYS_TR root = make_primary(other->esys, &template), object = ESYS_TR_NONE;
    size_t offset = 0;
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Unmarshal(seal->object.public.data,
                                                    seal->object.public.size, &offset, &public),
                     0);
    offset = 0;
    assert_int_equal(Tss2_MU_TPM2B_PRIVATE_Unmarshal(seal->object.private.data,
                                                     seal->object.private.size, &offset, &private),
                     0);
    assert_int_equal(Esys_Load(other->esys, root, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                               &private, &public, &object),
                     0);
    Esys_FlushContext(other->esys, root);
    memcpy(value.buffer, pin_auth(auth)->seal.data, 32);
    assert_int_equal(Esys_TR_SetAuth(other->esys, object, &value), 0);
    return object;
}

static void the_right_authorisation_without_the_policy_is_refused(UNUSED void **state)
{
    static const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct other other = other_begin();
    ESYS_TR object = load_seal(&other, &seal, "right"), session = ESYS_TR_NONE;
    TPM2B_SENSITIVE_DATA *secret = NULL;
    TPM2B_PRIVATE *private = NULL;
    TPM2B_AUTH no_auth = {0};
    TSS2_RC rc =
        Esys_Unseal(other.esys, object, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &secret);
    assert_true(tpm_error_is(rc, TPM2_RC_AUTH_UNAVAILABLE));
    assert_int_equal(Esys_StartAuthSession(other.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                           ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none,
                                           TPM2_ALG_SHA256, &session),
                     0);
    assert_int_equal(
        Esys_PolicyAuthValue(other.esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE), 0);
    rc = Esys_Unseal(other.esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, &secret);
    assert_true(tpm_error_is(rc, TPM2_RC_POLICY_FAIL));
    /* Nor may he give it another authorisation. */
    ESYS_TR root = ESYS_TR_NONE;
    TPM2B_PUBLIC template = storage_template(true);
    root = make_primary(other.esys, &template);
    rc = Esys_ObjectChangeAuth(other.esys, object, root, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                               ESYS_TR_NONE, &no_auth, &private);
    assert_int_not_equal(rc, 0);
    assert_null(secret);
    Esys_FlushContext(other.esys, root);
    Esys_FlushContext(other.esys, session);
    Esys_FlushContext(other.esys, object);
    other_end(&other);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void a_seal_said_to_have_no_gates_does_not_open(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    seal.gated = false;
    assert_int_not_equal(open_seal(tpm, &seal, "right"), CKR_OK);
    seal.gated = true;
    assert_ok(open_seal(tpm, &seal, "right"));
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

/* Another token's indexes, or the other role's, do not satisfy this policy. */
static void indexes_of_another_token_do_not_fit(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL), his = {0};
    struct tpm_seal_request request = request_of("his", NULL);
    struct bytes secret = {0};
    struct tpm_seal_tries tries;
    struct pin both;
    request.token = view_string("fedcba9876543210");
    assert_ok(tpm_seal_make(tpm, &request, &his));
    both.auth = *pin_auth("his");
    memcpy(both.pin, both.auth.pin.data, 32);
    memcpy(both.seal, pin_auth("right")->seal.data, 32);
    both.auth =
        (struct tpm_seal_auth){.pin = view_of(both.pin, 32), .seal = view_of(both.seal, 32)};
    struct tpm_seal mixed = his;
    mixed.object = seal.object;
    assert_rv(tpm_seal_open(tpm, &mixed, request.token, TPM_SEAL_USER, &both.auth, (struct view){0},
                            TPM_PROTECTION_AUTO, &secret, &tries),
              CKR_DEVICE_ERROR);
    assert_null(secret.data);
    assert_int_equal(global_count(), 0);
    tpm_seal_clear(&seal);
    tpm_seal_clear(&his);
    tpm_release(tpm);
}

static void deleted_indexes_are_named_and_nothing_is_counted(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    other_undefine(seal.pin_index);
    assert_rv(logged_open(tpm, &seal, "right", "was deleted from the TPM"), CKR_DEVICE_ERROR);
    other_undefine(seal.counter_index);
    assert_rv(logged_open(tpm, &seal, "wrong", "was deleted from the TPM"), CKR_DEVICE_ERROR);
    assert_int_equal(global_count(), 0);
    /* The security officer makes the user a new seal. */
    struct tpm_seal next = make_seal(tpm, "next", &seal);
    assert_ok(tpm_seal_commit(tpm, &next, &seal, token, TPM_SEAL_USER));
    assert_ok(open_seal(tpm, &next, "next"));
    assert_int_equal(index_count(), 2);
    assert_rv(open_seal(tpm, &seal, "right"), CKR_PIN_EXPIRED);
    tpm_seal_clear(&seal);
    tpm_seal_clear(&next);
    tpm_release(tpm);
}

static void an_index_of_another_kind_is_not_taken_for_a_wrong_pin(UNUSED void **state)
{
    static const TPMA_NV kinds[] = {
        TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE,
        TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA,
        TPMA_NV_AUTHREAD | TPMA_NV_OWNERWRITE | TPMA_NV_NO_DA |
            TPM2_NT_PIN_FAIL << TPMA_NV_TPM2_NT_SHIFT,
    };
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct other other = other_begin();
        other_undefine(seal.pin_index);
        assert_int_equal(other_define(&other, seal.pin_index, kinds[i], 8, NULL, "theirs"), 0);
        other_end(&other);
        if (i == 2)
            write_index(seal.pin_index, 0, 3);
        assert_rv(logged_open(tpm, &seal, "right", "is another's now"), CKR_DEVICE_ERROR);
    }
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

/* Who has neither the PIN nor owner authorisation. */
static void a_stranger_moves_neither_index(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal seal = make_seal(tpm, "right", NULL);
    struct other other = other_begin();
    ESYS_TR counter = other_index_of(&other, seal.counter_index);
    ESYS_TR pin = other_index_of(&other, seal.pin_index);
    TPM2B_MAX_NV_BUFFER data = {.size = 8};
    TPM2B_AUTH value = {.size = 32};
    assert_int_not_equal(Esys_NV_Increment(other.esys, counter, counter, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE),
                         0);
    memcpy(value.buffer, pin_auth("right")->pin.data, 32);
    assert_int_equal(Esys_TR_SetAuth(other.esys, pin, &value), 0);
    assert_int_not_equal(
        Esys_NV_Write(other.esys, pin, pin, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data, 0),
        0);
    other_end(&other);
    assert_ok(open_seal(tpm, &seal, "right"));
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void a_change_that_another_overtook_is_not_committed(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL), seal = make_seal(tpm, "new", &old);
    increment_index(old.counter_index);
    increment_index(old.counter_index);
    assert_rv(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER), CKR_DEVICE_ERROR);
    assert_rv(open_seal(tpm, &seal, "new"), CKR_PIN_EXPIRED);
    other_undefine(old.counter_index);
    assert_rv(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER), CKR_DEVICE_ERROR);
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

static void after_a_change_the_old_pin_is_no_gate_with_the_new_file(UNUSED void **state)
{
    struct tpm *tpm = plain_tpm();
    struct tpm_seal old = make_seal(tpm, "old", NULL), seal = make_seal(tpm, "new", &old);
    struct tpm_seal forged = old;
    assert_ok(tpm_seal_commit(tpm, &seal, &old, token, TPM_SEAL_USER));
    /* The old object with the new numbers: its policy says otherwise. */
    forged.counter = seal.counter;
    forged.pin_index = seal.pin_index;
    assert_rv(open_seal(tpm, &forged, "new"), CKR_DEVICE_ERROR);
    assert_rv(open_seal(tpm, &forged, "old"), CKR_PIN_INCORRECT);
    forged = seal;
    forged.counter = old.counter;
    assert_rv(open_seal(tpm, &forged, "new"), CKR_PIN_EXPIRED);
    tpm_seal_clear(&old);
    tpm_seal_clear(&seal);
    tpm_release(tpm);
}

#define ATTACK(name) cmocka_unit_test_setup(name, on_a_cleared_tpm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ATTACK(a_pin_index_of_his_own_gets_him_to_the_global_count),
        ATTACK(a_raised_limit_is_no_way_past_the_second_gate),
        ATTACK(a_counter_of_his_own_never_comes_back_to_the_old_number),
        ATTACK(the_right_authorisation_without_the_policy_is_refused),
        ATTACK(a_seal_said_to_have_no_gates_does_not_open),
        ATTACK(indexes_of_another_token_do_not_fit),
        ATTACK(deleted_indexes_are_named_and_nothing_is_counted),
        ATTACK(an_index_of_another_kind_is_not_taken_for_a_wrong_pin),
        ATTACK(a_stranger_moves_neither_index),
        ATTACK(a_change_that_another_overtook_is_not_committed),
        ATTACK(after_a_change_the_old_pin_is_no_gate_with_the_new_file),
    };
    return cmocka_run_group_tests(tests, begin_seals, leave_directory);
}
