/* A TCTI for tests: passes every command to another TCTI, writes one line for
 * each to a file, and can answer in the TPM's place with an error.
 *     count:CHILD     where CHILD is the configuration of any TCTI
 * COUNT_TCTI_LOG names the file of lines, COUNT_TCTI_FAULTS the file of
 * errors (count.h). */
#include "conformance/tcti/count.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>

#define COUNT_MAGIC 0x636F756E74544354ULL
#define HEADER_SIZE 10 /* tag, size, code: the same for command and response */

struct count_context {
    TSS2_TCTI_CONTEXT_COMMON_V2 common;
    TSS2_TCTI_CONTEXT *child;
    uint32_t command_code; /* of the command under way */
    size_t command_size;
    uint32_t fault; /* what it gets instead of the TPM's answer, or 0 */
};

static struct count_context *count_context(TSS2_TCTI_CONTEXT *context)
{
    if (!context || TSS2_TCTI_MAGIC(context) != COUNT_MAGIC)
        return NULL;
    return (struct count_context *)context;
}

static uint32_t code_of(const uint8_t *message)
{
    uint32_t code;

    memcpy(&code, message + 6, sizeof(code));
    return be32toh(code);
}

static bool is_transport_error(uint32_t fault)
{
    return fault > 0xFFFF;
}

static TSS2_RC count_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    struct count_context *count = count_context(context);

    if (!count)
        return TSS2_TCTI_RC_BAD_CONTEXT;
    if (!command || size < HEADER_SIZE)
        return TSS2_TCTI_RC_BAD_VALUE;
    count->command_code = code_of(command);
    count->command_size = size;
    count->fault = fault_for(count->command_code);
    if (is_transport_error(count->fault)) {
        log_command(count->command_code, size, count->fault);
        return count->fault;
    }
    return count->fault ? TSS2_RC_SUCCESS : Tss2_Tcti_Transmit(count->child, size, command);
}

static TSS2_RC receive_fault(struct count_context *count, size_t *size, uint8_t *response)
{
    uint16_t tag = htobe16(TPM2_ST_NO_SESSIONS);
    uint32_t length = htobe32(HEADER_SIZE), code = htobe32(count->fault);

    if (response && *size < HEADER_SIZE)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    *size = HEADER_SIZE;
    if (!response)
        return TSS2_RC_SUCCESS;
    memcpy(response, &tag, sizeof(tag));
    memcpy(response + 2, &length, sizeof(length));
    memcpy(response + 6, &code, sizeof(code));
    log_command(count->command_code, count->command_size, count->fault);
    count->fault = 0;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC count_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response,
                             int32_t timeout)
{
    struct count_context *count = count_context(context);
    TSS2_RC rc;

    if (!count)
        return TSS2_TCTI_RC_BAD_CONTEXT;
    if (!size)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (count->fault)
        return receive_fault(count, size, response);
    rc = Tss2_Tcti_Receive(count->child, size, response, timeout);
    if (rc == TSS2_RC_SUCCESS && response && *size >= HEADER_SIZE)
        log_command(count->command_code, count->command_size, code_of(response));
    return rc;
}

static void count_finalize(TSS2_TCTI_CONTEXT *context)
{
    struct count_context *count = count_context(context);

    if (count)
        Tss2_TctiLdr_Finalize(&count->child);
}

static TSS2_RC count_cancel(TSS2_TCTI_CONTEXT *context)
{
    struct count_context *count = count_context(context);

    return count ? Tss2_Tcti_Cancel(count->child) : TSS2_TCTI_RC_BAD_CONTEXT;
}

static TSS2_RC count_get_poll_handles(TSS2_TCTI_CONTEXT *context, TSS2_TCTI_POLL_HANDLE *handles,
                                      size_t *handle_count)
{
    struct count_context *count = count_context(context);

    return count ? Tss2_Tcti_GetPollHandles(count->child, handles, handle_count)
                 : TSS2_TCTI_RC_BAD_CONTEXT;
}

static TSS2_RC count_set_locality(TSS2_TCTI_CONTEXT *context, uint8_t locality)
{
    struct count_context *count = count_context(context);

    return count ? Tss2_Tcti_SetLocality(count->child, locality) : TSS2_TCTI_RC_BAD_CONTEXT;
}

static TSS2_RC count_make_sticky(TSS2_TCTI_CONTEXT *context, TPM2_HANDLE *handle, uint8_t sticky)
{
    struct count_context *count = count_context(context);

    return count ? Tss2_Tcti_MakeSticky(count->child, handle, sticky) : TSS2_TCTI_RC_BAD_CONTEXT;
}

static void fill_in(struct count_context *count)
{
    TSS2_TCTI_CONTEXT *context = (TSS2_TCTI_CONTEXT *)count;

    TSS2_TCTI_MAGIC(context) = COUNT_MAGIC;
    TSS2_TCTI_VERSION(context) = 2;
    TSS2_TCTI_TRANSMIT(context) = count_transmit;
    TSS2_TCTI_RECEIVE(context) = count_receive;
    TSS2_TCTI_FINALIZE(context) = count_finalize;
    TSS2_TCTI_CANCEL(context) = count_cancel;
    TSS2_TCTI_GET_POLL_HANDLES(context) = count_get_poll_handles;
    TSS2_TCTI_SET_LOCALITY(context) = count_set_locality;
    TSS2_TCTI_MAKE_STICKY(context) = count_make_sticky;
}

static TSS2_RC count_init(TSS2_TCTI_CONTEXT *context, size_t *size, const char *configuration)
{
    struct count_context *count = (struct count_context *)context;

    if (!size)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (!context) {
        *size = sizeof(*count);
        return TSS2_RC_SUCCESS;
    }
    if (*size < sizeof(*count))
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    memset(count, 0, sizeof(*count));
    fill_in(count);
    return Tss2_TctiLdr_Initialize(configuration, &count->child);
}

static const TSS2_TCTI_INFO info = {
    .version = 2,
    .name = "tcti-count",
    .description = "Counts the commands sent to another TCTI, for tests.",
    .config_help = "the configuration of the other TCTI",
    .init = count_init,
};

/* The one symbol that the loader looks for. */
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void) __attribute__((visibility("default")));

const TSS2_TCTI_INFO *Tss2_Tcti_Info(void)
{
    return &info;
}
