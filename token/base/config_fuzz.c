#include <string.h>

#include "token/base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_entry(const struct config_section *section, const struct config_entry *entry)
{
    size_t size = strlen(entry->key);
    check(size > 0 && size <= CONFIG_MAX_LINE && strlen(entry->value) <= CONFIG_MAX_LINE);
    check(!strstr(entry->key, "  ") && entry->key[0] != ' ' && entry->key[size - 1] != ' ');
    check(!strchr(entry->key, '\n') && !strchr(entry->value, '\n'));
    check(config_value(section, entry->key) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = {0};
    if (config_parse(view_of(data, size), &config) != CKR_OK)
        return 0;
    check(config.section_count >= 1);
    for (size_t i = 0; i < config.section_count; i++) {
        const struct config_section *section = &config.sections[i];
        check(i == 0 || section->line > 0);
        for (size_t j = 0; j < section->entry_count; j++)
            check_entry(section, &section->entries[j]);
    }
    for (size_t i = 0; i < config.problem_count; i++)
        check(config.problems[i].reason.text[0] != 0);
    config_clear(&config);
    return 0;
}
