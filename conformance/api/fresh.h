/* Tokens that a test may write. PKCS11_FRESH names a program; with --fresh, a directory
 * that does not exist yet, and lines of configuration, it prints the environment (NAME=VALUE
 * in a line) in which the module shows a token that was never initialised. */
#ifndef CONFORMANCE_API_FRESH_H
#define CONFORMANCE_API_FRESH_H

#include "conformance/api/objects.h"
#include "conformance/api/template.h"

/* PKCS11_SECRETS=tpm: keys of known_secret are to be in the TPM, and the tokens that name no
 * lines have these. */
#define SECRETS_IN_TPM "secret keys = tpm"
bool secrets_in_tpm(void);

#define FRESH_LABEL "a token to write on"
#define SO_PIN "87654321"
#define USER_PIN "1234"

/* The slot of a token that was never initialised; the module starts anew. `lines` are
 * words of a configuration, NULL for none. Skips the test where there is no such. */
CK_SLOT_ID uninitialised_token(const char *lines);
/* The same after C_InitToken alone, and after C_InitPIN; no session is open. */
CK_SLOT_ID initialised_token(const char *lines);
CK_SLOT_ID fresh_token(const char *lines);

/* One token for all tests of a program that have the same lines; the first makes it. */
CK_SLOT_ID common_token(const char *lines);
/* A read-write session of it in which the user is logged in. */
CK_SESSION_HANDLE user_session(void);
CK_SESSION_HANDLE user_session_with(const char *lines);
/* The common token's slot, wherever it is after a new start or in a child. */
CK_SLOT_ID common_slot(void);

/* Tear-down: destroys all that is on the common token, and closes all sessions. */
int destroy_everything(void **state);

/* C_InitToken with FRESH_LABEL; C_Login with a PIN of any content. */
CK_RV init_token(CK_SLOT_ID slot, const char *so_pin);
CK_RV init_token_labelled(CK_SLOT_ID slot, const char *so_pin, const char *label);
CK_RV login_as(CK_SESSION_HANDLE session, CK_USER_TYPE user, const char *pin);
CK_RV init_pin(CK_SESSION_HANDLE session, const char *pin);
CK_RV set_pin(CK_SESSION_HANDLE session, const char *old_pin, const char *new_pin);
/* Opens a read-write session, sets the user's PIN as SO, and closes it. */
CK_RV init_pin_as_so(CK_SLOT_ID slot, const char *so_pin, const char *pin);
bool flag_of_token(CK_SLOT_ID slot, CK_FLAGS flag);

/* C_Finalize and C_Initialize; the second half alone. The common token is found again. */
void new_start(void);
void start_again(void);
/* Runs the function in a new process, which has the module to itself: this one is
 * finalised until it ends. There, initialise() comes first, and child_rv() checks. */
void in_another_process(void (*function)(void));
/* In any process, without the checks of the framework. */
CK_RV find_label(const char *label, CK_SLOT_ID *ret_slot);

#endif
