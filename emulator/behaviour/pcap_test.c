#include "emulator/test_support.h"

#include "emulator/behaviour/pcap.h"

#include <sys/resource.h>

#define MORE_MAX 512
#define FILE_MAX (1u << 20)

static uint32_t le32(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static const char *pcap_to(const char *path, char more[MORE_MAX])
{
    assert_in_range(snprintf(more, MORE_MAX, ",pcap=%s", path), 1, MORE_MAX - 1);
    return more;
}

static TSS2_TCTI_CONTEXT *open_watched(const char *directory, char path[PATH_MAX])
{
    char more[MORE_MAX];

    return test_open_with(directory, pcap_to(test_path(directory, "pcap", path), more));
}

static uint8_t *read_all(const char *path, size_t *ret_size)
{
    uint8_t *bytes = malloc(FILE_MAX);
    FILE *file = fopen(path, "re");

    assert_non_null(bytes);
    assert_non_null(file);
    *ret_size = fread(bytes, 1, FILE_MAX, file);
    assert_in_range(*ret_size, 1, FILE_MAX - 1);
    (void)fclose(file);
    return bytes;
}

/* What a packet of a file says. */
struct packet {
    uint64_t time;
    uint32_t from, to;
    uint16_t from_port, to_port;
    uint32_t sequence, acknowledged;
    const uint8_t *message;
    size_t size;
};

/* The block at *at, which is of that type; goes on to the next. */
static const uint8_t *next_block(const uint8_t **at, const uint8_t *end, uint32_t type)
{
    const uint8_t *block = *at;
    uint32_t size;

    assert_true(end - block >= 12);
    assert_int_equal(le32(block), type);
    size = le32(block + 4);
    assert_int_equal(size % 4, 0);
    assert_in_range(size, 12, end - block);
    assert_int_equal(le32(block + size - 4), size);
    *at = block + size;
    return block;
}

static struct packet next_packet(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *block = next_block(at, end, 6);
    const uint8_t *ip = block + 28, *tcp = ip + 20;
    uint32_t size = le32(block + 20);

    assert_int_equal(le32(block + 8), 0);
    assert_int_equal(le32(block + 24), size);
    assert_int_equal(28 + (size + 3) / 4 * 4 + 4, *at - block);
    assert_int_equal(get_u16(ip + 2), size);
    assert_int_equal(ip[0], 0x45);
    assert_int_equal(ip[9], 6);
    assert_int_equal(tcp[12], 0x50);
    return (struct packet){
        .time = (uint64_t)le32(block + 12) << 32 | le32(block + 16),
        .from = get_u32(ip + 12),
        .to = get_u32(ip + 16),
        .from_port = get_u16(tcp),
        .to_port = get_u16(tcp + 2),
        .sequence = get_u32(tcp + 4),
        .acknowledged = get_u32(tcp + 8),
        .message = tcp + 20,
        .size = size - 40,
    };
}

/* Goes to the first packet. */
static const uint8_t *skip_header(const uint8_t *bytes, const uint8_t *end)
{
    const uint8_t *at = bytes, *block = next_block(&at, end, 0x0a0d0d0a);

    assert_int_equal(le32(block + 8), 0x1a2b3c4d);
    block = next_block(&at, end, 1);
    assert_int_equal(le32(block + 8), 228);
    return at;
}

static void commands_and_answers_are_packets_of_one_stream(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = open_watched(*state, path);
    struct message command, answer;
    struct packet sent, answered, last = {0};
    const uint8_t *at, *end;
    struct stat status;
    uint8_t *bytes;
    size_t size;

    begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_GetRandom);
    add_u16(&command, 7);
    assert_int_equal(get_random(context, 32, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(run(context, &command, &answer), TPM2_RC_SUCCESS);
    test_close(context);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    bytes = read_all(path, &size);
    end = bytes + size;
    at = skip_header(bytes, end);
    for (int i = 0; i < 2; i++) {
        sent = next_packet(&at, end);
        answered = next_packet(&at, end);
        assert_int_equal(sent.from, 0x0a000000 | getpid());
        assert_int_equal(sent.to, 0x0a000000);
        assert_int_equal(sent.to_port, 2321);
        assert_in_range(sent.from_port, 10001, 59999);
        assert_int_equal(answered.from_port, 2321);
        assert_int_equal(answered.to_port, sent.from_port);
        assert_int_equal(answered.to, sent.from);
        assert_int_equal(answered.acknowledged, (uint32_t)(sent.sequence + sent.size));
        assert_true(answered.time > sent.time);
        if (i == 1) {
            assert_int_equal(sent.sequence, last.acknowledged);
            assert_int_equal(sent.acknowledged, (uint32_t)(last.sequence + last.size));
            assert_true(sent.time > last.time);
        }
        last = answered;
    }
    assert_true(at == end);
    assert_int_equal(sent.size, command.size);
    assert_memory_equal(sent.message, command.bytes, command.size);
    assert_int_equal(answered.size, answer.size);
    assert_memory_equal(answered.message, answer.bytes, answer.size);
    free(bytes);
}

static void a_lost_answer_leaves_the_command_alone(void **state)
{
    struct message sent;
    struct observation seen = {.sent = &sent, .process = 71, .connection = 50001};
    struct pcap *pcap = NULL;
    char path[PATH_MAX];
    const uint8_t *at, *end;
    struct packet packet;
    uint8_t *bytes;
    size_t size;

    assert_int_equal(pcap_open(test_path(*state, "pcap", path), &pcap), TSS2_RC_SUCCESS);
    sent.size = 3;
    memcpy(sent.bytes, "abc", 3);
    pcap_note(pcap, &seen);
    pcap_close(pcap);
    bytes = read_all(path, &size);
    end = bytes + size;
    at = skip_header(bytes, end);
    packet = next_packet(&at, end);
    assert_true(at == end);
    assert_int_equal(packet.size, 3);
    assert_int_equal(packet.from, 0x0a000047);
    assert_int_equal(packet.from_port, 10001);
    free(bytes);
}

static void the_largest_messages_fit(void **state)
{
    struct message sent = {.size = MESSAGE_MAX}, answer = {.size = MESSAGE_MAX};
    struct observation seen = {.sent = &sent, .answer = &answer, .started = UINT64_MAX};
    struct pcap *pcap = NULL;
    char path[PATH_MAX];
    const uint8_t *at, *end;
    uint8_t *bytes;
    size_t size;

    assert_int_equal(pcap_open(test_path(*state, "pcap", path), &pcap), TSS2_RC_SUCCESS);
    pcap_note(pcap, &seen);
    pcap_close(pcap);
    bytes = read_all(path, &size);
    end = bytes + size;
    at = skip_header(bytes, end);
    for (int i = 0; i < 2; i++)
        assert_int_equal(next_packet(&at, end).size, MESSAGE_MAX);
    assert_true(at == end);
    free(bytes);
}

#define CHILDREN 3
#define COMMANDS 100

static int draw_often(void *context)
{
    for (int i = 0; i < COMMANDS; i++)
        CHILD_CHECK(get_random(context, 8, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

static int open_and_draw(void *more)
{
    TSS2_TCTI_CONTEXT *context = test_open_with(getenv("PCAP_TEST_STATE"), more);

    CHILD_CHECK(draw_often(context) == 0);
    test_close(context);
    return 0;
}

/* Each answer follows its command, whoever else writes. */
static void packets_of_many_processes_do_not_mix(void **state)
{
    char path[PATH_MAX], more[MORE_MAX];
    pid_t children[2 * CHILDREN];
    TSS2_TCTI_CONTEXT *context;
    const uint8_t *at, *end;
    uint8_t *bytes;
    size_t size, count = 0;

    assert_int_equal(setenv("PCAP_TEST_STATE", *state, 1), 0);
    (void)pcap_to(test_path(*state, "pcap", path), more);
    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(open_and_draw, more);
    context = open_watched(*state, path);
    for (int i = CHILDREN; i < 2 * CHILDREN; i++)
        children[i] = start_child(draw_often, context);
    for (int i = 0; i < 2 * CHILDREN; i++)
        assert_int_equal(wait_child(children[i]), 0);
    test_close(context);
    bytes = read_all(path, &size);
    end = bytes + size;
    for (at = skip_header(bytes, end); at < end; count++) {
        struct packet sent = next_packet(&at, end), answered = next_packet(&at, end);

        assert_int_equal(sent.from, answered.to);
        assert_int_equal(answered.acknowledged, (uint32_t)(sent.sequence + sent.size));
    }
    assert_int_equal(count, 2 * CHILDREN * COMMANDS);
    free(bytes);
}

static int fill(void *context)
{
    struct rlimit limit;

    CHILD_CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHILD_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 1000;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (int i = 0; i < 20; i++)
        CHILD_CHECK(get_random(context, 32, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

static void a_full_disk_leaves_whole_packets_and_working_commands(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = open_watched(*state, path);
    const uint8_t *at, *end;
    uint8_t *bytes;
    size_t size, count = 0;

    assert_int_equal(run_child(fill, context), 0);
    test_close(context);
    bytes = read_all(path, &size);
    end = bytes + size;
    for (at = skip_header(bytes, end); at < end; count++)
        (void)next_packet(&at, end);
    assert_in_range(count, 2, 16);
    assert_int_equal(count % 2, 0);
    free(bytes);
}

/* A short file, and one that is as long as ours would be. */
static void what_is_not_ours_is_refused_and_stays(void **state)
{
    static const int lengths[] = {9, 900};
    char path[PATH_MAX], more[MORE_MAX];
    TSS2_TCTI_CONTEXT *context = NULL;
    struct stat status;

    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(test_path(*state, "notes", path), "we");

        assert_non_null(file);
        assert_int_equal(fprintf(file, "%*d", lengths[i], 7), lengths[i]);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(test_try_open_with(*state, pcap_to(path, more), &context),
                         TSS2_TCTI_RC_BAD_VALUE);
        assert_non_null(strstr(signet_tcti_last_error(), "/notes: is not a file that was begun"));
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_size, lengths[i]);
    }
    assert_int_equal(test_try_open_with(*state, ",pcap=/dev/full", &context),
                     TSS2_TCTI_RC_IO_ERROR);
    assert_int_equal(test_try_open_with(*state, ",pcap=/nowhere/at/all", &context),
                     TSS2_TCTI_RC_IO_ERROR);
    assert_int_equal(test_try_open_with(*state, ",trace=one,pcap=one", &context),
                     TSS2_TCTI_RC_BAD_VALUE);
}

static void wireshark_takes_it_apart_as_tpm_2(void **state)
{
    need_program("tshark", "tshark");
    need_tpm2_tools();
    assert_int_equal(
        run_script(*state,
                   "export SIGNET_TPM_PCAP=$PWD/pcap\n"
                   "exec >log 2>&1\n"
                   "tpm2_createprimary -c primary.ctx\n"
                   "tpm2_create -C primary.ctx -G ecc -u key.pub -r key.priv -p secret\n"
                   "tpm2_getrandom --hex 8 & tpm2_getrandom --hex 8; wait $!\n"
                   "! tpm2_clear wrong\n"
                   "unset LD_LIBRARY_PATH SIGNET_TPM_PCAP\n"
                   "tshark -r pcap >list 2>err\n"
                   "test $(grep -c 'TPM .*Request.*Command TPM2_CC_GetRandom' list) -eq 2\n"
                   "test $(grep -c 'TPM .*Request.*Command TPM2_CC_CreatePrimary' list) -eq 1\n"
                   "test $(grep -c 'TPM .*Request.*Command TPM2_CC_Create,' list) -ge 1\n"
                   "test $(grep -c 'TPM .*Response.*Unknown (0x98e)' list) -eq 1\n"
                   "! grep -v ' TPM ' list\n"
                   "test $(grep -c Request list) -eq $(grep -c Response list)\n"
                   "tshark -r pcap -Y '_ws.malformed || _ws.expert' >wrong 2>err\n"
                   "test ! -s wrong\n"),
        0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_and_answers_are_packets_of_one_stream),
        TEST(a_lost_answer_leaves_the_command_alone),
        TEST(the_largest_messages_fit),
        TEST(packets_of_many_processes_do_not_mix),
        TEST(a_full_disk_leaves_whole_packets_and_working_commands),
        TEST(what_is_not_ours_is_refused_and_stays),
        TEST(wireshark_takes_it_apart_as_tpm_2),
    };

    return cmocka_run_group_tests_name("emulator: pcap", tests, NULL, NULL);
}
