#include "emulator/behaviour/failure.h"

#include "emulator/command.h"

#include <tss2/tss2_tpm2_types.h>

#define GET_CAPABILITY_SIZE (HEADER_SIZE + 12)
#define COUNT_AT (HEADER_SIZE + 5) /* after moreData and capability */
#define RESPONSE_SIZE (COUNT_AT + 12)

/* No vendor data: {TPM2B_MAX_BUFFER outData, TPM_RC testResult}. */
static void answer_test_result(struct message *response)
{
    respond_code(TPM2_RC_SUCCESS, response);
    put_u16(response->bytes + HEADER_SIZE, 0);
    put_u32(response->bytes + HEADER_SIZE + 2, TPM2_RC_FAILURE);
    response->size = HEADER_SIZE + 6;
    put_u32(response->bytes + 2, (uint32_t)response->size);
}

static void answer_capability(struct stage *next, struct exchange *exchange)
{
    uint8_t *parameters = exchange->command->bytes + HEADER_SIZE;
    struct message *response = exchange->response;
    uint32_t property = get_u32(parameters + 4);
    bool past_last = property > TPM2_PT_FIRMWARE_VERSION_2;

    if (property < TPM2_PT_MANUFACTURER || past_last)
        property = TPM2_PT_MANUFACTURER;
    put_u32(parameters + 4, property);
    put_u32(parameters + 8, 1);
    stage_run(next, exchange);
    if (response_code(response) != TPM2_RC_SUCCESS || response->size != RESPONSE_SIZE)
        return;
    response->bytes[HEADER_SIZE] = !past_last && property != TPM2_PT_FIRMWARE_VERSION_2;
    if (past_last) {
        put_u32(response->bytes + COUNT_AT, 0);
        response->size = COUNT_AT + 4;
        put_u32(response->bytes + 2, (uint32_t)response->size);
    }
}

void failure_answer(struct stage *next, struct exchange *exchange)
{
    const struct message *command = exchange->command;
    bool plain = command->size >= HEADER_SIZE && get_u16(command->bytes) == TPM2_ST_NO_SESSIONS &&
                 get_u32(command->bytes + 2) == command->size;
    uint32_t code = plain ? get_u32(command->bytes + 6) : 0;

    if (code == TPM2_CC_GetTestResult && command->size == HEADER_SIZE)
        answer_test_result(exchange->response);
    else if (code == TPM2_CC_GetCapability && command->size == GET_CAPABILITY_SIZE &&
             get_u32(command->bytes + HEADER_SIZE) == TPM2_CAP_TPM_PROPERTIES)
        answer_capability(next, exchange);
    else
        respond_code(TPM2_RC_FAILURE, exchange->response);
}
