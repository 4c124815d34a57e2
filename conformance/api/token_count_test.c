/* How many commands the TPM sees of a writable token: goals for login, generation and
 * initialising, and nothing at all for what a file can answer. */
#include "conformance/api/counting.h"
#include "conformance/api/making.h"

#define LOGIN_COMMANDS 10
#define PAIR_COMMANDS 4
#define IMPORT_COMMANDS 5
#define INITIALISING_COMMANDS 45
#define SIGNATURES 10

static void sent_at_most(unsigned limit, const char *what)
{
    unsigned sent = commands_sent();

    print_message("%s: %u commands: %s\n", what, sent, command_codes());
    if (sent > limit)
        fail_msg("%u commands for %s, %u at most: %s", sent, what, limit, command_codes());
}

static void making_a_token_takes_few_commands(void **state)
{
    CK_SLOT_ID slot;

    (void)state;
    counting_or_skip();
    slot = uninitialised_token(NULL);
    forget_commands();
    assert_ok(init_token(slot, SO_PIN));
    print_message("C_InitToken: %u commands\n", commands_sent());
    assert_ok(init_pin_as_so(slot, SO_PIN, USER_PIN));
    sent_at_most(INITIALISING_COMMANDS, "C_InitToken, C_Login, C_InitPIN");
}

static void initialising_again_takes_few_commands(void **state)
{
    CK_SLOT_ID slot;

    (void)state;
    counting_or_skip();
    slot = fresh_token(NULL);
    new_start();
    assert_ok(find_label(FRESH_LABEL, &slot));
    forget_commands();
    assert_ok(init_token(slot, SO_PIN));
    sent_at_most(INITIALISING_COMMANDS, "C_InitToken again");
}

static void logging_in_takes_ten_commands_at_most(void **state)
{
    CK_SESSION_HANDLE session;

    (void)state;
    counting_or_skip();
    common_token(NULL);
    new_start();
    session = open_rw_session(common_slot());
    forget_commands();
    assert_ok(login_as(session, CKU_USER, USER_PIN));
    sent_at_most(LOGIN_COMMANDS, "the first C_Login of a process");
    assert_ok(p11->C_Logout(session));
    forget_commands();
    assert_ok(login_as(session, CKU_SO, SO_PIN));
    sent_at_most(LOGIN_COMMANDS, "C_Login of the SO");
    assert_ok(p11->C_Logout(session));
    forget_commands();
    assert_rv(login_as(session, CKU_USER, "wrong"), CKR_PIN_INCORRECT);
    sent_at_most(LOGIN_COMMANDS, "C_Login with a wrong PIN");
}

static void a_key_pair_takes_four_commands_at_most(void **state)
{
    CK_SESSION_HANDLE session;

    (void)state;
    counting_or_skip();
    session = user_session();
    for (unsigned i = 0; i < 2; i++) {
        forget_commands();
        new_ec_pair(session, P256, true);
        sent_at_most(PAIR_COMMANDS, "a P-256 key pair");
    }
    forget_commands();
    new_rsa_pair(session, 2048, true);
    sent_at_most(PAIR_COMMANDS, "an RSA-2048 key pair");
}

static void an_import_takes_few_commands(void **state)
{
    CK_SESSION_HANDLE session;

    (void)state;
    counting_or_skip();
    session = user_session();
    forget_commands();
    create_sample(session, RSA_PRIVATE, true, true);
    sent_at_most(IMPORT_COMMANDS, "the import of an RSA key");
}

static void exactly_one_command(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const char *what)
{
    unsigned sent;

    assert_ok(sign_simply(session, key));
    forget_commands();
    for (unsigned i = 0; i < SIGNATURES; i++)
        assert_ok(sign_simply(session, key));
    sent = commands_sent();
    if (sent != SIGNATURES)
        fail_msg("%s: %u commands for %d signatures: %s", what, sent, SIGNATURES, command_codes());
}

static void a_warm_signature_is_one_command(void **state)
{
    CK_SESSION_HANDLE session;

    (void)state;
    counting_or_skip();
    session = user_session();
    exactly_one_command(session, new_ec_pair(session, P256, true).private_key, "P-256");
    exactly_one_command(session, new_rsa_pair(session, 2048, true).private_key, "RSA-2048");
    exactly_one_command(session, create_sample(session, EC_PRIVATE, true, true), "imported");
}

static void the_first_signature_after_login_takes_few_commands(void **state)
{
    CK_OBJECT_HANDLE keys[MAX_FOUND];
    CK_SESSION_HANDLE session;

    (void)state;
    counting_or_skip();
    new_ec_pair(user_session(), P256, true);
    new_start();
    session = user_session();
    assert_int_equal(find_class(session, CKO_PRIVATE_KEY, keys), 1);
    forget_commands();
    assert_ok(sign_simply(session, keys[0]));
    sent_at_most(5, "the first signature after login");
}

static void nothing_was_sent(const char *what)
{
    if (commands_sent())
        fail_msg("%u commands for %s: %s", commands_sent(), what, command_codes());
}

static void fill_token(void)
{
    CK_SESSION_HANDLE session = user_session();

    new_ec_pair(session, P256, true);
    for (enum kind kind = 0; kind < KINDS; kind++)
        create_sample(session, kind, true, kind & 1);
}

static void reading_without_login_sends_nothing(void **state)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_SESSION_HANDLE session;
    CK_ULONG count;

    (void)state;
    counting_or_skip();
    fill_token();
    new_start();
    forget_commands();
    session = open_session(common_slot());
    token_info(common_slot());
    count = find_all(session, NULL, 0, objects);
    assert_true(count >= KINDS / 2);
    for (CK_ULONG i = 0; i < count; i++)
        for (CK_ATTRIBUTE_TYPE type = 0; type < 0x620; type++)
            attribute_rv(session, objects[i], type);
    nothing_was_sent("listing and reading without login");
}

static void reading_after_login_sends_nothing(void **state)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_SESSION_HANDLE session;
    CK_ULONG count;

    (void)state;
    counting_or_skip();
    fill_token();
    new_start();
    session = user_session();
    forget_commands();
    count = find_all(session, NULL, 0, objects);
    for (CK_ULONG i = 0; i < count; i++)
        for (CK_ATTRIBUTE_TYPE type = 0; type < 0x620; type++)
            attribute_rv(session, objects[i], type);
    for (enum kind kind = 0; kind < KINDS; kind++)
        assert_int_equal(find_all(session, LIST(TEXT(CKA_LABEL, kind_name(kind))), objects), 1);
    nothing_was_sent("listing, searching and reading after login");
}

static void files_are_changed_without_the_tpm(void **state)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object;

    (void)state;
    counting_or_skip();
    session = user_session();
    create_sample(session, RSA_PUBLIC, true, false);
    forget_commands();
    object = create_sample(session, CERTIFICATE, true, false);
    assert_ok(p11->C_SetAttributeValue(session, object, LIST(TEXT(CKA_LABEL, "changed"))));
    assert_ok(p11->C_DestroyObject(session, object));
    create_sample(session, DATA, true, true);
    create_sample(session, AES_KEY, true, true);
    nothing_was_sent("certificates, data and secret keys");
}

static void secret_keys_work_without_the_tpm(void **state)
{
    CK_MECHANISM cbc = {CKM_AES_CBC, (CK_BYTE[16]){0}, 16}, sha256 = {CKM_SHA256, NULL, 0};
    CK_SESSION_HANDLE session;
    CK_BYTE data[64] = {0};
    CK_ULONG length = sizeof(data);
    CK_OBJECT_HANDLE key;

    (void)state;
    counting_or_skip();
    session = user_session();
    forget_commands();
    key = new_aes_key(session, 32, true);
    assert_ok(p11->C_EncryptInit(session, &cbc, key));
    assert_ok(p11->C_Encrypt(session, data, 32, data, &length));
    assert_ok(p11->C_DigestInit(session, &sha256));
    length = sizeof(data);
    assert_ok(p11->C_Digest(session, data, 5, data, &length));
    assert_ok(p11->C_GenerateRandom(session, data, sizeof(data)));
    nothing_was_sent("AES, a digest, random numbers");
}

static CK_RV use_secret(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                        CK_ULONG length)
{
    static CK_BYTE data[4096];
    CK_ULONG room = sizeof(data);
    CK_RV rv;

    if (mechanism->mechanism == CKM_SHA256_HMAC) {
        rv = p11->C_SignInit(session, mechanism, key);
        return rv == CKR_OK ? p11->C_Sign(session, data, length, data, &room) : rv;
    }
    rv = p11->C_EncryptInit(session, mechanism, key);
    return rv == CKR_OK ? p11->C_Encrypt(session, data, length, data, &room) : rv;
}

static void warm_secret_keys_in_the_tpm_take_one_command(void **state)
{
    static const struct {
        CK_ULONG length;
        unsigned mac, cipher;
    } rows[] = {{16, 1, 1}, {1024, 1, 1}, {2048, 3, 2}, {4096, 5, 4}};
    CK_MECHANISM hmac = {CKM_SHA256_HMAC, NULL, 0}, cbc = {CKM_AES_CBC, (CK_BYTE[16]){0}, 16};
    CK_OBJECT_HANDLE mac_key = POISON_ULONG, aes_key = POISON_ULONG;
    CK_SESSION_HANDLE session;

    (void)state;
    counting_or_skip();
    session = user_session_with(SECRETS_IN_TPM);
    forget_commands();
    assert_ok(generate_secret(session, CKM_GENERIC_SECRET_KEY_GEN, 32,
                              LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SENSITIVE, true),
                                   FLAG(CKA_EXTRACTABLE, false), FLAG(CKA_SIGN, true)),
                              &mac_key));
    sent_at_most(6, "the first secret key in the TPM");
    forget_commands();
    assert_ok(generate_secret(session, CKM_AES_KEY_GEN, 32,
                              LIST(FLAG(CKA_TOKEN, true), FLAG(CKA_SENSITIVE, true),
                                   FLAG(CKA_EXTRACTABLE, false), FLAG(CKA_ENCRYPT, true)),
                              &aes_key));
    sent_at_most(4, "another one");
    assert_ok(use_secret(session, &hmac, mac_key, 5));
    assert_ok(use_secret(session, &cbc, aes_key, 16));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        forget_commands();
        assert_ok(use_secret(session, &hmac, mac_key, rows[i].length));
        assert_int_equal(commands_sent(), rows[i].mac);
        forget_commands();
        assert_ok(use_secret(session, &cbc, aes_key, rows[i].length));
        assert_int_equal(commands_sent(), rows[i].cipher);
    }
}

static void verifying_sends_nothing(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_BYTE hash[32] = {1}, signature[64];
    CK_ULONG length = sizeof(signature);
    CK_SESSION_HANDLE session;
    struct pair pair;

    (void)state;
    counting_or_skip();
    session = user_session();
    pair = new_ec_pair(session, P256, true);
    assert_ok(p11->C_SignInit(session, &ecdsa, pair.private_key));
    assert_ok(p11->C_Sign(session, hash, sizeof(hash), signature, &length));
    forget_commands();
    assert_ok(p11->C_VerifyInit(session, &ecdsa, pair.public_key));
    assert_ok(p11->C_Verify(session, hash, sizeof(hash), signature, length));
    nothing_was_sent("a verification");
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(making_a_token_takes_few_commands),
        test(initialising_again_takes_few_commands),
        test(logging_in_takes_ten_commands_at_most),
        test(a_key_pair_takes_four_commands_at_most),
        test(an_import_takes_few_commands),
        test(a_warm_signature_is_one_command),
        test(the_first_signature_after_login_takes_few_commands),
        test(reading_without_login_sends_nothing),
        test(reading_after_login_sends_nothing),
        test(files_are_changed_without_the_tpm),
        test(secret_keys_work_without_the_tpm),
        test(warm_secret_keys_in_the_tpm_take_one_command),
        test(verifying_sends_nothing),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
