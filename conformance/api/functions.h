/* Every function of the lists called once with harmless arguments. */
#ifndef CONFORMANCE_API_FUNCTIONS_H
#define CONFORMANCE_API_FUNCTIONS_H

#include "conformance/api/client.h"

/* Expects the code of each function but C_Initialize, C_GetFunctionList,
 * C_GetInterfaceList and C_GetInterface. Returns how many answered otherwise;
 * each is printed on the error stream. Safe in a forked child. */
unsigned functions_not_answering(CK_RV expected);

/* How many pointers of the lists are NULL. */
unsigned null_functions_2_40(const CK_FUNCTION_LIST *list);
unsigned null_functions_3_0(const CK_FUNCTION_LIST_3_0 *list);
unsigned null_functions_3_2(const CK_FUNCTION_LIST_3_2 *list);

#endif
