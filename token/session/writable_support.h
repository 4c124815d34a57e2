/* What the tests of token directories share: a module with one, on the embedded TPM. */
#ifndef SIGNET_SESSION_WRITABLE_SUPPORT_H
#define SIGNET_SESSION_WRITABLE_SUPPORT_H

#include "token/base/log.h"
#include "token/session/life.h"
#include "token/session/manage.h"
#include "token/session/objects.h"
#include "token/session/operation.h"
#include "token/session/search.h"
#include "token/session/test_support.h"
#include "token/session/writable.h"

static UNUSED const char label[33] = "work                            ";

/* A section about the directory "work", and read/write sessions with it. */
static UNUSED struct parts open_directory(const char *more)
{
    char lines[PATH_MAX + 512];
    snprintf(lines, sizeof(lines), "token directory = work\ntpm = %s,ek=off\n%s", emulator_choice(),
             more);
    struct parts parts = {0};
    char text[sizeof(lines) + 16];
    snprintf(text, sizeof(text), "[section]\n%s\n", lines);
    write_file("c.conf", text);
    assert_ok(module_new("conf=c.conf", &parts.module));
    parts.token = module_token_at(parts.module, 0);
    assert_non_null(parts.token);
    return parts;
}

static UNUSED void open_session(struct parts *parts)
{
    CK_SESSION_HANDLE handle;
    assert_ok(module_open_session(parts->module, parts->token, true, &handle));
    parts->session = module_session(parts->module, handle);
}

static UNUSED CK_FLAGS flags_of(struct parts *parts)
{
    CK_TOKEN_INFO info;
    token_info(parts->token, &info);
    return info.flags;
}

static UNUSED CK_RV login(struct parts *parts, CK_USER_TYPE user, const char *pin)
{
    return session_login(parts->session, user, view_string(pin));
}

static UNUSED void initialise(struct parts *parts)
{
    assert_ok(token_initialise(parts->token, view_string("so-pin"), view_of(label, 32)));
    open_session(parts);
    assert_ok(login(parts, CKU_SO, "so-pin"));
    assert_ok(session_init_pin(parts->session, view_string("1234")));
    assert_ok(token_logout(parts->token));
}

static UNUSED CK_RV try_generate(struct parts *parts, CK_OBJECT_HANDLE *ret_public,
                                 CK_OBJECT_HANDLE *ret_private)
{
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static CK_BBOOL yes = CK_TRUE;
    static char name[] = "mine";
    static uint8_t id[] = {1, 2};
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, p256, sizeof(p256)},
                             {CKA_TOKEN, &yes, sizeof(yes)},
                             {CKA_VERIFY, &yes, sizeof(yes)},
                             {CKA_ID, id, sizeof(id)}};
    CK_ATTRIBUTE private[] = {{CKA_TOKEN, &yes, sizeof(yes)},
                              {CKA_SIGN, &yes, sizeof(yes)},
                              {CKA_LABEL, name, 4},
                              {CKA_ID, id, sizeof(id)}};
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    return manage_generate_pair(
        parts->session, &mechanism, (struct manage_template){public, ARRAY_SIZE(public)},
        (struct manage_template){private, ARRAY_SIZE(private)}, ret_public, ret_private);
}

static UNUSED void generate(struct parts *parts, CK_OBJECT_HANDLE *ret_public,
                            CK_OBJECT_HANDLE *ret_private)
{
    assert_ok(try_generate(parts, ret_public, ret_private));
}

static UNUSED CK_RV sign(struct parts *parts, CK_OBJECT_HANDLE key)
{
    uint8_t digest[32] = {1};
    uint8_t signature[64];
    CK_ULONG size = sizeof(signature);
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_RV rv = operation_begin(parts->session, OPERATION_SIGN, &mechanism, key);
    return rv != CKR_OK ? rv
                        : operation_once(parts->session, OPERATION_SIGN,
                                         view_of(digest, sizeof(digest)), signature, &size);
}

static UNUSED size_t count(struct parts *parts, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE handles[64];
    CK_ULONG found = 0;
    assert_ok(search_begin(parts->session, template, 1));
    assert_ok(search_next(parts->session, handles, 64, &found));
    search_end(&parts->session->search);
    return found;
}

/* Another module of the same configuration: what another process has. */
static UNUSED struct parts open_again(void)
{
    struct parts parts = {0};
    assert_ok(module_new("conf=c.conf", &parts.module));
    parts.token = module_token_at(parts.module, 0);
    assert_non_null(parts.token);
    open_session(&parts);
    return parts;
}

/* A connection of its own to the same TPM, for which it misbehaves: two with the same
 * words for it share one. */
static UNUSED struct parts open_apart(const char *schedule)
{
    char text[2 * PATH_MAX];
    struct parts parts = {0};
    write_file("faults", schedule);
    snprintf(text, sizeof(text),
             "[section]\ntoken directory = work\ntpm = %s,ek=off,faults=%s/faults\n",
             emulator_choice(), test_directory);
    write_file("apart.conf", text);
    assert_ok(module_new("conf=apart.conf", &parts.module));
    parts.token = module_token_at(parts.module, 0);
    assert_non_null(parts.token);
    open_session(&parts);
    return parts;
}

/* The token's objects as they are now. */
static UNUSED void look(struct parts *parts)
{
    (void)count(parts, CKO_DATA);
}

static UNUSED CK_RV create_data(struct parts *parts, const char *name, struct view value,
                                bool private, CK_OBJECT_HANDLE *ret_handle)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL yes = CK_TRUE, is_private = private;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_TOKEN, &yes, sizeof(yes)},
                               {CKA_PRIVATE, &is_private, sizeof(is_private)},
                               {CKA_LABEL, (void *)(uintptr_t)name, strlen(name)},
                               {CKA_VALUE, (void *)(uintptr_t)value.data, value.size}};
    return objects_create(parts->session, template, ARRAY_SIZE(template), ret_handle);
}

static UNUSED CK_RV set_label(struct parts *parts, CK_OBJECT_HANDLE handle, const char *text)
{
    CK_ATTRIBUTE template = {CKA_LABEL, (void *)(uintptr_t)text, strlen(text)};
    return objects_change(parts->session, handle, &template, 1);
}

/* One attribute; its size is in *ret_size. */
static UNUSED CK_RV read_one(struct parts *parts, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type,
                             char text[4096])
{
    CK_ATTRIBUTE template = {type, text, 4095};
    CK_RV rv = objects_read(parts->session, handle, &template, 1);
    text[rv == CKR_OK ? template.ulValueLen : 0] = 0;
    return rv;
}

static UNUSED void assert_attribute(struct parts *parts, CK_OBJECT_HANDLE handle,
                                    CK_ATTRIBUTE_TYPE type, const char *expected)
{
    char text[4096];
    assert_ok(read_one(parts, handle, type, text));
    assert_string_equal(text, expected);
}

/* The first object with this attribute, or CK_INVALID_HANDLE. */
static UNUSED CK_OBJECT_HANDLE find_by(struct parts *parts, CK_ATTRIBUTE_TYPE type,
                                       const char *text)
{
    CK_ATTRIBUTE template = {type, (void *)(uintptr_t)text, strlen(text)};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_ULONG found = 0;
    assert_ok(search_begin(parts->session, &template, 1));
    assert_ok(search_next(parts->session, &handle, 1, &found));
    search_end(&parts->session->search);
    return found ? handle : CK_INVALID_HANDLE;
}

/* Does the attribute stand among those that the process keeps? */
static UNUSED bool keeps(struct parts *parts, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < parts->token->object_count; i++)
        if (parts->token->objects[i]->handle == handle)
            return attributes_value(&parts->token->objects[i]->attributes, type).size != 0;
    return false;
}

static UNUSED void log_to_file(void)
{
    unlink("log");
    assert_true(log_open("log", LOG_LEVEL_INFO));
}

static UNUSED void assert_logged(const char *expected)
{
    log_close();
    struct bytes logged = read_file("log");
    assert_contains((const char *)logged.data, expected);
    bytes_free(&logged);
}

#define PATH_SIZE 128

/* The file that an object is in. */
static UNUSED void file_of(struct parts *parts, CK_OBJECT_HANDLE handle, char path[PATH_SIZE])
{
    const struct object *object = token_object(parts->token, handle);
    assert_non_null(object);
    const struct record *record = object->home;
    snprintf(path, PATH_SIZE, "work/%s", record->name);
}

/* Has the token's id in hexadecimal. */
static UNUSED void token_id(const struct parts *parts, char text[2 * VAULT_TOKEN_SIZE + 1])
{
    for (size_t i = 0; i < VAULT_TOKEN_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", parts->token->writable->file.id[i]);
}

#define in_own_directory(test)                                                                     \
    cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)

#endif
