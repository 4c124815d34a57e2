/* Slots, tokens and sessions for the tests. */
#include "conformance/api/client.h"

CK_ULONG all_slots(CK_SLOT_ID *ret_slots)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS, initialised = 0;

    assert_ok(p11->C_GetSlotList(CK_TRUE, slots, &count));
    for (CK_ULONG i = 0; i < count; i++)
        if (token_info(slots[i]).flags & CKF_TOKEN_INITIALIZED)
            ret_slots[initialised++] = slots[i];
    return initialised;
}

static bool label_is(const CK_UTF8CHAR *field, size_t size, const char *label)
{
    size_t length = strlen(label);

    if (length > size || memcmp(field, label, length) != 0)
        return false;
    for (size_t i = length; i < size; i++)
        if (field[i] != ' ')
            return false;
    return true;
}

bool find_slot(const char *label, CK_SLOT_ID *ret_slot)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = all_slots(slots);

    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;

        if (p11->C_GetTokenInfo(slots[i], &info) != CKR_OK)
            continue;
        if (!label_is(info.label, sizeof(info.label), label))
            continue;
        *ret_slot = slots[i];
        return true;
    }
    return false;
}

CK_SLOT_ID slot_or_skip(const char *variable)
{
    const char *label = getenv(variable);
    CK_SLOT_ID slot = 0;

    if (!label || !*label)
        skip_because("%s names no token", variable);
    if (!find_slot(label, &slot))
        fail_msg("no token is labelled '%s' (%s)", label, variable);
    return slot;
}

CK_TOKEN_INFO token_info(CK_SLOT_ID slot)
{
    CK_TOKEN_INFO info;

    memset(&info, POISON_BYTE, sizeof(info));
    assert_ok(p11->C_GetTokenInfo(slot, &info));
    return info;
}

bool write_protected(CK_SLOT_ID slot)
{
    return (token_info(slot).flags & CKF_WRITE_PROTECTED) != 0;
}

bool login_required(CK_SLOT_ID slot)
{
    return (token_info(slot).flags & CKF_LOGIN_REQUIRED) != 0;
}

static CK_SESSION_HANDLE open_with(CK_SLOT_ID slot, CK_FLAGS flags)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;

    assert_ok(p11->C_OpenSession(slot, flags, NULL, NULL, &session));
    assert_int_not_equal(session, CK_INVALID_HANDLE);
    return session;
}

CK_SESSION_HANDLE open_session(CK_SLOT_ID slot)
{
    return open_with(slot, CKF_SERIAL_SESSION);
}

CK_SESSION_HANDLE open_rw_session(CK_SLOT_ID slot)
{
    return open_with(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION);
}

CK_STATE session_state(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info = {.state = POISON_ULONG};

    assert_ok(p11->C_GetSessionInfo(session, &info));
    return info.state;
}

const char *pin_or_skip(void)
{
    const char *pin = getenv("PKCS11_PIN");

    if (!pin)
        skip_because("PKCS11_PIN is not set");
    return pin;
}

CK_RV login(CK_SESSION_HANDLE session, const char *pin)
{
    return p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
}

void login_if_needed(CK_SESSION_HANDLE session, CK_SLOT_ID slot)
{
    if (!login_required(slot))
        return;
    assert_rv(login(session, pin_or_skip()), CKR_OK, CKR_USER_ALREADY_LOGGED_IN);
}

bool blank_padded(const CK_UTF8CHAR *field, size_t size)
{
    return memchr(field, 0, size) == NULL && memchr(field, POISON_BYTE, size) == NULL;
}

bool untouched(const void *memory, size_t size)
{
    const unsigned char *bytes = memory;

    for (size_t i = 0; i < size; i++)
        if (bytes[i] != POISON_BYTE)
            return false;
    return true;
}
