/* From the text of a file in a token directory to objects, and back: entry files, and
 * the keys and certificates that were dropped in. */
#ifndef SIGNET_SESSION_ENTRY_FILE_H
#define SIGNET_SESSION_ENTRY_FILE_H

#include "token/key/make.h"
#include "token/object/attributes.h"

#define ENTRY_FILE_MAX_OBJECTS 33
#define ENTRY_FILE_MAX_SIZE (4 * 1024 * 1024)

/* The two lines that are no attributes. */
#define KEY_ID_LINE "key id"
#define ENCRYPTED_LINE "encrypted value"

/* One object as a file keeps it. The attributes are whole but for values that are
 * encrypted. pem holds its key or certificate; key_id is what its key, or its
 * encrypted value, is bound to; both may be empty. */
struct entry_object {
    struct attributes attributes;
    struct bytes pem;
    struct bytes key_id;
    struct bytes encrypted_value;
};

/* A file's objects. `own`: it is an entry file, of the token `token`; else it was
 * dropped in, and its objects can be neither changed nor removed. */
struct entry_objects {
    bool own;
    uint8_t token[VAULT_TOKEN_SIZE];
    struct entry_object objects[ENTRY_FILE_MAX_OBJECTS];
    size_t count;
};
void entry_objects_clear(struct entry_objects *objects);
void entry_object_clear(struct entry_object *object);
CK_OBJECT_CLASS entry_object_class(const struct entry_object *object);

/* `name` is the file's, for labels of what was dropped in; `login` makes private keys
 * that were dropped in private objects. CKR_DATA_INVALID with the reason. */
CHECKED CK_RV entry_file_parse(struct view text, const char *name, bool login,
                               struct entry_objects *ret_objects, struct reason *reason);

/* The text of an entry file of our own. A public key beside its private one is not
 * written twice. */
CHECKED CK_RV entry_file_write(const struct entry_objects *objects, struct bytes *ret_text);

/* Is it an entry file of this token, or one that says so at least? */
bool entry_file_belongs(struct view text, const uint8_t token[VAULT_TOKEN_SIZE]);

/* The object with this CKA_UNIQUE_ID, or NULL. */
struct entry_object *entry_file_find(struct entry_objects *objects, struct view unique);

#endif
