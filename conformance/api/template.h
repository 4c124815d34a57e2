/* Templates written where they are used:
 *     p11->C_CreateObject(session, LIST(NUMBER(CKA_CLASS, CKO_DATA), FLAG(CKA_TOKEN, true)), &o)
 * The values live as long as the block in which they are written. BYTES takes a pointer
 * and a length. */
#ifndef CONFORMANCE_API_TEMPLATE_H
#define CONFORMANCE_API_TEMPLATE_H

#include "conformance/api/client.h"

/* clang-format off */
#define BYTES(type, ...) BYTES_OF(type, __VA_ARGS__)
#define BYTES_OF(type, data, length) {type, (void *)(uintptr_t)(data), length}
#define FLAG(type, value) {type, &(CK_BBOOL){(value) ? CK_TRUE : CK_FALSE}, sizeof(CK_BBOOL)}
#define NUMBER(type, value) {type, &(CK_ULONG){value}, sizeof(CK_ULONG)}
#define TEXT(type, text) {type, (void *)(uintptr_t)(text), strlen(text)}
/* clang-format on */

/* Two arguments: the attributes, and their number. */
#define LIST(...)                                                                                  \
    (CK_ATTRIBUTE[]){__VA_ARGS__}, sizeof((CK_ATTRIBUTE[]){__VA_ARGS__}) / sizeof(CK_ATTRIBUTE)

#endif
