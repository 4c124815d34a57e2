#ifndef EMULATOR_BYTES_H
#define EMULATOR_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Big-endian integers, as TPM 2.0 Library part 2 and swtpm's files have them. */

static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, (uint16_t)(value >> 16));
    put_u16(at + 2, (uint16_t)value);
}

/* Owned bytes: {NULL, 0} when empty. Wiped when freed, as TPM states hold seeds. */
struct blob {
    uint8_t *data;
    size_t size;
};

/* Copies size bytes. Returns 0, or -1 without memory; then *ret is untouched. */
int blob_copy(const void *data, size_t size, struct blob *ret);

/* Wipes, frees and empties; takes NULL and empty blobs. */
void blob_free(struct blob *blob);

/* Frees what *to held and moves *from into it. */
void blob_move(struct blob *to, struct blob *from);

#define BLOB_SCOPE __attribute__((cleanup(blob_free)))

#endif
