#include "emulator/build.h"

#include "emulator/command.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

void build_begin(struct message *command, uint16_t tag, uint32_t code)
{
    command->size = 0;
    build_u16(command, tag);
    build_u32(command, 0);
    build_u32(command, code);
}

void build_bytes(struct message *command, const void *data, size_t size)
{
    if (size == 0 || size > MESSAGE_MAX - command->size)
        return;
    memcpy(command->bytes + command->size, data, size);
    command->size += size;
}

void build_u8(struct message *command, uint8_t value)
{
    build_bytes(command, &value, sizeof(value));
}

void build_u16(struct message *command, uint16_t value)
{
    uint8_t bytes[2];

    put_u16(bytes, value);
    build_bytes(command, bytes, sizeof(bytes));
}

void build_u32(struct message *command, uint32_t value)
{
    uint8_t bytes[4];

    put_u32(bytes, value);
    build_bytes(command, bytes, sizeof(bytes));
}

void build_2b(struct message *command, const void *data, size_t size)
{
    build_u16(command, (uint16_t)size);
    build_bytes(command, data, size);
}

void build_empty_password(struct message *command)
{
    build_u32(command, 9);
    build_u32(command, TPM2_RS_PW);
    build_u16(command, 0);
    build_u8(command, 0);
    build_u16(command, 0);
}

void build_end(struct message *command)
{
    put_u32(command->bytes + 2, (uint32_t)command->size);
}

struct answer answer_from(const struct message *response, size_t offset)
{
    struct answer answer = {response->bytes, response->size, false};

    (void)answer_bytes(&answer, offset);
    return answer;
}

const uint8_t *answer_bytes(struct answer *answer, size_t size)
{
    const uint8_t *at = answer->at;

    if (answer->cut || size > answer->left) {
        answer->cut = true;
        answer->left = 0;
        return NULL;
    }
    answer->at += size;
    answer->left -= size;
    return at;
}

uint8_t answer_u8(struct answer *answer)
{
    const uint8_t *at = answer_bytes(answer, 1);

    return at ? *at : 0;
}

uint16_t answer_u16(struct answer *answer)
{
    const uint8_t *at = answer_bytes(answer, 2);

    return at ? get_u16(at) : 0;
}

uint32_t answer_u32(struct answer *answer)
{
    const uint8_t *at = answer_bytes(answer, 4);

    return at ? get_u32(at) : 0;
}

uint64_t answer_u64(struct answer *answer)
{
    uint64_t high = answer_u32(answer);

    return high << 32 | answer_u32(answer);
}

struct answer answer_2b(struct answer *answer)
{
    size_t size = answer_u16(answer);
    const uint8_t *at = answer_bytes(answer, size);

    return (struct answer){at, at ? size : 0, answer->cut};
}
