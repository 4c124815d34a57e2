#include "emulator/behaviour/handles.h"

#include "emulator/command.h"

#include <tss2/tss2_tpm2_types.h>

#define AT_ONCE_MAX 254u
#define ROUNDS_MAX 8
#define COUNT_AT (HEADER_SIZE + 5) /* after moreData and capability */
#define LIST_AT (COUNT_AT + 4)

/* A command without sessions, of these parameters. */
static uint32_t run_plain(struct stage *next, uint32_t code, const uint32_t *parameters,
                          size_t count, struct message *response)
{
    struct message command;
    struct exchange exchange = {.command = &command, .response = response};

    command.size = HEADER_SIZE + count * 4;
    put_u16(command.bytes, TPM2_ST_NO_SESSIONS);
    put_u32(command.bytes + 2, (uint32_t)command.size);
    put_u32(command.bytes + 6, code);
    for (size_t i = 0; i < count; i++)
        put_u32(command.bytes + HEADER_SIZE + i * 4, parameters[i]);
    stage_run(next, &exchange);
    return response_code(response);
}

/* How many handles an answer holds. */
static uint32_t listed(const struct message *list)
{
    uint32_t count = list->size >= LIST_AT ? get_u32(list->bytes + COUNT_AT) : 0;

    return list->size >= LIST_AT && count <= (list->size - LIST_AT) / 4 ? count : 0;
}

void handles_flush(struct stage *next)
{
    const uint32_t ask[] = {TPM2_CAP_HANDLES, TRANSIENT_FIRST, AT_ONCE_MAX};
    struct message list, response;

    for (int round = 0; round < ROUNDS_MAX; round++) {
        uint32_t count = 0;

        if (run_plain(next, TPM2_CC_GetCapability, ask, 3, &list) == TPM2_RC_SUCCESS)
            count = listed(&list);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t handle = get_u32(list.bytes + LIST_AT + (size_t)i * 4);

            (void)run_plain(next, TPM2_CC_FlushContext, &handle, 1, &response);
        }
        if (count == 0)
            return;
    }
}
