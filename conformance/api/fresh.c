#include "conformance/api/fresh.h"

#include <limits.h>
#include <unistd.h>

#include "conformance/api/children.h"

#define MAX_LINES 200

static CK_SLOT_ID common;
static bool common_made;
static char common_lines[MAX_LINES];

/* Each line of the command's output is put into the environment. */
static bool take_environment(FILE *output)
{
    char line[PATH_MAX + 64];
    bool any = false;

    while (fgets(line, sizeof(line), output)) {
        char *value = strchr(line, '=');

        line[strcspn(line, "\n")] = '\0';
        if (!value)
            continue;
        *value = '\0';
        setenv(line, value + 1, 1);
        any = true;
    }
    return any;
}

/* The command's exit status: 0 when it was done, 2 when the module has no such. */
static int run_command(const char *lines)
{
    static unsigned turn;
    char command[2 * PATH_MAX];
    FILE *output;
    bool any;
    int status;

    snprintf(command, sizeof(command), "\"$PKCS11_FRESH\" --fresh \"$HOME/fresh-%d-%u\" \"%s\"",
             (int)getpid(), turn++, lines ? lines : "");
    output = popen(command, "r");
    if (!output)
        fail_msg("no shell");
    any = take_environment(output);
    status = pclose(output);
    return status == 0 && !any ? -1 : status >> 8;
}

static CK_SLOT_ID slot_without_token(void)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS;

    assert_ok(p11->C_GetSlotList(CK_TRUE, slots, &count));
    for (CK_ULONG i = 0; i < count; i++)
        if (!(token_info(slots[i]).flags & CKF_TOKEN_INITIALIZED))
            return slots[i];
    fail_msg("none of %lu tokens is uninitialised", count);
    return 0;
}

CK_SLOT_ID uninitialised_token(const char *lines)
{
    CK_RV rv;
    int status;

    if (!getenv("PKCS11_FRESH"))
        skip_because("PKCS11_FRESH is not set: the module has no token to write on");
    rv = p11->C_Finalize(NULL);
    assert_rv(rv, CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED);
    status = run_command(lines);
    assert_ok(initialise());
    if (status == 2)
        skip_because("the module's tokens cannot have '%.*s'", (int)strcspn(lines, "\n"), lines);
    assert_int_equal(status, 0);
    common_made = false;
    return slot_without_token();
}

CK_SLOT_ID initialised_token(const char *lines)
{
    CK_SLOT_ID slot = uninitialised_token(lines);

    assert_ok(init_token(slot, SO_PIN));
    return slot;
}

CK_SLOT_ID fresh_token(const char *lines)
{
    CK_SLOT_ID slot = initialised_token(lines);

    assert_ok(init_pin_as_so(slot, SO_PIN, USER_PIN));
    return slot;
}

bool secrets_in_tpm(void)
{
    const char *where = getenv("PKCS11_SECRETS");

    return where && strcmp(where, "tpm") == 0;
}

CK_SLOT_ID common_token(const char *lines)
{
    if (!lines && secrets_in_tpm())
        lines = SECRETS_IN_TPM;
    if (common_made && strcmp(common_lines, lines ? lines : "") == 0)
        return common;
    common = fresh_token(lines);
    snprintf(common_lines, sizeof(common_lines), "%s", lines ? lines : "");
    common_made = true;
    return common;
}

CK_SESSION_HANDLE user_session_with(const char *lines)
{
    CK_SESSION_HANDLE session = open_rw_session(common_token(lines));

    assert_rv(login_as(session, CKU_USER, USER_PIN), CKR_OK, CKR_USER_ALREADY_LOGGED_IN);
    return session;
}

CK_SESSION_HANDLE user_session(void)
{
    return user_session_with(common_made ? common_lines : NULL);
}

CK_SLOT_ID common_slot(void)
{
    return common_token(common_made ? common_lines : NULL);
}

static bool is_profile(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE attribute = {CKA_CLASS, &class, sizeof(class)};

    return p11->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK &&
           class == CKO_PROFILE;
}

static void destroy_found(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = 0;

    do {
        if (p11->C_FindObjectsInit(session, NULL, 0) != CKR_OK)
            return;
        if (p11->C_FindObjects(session, objects, MAX_FOUND, &count) != CKR_OK)
            count = 0;
        p11->C_FindObjectsFinal(session);
        for (CK_ULONG i = 0; i < count; i++)
            if (!is_profile(session, objects[i]) &&
                p11->C_DestroyObject(session, objects[i]) != CKR_OK)
                common_made = false; /* not clean any more: the next test makes its own */
    } while (count == MAX_FOUND && common_made);
}

int destroy_everything(void **state)
{
    CK_SESSION_HANDLE session;

    if (common_made) {
        p11->C_CloseAllSessions(common);
        if (p11->C_OpenSession(common, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) ==
                CKR_OK &&
            login_as(session, CKU_USER, USER_PIN) == CKR_OK)
            destroy_found(session);
        else
            common_made = false;
    }
    return close_everything(state);
}

CK_RV init_token_labelled(CK_SLOT_ID slot, const char *so_pin, const char *label)
{
    CK_UTF8CHAR padded[32];

    memset(padded, ' ', sizeof(padded));
    memcpy(padded, label, strnlen(label, sizeof(padded)));
    return p11->C_InitToken(slot, (CK_UTF8CHAR *)(uintptr_t)so_pin, strlen(so_pin), padded);
}

CK_RV init_token(CK_SLOT_ID slot, const char *so_pin)
{
    return init_token_labelled(slot, so_pin, FRESH_LABEL);
}

CK_RV login_as(CK_SESSION_HANDLE session, CK_USER_TYPE user, const char *pin)
{
    return p11->C_Login(session, user, (CK_UTF8CHAR *)(uintptr_t)pin, strlen(pin));
}

CK_RV init_pin(CK_SESSION_HANDLE session, const char *pin)
{
    return p11->C_InitPIN(session, (CK_UTF8CHAR *)(uintptr_t)pin, strlen(pin));
}

CK_RV set_pin(CK_SESSION_HANDLE session, const char *old_pin, const char *new_pin)
{
    return p11->C_SetPIN(session, (CK_UTF8CHAR *)(uintptr_t)old_pin, strlen(old_pin),
                         (CK_UTF8CHAR *)(uintptr_t)new_pin, strlen(new_pin));
}

CK_RV init_pin_as_so(CK_SLOT_ID slot, const char *so_pin, const char *pin)
{
    CK_SESSION_HANDLE session = open_rw_session(slot);
    CK_RV rv = login_as(session, CKU_SO, so_pin);

    if (rv == CKR_OK)
        rv = init_pin(session, pin);
    assert_ok(p11->C_CloseSession(session));
    return rv;
}

bool flag_of_token(CK_SLOT_ID slot, CK_FLAGS flag)
{
    return (token_info(slot).flags & flag) != 0;
}

CK_RV find_label(const char *label, CK_SLOT_ID *ret_slot)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS;
    CK_RV rv = p11->C_GetSlotList(CK_TRUE, slots, &count);

    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++) {
        CK_TOKEN_INFO info;

        rv = p11->C_GetTokenInfo(slots[i], &info);
        if (rv != CKR_OK || memcmp(info.label, label, strlen(label)) != 0)
            continue;
        *ret_slot = slots[i];
        return CKR_OK;
    }
    return rv == CKR_OK ? CKR_TOKEN_NOT_PRESENT : rv;
}

void start_again(void)
{
    assert_ok(initialise());
    if (common_made)
        assert_ok(find_label(FRESH_LABEL, &common));
}

void new_start(void)
{
    assert_ok(p11->C_Finalize(NULL));
    start_again();
}

void in_another_process(void (*function)(void))
{
    assert_ok(p11->C_Finalize(NULL));
    run_child(function);
    start_again();
}
