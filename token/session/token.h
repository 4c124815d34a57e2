/* A token: what one section of the configuration serves, its objects, and whether
 * its user has logged in. The guard's token lock is held in every function that
 * changes one. */
#ifndef SIGNET_SESSION_TOKEN_H
#define SIGNET_SESSION_TOKEN_H

#include "token/key/material.h"
#include "token/object/object.h"
#include "token/session/pin_source.h"
#include "token/session/problem.h"

struct lock;

#define TOKEN_MAX_PIN_SIZE 255

struct token {
    CK_SLOT_ID slot;
    struct lock *lock;
    struct key_material material;
    struct bytes label;
    struct bytes id;
    char description[65];
    char manufacturer[33];
    char model[17];
    char serial[17];
    struct object **objects; /* in the order of their handles */
    size_t object_count;
    struct pin_source pin_source;
    struct problems problems;
    bool logged_in;
    CK_FLAGS pin_flags; /* CKF_USER_PIN_COUNT_LOW and LOCKED as last seen */
    CK_ULONG session_count;
    CK_ULONG rw_session_count;
};

/* Reads all that the section names, without a TPM command. On failure the reason
 * says which file and why: CKR_DATA_INVALID and others. Freed with token_free. */
CHECKED CK_RV token_open(const struct configuration *configuration,
                         const struct config_section *section, CK_SLOT_ID slot,
                         struct token **ret_token, struct reason *reason);
void token_free(struct token *token);

void token_slot_info(const struct token *token, CK_SLOT_INFO *ret_info);
void token_info(const struct token *token, CK_TOKEN_INFO *ret_info);

/* Fills a fixed field of PKCS#11: at most `room` bytes, never half a UTF-8
 * character, then blanks; such fields are not terminated. */
void token_fill_field(unsigned char *field, size_t room, struct view text);

bool token_needs_login(const struct token *token);

/* What token_login would answer whatever the PIN, else CKR_OK. */
CHECKED CK_RV token_check_login(const struct token *token, CK_USER_TYPE user);

/* PKCS#11 5.6.8. Objects that only the login reveals appear with it. */
CHECKED CK_RV token_login(struct token *token, CK_USER_TYPE user, struct view pin);
CHECKED CK_RV token_logout(struct token *token);

/* The object if it exists and may be seen now, else NULL. */
struct object *token_object(const struct token *token, CK_OBJECT_HANDLE handle);

/* True if the object exists but is hidden until login. */
bool token_object_is_hidden(const struct token *token, CK_OBJECT_HANDLE handle);

/* Takes the object over and gives it a handle; on failure it stays the caller's. */
CHECKED CK_RV token_add_object(struct token *token, CK_SESSION_HANDLE owner, struct object *object);
void token_remove_object(struct token *token, struct object *object);

/* Removes what a closed session leaves. */
void token_remove_session_objects(struct token *token, CK_SESSION_HANDLE owner);

#endif
