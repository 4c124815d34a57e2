#include "emulator/tpm.h"

#include "emulator/build.h"

#include <string.h>
#include <sys/random.h>
#include <tss2/tss2_tpm2_types.h>

#define STIR_SIZE 48

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

uint32_t tpm_set_lockout(struct tpm_backend *tpm, uint32_t max_tries, uint32_t recovery_seconds,
                         uint32_t lockout_recovery_seconds)
{
    struct message command, response;

    build_begin(&command, TPM2_ST_SESSIONS, TPM2_CC_DictionaryAttackParameters);
    build_u32(&command, TPM2_RH_LOCKOUT);
    build_empty_password(&command);
    build_u32(&command, max_tries);
    build_u32(&command, recovery_seconds);
    build_u32(&command, lockout_recovery_seconds);
    return tpm_run(tpm, &command, &response);
}

/* The response's parameters: moreData, capability, count, TPMA_CC... */
static uint32_t read_some_commands(struct tpm_backend *tpm, uint32_t first,
                                   struct command_attributes *table, uint32_t *ret_next)
{
    struct message command, response;
    const uint8_t *list = response.bytes + HEADER_SIZE + 9;
    uint32_t rc, count, code = first;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    build_u32(&command, TPM2_CAP_COMMANDS);
    build_u32(&command, first);
    build_u32(&command, sizeof(table->attributes) / sizeof(table->attributes[0]));
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    count = get_u32(response.bytes + HEADER_SIZE + 5);
    if (response.size != HEADER_SIZE + 9 + (size_t)count * 4)
        return TPM2_RC_FAILURE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t attributes = get_u32(list + (size_t)i * 4);

        code = attributes & TPMA_CC_COMMANDINDEX_MASK;
        if (!(attributes & TPMA_CC_V) && code >= TPM2_CC_FIRST &&
            code - TPM2_CC_FIRST < sizeof(table->attributes) / sizeof(table->attributes[0]))
            table->attributes[code - TPM2_CC_FIRST] = attributes;
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
