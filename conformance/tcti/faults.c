#include "conformance/tcti/count.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT 4096
#define MAX_RULES 32

struct rule {
    bool every_command;
    uint32_t command_code;
    unsigned long skip;
    unsigned long times;
    uint32_t response_code;
    unsigned long seen;
};

/* One schedule for all connections of the process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char current_text[MAX_TEXT];
static struct rule rules[MAX_RULES];
static size_t rule_count;

static void read_text(char text[MAX_TEXT])
{
    const char *path = getenv("COUNT_TCTI_FAULTS");
    FILE *file = path ? fopen(path, "re") : NULL;
    size_t length = 0;

    if (file) {
        length = fread(text, 1, MAX_TEXT - 1, file);
        fclose(file);
    }
    text[length] = '\0';
}

static bool parse_rule(const char *line, struct rule *ret_rule)
{
    struct rule rule = {0};
    char code[16];

    if (sscanf(line, "%15s %lu %lu %x", code, &rule.skip, &rule.times, &rule.response_code) != 4 ||
        code[0] == '#')
        return false;
    rule.every_command = strcmp(code, "*") == 0;
    rule.command_code = (uint32_t)strtoul(code, NULL, 16);
    *ret_rule = rule;
    return true;
}

static void parse_text(const char *text)
{
    char copy[MAX_TEXT], *position = copy, *line;

    strcpy(copy, text);
    rule_count = 0;
    while ((line = strsep(&position, "\n")) && rule_count < MAX_RULES)
        if (parse_rule(line, &rules[rule_count]))
            rule_count++;
}

static void refresh(void)
{
    char text[MAX_TEXT];

    read_text(text);
    if (strcmp(text, current_text) == 0)
        return;
    strcpy(current_text, text);
    parse_text(text);
}

static bool strikes(struct rule *rule, uint32_t command_code)
{
    unsigned long number;

    if (!rule->every_command && rule->command_code != command_code)
        return false;
    number = rule->seen++;
    return number >= rule->skip && number - rule->skip < rule->times;
}

uint32_t fault_for(uint32_t command_code)
{
    uint32_t response_code = 0;

    pthread_mutex_lock(&lock);
    refresh();
    for (size_t i = 0; i < rule_count && !response_code; i++)
        if (strikes(&rules[i], command_code))
            response_code = rules[i].response_code;
    pthread_mutex_unlock(&lock);
    return response_code;
}
