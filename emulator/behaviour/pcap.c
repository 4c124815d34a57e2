#include "emulator/behaviour/pcap.h"

#include "emulator/behaviour/output.h"
#include "emulator/bytes.h"
#include "emulator/descriptor.h"
#include "emulator/error.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The pcapng capture file format (draft-ietf-opsawg-pcapng), its blocks: */
#define SECTION_HEADER 0x0a0d0d0au
#define INTERFACE 1u
#define ENHANCED_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINK_TYPE_IPV4 228u
#define OPTION_COMMENT 1u
#define OPTION_TIME_RESOLUTION 9u
#define NANOSECONDS 9u
#define COMMENT "Commands of an embedded TPM. Holds authorizations and secrets."

/* Of a packet: the block's own fields, an IPv4 and a TCP header. */
#define BLOCK_HEADER 28u
#define IP_HEADER 20u
#define TCP_HEADER 20u
#define PACKET_MAX (BLOCK_HEADER + IP_HEADER + TCP_HEADER + MESSAGE_MAX + 3 + 4)
#define FILE_HEADER_MAX 256u

#define TPM_ADDRESS 0x0a000000u
#define TPM_PORT 2321u
#define CLIENT_PORT_FIRST 10000u
#define CLIENT_PORTS 50000u

struct pcap {
    struct output output;
    uint32_t sent; /* TCP sequence numbers */
    uint32_t answered;
    uint8_t packets[2 * PACKET_MAX];
};

/* --- blocks: all is little-endian, and a multiple of 4 bytes ------------------ */

static uint8_t *add_le16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *add_le32(uint8_t *at, uint32_t value)
{
    return add_le16(add_le16(at, value & 0xffff), value >> 16);
}

static uint8_t *add_padded(uint8_t *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    at += size;
    for (; size % 4; size++)
        *at++ = 0;
    return at;
}

static uint8_t *add_option(uint8_t *at, uint32_t code, const void *value, size_t size)
{
    at = add_padded(add_le16(add_le16(at, code), (uint32_t)size), value, size);
    return add_le32(at, 0);
}

/* A block's length stands after its type and at its end. */
static uint8_t *end_block(uint8_t *block, uint8_t *at)
{
    uint32_t size = (uint32_t)(at - block) + 4;

    (void)add_le32(block + 4, size);
    return add_le32(at, size);
}

static size_t file_header(uint8_t header[FILE_HEADER_MAX])
{
    static const uint8_t resolution = NANOSECONDS;
    uint8_t *at = add_le32(header, SECTION_HEADER) + 4;
    uint8_t *interface;

    at = add_le32(at, BYTE_ORDER_MAGIC);
    at = add_le16(add_le16(at, 1), 0);
    at = add_le32(add_le32(at, UINT32_MAX), UINT32_MAX); /* the section's length: open */
    interface = end_block(header, add_option(at, OPTION_COMMENT, COMMENT, strlen(COMMENT)));
    at = add_le32(interface, INTERFACE) + 4;
    at = add_le16(add_le16(at, LINK_TYPE_IPV4), 0);
    at = add_option(add_le32(at, 0), OPTION_TIME_RESOLUTION, &resolution, 1);
    return (size_t)(end_block(interface, at) - header);
}

/* --- packets --------------------------------------------------------------- */

struct endpoint {
    uint32_t address;
    uint16_t port;
    uint32_t *sequence;
};

/* Checksums stay 0, as of packets that the network card would complete. */
static uint8_t *add_ip_and_tcp(uint8_t *at, const struct endpoint *from, const struct endpoint *to,
                               size_t size)
{
    uint8_t *tcp = at + IP_HEADER;

    memset(at, 0, IP_HEADER + TCP_HEADER);
    at[0] = 0x45; /* version 4, 5 words */
    put_u16(at + 2, (uint16_t)(IP_HEADER + TCP_HEADER + size));
    at[6] = 0x40; /* not to be fragmented */
    at[8] = 64;
    at[9] = 6; /* TCP */
    put_u32(at + 12, from->address);
    put_u32(at + 16, to->address);
    put_u16(tcp, from->port);
    put_u16(tcp + 2, to->port);
    put_u32(tcp + 4, *from->sequence);
    put_u32(tcp + 8, *to->sequence);
    tcp[12] = 0x50; /* 5 words */
    tcp[13] = 0x18; /* PSH, ACK */
    put_u16(tcp + 14, UINT16_MAX);
    *from->sequence += (uint32_t)size;
    return tcp + TCP_HEADER;
}

static uint8_t *add_packet(uint8_t *block, uint64_t time, const struct endpoint *from,
                           const struct endpoint *to, const struct message *message)
{
    uint32_t size = (uint32_t)(IP_HEADER + TCP_HEADER + message->size);
    uint8_t *at = add_le32(block, ENHANCED_PACKET) + 4;

    at = add_le32(at, 0);
    at = add_le32(add_le32(at, (uint32_t)(time >> 32)), (uint32_t)time);
    at = add_le32(add_le32(at, size), size);
    at = add_ip_and_tcp(at, from, to, message->size);
    return end_block(block, add_padded(at, message->bytes, message->size));
}

/* One write for both: Wireshark takes an answer for that of the last command in
 * the file. */
void pcap_note(struct pcap *pcap, const struct observation *seen)
{
    struct endpoint tpm = {TPM_ADDRESS, TPM_PORT, &pcap->answered};
    struct endpoint client = {TPM_ADDRESS | (seen->process & 0xffffff),
                              (uint16_t)(CLIENT_PORT_FIRST + seen->connection % CLIENT_PORTS),
                              &pcap->sent};
    uint8_t *end = add_packet(pcap->packets, seen->started, &client, &tpm, seen->sent);
    size_t size;

    if (seen->answer)
        end = add_packet(end, seen->started + seen->duration, &tpm, &client, seen->answer);
    size = (size_t)(end - pcap->packets);
    (void)output_append(&pcap->output, pcap->packets, size);
    explicit_bzero(pcap->packets, size);
}

/* --- the file ---------------------------------------------------------------- */

/* Under the file's lock. */
static TSS2_RC begin_or_check(const char *path, const struct output *output)
{
    uint8_t header[FILE_HEADER_MAX], found[FILE_HEADER_MAX];
    size_t size = file_header(header);
    struct stat status;

    if (fstat(output->fd, &status) != 0)
        return output_failed("pcap", path, "cannot be read");
    if (status.st_size == 0)
        return output_append(output, header, size)
                   ? TSS2_RC_SUCCESS
                   : output_failed("pcap", path, "its header cannot be written");
    if (pread(output->fd, found, size, 0) != (ssize_t)size || memcmp(found, header, size) != 0)
        return output_refused("pcap", path,
                              "is not a file that was begun here; remove it or name another");
    return TSS2_RC_SUCCESS;
}

static TSS2_RC open_file(const char *path, struct output *ret)
{
    OUTPUT_SCOPE struct output output = OUTPUT_CLOSED;
    TSS2_RC rc = output_open("pcap", path, O_RDWR | O_APPEND | O_CREAT, &output);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    if (descriptor_lock(output.fd) != 0)
        return output_failed("pcap", path, "cannot be locked");
    rc = begin_or_check(path, &output);
    (void)flock(output.fd, LOCK_UN);
    if (rc == TSS2_RC_SUCCESS) {
        *ret = output;
        output.fd = -1;
    }
    return rc;
}

/* Sequence numbers begin with the time, as a host's do: what an earlier process
 * of the same number wrote is not taken for the same stream. */
TSS2_RC pcap_open(const char *path, struct pcap **ret)
{
    struct pcap *pcap = calloc(1, sizeof(*pcap));
    struct timespec time = {0};
    TSS2_RC rc;

    if (!pcap) {
        error_set("no memory for the pcap file");
        return TSS2_TCTI_RC_MEMORY;
    }
    rc = open_file(path, &pcap->output);
    if (rc != TSS2_RC_SUCCESS) {
        free(pcap);
        return rc;
    }
    (void)clock_gettime(CLOCK_REALTIME, &time);
    pcap->sent = (uint32_t)time.tv_sec * 250000 + (uint32_t)time.tv_nsec / 4000;
    pcap->answered = pcap->sent;
    *ret = pcap;
    return TSS2_RC_SUCCESS;
}

void pcap_close(struct pcap *pcap)
{
    if (pcap)
        output_close(&pcap->output);
    free(pcap);
}
