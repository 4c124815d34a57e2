#include "token/session/exported.h"

#include <stdio.h>

#include "token/object/build.h"

static CK_RV add(struct token *token, CK_RV rv, struct object *object)
{
    if (rv == CKR_OK)
        rv = token_add_object(token, CK_INVALID_HANDLE, object);
    if (rv != CKR_OK)
        object_free(object);
    return rv;
}

static CK_RV add_certificate(struct token *token, struct object_names names,
                             const struct certificate *certificate, bool leaf)
{
    struct bytes id CLEANUP(bytes_free) = {0};
    struct object *object = NULL;
    /* Certificates of issuers pair with no key of this token: an id of their own. */
    if (!leaf) {
        CK_RV rv = key_material_id(&certificate->public_key, &id);
        if (rv != CKR_OK)
            return rv;
        names.id = bytes_view(&id);
        if (certificate->common_name.size)
            names.label = bytes_view(&certificate->common_name);
    }
    CK_RV rv = object_from_certificate(&names, certificate, &object);
    return add(token, rv, object);
}

static CK_RV add_certificates(struct token *token, const struct object_names *names,
                              const struct certificate *certificates, size_t count)
{
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        bool leaf =
            token->material.public_key.algorithm == KEY_ALGORITHM_NONE
                ? i == 0
                : public_key_equal(&certificates[i].public_key, &token->material.public_key);
        char unique[40];
        snprintf(unique, sizeof(unique), "%s-%zu", token->serial, i);
        struct object_names own = *names;
        own.unique = view_string(unique);
        rv = add_certificate(token, own, &certificates[i], leaf);
    }
    return rv;
}

/* The subject of the key's own certificate, wherever that was found. */
static struct view subject_of(const struct token *token)
{
    const struct key_material *material = &token->material;
    const struct certificate *certificates = material->certificates;
    size_t count = material->certificate_count;
    if (!count && material->key)
        certificates = key_certificates(material->key, &count);
    for (size_t i = 0; i < count; i++)
        if (public_key_equal(&certificates[i].public_key, &material->public_key))
            return bytes_view(&certificates[i].subject);
    return (struct view){0};
}

static struct object_names names_of(const struct token *token)
{
    return (struct object_names){
        .label = bytes_view(&token->label),
        .id = bytes_view(&token->id),
        .subject = subject_of(token),
        .unique = view_string(token->serial),
        .login = token_needs_login(token),
    };
}

static CK_RV add_key_objects(struct token *token)
{
    struct object_names names = names_of(token);
    struct object *object = NULL;
    CK_RV rv = CKR_OK;
    if (token->material.public_key.algorithm == KEY_ALGORITHM_NONE)
        return CKR_OK;
    if (token->material.key) {
        rv = object_from_private_key(&names, token->material.key, &object);
        rv = add(token, rv, object);
    }
    if (rv != CKR_OK)
        return rv;
    object = NULL;
    rv = object_from_public_key(&names, &token->material.public_key, &object);
    return add(token, rv, object);
}

CK_RV exported_add_objects(struct token *token)
{
    struct object_names names = names_of(token);
    struct object *object = NULL;
    CK_RV rv = add_key_objects(token);
    if (rv == CKR_OK)
        rv = add_certificates(token, &names, token->material.certificates,
                              token->material.certificate_count);
    if (rv != CKR_OK)
        return rv;
    rv = object_public_certificates_profile(&names, &object);
    return add(token, rv, object);
}

/* What the file gave away when it was opened: the key pair, and certificates if
 * the configuration named none. */
CK_RV exported_reveal(struct token *token)
{
    struct key *key = token->material.key;
    if (token->material.public_key.algorithm != KEY_ALGORITHM_NONE)
        return CKR_OK;
    size_t count = 0;
    const struct certificate *certificates = key_certificates(key, &count);
    CK_RV rv = public_key_copy(&token->material.public_key, key_public(key));
    if (rv == CKR_OK && !token->id.size)
        rv = key_material_id(&token->material.public_key, &token->id);
    if (rv == CKR_OK)
        rv = add_key_objects(token);
    if (rv != CKR_OK || token->material.certificate_count)
        return rv;
    struct object_names names = names_of(token);
    return add_certificates(token, &names, certificates, count);
}
