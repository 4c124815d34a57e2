#include "token/store/listing.h"

#include <stdlib.h>
#include <string.h>

/* Where the name is, or would be. */
static bool table_find(const struct record_table *table, const char *name, size_t *ret_at)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(table->at[middle]->name, name);
        if (order == 0) {
            *ret_at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_at = low;
    return false;
}

static CK_RV table_reserve(struct record_table *table, size_t count)
{
    if (count <= table->room)
        return CKR_OK;
    size_t room = count < 32 ? 32 : 2 * count;
    struct record **at = realloc(table->at, room * sizeof(struct record *));
    if (!at)
        return CKR_HOST_MEMORY;
    table->at = at;
    table->room = room;
    return CKR_OK;
}

static CK_RV table_insert(struct record_table *table, size_t index, struct record *record)
{
    CK_RV rv = table_reserve(table, table->count + 1);
    if (rv != CKR_OK)
        return rv;
    memmove(&table->at[index + 1], &table->at[index],
            (table->count - index) * sizeof(struct record *));
    table->at[index] = record;
    table->count++;
    return CKR_OK;
}

static void table_remove(struct record_table *table, size_t index)
{
    table->count--;
    memmove(&table->at[index], &table->at[index + 1],
            (table->count - index) * sizeof(struct record *));
}

static void table_free(struct record_table *table)
{
    free(table->at);
    *table = (struct record_table){0};
}

static void forget_index_part(struct listing *listing, struct record *record)
{
    if (record->index_part.data)
        listing->index_parts--;
    bytes_free(&record->index_part);
    record->file.cached = (struct view){0};
}

static void record_free(struct listing *listing, struct record *record)
{
    forget_index_part(listing, record);
    free(record);
}

struct record *listing_find(const struct listing *listing, const char *name)
{
    size_t at;
    if (table_find(&listing->files, name, &at))
        return listing->files.at[at];
    return table_find(&listing->loose, name, &at) ? listing->loose.at[at] : NULL;
}

static void take_look(struct record *record, const struct look *look)
{
    record->file.stamp = look->stamp;
    record->elsewhere = look->elsewhere;
    record->recent = look->recent;
    record->loose = look->kind == LOOK_LOOSE_LINK;
}

static CK_RV record_new(struct listing *listing, const char *name, const struct look *look,
                        struct record **ret_record)
{
    size_t size = strlen(name) + 1;
    struct record *record = calloc(1, sizeof(*record) + size);
    if (!record)
        return CKR_HOST_MEMORY;
    memcpy(record->name, name, size);
    record->file.name = record->name;
    record->file.version = ++listing->last_version;
    record->seen = true;
    take_look(record, look);
    *ret_record = record;
    return CKR_OK;
}

static struct record_table *home_of(struct listing *listing, const struct record *record)
{
    return record->loose ? &listing->loose : &listing->files;
}

static void tell_of(struct listing *listing, const struct record *record)
{
    listing->elsewhere_moved |= record->elsewhere;
    listing->changed |= !record->loose;
}

static CK_RV insert(struct listing *listing, struct record *record)
{
    struct record_table *table = home_of(listing, record);
    size_t at;
    table_find(table, record->name, &at);
    CK_RV rv = table_insert(table, at, record);
    if (rv == CKR_OK)
        tell_of(listing, record);
    return rv;
}

static void take_out(struct listing *listing, const struct record *record)
{
    struct record_table *table = home_of(listing, record);
    size_t at;
    if (table_find(table, record->name, &at))
        table_remove(table, at);
    tell_of(listing, record);
}

static CK_RV add(struct listing *listing, const char *name, const struct look *look)
{
    size_t count = listing->files.count + listing->loose.count + listing->added.count;
    if (count >= DIRECTORY_MAX_FILES) {
        listing->full = true;
        return CKR_OK;
    }
    struct record *record = NULL;
    CK_RV rv = record_new(listing, name, look, &record);
    if (rv != CKR_OK)
        return rv;
    rv = listing->scanning ? table_insert(&listing->added, listing->added.count, record)
                           : insert(listing, record);
    if (rv != CKR_OK)
        record_free(listing, record);
    return rv;
}

/* Another content, or so it has to be thought. */
static void renew(struct listing *listing, struct record *record)
{
    forget_index_part(listing, record);
    record->file.version = ++listing->last_version;
    record->own = false;
    record->settled = false;
    listing->changed = true;
}

/* A link found its target, or lost it. */
static CK_RV move(struct listing *listing, struct record *record, const struct look *look)
{
    take_out(listing, record);
    renew(listing, record);
    take_look(record, look);
    CK_RV rv = insert(listing, record);
    if (rv != CKR_OK)
        record_free(listing, record);
    return rv;
}

static CK_RV update(struct listing *listing, struct record *record, const struct look *look,
                    bool rewritten)
{
    record->seen = true;
    if (record->loose != (look->kind == LOOK_LOOSE_LINK))
        return move(listing, record, look);
    bool same = stamp_equal(&record->file.stamp, &look->stamp);
    bool doubtful = rewritten && record->recent && !record->own;
    if (!record->loose && (!same || doubtful))
        renew(listing, record);
    listing->elsewhere_moved |= record->elsewhere != look->elsewhere;
    take_look(record, look);
    return CKR_OK;
}

CK_RV listing_put(struct listing *listing, const char *name, const struct look *look,
                  bool rewritten)
{
    struct record *record = listing_find(listing, name);
    if (look->kind == LOOK_NOTHING) {
        listing_drop(listing, name);
        return CKR_OK;
    }
    return record ? update(listing, record, look, rewritten) : add(listing, name, look);
}

CK_RV listing_put_own(struct listing *listing, const char *name, const struct look *look)
{
    CK_RV rv = listing_put(listing, name, look, true);
    struct record *record = rv == CKR_OK ? listing_find(listing, name) : NULL;
    if (record)
        record->own = true;
    return rv;
}

void listing_drop(struct listing *listing, const char *name)
{
    struct record *record = listing_find(listing, name);
    if (!record)
        return;
    take_out(listing, record);
    record_free(listing, record);
}

static void set_unseen(struct record_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        table->at[i]->seen = false;
}

void listing_begin(struct listing *listing)
{
    set_unseen(&listing->files);
    set_unseen(&listing->loose);
    listing->full = false;
    listing->scanning = true;
}

static void drop_unseen(struct listing *listing, struct record_table *table)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct record *record = table->at[i];
        if (record->seen) {
            table->at[kept++] = record;
            continue;
        }
        tell_of(listing, record);
        record_free(listing, record);
    }
    table->count = kept;
}

static int by_name(const void *a, const void *b)
{
    const struct record *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void table_sort(struct record_table *table)
{
    if (table->count)
        qsort(table->at, table->count, sizeof(struct record *), by_name);
}

/* A name that was renamed during the scan may have been seen twice. */
static void place_added(struct listing *listing)
{
    struct record_table *added = &listing->added;
    table_sort(added);
    for (size_t i = 0; i < added->count; i++) {
        struct record *record = added->at[i];
        struct record_table *table = home_of(listing, record);
        if (i > 0 && strcmp(added->at[i - 1]->name, record->name) == 0) {
            record_free(listing, record);
            added->at[i] = added->at[i - 1];
            continue;
        }
        table->at[table->count++] = record;
        tell_of(listing, record);
    }
    added->count = 0;
    table_sort(&listing->files);
    table_sort(&listing->loose);
}

CK_RV listing_end(struct listing *listing)
{
    size_t more = listing->added.count;
    CK_RV rv = table_reserve(&listing->files, listing->files.count + more);
    if (rv == CKR_OK)
        rv = table_reserve(&listing->loose, listing->loose.count + more);
    if (rv != CKR_OK)
        return rv;
    drop_unseen(listing, &listing->files);
    drop_unseen(listing, &listing->loose);
    if (more)
        place_added(listing);
    listing->scanning = false;
    return CKR_OK;
}

static void free_records(struct listing *listing, struct record_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        record_free(listing, table->at[i]);
    table->count = 0;
}

void listing_abandon(struct listing *listing)
{
    free_records(listing, &listing->added);
    listing->scanning = false;
}

static CK_RV collect_elsewhere(struct listing *listing, const struct record_table *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct record_table *table = &listing->elsewhere;
        CK_RV rv = CKR_OK;
        if (from->at[i]->elsewhere)
            rv = table_insert(table, table->count, from->at[i]);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

CK_RV listing_elsewhere(struct listing *listing, const struct record_table **ret_table)
{
    if (listing->elsewhere_moved) {
        listing->elsewhere.count = 0;
        CK_RV rv = collect_elsewhere(listing, &listing->files);
        if (rv == CKR_OK)
            rv = collect_elsewhere(listing, &listing->loose);
        if (rv != CKR_OK)
            return rv;
        listing->elsewhere_moved = false;
    }
    *ret_table = &listing->elsewhere;
    return CKR_OK;
}

void listing_clear(struct listing *listing)
{
    listing->changed |= listing->files.count > 0;
    free_records(listing, &listing->files);
    free_records(listing, &listing->loose);
    free_records(listing, &listing->added);
    table_free(&listing->files);
    table_free(&listing->loose);
    table_free(&listing->added);
    table_free(&listing->elsewhere);
    listing->elsewhere_moved = false;
}
