#include "token/session/records.h"

#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"

/* What the index keeps for a file: a head and the packed attributes of its objects. */
#define CACHE_VERSION 1

struct cache_head {
    uint32_t version;
    uint32_t count;
    uint32_t own;
    uint32_t login; /* as it was taken for what was dropped in */
    uint8_t token[VAULT_TOKEN_SIZE];
};

/* A file's objects, on their way into the token. */
struct contents {
    bool own;
    uint8_t token[VAULT_TOKEN_SIZE];
    struct attributes objects[ENTRY_FILE_MAX_OBJECTS];
    size_t count;
};

static void contents_clear(struct contents *contents)
{
    for (size_t i = 0; i < contents->count; i++)
        attributes_clear(&contents->objects[i]);
    contents->count = 0;
}

static void record_free(struct record *record)
{
    free(record->name);
    free(record->objects);
    free(record);
}

void records_free(struct writable *writable)
{
    for (size_t i = 0; i < writable->record_count; i++)
        record_free(writable->records[i]);
    free(writable->records);
    writable->records = NULL;
    writable->record_count = 0;
    writable->record_room = 0;
}

void records_forget(struct token *token)
{
    token_remove_stored_objects(token);
    records_free(token->writable);
    problems_clear(&token->problems);
}

/* Where the name is, or would have to be put. */
static size_t place_of(const struct writable *writable, const char *name, bool *ret_found)
{
    size_t low = 0;
    size_t high = writable->record_count;
    /* They come in order when all are read. */
    if (high && strcmp(writable->records[high - 1]->name, name) < 0)
        low = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(writable->records[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = low < writable->record_count && strcmp(writable->records[low]->name, name) == 0;
    return low;
}

static CK_RV add_record(struct writable *writable, size_t at, const char *name,
                        struct record **ret_record)
{
    if (writable->record_count == writable->record_room) {
        size_t room = writable->record_room ? 2 * writable->record_room : 16;
        struct record **more = realloc(writable->records, room * sizeof(struct record *));
        if (!more)
            return CKR_HOST_MEMORY;
        writable->records = more;
        writable->record_room = room;
    }
    struct record **records = writable->records;
    struct record *record = calloc(1, sizeof(*record));
    if (!record)
        return CKR_HOST_MEMORY;
    record->name = strdup(name);
    if (!record->name) {
        free(record);
        return CKR_HOST_MEMORY;
    }
    memmove(&records[at + 1], &records[at],
            (writable->record_count - at) * sizeof(struct record *));
    records[at] = record;
    writable->record_count++;
    *ret_record = record;
    return CKR_OK;
}

static void remove_record(struct token *token, size_t at)
{
    struct writable *writable = token->writable;
    struct record *record = writable->records[at];
    for (size_t i = 0; i < record->count; i++)
        token_remove_object(token, record->objects[i]);
    memmove(&writable->records[at], &writable->records[at + 1],
            (writable->record_count - at - 1) * sizeof(struct record *));
    writable->record_count--;
    record_free(record);
}

static struct object *find_by_unique(const struct record *record, struct view unique)
{
    for (size_t i = 0; i < record->count; i++)
        if (view_equal(attributes_value(&record->objects[i]->attributes, CKA_UNIQUE_ID), unique))
            return record->objects[i];
    return NULL;
}

/* New attributes for an object whose handle stays. */
static CK_RV update_object(struct token *token, struct object *object,
                           struct attributes *attributes)
{
    token_unlist_object(token, object);
    attributes_clear(&object->attributes);
    object->attributes = *attributes;
    *attributes = (struct attributes){0};
    object->revealed = false;
    key_unref(object->key);
    object->key = NULL;
    return token_list_object(token, object);
}

static CK_RV add_object(struct token *token, struct record *record, struct attributes *attributes,
                        struct object **ret_object)
{
    struct object *object = NULL;
    CK_RV rv = object_new(attributes, &object);
    if (rv != CKR_OK)
        return rv;
    object->home = record;
    rv = token_add_object(token, CK_INVALID_HANDLE, object);
    if (rv != CKR_OK) {
        object_free(object);
        return rv;
    }
    *ret_object = object;
    return CKR_OK;
}

static bool is_among(struct object *const *objects, size_t count, const struct object *object)
{
    for (size_t i = 0; i < count; i++)
        if (objects[i] == object)
            return true;
    return false;
}

static CK_RV replace_objects(struct token *token, struct record *record,
                             struct attributes *contents, size_t count)
{
    struct object **objects = calloc(count + 1, sizeof(struct object *));
    if (!objects)
        return CKR_HOST_MEMORY;
    CK_RV rv = CKR_OK;
    size_t made = 0;
    for (; made < count && rv == CKR_OK; made++) {
        struct object *same =
            find_by_unique(record, attributes_value(&contents[made], CKA_UNIQUE_ID));
        if (same && is_among(objects, made, same))
            same = NULL;
        objects[made] = same;
        rv = same ? update_object(token, same, &contents[made])
                  : add_object(token, record, &contents[made], &objects[made]);
    }
    if (rv != CKR_OK)
        made--;
    for (size_t i = 0; i < record->count; i++)
        if (!is_among(objects, made, record->objects[i]))
            token_remove_object(token, record->objects[i]);
    free(record->objects);
    record->objects = objects;
    record->count = made;
    return rv;
}

CK_RV writable_apply(struct token *token, const char *name, uint64_t version,
                     struct attributes *contents, size_t count)
{
    struct writable *writable = token->writable;
    bool found = false;
    size_t at = place_of(writable, name, &found);
    struct record *record = found ? writable->records[at] : NULL;
    CK_RV rv = found ? CKR_OK : add_record(writable, at, name, &record);
    if (rv != CKR_OK)
        return rv;
    record->version = version;
    return replace_objects(token, record, contents, count);
}

const struct record *writable_find_record(const struct token *token, const char *name)
{
    bool found = false;
    size_t at = place_of(token->writable, name, &found);
    return found ? token->writable->records[at] : NULL;
}

void writable_forget(struct token *token, const char *name)
{
    bool found = false;
    size_t at = place_of(token->writable, name, &found);
    if (found)
        remove_record(token, at);
}

/* The index's form. It is not trusted: whatever is wrong means that the file is read. */

static bool uncache(struct view cached, bool login, struct contents *ret_contents)
{
    struct cache_head head;
    if (cached.size < sizeof(head))
        return false;
    memcpy(&head, cached.data, sizeof(head));
    if (head.version != CACHE_VERSION || head.count > ENTRY_FILE_MAX_OBJECTS || head.own > 1 ||
        (!head.own && head.login != login))
        return false;
    struct view rest = view_of(cached.data + sizeof(head), cached.size - sizeof(head));
    ret_contents->own = head.own;
    memcpy(ret_contents->token, head.token, sizeof(head.token));
    for (uint32_t i = 0; i < head.count; i++) {
        uint64_t size;
        if (rest.size < sizeof(size))
            return false;
        memcpy(&size, rest.data, sizeof(size));
        rest = view_of(rest.data + sizeof(size), rest.size - sizeof(size));
        struct attributes borrowed = {0};
        if (size > rest.size ||
            attributes_unpack(view_of(rest.data, (size_t)size), &borrowed) != CKR_OK ||
            attributes_copy(&ret_contents->objects[i], &borrowed) != CKR_OK)
            return false;
        ret_contents->count++;
        size_t whole = ((size_t)size + 7) & ~(size_t)7;
        whole = whole < rest.size ? whole : rest.size;
        rest = view_of(rest.data + whole, rest.size - whole);
    }
    return rest.size == 0;
}

static CK_RV append_object(struct bytes *cache, const struct attributes *attributes)
{
    static const uint8_t zeros[8];
    struct bytes packed CLEANUP(bytes_free) = {0};
    CK_RV rv = attributes_pack(attributes, &packed);
    if (rv != CKR_OK)
        return rv;
    uint64_t size = packed.size;
    rv = bytes_append(cache, view_of(&size, sizeof(size)), DIRECTORY_MAX_FILE_SIZE * 2);
    if (rv == CKR_OK)
        rv = bytes_append(cache, bytes_view(&packed), DIRECTORY_MAX_FILE_SIZE * 2);
    if (rv == CKR_OK)
        rv = bytes_append(cache, view_of(zeros, (8 - packed.size % 8) % 8),
                          DIRECTORY_MAX_FILE_SIZE * 2);
    return rv;
}

static void cache(struct token *token, const char *name, const struct file_stamp *stamp,
                  const struct contents *contents)
{
    struct bytes blob CLEANUP(bytes_free) = {0};
    struct cache_head head = {.version = CACHE_VERSION,
                              .count = (uint32_t)contents->count,
                              .own = contents->own,
                              .login = token_needs_login(token)};
    memcpy(head.token, contents->token, sizeof(head.token));
    CK_RV rv = bytes_append(&blob, view_of(&head, sizeof(head)), sizeof(head));
    for (size_t i = 0; i < contents->count && rv == CKR_OK; i++)
        rv = append_object(&blob, &contents->objects[i]);
    if (rv == CKR_OK)
        rv = directory_index_set(token->writable->directory, name, stamp, bytes_view(&blob));
    if (rv != CKR_OK)
        log_line(LOG_LEVEL_DEBUG, "session", "%s: not taken into the index (0x%lx)", name, rv);
}

static void note_problem(struct token *token, const char *name, const struct reason *reason)
{
    log_line(LOG_LEVEL_ERROR, "session", "%s/%s:%u: %s; the file is left out",
             directory_path(token->writable->directory), name, reason->line, reason->text);
    problems_add(&token->problems, name, reason);
}

static CK_RV read_contents(struct token *token, const char *name, struct contents *ret_contents,
                           struct reason *reason)
{
    struct bytes text CLEANUP(bytes_free) = {0};
    struct entry_objects *objects = calloc(1, sizeof(*objects));
    if (!objects)
        return CKR_HOST_MEMORY;
    struct file_stamp stamp;
    CK_RV rv = directory_read(token->writable->directory, name, &text, &stamp, reason);
    if (rv == CKR_OK)
        rv = entry_file_parse(bytes_view(&text), name, token_needs_login(token), objects, reason);
    if (rv == CKR_OK) {
        ret_contents->own = objects->own;
        memcpy(ret_contents->token, objects->token, sizeof(objects->token));
        for (size_t i = 0; i < objects->count; i++) {
            ret_contents->objects[i] = objects->objects[i].attributes;
            objects->objects[i].attributes = (struct attributes){0};
        }
        ret_contents->count = objects->count;
        cache(token, name, &stamp, ret_contents);
    }
    entry_objects_clear(objects);
    free(objects);
    return rv;
}

static void refresh_file(struct token *token, const struct directory_file *file)
{
    struct writable *writable = token->writable;
    struct contents contents CLEANUP(contents_clear) = {.count = 0};
    struct reason reason = {0};
    CK_RV rv = CKR_OK;
    problems_remove(&token->problems, file->name);
    if (!uncache(file->cached, token_needs_login(token), &contents)) {
        contents_clear(&contents);
        rv = read_contents(token, file->name, &contents, &reason);
    }
    bool foreign =
        contents.own && (!writable_is_initialised(writable) ||
                         memcmp(contents.token, writable->file.id, sizeof(contents.token)) != 0);
    if (rv == CKR_OK && foreign) {
        reason_set(&reason, "it belongs to another token, or to this one before it was initialised "
                            "again");
        contents_clear(&contents);
        rv = CKR_DATA_INVALID;
    }
    if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID)
        note_problem(token, file->name, &reason);
    if (rv != CKR_OK)
        contents_clear(&contents);
    rv = writable_apply(token, file->name, file->version, contents.objects, contents.count);
    writable->stale |= rv != CKR_OK;
    if (rv != CKR_OK)
        log_line(LOG_LEVEL_ERROR, "session", "%s/%s: no memory for its objects",
                 directory_path(writable->directory), file->name);
}

static bool is_entry(const char *name)
{
    return strcmp(name, TOKEN_FILE_NAME) != 0 && strcmp(name, TRIES_FILE_NAME) != 0;
}

static void drop_record(struct token *token, size_t at)
{
    problems_remove(&token->problems, token->writable->records[at]->name);
    remove_record(token, at);
}

/* Both lists are in the order of the names. Files that are left out have a record
 * without objects: they are looked at once. */
void records_refresh(struct token *token)
{
    struct writable *writable = token->writable;
    size_t files = directory_count(writable->directory);
    size_t at = 0;
    for (size_t i = 0; i < files; i++) {
        const struct directory_file *file = directory_at(writable->directory, i);
        int order = 1;
        if (!is_entry(file->name))
            continue;
        while (at < writable->record_count &&
               (order = strcmp(writable->records[at]->name, file->name)) < 0)
            drop_record(token, at);
        bool known = at < writable->record_count && order == 0;
        if (!known || writable->records[at]->version != file->version)
            refresh_file(token, file);
        at += at < writable->record_count && strcmp(writable->records[at]->name, file->name) == 0;
    }
    while (at < writable->record_count)
        drop_record(token, at);
    directory_index_save(writable->directory);
}
