#include "emulator/query.h"

#include "emulator/build.h"
#include "emulator/command.h"
#include "emulator/tpm.h"

#include <stdlib.h>
#include <tss2/tss2_tpm2_types.h>

#define READ_AT_ONCE 1024

uint32_t query_handles(struct tpm_backend *tpm, uint32_t first, struct handle_list *ret)
{
    size_t count = 1;

    ret->count = 0;
    while (count > 0) {
        uint32_t next = ret->count ? ret->handles[ret->count - 1] + 1 : first;
        uint32_t rc;

        if (ret->count == HANDLES_MAX)
            return TPM2_RC_FAILURE;
        rc = tpm_read_handles(tpm, next, ret->handles + ret->count, HANDLES_MAX - ret->count,
                              &count);
        if (rc != TPM2_RC_SUCCESS)
            return rc;
        ret->count += count;
    }
    return TPM2_RC_SUCCESS;
}

uint32_t query_nv_public(struct tpm_backend *tpm, uint32_t index, struct nv_public *ret)
{
    struct message command, response;
    struct answer answer, area;
    struct nv_public public;
    uint32_t rc;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_NV_ReadPublic);
    build_u32(&command, index);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    answer = answer_from(&response, HEADER_SIZE);
    area = answer_2b(&answer);
    public.index = answer_u32(&area);
    public.name_algorithm = answer_u16(&area);
    public.attributes = answer_u32(&area);
    public.has_policy = answer_2b(&area).left > 0;
    public.size = answer_u16(&area);
    if (area.cut || public.index != index)
        return TPM2_RC_FAILURE;
    *ret = public;
    return TPM2_RC_SUCCESS;
}

static uint32_t read_some(struct tpm_backend *tpm, uint32_t index, size_t offset, size_t size,
                          uint8_t *to)
{
    struct message command, response;
    struct answer answer, data;
    uint32_t rc;

    build_begin(&command, TPM2_ST_SESSIONS, TPM2_CC_NV_Read);
    build_u32(&command, index);
    build_u32(&command, index);
    build_empty_password(&command);
    build_u16(&command, (uint16_t)size);
    build_u16(&command, (uint16_t)offset);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    answer = answer_from(&response, HEADER_SIZE + 4);
    data = answer_2b(&answer);
    if (data.cut || data.left != size)
        return TPM2_RC_FAILURE;
    for (size_t i = 0; i < size; i++)
        to[i] = answer_u8(&data);
    return TPM2_RC_SUCCESS;
}

uint32_t query_nv(struct tpm_backend *tpm, uint32_t index, size_t size, struct blob *ret)
{
    BLOB_SCOPE struct blob content = {calloc(1, size + 1), size};
    uint32_t rc = TPM2_RC_SUCCESS;

    if (!content.data)
        return TPM2_RC_MEMORY;
    for (size_t done = 0; rc == TPM2_RC_SUCCESS && done < size; done += READ_AT_ONCE)
        rc = read_some(tpm, index, done, size - done < READ_AT_ONCE ? size - done : READ_AT_ONCE,
                       content.data + done);
    if (rc != TPM2_RC_SUCCESS)
        return rc;
    *ret = content;
    content = (struct blob){NULL, 0};
    return TPM2_RC_SUCCESS;
}
