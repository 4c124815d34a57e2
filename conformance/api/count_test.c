/* How many commands the TPM sees. Nothing touches it until a private key is
 * used; a warm signature is one command; the first one at most five. */
#include "conformance/api/counting.h"

#define WARM_SIGNATURES 10
#define COLD_COMMANDS 5

static int begin_test(void **state)
{
    (void)state;
    p11->C_Finalize(NULL);
    return initialise() == CKR_OK ? 0 : -1;
}

static void nothing_was_sent(const char *what)
{
    if (commands_sent())
        fail_msg("%u commands for %s: %s", commands_sent(), what, command_codes());
}

static void reading_slots_and_tokens_sends_nothing(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count;
    CK_INFO info;

    (void)state;
    counting_or_skip();
    start_anew();
    assert_ok(p11->C_GetInfo(&info));
    count = all_slots(slots);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_SLOT_INFO slot_info;
        CK_MECHANISM_TYPE types[256];
        CK_MECHANISM_INFO mechanism_info;
        CK_ULONG type_count = COUNT_OF(types);

        assert_ok(p11->C_GetSlotInfo(slots[i], &slot_info));
        token_info(slots[i]);
        assert_ok(p11->C_GetMechanismList(slots[i], types, &type_count));
        for (CK_ULONG j = 0; j < type_count; j++)
            assert_ok(p11->C_GetMechanismInfo(slots[i], types[j], &mechanism_info));
        open_session(slots[i]);
        open_rw_session(slots[i]);
    }
    assert_true(count > 0);
    nothing_was_sent("slots, tokens, mechanisms and sessions");
}

/* Every attribute that a client might ask for, whether it is there or not. */
static void read_every_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    for (CK_ATTRIBUTE_TYPE type = 0; type < 0x620; type++)
        attribute_rv(session, object, type);
}

static void finding_and_reading_objects_sends_nothing(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count;

    (void)state;
    counting_or_skip();
    start_anew();
    count = all_slots(slots);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_SESSION_HANDLE session = open_session(slots[i]);
        CK_OBJECT_HANDLE objects[MAX_FOUND];
        CK_ULONG found = find_all(session, NULL, 0, objects);

        assert_true(found > 0);
        for (CK_ULONG j = 0; j < found; j++)
            read_every_attribute(session, objects[j]);
    }
    nothing_was_sent("objects and their attributes");
}

static void digests_and_random_numbers_send_nothing(void **state)
{
    struct token *token = token_without_login("PKCS11_TOKEN_EC");
    CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
    unsigned char bytes[64] = {0};
    CK_ULONG length = sizeof(bytes);

    (void)state;
    counting_or_skip();
    assert_ok(p11->C_DigestInit(token->session, &sha256));
    assert_ok(p11->C_Digest(token->session, bytes, 5, bytes, &length));
    assert_ok(p11->C_GenerateRandom(token->session, bytes, sizeof(bytes)));
    assert_ok(p11->C_SeedRandom(token->session, bytes, sizeof(bytes)));
    nothing_was_sent("digests and random numbers");
}

static void verify_and_encrypt(struct token *token, const unsigned char *signature, CK_ULONG length)
{
    CK_MECHANISM verify = {CKM_SHA256_RSA_PKCS, NULL, 0}, encrypt = {CKM_RSA_PKCS, NULL, 0};
    unsigned char data[] = "message", out[1024];
    CK_ULONG out_length = sizeof(out);

    assert_ok(p11->C_VerifyInit(token->session, &verify, token->public_key));
    assert_ok(p11->C_Verify(token->session, data, sizeof(data), (CK_BYTE *)signature, length));
    assert_ok(p11->C_EncryptInit(token->session, &encrypt, token->public_key));
    assert_ok(p11->C_Encrypt(token->session, data, sizeof(data), out, &out_length));
}

static void verifying_and_encrypting_send_nothing(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_MECHANISM mechanism = {CKM_SHA256_RSA_PKCS, NULL, 0};
    unsigned char data[] = "message", signature[1024];
    CK_ULONG length = sizeof(signature);

    (void)state;
    counting_or_skip();
    assert_ok(p11->C_SignInit(token->session, &mechanism, token->private_key));
    assert_ok(p11->C_Sign(token->session, data, sizeof(data), signature, &length));
    start_anew();
    forget_commands();
    verify_and_encrypt(token_without_login("PKCS11_TOKEN_RSA"), signature, length);
    nothing_was_sent("verification and encryption");
}

static void beginning_and_asking_for_sizes_send_nothing(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned char data[32] = {1}, signature[8];
    CK_ULONG length = 0;

    (void)state;
    counting_or_skip();
    assert_ok(p11->C_SignInit(token->session, &mechanism, token->private_key));
    assert_ok(p11->C_Sign(token->session, data, sizeof(data), NULL, &length));
    length = sizeof(signature);
    assert_rv(p11->C_Sign(token->session, data, sizeof(data), signature, &length),
              CKR_BUFFER_TOO_SMALL);
    nothing_was_sent("C_SignInit, a size query and a small buffer");
}

static void first_signature(const char *variable, CK_MECHANISM_TYPE type)
{
    struct token *token;
    unsigned sent;

    counting_or_skip();
    start_anew();
    token = token_or_skip(variable);
    assert_ok(sign_with(token, type));
    sent = commands_sent();
    print_message("%s: %u commands: %s\n", mechanism_name(type), sent, command_codes());
    assert_in_range(sent, 1, COLD_COMMANDS);
}

static void the_first_p256_signature_is_five_commands_at_most(void **state)
{
    (void)state;
    first_signature("PKCS11_TOKEN_EC", CKM_ECDSA);
}

static void the_first_rsa_signature_is_five_commands_at_most(void **state)
{
    (void)state;
    first_signature("PKCS11_TOKEN_RSA", CKM_SHA256_RSA_PKCS);
}

static void warm_signatures(const char *variable, CK_MECHANISM_TYPE type)
{
    struct token *token = token_or_skip(variable);
    unsigned sent;

    counting_or_skip();
    if (!mechanism_listed(token->slot, type))
        return;
    assert_ok(sign_with(token, type));
    forget_commands();
    for (unsigned i = 0; i < WARM_SIGNATURES; i++)
        assert_ok(sign_with(token, type));
    sent = commands_sent();
    if (sent != WARM_SIGNATURES)
        fail_msg("%s: %u commands for %d signatures: %s", mechanism_name(type), sent,
                 WARM_SIGNATURES, command_codes());
}

static void each_warm_p256_signature_is_one_command(void **state)
{
    (void)state;
    warm_signatures("PKCS11_TOKEN_EC", CKM_ECDSA);
    warm_signatures("PKCS11_TOKEN_EC", CKM_ECDSA_SHA256);
}

static void each_warm_rsa_signature_is_one_command(void **state)
{
    (void)state;
    warm_signatures("PKCS11_TOKEN_RSA", CKM_RSA_PKCS);
    warm_signatures("PKCS11_TOKEN_RSA", CKM_SHA256_RSA_PKCS);
    warm_signatures("PKCS11_TOKEN_RSA", CKM_SHA256_RSA_PKCS_PSS);
    warm_signatures("PKCS11_TOKEN_RSA", CKM_RSA_X_509);
}

static void a_key_stays_warm_in_another_session(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");

    (void)state;
    counting_or_skip();
    assert_ok(sign_with(token, CKM_ECDSA));
    token->session = open_session(token->slot);
    forget_commands();
    assert_ok(sign_with(token, CKM_ECDSA));
    assert_int_equal(commands_sent(), 1);
}

static void two_keys_in_turn_stay_warm(void **state)
{
    struct token *ec = token_or_skip("PKCS11_TOKEN_EC"), *rsa = token_or_skip("PKCS11_TOKEN_RSA");
    unsigned sent;

    (void)state;
    counting_or_skip();
    assert_ok(sign_with(ec, CKM_ECDSA));
    assert_ok(sign_with(rsa, CKM_SHA256_RSA_PKCS));
    forget_commands();
    for (unsigned i = 0; i < WARM_SIGNATURES; i++) {
        assert_ok(sign_with(ec, CKM_ECDSA));
        assert_ok(sign_with(rsa, CKM_SHA256_RSA_PKCS));
    }
    sent = commands_sent();
    if (sent != 2 * WARM_SIGNATURES)
        fail_msg("%u commands for %d signatures: %s", sent, 2 * WARM_SIGNATURES, command_codes());
}

static void a_warm_decryption_is_one_command(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_RSA");
    CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0};
    unsigned char data[] = "secret", in[1024], out[1024];
    CK_ULONG in_length = sizeof(in);

    (void)state;
    counting_or_skip();
    assert_ok(p11->C_EncryptInit(token->session, &mechanism, token->public_key));
    assert_ok(p11->C_Encrypt(token->session, data, sizeof(data), in, &in_length));
    for (unsigned i = 0; i < 2; i++) {
        CK_ULONG out_length = sizeof(out);

        forget_commands();
        assert_ok(p11->C_DecryptInit(token->session, &mechanism, token->private_key));
        assert_ok(p11->C_Decrypt(token->session, in, in_length, out, &out_length));
    }
    assert_int_equal(commands_sent(), 1);
}

static void logging_in_is_counted(void **state)
{
    struct token *token = token_without_login("PKCS11_TOKEN_PIN");
    CK_MECHANISM_TYPE type = token->key_type == CKK_RSA ? CKM_SHA256_RSA_PKCS : CKM_ECDSA;

    (void)state;
    counting_or_skip();
    assert_ok(login(token->session, pin_or_skip()));
    print_message("C_Login: %u commands: %s\n", commands_sent(), command_codes());
    assert_true(commands_sent() >= 1);
    token = token_or_skip("PKCS11_TOKEN_PIN");
    forget_commands();
    assert_ok(sign_with(token, type));
    print_message("the first signature after it: %s\n", command_codes());
    forget_commands();
    assert_ok(sign_with(token, type));
    print_message("the next signature: %s\n", command_codes());
    assert_int_equal(commands_sent(), 1);
}

static void no_signature_is_made_to_check_a_pin(void **state)
{
    struct token *token = token_without_login("PKCS11_TOKEN_PIN");

    (void)state;
    counting_or_skip();
    assert_ok(login(token->session, pin_or_skip()));
    assert_null(strstr(command_codes(), "15d "));
    assert_null(strstr(command_codes(), "159 "));
}

static void finalising_is_counted(void **state)
{
    struct token *token = token_or_skip("PKCS11_TOKEN_EC");

    (void)state;
    counting_or_skip();
    assert_ok(sign_with(token, CKM_ECDSA));
    forget_commands();
    start_anew();
    print_message("C_Finalize: %u commands: %s\n", commands_sent(), command_codes());
}

#define test(function) cmocka_unit_test_setup_teardown(function, begin_test, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(reading_slots_and_tokens_sends_nothing),
        test(finding_and_reading_objects_sends_nothing),
        test(digests_and_random_numbers_send_nothing),
        test(verifying_and_encrypting_send_nothing),
        test(beginning_and_asking_for_sizes_send_nothing),
        test(the_first_p256_signature_is_five_commands_at_most),
        test(the_first_rsa_signature_is_five_commands_at_most),
        test(each_warm_p256_signature_is_one_command),
        test(each_warm_rsa_signature_is_one_command),
        test(a_key_stays_warm_in_another_session),
        test(two_keys_in_turn_stay_warm),
        test(a_warm_decryption_is_one_command),
        test(logging_in_is_counted),
        test(no_signature_is_made_to_check_a_pin),
        test(finalising_is_counted),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
