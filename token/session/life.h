/* The life of a token directory: initialisation, its two users and their PINs
 * (PKCS#11 5.5 and 5.6). The guard's token lock is held. */
#ifndef SIGNET_SESSION_LIFE_H
#define SIGNET_SESSION_LIFE_H

#include "token/key/vault.h"
#include "token/session/token.h"

/* CKF_TOKEN_INITIALIZED, CKF_LOGIN_REQUIRED and what the PINs' tries make of the
 * rest: as the last login in any process left them, without a TPM command. */
CK_FLAGS life_flags(struct token *token);

/* C_InitToken; label: 32 bytes, padded with blanks. A token that is initialised is wiped
 * by its SO's PIN alone. Killed at any point there is the old token or the new one. */
CHECKED CK_RV life_init_token(struct token *token, struct view pin, struct view label);

/* C_InitPIN: the SO is logged in. Counted tries are forgotten. */
CHECKED CK_RV life_init_pin(struct token *token, struct view pin);

/* C_SetPIN of the user (also if nobody is logged in), or of the SO. */
CHECKED CK_RV life_set_pin(struct token *token, struct view old_pin, struct view new_pin);

/* C_Login: opens the vault. */
CHECKED CK_RV life_login(struct token *token, CK_USER_TYPE user, struct view pin);

/* Opens the vault for a user and tells the log what became of it. *ret_pending: it was the
 * seal of a change that is still to be completed. */
CHECKED CK_RV life_open_vault(struct token *token, enum vault_user user, struct view pin,
                              bool *ret_pending);

/* The same PIN once more, for an operation that wants it each time. */
CHECKED CK_RV life_check_pin(struct token *token, enum vault_user user, struct view pin);

#endif
