#include "emulator/behaviour/shown.h"

#include "emulator/behaviour/inquiry.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

/* The command: capability, property, count. The answer: moreData, capability, a
 * list with its count. */
#define WANTED_AT (HEADER_SIZE + 8)
#define COMMAND_SIZE (HEADER_SIZE + 12)
#define MORE_AT HEADER_SIZE
#define COUNT_AT (HEADER_SIZE + 5)
#define LIST_AT (HEADER_SIZE + 9)
#define ALL 254u
#define BANK_SIZE_MAX (2 + 1 + 4)

static uint32_t word_at(const uint8_t *entry, size_t size)
{
    return size == 2 ? get_u16(entry) : get_u32(entry);
}

static bool keeps(const struct profile *profile, uint32_t capability, const uint8_t *entry)
{
    switch (capability) {
    case TPM2_CAP_ALGS:
        return profile_list_holds(profile->algorithms, get_u16(entry));
    case TPM2_CAP_ECC_CURVES:
        return profile_list_holds(profile->curves, get_u16(entry));
    case TPM2_CAP_COMMANDS:
    default:
        return !profile_lacks_command(profile, word_at(entry, 4) & 0xffff);
    }
}

/* Of the lists that are filtered; 0: another capability. */
static size_t entry_size(uint32_t capability)
{
    switch (capability) {
    case TPM2_CAP_ALGS:
        return 6;
    case TPM2_CAP_ECC_CURVES:
        return 2;
    case TPM2_CAP_COMMANDS:
        return 4;
    default:
        return 0;
    }
}

/* Keeps what the chip has of a whole list, and at most as much as was wanted. */
static void filter(const struct profile *profile, uint32_t capability, uint32_t wanted,
                   struct message *response)
{
    size_t size = entry_size(capability);
    uint32_t count = get_u32(response->bytes + COUNT_AT), kept = 0;
    bool more = response->bytes[MORE_AT] != 0;

    if (response->size != LIST_AT + count * size)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = response->bytes + LIST_AT + i * size;

        if (!keeps(profile, capability, entry))
            continue;
        if (kept == wanted) {
            more = true;
            break;
        }
        memmove(response->bytes + LIST_AT + kept++ * size, entry, size);
    }
    response->bytes[MORE_AT] = more;
    response->size = LIST_AT + kept * size;
    put_u32(response->bytes + COUNT_AT, kept);
    put_u32(response->bytes + 2, (uint32_t)response->size);
}

/* PCR banks: hash, size of the bitmap, bitmap */
static void filter_banks(const struct profile *profile, struct message *response)
{
    uint32_t count = get_u32(response->bytes + COUNT_AT), kept = 0;
    size_t at = LIST_AT, to = LIST_AT;

    for (uint32_t i = 0; i < count && at + 3 <= response->size; i++) {
        size_t size = 3 + (size_t)response->bytes[at + 2];

        if (size > BANK_SIZE_MAX || at + size > response->size)
            return;
        if (profile_list_holds(profile->algorithms, get_u16(response->bytes + at))) {
            memmove(response->bytes + to, response->bytes + at, size);
            to += size;
            kept++;
        }
        at += size;
    }
    response->size = to;
    put_u32(response->bytes + COUNT_AT, kept);
    put_u32(response->bytes + 2, (uint32_t)response->size);
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
    return limit != 0 && limit < value ? limit : value;
}

static uint32_t instead(uint32_t value, uint32_t other)
{
    return other != 0 ? other : value;
}

static uint32_t count_absent_commands(const struct shown *shown)
{
    uint32_t count = 0;

    for (const uint32_t *at = shown->profile->absent_commands; at && *at; at++)
        count += command_attributes_of(shown->commands, *at) != 0;
    return count;
}

static uint32_t count_curves(const struct profile *profile)
{
    uint32_t count = 0;

    for (const uint16_t *at = profile->curves; at && *at; at++)
        count++;
    return count;
}

static uint32_t largest_digest(const struct profile *profile)
{
    if (profile_list_holds(profile->algorithms, TPM2_ALG_SHA512))
        return 64;
    return profile_list_holds(profile->algorithms, TPM2_ALG_SHA384) ? 48 : 32;
}

static uint32_t persistent_room(const struct profile *profile, struct stage *below, uint32_t value)
{
    bool taken;
    uint32_t used = inquiry_persistent(below, 0, &taken);

    return used >= profile->persistent ? 0 : at_most(value, profile->persistent - used);
}

/* With a resource manager the TPM below has less than its clients can load. */
static uint32_t slots(const struct shown *shown, uint32_t value, uint32_t limit)
{
    return shown->managed ? instead(value, limit) : at_most(value, limit);
}

static uint32_t chip_name(const struct profile *profile, uint32_t property, uint32_t value)
{
    switch (property) {
    case TPM2_PT_MANUFACTURER:
        return instead(value, profile->manufacturer);
    case TPM2_PT_VENDOR_STRING_1:
    case TPM2_PT_VENDOR_STRING_2:
    case TPM2_PT_VENDOR_STRING_3:
    case TPM2_PT_VENDOR_STRING_4:
        return profile->vendor[property - TPM2_PT_VENDOR_STRING_1];
    case TPM2_PT_FIRMWARE_VERSION_1:
        return profile->firmware[0] ? profile->firmware[0] : value;
    case TPM2_PT_FIRMWARE_VERSION_2:
        return profile->firmware[0] ? profile->firmware[1] : value;
    default:
        return value;
    }
}

static uint32_t chip_limit(const struct shown *shown, struct stage *below, uint32_t property,
                           uint32_t value)
{
    const struct profile *profile = shown->profile;

    switch (property) {
    case TPM2_PT_HR_TRANSIENT_MIN:
    case TPM2_PT_HR_TRANSIENT_AVAIL:
        return slots(shown, value, profile->objects);
    case TPM2_PT_HR_LOADED_MIN:
        return slots(shown, value, profile->sessions);
    case TPM2_PT_HR_PERSISTENT_MIN:
        return at_most(value, profile->persistent);
    case TPM2_PT_HR_PERSISTENT_AVAIL:
        return profile->persistent ? persistent_room(profile, below, value) : value;
    case TPM2_PT_CONTEXT_GAP_MAX:
        return at_most(value, profile->context_gap);
    case TPM2_PT_MAX_COMMAND_SIZE:
    case TPM2_PT_MAX_RESPONSE_SIZE:
        return at_most(value, profile->message_size);
    case TPM2_PT_NV_INDEX_MAX:
        return at_most(value, profile->nv_index_size);
    case TPM2_PT_NV_BUFFER_MAX:
        return at_most(value, profile->nv_piece_size);
    case TPM2_PT_MAX_DIGEST:
        return at_most(value, largest_digest(profile));
    case TPM2_PT_LOADED_CURVES:
        return at_most(value, count_curves(profile));
    case TPM2_PT_TOTAL_COMMANDS:
    case TPM2_PT_LIBRARY_COMMANDS:
        return value - count_absent_commands(shown);
    default:
        return value;
    }
}

static void rewrite_properties(const struct shown *shown, struct stage *below,
                               struct message *response)
{
    uint32_t count = get_u32(response->bytes + COUNT_AT);

    for (uint32_t i = 0; i < count && LIST_AT + (size_t)(i + 1) * 8 <= response->size; i++) {
        uint8_t *at = response->bytes + LIST_AT + (size_t)i * 8;
        uint32_t property = get_u32(at);
        uint32_t value = chip_name(shown->profile, property, get_u32(at + 4));

        put_u32(at + 4, chip_limit(shown, below, property, value));
    }
}

void shown_run(const struct shown *shown, struct stage *below, struct exchange *exchange)
{
    struct message *message = exchange->command, *response = exchange->response;
    uint32_t capability, wanted;

    if (message->size != COMMAND_SIZE || get_u16(message->bytes) != TPM2_ST_NO_SESSIONS) {
        stage_run(below, exchange);
        return;
    }
    capability = get_u32(message->bytes + HEADER_SIZE);
    wanted = get_u32(message->bytes + WANTED_AT);
    if (entry_size(capability) != 0)
        put_u32(message->bytes + WANTED_AT, ALL);
    stage_run(below, exchange);
    put_u32(message->bytes + WANTED_AT, wanted);
    if (exchange->lost != TSS2_RC_SUCCESS || response_code(response) != TPM2_RC_SUCCESS ||
        response->size < LIST_AT)
        return;
    if (entry_size(capability) != 0)
        filter(shown->profile, capability, wanted, response);
    else if (capability == TPM2_CAP_PCRS)
        filter_banks(shown->profile, response);
    else if (capability == TPM2_CAP_TPM_PROPERTIES)
        rewrite_properties(shown, below, response);
}
