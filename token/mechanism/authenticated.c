/* Wrapping with authenticated encryption: one message of message.h that is a key. */
#include "token/mechanism/family.h"
#include "token/mechanism/manage.h"
#include "token/mechanism/message.h"

/* A counter would begin anew with every wrapping, and the IV come again. */
static CK_RV check_generator(const CK_MECHANISM *given)
{
    const CK_GCM_MESSAGE_PARAMS *gcm = mechanism_parameter(given, sizeof(*gcm));
    return gcm && gcm->ivGenerator != CKG_GENERATE_COUNTER ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV pass(const CK_MECHANISM *given, CK_FLAGS operation, struct key *key,
                  struct view associated, struct view in, struct bytes *ret_out)
{
    struct bytes out CLEANUP(bytes_free) = {0};
    struct message *message = NULL;
    const struct mechanism *mechanism = mechanism_find(given->mechanism);
    if (!mechanism)
        return CKR_MECHANISM_INVALID;
    CK_RV rv = message_new(mechanism, operation, given, key, &message);
    if (rv == CKR_OK)
        rv = message_begin(message, given->pParameter, given->ulParameterLen, associated);
    if (rv == CKR_OK)
        rv = message_update(message, in, &out);
    if (rv == CKR_OK)
        rv = message_finish(message, given->pParameter, given->ulParameterLen, &out);
    message_free(message);
    if (rv != CKR_OK)
        return rv;
    *ret_out = out;
    out = (struct bytes){0};
    return CKR_OK;
}

CK_RV mechanism_wrap_authenticated(const CK_MECHANISM *given, struct key *key,
                                   struct view associated, struct view plain,
                                   struct bytes *ret_wrapped)
{
    CK_RV rv = check_generator(given);
    return rv != CKR_OK ? rv
                        : pass(given, CKF_MESSAGE_ENCRYPT, key, associated, plain, ret_wrapped);
}

/* The generator is ignored. */
CK_RV mechanism_unwrap_authenticated(const CK_MECHANISM *given, struct key *key,
                                     struct view associated, struct view wrapped,
                                     struct bytes *ret_plain)
{
    CK_RV rv = pass(given, CKF_MESSAGE_DECRYPT, key, associated, wrapped, ret_plain);
    return rv == CKR_AEAD_DECRYPT_FAILED ? CKR_WRAPPED_KEY_INVALID : rv;
}
