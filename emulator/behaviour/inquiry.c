#include "emulator/behaviour/inquiry.h"

#include "emulator/command.h"

#include <tss2/tss2_tpm2_types.h>

#define PAGE 254u
#define COUNT_AT (HEADER_SIZE + 5)
#define LIST_AT (HEADER_SIZE + 9)
#define SAVED_SESSION_FIRST 0x03000000u
#define SESSION_NUMBER 0x00ffffffu

/* Runs a command of a code and up to three words. */
static bool ask(struct stage *below, uint32_t code, const uint32_t *words, size_t count,
                struct message *response)
{
    struct message command;
    struct exchange exchange = {.command = &command, .response = response};

    command.size = HEADER_SIZE + count * 4;
    put_u16(command.bytes, TPM2_ST_NO_SESSIONS);
    put_u32(command.bytes + 2, (uint32_t)command.size);
    put_u32(command.bytes + 6, code);
    for (size_t i = 0; i < count; i++)
        put_u32(command.bytes + HEADER_SIZE + i * 4, words[i]);
    stage_run(below, &exchange);
    return exchange.lost == TSS2_RC_SUCCESS && response_code(response) == TPM2_RC_SUCCESS;
}

void inquiry_handles(struct stage *below, uint32_t first, inquiry_visitor visitor, void *context)
{
    uint32_t from = first, count;
    struct message response;

    do {
        const uint32_t words[] = {TPM2_CAP_HANDLES, from, PAGE};

        if (!ask(below, TPM2_CC_GetCapability, words, 3, &response) || response.size < LIST_AT)
            return;
        count = get_u32(response.bytes + COUNT_AT);
        if (response.size != LIST_AT + (size_t)count * 4)
            return;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t handle = get_u32(response.bytes + LIST_AT + (size_t)i * 4);

            if (!visitor(context, handle))
                return;
            from = handle + 1;
        }
    } while (count > 0 && response.bytes[HEADER_SIZE] != 0);
}

struct search {
    uint32_t wanted;
    uint32_t mask;
    uint32_t count;
    bool found;
};

static bool search_one(void *context, uint32_t handle)
{
    struct search *search = context;

    search->count++;
    if ((handle & search->mask) == (search->wanted & search->mask))
        search->found = true;
    return true;
}

uint32_t inquiry_persistent(struct stage *below, uint32_t handle, bool *ret_taken)
{
    struct search search = {handle, UINT32_MAX, 0, false};

    inquiry_handles(below, PERSISTENT_FIRST, search_one, &search);
    *ret_taken = search.found;
    return search.count;
}

bool inquiry_is_saved(struct stage *below, uint32_t session)
{
    struct search search = {session, SESSION_NUMBER, 0, false};

    inquiry_handles(below, SAVED_SESSION_FIRST, search_one, &search);
    return search.found;
}

struct room {
    struct stage *below;
    uint32_t used;
};

/* NV_ReadPublic: TPM2B_NV_PUBLIC of index, hash, attributes, TPM2B policy, size */
static bool add_index(void *context, uint32_t handle)
{
    struct room *room = context;
    struct message response;
    size_t at = HEADER_SIZE + 2 + 4 + 2 + 4;

    if (!ask(room->below, TPM2_CC_NV_ReadPublic, &handle, 1, &response) || response.size < at + 2)
        return true;
    at += 2 + (size_t)get_u16(response.bytes + at);
    if (response.size >= at + 2)
        room->used += get_u16(response.bytes + at);
    return true;
}

uint32_t inquiry_nv_used(struct stage *below)
{
    struct room room = {below, 0};

    inquiry_handles(below, (uint32_t)TPM2_HT_NV_INDEX << 24, add_index, &room);
    return room.used;
}
