#include "token/pin/dialogue.h"

#include <assuan.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "token/pin/pin.h"

#define LINE_ROOM (ASSUAN_LINELENGTH - 3) /* for the line's end and a NUL */

struct dialogue {
    assuan_context_t context;
};

/* libassuan's memory holds the line with the PIN: each piece knows its size and is
 * wiped when it is given back. */
union piece {
    size_t size;
    max_align_t aligned;
};

static void *piece_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(union piece))
        return NULL;
    union piece *piece = malloc(sizeof(*piece) + size);
    if (!piece)
        return NULL;
    piece->size = size;
    return piece + 1;
}

static void piece_free(void *memory)
{
    if (!memory)
        return;
    union piece *piece = (union piece *)memory - 1;
    explicit_bzero(memory, piece->size);
    free(piece);
}

static void *piece_resize(void *memory, size_t size)
{
    void *larger = piece_new(size);
    if (!larger || !memory)
        return larger;
    size_t old = ((union piece *)memory - 1)->size;
    memcpy(larger, memory, old < size ? old : size);
    piece_free(memory);
    return larger;
}

/* Its own one writes to stderr when ASSUAN_DEBUG is set. */
static int no_log(assuan_context_t context, void *hook, unsigned category, const char *message)
{
    (void)context;
    (void)hook;
    (void)category;
    (void)message;
    return 0;
}

/* A write to a program that is gone raises SIGPIPE, which would end the application.
 * It is held back in this thread, and taken out if it came meanwhile. */
struct held_signal {
    sigset_t mask;
    bool held;
};

static struct held_signal hold_signal(void)
{
    struct held_signal signal = {.held = false};
    sigset_t pipe;
    sigset_t pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE))
        signal.held = pthread_sigmask(SIG_BLOCK, &pipe, &signal.mask) == 0;
    return signal;
}

static void release_signal(const struct held_signal *signal)
{
    if (!signal->held)
        return;
    const struct timespec now = {0};
    int error = errno;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
        continue;
    (void)pthread_sigmask(SIG_SETMASK, &signal->mask, NULL);
    errno = error;
}

static CK_RV failed(gpg_error_t error, struct reason *reason)
{
    char text[128] = "";
    switch (gpg_err_code(error)) {
    case GPG_ERR_CANCELED:
    case GPG_ERR_FULLY_CANCELED:
    case GPG_ERR_ASS_CANCELED:
        reason_set(reason, "the user cancelled the question for the PIN");
        return CKR_FUNCTION_CANCELED;
    case GPG_ERR_EOF:
    case GPG_ERR_EPIPE:
    case GPG_ERR_ECONNRESET:
        reason_set(reason, "the pinentry program ended without an answer");
        return CKR_FUNCTION_FAILED;
    case GPG_ERR_ENOMEM:
        return CKR_HOST_MEMORY;
    default:
        (void)gpg_strerror_r(error, text, sizeof(text));
        reason_set(reason, "the pinentry program answers: %s", text);
        return CKR_FUNCTION_FAILED;
    }
}

CK_RV dialogue_new(int file_take, struct dialogue **ret_dialogue, struct reason *reason)
{
    struct assuan_malloc_hooks hooks = {piece_new, piece_resize, piece_free};
    struct dialogue *dialogue = calloc(1, sizeof(*dialogue));
    if (!dialogue ||
        assuan_new_ext(&dialogue->context, GPG_ERR_SOURCE_USER_1, &hooks, no_log, NULL) != 0) {
        free(dialogue);
        close(file_take);
        return CKR_HOST_MEMORY;
    }
    assuan_begin_confidential(dialogue->context);
    struct held_signal signal = hold_signal();
    gpg_error_t error = assuan_socket_connect_fd(dialogue->context, file_take, 0);
    release_signal(&signal);
    if (error) {
        dialogue_cleanup(&dialogue);
        return failed(error, reason);
    }
    *ret_dialogue = dialogue;
    return CKR_OK;
}

void dialogue_cleanup(struct dialogue **dialogue)
{
    if (!*dialogue)
        return;
    struct held_signal signal = hold_signal();
    assuan_release((*dialogue)->context);
    release_signal(&signal);
    free(*dialogue);
    *dialogue = NULL;
}

/* What a program sends in answer to a command. */
struct answer {
    struct bytes data;
    CK_RV rv;
    bool repeated;
};

static gpg_error_t take_data(void *hook, const void *data, size_t size)
{
    struct answer *answer = hook;
    if (answer->rv == CKR_OK)
        answer->rv = bytes_append(&answer->data, view_of(data, size), PIN_MAX_SIZE);
    return 0;
}

static gpg_error_t take_status(void *hook, const char *line)
{
    struct answer *answer = hook;
    answer->repeated |= strncmp(line, "PIN_REPEATED", strlen("PIN_REPEATED")) == 0;
    return 0;
}

static gpg_error_t transact(struct dialogue *dialogue, const char *line, struct answer *answer)
{
    struct held_signal signal = hold_signal();
    gpg_error_t error = assuan_transact(dialogue->context, line, take_data, answer, NULL, NULL,
                                        take_status, answer);
    release_signal(&signal);
    return error;
}

/* For what may be refused: a dead program is noticed at GETPIN. */
static void say(struct dialogue *dialogue, const char *line)
{
    struct answer answer = {.rv = CKR_OK};
    (void)transact(dialogue, line, &answer);
    bytes_free(&answer.data);
}

void dialogue_tell(struct dialogue *dialogue, const char *command, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char line[LINE_ROOM];
    if (!text)
        return;
    size_t used = (size_t)snprintf(line, sizeof(line), "%s ", command);
    size_t whole = used; /* up to the last character of UTF-8 that is complete */
    for (const char *c = text;; c++) {
        unsigned char byte = (unsigned char)*c;
        if ((byte & 0xc0) != 0x80)
            whole = used;
        if (!byte || used + 4 > sizeof(line))
            break;
        if (byte >= ' ' && byte != '%' && byte != 0x7f) {
            line[used++] = *c;
            continue;
        }
        line[used++] = '%';
        line[used++] = digits[byte >> 4];
        line[used++] = digits[byte & 15];
    }
    line[whole] = 0;
    say(dialogue, line);
}

void dialogue_option(struct dialogue *dialogue, const char *name, const char *value)
{
    char line[LINE_ROOM];
    if (!value || !*value)
        return;
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < ' ')
            return;
    int size = snprintf(line, sizeof(line), "OPTION %s=%s", name, value);
    if (size > 0 && (size_t)size < sizeof(line))
        say(dialogue, line);
}

CK_RV dialogue_get_pin(struct dialogue *dialogue, struct bytes *ret_pin, bool *ret_repeated,
                       struct reason *reason)
{
    struct answer answer = {.rv = CKR_OK};
    gpg_error_t error = transact(dialogue, "GETPIN", &answer);
    CK_RV rv = error ? failed(error, reason) : answer.rv;
    if (rv == CKR_DATA_LEN_RANGE) {
        reason_set(reason, "the PIN is longer than %d bytes", PIN_MAX_SIZE);
        rv = CKR_FUNCTION_FAILED;
    }
    if (rv != CKR_OK) {
        bytes_free(&answer.data);
        return rv;
    }
    bytes_free(ret_pin);
    *ret_pin = answer.data;
    *ret_repeated = answer.repeated;
    return CKR_OK;
}
