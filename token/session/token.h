/* A token: what one section of the configuration serves (an exported key, or a token
 * directory), its objects, and who has logged in. The guard's token lock is held in every function
 * that changes one. */
#ifndef SIGNET_SESSION_TOKEN_H
#define SIGNET_SESSION_TOKEN_H

#include "token/key/material.h"
#include "token/object/object.h"
#include "token/session/pin_source.h"
#include "token/session/problem.h"

struct lock;
struct writable;
struct finder;
struct saved_states;

#define TOKEN_MAX_PIN_SIZE 255

enum token_login { TOKEN_PUBLIC, TOKEN_USER, TOKEN_SO };

struct token {
    CK_SLOT_ID slot;
    struct lock *lock;
    struct key_material material; /* of an exported key */
    struct writable *writable;    /* of a token directory, else NULL */
    struct bytes label;
    struct bytes id;
    char description[65];
    char manufacturer[33];
    char model[17];
    char serial[17];
    bool serial_given;       /* by the configuration */
    struct object **objects; /* in the order of their handles */
    size_t object_count;
    size_t object_room;
    struct finder *finder; /* NULL until something is looked for */
    struct pin_source pin_source;
    struct pin_source so_pin_source;
    struct problems problems; /* what is left out, for who explains it */
    enum token_login login;
    CK_FLAGS pin_flags; /* of an exported key: COUNT_LOW and LOCKED as last seen */
    CK_ULONG session_count;
    CK_ULONG rw_session_count;
    struct saved_states *saved; /* of C_GetOperationState; NULL: none yet */
};

/* Reads all that the section names, without a TPM command. On failure the reason
 * says which file and why: CKR_DATA_INVALID and others. Freed with token_free. */
CHECKED CK_RV token_open(const struct configuration *configuration,
                         const struct config_section *section, CK_SLOT_ID slot,
                         struct token **ret_token, struct reason *reason);
void token_free(struct token *token);

void token_slot_info(const struct token *token, CK_SLOT_INFO *ret_info);
void token_info(struct token *token, CK_TOKEN_INFO *ret_info);

/* Fills a fixed field of PKCS#11: at most `room` bytes, never half a UTF-8
 * character, then blanks; such fields are not terminated. */
void token_fill_field(unsigned char *field, size_t room, struct view text);

/* Looks whether somebody else has changed what the token is, before a session begins. No
 * TPM command. */
void token_look(struct token *token);

bool token_needs_login(const struct token *token);
bool token_is_read_only(const struct token *token);

/* The user may use private objects: logged in, or there is nothing to log in to. */
bool token_is_open(const struct token *token);

/* The serial number as a hash of what tells the token from others. */
CHECKED CK_RV token_set_serial(struct token *token, struct view identity);

/* CKF_USER_PIN_COUNT_LOW and its like, without a TPM command. */
CK_FLAGS token_pin_flags(struct token *token);

/* PKCS#11 5.6.8. Objects that only the login reveals appear with it. */
CHECKED CK_RV token_login(struct token *token, CK_USER_TYPE user, struct view pin);
CHECKED CK_RV token_logout(struct token *token);

/* C_InitToken. CKR_TOKEN_WRITE_PROTECTED for an exported key. */
CHECKED CK_RV token_initialise(struct token *token, struct view pin, struct view label);

/* Asks the one who is logged in again: for CKA_ALWAYS_AUTHENTICATE. */
CHECKED CK_RV token_check_pin(struct token *token, struct view pin);

/* Where its private keys are used. */
enum key_place token_place(const struct token *token);

/* The object if it exists and may be seen now, else NULL. */
struct object *token_object(const struct token *token, CK_OBJECT_HANDLE handle);

/* True if this object of the token may be seen now. */
bool token_shows(const struct token *token, const struct object *object);

/* Makes the search's index, if the token is large enough for one. */
CHECKED CK_RV token_index(struct token *token);

/* True if the object exists but is hidden until login. */
bool token_object_is_hidden(const struct token *token, CK_OBJECT_HANDLE handle);

/* Takes the object over and gives it a handle; on failure it stays the caller's. */
CHECKED CK_RV token_add_object(struct token *token, CK_SESSION_HANDLE owner, struct object *object);
void token_remove_object(struct token *token, struct object *object);
void token_remove_stored_objects(struct token *token);

/* Around a change of an object's attributes: out of the search's index, and back. */
void token_unlist_object(struct token *token, struct object *object);
CHECKED CK_RV token_list_object(struct token *token, struct object *object);

/* The key of a key object, borrowed; of a stored object it is read when first asked for. */
CHECKED CK_RV token_key(struct token *token, struct object *object, struct key **ret_key);

/* Puts a value that is kept encrypted among the object's attributes, if it may be read
 * at all and the vault is open; harmless for others. */
CHECKED CK_RV token_reveal(struct token *token, struct object *object);

/* Removes what a closed session leaves. */
void token_remove_session_objects(struct token *token, CK_SESSION_HANDLE owner);

#endif
