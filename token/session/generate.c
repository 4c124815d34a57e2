#include <string.h>

#include "token/mechanism/manage.h"
#include "token/object/material.h"
#include "token/object/schema.h"
#include "token/session/made.h"
#include "token/session/manage.h"
#include "token/session/mechanisms.h"

static CK_RV check_mechanism(const struct token *token, const CK_MECHANISM *given,
                             CK_FLAGS operation, CK_KEY_TYPE *ret_type)
{
    const struct mechanism *row = mechanism_find(given->mechanism);
    if (!(token_mechanism_flags(token, row) & operation))
        return CKR_MECHANISM_INVALID;
    *ret_type = mechanism_generates(row);
    return *ret_type != CK_UNAVAILABLE_INFORMATION ? CKR_OK : CKR_MECHANISM_INVALID;
}

static CK_RV build(struct session *session, CK_OBJECT_CLASS class, CK_KEY_TYPE type,
                   CK_MECHANISM_TYPE mechanism, struct manage_template template, struct made *made)
{
    struct attributes preset CLEANUP(attributes_clear) = {0};
    CK_RV rv = attributes_set_ulong(&preset, CKA_CLASS, class);
    if (rv == CKR_OK)
        rv = attributes_set_ulong(&preset, CKA_KEY_TYPE, type);
    if (rv == CKR_OK)
        rv = schema_build(made_origin(session, SCHEMA_GENERATE), template.attributes,
                          template.count, &preset, &made->attributes);
    if (rv == CKR_OK)
        rv = schema_complete_key(&made->attributes, SCHEMA_GENERATE, mechanism, NULL);
    return rv != CKR_OK ? rv : made_check_place(session, &made->attributes);
}

CK_RV manage_generate_pair(struct session *session, const CK_MECHANISM *mechanism,
                           struct manage_template public, struct manage_template private,
                           CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    struct made made[2] = {{.key = NULL}, {.key = NULL}};
    CK_OBJECT_HANDLE handles[2];
    CK_KEY_TYPE type;
    CK_RV rv = check_mechanism(session->token, mechanism, CKF_GENERATE_KEY_PAIR, &type);
    if (rv == CKR_OK)
        rv = build(session, CKO_PUBLIC_KEY, type, mechanism->mechanism, public, &made[1]);
    if (rv == CKR_OK)
        rv = build(session, CKO_PRIVATE_KEY, type, mechanism->mechanism, private, &made[0]);
    if (rv == CKR_OK)
        rv = material_spec(&made[1].attributes, &made[0].generate);
    if (rv == CKR_OK)
        rv = mechanism_check_generation(mechanism, &made[0].generate);
    if (rv == CKR_OK)
        rv = made_place(session, made, 2, handles);
    made_clear(&made[0]);
    made_clear(&made[1]);
    if (rv != CKR_OK)
        return rv;
    *ret_private = handles[0];
    *ret_public = handles[1];
    return CKR_OK;
}

CK_RV manage_generate(struct session *session, const CK_MECHANISM *mechanism,
                      const CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *ret_handle)
{
    struct made made CLEANUP(made_clear) = {0};
    CK_KEY_TYPE type;
    CK_RV rv = check_mechanism(session->token, mechanism, CKF_GENERATE, &type);
    if (rv == CKR_OK)
        rv = build(session, CKO_SECRET_KEY, type, mechanism->mechanism,
                   (struct manage_template){template, count}, &made);
    if (rv == CKR_OK)
        rv = material_spec(&made.attributes, &made.generate);
    if (rv == CKR_OK)
        rv = mechanism_check_generation(mechanism, &made.generate);
    if (rv == CKR_OK)
        rv = attributes_set_ulong(&made.attributes, CKA_VALUE_LEN, made.generate.bits / 8);
    return rv != CKR_OK ? rv : made_place(session, &made, 1, ret_handle);
}
