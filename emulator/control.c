#include "emulator/control.h"

#include "emulator/disk.h"
#include "emulator/error.h"
#include "emulator/swtpm_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_MAGIC 0x31305447495373ffull
#define CONTROL_VERSION 2u
#define CONTROL_PAGE_SIZE 4096
#define SLOT_SIZE (1024 * 1024)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

struct control_page {
    uint64_t magic;
    uint32_t version;
    uint32_t reserved;
    _Atomic uint64_t word;
    _Atomic uint64_t mark; /* enum control_mark, generation */
    _Atomic uint64_t told_time;
    _Atomic uint64_t told_clock;
};

/* A row of the session table as a slot has it. */
struct slot_session {
    uint64_t owner;
    uint32_t handle;
    uint32_t connection;
    uint32_t used;
    uint32_t context_size;
};

struct slot_head {
    uint64_t checksum; /* of all that follows, and of the state */
    uint32_t generation;
    uint32_t permanent_size;
    uint32_t running_size;
    uint32_t contexts_size;
    char boot_id[BOOT_ID_SIZE];
    struct slot_session sessions[SESSIONS_MAX];
};

#define CONTEXTS_MAX (SESSIONS_MAX * SESSION_CONTEXT_MAX)

_Static_assert(sizeof(struct slot_head) + PERMANENT_STATE_MAX + VOLATILE_STATE_MAX + CONTEXTS_MAX <=
                   SLOT_SIZE,
               "a slot holds the largest state");

void tpm_state_free(struct tpm_state *state)
{
    blob_free(&state->permanent);
    blob_free(&state->running);
    session_rows_free(state->sessions);
}

void session_rows_free(struct session_row rows[SESSIONS_MAX])
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        blob_free(&rows[i].context);
        rows[i].handle = 0;
    }
}

TSS2_RC session_rows_copy(struct session_row to[SESSIONS_MAX],
                          const struct session_row from[SESSIONS_MAX])
{
    session_rows_free(to);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        to[i] = from[i];
        to[i].context = (struct blob){NULL, 0};
        if (from[i].context.data &&
            blob_copy(from[i].context.data, from[i].context.size, &to[i].context) != 0) {
            session_rows_free(to);
            return TSS2_TCTI_RC_MEMORY;
        }
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC failed(const char *path, const char *doing)
{
    error_set("%s/%s: %s: %s", path, CONTROL_FILE, doing, strerror(errno));
    return TSS2_TCTI_RC_IO_ERROR;
}

static bool page_is_ours(int fd)
{
    struct control_page page;

    return pread(fd, &page, sizeof(page), 0) == (ssize_t)sizeof(page) &&
           page.magic == CONTROL_MAGIC && page.version == CONTROL_VERSION;
}

static int write_page(int fd)
{
    union {
        struct control_page page;
        uint8_t bytes[CONTROL_PAGE_SIZE];
    } first = {.bytes = {0}};

    first.page.magic = CONTROL_MAGIC;
    first.page.version = CONTROL_VERSION;
    return disk_write(fd, CONTROL_FILE, first.bytes, sizeof(first), 0);
}

/* Another version's file may be mapped by others: replace, never cut it. */
static int replace_file(const struct directory *directory, int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && status.st_size == 0)
        return fd;
    (void)close(fd);
    if (disk_remove(directory->fd, CONTROL_FILE) != 0) {
        (void)failed(directory->path, "cannot remove another version's file");
        return -1;
    }
    return directory_open_file(directory, CONTROL_FILE);
}

static int open_file(const struct directory *directory)
{
    int fd = directory_open_file(directory, CONTROL_FILE);

    if (fd < 0 || page_is_ours(fd))
        return fd;
    fd = replace_file(directory, fd);
    if (fd >= 0 && write_page(fd) != 0) {
        (void)failed(directory->path, "cannot write");
        (void)close(fd);
        return -1;
    }
    return fd;
}

TSS2_RC control_open(const struct directory *directory, struct control *ret)
{
    struct control control = CONTROL_CLOSED;
    void *page;

    control.fd = open_file(directory);
    if (control.fd < 0)
        return TSS2_TCTI_RC_IO_ERROR;
    page = mmap(NULL, CONTROL_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, control.fd, 0);
    if (page == MAP_FAILED) {
        TSS2_RC rc = failed(directory->path, "cannot map");

        control_close(&control);
        return rc;
    }
    control.page = page;
    control.path = directory->path;
    *ret = control;
    return TSS2_RC_SUCCESS;
}

void control_close(struct control *control)
{
    if (control->page)
        (void)munmap(control->page, CONTROL_PAGE_SIZE);
    if (control->fd >= 0)
        (void)close(control->fd);
    *control = (struct control)CONTROL_CLOSED;
}

uint64_t control_word(const struct control *control)
{
    return atomic_load_explicit(&control->page->word, memory_order_acquire);
}

bool control_is_linked(const struct control *control)
{
    struct stat status;

    return fstat(control->fd, &status) == 0 && status.st_nlink > 0;
}

/* Tells a half-written slot after a power loss; no protection against intent. */
static uint64_t checksum(uint64_t sum, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t word;

    for (; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
        sum ^= sum >> 29;
    }
    for (; size > 0; at++, size--)
        sum = (sum ^ *at) * 0x9e3779b97f4a7c15ull;
    return sum;
}

/* What follows the head: permanent state, running state, session contexts. */
static size_t body_size(const struct slot_head *head)
{
    return (size_t)head->permanent_size + head->running_size + head->contexts_size;
}

static uint64_t slot_checksum(const struct slot_head *head, const uint8_t *body)
{
    const uint8_t *covered = (const uint8_t *)head + sizeof(head->checksum);

    return checksum(checksum(CONTROL_MAGIC, covered, sizeof(*head) - sizeof(head->checksum)), body,
                    body_size(head));
}

static off_t slot_offset(uint32_t generation)
{
    return CONTROL_PAGE_SIZE + (off_t)(generation & 1) * SLOT_SIZE;
}

static bool read_at(int fd, void *to, size_t size, off_t offset)
{
    return pread(fd, to, size, offset) == (ssize_t)size;
}

static TSS2_RC no_state(const struct control *control, uint32_t generation)
{
    error_set("%s/%s: generation %u is not whole", control->path, CONTROL_FILE, generation);
    return TSS2_TCTI_RC_IO_ERROR;
}

static TSS2_RC take_sessions(const struct slot_head *head, const uint8_t *contexts,
                             struct session_row ret[SESSIONS_MAX])
{
    size_t at = 0;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct slot_session *row = &head->sessions[i];

        ret[i] = (struct session_row){.handle = row->handle,
                                      .connection = row->connection,
                                      .owner = row->owner,
                                      .used = row->used};
        if (row->context_size == 0)
            continue;
        if (row->context_size > head->contexts_size - at)
            return TSS2_TCTI_RC_IO_ERROR;
        if (blob_copy(contexts + at, row->context_size, &ret[i].context) != 0)
            return TSS2_TCTI_RC_MEMORY;
        at += row->context_size;
    }
    return TSS2_RC_SUCCESS;
}

static TSS2_RC take_state(const struct slot_head *head, const uint8_t *body, struct tpm_state *ret)
{
    const uint8_t *running = body + head->permanent_size;

    if (blob_copy(body, head->permanent_size, &ret->permanent) != 0 ||
        blob_copy(running, head->running_size, &ret->running) != 0)
        return TSS2_TCTI_RC_MEMORY;
    memcpy(ret->boot_id, head->boot_id, sizeof(ret->boot_id));
    ret->boot_id[BOOT_ID_SIZE - 1] = '\0';
    return take_sessions(head, running + head->running_size, ret->sessions);
}

TSS2_RC control_read(const struct control *control, uint32_t generation, struct tpm_state *ret)
{
    BLOB_SCOPE struct blob body = {NULL, 0};
    TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;
    struct slot_head head;
    const off_t offset = slot_offset(generation);
    TSS2_RC rc;

    if (!read_at(control->fd, &head, sizeof(head), offset) || head.generation != generation ||
        head.permanent_size > PERMANENT_STATE_MAX || head.running_size > VOLATILE_STATE_MAX ||
        head.contexts_size > CONTEXTS_MAX)
        return no_state(control, generation);
    body.size = body_size(&head);
    body.data = malloc(body.size + 1);
    if (!body.data)
        return TSS2_TCTI_RC_MEMORY;
    if (!read_at(control->fd, body.data, body.size, offset + (off_t)sizeof(head)) ||
        slot_checksum(&head, body.data) != head.checksum)
        return no_state(control, generation);
    rc = take_state(&head, body.data, &state);
    if (rc != TSS2_RC_SUCCESS)
        return rc == TSS2_TCTI_RC_IO_ERROR ? no_state(control, generation) : rc;
    *ret = state;
    state = (struct tpm_state)TPM_STATE_EMPTY;
    return TSS2_RC_SUCCESS;
}

static void fill_head(const struct tpm_state *state, uint32_t generation, struct slot_head *head)
{
    *head = (struct slot_head){.generation = generation,
                               .permanent_size = (uint32_t)state->permanent.size,
                               .running_size = (uint32_t)state->running.size};
    memcpy(head->boot_id, state->boot_id, sizeof(head->boot_id));
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session_row *row = &state->sessions[i];

        head->sessions[i] = (struct slot_session){.owner = row->owner,
                                                  .handle = row->handle,
                                                  .connection = row->connection,
                                                  .used = row->used,
                                                  .context_size = (uint32_t)row->context.size};
        head->contexts_size += (uint32_t)row->context.size;
    }
}

static void fill_body(const struct tpm_state *state, uint8_t *at)
{
    memcpy(at, state->permanent.data, state->permanent.size);
    at += state->permanent.size;
    memcpy(at, state->running.data, state->running.size);
    at += state->running.size;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct blob *context = &state->sessions[i].context;

        if (context->size > 0)
            memcpy(at, context->data, context->size);
        at += context->size;
    }
}

/* A store to the page would be SIGBUS where it needs new room (copy on write)
 * and the disk is full: ask for it first. Older kernels do not tell. */
static int prepare_page(const struct control *control)
{
    if (madvise(control->page, CONTROL_PAGE_SIZE, MADV_POPULATE_WRITE) == 0 || errno == EINVAL)
        return 0;
    if (errno == EFAULT)
        errno = ENOSPC;
    return -1;
}

TSS2_RC control_write(struct control *control, uint32_t generation, const struct tpm_state *state)
{
    bool sync = control->sync_next;

    BLOB_SCOPE struct blob slot = {NULL, 0};
    struct slot_head head;

    fill_head(state, generation, &head);
    if (state->permanent.size > PERMANENT_STATE_MAX || state->running.size > VOLATILE_STATE_MAX ||
        head.contexts_size > CONTEXTS_MAX) {
        error_set("the TPM's state is larger than this version can share (%zu and %zu bytes)",
                  state->permanent.size, state->running.size);
        return TSS2_TCTI_RC_IO_ERROR;
    }
    slot.size = sizeof(head) + body_size(&head);
    slot.data = malloc(slot.size);
    if (!slot.data)
        return TSS2_TCTI_RC_MEMORY;
    fill_body(state, slot.data + sizeof(head));
    head.checksum = slot_checksum(&head, slot.data + sizeof(head));
    memcpy(slot.data, &head, sizeof(head));
    control->sync_next = false;
    if (prepare_page(control) != 0 ||
        disk_write(control->fd, CONTROL_FILE, slot.data, slot.size, slot_offset(generation)) != 0 ||
        (sync && disk_sync(control->fd, CONTROL_FILE) != 0))
        return failed(control->path, "cannot write");
    return TSS2_RC_SUCCESS;
}

uint64_t control_flip(const struct control *control, uint32_t generation, bool hard)
{
    uint64_t word = control_word(control);
    uint32_t hard_generation = control_hard_generation(word) + (hard ? 1 : 0);

    word = (uint64_t)hard_generation << 32 | generation;
    disk_store(CONTROL_FILE, &control->page->word, word, offsetof(struct control_page, word));
    return word;
}

void control_set_mark(const struct control *control, enum control_mark mark, uint32_t generation)
{
    disk_store(CONTROL_FILE, &control->page->mark, (uint64_t)mark << 32 | generation,
               offsetof(struct control_page, mark));
}

enum control_mark control_mark(const struct control *control, uint32_t *ret_generation)
{
    uint64_t word = atomic_load_explicit(&control->page->mark, memory_order_acquire);
    uint64_t mark = word >> 32;

    *ret_generation = (uint32_t)word;
    if ((uint32_t)word != control_next_generation(control_generation(control_word(control))))
        return CONTROL_SETTLED;
    return mark <= CONTROL_WITHDRAWN ? (enum control_mark)mark : CONTROL_SETTLED;
}

struct control_clock control_clock(const struct control *control)
{
    return (struct control_clock){
        .time = atomic_load_explicit(&control->page->told_time, memory_order_relaxed),
        .clock = atomic_load_explicit(&control->page->told_clock, memory_order_relaxed),
    };
}

void control_set_clock(const struct control *control, struct control_clock told)
{
    if (prepare_page(control) != 0)
        return;
    atomic_store_explicit(&control->page->told_time, told.time, memory_order_relaxed);
    atomic_store_explicit(&control->page->told_clock, told.clock, memory_order_relaxed);
}
