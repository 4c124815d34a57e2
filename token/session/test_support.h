/* What the tests of this room share: a module of one section, and its parts. */
#ifndef SIGNET_SESSION_TEST_SUPPORT_H
#define SIGNET_SESSION_TEST_SUPPORT_H

#include "token/base/test_support.h"

#include "token/session/session.h"

/* The keys that sections below name. */
static UNUSED int make_keys(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("set -e\n"
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key\n"
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key\n"
        "openssl req -new -x509 -key ec.key -subj /CN=EC -days 30 -out ec.crt\n"
        "openssl pkcs8 -topk8 -in ec.key -passout pass:1234 -out ec.enc\n"
        "openssl pkcs12 -export -in ec.crt -inkey ec.key -passout pass:1234 -out ec.p12\n");
    return 0;
}

struct parts {
    struct module *module;
    struct token *token;
    struct session *session;
};

/* One section of these lines, and a session with its token. */
static UNUSED struct parts open_parts(const char *lines)
{
    struct parts parts = {0};
    CK_SESSION_HANDLE handle = 0;
    char text[1024];
    snprintf(text, sizeof(text), "[section]\n%s\n", lines);
    write_file("c.conf", text);
    assert_ok(module_new("conf=c.conf", &parts.module));
    parts.token = module_token_at(parts.module, 0);
    assert_non_null(parts.token);
    assert_ok(module_open_session(parts.module, parts.token, false, &handle));
    parts.session = module_session(parts.module, handle);
    assert_non_null(parts.session);
    return parts;
}

static UNUSED void close_parts(struct parts *parts)
{
    module_free(parts->module);
}

static UNUSED CK_OBJECT_HANDLE find_class(const struct token *token, CK_OBJECT_CLASS class)
{
    for (size_t i = 0; i < token->object_count; i++)
        if (object_class(token->objects[i]) == class)
            return token->objects[i]->handle;
    return CK_INVALID_HANDLE;
}

#endif
