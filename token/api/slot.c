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
    if (info)
        token_info(token, info);
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

/* NULL keeps apart from empty: it asks for the token's own source of PINs. */
static struct view pin_view(const unsigned char *pin, unsigned long size)
{
    return (struct view){.data = pin, .size = size};
}

CK_RV C_InitToken(CK_SLOT_ID slot, unsigned char *pin, unsigned long pin_len, unsigned char *label)
{
    struct token *token;
    CK_RV rv = guard_enter_slot(slot, &token);
    if (rv != CKR_OK)
        return rv;
    rv = !label || (!pin && pin_len)
             ? CKR_ARGUMENTS_BAD
             : token_initialise(token, pin_view(pin, pin_len), view_of(label, 32));
    guard_leave(token);
    return rv;
}

CK_RV C_InitPIN(CK_SESSION_HANDLE handle, unsigned char *pin, unsigned long pin_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = !pin && pin_len ? CKR_ARGUMENTS_BAD : session_init_pin(session, pin_view(pin, pin_len));
    guard_leave(session->token);
    return rv;
}

CK_RV C_SetPIN(CK_SESSION_HANDLE handle, unsigned char *old_pin, unsigned long old_len,
               unsigned char *new_pin, unsigned long new_len)
{
    struct session *session;
    CK_RV rv = guard_enter_session(handle, &session);
    if (rv != CKR_OK)
        return rv;
    rv = (!old_pin && old_len) || (!new_pin && new_len)
             ? CKR_ARGUMENTS_BAD
             : session_set_pin(session, pin_view(old_pin, old_len), pin_view(new_pin, new_len));
    guard_leave(session->token);
    return rv;
}
