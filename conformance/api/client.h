/* What the programs of this folder share: the module under test, its slots
 * and sessions, and checks whose messages name the call and both codes.
 *
 * All parameters come from the environment:
 *   PKCS11_MODULE      path of the module
 *   PKCS11_TOKEN_EC    label of a token with a P-256 key pair and its certificate
 *   PKCS11_TOKEN_RSA   the same with an RSA-2048 key
 *   PKCS11_TOKEN_PIN   label of a token whose key needs the PIN
 *   PKCS11_PIN         that PIN, also for the others if they ask for one
 *   PKCS11_WRITABLE    1 when the tokens take new objects
 *   PKCS11_HARDWARE    1 when the keys are in a chip
 *   PKCS11_EXCLUSIVE   1 when the TPM serves one process at a time
 * A test whose parameter is missing is skipped and says so. */
#ifndef CONFORMANCE_API_CLIENT_H
#define CONFORMANCE_API_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "token/base/pkcs11.h"

/* The 2.40 function list, and the 3.0 and 3.2 lists or NULL; set by client_load. */
extern CK_FUNCTION_LIST *p11;
extern CK_FUNCTION_LIST_3_0 *p11_v3;
extern CK_FUNCTION_LIST_3_2 *p11_v32;

/* Values nobody returns: out-parameters start with them. */
#define POISON_ULONG 0xA5A5A5A5A5A5A5A5UL
#define POISON_BYTE 0xA5
#define UNAVAILABLE CK_UNAVAILABLE_INFORMATION

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CODES(...) ((CK_RV[]){__VA_ARGS__}), COUNT_OF(((CK_RV[]){__VA_ARGS__}))

/* The call must answer one of the codes, or the test ends. */
#define assert_rv(call, ...) check_rv(__FILE__, __LINE__, #call, (call), CODES(__VA_ARGS__), true)
#define assert_ok(call) check_rv(__FILE__, __LINE__, #call, (call), CODES(CKR_OK), true)

/* The same for rows of a table: a wrong answer is printed and remembered, and
 * the test fails in expectations_met() at its end. */
#define expect_rv(call, ...) check_rv(__FILE__, __LINE__, #call, (call), CODES(__VA_ARGS__), false)
#define expect_true(what)                                                                          \
    do {                                                                                           \
        if (!(what))                                                                               \
            expectation_failed(__FILE__, __LINE__, #what);                                         \
    } while (0)

CK_RV check_rv(const char *file, int line, const char *call, CK_RV got, const CK_RV *allowed,
               size_t allowed_count, bool at_once);
void expectation_failed(const char *file, int line, const char *what);
void expectations_met(void);

/* Ends the test as skipped, with the reason in the output. */
void skip_because(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For rules that are this project's own promise and not the specification's:
 * another module skips the test. */
void signet_only(const char *promise);
bool module_is_signet(void);

/* Ends the test as skipped where the module has no 3.2 list. */
void version_3_2_or_skip(void);

/* The names of the standard, or the number in hexadecimal; static storage. */
const char *rv_name(CK_RV rv);
const char *mechanism_name(CK_MECHANISM_TYPE type);

/* dlopen and C_GetFunctionList; as often as wanted. client_symbol is NULL
 * when the module does not export the name. */
void client_load(void);
void *client_symbol(const char *name);

/* Group set-up and tear-down: module loaded only / loaded and initialised. */
int loaded_setup(void **state);
int initialised_setup(void **state);
int initialised_teardown(void **state);
/* Test tear-down: no session survives a test, whatever happened in it. */
int close_everything(void **state);
CK_RV initialise(void);

/* True when the environment variable is "1". */
bool setting(const char *name);

/* The slots with an initialised token; ret_slots has room for MAX_SLOTS. */
#define MAX_SLOTS 64
CK_ULONG all_slots(CK_SLOT_ID *ret_slots);
bool find_slot(const char *label, CK_SLOT_ID *ret_slot);
/* The slot whose token label is in this environment variable, or skip. */
CK_SLOT_ID slot_or_skip(const char *variable);
CK_TOKEN_INFO token_info(CK_SLOT_ID slot);
bool write_protected(CK_SLOT_ID slot);
bool login_required(CK_SLOT_ID slot);

CK_SESSION_HANDLE open_session(CK_SLOT_ID slot);
CK_SESSION_HANDLE open_rw_session(CK_SLOT_ID slot);
CK_STATE session_state(CK_SESSION_HANDLE session);
/* C_Login with PKCS11_PIN where the token asks for a login; else nothing. */
void login_if_needed(CK_SESSION_HANDLE session, CK_SLOT_ID slot);
/* PKCS11_PIN, or skip. */
const char *pin_or_skip(void);
CK_RV login(CK_SESSION_HANDLE session, const char *pin);

/* True when the field was written and holds no NUL. */
bool blank_padded(const CK_UTF8CHAR *field, size_t size);
/* True when every byte is still POISON_BYTE. */
bool untouched(const void *memory, size_t size);

#endif
