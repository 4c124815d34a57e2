#include <string.h>

#include "token/store/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static bool is_within(struct view part, struct view text)
{
    return part.data >= text.data && part.data + part.size <= text.data + text.size;
}

static const char *word(struct view text, char copy[4096])
{
    size_t size = text.size < 4095 ? text.size : 4095;
    memcpy(copy, text.data, size);
    copy[size] = 0;
    return copy;
}

static void write_group(const struct entry_group *group, bool first, struct bytes *text)
{
    char name[4096];
    if (!first)
        check(entry_write_group(text, word(group->kind, name)) == CKR_OK);
    for (size_t i = 0; i < group->line_count; i++)
        check(entry_write_line(text, word(group->lines[i].name, name), group->lines[i].value) ==
              CKR_OK);
    check(entry_write_pem(text, group->pem) == CKR_OK);
}

static void check_groups(const struct entry *entry, struct view text)
{
    check(entry->group_count >= 1 && entry->group_count <= ENTRY_MAX_GROUPS);
    for (size_t i = 0; i < entry->group_count; i++) {
        const struct entry_group *group = &entry->groups[i];
        check(i == 0 || (group->kind.size > 0 && is_within(group->kind, text)));
        check(group->line_count <= ENTRY_MAX_LINES);
        check(!group->pem.data || is_within(group->pem, text));
        for (size_t j = 0; j < group->line_count; j++)
            check(group->lines[j].name.size > 0 && is_within(group->lines[j].name, text) &&
                  is_within(group->lines[j].value, text) &&
                  !memchr(group->lines[j].value.data, '\n', group->lines[j].value.size));
    }
}

static void check_same(const struct entry *a, const struct entry *b)
{
    check(a->group_count == b->group_count);
    for (size_t i = 0; i < a->group_count; i++) {
        const struct entry_group *x = &a->groups[i], *y = &b->groups[i];
        check(x->line_count == y->line_count && view_equal(x->kind, y->kind));
        check(!x->pem.size == !y->pem.size && y->pem.size - x->pem.size <= 1);
        for (size_t j = 0; j < x->line_count; j++)
            check(view_equal(x->lines[j].name, y->lines[j].name) &&
                  view_equal(x->lines[j].value, y->lines[j].value));
    }
}

/* What was read can be written, and read again it is the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entry entry = {0}, again = {0};
    struct reason reason = {0};
    struct view text = view_of(data, size);
    if (size > 4000)
        return 0;
    if (entry_parse(text, &entry, &reason) != CKR_OK) {
        check(reason.text[0] != 0 && reason.line > 0 && !entry.groups);
        return 0;
    }
    check(entry_recognise(text));
    check_groups(&entry, text);
    struct bytes written = {0};
    check(entry_write_header(&written) == CKR_OK);
    for (size_t i = 0; i < entry.group_count; i++)
        write_group(&entry.groups[i], i == 0, &written);
    check(entry_parse(bytes_view(&written), &again, &reason) == CKR_OK);
    check_same(&entry, &again);
    entry_clear(&entry);
    entry_clear(&again);
    bytes_free(&written);
    return 0;
}
