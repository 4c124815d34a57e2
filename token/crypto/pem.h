/* PEM blocks in a text (RFC 7468, with the headers of RFC 1421). */
#ifndef SIGNET_CRYPTO_PEM_H
#define SIGNET_CRYPTO_PEM_H

#include "token/base/bytes.h"
#include "token/base/reason.h"

#define PEM_CIPHER_MAX_SIZE 32
#define PEM_IV_MAX_SIZE 16

/* The rest of a text and the number of its first line. */
struct pem_reader {
    struct view rest;
    unsigned line;
};

/* One block, still encoded; label and body are borrowed from the text. */
struct pem_block {
    struct view label;
    struct view body;
    unsigned line;
};

/* What "Proc-Type: 4,ENCRYPTED" and "DEK-Info" say; cipher is "" without them. */
struct pem_encryption {
    char cipher[PEM_CIPHER_MAX_SIZE];
    uint8_t iv[PEM_IV_MAX_SIZE];
    size_t iv_size;
};

struct pem_reader pem_reader_of(struct view text);

/* The next block, with label.data NULL at the end of the text. Other text is
 * skipped. CKR_DATA_INVALID with the reason for a block that does not end. */
CHECKED CK_RV pem_next(struct pem_reader *reader, struct pem_block *ret_block,
                       struct reason *reason);

/* A block's content. CKR_DATA_INVALID with the reason when it is no base64. */
CHECKED CK_RV pem_decode(const struct pem_block *block, struct bytes *ret_content,
                         struct pem_encryption *ret_encryption, struct reason *reason);

/* One block with lines of 64 characters (RFC 7468), appended to `text` on a line of
 * its own. CKR_DATA_LEN_RANGE for no content and for far too much. */
CHECKED CK_RV pem_write(struct bytes *text, const char *label, struct view content);

#endif
