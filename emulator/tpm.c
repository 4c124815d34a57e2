#include "emulator/tpm.h"

#include "emulator/build.h"

#include <string.h>
#include <sys/random.h>
#include <tss2/tss2_tpm2_types.h>

#define STIR_SIZE 48
#define CAPABILITIES_MAX 254
#define CAPABILITY_LIST (HEADER_SIZE + 9)

uint32_t tpm_run(struct tpm_backend *tpm, struct message *command, struct message *response)
{
    build_end(command);
    tpm->operations->process(tpm, 0, command, response);
    return response_code(response);
}

uint32_t tpm_startup(struct tpm_backend *tpm, uint16_t type)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_Startup);
    build_u16(&command, type);
    return tpm_run(tpm, &command, &response);
}

uint32_t tpm_shutdown(struct tpm_backend *tpm, uint16_t type)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_Shutdown);
    build_u16(&command, type);
    return tpm_run(tpm, &command, &response);
}

uint32_t tpm_stir_random(struct tpm_backend *tpm)
{
    struct message command, response;
    uint8_t entropy[STIR_SIZE];
    uint32_t rc;

    if (getrandom(entropy, sizeof(entropy), 0) != (ssize_t)sizeof(entropy))
        return TPM2_RC_FAILURE;
    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_StirRandom);
    build_u16(&command, sizeof(entropy));
    build_bytes(&command, entropy, sizeof(entropy));
    rc = tpm_run(tpm, &command, &response);
    explicit_bzero(entropy, sizeof(entropy));
    explicit_bzero(command.bytes, command.size);
    return rc;
}

uint32_t tpm_set_lockout(struct tpm_backend *tpm, const struct lockout_parameters *lockout)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_SESSIONS, TPM2_CC_DictionaryAttackParameters);
    build_u32(&command, TPM2_RH_LOCKOUT);
    build_empty_password(&command);
    build_u32(&command, lockout->max_tries);
    build_u32(&command, lockout->recovery_seconds);
    build_u32(&command, lockout->lockout_recovery_seconds);
    return tpm_run(tpm, &command, &response);
}

/* The response's parameters: moreData, capability, count, items of item_size. */
static uint32_t get_capability(struct tpm_backend *tpm, uint32_t capability, uint32_t first,
                               size_t item_size, struct message *response, uint32_t *ret_count)
{
    struct message command;
    uint32_t rc;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    build_u32(&command, capability);
    build_u32(&command, first);
    build_u32(&command, CAPABILITIES_MAX);
    rc = tpm_run(tpm, &command, response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    if (response->size < CAPABILITY_LIST)
        return TPM2_RC_FAILURE;
    *ret_count = get_u32(response->bytes + CAPABILITY_LIST - 4);
    return response->size == CAPABILITY_LIST + *ret_count * item_size ? TPM2_RC_SUCCESS
                                                                      : TPM2_RC_FAILURE;
}

static uint32_t item(const struct message *response, uint32_t index)
{
    return get_u32(response->bytes + CAPABILITY_LIST + (size_t)index * 4);
}

static void set_attributes(struct command_attributes *table, uint32_t code, uint32_t attributes)
{
    if (code >= TPM2_CC_FIRST &&
        code - TPM2_CC_FIRST < sizeof(table->attributes) / sizeof(table->attributes[0]))
        table->attributes[code - TPM2_CC_FIRST] = attributes;
}

static uint32_t read_some_commands(struct tpm_backend *tpm, uint32_t first,
                                   struct command_attributes *table, uint32_t *ret_next)
{
    struct message response;
    uint32_t count = 0, code = first;
    uint32_t rc = get_capability(tpm, TPM2_CAP_COMMANDS, first, 4, &response, &count);

    if (rc != TPM2_RC_SUCCESS)
        return rc;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t attributes = item(&response, i);

        code = attributes & TPMA_CC_COMMANDINDEX_MASK;
        if (!(attributes & TPMA_CC_V))
            set_attributes(table, code, attributes);
    }
    *ret_next = count > 0 && response.bytes[HEADER_SIZE] ? code + 1 : 0;
    return TPM2_RC_SUCCESS;
}

uint32_t tpm_read_commands(struct tpm_backend *tpm, struct command_attributes *ret)
{
    struct command_attributes table = {.attributes = {0}};
    uint32_t next = TPM2_CC_FIRST;

    while (next != 0) {
        uint32_t first = next;
        uint32_t rc = read_some_commands(tpm, first, &table, &next);

        if (rc != TPM2_RC_SUCCESS)
            return rc;
        if (next != 0 && next <= first)
            return TPM2_RC_FAILURE;
    }
    *ret = table;
    return TPM2_RC_SUCCESS;
}

uint32_t tpm_read_audited(struct tpm_backend *tpm, struct command_attributes *ret)
{
    struct command_attributes table = {.attributes = {0}};
    struct message response;
    uint32_t count = 0;
    uint32_t rc = get_capability(tpm, TPM2_CAP_AUDIT_COMMANDS, TPM2_CC_FIRST, 4, &response, &count);

    if (rc != TPM2_RC_SUCCESS)
        return rc;
    for (uint32_t i = 0; i < count; i++)
        set_attributes(&table, item(&response, i), 1);
    *ret = table;
    return TPM2_RC_SUCCESS;
}

uint32_t tpm_read_handles(struct tpm_backend *tpm, uint32_t first, uint32_t *handles, size_t room,
                          size_t *ret_count)
{
    struct message response;
    uint32_t count = 0;
    uint32_t rc = get_capability(tpm, TPM2_CAP_HANDLES, first, 4, &response, &count);

    if (rc != TPM2_RC_SUCCESS)
        return rc;
    for (*ret_count = 0; *ret_count < count && *ret_count < room; (*ret_count)++)
        handles[*ret_count] = item(&response, (uint32_t)*ret_count);
    return TPM2_RC_SUCCESS;
}

uint32_t tpm_read_property(struct tpm_backend *tpm, uint32_t property, uint32_t *ret)
{
    struct message response;
    uint32_t count = 0;
    uint32_t rc = get_capability(tpm, TPM2_CAP_TPM_PROPERTIES, property, 8, &response, &count);

    if (rc != TPM2_RC_SUCCESS)
        return rc;
    if (count == 0 || item(&response, 0) != property)
        return TPM2_RC_VALUE;
    *ret = item(&response, 1);
    return TPM2_RC_SUCCESS;
}

uint32_t tpm_read_clock(struct tpm_backend *tpm, uint64_t *ret_time, uint64_t *ret_clock)
{
    struct message command, response;
    struct answer answer;
    uint32_t rc;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadClock);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    answer = answer_from(&response, HEADER_SIZE);
    *ret_time = answer_u64(&answer);
    *ret_clock = answer_u64(&answer);
    return answer.cut ? TPM2_RC_FAILURE : TPM2_RC_SUCCESS;
}

uint32_t tpm_context_save(struct tpm_backend *tpm, uint32_t handle, struct blob *ret_context)
{
    struct message command, response;
    uint32_t rc;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_ContextSave);
    build_u32(&command, handle);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    if (blob_copy(response.bytes + HEADER_SIZE, response.size - HEADER_SIZE, ret_context) != 0)
        return TPM2_RC_MEMORY;
    return TPM2_RC_SUCCESS;
}

uint32_t tpm_context_load(struct tpm_backend *tpm, const struct blob *context, uint32_t *ret_handle)
{
    struct message command, response;
    uint32_t rc;

    if (context->size > MESSAGE_MAX - HEADER_SIZE)
        return TPM2_RC_SIZE;
    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_ContextLoad);
    build_bytes(&command, context->data, context->size);
    rc = tpm_run(tpm, &command, &response);
    if (rc == TPM2_RC_SUCCESS)
        *ret_handle = get_u32(response.bytes + HEADER_SIZE);
    return rc;
}

uint32_t tpm_flush(struct tpm_backend *tpm, uint32_t handle)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_FlushContext);
    build_u32(&command, handle);
    return tpm_run(tpm, &command, &response);
}
