/* Where objects may be made, and keys that are wrapped and unwrapped. */
#include "token/session/made.h"
#include "token/session/writable_support.h"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static struct parts begin(const char *more)
{
    struct parts parts = open_directory(more);
    initialise(&parts);
    return parts;
}

static CK_RV data_in(struct parts *parts, bool on_token, bool private)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL token = on_token, is_private = private;
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &token, 1}, {CKA_PRIVATE, &is_private, 1}};
    poison(handle);
    CK_RV rv = objects_create(parts->session, template, 3, &handle);
    if (rv != CKR_OK)
        assert_poison(handle);
    return rv;
}

/* PKCS#11 3.0, table 6: which sessions may make which objects. */
static void objects_are_made_where_the_session_may(UNUSED void **state)
{
    enum { PUBLIC_SESSION, PUBLIC_TOKEN, PRIVATE_SESSION, PRIVATE_TOKEN };
    static const struct {
        bool rw;
        enum token_login login;
        CK_RV expected[4];
    } rows[] = {
        {false,
         TOKEN_PUBLIC,
         {CKR_OK, CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN, CKR_USER_NOT_LOGGED_IN}},
        {true, TOKEN_PUBLIC, {CKR_OK, CKR_OK, CKR_USER_NOT_LOGGED_IN, CKR_USER_NOT_LOGGED_IN}},
        {false, TOKEN_USER, {CKR_OK, CKR_SESSION_READ_ONLY, CKR_OK, CKR_SESSION_READ_ONLY}},
        {true, TOKEN_USER, {CKR_OK, CKR_OK, CKR_OK, CKR_OK}},
        {true, TOKEN_SO, {CKR_OK, CKR_OK, CKR_USER_NOT_LOGGED_IN, CKR_USER_NOT_LOGGED_IN}},
    };
    struct parts parts = begin("");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].login != TOKEN_PUBLIC)
            assert_ok(login(&parts, rows[i].login == TOKEN_SO ? CKU_SO : CKU_USER,
                            rows[i].login == TOKEN_SO ? "so-pin" : "1234"));
        parts.session->rw = rows[i].rw;
        assert_rv(data_in(&parts, false, false), rows[i].expected[PUBLIC_SESSION]);
        assert_rv(data_in(&parts, true, false), rows[i].expected[PUBLIC_TOKEN]);
        assert_rv(data_in(&parts, false, true), rows[i].expected[PRIVATE_SESSION]);
        assert_rv(data_in(&parts, true, true), rows[i].expected[PRIVATE_TOKEN]);
        parts.session->rw = true;
        if (rows[i].login != TOKEN_PUBLIC)
            assert_ok(token_logout(parts.token));
    }
    close_parts(&parts);
}

/* Root may write everywhere; nobody may not. */
static void a_read_only_directory_takes_no_object(UNUSED void **state)
{
    struct parts parts = begin("");
    bool root = geteuid() == 0;
    assert_ok(login(&parts, CKU_USER, "1234"));
    run("chmod 755 .; chmod 555 work; chmod 644 work/*");
    if (root)
        assert_int_equal(seteuid(65534), 0);
    CK_RV rv = data_in(&parts, true, false);
    CK_FLAGS flags = flags_of(&parts);
    if (root)
        assert_int_equal(seteuid(0), 0);
    run("chmod 700 work");
    assert_rv(rv, CKR_TOKEN_WRITE_PROTECTED);
    assert_true(flags & CKF_WRITE_PROTECTED);
    assert_ok(data_in(&parts, true, false));
    close_parts(&parts);
}

static CK_RV generate_pair(struct parts *parts, CK_ATTRIBUTE *private, CK_ULONG count,
                           CK_OBJECT_HANDLE handles[2])
{
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, p256, sizeof(p256)}, {CKA_TOKEN, &yes, 1}};
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    return manage_generate_pair(parts->session, &mechanism, (struct manage_template){public, 2},
                                (struct manage_template){private, count}, &handles[0], &handles[1]);
}

static void a_key_that_can_leave_wants_sealing(UNUSED void **state)
{
    CK_ATTRIBUTE extractable[] = {{CKA_TOKEN, &yes, 1}, {CKA_EXTRACTABLE, &yes, 1}};
    CK_ATTRIBUTE readable[] = {{CKA_TOKEN, &yes, 1}, {CKA_SENSITIVE, &no, 1}};
    CK_OBJECT_HANDLE handles[2];
    struct parts parts = begin("");
    assert_ok(login(&parts, CKU_USER, "1234"));
    poison(handles);
    log_to_file();
    assert_rv(generate_pair(&parts, extractable, 2, handles), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(generate_pair(&parts, readable, 2, handles), CKR_TEMPLATE_INCONSISTENT);
    assert_logged("sealed keys = yes");
    assert_poison(handles);
    look(&parts);
    assert_int_equal(parts.token->object_count, 1);
    close_parts(&parts);
    parts = open_directory("sealed keys = yes");
    open_session(&parts);
    assert_ok(login(&parts, CKU_USER, "1234"));
    assert_ok(generate_pair(&parts, extractable, 2, handles));
    close_parts(&parts);
}

static CK_OBJECT_HANDLE make_secret(struct parts *parts, CK_ATTRIBUTE *more, CK_ULONG count)
{
    static CK_ULONG size = 16;
    CK_ATTRIBUTE template[16] = {{CKA_VALUE_LEN, &size, sizeof(size)}, {CKA_TOKEN, &yes, 1}};
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    memcpy(template + 2, more, count * sizeof(*more));
    assert_ok(manage_generate(parts->session, &mechanism, template, 2 + count, &handle));
    return handle;
}

static CK_RV wrap(struct parts *parts, CK_OBJECT_HANDLE wrapper, CK_OBJECT_HANDLE key, uint8_t *out,
                  CK_ULONG *size)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_KWP, NULL, 0};
    return manage_wrap(parts->session, &mechanism, wrapper, key, out, size);
}

static CK_RV unwrap(struct parts *parts, CK_OBJECT_HANDLE wrapper, struct view wrapped,
                    CK_OBJECT_CLASS class, CK_KEY_TYPE type, CK_OBJECT_HANDLE *ret_handle)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_KWP, NULL, 0};
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_KEY_TYPE, &type, sizeof(type)},
                               {CKA_TOKEN, &no, 1},
                               {CKA_SENSITIVE, &no, 1},
                               {CKA_EXTRACTABLE, &yes, 1}};
    poison(*ret_handle);
    CK_RV rv = manage_unwrap(parts->session, &mechanism, wrapper, wrapped,
                             (struct manage_template){template, 5}, ret_handle);
    if (rv != CKR_OK)
        assert_poison(*ret_handle);
    return rv;
}

static void wrapping_obeys_what_the_keys_say(UNUSED void **state)
{
    CK_ATTRIBUTE wraps[] = {{CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}};
    CK_ATTRIBUTE free_key[] = {{CKA_EXTRACTABLE, &yes, 1}, {CKA_SENSITIVE, &yes, 1}};
    CK_ATTRIBUTE fixed[] = {{CKA_EXTRACTABLE, &no, 1}};
    CK_ATTRIBUTE careful[] = {{CKA_EXTRACTABLE, &yes, 1}, {CKA_WRAP_WITH_TRUSTED, &yes, 1}};
    CK_ATTRIBUTE trusted = {CKA_TRUSTED, &yes, 1};
    uint8_t out[512];
    CK_ULONG size = sizeof(out);
    struct parts parts = begin("");
    assert_ok(login(&parts, CKU_USER, "1234"));
    CK_OBJECT_HANDLE wrapper = make_secret(&parts, wraps, 2);
    CK_OBJECT_HANDLE idle = make_secret(&parts, free_key, 2);
    assert_rv(wrap(&parts, wrapper, make_secret(&parts, fixed, 1), out, &size),
              CKR_KEY_UNEXTRACTABLE);
    assert_rv(wrap(&parts, idle, idle, out, &size), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(wrap(&parts, wrapper, 9999, out, &size), CKR_KEY_HANDLE_INVALID);
    assert_rv(wrap(&parts, 9999, idle, out, &size), CKR_WRAPPING_KEY_HANDLE_INVALID);
    assert_rv(wrap(&parts, wrapper, make_secret(&parts, careful, 2), out, &size),
              CKR_KEY_NOT_WRAPPABLE);
    assert_rv(objects_change(parts.session, wrapper, &trusted, 1), CKR_ATTRIBUTE_READ_ONLY);
    assert_ok(wrap(&parts, wrapper, idle, NULL, &size));
    CK_ULONG needed = size--;
    assert_rv(wrap(&parts, wrapper, idle, out, &size), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, needed);
    assert_ok(wrap(&parts, wrapper, idle, out, &size));
    assert_int_equal(size, needed);
    assert_ok(token_logout(parts.token));
    size = sizeof(out);
    assert_rv(wrap(&parts, wrapper, idle, out, &size), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(size, sizeof(out));
    close_parts(&parts);
}

static void unwrapping_gives_what_was_promised_or_nothing(UNUSED void **state)
{
    CK_ATTRIBUTE wraps[] = {{CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}};
    CK_ATTRIBUTE free_key[] = {{CKA_EXTRACTABLE, &yes, 1}, {CKA_SENSITIVE, &no, 1}};
    char values[2][4096];
    uint8_t out[512];
    CK_ULONG size = sizeof(out);
    CK_OBJECT_HANDLE back, pair[2];
    struct parts parts = begin("sealed keys = yes");
    assert_ok(login(&parts, CKU_USER, "1234"));
    CK_OBJECT_HANDLE wrapper = make_secret(&parts, wraps, 2);
    CK_OBJECT_HANDLE key = make_secret(&parts, free_key, 2);
    assert_ok(wrap(&parts, wrapper, key, out, &size));
    struct view wrapped = view_of(out, size);
    assert_ok(unwrap(&parts, wrapper, wrapped, CKO_SECRET_KEY, CKK_AES, &back));
    assert_ok(read_one(&parts, key, CKA_VALUE, values[0]));
    assert_ok(read_one(&parts, back, CKA_VALUE, values[1]));
    assert_memory_equal(values[0], values[1], 16);
    assert_rv(unwrap(&parts, wrapper, wrapped, CKO_PRIVATE_KEY, CKK_EC, &back),
              CKR_WRAPPED_KEY_INVALID);
    assert_rv(unwrap(&parts, wrapper, wrapped, CKO_PUBLIC_KEY, CKK_EC, &back),
              CKR_TEMPLATE_INCONSISTENT);
    assert_rv(unwrap(&parts, wrapper, view_of(out, size - 8), CKO_SECRET_KEY, CKK_AES, &back),
              CKR_WRAPPED_KEY_INVALID);
    CK_ATTRIBUTE private[] = {
        {CKA_TOKEN, &yes, 1}, {CKA_EXTRACTABLE, &yes, 1}, {CKA_SENSITIVE, &no, 1}};
    assert_ok(generate_pair(&parts, private, 3, pair));
    size = sizeof(out);
    assert_ok(wrap(&parts, wrapper, pair[1], out, &size));
    wrapped = view_of(out, size);
    assert_rv(unwrap(&parts, wrapper, wrapped, CKO_PRIVATE_KEY, CKK_RSA, &back),
              CKR_TEMPLATE_INCONSISTENT);
    assert_rv(unwrap(&parts, wrapper, wrapped, CKO_SECRET_KEY, CKK_AES, &back),
              CKR_WRAPPED_KEY_LEN_RANGE);
    assert_ok(unwrap(&parts, wrapper, wrapped, CKO_PRIVATE_KEY, CKK_EC, &back));
    assert_ok(read_one(&parts, pair[1], CKA_VALUE, values[0]));
    assert_ok(read_one(&parts, back, CKA_VALUE, values[1]));
    assert_memory_equal(values[0], values[1], 32);
    close_parts(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(objects_are_made_where_the_session_may),
        in_own_directory(a_read_only_directory_takes_no_object),
        in_own_directory(a_key_that_can_leave_wants_sealing),
        in_own_directory(wrapping_obeys_what_the_keys_say),
        in_own_directory(unwrapping_gives_what_was_promised_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
