/* The list of a directory's files, in memory alone. */
#ifndef SIGNET_STORE_LISTING_H
#define SIGNET_STORE_LISTING_H

#include "token/store/directory.h"
#include "token/store/look.h"

/* own: written by this process, with a time that no other version has. settled: what
 * was read of this version cannot change under the same stamp. index_part: what
 * the caller wants to be kept in the index, which has not got it yet. */
struct record {
    struct directory_file file;
    bool elsewhere;
    bool recent;
    bool own;
    bool settled;
    bool loose; /* a link to nothing, in no one's sight */
    bool seen;
    struct bytes index_part;
    char name[];
};

/* In the order of the names, but for `elsewhere` and `added`. */
struct record_table {
    struct record **at;
    size_t count;
    size_t room;
};

struct listing {
    struct record_table files;
    struct record_table loose;
    struct record_table elsewhere; /* of both, made anew when elsewhere_moved */
    bool elsewhere_moved;
    struct record_table added; /* while scanning */
    bool scanning;
    uint64_t last_version;
    size_t index_parts;
    bool changed; /* set when something did; the caller resets it */
    bool full;    /* so when there is more than DIRECTORY_MAX_FILES */
};

struct record *listing_find(const struct listing *listing, const char *name);

/* Takes over what was seen at a name. rewritten: something was said to have happened to its
 * content, so that an equal stamp means the same only if it was old. */
CHECKED CK_RV listing_put(struct listing *listing, const char *name, const struct look *look,
                          bool rewritten);

/* What this process itself has written. */
CHECKED CK_RV listing_put_own(struct listing *listing, const char *name, const struct look *look);
void listing_drop(struct listing *listing, const char *name);

/* Around the listing_put of all files there are, in any order: what is not among
 * them goes. After a failure what was not seen stays. */
void listing_begin(struct listing *listing);
CHECKED CK_RV listing_end(struct listing *listing);
void listing_abandon(struct listing *listing);

/* The records of files that are `elsewhere`; CKR_HOST_MEMORY. */
CHECKED CK_RV listing_elsewhere(struct listing *listing, const struct record_table **ret_table);

/* All are gone, as far as this list can tell; versions go on. */
void listing_clear(struct listing *listing);

#endif
