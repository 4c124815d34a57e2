/* Token objects that change: in this process, in another, by hand. */
#include "token/session/writable_support.h"

static struct parts begin(const char *more)
{
    struct parts parts = open_directory(more);
    initialise(&parts);
    assert_ok(login(&parts, CKU_USER, "1234"));
    return parts;
}

static CK_OBJECT_HANDLE make_data(struct parts *parts, const char *name, const char *value,
                                  bool private)
{
    CK_OBJECT_HANDLE handle;
    assert_ok(create_data(parts, name, view_string(value), private, &handle));
    return handle;
}

static void neither_of_two_processes_loses_the_others_change(UNUSED void **state)
{
    static uint8_t id[] = {9};
    struct parts one = begin("");
    CK_OBJECT_HANDLE public_key, private_key;
    generate(&one, &public_key, &private_key);
    struct parts two = open_again();
    assert_ok(login(&two, CKU_USER, "1234"));
    look(&two);
    CK_OBJECT_HANDLE there = find_class(two.token, CKO_PRIVATE_KEY);
    CK_ATTRIBUTE template = {CKA_ID, id, sizeof(id)};
    assert_ok(set_label(&one, private_key, "first"));
    assert_ok(objects_change(two.session, there, &template, 1));
    assert_ok(set_label(&one, public_key, "second"));
    look(&one);
    look(&two);
    assert_attribute(&one, private_key, CKA_LABEL, "first");
    assert_attribute(&one, private_key, CKA_ID, "\x09");
    assert_attribute(&two, there, CKA_LABEL, "first");
    assert_attribute(&two, find_class(two.token, CKO_PUBLIC_KEY), CKA_LABEL, "second");
    assert_ok(sign(&one, private_key));
    assert_ok(sign(&two, there));
    close_parts(&two);
    close_parts(&one);
}

static void what_another_process_removed_is_gone(UNUSED void **state)
{
    struct parts one = begin("");
    CK_OBJECT_HANDLE here = make_data(&one, "d", "value", true);
    CK_OBJECT_HANDLE key[2];
    generate(&one, &key[0], &key[1]);
    struct parts two = open_again();
    assert_ok(login(&two, CKU_USER, "1234"));
    look(&two);
    assert_ok(objects_destroy(two.session, find_class(two.token, CKO_DATA)));
    assert_ok(objects_destroy(two.session, find_class(two.token, CKO_PRIVATE_KEY)));
    assert_rv(set_label(&one, here, "new"), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(objects_destroy(one.session, here), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(objects_destroy(one.session, key[1]), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(objects_destroy(one.session, key[0]));
    assert_int_equal(one.token->object_count, 1);
    close_parts(&two);
    close_parts(&one);
}

static void private_data_is_encrypted_and_comes_back(UNUSED void **state)
{
    static char changed[] = "another secret value";
    char path[PATH_SIZE];
    struct parts parts = begin("");
    CK_OBJECT_HANDLE data = make_data(&parts, "d", "the secret value", true);
    CK_ATTRIBUTE template = {CKA_VALUE, changed, strlen(changed)};
    file_of(&parts, data, path);
    assert_attribute(&parts, data, CKA_VALUE, "the secret value");
    struct bytes before = read_file(path);
    assert_null(strstr((char *)before.data, "secret value"));
    assert_ok(objects_change(parts.session, data, &template, 1));
    struct bytes after = read_file(path);
    assert_null(strstr((char *)after.data, "secret value"));
    assert_string_not_equal((char *)before.data, (char *)after.data);
    assert_attribute(&parts, data, CKA_VALUE, changed);
    assert_ok(set_label(&parts, data, "renamed"));
    assert_attribute(&parts, data, CKA_VALUE, changed);
    assert_true(keeps(&parts, data, CKA_VALUE));
    assert_ok(token_logout(parts.token));
    assert_false(keeps(&parts, data, CKA_VALUE));
    bytes_free(&before);
    bytes_free(&after);
    close_parts(&parts);
}

/* A person may put the groups of several files into one. */
static void merge(const char *from, const char *into)
{
    char command[2 * PATH_SIZE + 256];
    snprintf(command, sizeof(command), "sed 1,2d '%s' >> '%s' && rm '%s'", from, into, from);
    run(command);
}

static void a_change_leaves_the_private_values_beside_it_alone(UNUSED void **state)
{
    char paths[2][PATH_SIZE];
    struct parts parts = begin("");
    CK_OBJECT_HANDLE secret = make_data(&parts, "secret", "hidden", true);
    CK_OBJECT_HANDLE public = make_data(&parts, "public", "shown", false);
    file_of(&parts, secret, paths[0]);
    file_of(&parts, public, paths[1]);
    merge(paths[0], paths[1]);
    look(&parts);
    assert_ok(set_label(&parts, public, "changed"));
    assert_attribute(&parts, find_by(&parts, CKA_LABEL, "secret"), CKA_VALUE, "hidden");
    /* Nobody needs to log in to change what is public. */
    assert_ok(token_logout(parts.token));
    assert_ok(set_label(&parts, public, "again"));
    assert_ok(objects_destroy(parts.session, public));
    assert_ok(login(&parts, CKU_USER, "1234"));
    assert_attribute(&parts, find_by(&parts, CKA_LABEL, "secret"), CKA_VALUE, "hidden");
    close_parts(&parts);
}

/* Nothing that is written may turn out to be unreadable. */
static void the_largest_private_value_can_be_read_back(UNUSED void **state)
{
    struct bytes value CLEANUP(bytes_free) = {0};
    struct bytes back CLEANUP(bytes_free) = {0};
    struct parts parts = begin("");
    CK_OBJECT_HANDLE data = CK_INVALID_HANDLE;
    assert_ok(bytes_alloc(&value, ATTRIBUTE_MAX_SIZE));
    assert_ok(bytes_alloc(&back, ATTRIBUTE_MAX_SIZE));
    memset(value.data, 0xee, value.size);
    CK_RV rv = create_data(&parts, "d", bytes_view(&value), true, &data);
    if (rv != CKR_OK) {
        assert_rv(rv, CKR_ATTRIBUTE_VALUE_INVALID);
        assert_int_equal(parts.token->object_count, 1);
        assert_ok(create_data(&parts, "d", view_of(value.data, value.size - 64), true, &data));
        back.size -= 64;
    }
    CK_ATTRIBUTE template = {CKA_VALUE, back.data, back.size};
    assert_ok(objects_read(parts.session, data, &template, 1));
    assert_memory_equal(back.data, value.data, back.size);
    close_parts(&parts);
}

static void openssl_reads_the_half_of_a_pair_that_is_left(UNUSED void **state)
{
    char path[PATH_SIZE];
    char command[2 * PATH_SIZE + 256];
    struct parts parts = begin("");
    CK_OBJECT_HANDLE public_key, private_key;
    generate(&parts, &public_key, &private_key);
    file_of(&parts, private_key, path);
    assert_ok(objects_destroy(parts.session, private_key));
    snprintf(command, sizeof(command), "openssl pkey -pubin -noout -in '%s'", path);
    run(command);
    generate(&parts, &public_key, &private_key);
    assert_ok(objects_destroy(parts.session, public_key));
    assert_ok(sign(&parts, private_key));
    close_parts(&parts);
    parts = open_again();
    assert_ok(login(&parts, CKU_USER, "1234"));
    look(&parts);
    assert_int_equal(count(&parts, CKO_PUBLIC_KEY), 1);
    assert_ok(sign(&parts, find_class(parts.token, CKO_PRIVATE_KEY)));
    close_parts(&parts);
}

/* Each public half stays that of its own private one, in whatever order they stand. */
static void two_pairs_in_one_file_stay_apart(UNUSED void **state)
{
    static const CK_ATTRIBUTE_TYPE point = CKA_EC_POINT;
    char paths[2][PATH_SIZE], points[2][4096];
    CK_OBJECT_HANDLE public_key[2], private_key[2];
    struct parts parts = begin("");
    for (size_t i = 0; i < 2; i++) {
        generate(&parts, &public_key[i], &private_key[i]);
        file_of(&parts, private_key[i], paths[i]);
        assert_ok(set_label(&parts, public_key[i], i ? "b" : "a"));
        assert_ok(read_one(&parts, public_key[i], point, points[i]));
    }
    merge(paths[0], paths[1]);
    look(&parts);
    assert_ok(set_label(&parts, private_key[1], "changed"));
    close_parts(&parts);
    parts = open_again();
    assert_attribute(&parts, find_by(&parts, CKA_LABEL, "a"), point, points[0]);
    assert_attribute(&parts, find_by(&parts, CKA_LABEL, "b"), point, points[1]);
    close_parts(&parts);
}

/* A private value that its file does not give. */
static CK_OBJECT_HANDLE make_damaged(struct parts *parts)
{
    char path[PATH_SIZE], command[2 * PATH_SIZE + 256];
    CK_OBJECT_HANDLE data = make_data(parts, "damaged", "v", true);
    file_of(parts, data, path);
    snprintf(command, sizeof(command),
             "sed -i 's/^encrypted value = .*/encrypted value = %s/' '%s'",
             "hex:000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f", path);
    run(command);
    look(parts);
    return find_by(parts, CKA_LABEL, "damaged");
}

static void a_damaged_value_spoils_no_search_and_no_other_attribute(UNUSED void **state)
{
    char text[4096];
    struct parts parts = begin("");
    CK_OBJECT_HANDLE damaged = make_damaged(&parts);
    CK_OBJECT_HANDLE good = make_data(&parts, "good", "wanted", true);
    assert_int_equal(find_by(&parts, CKA_VALUE, "wanted"), good);
    assert_attribute(&parts, damaged, CKA_LABEL, "damaged");
    log_to_file();
    assert_rv(read_one(&parts, damaged, CKA_VALUE, text), CKR_DEVICE_ERROR);
    assert_logged("cannot be decrypted");
    close_parts(&parts);
}

static void values_are_found_where_nobody_logs_in(UNUSED void **state)
{
    struct parts parts = open_directory("pin = none");
    assert_ok(token_initialise(parts.token, (struct view){0}, view_of(label, 32)));
    open_session(&parts);
    CK_OBJECT_HANDLE data = make_data(&parts, "d", "wanted", true);
    assert_int_equal(find_by(&parts, CKA_VALUE, "wanted"), data);
    close_parts(&parts);
}

/* A readable private key, which the module keeps encrypted. */
static CK_OBJECT_HANDLE make_readable_key(struct parts *parts, bool private)
{
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE, is_private = private;
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, p256, sizeof(p256)}};
    CK_ATTRIBUTE secret[] = {{CKA_TOKEN, &yes, 1},
                             {CKA_PRIVATE, &is_private, 1},
                             {CKA_SENSITIVE, &no, 1},
                             {CKA_EXTRACTABLE, &yes, 1}};
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE handles[2];
    assert_ok(manage_generate_pair(parts->session, &mechanism, (struct manage_template){public, 1},
                                   (struct manage_template){secret, ARRAY_SIZE(secret)},
                                   &handles[0], &handles[1]));
    return handles[1];
}

static void copies_of_readable_keys_forget_them_at_logout(UNUSED void **state)
{
    char text[4096];
    struct parts parts = begin("sealed keys = yes");
    CK_OBJECT_HANDLE key = make_readable_key(&parts, false), copy;
    assert_ok(read_one(&parts, key, CKA_VALUE, text));
    assert_ok(objects_copy(parts.session, key, NULL, 0, &copy));
    assert_ok(token_logout(parts.token));
    assert_false(keeps(&parts, key, CKA_VALUE));
    assert_false(keeps(&parts, copy, CKA_VALUE));
    assert_rv(read_one(&parts, copy, CKA_VALUE, text), CKR_ATTRIBUTE_TYPE_INVALID);
    assert_ok(login(&parts, CKU_USER, "1234"));
    assert_ok(read_one(&parts, copy, CKA_VALUE, text));
    close_parts(&parts);
}

static void a_sensitive_copy_keeps_no_value(UNUSED void **state)
{
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = {{CKA_SENSITIVE, &yes, 1}, {CKA_TOKEN, &no, 1}};
    struct parts parts = begin("sealed keys = yes");
    CK_OBJECT_HANDLE key = make_readable_key(&parts, true), copy;
    assert_ok(objects_copy(parts.session, key, template, 2, &copy));
    assert_false(keeps(&parts, copy, CKA_VALUE));
    close_parts(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_directory(neither_of_two_processes_loses_the_others_change),
        in_own_directory(what_another_process_removed_is_gone),
        in_own_directory(private_data_is_encrypted_and_comes_back),
        in_own_directory(a_change_leaves_the_private_values_beside_it_alone),
        in_own_directory(the_largest_private_value_can_be_read_back),
        in_own_directory(openssl_reads_the_half_of_a_pair_that_is_left),
        in_own_directory(two_pairs_in_one_file_stay_apart),
        in_own_directory(a_damaged_value_spoils_no_search_and_no_other_attribute),
        in_own_directory(values_are_found_where_nobody_logs_in),
        in_own_directory(copies_of_readable_keys_forget_them_at_logout),
        in_own_directory(a_sensitive_copy_keeps_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
