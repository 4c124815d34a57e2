/* What the tests of this room share: templates, and keys that do nothing. */
#ifndef SIGNET_OBJECT_TEST_SUPPORT_H
#define SIGNET_OBJECT_TEST_SUPPORT_H

#include "token/base/test_support.h"

#include "token/key/ops.h"
#include "token/object/object.h"
#include "token/object/schema.h"

#define MAX_TEMPLATE 32

/* DER of curve OIDs. */
#define P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define ED25519 "\x06\x03\x2b\x65\x70"
#define X25519 "\x06\x03\x2b\x65\x6e"

/* A template that owns its values. */
struct template
{
    CK_ATTRIBUTE list[MAX_TEMPLATE];
    CK_ULONG numbers[MAX_TEMPLATE];
    CK_BBOOL bools[MAX_TEMPLATE];
    CK_ULONG count;
};

static UNUSED void add_bytes(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value,
                             size_t size)
{
    assert_true(template->count < MAX_TEMPLATE);
    template->list[template->count++] = (CK_ATTRIBUTE){type, (void *)(uintptr_t)value, size};
}

static UNUSED void add_text(struct template *template, CK_ATTRIBUTE_TYPE type, const char *text)
{
    add_bytes(template, type, text, strlen(text));
}

static UNUSED void add_ulong(struct template *template, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    CK_ULONG *number = &template->numbers[template->count];
    *number = value;
    add_bytes(template, type, number, sizeof(*number));
}

static UNUSED void add_bool(struct template *template, CK_ATTRIBUTE_TYPE type, bool value)
{
    CK_BBOOL *byte = &template->bools[template->count];
    *byte = value ? CK_TRUE : CK_FALSE;
    add_bytes(template, type, byte, sizeof(*byte));
}

/* What each kind of object needs, and no more. */
static UNUSED void begin_data(struct template *template)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, CKO_DATA);
}

static UNUSED void begin_secret(struct template *template)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, CKO_SECRET_KEY);
    add_ulong(template, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    add_text(template, CKA_VALUE, "the secret value");
}

static UNUSED void begin_public_rsa(struct template *template)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, CKO_PUBLIC_KEY);
    add_ulong(template, CKA_KEY_TYPE, CKK_RSA);
    add_text(template, CKA_MODULUS, "modulus");
    add_text(template, CKA_PUBLIC_EXPONENT, "\x01\x01");
}

static UNUSED void begin_public_ec(struct template *template)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, CKO_PUBLIC_KEY);
    add_ulong(template, CKA_KEY_TYPE, CKK_EC);
    add_text(template, CKA_EC_PARAMS, P256);
    add_text(template, CKA_EC_POINT, "point");
}

static UNUSED void begin_private_rsa(struct template *template)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, CKO_PRIVATE_KEY);
    add_ulong(template, CKA_KEY_TYPE, CKK_RSA);
    add_text(template, CKA_MODULUS, "modulus");
    add_text(template, CKA_PUBLIC_EXPONENT, "\x01\x01");
    add_text(template, CKA_PRIVATE_EXPONENT, "exponent");
}

static UNUSED void begin_private_ec(struct template *template)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, CKO_PRIVATE_KEY);
    add_ulong(template, CKA_KEY_TYPE, CKK_EC);
    add_text(template, CKA_EC_PARAMS, P256);
    add_text(template, CKA_VALUE, "number");
}

static UNUSED void begin_certificate(struct template *template)
{
    *template = (struct template){.count = 0};
    add_ulong(template, CKA_CLASS, CKO_CERTIFICATE);
    add_ulong(template, CKA_CERTIFICATE_TYPE, CKC_X_509);
    add_text(template, CKA_SUBJECT, "subject");
    add_text(template, CKA_VALUE, "certificate");
}

static UNUSED struct object *object_of(const struct template *template)
{
    struct attributes attributes = {0};
    struct object *object = NULL;
    assert_ok(schema_build(SCHEMA_CREATE, template->list, template->count, NULL, &attributes));
    assert_ok(object_new(&attributes, &object));
    return object;
}

/* A key of the given abilities that is in no TPM and does nothing. */
struct idle_key {
    struct key key;
    enum key_place place;
    bool sign, decrypt, derive;
};

static UNUSED enum key_place idle_place(const struct key *key)
{
    return ((const struct idle_key *)key)->place;
}

static UNUSED bool idle_can(const struct key *key, enum key_use use,
                            UNUSED const struct scheme *scheme)
{
    const struct idle_key *idle = (const struct idle_key *)key;
    return use == KEY_USE_SIGN ? idle->sign : use == KEY_USE_DECRYPT ? idle->decrypt : idle->derive;
}

static UNUSED struct idle_key *idle_key_new(const struct public_key *public_key)
{
    static const struct key_ops ops = {.place = idle_place, .can = idle_can};
    struct idle_key *idle = calloc(1, sizeof(*idle));
    assert_non_null(idle);
    idle->key = (struct key){.ops = &ops, .references = 1};
    assert_ok(public_key_copy(&idle->key.public_key, public_key));
    return idle;
}

#endif
