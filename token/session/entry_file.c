#include "token/session/entry_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/object/material.h"
#include "token/object/schema.h"
#include "token/object/text.h"
#include "token/store/entry.h"

#define FILE_NAME_SIZE 256

void entry_object_clear(struct entry_object *object)
{
    attributes_clear(&object->attributes);
    bytes_free(&object->pem);
    bytes_free(&object->key_id);
    bytes_free(&object->encrypted_value);
}

void entry_objects_clear(struct entry_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        entry_object_clear(&objects->objects[i]);
    objects->count = 0;
}

struct entry_object *entry_file_find(struct entry_objects *objects, struct view unique)
{
    for (size_t i = 0; i < objects->count; i++)
        if (view_equal(attributes_value(&objects->objects[i].attributes, CKA_UNIQUE_ID), unique))
            return &objects->objects[i];
    return NULL;
}

CK_OBJECT_CLASS entry_object_class(const struct entry_object *object)
{
    return attributes_ulong(&object->attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
}

/* A file while it is being read. `beside` is the public half of a private key in it. */
struct parsing {
    const char *name;
    bool login;
    struct entry_objects *objects;
    struct public_key beside;
    struct reason *reason;
};

static void parsing_clear(struct parsing *parsing)
{
    public_key_clear(&parsing->beside);
}

static CK_RV take_line(const struct entry_line *line, struct entry_object *object,
                       struct reason *reason)
{
    reason->line = line->line;
    if (view_equal(line->name, view_string(KEY_ID_LINE)))
        return attribute_from_text(CKA_ID, line->value, &object->key_id, reason);
    if (view_equal(line->name, view_string(ENCRYPTED_LINE)))
        return attribute_from_text(CKA_VALUE, line->value, &object->encrypted_value, reason);
    CK_ATTRIBUTE_TYPE type = attribute_of_name(line->name);
    struct bytes value CLEANUP(bytes_free) = {0};
    if (type == CK_UNAVAILABLE_INFORMATION) {
        reason_set(reason, "'%.*s' is no attribute", (int)line->name.size,
                   (const char *)line->name.data);
        return CKR_DATA_INVALID;
    }
    if (attributes_has(&object->attributes, type)) {
        reason_set(reason, "'%.*s' stands there twice", (int)line->name.size,
                   (const char *)line->name.data);
        return CKR_DATA_INVALID;
    }
    CK_RV rv = attribute_from_text(type, line->value, &value, reason);
    return rv != CKR_OK ? rv : attributes_set(&object->attributes, type, bytes_view(&value));
}

static CK_RV lacks(struct parsing *parsing, const char *what)
{
    reason_set(parsing->reason, "there is no %s in this group", what);
    return CKR_DATA_INVALID;
}

static CK_RV set_certificate(struct entry_object *object, const struct certificate *certificate)
{
    CK_RV rv = attributes_set(&object->attributes, CKA_VALUE, bytes_view(&certificate->der));
    if (rv == CKR_OK && !attributes_has(&object->attributes, CKA_CERTIFICATE_TYPE))
        rv = attributes_set_ulong(&object->attributes, CKA_CERTIFICATE_TYPE, CKC_X_509);
    return rv != CKR_OK ? rv : material_set_certificate(&object->attributes, certificate);
}

static CK_RV take_material(struct parsing *parsing, struct entry_object *object)
{
    struct key_contents contents CLEANUP(key_contents_clear) = {0};
    CK_OBJECT_CLASS class = entry_object_class(object);
    CK_RV rv = CKR_OK;
    if (class == CKO_DATA)
        return CKR_OK;
    if (class == CKO_SECRET_KEY)
        return object->pem.size ? CKR_OK : lacks(parsing, "encrypted value");
    if (object->pem.size)
        rv = key_inspect(bytes_view(&object->pem), &contents, parsing->reason);
    if (rv != CKR_OK)
        return rv;
    if (class == CKO_CERTIFICATE)
        return contents.certificate_count ? set_certificate(object, &contents.certificates[0])
                                          : lacks(parsing, "certificate");
    if (class == CKO_PRIVATE_KEY && !contents.private_key)
        return lacks(parsing, "private key");
    const struct public_key *public_key = contents.public_key.algorithm != KEY_ALGORITHM_NONE
                                              ? &contents.public_key
                                              : &parsing->beside;
    if (public_key->algorithm == KEY_ALGORITHM_NONE)
        return lacks(parsing, "public key");
    if (class == CKO_PRIVATE_KEY)
        rv = public_key_copy(&parsing->beside, public_key);
    return rv != CKR_OK ? rv : material_set_public(&object->attributes, public_key);
}

/* Through the schema, which notices what the class does not have or may not hold, and
 * fills in what older versions did not write. */
static CK_RV complete(struct parsing *parsing, struct entry_object *object)
{
    struct attributes whole = {0};
    struct view unique = attributes_value(&object->attributes, CKA_UNIQUE_ID);
    if (entry_file_find(parsing->objects, unique) != object) {
        reason_set(parsing->reason, "another object of this file has the same unique id");
        return CKR_DATA_INVALID;
    }
    CK_RV rv = schema_build(SCHEMA_OWN, NULL, 0, &object->attributes, &whole);
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK || !attributes_has(&object->attributes, CKA_UNIQUE_ID)) {
        attributes_clear(&whole);
        reason_set(parsing->reason, "an attribute is missing, or does not fit its class");
        return CKR_DATA_INVALID;
    }
    attributes_clear(&object->attributes);
    object->attributes = whole;
    return CKR_OK;
}

/* What is encrypted may not turn into something that everybody is shown. */
static CK_RV check_encrypted(struct parsing *parsing, const struct entry_object *object)
{
    if (!object->encrypted_value.size || (entry_object_class(object) == CKO_DATA &&
                                          attributes_bool(&object->attributes, CKA_PRIVATE, false)))
        return CKR_OK;
    reason_set(parsing->reason, "'" ENCRYPTED_LINE "' is for private data alone; 'private = true' "
                                "was changed, or is missing");
    return CKR_DATA_INVALID;
}

static CK_RV take_group(struct parsing *parsing, const struct entry_group *group)
{
    struct entry_objects *all = parsing->objects;
    if (all->count == ENTRY_FILE_MAX_OBJECTS) {
        reason_set(parsing->reason, "more than %d objects", ENTRY_FILE_MAX_OBJECTS);
        return CKR_DATA_INVALID;
    }
    CK_OBJECT_CLASS class = class_of_name(group->kind);
    parsing->reason->line = group->line;
    if (class == CK_UNAVAILABLE_INFORMATION) {
        reason_set(parsing->reason, "[%.*s] is no class of objects", (int)group->kind.size,
                   (const char *)group->kind.data);
        return CKR_DATA_INVALID;
    }
    struct entry_object *object = &all->objects[all->count++];
    CK_RV rv = attributes_set_ulong(&object->attributes, CKA_CLASS, class);
    if (rv == CKR_OK)
        rv = attributes_set_bool(&object->attributes, CKA_TOKEN, true);
    for (size_t i = 0; i < group->line_count && rv == CKR_OK; i++)
        rv = take_line(&group->lines[i], object, parsing->reason);
    if (rv == CKR_OK)
        rv = bytes_copy(&object->pem, group->pem);
    if (rv == CKR_OK)
        rv = take_material(parsing, object);
    if (rv == CKR_OK)
        rv = complete(parsing, object);
    return rv != CKR_OK ? rv : check_encrypted(parsing, object);
}

static CK_RV take_token_id(const struct entry_group *header, struct parsing *parsing)
{
    char text[2 * VAULT_TOKEN_SIZE + 4] = "hex:";
    struct view value = entry_value(header, "token");
    struct bytes id CLEANUP(bytes_free) = {0};
    CK_RV rv = CKR_DATA_INVALID;
    if (value.size == 2 * (size_t)VAULT_TOKEN_SIZE) {
        memcpy(text + 4, value.data, value.size);
        rv = attribute_from_text(CKA_ID, view_of(text, sizeof(text)), &id, parsing->reason);
    }
    if (rv == CKR_HOST_MEMORY)
        return rv;
    if (rv != CKR_OK || id.size != VAULT_TOKEN_SIZE) {
        reason_set(parsing->reason, "the header does not say which token it belongs to");
        return CKR_DATA_INVALID;
    }
    memcpy(parsing->objects->token, id.data, VAULT_TOKEN_SIZE);
    return CKR_OK;
}

bool entry_file_belongs(struct view text, const uint8_t token[VAULT_TOKEN_SIZE])
{
    struct reason reason = {0};
    struct entry entry CLEANUP(entry_clear) = {0};
    struct entry_objects *objects = calloc(1, sizeof(*objects));
    struct parsing parsing = {.objects = objects, .reason = &reason};
    bool belongs = objects && entry_recognise(text) &&
                   entry_parse(text, &entry, &reason) == CKR_OK && entry.group_count > 1 &&
                   take_token_id(&entry.groups[0], &parsing) == CKR_OK &&
                   memcmp(objects->token, token, VAULT_TOKEN_SIZE) == 0;
    free(objects);
    return belongs;
}

static CK_RV parse_own(struct view text, struct parsing *parsing)
{
    struct entry entry CLEANUP(entry_clear) = {0};
    CK_RV rv = entry_parse(text, &entry, parsing->reason);
    if (rv == CKR_OK)
        rv = take_token_id(&entry.groups[0], parsing);
    for (size_t i = 1; i < entry.group_count && rv == CKR_OK; i++)
        rv = take_group(parsing, &entry.groups[i]);
    return rv;
}

/* What was dropped in: the label is the file's name without its ending, the id that
 * which NSS derives, so that key and certificate pair up. */

static struct view label_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return view_of(name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

static CK_RV begin_dropped(struct parsing *parsing, CK_OBJECT_CLASS class,
                           const struct public_key *public_key, struct entry_object **ret_object)
{
    struct entry_objects *all = parsing->objects;
    if (all->count == ENTRY_FILE_MAX_OBJECTS) {
        reason_set(parsing->reason, "more than %d objects", ENTRY_FILE_MAX_OBJECTS);
        return CKR_DATA_INVALID;
    }
    char unique[FILE_NAME_SIZE + 32];
    struct entry_object *object = &all->objects[all->count++];
    struct attributes *attributes = &object->attributes;
    struct bytes id CLEANUP(bytes_free) = {0};
    snprintf(unique, sizeof(unique), "file:%s#%zu", parsing->name, all->count);
    CK_RV rv = key_material_id(public_key, &id);
    if (rv == CKR_OK)
        rv = attributes_set_ulong(attributes, CKA_CLASS, class);
    if (rv == CKR_OK)
        rv = attributes_set_bool(attributes, CKA_TOKEN, true);
    if (rv == CKR_OK)
        rv = attributes_set_bool(attributes, CKA_MODIFIABLE, false);
    if (rv == CKR_OK)
        rv = attributes_set_bool(attributes, CKA_DESTROYABLE, false);
    if (rv == CKR_OK)
        rv = attributes_set(attributes, CKA_LABEL, label_of(parsing->name));
    if (rv == CKR_OK)
        rv = attributes_set(attributes, CKA_ID, bytes_view(&id));
    if (rv == CKR_OK)
        rv = attributes_set(attributes, CKA_UNIQUE_ID, view_string(unique));
    *ret_object = object;
    return rv;
}

static CK_RV drop_private(struct parsing *parsing, const struct public_key *public_key,
                          struct view text)
{
    struct entry_object *object = NULL;
    CK_RV rv = begin_dropped(parsing, CKO_PRIVATE_KEY, public_key, &object);
    bool rsa = public_key->algorithm == KEY_ALGORITHM_RSA;
    bool derives = public_key->algorithm == KEY_ALGORITHM_EC ||
                   public_key->algorithm == KEY_ALGORITHM_MONTGOMERY;
    const struct {
        CK_ATTRIBUTE_TYPE type;
        bool value;
    } facts[] = {
        {CKA_PRIVATE, parsing->login},
        {CKA_SENSITIVE, true},
        {CKA_EXTRACTABLE, false},
        {CKA_SIGN, public_key->algorithm != KEY_ALGORITHM_MONTGOMERY},
        {CKA_DECRYPT, rsa},
        {CKA_UNWRAP, rsa},
        {CKA_DERIVE, derives},
    };
    for (size_t i = 0; i < ARRAY_SIZE(facts) && rv == CKR_OK; i++)
        rv = attributes_set_bool(&object->attributes, facts[i].type, facts[i].value);
    if (rv == CKR_OK)
        rv = material_set_public(&object->attributes, public_key);
    if (rv == CKR_OK)
        rv = bytes_copy(&object->pem, text);
    return rv != CKR_OK ? rv : complete(parsing, object);
}

static CK_RV drop_public(struct parsing *parsing, const struct public_key *public_key)
{
    struct entry_object *object = NULL;
    CK_RV rv = begin_dropped(parsing, CKO_PUBLIC_KEY, public_key, &object);
    bool rsa = public_key->algorithm == KEY_ALGORITHM_RSA;
    if (rv == CKR_OK)
        rv = attributes_set_bool(&object->attributes, CKA_VERIFY,
                                 public_key->algorithm != KEY_ALGORITHM_MONTGOMERY);
    if (rv == CKR_OK)
        rv = attributes_set_bool(&object->attributes, CKA_ENCRYPT, rsa);
    if (rv == CKR_OK)
        rv = attributes_set_bool(&object->attributes, CKA_WRAP, rsa);
    if (rv == CKR_OK)
        rv = material_set_public(&object->attributes, public_key);
    return rv != CKR_OK ? rv : complete(parsing, object);
}

static CK_RV drop_certificate(struct parsing *parsing, const struct certificate *certificate)
{
    enum { TOKEN_USER = 1, AUTHORITY = 2 };
    struct entry_object *object = NULL;
    CK_RV rv = begin_dropped(parsing, CKO_CERTIFICATE, &certificate->public_key, &object);
    if (rv == CKR_OK)
        rv = attributes_set_ulong(&object->attributes, CKA_CERTIFICATE_TYPE, CKC_X_509);
    if (rv == CKR_OK)
        rv = attributes_set_ulong(&object->attributes, CKA_CERTIFICATE_CATEGORY,
                                  certificate->authority ? AUTHORITY : TOKEN_USER);
    if (rv == CKR_OK)
        rv = set_certificate(object, certificate);
    return rv != CKR_OK ? rv : complete(parsing, object);
}

static CK_RV parse_dropped(struct view text, struct parsing *parsing)
{
    struct key_contents contents CLEANUP(key_contents_clear) = {0};
    CK_RV rv = key_inspect(text, &contents, parsing->reason);
    bool key = contents.public_key.algorithm != KEY_ALGORITHM_NONE;
    if (rv == CKR_OK && contents.private_key && key)
        rv = drop_private(parsing, &contents.public_key, text);
    if (rv == CKR_OK && key)
        rv = drop_public(parsing, &contents.public_key);
    for (size_t i = 0; i < contents.certificate_count && rv == CKR_OK; i++)
        rv = drop_certificate(parsing, &contents.certificates[i]);
    return rv;
}

CK_RV entry_file_parse(struct view text, const char *name, bool login,
                       struct entry_objects *ret_objects, struct reason *reason)
{
    struct reason unwanted = {0};
    struct parsing parsing CLEANUP(parsing_clear) = {.name = name,
                                                     .login = login,
                                                     .objects = ret_objects,
                                                     .reason = reason ? reason : &unwanted};
    entry_objects_clear(ret_objects);
    memset(ret_objects, 0, sizeof(*ret_objects));
    ret_objects->own = entry_recognise(text);
    CK_RV rv = ret_objects->own ? parse_own(text, &parsing) : parse_dropped(text, &parsing);
    if (rv != CKR_OK)
        entry_objects_clear(ret_objects);
    return rv == CKR_OK || rv == CKR_HOST_MEMORY ? rv : (CK_RV)CKR_DATA_INVALID;
}
