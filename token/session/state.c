#include "token/session/state.h"

#include <stdlib.h>
#include <string.h>

#include "token/mechanism/software.h"
#include "token/session/output.h"
#include "token/session/running.h"

#define STATE_SIZE 24
#define RANDOM_SIZE 16

static const uint8_t magic[STATE_SIZE - RANDOM_SIZE] = "SIGNETdg";

struct saved_state {
    uint8_t name[STATE_SIZE];
    bool fed;
    struct job *job;
};

/* A ring: the oldest makes way. */
struct saved_states {
    struct saved_state ring[SAVED_STATES_MAX];
    size_t next;
};

void saved_states_free(struct saved_states *saved)
{
    if (!saved)
        return;
    for (size_t i = 0; i < SAVED_STATES_MAX; i++)
        job_free(saved->ring[i].job);
    free(saved);
}

static CK_RV check_saveable(const struct session *session)
{
    bool other = false;
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        other |= kind != OPERATION_DIGEST && operation_is_active(session, kind);
    if (other)
        return CKR_STATE_UNSAVEABLE;
    return operation_is_active(session, OPERATION_DIGEST) ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
}

static CK_RV keep(struct token *token, const struct operation *operation,
                  uint8_t ret_name[STATE_SIZE])
{
    if (!token->saved)
        token->saved = calloc(1, sizeof(*token->saved));
    if (!token->saved)
        return CKR_HOST_MEMORY;
    struct saved_state fresh = {.fed = operation->fed};
    memcpy(fresh.name, magic, sizeof(magic));
    CK_RV rv = mechanism_random(fresh.name + sizeof(magic), RANDOM_SIZE);
    if (rv == CKR_OK)
        rv = job_copy(operation->job, &fresh.job);
    if (rv != CKR_OK)
        return rv;
    struct saved_state *place = &token->saved->ring[token->saved->next++ % SAVED_STATES_MAX];
    job_free(place->job);
    *place = fresh;
    memcpy(ret_name, fresh.name, STATE_SIZE);
    return CKR_OK;
}

CK_RV state_save(struct session *session, CK_BYTE *out, CK_ULONG *out_size)
{
    uint8_t name[STATE_SIZE];
    if (!out_size)
        return CKR_ARGUMENTS_BAD;
    CK_RV rv = check_saveable(session);
    if (rv != CKR_OK || output_tells(STATE_SIZE, true, out, out_size, &rv))
        return rv;
    rv = keep(session->token, session->operations[OPERATION_DIGEST], name);
    return rv != CKR_OK ? rv : output_give(view_of(name, STATE_SIZE), out, out_size);
}

static const struct saved_state *find(const struct saved_states *saved, struct view name)
{
    for (size_t i = 0; saved && i < SAVED_STATES_MAX; i++)
        if (saved->ring[i].job && view_equal(name, view_of(saved->ring[i].name, STATE_SIZE)))
            return &saved->ring[i];
    return NULL;
}

CK_RV state_restore(struct session *session, struct view state)
{
    const struct saved_state *saved = find(session->token->saved, state);
    if (!saved)
        return CKR_SAVED_STATE_INVALID;
    struct operation *operation = calloc(1, sizeof(*operation));
    if (!operation)
        return CKR_HOST_MEMORY;
    operation->fed = saved->fed;
    CK_RV rv = job_copy(saved->job, &operation->job);
    if (rv != CKR_OK) {
        free(operation);
        return rv;
    }
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        operation_cancel(session, kind);
    session->operations[OPERATION_DIGEST] = operation;
    return CKR_OK;
}
