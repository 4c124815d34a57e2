#include "emulator/swtpm_file.h"

#include "emulator/error.h"

#include <stdlib.h>
#include <string.h>

/* blobheader { u8 version, u8 min_version, u16 header size, u16 flags, u32 total }
 * then tlv_header { u16 tag, u32 length }. */
#define BLOB_VERSION 2
#define BLOB_MIN_VERSION 1
#define BLOB_HEADER_SIZE 10
#define TAG_DATA 1

TSS2_RC swtpm_file_wrap(const struct blob *state, struct blob *ret_file)
{
    struct blob file = {malloc(SWTPM_HEADER_SIZE + state->size), SWTPM_HEADER_SIZE + state->size};

    if (!file.data)
        return TSS2_TCTI_RC_MEMORY;
    file.data[0] = BLOB_VERSION;
    file.data[1] = BLOB_MIN_VERSION;
    put_u16(file.data + 2, BLOB_HEADER_SIZE);
    put_u16(file.data + 4, 0);
    put_u32(file.data + 6, (uint32_t)file.size);
    put_u16(file.data + 10, TAG_DATA);
    put_u32(file.data + 12, (uint32_t)state->size);
    memcpy(file.data + SWTPM_HEADER_SIZE, state->data, state->size);
    *ret_file = file;
    return TSS2_RC_SUCCESS;
}

static const char *header_fault(const struct blob *file)
{
    const uint8_t *at = file->data;

    if (file->size <= SWTPM_HEADER_SIZE)
        return "the file is too short to be a TPM state";
    if (at[1] > BLOB_VERSION || get_u16(at + 2) != BLOB_HEADER_SIZE)
        return "not a swtpm state file, or one of a newer format";
    if (get_u32(at + 6) != file->size)
        return "the file's length is not the one its header names (cut or overwritten?)";
    if (get_u16(at + 4) != 0)
        return "the state is encrypted, which is not supported";
    if (get_u16(at + 10) != TAG_DATA)
        return "the file does not begin with a plain state";
    if (get_u32(at + 12) != file->size - SWTPM_HEADER_SIZE)
        return "the state's length is not the one its header names";
    return NULL;
}

TSS2_RC swtpm_file_unwrap(const struct blob *file, struct blob *ret_state)
{
    const char *fault = header_fault(file);

    if (fault) {
        error_set("%s", fault);
        return TSS2_TCTI_RC_BAD_VALUE;
    }
    if (blob_copy(file->data + SWTPM_HEADER_SIZE, file->size - SWTPM_HEADER_SIZE, ret_state) != 0)
        return TSS2_TCTI_RC_MEMORY;
    return TSS2_RC_SUCCESS;
}
