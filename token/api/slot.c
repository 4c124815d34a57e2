/* PKCS#11 5.5: slot and token management functions. */
#include "token/api/guard.h"
#include "token/session/mechanisms.h"

CK_RV C_GetSlotList(unsigned char token_present, CK_SLOT_ID *slot_list, unsigned long *count)
{
    (void)token_present; /* every slot holds its token */
    struct module *module;
    CK_RV rv = guard_enter_module(&module);
    if (rv != CKR_OK)
        return rv;
    CK_ULONG found = 0;
    while (module_token_at(module, found))
        found++;
    rv = count ? list_room(slot_list, count, found) : CKR_ARGUMENTS_BAD;
    for (CK_ULONG i = 0; rv == CKR_OK && slot_list && i < found; i++)
        slot_list[i] = module_token_at(module, i)->slot;
    guard_leave_module();
    return rv;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    if (info)
        token_slot_info(token, info);
    guard_leave(token);
    return info ? CKR_OK : CKR_ARGUMENTS_BAD;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    if (info) {
        guard_registry_take();
        token_info(token, info);
        guard_registry_release();
    }
    guard_leave(token);
    return info ? CKR_OK : CKR_ARGUMENTS_BAD;
}

/* Slots neither come nor go while the module is initialised. */
CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
    struct module *module;
    CK_RV rv = guard_enter_module(&module);
    if (rv != CKR_OK)
        return rv;
    guard_leave_module();
    if (!slot || reserved)
        return CKR_ARGUMENTS_BAD;
    return flags & CKF_DONT_BLOCK ? CKR_NO_EVENT : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *mechanism_list, unsigned long *count)
{
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    rv = count ? token_mechanism_list(token, mechanism_list, count) : CKR_ARGUMENTS_BAD;
    guard_leave(token);
    return rv;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    rv = token_mechanism_info(token, type, info);
    guard_leave(token);
    return rv;
}

CK_RV C_InitToken(CK_SLOT_ID slot, unsigned char *pin, unsigned long pin_len, unsigned char *label)
{
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    guard_leave(token);
    return !label || (!pin && pin_len) ? CKR_ARGUMENTS_BAD : CKR_TOKEN_WRITE_PROTECTED;
}

static CK_RV pin_is_fixed(CK_SESSION_HANDLE handle, const void *pin, CK_ULONG pin_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    guard_leave(session->token);
    return !pin && pin_len ? CKR_ARGUMENTS_BAD : CKR_TOKEN_WRITE_PROTECTED;
}

CK_RV C_InitPIN(CK_SESSION_HANDLE session, unsigned char *pin, unsigned long pin_len)
{
    return pin_is_fixed(session, pin, pin_len);
}

CK_RV C_SetPIN(CK_SESSION_HANDLE session, unsigned char *old_pin, unsigned long old_len,
               unsigned char *new_pin, unsigned long new_len)
{
    if ((!old_pin && old_len) || (!new_pin && new_len))
        return pin_is_fixed(session, NULL, 1);
    return pin_is_fixed(session, new_pin, new_len);
}
