#ifndef EMULATOR_COMPARE_ANSWER_H
#define EMULATOR_COMPARE_ANSWER_H

/* The fields of an answer: what they save, and what of them must be alike. */

#include "emulator/compare_command.h"

/* An answer on its way to what must be alike: what may differ is blotted out. */
struct reading {
    struct side *side;
    struct message *message;
    size_t at;
    size_t end; /* of the parameters */
    bool size_differs;
};

static inline uint32_t reading_number(struct reading *r, size_t size)
{
    uint32_t value = 0;

    assert_true(r->at + size <= r->end);
    for (size_t i = 0; i < size; i++)
        value = value << 8 | r->message->bytes[r->at++];
    return value;
}

static inline void reading_blot(struct reading *r, size_t size)
{
    if (r->at + size > r->end)
        fail_msg("%s: the answer of %s is too short", r->side->row, r->side->name);
    memset(r->message->bytes + r->at, 0xee, size);
    r->at += size;
}

/* A TPM2B whose size differs is taken out of the answer. */
static inline void reading_drop(struct reading *r)
{
    size_t start = r->at, length = 2 + (size_t)reading_number(r, 2);

    assert_true(start + length <= r->end);
    memmove(r->message->bytes + start, r->message->bytes + start + length,
            r->message->size - start - length);
    r->at = start;
    r->end -= length;
    r->message->size -= length;
    r->size_differs = true;
}

static inline void reading_blot_2b(struct reading *r)
{
    reading_blot(r, reading_number(r, 2));
}

static inline void reading_skip_2b(struct reading *r)
{
    r->at += reading_number(r, 2);
    assert_true(r->at <= r->end);
}

/* TPMT_SYM_DEF_OBJECT, TPMT_*_SCHEME: TPM_ALG_NULL has nothing after it. */
static inline void reading_skip_unless_null(struct reading *r, size_t size)
{
    uint32_t algorithm = reading_number(r, 2);

    if (algorithm != TPM2_ALG_NULL)
        r->at += algorithm == TPM2_ALG_XOR ? 4 : algorithm == TPM2_ALG_RSAES ? 0 : size;
}

/* TPM2B_PUBLIC: TPM 2.0 Library part 2, TPMT_PUBLIC. */
static inline void reading_public(struct reading *r)
{
    uint32_t type = (reading_number(r, 2), reading_number(r, 2));

    r->at += 6; /* nameAlg, objectAttributes */
    reading_skip_2b(r);
    if (type == TPM2_ALG_RSA || type == TPM2_ALG_ECC || type == TPM2_ALG_SYMCIPHER)
        reading_skip_unless_null(r, 4);
    if (type == TPM2_ALG_RSA || type == TPM2_ALG_ECC || type == TPM2_ALG_KEYEDHASH)
        reading_skip_unless_null(r, 2);
    if (type == TPM2_ALG_RSA)
        r->at += 6;
    if (type == TPM2_ALG_ECC) {
        r->at += 2;
        reading_skip_unless_null(r, 2);
        reading_blot_2b(r);
    }
    reading_blot_2b(r);
}

/* TPMT_SIGNATURE of RSA, ECC and HMAC keys. The numbers of an ECC signature can be
 * shorter by their leading zeroes. */
static inline void reading_signature(struct reading *r)
{
    uint32_t algorithm = reading_number(r, 2);

    if (algorithm == TPM2_ALG_NULL)
        return;
    r->at += 2;
    if (algorithm == TPM2_ALG_HMAC) {
        reading_blot(r, 32);
        return;
    }
    if (algorithm == TPM2_ALG_RSASSA || algorithm == TPM2_ALG_RSAPSS) {
        reading_blot_2b(r);
        return;
    }
    reading_drop(r);
    reading_drop(r);
}

/* TPM2B_ATTEST: TPMS_CLOCK_INFO.clock, and in TPM_ST_ATTEST_TIME time and clock. */
static inline void reading_attest(struct reading *r)
{
    size_t end = reading_number(r, 2);
    uint32_t type;

    end += r->at;
    r->at += 4;
    type = reading_number(r, 2);
    reading_skip_2b(r);
    reading_skip_2b(r);
    reading_blot(r, 8);
    r->at += 4 + 4 + 1 + 8;
    if (type == TPM2_ST_ATTEST_TIME)
        reading_blot(r, 16);
    r->at = end;
}

/* TPML_TAGGED_TPM_PROPERTY after moreData and capability. */
static inline void reading_properties(struct reading *r)
{
    uint32_t count = (reading_number(r, 1), reading_number(r, 4), reading_number(r, 4));

    while (count--) {
        uint32_t property = reading_number(r, 4);

        if (property >= TPM2_PT_VENDOR_STRING_1 && property <= TPM2_PT_VENDOR_STRING_4)
            reading_blot(r, 4);
        else
            r->at += 4;
    }
}

static inline void reading_field(struct reading *r, const char *field)
{
    switch (field[0]) {
    case 'h':
        r->at += 4;
        break;
    case 'b':
        reading_skip_2b(r);
        break;
    case 'B':
        reading_blot_2b(r);
        break;
    case '?':
        reading_drop(r);
        break;
    case 'p':
        reading_public(r);
        break;
    case 't':
        r->at += 6;
        reading_blot_2b(r);
        break;
    case 's':
        reading_signature(r);
        break;
    case 'a':
        reading_attest(r);
        break;
    case 'c':
        r->at += 16;
        reading_blot_2b(r);
        break;
    case 'v':
        reading_properties(r);
        break;
    case 'r':
        r->at = r->end;
        break;
    case 'x':
        reading_blot(r, strtoul(field + 1, NULL, 10));
        break;
    default:
        r->at += strtoul(field, NULL, 10);
        break;
    }
    if (r->at > r->end)
        fail_msg("%s: the answer of %s ends within %s", r->side->row, r->side->name, field);
}

/* TPMS_AUTH_RESPONSE: nonces and HMACs. */
static inline void reading_authorizations(struct reading *r)
{
    r->end = r->message->size;
    while (r->at < r->end) {
        reading_blot_2b(r);
        r->at++;
        reading_blot_2b(r);
    }
}

/* The value of a field as the TPM gave it: what is blotted or dropped is read from
 * the whole answer, in which it is `shift` bytes further on. */
static inline void read_field(struct reading *r, const char *field, const struct message *whole,
                              size_t *shift)
{
    const char *name = strchr(field, '=');
    size_t start = r->at, before = r->message->size, length;

    reading_field(r, field);
    length = r->at - start + (before - r->message->size);
    if (name)
        value_save(r->side, name + 1, whole->bytes + start + *shift, length);
    *shift += before - r->message->size;
}

/* Turns a good answer into what must be alike, and saves what the fields name. */
static inline void answer_read(struct side *side, const char *fields, struct message *answer)
{
    struct message whole = *answer;
    struct reading r = {side, answer, HEADER_SIZE, answer->size, false};
    bool has_sessions = get_u16(answer->bytes) == TPM2_ST_SESSIONS;
    char words[256], *rest = NULL, *word;
    size_t shift = 0, size_at;

    (void)snprintf(words, sizeof(words), "%s", fields);
    word = strtok_r(words, " \t", &rest);
    if (word && word[0] == 'h') {
        read_field(&r, word, &whole, &shift);
        word = strtok_r(NULL, " \t", &rest);
    }
    size_at = r.at;
    if (has_sessions) {
        r.end = r.at + 4 + get_u32(answer->bytes + r.at);
        r.at += 4;
        assert_true(r.end <= answer->size);
    }
    for (; word; word = strtok_r(NULL, " \t", &rest))
        read_field(&r, word, &whole, &shift);
    r.at = r.end;
    if (has_sessions)
        reading_authorizations(&r);
    if (r.size_differs) {
        memset(answer->bytes + 2, 0xee, 4);
        if (has_sessions)
            memset(answer->bytes + size_at, 0xee, 4);
    }
}

#endif
