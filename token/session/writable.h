/* A token directory behind a token: its file, its vault, and the objects of its
 * entries, kept in step with what is on disk. The guard's token lock is held. */
#ifndef SIGNET_SESSION_WRITABLE_H
#define SIGNET_SESSION_WRITABLE_H

#include "token/session/entry_file.h"
#include "token/session/token.h"
#include "token/session/token_file.h"
#include "token/store/directory.h"

#define WRITABLE_DEFAULT_TRIES 10
#define TRIES_FILE_NAME "tries"

/* One file and its objects, borrowed from the token's list. */
struct record {
    char *name;
    uint64_t version;
    struct object **objects;
    size_t count;
};

/* `known`: there is a token file and it was understood; `damaged`: there is one that was
 * not. `pinless` and the following come from the configuration. */
struct writable {
    struct directory *directory;
    struct vault *vault;
    bool known;
    bool damaged;
    uint64_t file_version;
    struct token_file file;
    struct vault_tries tries[VAULT_USERS];
    uint64_t tries_version;
    unsigned locked; /* how often writable_lock is to be undone */
    bool stale;      /* the records are behind the directory's list */
    bool pinless;
    bool pin_required; /* said so: a token without a PIN is not the one that is meant */
    enum key_sealing sealing;
    bool secrets_in_tpm; /* where it can have them */
    uint32_t try_limit[VAULT_USERS];
    struct record **records; /* in the order of their names */
    size_t record_count;
    size_t record_room;
};

/* What the section says of a token directory. path and tpm are borrowed. */
struct writable_settings {
    const char *path;
    const char *tpm;
    enum key_protection protection;
    bool pinless;
    bool pin_required;
    enum key_sealing sealing;
    bool secrets_in_tpm;
    uint32_t try_limit[VAULT_USERS];
};

/* No TPM command; a directory that does not exist is an uninitialised token. */
CHECKED CK_RV writable_open(const struct writable_settings *settings,
                            struct writable **ret_writable);
/* The token's objects must be gone before. NULL is fine. */
void writable_free(struct writable *writable);

/* Looks whether something has changed on disk since the last call, and reads the token
 * file again if it has. A directory that cannot be read leaves everything as it was, with a
 * log line. writable_load brings the objects up to date as well. */
void writable_refresh(struct token *token);
void writable_load(struct token *token);

/* Does using its keys want a login? */
bool writable_needs_login(const struct writable *writable);
bool writable_is_initialised(const struct writable *writable);
bool writable_is_read_only(const struct writable *writable);

/* Opens the vault of a token without PIN; with a PIN CKR_USER_NOT_LOGGED_IN if it is closed. */
CHECKED CK_RV writable_unlock(struct token *token);

/* The stored form of a token object, read anew. CKR_OBJECT_HANDLE_INVALID if somebody
 * removed it. `ret_objects` are all of its file, `*ret_object` is inside. */
CHECKED CK_RV writable_read(struct token *token, const struct object *object,
                            struct entry_objects *ret_objects, struct entry_object **ret_object);

/* The file of this name and its objects, or NULL. */
const struct record *writable_find_record(const struct token *token, const char *name);

/* Makes the objects those of the file's: handles stay with their CKA_UNIQUE_ID. The
 * contents are taken over. And lets go of a file that was removed. */
CHECKED CK_RV writable_apply(struct token *token, const char *name, uint64_t version,
                             struct attributes *contents, size_t count);
void writable_forget(struct token *token, const char *name);

/* Tells the vault which token it serves, as the file says. */
CHECKED CK_RV writable_tell_vault(struct writable *writable);

/* The file `token`, read again after the directory's lock was taken. */
CHECKED CK_RV writable_read_token_file(struct token *token);
CHECKED CK_RV writable_write_token_file(struct token *token, const struct token_file *file);

/* Removes all entries of this token id that can be removed. */
void writable_remove_entries(struct token *token, const uint8_t id[VAULT_TOKEN_SIZE]);

/* The directory's lock, which this token may hold already. Failures are logged. */
CHECKED CK_RV writable_lock(struct token *token);
void writable_release(struct token *token);

/* One log line about a failure in the directory; passes rv through. */
CHECKED CK_RV writable_fail(const struct token *token, CK_RV rv, const struct reason *reason);

#endif
