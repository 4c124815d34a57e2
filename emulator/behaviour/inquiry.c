#include "emulator/behaviour/inquiry.h"

#include "emulator/build.h"
#include "emulator/command.h"

#include <tss2/tss2_tpm2_types.h>

#define PAGE 254u
#define SAVED_SESSION_FIRST 0x03000000u
#define SESSION_NUMBER 0x00ffffffu

/* TCG EK Credential Profile: the indexes of EK certificates and templates. */
#define MANUFACTURERS_FIRST 0x01c00000u
#define MANUFACTURERS_LAST 0x01c07fffu

/* Runs a command of up to three words. */
static bool ask(struct stage *below, uint32_t code, const uint32_t *words, size_t count,
                struct message *response)
{
    struct message command;
    struct exchange exchange = {.command = &command, .response = response};

    build_begin(&command, TPM2_ST_NO_SESSIONS, code);
    for (size_t i = 0; i < count; i++)
        build_u32(&command, words[i]);
    build_end(&command);
    stage_run(below, &exchange);
    return exchange.lost == TSS2_RC_SUCCESS && response_code(response) == TPM2_RC_SUCCESS;
}

/* One page of a list of handles; *ret_next is where the next begins, 0 if none does. */
static bool visit_page(struct message *response, inquiry_visitor visitor, void *context,
                       uint32_t *ret_next)
{
    struct answer answer = answer_from(response, HEADER_SIZE);
    bool more = answer_u8(&answer) != 0;
    uint32_t count, handle = 0;

    (void)answer_u32(&answer);
    count = answer_u32(&answer);
    for (uint32_t i = 0; i < count; i++) {
        handle = answer_u32(&answer);
        if (answer.cut || !visitor(context, handle))
            return false;
    }
    *ret_next = more && count > 0 ? handle + 1 : 0;
    return true;
}

void inquiry_handles(struct stage *below, uint32_t first, inquiry_visitor visitor, void *context)
{
    struct message response;

    while (first != 0) {
        const uint32_t words[] = {TPM2_CAP_HANDLES, first, PAGE};

        if (!ask(below, TPM2_CC_GetCapability, words, 3, &response) ||
            !visit_page(&response, visitor, context, &first))
            return;
    }
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

/* TPM2B_NV_PUBLIC: index, hash, attributes, policy, size */
static uint16_t size_of_index(const struct message *response)
{
    struct answer answer = answer_from(response, HEADER_SIZE);
    struct answer area = answer_2b(&answer);

    (void)answer_bytes(&area, 4 + 2 + 4);
    (void)answer_2b(&area);
    return answer_u16(&area);
}

static bool add_index(void *context, uint32_t handle)
{
    struct room *room = context;
    struct message response;

    if (handle >= MANUFACTURERS_FIRST && handle <= MANUFACTURERS_LAST)
        return true;
    if (ask(room->below, TPM2_CC_NV_ReadPublic, &handle, 1, &response))
        room->used += size_of_index(&response);
    return true;
}

uint32_t inquiry_nv_used(struct stage *below)
{
    struct room room = {below, 0};

    inquiry_handles(below, (uint32_t)TPM2_HT_NV_INDEX << 24, add_index, &room);
    return room.used;
}
