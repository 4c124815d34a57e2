#include "emulator/behaviour/line.h"

#include "emulator/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_MAX (600u * 1000000ull)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool word_is(struct word word, const char *text)
{
    return strlen(text) == word.length && memcmp(word.start, text, word.length) == 0;
}

bool word_copy(struct word word, char *ret, size_t room)
{
    if (word.length >= room)
        return false;
    memcpy(ret, word.start, word.length);
    ret[word.length] = '\0';
    return true;
}

void word_show(struct word word, char ret[WORD_ROOM])
{
    size_t length = word.length < WORD_ROOM - 1 ? word.length : WORD_ROOM - 1;

    for (size_t i = 0; i < length; i++)
        ret[i] = word.start[i] >= ' ' && word.start[i] <= '~' ? word.start[i] : '?';
    ret[length] = '\0';
}

bool line_ends(const struct line *line)
{
    return line->at == line->count;
}

TSS2_RC line_refuse(const struct line *line, const char *what, const char *expected)
{
    char shown[WORD_ROOM];
    bool ends = line_ends(line);

    word_show(line->words[ends ? line->count - 1 : line->at], shown);
    if (ends)
        error_set("%.200s:%u: the line ends after '%s'; expected: %s", line->file, line->number,
                  shown, expected);
    else
        error_set("%.200s:%u: '%s' %s; expected: %s", line->file, line->number, shown, what,
                  expected);
    return TSS2_TCTI_RC_BAD_VALUE;
}

bool line_take(struct line *line, const char *phrase)
{
    unsigned at = line->at;

    while (*phrase != '\0') {
        size_t length = strcspn(phrase, " ");

        if (at == line->count || line->words[at].length != length ||
            memcmp(line->words[at].start, phrase, length) != 0)
            return false;
        at++;
        phrase += length;
        phrase += *phrase == ' ';
    }
    line->at = at;
    return true;
}

bool word_number(struct word word, uint64_t *ret)
{
    char text[WORD_ROOM], *end;
    uint64_t number;

    if (!word_copy(word, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    number = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    if (*end != '\0' || errno != 0)
        return false;
    *ret = number;
    return true;
}

TSS2_RC line_number(struct line *line, uint32_t least, uint32_t most, uint32_t *ret)
{
    uint64_t number;
    char expected[64];

    if (!line_ends(line) && word_number(line->words[line->at], &number) && number >= least &&
        number <= most) {
        line->at++;
        *ret = (uint32_t)number;
        return TSS2_RC_SUCCESS;
    }
    (void)snprintf(expected, sizeof(expected), "a number from %u to %u", least, most);
    return line_refuse(line, "does not do here", expected);
}

bool word_probability(struct word word, uint32_t *ret)
{
    uint64_t value = 0;
    uint32_t unit = BILLION;
    bool after_point = false, digits = false;

    for (size_t i = 0; i < word.length; i++) {
        char c = word.start[i];

        if (c == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (c < '0' || c > '9' || (after_point && unit == 1))
            return false;
        digits = true;
        if (after_point)
            unit /= 10;
        value = after_point ? value + (uint64_t)(c - '0') * unit
                            : value * 10 + (uint64_t)(c - '0') * BILLION;
        if (value > BILLION)
            return false;
    }
    *ret = (uint32_t)value;
    return digits;
}

bool word_time(struct word word, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint32_t microseconds;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
    struct word digits = {word.start, 0};
    struct word unit;
    uint64_t number;

    while (digits.length < word.length && word.start[digits.length] >= '0' &&
           word.start[digits.length] <= '9')
        digits.length++;
    unit = (struct word){word.start + digits.length, word.length - digits.length};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!word_is(unit, units[i].name) || !word_number(digits, &number) ||
            number > TIME_MAX / units[i].microseconds)
            continue;
        *ret = number * units[i].microseconds;
        return true;
    }
    return false;
}

TSS2_RC line_split(const char *start, const char *end, struct line *line)
{
    const char *comment = memchr(start, '#', (size_t)(end - start));
    const char *stop = comment ? comment : end;

    line->count = 0;
    line->at = 0;
    if (memchr(start, '\0', (size_t)(stop - start))) {
        error_set("%.200s:%u: the line has a NUL byte; expected: text", line->file, line->number);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    for (const char *at = start; at < stop;) {
        const char *from;

        while (at < stop && is_blank(*at))
            at++;
        from = at;
        while (at < stop && !is_blank(*at))
            at++;
        if (at == from)
            break;
        if (line->count == LINE_WORDS_MAX) {
            error_set("%.200s:%u: the line has more than %d words; expected: one rule on a line",
                      line->file, line->number, LINE_WORDS_MAX);
            return TSS2_TCTI_RC_BAD_VALUE;
        }
        line->words[line->count++] = (struct word){from, (size_t)(at - from)};
    }
    return TSS2_RC_SUCCESS;
}
