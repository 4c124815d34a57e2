#include "emulator/behaviour/schedule.h"
#include "emulator/error.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schedule *schedule = NULL;

    if (schedule_parse("schedule", (const char *)data, size, &schedule) != TSS2_RC_SUCCESS) {
        if (schedule || error_text()[0] == '\0')
            abort();
        return 0;
    }
    if (schedule->rule_count > SCHEDULE_RULES_MAX)
        abort();
    for (size_t i = 0; i < schedule->rule_count; i++) {
        const struct rule *rule = &schedule->rules[i];

        if (rule->command_count > RULE_COMMANDS_MAX || rule->fault >= FAULTS)
            abort();
        if (rule->when != WHEN_FROM && rule->length == 0)
            abort();
        if (rule->length <= 16)
            (void)schedule_is_due(schedule, i, 3);
    }
    free(schedule);
    return 0;
}
