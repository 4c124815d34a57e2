/* PKCS#11 2.40 sections 5.11 and 5.13: every signing mechanism that a token
 * lists, verified by OpenSSL with the certificate and by C_Verify. */
#include "conformance/api/schemes.h"

#define MAX_SIGNATURE 1024

static struct token *tokens[2];
static size_t token_count;

/* One signature to be made: who, how, over what. */
struct work {
    struct token *token;
    CK_MECHANISM mechanism;
    CK_RSA_PKCS_PSS_PARAMS params;
    unsigned char data[MAX_VALUE];
    size_t length;
    unsigned char signature[MAX_SIGNATURE];
    CK_ULONG signature_length;
};

static void prepare(struct work *work, struct token *token, const struct scheme *scheme)
{
    work->token = token;
    work->mechanism = scheme_mechanism(scheme, &work->params);
    work->length = scheme_data(scheme, token, work->data);
    work->signature_length = sizeof(work->signature);
    memset(work->signature, POISON_BYTE, sizeof(work->signature));
}

static void begin(struct work *work)
{
    assert_ok(p11->C_SignInit(work->token->session, &work->mechanism, work->token->private_key));
}

static CK_RV sign(struct work *work)
{
    return p11->C_Sign(work->token->session, work->data, work->length, work->signature,
                       &work->signature_length);
}

static void check_signature(struct work *work)
{
    CK_SESSION_HANDLE session = work->token->session;

    assert_int_equal(work->signature_length, work->token->signature_size);
    assert_true(untouched(work->signature + work->signature_length,
                          sizeof(work->signature) - work->signature_length));
    assert_true(openssl_verifies(work->token, &work->mechanism, work->data, work->length,
                                 work->signature, work->signature_length));
    assert_ok(p11->C_VerifyInit(session, &work->mechanism, work->token->public_key));
    assert_ok(
        p11->C_Verify(session, work->data, work->length, work->signature, work->signature_length));
}

typedef void (*scheme_check)(struct token *token, const struct scheme *scheme);

static bool signs(const struct token *token, const struct scheme *scheme)
{
    CK_MECHANISM_INFO info;

    return scheme_key_type(scheme) == token->key_type &&
           p11->C_GetMechanismInfo(token->slot, scheme->type, &info) == CKR_OK &&
           (info.flags & CKF_SIGN);
}

/* The check for each mechanism of each token that signs. */
static void for_every_scheme(scheme_check check)
{
    unsigned done = 0;

    token_count = key_tokens(tokens);
    for (size_t i = 0; i < token_count; i++)
        for (size_t j = 0; j < scheme_count; j++)
            if (signs(tokens[i], &schemes[j])) {
                check(tokens[i], &schemes[j]);
                done++;
            }
    assert_true(done > 0);
}

static void sign_at_once(struct token *token, const struct scheme *scheme)
{
    struct work work;

    prepare(&work, token, scheme);
    begin(&work);
    assert_ok(sign(&work));
    check_signature(&work);
}

static void every_mechanism_signs_at_once(void **state)
{
    (void)state;
    for_every_scheme(sign_at_once);
}

static void sign_in_parts(struct token *token, const struct scheme *scheme)
{
    struct work work;

    if (!scheme->hash)
        return;
    prepare(&work, token, scheme);
    begin(&work);
    assert_ok(p11->C_SignUpdate(token->session, work.data, 1));
    assert_ok(p11->C_SignUpdate(token->session, work.data + 1, 0));
    assert_ok(p11->C_SignUpdate(token->session, work.data + 1, work.length - 1));
    assert_ok(p11->C_SignFinal(token->session, work.signature, &work.signature_length));
    check_signature(&work);
}

static void every_hashing_mechanism_signs_in_parts(void **state)
{
    (void)state;
    for_every_scheme(sign_in_parts);
}

static void verify_in_parts(struct token *token, const struct scheme *scheme)
{
    struct work work;

    if (!scheme->hash)
        return;
    prepare(&work, token, scheme);
    begin(&work);
    assert_ok(sign(&work));
    assert_ok(p11->C_VerifyInit(token->session, &work.mechanism, token->public_key));
    assert_ok(p11->C_VerifyUpdate(token->session, work.data, 7));
    assert_ok(p11->C_VerifyUpdate(token->session, work.data + 7, work.length - 7));
    assert_ok(p11->C_VerifyFinal(token->session, work.signature, work.signature_length));
}

static void every_hashing_mechanism_verifies_in_parts(void **state)
{
    (void)state;
    for_every_scheme(verify_in_parts);
}

static void ask_size(struct token *token, const struct scheme *scheme)
{
    struct work work;
    CK_ULONG size = POISON_ULONG;

    prepare(&work, token, scheme);
    begin(&work);
    assert_ok(p11->C_Sign(token->session, work.data, work.length, NULL, &size));
    assert_int_equal(size, token->signature_size);
    size = 0;
    assert_ok(p11->C_Sign(token->session, work.data, work.length, NULL, &size));
    assert_int_equal(size, token->signature_size);
    assert_ok(sign(&work));
    check_signature(&work);
}

static void a_size_query_does_not_end_the_operation(void **state)
{
    (void)state;
    for_every_scheme(ask_size);
}

static void offer_too_little(struct token *token, const struct scheme *scheme)
{
    struct work work;
    CK_ULONG rooms[] = {0, 1, token->signature_size - 1};

    prepare(&work, token, scheme);
    begin(&work);
    for (size_t i = 0; i < COUNT_OF(rooms); i++) {
        work.signature_length = rooms[i];
        assert_rv(sign(&work), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(work.signature_length, token->signature_size);
        assert_true(untouched(work.signature, sizeof(work.signature)));
    }
    assert_ok(sign(&work));
    check_signature(&work);
}

static void a_buffer_too_small_does_not_end_the_operation(void **state)
{
    (void)state;
    for_every_scheme(offer_too_little);
}

static void ask_size_at_the_end(struct token *token, const struct scheme *scheme)
{
    struct work work;
    CK_ULONG size = POISON_ULONG;

    if (!scheme->hash)
        return;
    prepare(&work, token, scheme);
    begin(&work);
    assert_ok(p11->C_SignUpdate(token->session, work.data, work.length));
    assert_ok(p11->C_SignFinal(token->session, NULL, &size));
    assert_int_equal(size, token->signature_size);
    size = 1;
    assert_rv(p11->C_SignFinal(token->session, work.signature, &size), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, token->signature_size);
    assert_ok(p11->C_SignFinal(token->session, work.signature, &work.signature_length));
    check_signature(&work);
}

static void the_size_can_be_asked_for_at_the_end_of_parts(void **state)
{
    (void)state;
    for_every_scheme(ask_size_at_the_end);
}

static void reject_changes(struct token *token, const struct scheme *scheme)
{
    struct work work;
    CK_SESSION_HANDLE session = token->session;

    prepare(&work, token, scheme);
    begin(&work);
    assert_ok(sign(&work));
    work.signature[work.signature_length / 2] ^= 0x10;
    assert_ok(p11->C_VerifyInit(session, &work.mechanism, token->public_key));
    assert_rv(p11->C_Verify(session, work.data, work.length, work.signature, work.signature_length),
              CKR_SIGNATURE_INVALID);
    work.signature[work.signature_length / 2] ^= 0x10;
    work.data[work.length - 1] ^= 1;
    assert_ok(p11->C_VerifyInit(session, &work.mechanism, token->public_key));
    assert_rv(p11->C_Verify(session, work.data, work.length, work.signature, work.signature_length),
              CKR_SIGNATURE_INVALID);
    assert_rv(p11->C_Verify(session, work.data, work.length, work.signature, work.signature_length),
              CKR_OPERATION_NOT_INITIALIZED);
}

static void a_changed_signature_or_message_is_invalid(void **state)
{
    (void)state;
    for_every_scheme(reject_changes);
}

static void reject_lengths(struct token *token, const struct scheme *scheme)
{
    struct work work;
    CK_ULONG lengths[] = {token->signature_size - 1, token->signature_size + 1, 1, 0};

    prepare(&work, token, scheme);
    begin(&work);
    assert_ok(sign(&work));
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        assert_ok(p11->C_VerifyInit(token->session, &work.mechanism, token->public_key));
        assert_rv(p11->C_Verify(token->session, work.data, work.length, work.signature, lengths[i]),
                  CKR_SIGNATURE_LEN_RANGE);
    }
}

static void a_signature_of_another_length_is_out_of_range(void **state)
{
    (void)state;
    for_every_scheme(reject_lengths);
}

static void every_listed_signing_mechanism_is_known_here(void **state)
{
    (void)state;
    token_count = key_tokens(tokens);
    signet_only("no mechanism is listed that nobody tests");
    for (size_t i = 0; i < token_count; i++) {
        CK_MECHANISM_TYPE types[256];
        CK_ULONG count = COUNT_OF(types);

        assert_ok(p11->C_GetMechanismList(tokens[i]->slot, types, &count));
        for (CK_ULONG j = 0; j < count; j++) {
            CK_MECHANISM_INFO info;

            assert_ok(p11->C_GetMechanismInfo(tokens[i]->slot, types[j], &info));
            if (info.flags & (CKF_SIGN | CKF_VERIFY))
                scheme_of(types[j]);
        }
    }
}

static void a_large_message_is_signed_in_many_parts(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");
    CK_MECHANISM mechanism = {CKM_ECDSA_SHA256, NULL, 0};
    enum { PART = 4096, PARTS = 512 };
    static unsigned char message[PART * PARTS];
    unsigned char signature[MAX_SIGNATURE];
    CK_ULONG length = sizeof(signature);

    (void)state;
    mechanism_or_skip(token->slot, mechanism.mechanism);
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)(i * 7);
    assert_ok(p11->C_SignInit(token->session, &mechanism, token->private_key));
    for (size_t i = 0; i < PARTS; i++)
        assert_ok(p11->C_SignUpdate(token->session, message + i * PART, PART));
    assert_ok(p11->C_SignFinal(token->session, signature, &length));
    assert_true(openssl_verifies(token, &mechanism, message, sizeof(message), signature, length));
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(every_mechanism_signs_at_once),
        test(every_hashing_mechanism_signs_in_parts),
        test(every_hashing_mechanism_verifies_in_parts),
        test(a_size_query_does_not_end_the_operation),
        test(a_buffer_too_small_does_not_end_the_operation),
        test(the_size_can_be_asked_for_at_the_end_of_parts),
        test(a_changed_signature_or_message_is_invalid),
        test(a_signature_of_another_length_is_out_of_range),
        test(every_listed_signing_mechanism_is_known_here),
        test(a_large_message_is_signed_in_many_parts),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
