/* Who can write a token directory's files, but has no PIN, waits for the user to log in. */
#include "token/session/writable_support.h"

static struct parts begin(const char *more)
{
    struct parts parts = open_directory(more);
    initialise(&parts);
    assert_ok(login(&parts, CKU_USER, "1234"));
    return parts;
}

static CK_OBJECT_HANDLE make_secret(struct parts *parts, CK_BBOOL sensitive, CK_BBOOL extractable)
{
    static uint8_t value[16] = {0xa5, 0xa5};
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE;
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_KEY_TYPE, &type, sizeof(type)},
                               {CKA_TOKEN, &yes, 1},
                               {CKA_SENSITIVE, &sensitive, 1},
                               {CKA_EXTRACTABLE, &extractable, 1},
                               {CKA_ENCRYPT, &yes, 1},
                               {CKA_VALUE, value, sizeof(value)}};
    assert_ok(objects_create(parts->session, template, ARRAY_SIZE(template), &handle));
    return handle;
}

/* A private key that the TPM does not hold. */
static CK_OBJECT_HANDLE make_sealed(struct parts *parts, CK_BBOOL sensitive, CK_BBOOL extractable,
                                    CK_BBOOL always)
{
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, p256, sizeof(p256)}};
    CK_ATTRIBUTE private[] = {{CKA_TOKEN, &yes, 1},
                              {CKA_SIGN, &yes, 1},
                              {CKA_SENSITIVE, &sensitive, 1},
                              {CKA_EXTRACTABLE, &extractable, 1},
                              {CKA_ALWAYS_AUTHENTICATE, &always, 1}};
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE handles[2];
    assert_ok(manage_generate_pair(parts->session, &mechanism, (struct manage_template){public, 1},
                                   (struct manage_template){private, ARRAY_SIZE(private)},
                                   &handles[0], &handles[1]));
    return handles[1];
}

static CK_RV encrypt(struct parts *parts, CK_OBJECT_HANDLE key)
{
    uint8_t block[16] = {0}, out[16];
    CK_ULONG size = sizeof(out);
    CK_MECHANISM mechanism = {CKM_AES_ECB, NULL, 0};
    CK_RV rv = operation_begin(parts->session, OPERATION_ENCRYPT, &mechanism, key);
    return rv != CKR_OK ? rv
                        : operation_once(parts->session, OPERATION_ENCRYPT,
                                         view_of(block, sizeof(block)), out, &size);
}

static CK_RV use(struct parts *parts, CK_OBJECT_HANDLE key)
{
    const struct object *object = token_object(parts->token, key);
    assert_non_null(object);
    return object_class(object) == CKO_SECRET_KEY ? encrypt(parts, key) : sign(parts, key);
}

static CK_RV set_flag(struct parts *parts, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type,
                      CK_BBOOL value)
{
    CK_ATTRIBUTE template = {type, &value, sizeof(value)};
    return objects_change(parts->session, key, &template, 1);
}

/* Edits the first group of the object's file, and looks. */
static void edit(struct parts *parts, CK_OBJECT_HANDLE handle, const char *script)
{
    char path[PATH_MAX], command[4 * PATH_MAX];
    file_of(parts, handle, path);
    snprintf(command, sizeof(command), "cp '%s' before; sed -i '%s' '%s'; ! cmp -s before '%s'",
             path, script, path, path);
    run(command);
    look(parts);
}

static void undo(struct parts *parts, CK_OBJECT_HANDLE handle)
{
    char path[PATH_MAX], command[4 * PATH_MAX];
    file_of(parts, handle, path);
    snprintf(command, sizeof(command), "cp before '%s'", path);
    run(command);
    look(parts);
}

static const char *const loosenings[] = {
    "s/^sensitive = true/sensitive = false/",
    "s/^extractable = false/extractable = true/",
    "s/^sensitive = true/sensitive = false/;s/^extractable = false/extractable = true/",
    "/^always sensitive/{s/true/@/;s/false/true/;s/@/false/}",
    "/^never extractable/{s/true/@/;s/false/true/;s/@/false/}",
};

static void assert_not_loosened(struct parts *parts, CK_OBJECT_HANDLE key)
{
    char text[4096];
    assert_ok(use(parts, key));
    for (size_t i = 0; i < ARRAY_SIZE(loosenings); i++) {
        edit(parts, key, loosenings[i]);
        log_to_file();
        assert_rv(use(parts, key), CKR_DEVICE_ERROR);
        assert_logged("its file was changed by hand");
        assert_int_not_equal(read_one(parts, key, CKA_VALUE, text), CKR_OK);
        assert_false(keeps(parts, key, CKA_VALUE));
        undo(parts, key);
        assert_ok(use(parts, key));
    }
}

static void a_file_that_loosens_a_secret_key_is_refused(UNUSED void **state)
{
    struct parts parts = begin("");
    CK_OBJECT_HANDLE key = make_secret(&parts, CK_TRUE, CK_FALSE);
    assert_not_loosened(&parts, key);
    edit(&parts, key,
         "s/^key type = aes/key type = \"generic secret\"/;s/^key type = .*/key type "
         "= 0x10/");
    assert_int_not_equal(use(&parts, key), CKR_OK);
    close_parts(&parts);
}

static void a_file_that_loosens_a_sealed_key_is_refused(UNUSED void **state)
{
    struct parts parts = begin("sealed keys = yes");
    CK_OBJECT_HANDLE key = make_sealed(&parts, CK_TRUE, CK_TRUE, CK_FALSE);
    assert_ok(set_flag(&parts, key, CKA_EXTRACTABLE, CK_FALSE));
    assert_not_loosened(&parts, key);
    close_parts(&parts);
}

/* The index beside the files is no more trusted than they are. */
static void what_the_index_says_loosens_nothing(UNUSED void **state)
{
    char text[4096];
    struct parts parts = begin("");
    CK_OBJECT_HANDLE key = make_secret(&parts, CK_TRUE, CK_FALSE);
    struct object *object = token_object(parts.token, key);
    assert_ok(attributes_set_bool(&object->attributes, CKA_SENSITIVE, false));
    assert_ok(attributes_set_bool(&object->attributes, CKA_EXTRACTABLE, true));
    assert_rv(read_one(&parts, key, CKA_VALUE, text), CKR_DEVICE_ERROR);
    close_parts(&parts);
}

/* Protection that the user adds is bound at once, and an application that changes
 * something else does not do the attacker's work. */
static void what_was_protected_stays_so(UNUSED void **state)
{
    char text[4096];
    struct parts parts = begin("sealed keys = yes");
    CK_OBJECT_HANDLE keys[] = {make_secret(&parts, CK_FALSE, CK_TRUE),
                               make_sealed(&parts, CK_FALSE, CK_TRUE, CK_FALSE)};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        assert_ok(read_one(&parts, keys[i], CKA_VALUE, text));
        assert_ok(set_flag(&parts, keys[i], CKA_WRAP_WITH_TRUSTED, CK_TRUE));
        assert_ok(use(&parts, keys[i]));
        edit(&parts, keys[i], "s/^wrap with trusted = true/wrap with trusted = false/");
        assert_rv(use(&parts, keys[i]), CKR_DEVICE_ERROR);
        undo(&parts, keys[i]);
        assert_ok(set_flag(&parts, keys[i], CKA_SENSITIVE, CK_TRUE));
        assert_ok(set_flag(&parts, keys[i], CKA_EXTRACTABLE, CK_FALSE));
        assert_ok(use(&parts, keys[i]));
        assert_rv(read_one(&parts, keys[i], CKA_VALUE, text), CKR_ATTRIBUTE_SENSITIVE);
        edit(&parts, keys[i], loosenings[2]);
        assert_ok(set_label(&parts, keys[i], "changed"));
        assert_rv(set_flag(&parts, keys[i], CKA_SENSITIVE, CK_TRUE), CKR_DEVICE_ERROR);
        assert_rv(read_one(&parts, keys[i], CKA_VALUE, text), CKR_DEVICE_ERROR);
    }
    close_parts(&parts);
}

static void who_adds_protection_has_to_be_logged_in(UNUSED void **state)
{
    struct parts parts = begin("");
    CK_OBJECT_HANDLE key = make_secret(&parts, CK_FALSE, CK_TRUE);
    edit(&parts, key, "s/^private = true/private = false/");
    assert_ok(encrypt(&parts, key));
    assert_ok(token_logout(parts.token));
    look(&parts);
    assert_rv(encrypt(&parts, key), CKR_USER_NOT_LOGGED_IN);
    assert_rv(set_flag(&parts, key, CKA_EXTRACTABLE, CK_FALSE), CKR_USER_NOT_LOGGED_IN);
    assert_ok(login(&parts, CKU_USER, "1234"));
    assert_ok(set_flag(&parts, key, CKA_EXTRACTABLE, CK_FALSE));
    assert_ok(encrypt(&parts, key));
    close_parts(&parts);
}

/* A copy may be protected better than what it was made of; both work from their files. */
static void a_stricter_copy_is_bound_for_itself(UNUSED void **state)
{
    char text[4096];
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = {{CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}};
    struct parts parts = begin("sealed keys = yes");
    CK_OBJECT_HANDLE keys[] = {make_secret(&parts, CK_FALSE, CK_TRUE),
                               make_sealed(&parts, CK_FALSE, CK_TRUE, CK_FALSE)};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        CK_OBJECT_HANDLE copy;
        assert_ok(use(&parts, keys[i]));
        assert_ok(objects_copy(parts.session, keys[i], template, 2, &copy));
        assert_ok(use(&parts, copy));
        assert_rv(read_one(&parts, copy, CKA_VALUE, text), CKR_ATTRIBUTE_SENSITIVE);
        assert_ok(read_one(&parts, keys[i], CKA_VALUE, text));
        edit(&parts, copy, loosenings[2]);
        assert_rv(use(&parts, copy), CKR_DEVICE_ERROR);
    }
    close_parts(&parts);
}

static void a_key_in_the_tpm_can_be_copied_and_changed(UNUSED void **state)
{
    struct parts parts = begin("");
    CK_OBJECT_HANDLE public_key, private_key, copy;
    generate(&parts, &public_key, &private_key);
    assert_ok(objects_copy(parts.session, private_key, NULL, 0, &copy));
    assert_ok(set_flag(&parts, copy, CKA_WRAP_WITH_TRUSTED, CK_TRUE));
    assert_ok(set_flag(&parts, private_key, CKA_SENSITIVE, CK_TRUE));
    assert_ok(sign(&parts, copy));
    assert_ok(sign(&parts, private_key));
    close_parts(&parts);
}

/* The user wants to be asked each time; for a key in the TPM that is refused there. */
static void asking_each_time_cannot_be_edited_away(UNUSED void **state)
{
    struct parts parts = begin("sealed keys = yes");
    CK_OBJECT_HANDLE keys[] = {make_sealed(&parts, CK_TRUE, CK_FALSE, CK_TRUE),
                               make_sealed(&parts, CK_TRUE, CK_TRUE, CK_TRUE)};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        edit(&parts, keys[i], "s/^always authenticate = true/always authenticate = false/");
        assert_rv(sign(&parts, keys[i]), CKR_DEVICE_ERROR);
    }
    close_parts(&parts);
}

/* Else the next change would write the value in the clear. */
static void private_data_does_not_become_public(UNUSED void **state)
{
    CK_OBJECT_HANDLE data;
    struct parts parts = begin("");
    assert_ok(create_data(&parts, "d", view_string("the secret value"), true, &data));
    log_to_file();
    edit(&parts, data, "s/^private = true/private = false/");
    assert_logged("'encrypted value' is for private data alone");
    assert_int_equal(count(&parts, CKO_DATA), 0);
    assert_rv(set_label(&parts, data, "changed"), CKR_OBJECT_HANDLE_INVALID);
    close_parts(&parts);
}

/* A token without PIN of the same name, with a secret that the attacker knows. */
static void plant_open_token(const char *section)
{
    struct parts parts = open_directory("pin = none");
    assert_ok(token_initialise(parts.token, (struct view){0}, view_of(label, 32)));
    close_parts(&parts);
    char command[256];
    snprintf(command, sizeof(command), "sed -i 's/^\\[user\\]/[%s]/' work/token", section);
    run(command);
}

static void a_token_without_pin_is_refused_where_one_is_required(UNUSED void **state)
{
    plant_open_token("user");
    struct parts parts = open_directory("pin = required");
    log_to_file();
    open_session(&parts);
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_DEVICE_ERROR);
    assert_rv(login(&parts, CKU_SO, "1234"), CKR_DEVICE_ERROR);
    assert_logged("the configuration 'pin = required'");
    close_parts(&parts);
    parts = open_directory("");
    open_session(&parts);
    assert_ok(login(&parts, CKU_USER, "1234"));
    close_parts(&parts);
}

static void it_is_refused_when_it_takes_the_place_of_one_in_use(UNUSED void **state)
{
    CK_OBJECT_HANDLE public_key, private_key, data;
    struct parts parts = open_directory("pin = none");
    assert_ok(token_initialise(parts.token, (struct view){0}, view_of(label, 32)));
    close_parts(&parts);
    run("mv work planted");
    parts = begin("pin = required");
    generate(&parts, &public_key, &private_key);
    run("cp planted/token work/token");
    assert_rv(create_data(&parts, "d", view_string("v"), true, &data), CKR_TOKEN_WRITE_PROTECTED);
    assert_rv(session_set_pin(parts.session, view_string("1234"), view_string("4321")),
              CKR_DEVICE_ERROR);
    assert_ok(token_logout(parts.token));
    assert_rv(login(&parts, CKU_USER, "1234"), CKR_DEVICE_ERROR);
    run("cmp planted/token work/token");
    close_parts(&parts);
}

/* The user's alone can be without PIN. */
static void no_other_seal_can_be_open(UNUSED void **state)
{
    static const char *const sections[] = {"so", "user pending", "so pending"};
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        run("rm -rf work");
        plant_open_token(sections[i]);
        struct parts parts = open_directory("");
        log_to_file();
        open_session(&parts);
        assert_rv(login(&parts, CKU_SO, "1234"), CKR_DEVICE_ERROR);
        assert_rv(login(&parts, CKU_USER, "1234"), CKR_DEVICE_ERROR);
        assert_logged("'pin' of [");
        close_parts(&parts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(a_file_that_loosens_a_secret_key_is_refused),
        in_own_directory(a_file_that_loosens_a_sealed_key_is_refused),
        in_own_directory(what_the_index_says_loosens_nothing),
        in_own_directory(what_was_protected_stays_so),
        in_own_directory(who_adds_protection_has_to_be_logged_in),
        in_own_directory(a_stricter_copy_is_bound_for_itself),
        in_own_directory(a_key_in_the_tpm_can_be_copied_and_changed),
        in_own_directory(asking_each_time_cannot_be_edited_away),
        in_own_directory(private_data_does_not_become_public),
        in_own_directory(a_token_without_pin_is_refused_where_one_is_required),
        in_own_directory(it_is_refused_when_it_takes_the_place_of_one_in_use),
        in_own_directory(no_other_seal_can_be_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
