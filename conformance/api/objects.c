#include "conformance/api/objects.h"

static struct token opened[3];

static struct token *token_of(const char *variable)
{
    static const char *const variables[] = {"PKCS11_TOKEN_EC", "PKCS11_TOKEN_RSA",
                                            "PKCS11_TOKEN_PIN"};

    for (size_t i = 0; i < COUNT_OF(variables); i++)
        if (strcmp(variable, variables[i]) == 0)
            return &opened[i];
    fail_msg("%s is not a token of these tests", variable);
    return NULL;
}

static void token_reset(struct token *token)
{
    X509_free(token->x509);
    EVP_PKEY_free(token->key);
    memset(token, 0, sizeof(*token));
}

static void read_certificate(struct token *token)
{
    unsigned char value[MAX_VALUE];
    const unsigned char *position = value;
    size_t length = get_bytes(token->session, token->certificate, CKA_VALUE, value);

    token->x509 = d2i_X509(NULL, &position, (long)length);
    assert_non_null(token->x509);
    token->key = X509_get_pubkey(token->x509);
    assert_non_null(token->key);
    token->key_type = EVP_PKEY_get_base_id(token->key) == EVP_PKEY_RSA ? CKK_RSA : CKK_EC;
    if (token->key_type == CKK_RSA)
        token->signature_size = (size_t)EVP_PKEY_get_size(token->key);
    else
        token->signature_size = 2 * ((size_t)(EVP_PKEY_get_bits(token->key) + 7) / 8);
}

/* A chain may hold several certificates: the key's own comes with a key. */
static CK_OBJECT_HANDLE certificate_with_key(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = find_class(session, CKO_CERTIFICATE, objects);

    for (CK_ULONG i = 0; i < count; i++)
        if (find_partner(session, CKO_PUBLIC_KEY, objects[i]) != CK_INVALID_HANDLE)
            return objects[i];
    fail_msg("no certificate has the CKA_ID of a public key");
    return CK_INVALID_HANDLE;
}

static struct token *token_open(const char *variable, bool with_login)
{
    struct token *token = token_of(variable);

    token_reset(token);
    token->slot = slot_or_skip(variable);
    token->session = open_session(token->slot);
    if (with_login)
        login_if_needed(token->session, token->slot);
    token->certificate = certificate_with_key(token->session);
    token->public_key = find_partner(token->session, CKO_PUBLIC_KEY, token->certificate);
    token->private_key = find_partner(token->session, CKO_PRIVATE_KEY, token->certificate);
    read_certificate(token);
    return token;
}

struct token *token_or_skip(const char *variable)
{
    struct token *token = token_open(variable, true);

    assert_int_not_equal(token->private_key, CK_INVALID_HANDLE);
    return token;
}

struct token *token_without_login(const char *variable)
{
    return token_open(variable, false);
}

size_t key_tokens(struct token *ret_tokens[2])
{
    size_t count = 0;

    if (getenv("PKCS11_TOKEN_EC"))
        ret_tokens[count++] = token_or_skip("PKCS11_TOKEN_EC");
    if (getenv("PKCS11_TOKEN_RSA"))
        ret_tokens[count++] = token_or_skip("PKCS11_TOKEN_RSA");
    if (count == 0)
        skip_because("neither PKCS11_TOKEN_EC nor PKCS11_TOKEN_RSA is set");
    return count;
}

CK_ULONG find_all(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count,
                  CK_OBJECT_HANDLE *ret_objects)
{
    CK_ULONG found = POISON_ULONG;

    assert_ok(p11->C_FindObjectsInit(session, template, count));
    assert_ok(p11->C_FindObjects(session, ret_objects, MAX_FOUND, &found));
    assert_ok(p11->C_FindObjectsFinal(session));
    assert_true(found <= MAX_FOUND);
    return found;
}

CK_ULONG find_class(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret_objects)
{
    CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof(class)};

    return find_all(session, &template, 1, ret_objects);
}

CK_OBJECT_HANDLE find_partner(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class,
                              CK_OBJECT_HANDLE certificate)
{
    unsigned char id[MAX_VALUE];
    size_t length = get_bytes(session, certificate, CKA_ID, id);
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_ID, id, length}};
    CK_OBJECT_HANDLE objects[MAX_FOUND];
    CK_ULONG count = find_all(session, template, COUNT_OF(template), objects);

    return count ? objects[0] : CK_INVALID_HANDLE;
}

size_t get_bytes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                 unsigned char ret_value[MAX_VALUE])
{
    CK_ATTRIBUTE attribute = {type, ret_value, MAX_VALUE};

    if (p11->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK)
        fail_msg("attribute 0x%lx of object %lu cannot be read", type, object);
    assert_true(attribute.ulValueLen <= MAX_VALUE);
    return attribute.ulValueLen;
}

CK_ULONG get_ulong(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    CK_ULONG value = POISON_ULONG;
    CK_ATTRIBUTE attribute = {type, &value, sizeof(value)};

    if (p11->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK)
        fail_msg("attribute 0x%lx of object %lu cannot be read", type, object);
    assert_int_equal(attribute.ulValueLen, sizeof(value));
    return value;
}

bool get_bool(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = POISON_BYTE;
    CK_ATTRIBUTE attribute = {type, &value, sizeof(value)};

    if (p11->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK)
        fail_msg("attribute 0x%lx of object %lu cannot be read", type, object);
    assert_int_equal(attribute.ulValueLen, sizeof(value));
    assert_true(value == CK_TRUE || value == CK_FALSE);
    return value == CK_TRUE;
}

CK_RV attribute_rv(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    unsigned char value[MAX_VALUE];
    CK_ATTRIBUTE attribute = {type, value, sizeof(value)};

    return p11->C_GetAttributeValue(session, object, &attribute, 1);
}

bool mechanism_listed(CK_SLOT_ID slot, CK_MECHANISM_TYPE type)
{
    CK_MECHANISM_INFO info;

    return p11->C_GetMechanismInfo(slot, type, &info) == CKR_OK;
}

void mechanism_or_skip(CK_SLOT_ID slot, CK_MECHANISM_TYPE type)
{
    if (!mechanism_listed(slot, type))
        skip_because("%s is not listed", mechanism_name(type));
}
