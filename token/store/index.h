/* The bytes of the index: a header with a checksum, and for each file its name,
 * stamp, and what the caller kept. The checksum is against damage; what the
 * parts hold is the caller's to check. */
#ifndef SIGNET_STORE_INDEX_H
#define SIGNET_STORE_INDEX_H

#include "token/store/directory.h"

#define INDEX_MAX_SIZE (128 * 1024 * 1024)
#define INDEX_HEADER_SIZE 24
#define INDEX_PART_SIZE 48 /* without name and content */

struct index_part {
    struct view name;
    struct file_stamp stamp;
    struct view content;
};

struct index_reader {
    struct view rest;
};

/* False if it is damaged, of another version, or no index. */
bool index_open(struct view index, struct index_reader *ret_reader);

/* False at the end. Views are of the index; the content begins at a multiple of 8
 * bytes of it. */
bool index_next(struct index_reader *reader, struct index_part *ret_part);

size_t index_part_size(const struct index_part *part);

/* Writes a part at `at` and answers its size. */
size_t index_put(uint8_t *at, const struct index_part *part);

/* Completes the header, when all parts are behind it. */
void index_finish(struct bytes *index);

#endif
