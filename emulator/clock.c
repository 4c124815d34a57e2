#include "emulator/clock.h"

#include "emulator/kinds.h"
#include "emulator/tpm.h"

#include <time.h>
#include <tss2/tss2_tpm2_types.h>

/* More than a take-over loses. What is further ahead was told before the TPM was
 * started anew, or its clock went back with a lost state. */
#define WAITS_MAX 20
#define WAIT_NANOSECONDS 500000

/* Looking at the clock takes its rank from an exclusive audit session. So where
 * there are sessions at all, attestations go without. */
static bool has_sessions(const struct instance *instance)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (instance->sessions[i].handle != 0)
            return true;
    return false;
}

bool clock_is_told(const struct instance *instance, const struct command *command)
{
    if (command->code == TPM2_CC_ReadClock)
        return true;
    return command_attests(command) && !has_sessions(instance);
}

void clock_catch_up(struct instance *instance)
{
    const struct timespec wait = {.tv_sec = 0, .tv_nsec = WAIT_NANOSECONDS};
    struct control_clock told = control_clock(&instance->control), own = {0, 0};

    for (int i = 0; i < WAITS_MAX; i++) {
        if (tpm_read_clock(instance->tpm, &own.time, &own.clock) != TPM2_RC_SUCCESS ||
            (own.time >= told.time && own.clock >= told.clock))
            return;
        (void)nanosleep(&wait, NULL);
    }
    control_set_clock(&instance->control, own);
}

void clock_note(struct instance *instance)
{
    struct control_clock told = control_clock(&instance->control), own = {0, 0};

    if (tpm_read_clock(instance->tpm, &own.time, &own.clock) != TPM2_RC_SUCCESS ||
        (own.time <= told.time && own.clock <= told.clock))
        return;
    own.time = own.time > told.time ? own.time : told.time;
    own.clock = own.clock > told.clock ? own.clock : told.clock;
    control_set_clock(&instance->control, own);
}
