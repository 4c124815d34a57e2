/* PKCS#11 2.40 section 5.5: slots, tokens and mechanisms. */
#include "conformance/api/client.h"

#define ABSENT_SLOT 0x7EADBEEFUL
#define MAX_MECHANISMS 256

static CK_SLOT_ID any_slot_or_skip(void)
{
    CK_SLOT_ID slots[MAX_SLOTS];

    if (all_slots(slots) == 0)
        skip_because("there is no token");
    return slots[0];
}

static CK_SLOT_ID write_protected_slot_or_skip(void)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    for (CK_ULONG i = 0; i < count; i++)
        if (write_protected(slots[i]))
            return slots[i];
    skip_because("no token is write-protected");
    return 0;
}

static void the_library_describes_itself(void **state)
{
    CK_INFO info;

    (void)state;
    memset(&info, POISON_BYTE, sizeof(info));
    assert_ok(p11->C_GetInfo(&info));
    assert_in_range(info.cryptokiVersion.major, 2, 3);
    assert_int_equal(info.flags, 0);
    assert_true(blank_padded(info.manufacturerID, sizeof(info.manufacturerID)));
    assert_true(blank_padded(info.libraryDescription, sizeof(info.libraryDescription)));
    assert_rv(p11->C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
}

static void the_slot_list_is_read_in_two_calls(void **state)
{
    CK_BBOOL kinds[] = {CK_FALSE, CK_TRUE};
    CK_SLOT_ID slots[MAX_SLOTS];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        CK_ULONG needed = POISON_ULONG, count = MAX_SLOTS;

        assert_ok(p11->C_GetSlotList(kinds[i], NULL, &needed));
        assert_true(needed <= MAX_SLOTS);
        assert_ok(p11->C_GetSlotList(kinds[i], slots, &count));
        assert_int_equal(count, needed);
    }
    assert_rv(p11->C_GetSlotList(CK_FALSE, slots, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_GetSlotList(CK_FALSE, NULL, NULL), CKR_ARGUMENTS_BAD);
}

static void a_slot_list_without_room_gives_the_count(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG needed, count;

    (void)state;
    any_slot_or_skip();
    memset(slots, POISON_BYTE, sizeof(slots));
    assert_ok(p11->C_GetSlotList(CK_FALSE, NULL, &needed));
    for (CK_ULONG room = 0; room < needed; room++) {
        count = room;
        assert_rv(p11->C_GetSlotList(CK_FALSE, slots, &count), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(count, needed);
        assert_true(untouched(&slots[room], sizeof(slots) - room * sizeof(slots[0])));
    }
}

static void slot_ids_are_distinct_and_stay(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS], again[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    (void)state;
    assert_int_equal(all_slots(again), count);
    assert_memory_equal(slots, again, count * sizeof(slots[0]));
    for (CK_ULONG i = 0; i < count; i++)
        for (CK_ULONG j = 0; j < i; j++)
            assert_int_not_equal(slots[i], slots[j]);
}

static void slot_information_is_blank_padded(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    (void)state;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_SLOT_INFO info;

        memset(&info, POISON_BYTE, sizeof(info));
        assert_ok(p11->C_GetSlotInfo(slots[i], &info));
        assert_true(blank_padded(info.slotDescription, sizeof(info.slotDescription)));
        assert_true(blank_padded(info.manufacturerID, sizeof(info.manufacturerID)));
        assert_true(info.flags & CKF_TOKEN_PRESENT);
        assert_int_equal(info.flags & ~(CKF_TOKEN_PRESENT | CKF_REMOVABLE_DEVICE | CKF_HW_SLOT), 0);
    }
}

static void token_information_is_blank_padded(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    (void)state;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info = token_info(slots[i]);

        assert_true(blank_padded(info.label, sizeof(info.label)));
        assert_true(blank_padded(info.manufacturerID, sizeof(info.manufacturerID)));
        assert_true(blank_padded(info.model, sizeof(info.model)));
        assert_true(blank_padded(info.serialNumber, sizeof(info.serialNumber)));
        assert_int_not_equal(info.serialNumber[0], ' ');
        assert_true(info.ulMinPinLen <= info.ulMaxPinLen);
        assert_int_not_equal(info.ulTotalPublicMemory, POISON_ULONG);
        assert_int_not_equal(info.ulFreePrivateMemory, POISON_ULONG);
    }
}

/* Clients tell tokens apart by manufacturer, model, serial number and label. */
static void serial_numbers_are_distinct(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    (void)state;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO one = token_info(slots[i]);

        for (CK_ULONG j = 0; j < i; j++) {
            CK_TOKEN_INFO other = token_info(slots[j]);

            assert_memory_not_equal(one.serialNumber, other.serialNumber, sizeof(one.serialNumber));
        }
    }
}

static void an_initialised_token_says_so(void **state)
{
    CK_TOKEN_INFO info = token_info(slot_or_skip("PKCS11_TOKEN_EC"));

    (void)state;
    assert_true(info.flags & CKF_TOKEN_INITIALIZED);
    assert_int_equal((info.flags & CKF_WRITE_PROTECTED) == 0, setting("PKCS11_WRITABLE"));
    assert_int_equal(info.flags & CKF_USER_PIN_LOCKED, 0);
}

static void a_token_that_needs_a_pin_says_so(void **state)
{
    CK_TOKEN_INFO info = token_info(slot_or_skip("PKCS11_TOKEN_PIN"));

    (void)state;
    assert_true(info.flags & CKF_LOGIN_REQUIRED);
    assert_true(info.flags & CKF_USER_PIN_INITIALIZED);
    assert_int_equal(info.flags & CKF_PROTECTED_AUTHENTICATION_PATH, 0);
    assert_true(info.ulMaxPinLen >= strlen(pin_or_skip()));
}

static void a_token_without_pin_asks_for_no_login(void **state)
{
    (void)state;
    signet_only("keys with empty authorisation need no login");
    assert_false(login_required(slot_or_skip("PKCS11_TOKEN_EC")));
    assert_false(login_required(slot_or_skip("PKCS11_TOKEN_RSA")));
}

static void only_a_chip_is_called_hardware(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    (void)state;
    signet_only("CKF_HW_SLOT stands for a chip");
    for (CK_ULONG i = 0; i < count; i++) {
        CK_SLOT_INFO info;

        assert_ok(p11->C_GetSlotInfo(slots[i], &info));
        assert_int_equal((info.flags & CKF_HW_SLOT) != 0, setting("PKCS11_HARDWARE"));
    }
}

static void sessions_are_counted_or_unknown(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_TOKEN_INFO info;

    (void)state;
    open_session(slot);
    open_rw_session(slot);
    info = token_info(slot);
    if (info.ulSessionCount != UNAVAILABLE)
        assert_int_equal(info.ulSessionCount, 2);
    if (info.ulRwSessionCount != UNAVAILABLE)
        assert_int_equal(info.ulRwSessionCount, 1);
}

static void a_slot_that_is_not_there_is_refused(void **state)
{
    CK_SLOT_ID absent[] = {ABSENT_SLOT, ~0UL};
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO token;
    CK_MECHANISM_INFO mechanism;
    CK_SESSION_HANDLE session;
    CK_ULONG count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(absent); i++) {
        expect_rv(p11->C_GetSlotInfo(absent[i], &slot), CKR_SLOT_ID_INVALID);
        expect_rv(p11->C_GetTokenInfo(absent[i], &token), CKR_SLOT_ID_INVALID);
        expect_rv(p11->C_GetMechanismList(absent[i], NULL, &count), CKR_SLOT_ID_INVALID);
        expect_rv(p11->C_GetMechanismInfo(absent[i], CKM_RSA_PKCS, &mechanism),
                  CKR_SLOT_ID_INVALID);
        expect_rv(p11->C_CloseAllSessions(absent[i]), CKR_SLOT_ID_INVALID);
        expect_rv(p11->C_OpenSession(absent[i], CKF_SERIAL_SESSION, NULL, NULL, &session),
                  CKR_SLOT_ID_INVALID);
    }
    expectations_met();
}

static CK_ULONG list_mechanisms(CK_SLOT_ID slot, CK_MECHANISM_TYPE *ret_types)
{
    CK_ULONG count = MAX_MECHANISMS;

    assert_ok(p11->C_GetMechanismList(slot, ret_types, &count));
    return count;
}

static void the_mechanism_list_is_read_in_two_calls(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_MECHANISM_TYPE types[MAX_MECHANISMS];
    CK_ULONG needed = POISON_ULONG, count = 1;

    (void)state;
    memset(types, POISON_BYTE, sizeof(types));
    assert_ok(p11->C_GetMechanismList(slot, NULL, &needed));
    assert_in_range(needed, 2, MAX_MECHANISMS);
    assert_rv(p11->C_GetMechanismList(slot, types, &count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(count, needed);
    assert_true(untouched(&types[1], sizeof(types) - sizeof(types[0])));
    assert_int_equal(list_mechanisms(slot, types), needed);
    assert_rv(p11->C_GetMechanismList(slot, types, NULL), CKR_ARGUMENTS_BAD);
}

static void every_listed_mechanism_has_information(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG slot_count = all_slots(slots);

    (void)state;
    for (CK_ULONG i = 0; i < slot_count; i++) {
        CK_MECHANISM_TYPE types[MAX_MECHANISMS];
        CK_ULONG count = list_mechanisms(slots[i], types);

        for (CK_ULONG j = 0; j < count; j++) {
            CK_MECHANISM_INFO info = {POISON_ULONG, POISON_ULONG, 0};

            assert_ok(p11->C_GetMechanismInfo(slots[i], types[j], &info));
            assert_int_not_equal(info.flags, 0);
            assert_true(info.ulMinKeySize <= info.ulMaxKeySize);
            for (CK_ULONG k = 0; k < j; k++)
                assert_int_not_equal(types[k], types[j]);
        }
    }
}

static void a_mechanism_that_is_not_listed_is_invalid(void **state)
{
    CK_SLOT_ID slot = any_slot_or_skip();
    CK_MECHANISM_TYPE absent[] = {CKM_VENDOR_DEFINED | 0x5157UL, ~0UL, CKM_SKIPJACK_ECB64,
                                  CKM_CDMF_ECB};
    CK_MECHANISM_INFO info;

    (void)state;
    memset(&info, POISON_BYTE, sizeof(info));
    for (size_t i = 0; i < COUNT_OF(absent); i++)
        expect_rv(p11->C_GetMechanismInfo(slot, absent[i], &info), CKR_MECHANISM_INVALID);
    expect_true(untouched(&info, sizeof(info)));
    expect_rv(p11->C_GetMechanismInfo(slot, CKM_SHA256, NULL), CKR_ARGUMENTS_BAD);
    expectations_met();
}

static unsigned count_with_flag(CK_SLOT_ID slot, const CK_MECHANISM_TYPE *types, size_t count,
                                CK_FLAGS flag)
{
    CK_MECHANISM_INFO info;
    unsigned found = 0;

    for (size_t i = 0; i < count; i++)
        found += p11->C_GetMechanismInfo(slot, types[i], &info) == CKR_OK && (info.flags & flag);
    return found;
}

static void only_mechanisms_that_the_key_can_do_are_listed(void **state)
{
    CK_SLOT_ID ec = slot_or_skip("PKCS11_TOKEN_EC"), rsa = slot_or_skip("PKCS11_TOKEN_RSA");
    CK_MECHANISM_TYPE rsa_only[] = {CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS_PSS,
                                    CKM_RSA_PKCS_OAEP, CKM_RSA_X_509};
    CK_MECHANISM_TYPE ec_only[] = {CKM_ECDSA, CKM_ECDSA_SHA1, CKM_ECDH1_DERIVE};
    CK_FLAGS private_key_use = CKF_SIGN | CKF_DECRYPT | CKF_DERIVE;

    (void)state;
    signet_only("a mechanism is listed where the slot's key can do it");
    assert_int_equal(count_with_flag(ec, rsa_only, COUNT_OF(rsa_only), private_key_use), 0);
    assert_int_equal(count_with_flag(rsa, ec_only, COUNT_OF(ec_only), private_key_use), 0);
    assert_int_equal(count_with_flag(rsa, rsa_only, COUNT_OF(rsa_only), private_key_use),
                     COUNT_OF(rsa_only));
    assert_int_equal(count_with_flag(ec, ec_only, COUNT_OF(ec_only), private_key_use),
                     COUNT_OF(ec_only));
}

static void there_is_no_slot_event_without_a_change(void **state)
{
    CK_SLOT_ID slot = POISON_ULONG;

    (void)state;
    assert_rv(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT,
              CKR_FUNCTION_NOT_SUPPORTED);
    assert_int_equal(slot, POISON_ULONG);
    assert_rv(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, &slot), CKR_ARGUMENTS_BAD,
              CKR_NO_EVENT, CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD, CKR_NO_EVENT,
              CKR_FUNCTION_NOT_SUPPORTED);
}

static void a_write_protected_token_cannot_be_initialised(void **state)
{
    CK_SLOT_ID slot = write_protected_slot_or_skip();
    CK_UTF8CHAR label[32];
    CK_TOKEN_INFO before = token_info(slot), after;

    (void)state;
    memset(label, ' ', sizeof(label));
    assert_rv(p11->C_InitToken(slot, (CK_UTF8CHAR *)"12345678", 8, label),
              CKR_TOKEN_WRITE_PROTECTED, CKR_FUNCTION_NOT_SUPPORTED);
    after = token_info(slot);
    assert_memory_equal(&before.label, &after.label, sizeof(before.label));
}

static void a_write_protected_token_cannot_change_its_pin(void **state)
{
    CK_SLOT_ID slot = write_protected_slot_or_skip();
    CK_SESSION_HANDLE session = open_rw_session(slot);
    CK_UTF8CHAR pin[] = "12345678";

    (void)state;
    assert_rv(p11->C_SetPIN(session, pin, 8, pin, 8), CKR_TOKEN_WRITE_PROTECTED,
              CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(p11->C_InitPIN(session, pin, 8), CKR_TOKEN_WRITE_PROTECTED, CKR_USER_NOT_LOGGED_IN,
              CKR_FUNCTION_NOT_SUPPORTED);
}

#define test(function) cmocka_unit_test_teardown(function, close_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_library_describes_itself),
        test(the_slot_list_is_read_in_two_calls),
        test(a_slot_list_without_room_gives_the_count),
        test(slot_ids_are_distinct_and_stay),
        test(slot_information_is_blank_padded),
        test(token_information_is_blank_padded),
        test(serial_numbers_are_distinct),
        test(an_initialised_token_says_so),
        test(a_token_that_needs_a_pin_says_so),
        test(a_token_without_pin_asks_for_no_login),
        test(only_a_chip_is_called_hardware),
        test(sessions_are_counted_or_unknown),
        test(a_slot_that_is_not_there_is_refused),
        test(the_mechanism_list_is_read_in_two_calls),
        test(every_listed_mechanism_has_information),
        test(a_mechanism_that_is_not_listed_is_invalid),
        test(only_mechanisms_that_the_key_can_do_are_listed),
        test(there_is_no_slot_event_without_a_change),
        test(a_write_protected_token_cannot_be_initialised),
        test(a_write_protected_token_cannot_change_its_pin),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
