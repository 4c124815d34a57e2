/* PKCS#11 5.4: the function lists and interfaces. */
#include <string.h>

#include "token/base/bytes.h"

#define MEMBER(name) .name = name,

static CK_FUNCTION_LIST list_2_40 = {.version = {.major = 2, .minor = 40},
                                     SIGNET_FUNCTIONS_2_40(MEMBER)};

static CK_FUNCTION_LIST_3_0 list_3_0 = {.version = {.major = 3, .minor = 0},
                                        SIGNET_FUNCTIONS_2_40(MEMBER) SIGNET_FUNCTIONS_3_0(MEMBER)};

/* Version 3.1 changed no function. */
static CK_FUNCTION_LIST_3_0 list_3_1 = {.version = {.major = 3, .minor = 1},
                                        SIGNET_FUNCTIONS_2_40(MEMBER) SIGNET_FUNCTIONS_3_0(MEMBER)};

static CK_FUNCTION_LIST_3_2 list_3_2 = {.version = {.major = 3, .minor = 2},
                                        SIGNET_FUNCTIONS_2_40(MEMBER) SIGNET_FUNCTIONS_3_0(MEMBER)
                                            SIGNET_FUNCTIONS_3_2(MEMBER)};

/* Headers differ about the name: a char in p11-kit's, a CK_UTF8CHAR in OASIS's. */
static char name_pkcs11[] = "PKCS 11";

/* The first is the default, and stays at 3.0: NSS takes the default as it comes and
 * goes by the version of C_GetInfo, which must not promise more; whoever knows 3.2 asks
 * for it. Without CKF_INTERFACE_FORK_SAFE: a forked child has to initialise again
 * (PKCS#11 5.4.5 means more by it than doing no harm). */
static CK_INTERFACE interfaces[] = {
    {(void *)name_pkcs11, &list_3_0, 0},
    {(void *)name_pkcs11, &list_3_2, 0},
    {(void *)name_pkcs11, &list_3_1, 0},
    {(void *)name_pkcs11, &list_2_40, 0},
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    *list = &list_2_40;
    return CKR_OK;
}

CK_RV C_GetInterfaceList(CK_INTERFACE *list, unsigned long *count)
{
    if (!count)
        return CKR_ARGUMENTS_BAD;
    CK_ULONG room = *count;
    *count = ARRAY_SIZE(interfaces);
    if (!list)
        return CKR_OK;
    if (room < ARRAY_SIZE(interfaces))
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, interfaces, sizeof(interfaces));
    return CKR_OK;
}

/* Each list begins with their version. */
static bool has_version(const CK_INTERFACE *interface, const CK_VERSION *version)
{
    const CK_VERSION *own = interface->pFunctionList;
    return !version || (own->major == version->major && own->minor == version->minor);
}

CK_RV C_GetInterface(unsigned char *name, CK_VERSION *version, CK_INTERFACE **interface,
                     CK_FLAGS flags)
{
    if (!interface)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
        if ((!name || strcmp((const char *)name, name_pkcs11) == 0) &&
            has_version(&interfaces[i], version) && (interfaces[i].flags & flags) == flags) {
            *interface = &interfaces[i];
            return CKR_OK;
        }
    }
    return CKR_FUNCTION_FAILED;
}
