/* PKCS#11 5.4: general-purpose functions (but for the lists: interface.c). */
#include "token/api/guard.h"

CK_RV C_Initialize(void *init_args)
{
    return guard_initialize(init_args);
}

CK_RV C_Finalize(void *reserved)
{
    return reserved ? CKR_ARGUMENTS_BAD : guard_finalize();
}

CK_RV C_GetInfo(CK_INFO *info)
{
    struct module *module;
    CK_RV rv = guard_enter_module(&module);
    if (rv != CKR_OK)
        return rv;
    if (info)
        module_info(module, info);
    guard_leave_module();
    return info ? CKR_OK : CKR_ARGUMENTS_BAD;
}
