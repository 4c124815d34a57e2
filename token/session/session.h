/* Sessions, and the module that owns everything: tokens, sessions, configuration.
 * The guard's registry lock is held in every function that takes a module. */
#ifndef SIGNET_SESSION_SESSION_H
#define SIGNET_SESSION_SESSION_H

#include "token/session/token.h"

struct operation;

enum operation_kind {
    OPERATION_ENCRYPT,
    OPERATION_DECRYPT,
    OPERATION_DIGEST,
    OPERATION_SIGN,
    OPERATION_VERIFY,
    OPERATION_VERIFY_SIGNATURE,
    OPERATION_SIGN_RECOVER,
    OPERATION_VERIFY_RECOVER,
    OPERATION_MESSAGE_ENCRYPT,
    OPERATION_MESSAGE_DECRYPT,
    OPERATION_MESSAGE_SIGN,
    OPERATION_MESSAGE_VERIFY,
    OPERATION_KINDS,
};

/* The results of a running search: handles, given out in turn. */
struct search {
    bool active;
    CK_OBJECT_HANDLE *handles;
    size_t count;
    size_t room;
    size_t next;
};

struct session {
    CK_SESSION_HANDLE handle;
    struct token *token;
    bool rw;
    struct operation *operations[OPERATION_KINDS];
    struct search search;
};

struct module;

/* Reads the configuration that `string` (may be NULL) or the environment names
 * and opens its tokens; one that cannot be opened is left out and logged.
 * CKR_ARGUMENTS_BAD for a string that is not ours. */
CHECKED CK_RV module_new(const char *string, struct module **ret_module);
void module_free(struct module *module);

/* In a forked child: lets go of what the parent still uses, frees nothing. */
void module_abandon(struct module *module);

/* Before module_new, with no lock held: starts the libraries below, which may read
 * the host's configuration and come back here. */
void module_prepare(void);

/* False once the process is ending and the libraries below are gone: then only
 * C_Finalize does anything, and that is to return. */
bool module_alive(void);

/* Random bytes, and more entropy for them; needs no lock. */
CHECKED CK_RV module_random(CK_BYTE *out, size_t size);
CHECKED CK_RV module_random_seed(struct view seed);

void module_info(const struct module *module, CK_INFO *ret_info);

/* What was read, problems included, and why the section of that number (from 1) was
 * left out: the text is empty if it was not. Borrowed; for `signet doctor`. */
const struct configuration *module_configuration(const struct module *module);
const struct reason *module_left_out(const struct module *module, size_t section);

/* By slot; NULL if there is none. By index from 0; NULL behind the last. */
struct token *module_token(const struct module *module, CK_SLOT_ID slot);
struct token *module_token_at(const struct module *module, size_t index);

/* CKR_SESSION_COUNT when no more can be opened. */
CHECKED CK_RV module_open_session(struct module *module, struct token *token, bool rw,
                                  CK_SESSION_HANDLE *ret_handle);

/* NULL for a handle that was never given, or whose session is closed. */
struct session *module_session(const struct module *module, CK_SESSION_HANDLE handle);

/* Any session of the token, or CK_INVALID_HANDLE. */
CK_SESSION_HANDLE module_session_of(const struct module *module, const struct token *token);

/* After a logout: ends what the token's sessions were doing with private keys. */
void module_end_private(const struct module *module, const struct token *token);

/* Takes the session out of the table; the caller holds its token's lock and frees
 * it with session_free. */
void module_remove_session(struct module *module, struct session *session);

/* Ends its operations and objects; the last session of a token logs it out. */
void session_free(struct session *session);

CK_STATE session_state(const struct session *session);

/* C_Login, C_InitPIN and C_SetPIN as this session may call them. */
CHECKED CK_RV session_login(struct session *session, CK_USER_TYPE user, struct view pin);
/* What session_login would answer whatever the PIN is, so that nobody is asked in vain. */
CHECKED CK_RV session_check_login(const struct session *session, CK_USER_TYPE user);
CHECKED CK_RV session_init_pin(struct session *session, struct view pin);
CHECKED CK_RV session_set_pin(struct session *session, struct view old_pin, struct view new_pin);

#endif
