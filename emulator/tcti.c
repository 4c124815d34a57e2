#include "emulator/tcti.h"

#include "emulator/chain.h"
#include "emulator/command.h"
#include "emulator/conf.h"
#include "emulator/error.h"
#include "emulator/openssl_scope.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))

#define TCTI_MAGIC 0x5349474e45540000ull
#define TCTI_VERSION 2
#define LOCALITY_MAX 4

/* A TSS2_TCTI_CONTEXT. */
struct tcti {
    TSS2_TCTI_CONTEXT_COMMON_V2 common;
    struct chain chain;
    bool answered; /* a command was transmitted, and its answer not received yet */
    TSS2_RC lost;  /* what Receive says instead of an answer */
    uint64_t due;  /* when it says so, or has the answer; as now_microseconds() */
    struct message command;
    struct message response;
};

static struct tcti *tcti_of(TSS2_TCTI_CONTEXT *context)
{
    struct tcti *tcti = (struct tcti *)(void *)context;

    return tcti && tcti->common.v1.magic == TCTI_MAGIC && tcti->chain.first ? tcti : NULL;
}

static TSS2_RC refuse(TSS2_RC rc, const char *reason)
{
    error_set("%s", reason);
    return rc;
}

static uint64_t now_microseconds(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void sleep_until(uint64_t microseconds)
{
    struct timespec until = {(time_t)(microseconds / 1000000),
                             (long)(microseconds % 1000000 * 1000)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

/* Waits for what is due, in milliseconds at most; false if that was not enough. */
static bool wait_until_due(const struct tcti *tcti, int32_t timeout)
{
    uint64_t now, end;

    if (tcti->due == 0)
        return true;
    now = now_microseconds();
    end = timeout < 0 ? tcti->due : now + (uint64_t)timeout * 1000;
    if (now < tcti->due && now < end)
        sleep_until(end < tcti->due ? end : tcti->due);
    return end >= tcti->due;
}

static TSS2_RC tcti_transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    struct tcti *tcti = tcti_of(context);
    struct exchange exchange;

    if (!tcti)
        return refuse(TSS2_TCTI_RC_BAD_CONTEXT, "transmit: not a context of this library");
    if (!command)
        return refuse(TSS2_TCTI_RC_BAD_REFERENCE, "transmit: no command");
    if (tcti->answered)
        return refuse(TSS2_TCTI_RC_BAD_SEQUENCE,
                      "transmit: the last response was not received yet");
    if (size == 0 || size > MESSAGE_MAX)
        return refuse(TSS2_TCTI_RC_BAD_VALUE, "transmit: a command has 1 to 4096 bytes");
    memcpy(tcti->command.bytes, command, size);
    tcti->command.size = size;
    exchange = (struct exchange){.command = &tcti->command, .response = &tcti->response};
    stage_run(tcti->chain.first, &exchange);
    tcti->answered = true;
    tcti->lost = exchange.lost;
    tcti->due = exchange.delay ? now_microseconds() + exchange.delay : 0;
    /* It may have carried an authorization value. */
    explicit_bzero(tcti->command.bytes, size);
    return TSS2_RC_SUCCESS;
}

/* As the kernel's driver gives up on a chip: the next command can be sent. */
static TSS2_RC receive_nothing(struct tcti *tcti)
{
    tcti->answered = false;
    explicit_bzero(tcti->response.bytes, tcti->response.size);
    return refuse(tcti->lost, "receive: the TPM gives no answer");
}

static TSS2_RC tcti_receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response,
                            int32_t timeout)
{
    struct tcti *tcti = tcti_of(context);
    size_t room;

    if (!tcti)
        return refuse(TSS2_TCTI_RC_BAD_CONTEXT, "receive: not a context of this library");
    if (!size)
        return refuse(TSS2_TCTI_RC_BAD_REFERENCE, "receive: no place for the size");
    if (timeout < TSS2_TCTI_TIMEOUT_BLOCK)
        return refuse(TSS2_TCTI_RC_BAD_VALUE, "receive: a timeout is -1 or more");
    if (!tcti->answered)
        return refuse(TSS2_TCTI_RC_BAD_SEQUENCE, "receive: no command was transmitted");
    if (!wait_until_due(tcti, timeout))
        return refuse(TSS2_TCTI_RC_TRY_AGAIN, "receive: there is no answer yet");
    if (tcti->lost != TSS2_RC_SUCCESS)
        return receive_nothing(tcti);
    room = *size;
    *size = tcti->response.size;
    if (!response) {
        /* Nobody comes back for what is shorter than a header. */
        if (tcti->response.size < HEADER_SIZE)
            tcti->answered = false;
        return TSS2_RC_SUCCESS;
    }
    if (room < tcti->response.size)
        return refuse(TSS2_TCTI_RC_INSUFFICIENT_BUFFER, "receive: the buffer is too small");
    memcpy(response, tcti->response.bytes, tcti->response.size);
    explicit_bzero(tcti->response.bytes, tcti->response.size);
    tcti->answered = false;
    return TSS2_RC_SUCCESS;
}

static void tcti_finalize(TSS2_TCTI_CONTEXT *context)
{
    struct tcti *tcti = tcti_of(context);

    if (!tcti)
        return;
    chain_close(&tcti->chain);
    explicit_bzero(tcti, sizeof(*tcti));
}

/* A command is done when transmit returns: its answer stands, and is waited for
 * no longer. Of one that never reached the TPM that is TPM_RC_CANCELED. */
static TSS2_RC tcti_cancel(TSS2_TCTI_CONTEXT *context)
{
    struct tcti *tcti = tcti_of(context);

    if (!tcti)
        return refuse(TSS2_TCTI_RC_BAD_CONTEXT, "cancel: not a context of this library");
    if (!tcti->answered)
        return refuse(TSS2_TCTI_RC_BAD_SEQUENCE, "cancel: no command was transmitted");
    tcti->lost = TSS2_RC_SUCCESS;
    tcti->due = 0;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_get_poll_handles(TSS2_TCTI_CONTEXT *context, TSS2_TCTI_POLL_HANDLE *handles,
                                     size_t *count)
{
    (void)handles;
    if (!tcti_of(context))
        return refuse(TSS2_TCTI_RC_BAD_CONTEXT, "getPollHandles: not a context of this library");
    if (!count)
        return refuse(TSS2_TCTI_RC_BAD_REFERENCE, "getPollHandles: no place for the count");
    return refuse(TSS2_TCTI_RC_NOT_IMPLEMENTED, "getPollHandles: an answer is never waited for");
}

static TSS2_RC tcti_set_locality(TSS2_TCTI_CONTEXT *context, uint8_t locality)
{
    struct tcti *tcti = tcti_of(context);

    if (!tcti)
        return refuse(TSS2_TCTI_RC_BAD_CONTEXT, "setLocality: not a context of this library");
    if (tcti->answered)
        return refuse(TSS2_TCTI_RC_BAD_SEQUENCE,
                      "setLocality: the last response was not received yet");
    if (locality > LOCALITY_MAX)
        return refuse(TSS2_TCTI_RC_BAD_VALUE, "setLocality: localities are 0 to 4");
    tcti->chain.connection->locality = locality;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_make_sticky(TSS2_TCTI_CONTEXT *context, TPM2_HANDLE *handle, uint8_t sticky)
{
    (void)sticky;
    if (!tcti_of(context))
        return refuse(TSS2_TCTI_RC_BAD_CONTEXT, "makeSticky: not a context of this library");
    if (!handle)
        return refuse(TSS2_TCTI_RC_BAD_REFERENCE, "makeSticky: no handle");
    return refuse(TSS2_TCTI_RC_NOT_IMPLEMENTED,
                  "makeSticky: objects stay with their connection anyway");
}

static TSS2_RC tcti_init(TSS2_TCTI_CONTEXT *context, size_t *size, const char *text)
{
    struct tcti *tcti = (struct tcti *)(void *)context;
    struct chain chain;
    struct conf conf;
    TSS2_RC rc;

    if (!size)
        return refuse(TSS2_TCTI_RC_BAD_VALUE, "init: no place for the size");
    if (!context) {
        *size = sizeof(*tcti);
        return TSS2_RC_SUCCESS;
    }
    if (*size < sizeof(*tcti))
        return refuse(TSS2_TCTI_RC_BAD_VALUE, "init: the context is too small");
    error_clear();
    rc = conf_read(text, &conf);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    openssl_read_host_configuration();
    rc = chain_open(&conf, &chain);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    memset(tcti, 0, sizeof(*tcti));
    tcti->common.v1.magic = TCTI_MAGIC;
    tcti->common.v1.version = TCTI_VERSION;
    tcti->common.v1.transmit = tcti_transmit;
    tcti->common.v1.receive = tcti_receive;
    tcti->common.v1.finalize = tcti_finalize;
    tcti->common.v1.cancel = tcti_cancel;
    tcti->common.v1.getPollHandles = tcti_get_poll_handles;
    tcti->common.v1.setLocality = tcti_set_locality;
    tcti->common.makeSticky = tcti_make_sticky;
    tcti->chain = chain;
    return TSS2_RC_SUCCESS;
}

EXPORTED const TSS2_TCTI_INFO *Tss2_Tcti_Info(void)
{
    static const TSS2_TCTI_INFO info = {
        .version = TCTI_VERSION,
        .name = "signet",
        .description = "TPM 2.0 in this process, shared by all that name its state directory",
        .config_help = "dir=PATH of the state directory (default: $XDG_STATE_HOME/signet/tpm)"
                       ",profile=CHIP,faults=FILE,trace=FILE,pcap=FILE,counters=FILE,speed=Nx"
                       ",seed=N,rm=on|off,sync=on|off,ek=on|off",
        .init = tcti_init,
    };

    return &info;
}

EXPORTED const char *signet_tcti_last_error(void)
{
    return error_text();
}
