#include "emulator/state_version.h"

#include <stdio.h>

#define MAGIC_OFFSET 2
#define NEEDS_OFFSET 6
#define NEEDS_SINCE 2

bool state_version_parse(const struct blob *state, uint32_t magic, struct state_version *ret)
{
    struct state_version version;

    if (state->size < NEEDS_OFFSET || get_u32(state->data + MAGIC_OFFSET) != magic)
        return false;
    version.format = get_u16(state->data);
    version.needs = version.format;
    if (version.format >= NEEDS_SINCE) {
        if (state->size < NEEDS_OFFSET + 2)
            return false;
        version.needs = get_u16(state->data + NEEDS_OFFSET);
    }
    *ret = version;
    return true;
}

const char *state_version_describe(const struct blob *state, uint32_t magic, char *text,
                                   size_t room)
{
    struct state_version version;

    if (state_version_parse(state, magic, &version))
        (void)snprintf(text, room, "format %u, for readers of format %u or newer", version.format,
                       version.needs);
    else
        (void)snprintf(text, room, "of no TPM 2.0 format");
    return text;
}
