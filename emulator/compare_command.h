#ifndef EMULATOR_COMPARE_COMMAND_H
#define EMULATOR_COMPARE_COMMAND_H

/* The language of the scripts in compare_rows/, which compare_test.c runs. A row:
 *     RC  what it shows : COMMAND WORD... : FIELD...
 * The words are the command's bytes:
 *     8100ab          bytes             'text'     bytes of a text
 *     [ ... ]         a TPM2B           00*32      bytes many times over
 *     $name           a saved value     $name~5    the same, its byte 5 inverted
 *     pw pw:text      a password authorisation
 *     se:name:01      one by the session of a saved handle, with these attributes,
 *     se:name:01:text and an empty HMAC or a text in its place
 * A command `raw` has no header but the words.
 * The fields are the answer's handle and parameters; those left out are alike:
 *     h handle   1 2 4 8 number   b TPM2B   r the rest
 *     x8 number that may differ   B, ? TPM2B that may differ in content, and in size
 *     p TPM2B_PUBLIC but for its `unique`   t ticket and s signature but for their
 *     values   a TPM2B_ATTEST but for its clock   c TPMS_CONTEXT but for its blob
 *     v the capability of TPM properties but for the vendor's name
 * FIELD=name saves the field, as it is in the answer. `= name WORD...` names bytes.
 * `power reset`, `restart`, `resume`, or `loss` happens to both TPMs.
 * `repeat N` runs the rows up to `end` so many times. */

#include "emulator/names.h"
#include "emulator/test_support.h"

#include <ctype.h>

#define VALUES_MAX 160
#define NAME_SIZE 24
#define VALUE_SIZE 1400

struct value {
    char name[NAME_SIZE];
    size_t size;
    uint8_t bytes[VALUE_SIZE];
};

/* One of the two TPMs, and what its answers had in them. */
struct side {
    const char *name;
    const char *row; /* what it is being asked */
    TSS2_TCTI_CONTEXT *context;
    size_t value_count;
    struct value values[VALUES_MAX];
};

static inline struct value *value_find(struct side *side, const char *name, size_t length)
{
    for (size_t i = 0; i < side->value_count; i++)
        if (strlen(side->values[i].name) == length &&
            memcmp(side->values[i].name, name, length) == 0)
            return &side->values[i];
    return NULL;
}

static inline void value_save(struct side *side, const char *name, const uint8_t *bytes,
                              size_t size)
{
    struct value *value = value_find(side, name, strlen(name));

    assert_in_range(strlen(name), 1, NAME_SIZE - 1);
    assert_true(size <= VALUE_SIZE);
    if (!value) {
        assert_true(side->value_count < VALUES_MAX);
        value = &side->values[side->value_count++];
        (void)snprintf(value->name, sizeof(value->name), "%s", name);
    }
    memcpy(value->bytes, bytes, size);
    value->size = size;
}

/* --- commands -------------------------------------------------------------- */

struct assembly {
    struct side *side;
    struct message *out;
    size_t open[8]; /* offsets of the sizes of TPM2Bs */
    unsigned depth;
    size_t authorizations; /* offset of their size; 0: none */
};

static inline uint8_t hex_digit(char c)
{
    return (uint8_t)(isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10);
}

/* Bytes in hex, "*N" for many times. */
static inline void assemble_hex(struct assembly *a, const char *word)
{
    size_t length = strspn(word, "0123456789abcdefABCDEF");
    size_t times = word[length] == '*' ? strtoul(word + length + 1, NULL, 10) : 1;

    if (length == 0 || length % 2 || (word[length] && word[length] != '*'))
        fail_msg("not bytes: %s", word);
    while (times--)
        for (size_t i = 0; i < length; i += 2)
            add_u8(a->out, (uint8_t)(hex_digit(word[i]) << 4 | hex_digit(word[i + 1])));
}

static inline const struct value *assemble_value(struct assembly *a, const char *name)
{
    size_t length = strcspn(name, "~:"), start = a->out->size;
    const struct value *value = value_find(a->side, name, length);

    if (!value)
        fail_msg("%s: %s has no value %s", a->side->row, a->side->name, name);
    add_bytes(a->out, value->bytes, value->size);
    if (name[length] == '~')
        a->out->bytes[start + strtoul(name + length + 1, NULL, 10)] ^= 0xff;
    return value;
}

/* pw:TEXT or se:NAME:ATTRIBUTES:TEXT */
static inline void assemble_authorization(struct assembly *a, const char *word)
{
    const char *text = strchr(word, ':');

    if (!a->authorizations) {
        a->authorizations = a->out->size;
        add_u32(a->out, 0);
    }
    if (strncmp(word, "pw", 2) == 0) {
        add_u32(a->out, TPM2_RS_PW);
        add_u16(a->out, 0);
        add_u8(a->out, TPMA_SESSION_CONTINUESESSION);
    } else {
        assemble_value(a, word + 3);
        add_u16(a->out, 0);
        text = strchr(word + 3, ':');
        assert_non_null(text);
        add_u8(a->out, (uint8_t)strtoul(text + 1, NULL, 16));
        text = strchr(text + 1, ':');
    }
    add_2b(a->out, text ? text + 1 : "");
    put_u32(a->out->bytes + a->authorizations, (uint32_t)(a->out->size - a->authorizations - 4));
}

static inline void assemble_word(struct assembly *a, const char *word)
{
    if (strcmp(word, "[") == 0) {
        assert_in_range(a->depth, 0, 7);
        a->open[a->depth++] = a->out->size;
        add_u16(a->out, 0);
    } else if (strcmp(word, "]") == 0) {
        assert_in_range(a->depth, 1, 8);
        a->depth--;
        put_u16(a->out->bytes + a->open[a->depth],
                (uint16_t)(a->out->size - a->open[a->depth] - 2));
    } else if (word[0] == '\'') {
        add_bytes(a->out, word + 1, strlen(word) - 2);
    } else if (word[0] == '$') {
        (void)assemble_value(a, word + 1);
    } else if (strncmp(word, "pw", 2) == 0 || strncmp(word, "se:", 3) == 0) {
        assemble_authorization(a, word);
    } else {
        assemble_hex(a, word);
    }
}

static inline void assemble_words(struct assembly *a, char *words)
{
    char *rest = NULL;

    for (char *word = strtok_r(words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        assert_in_range(a->out->size, 0, MESSAGE_MAX - VALUE_SIZE);
        assemble_word(a, word);
    }
    assert_int_equal(a->depth, 0);
}

static inline void assemble_command(struct side *side, const char *text, struct message *ret)
{
    struct assembly a = {.side = side, .out = ret};
    char words[2048], *rest = words, *name;
    uint32_t code;

    (void)snprintf(words, sizeof(words), "%s", text + strspn(text, " "));
    name = strsep(&rest, " ");
    ret->size = 0;
    if (strcmp(name, "raw") == 0) {
        assemble_words(&a, rest);
        return;
    }
    if (!command_from_name(name, &code))
        fail_msg("not a command: %s", name);
    begin(ret, TPM2_ST_NO_SESSIONS, code);
    if (rest)
        assemble_words(&a, rest);
    if (a.authorizations)
        put_u16(ret->bytes, TPM2_ST_SESSIONS);
    put_u32(ret->bytes + 2, (uint32_t)ret->size);
}

#endif
