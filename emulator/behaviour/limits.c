#include "emulator/behaviour/limits.h"

#include "emulator/behaviour/inquiry.h"
#include "emulator/behaviour/parameters.h"

#include <tss2/tss2_tpm2_types.h>

/* Does the chip have what is asked for? */
static bool has(const struct profile *profile, const struct asked *asked)
{
    switch (asked->kind) {
    case ASKED_ALGORITHM:
        return profile_list_holds(profile->algorithms, asked->value);
    case ASKED_CURVE:
        return profile_list_holds(profile->curves, asked->value);
    case ASKED_RSA_BITS:
        return profile_list_holds(profile->rsa_bits, asked->value);
    case ASKED_KEY_BITS:
        return asked->of != TPM2_ALG_AES || profile_list_holds(profile->aes_bits, asked->value);
    case ASKED_NV_SIZE:
        return profile->nv_index_size == 0 || asked->value <= profile->nv_index_size;
    case ASKED_NV_PIECE:
    default:
        return profile->nv_piece_size == 0 || asked->value <= profile->nv_piece_size;
    }
}

struct check {
    const struct profile *profile;
    uint32_t refusal;
    uint16_t nv_size;
};

static bool check_asked(void *context, const struct asked *asked)
{
    struct check *check = context;

    if (asked->kind == ASKED_NV_SIZE)
        check->nv_size = asked->value;
    if (!has(check->profile, asked))
        check->refusal = asked->refusal;
    return check->refusal == TPM2_RC_SUCCESS;
}

/* A parameter that is a handle or a command code. */
static uint32_t first_word(const struct command *command, const struct message *message)
{
    return message->size >= command->parameters + 4 ? get_u32(message->bytes + command->parameters)
                                                    : 0;
}

/* The first command of each code. What a client starts with is left out: those
 * must be answered by a TPM that still tests itself. */
static bool is_to_be_retried(struct limits *limits, const struct command *command)
{
    uint32_t index = command->code - TPM2_CC_FIRST;
    uint32_t *word = &limits->retried[index / 32 % 8];

    if (!limits->profile->retries || index >= 256 || command->code == TPM2_CC_Startup ||
        command->code == TPM2_CC_GetCapability || command->code == TPM2_CC_SelfTest ||
        command->code == TPM2_CC_GetTestResult || command->code == TPM2_CC_Shutdown)
        return false;
    if (*word >> index % 32 & 1)
        return false;
    *word |= (uint32_t)1 << index % 32;
    return true;
}

static bool is_full(const struct limits *limits, struct stage *below, const struct command *command,
                    const struct message *message)
{
    bool taken;

    if (command->code != TPM2_CC_EvictControl || limits->profile->persistent == 0 ||
        command->handle_count < 2 || !handle_is_transient(command->handles[1]))
        return false;
    return inquiry_persistent(below, first_word(command, message), &taken) >=
               limits->profile->persistent &&
           !taken;
}

static bool watches_gap(const struct limits *limits)
{
    return limits->profile->context_gap != 0;
}

/* Rows of sessions that are gone by other ways than commands of a client with this
 * profile, as by a restart of the machine, are dropped. */
static bool gap_is_reached(const struct limits *limits, struct stage *below)
{
    struct chip_sessions sessions;
    bool dropped = false;

    chip_read_sessions(limits->chip, &sessions);
    for (unsigned i = 0; i < CHIP_SESSIONS_MAX; i++) {
        struct chip_session *row = &sessions.rows[i];

        if (row->handle == 0 || sessions.saves + 1 - row->saved <= limits->profile->context_gap)
            continue;
        if (inquiry_is_saved(below, row->handle))
            return true;
        row->handle = 0;
        dropped = true;
    }
    if (dropped)
        chip_write_sessions(limits->chip, &sessions);
    return false;
}

static bool is_past_gap(const struct limits *limits, struct stage *below,
                        const struct command *command)
{
    bool saves = command->code == TPM2_CC_ContextSave && handle_is_session(command->handles[0]);

    return watches_gap(limits) && (saves || command->code == TPM2_CC_StartAuthSession) &&
           gap_is_reached(limits, below);
}

uint32_t limits_check(struct limits *limits, struct stage *below, const struct command *command,
                      const struct message *message)
{
    const struct profile *profile = limits->profile;
    struct check check = {profile, TPM2_RC_SUCCESS, 0};

    /* The contexts of the TPM below are larger than a chip's. */
    if (profile->message_size != 0 && message->size > profile->message_size &&
        command->code != TPM2_CC_ContextLoad)
        return TPM2_RC_COMMAND_SIZE;
    if (profile_lacks_command(profile, command->code))
        return TPM2_RC_COMMAND_CODE;
    if (is_to_be_retried(limits, command))
        return TPM2_RC_RETRY;
    if (command->code == TPM2_CC_PolicyCommandCode &&
        profile_lacks_command(profile, first_word(command, message)))
        return TPM2_RC_POLICY_CC | TPM2_RC_P | TPM2_RC_1;
    parameters_walk(command, message, check_asked, &check);
    if (check.refusal != TPM2_RC_SUCCESS)
        return check.refusal;
    if (is_full(limits, below, command, message))
        return TPM2_RC_NV_SPACE;
    if (command->code == TPM2_CC_NV_DefineSpace && profile->nv_room != 0 &&
        inquiry_nv_used(below) + check.nv_size > profile->nv_room)
        return TPM2_RC_NV_SPACE;
    return is_past_gap(limits, below, command) ? TPM2_RC_CONTEXT_GAP : TPM2_RC_SUCCESS;
}

static void remove_session(struct chip_sessions *sessions, uint32_t handle)
{
    for (unsigned i = 0; i < CHIP_SESSIONS_MAX; i++)
        if (sessions->rows[i].handle == handle)
            sessions->rows[i].handle = 0;
}

static void add_session(struct chip_sessions *sessions, uint32_t handle)
{
    sessions->saves++;
    remove_session(sessions, handle);
    for (unsigned i = 0; i < CHIP_SESSIONS_MAX; i++)
        if (sessions->rows[i].handle == 0) {
            sessions->rows[i] = (struct chip_session){handle, sessions->saves};
            return;
        }
}

void limits_note(const struct limits *limits, const struct command *command,
                 const struct message *message, const struct message *response)
{
    struct chip_sessions sessions;
    uint32_t handle = 0;

    if (!watches_gap(limits) || response_code(response) != TPM2_RC_SUCCESS)
        return;
    if (command->code == TPM2_CC_ContextSave)
        handle = command->handles[0];
    else if (command->code == TPM2_CC_ContextLoad)
        handle = response_handle(command, response);
    else if (command->code == TPM2_CC_FlushContext)
        handle = first_word(command, message);
    if (!handle_is_session(handle))
        return;
    chip_read_sessions(limits->chip, &sessions);
    if (command->code == TPM2_CC_ContextSave)
        add_session(&sessions, handle);
    else
        remove_session(&sessions, handle);
    chip_write_sessions(limits->chip, &sessions);
}
