#include "token/session/session.h"

#include <stdlib.h>
#include <string.h>

#include "token/base/log.h"
#include "token/mechanism/software.h"
#include "token/session/operation.h"
#include "token/session/search.h"
#include "token/session/section.h"
#include "token/session/version.h"

/* A session handle is a place in the table and a number that no handle of this
 * process had before, also not before a C_Finalize: a thread that comes late with
 * an old one must not meet another's session. 0 is never a handle. */
#define INDEX_BITS 14
#define MAX_SESSIONS ((1UL << INDEX_BITS) - 1)
#define ROUNDS_MASK (~0UL >> INDEX_BITS)

static CK_ULONG rounds;

struct place {
    struct session *session;
};

struct module {
    struct configuration configuration;
    struct token **tokens;
    size_t token_count;
    struct reason *left_out; /* by the number of the section */
    struct place *places;
    size_t place_count;
};

static bool serial_is_used(const struct module *module, const struct token *token)
{
    for (size_t i = 0; i < module->token_count; i++)
        if (strcmp(module->tokens[i]->serial, token->serial) == 0)
            return true;
    return false;
}

static CK_RV add_token(struct module *module, size_t number)
{
    const struct config_section *section = &module->configuration.config.sections[number];
    struct reason *reason = &module->left_out[number];
    struct token *token = NULL;
    CK_RV rv = token_open(&module->configuration, section, number - 1, &token, reason);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK) {
        struct reason line;
        if (!reason->line)
            reason->line = section->line;
        reason_set(&line, "%s; the slot is left out", reason->text);
        configuration_log(&module->configuration, reason->line, section->name, line.text);
        return CKR_OK;
    }
    *reason = (struct reason){0};
    if (serial_is_used(module, token))
        rv = section_change_serial(token, section->name);
    if (rv != CKR_OK) {
        token_free(token);
        return rv;
    }
    module->tokens[module->token_count++] = token;
    return CKR_OK;
}

/* A section's slot keeps its number when another section fails to open. */
static CK_RV add_tokens(struct module *module)
{
    const struct config *config = &module->configuration.config;
    module->tokens = calloc(config->section_count, sizeof(struct token *));
    module->left_out = calloc(config->section_count, sizeof(struct reason));
    if (!module->tokens || !module->left_out)
        return CKR_HOST_MEMORY;
    CK_RV rv = CKR_OK;
    for (size_t i = 1; i < config->section_count && rv == CKR_OK; i++)
        if (!config->sections[i].broken)
            rv = add_token(module, i);
    return rv;
}

CK_RV module_new(const char *string, struct module **ret_module)
{
    struct module *module = calloc(1, sizeof(*module));
    if (!module)
        return CKR_HOST_MEMORY;
    key_process_start();
    CK_RV rv = configuration_open(string, &module->configuration);
    if (rv == CKR_OK)
        rv = add_tokens(module);
    if (rv != CKR_OK) {
        module_free(module);
        return rv;
    }
    *ret_module = module;
    return CKR_OK;
}

void module_free(struct module *module)
{
    if (!module)
        return;
    /* At process exit the libraries below may be gone already. */
    if (!mechanism_alive())
        return;
    for (size_t i = 0; i < module->place_count; i++)
        session_free(module->places[i].session);
    free(module->places);
    for (size_t i = 0; i < module->token_count; i++)
        token_free(module->tokens[i]);
    free(module->tokens);
    free(module->left_out);
    configuration_clear(&module->configuration);
    free(module);
    log_close();
}

void module_abandon(struct module *module)
{
    if (module)
        key_process_abandon();
    log_close();
}

void module_prepare(void)
{
    mechanism_start();
}

bool module_alive(void)
{
    return mechanism_alive();
}

CK_RV module_random(CK_BYTE *out, size_t size)
{
    return mechanism_random(out, size);
}

CK_RV module_random_seed(struct view seed)
{
    return mechanism_random_seed(seed);
}

void module_info(const struct module *module, CK_INFO *ret_info)
{
    const struct config_section *global = &module->configuration.config.sections[0];
    const char *manufacturer = config_value(global, "manufacturer id");
    const char *description = config_value(global, "library description");
    /* The version of the default interface, which clients cast by this one. */
    *ret_info = (CK_INFO){
        .cryptokiVersion = {.major = 3, .minor = 0},
        .libraryVersion = version_library(),
    };
    token_fill_field(ret_info->manufacturerID, sizeof(ret_info->manufacturerID),
                     view_string(manufacturer ? manufacturer : "Signet"));
    token_fill_field(ret_info->libraryDescription, sizeof(ret_info->libraryDescription),
                     view_string(description ? description : "Signet TPM 2.0 token"));
}

const struct configuration *module_configuration(const struct module *module)
{
    return &module->configuration;
}

const struct reason *module_left_out(const struct module *module, size_t section)
{
    return &module->left_out[section];
}

struct token *module_token(const struct module *module, CK_SLOT_ID slot)
{
    for (size_t i = 0; i < module->token_count; i++)
        if (module->tokens[i]->slot == slot)
            return module->tokens[i];
    return NULL;
}

struct token *module_token_at(const struct module *module, size_t index)
{
    return index < module->token_count ? module->tokens[index] : NULL;
}

static CK_RV free_place(struct module *module, size_t *ret_index)
{
    for (size_t i = 0; i < module->place_count; i++) {
        if (!module->places[i].session) {
            *ret_index = i;
            return CKR_OK;
        }
    }
    size_t count = module->place_count ? 2 * module->place_count : 16;
    if (count > MAX_SESSIONS)
        count = MAX_SESSIONS;
    if (module->place_count == count)
        return CKR_SESSION_COUNT;
    struct place *places = realloc(module->places, count * sizeof(*places));
    if (!places)
        return CKR_HOST_MEMORY;
    memset(places + module->place_count, 0, (count - module->place_count) * sizeof(*places));
    *ret_index = module->place_count;
    module->places = places;
    module->place_count = count;
    return CKR_OK;
}

CK_RV module_open_session(struct module *module, struct token *token, bool rw,
                          CK_SESSION_HANDLE *ret_handle)
{
    size_t index;
    CK_RV rv = free_place(module, &index);
    if (rv != CKR_OK)
        return rv;
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return CKR_HOST_MEMORY;
    struct place *place = &module->places[index];
    rounds = (rounds + 1) & ROUNDS_MASK;
    place->session = session;
    session->handle = (rounds << INDEX_BITS) | (index + 1);
    session->token = token;
    session->rw = rw;
    token->session_count++;
    token->rw_session_count += rw;
    *ret_handle = session->handle;
    return CKR_OK;
}

struct session *module_session(const struct module *module, CK_SESSION_HANDLE handle)
{
    size_t index = (handle & MAX_SESSIONS) - 1;
    if (index >= module->place_count)
        return NULL;
    struct session *session = module->places[index].session;
    return session && session->handle == handle ? session : NULL;
}

CK_SESSION_HANDLE module_session_of(const struct module *module, const struct token *token)
{
    for (size_t i = 0; i < module->place_count; i++)
        if (module->places[i].session && module->places[i].session->token == token)
            return module->places[i].session->handle;
    return CK_INVALID_HANDLE;
}

void module_end_private(const struct module *module, const struct token *token)
{
    for (size_t i = 0; i < module->place_count; i++)
        if (module->places[i].session && module->places[i].session->token == token)
            operation_cancel_private(module->places[i].session);
}

void module_remove_session(struct module *module, struct session *session)
{
    struct token *token = session->token;
    module->places[(session->handle & MAX_SESSIONS) - 1].session = NULL;
    token->session_count--;
    token->rw_session_count -= session->rw;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    struct token *token = session->token;
    for (enum operation_kind kind = 0; kind < OPERATION_KINDS; kind++)
        operation_cancel(session, kind);
    search_end(&session->search);
    token_remove_session_objects(token, session->handle);
    if (token->session_count == 0 && token->login != TOKEN_PUBLIC && token_logout(token) != CKR_OK)
        token->login = TOKEN_PUBLIC;
    free(session);
}

CK_STATE session_state(const struct session *session)
{
    static const CK_STATE states[][2] = {
        [TOKEN_PUBLIC] = {CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION},
        [TOKEN_USER] = {CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS},
        [TOKEN_SO] = {CKS_RW_SO_FUNCTIONS, CKS_RW_SO_FUNCTIONS},
    };
    return states[session->token->login][session->rw];
}
