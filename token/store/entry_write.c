#include "token/store/entry.h"

#include <stdio.h>
#include <string.h>

#include "token/store/directory.h"
#include "token/store/entry_line.h"
#include "token/store/utf8.h"

static CK_RV append(struct bytes *text, struct view more)
{
    return bytes_append(text, more, DIRECTORY_MAX_FILE_SIZE);
}

static CK_RV append_string(struct bytes *text, const char *more)
{
    return append(text, view_string(more));
}

/* Read back, it would be the same. */
static bool is_word(struct view word)
{
    return utf8_is_line(word) && line_trim(word).size == word.size;
}

static bool is_name(const char *name)
{
    return *name && !strchr("#;[", *name) && !strchr(name, '=') &&
           !line_starts(view_string(name), "-----") && is_word(view_string(name));
}

CK_RV entry_write_header(struct bytes *text)
{
    char header[sizeof(ENTRY_HEADER) + 16];
    snprintf(header, sizeof(header), ENTRY_HEADER " %d\n", ENTRY_VERSION);
    return append_string(text, header);
}

CK_RV entry_write_group(struct bytes *text, const char *kind)
{
    if (!*kind || strchr(kind, ']') || !is_word(view_string(kind)))
        return CKR_DATA_INVALID;
    CK_RV rv = append_string(text, "\n[");
    if (rv == CKR_OK)
        rv = append_string(text, kind);
    return rv != CKR_OK ? rv : append_string(text, "]\n");
}

CK_RV entry_write_line(struct bytes *text, const char *name, struct view value)
{
    if (!is_name(name) || !is_word(value))
        return CKR_DATA_INVALID;
    CK_RV rv = append_string(text, name);
    if (rv == CKR_OK)
        rv = append_string(text, value.size ? " = " : " =");
    if (rv == CKR_OK)
        rv = append(text, value);
    return rv != CKR_OK ? rv : append_string(text, "\n");
}

static bool is_pem(struct view pem)
{
    struct line_reader lines = {.rest = pem};
    struct view line;
    while (line_next(&lines, &line))
        if (!(line_is_comment(line) && utf8_is_line(line)) &&
            !(line_is_pem(line) && line_take_pem(&lines, line)))
            return false;
    return true;
}

CK_RV entry_write_pem(struct bytes *text, struct view pem)
{
    if (!is_pem(pem))
        return CKR_DATA_INVALID;
    CK_RV rv = append(text, pem);
    if (rv != CKR_OK || !pem.size || pem.data[pem.size - 1] == '\n')
        return rv;
    return append_string(text, "\n");
}
