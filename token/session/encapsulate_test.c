#include "token/key/make.h"
#include "token/session/made.h"
#include "token/session/operation_test_support.h"

/* Encapsulation and authenticated wrapping, as session objects: no TPM is needed. */

static CK_OBJECT_HANDLE public_key, private_key;
static CK_ECDH1_DERIVE_PARAMS plain = {.kdf = CKD_NULL};
static const CK_MECHANISM ecdh = {CKM_ECDH1_DERIVE, &plain, sizeof(plain)};

static void make_ec_pair(bool may, CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    const CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_BBOOL use = may, no = CK_FALSE;
    const CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, p256, sizeof(p256)},
                                   {CKA_ENCAPSULATE, &use, sizeof(use)}};
    const CK_ATTRIBUTE private[] = {{CKA_PRIVATE, &no, sizeof(no)},
                                    {CKA_DECAPSULATE, &use, sizeof(use)}};
    assert_ok(manage_generate_pair(
        work.session, &mechanism, (struct manage_template){public, ARRAY_SIZE(public)},
        (struct manage_template){private, ARRAY_SIZE(private)}, ret_public, ret_private));
}

static int begin_group(void **state)
{
    if (open_work(state) != 0)
        return -1;
    make_ec_pair(true, &public_key, &private_key);
    return 0;
}

static const struct manage_template empty;

static struct view value_of(CK_OBJECT_HANDLE handle)
{
    struct key *key = NULL;
    static struct bytes value;
    bytes_free(&value);
    assert_ok(token_key(work.token, token_object(work.token, handle), &key));
    assert_ok(key_secret_value(key, &value));
    return bytes_view(&value);
}

static void an_encapsulated_key_is_one_from_outside(UNUSED void **state)
{
    CK_OBJECT_HANDLE one = 0, two = 0;
    CK_BYTE ciphertext[65];
    CK_ULONG size = sizeof(ciphertext);
    struct bytes value = {0};
    assert_ok(manage_encapsulate(work.session, &ecdh, public_key, empty, ciphertext, &size, &one));
    assert_int_equal(size, sizeof(ciphertext));
    assert_ok(manage_decapsulate(work.session, &ecdh, private_key, empty, view_of(ciphertext, size),
                                 &two));
    assert_ok(bytes_copy(&value, value_of(one)));
    assert_int_equal(value.size, 32);
    assert_true(view_equal(bytes_view(&value), value_of(two)));
    bytes_free(&value);
    for (int i = 0; i < 2; i++) {
        const struct object *object = token_object(work.token, i ? two : one);
        assert_int_equal(object_class(object), CKO_SECRET_KEY);
        assert_int_equal(attributes_ulong(&object->attributes, CKA_KEY_TYPE, 0),
                         CKK_GENERIC_SECRET);
        assert_true(object_bool(object, CKA_EXTRACTABLE));
        assert_false(object_bool(object, CKA_LOCAL));
        assert_false(object_bool(object, CKA_ALWAYS_SENSITIVE));
        assert_false(object_bool(object, CKA_NEVER_EXTRACTABLE));
    }
}

static void asking_for_the_length_makes_no_key(UNUSED void **state)
{
    CK_OBJECT_HANDLE handle;
    CK_BYTE ciphertext[65];
    CK_ULONG size = 0;
    poison(handle);
    poison(ciphertext);
    assert_ok(manage_encapsulate(work.session, &ecdh, public_key, empty, NULL, &size, &handle));
    assert_int_equal(size, 65);
    size = 64;
    assert_rv(
        manage_encapsulate(work.session, &ecdh, public_key, empty, ciphertext, &size, &handle),
        CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 65);
    assert_poison(ciphertext);
    assert_poison(handle);
}

static void only_keys_that_may_do_it(UNUSED void **state)
{
    CK_OBJECT_HANDLE other_public = 0, other_private = 0, made;
    CK_BYTE ciphertext[65] = {4};
    CK_ULONG size = sizeof(ciphertext);
    const CK_MECHANISM digest = {CKM_SHA256, NULL, 0}, unknown = {CKM_VENDOR_DEFINED, NULL, 0},
                       nowhere = {CKM_ECDH1_DERIVE, NULL, sizeof(plain)};
    make_ec_pair(false, &other_public, &other_private);
    poison(made);
    const struct {
        const CK_MECHANISM *mechanism;
        CK_OBJECT_HANDLE public_key, private_key;
        CK_RV rv;
    } rows[] = {
        {&ecdh, other_public, other_private, CKR_KEY_FUNCTION_NOT_PERMITTED},
        {&ecdh, private_key, public_key, CKR_KEY_TYPE_INCONSISTENT},
        {&ecdh, 0, 0, CKR_KEY_HANDLE_INVALID},
        {&digest, public_key, private_key, CKR_MECHANISM_INVALID},
        {&unknown, public_key, private_key, CKR_MECHANISM_INVALID},
        {&nowhere, public_key, private_key, CKR_MECHANISM_PARAM_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_rv(manage_encapsulate(work.session, rows[i].mechanism, rows[i].public_key, empty,
                                     ciphertext, &size, &made),
                  rows[i].rv);
        assert_rv(manage_decapsulate(work.session, rows[i].mechanism, rows[i].private_key, empty,
                                     view_of(ciphertext, size), &made),
                  rows[i].rv);
    }
    assert_poison(made);
}

static void templates_are_those_of_secret_keys(UNUSED void **state)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_ULONG lengths[] = {0, 33, MADE_MAX_SECRET + 1};
    CK_BYTE ciphertext[65], value[16] = {0};
    CK_ULONG size = sizeof(ciphertext);
    CK_OBJECT_HANDLE made;
    const struct {
        CK_ATTRIBUTE attribute;
        CK_RV rv;
    } rows[] = {
        {{CKA_CLASS, &class, sizeof(class)}, CKR_TEMPLATE_INCONSISTENT},
        {{CKA_VALUE, value, sizeof(value)}, CKR_TEMPLATE_INCONSISTENT},
        {{CKA_VALUE_LEN, &lengths[0], sizeof(CK_ULONG)}, CKR_ATTRIBUTE_VALUE_INVALID},
        {{CKA_VALUE_LEN, &lengths[1], sizeof(CK_ULONG)}, CKR_TEMPLATE_INCONSISTENT},
        {{CKA_VALUE_LEN, &lengths[2], sizeof(CK_ULONG)}, CKR_ATTRIBUTE_VALUE_INVALID},
    };
    poison(made);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct manage_template template = {&rows[i].attribute, 1};
        assert_rv(
            manage_encapsulate(work.session, &ecdh, public_key, template, ciphertext, &size, &made),
            rows[i].rv);
    }
    assert_poison(made);
}

static void authenticated_wrapping_goes_by_the_uses_of_wrapping(UNUSED void **state)
{
    CK_OBJECT_HANDLE by = make_secret(CKK_AES), target = make_secret(CKK_GENERIC_SECRET), made = 0;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    const CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                                     {CKA_KEY_TYPE, &type, sizeof(type)}};
    CK_BYTE iv[12], tag[16], out[16];
    CK_ULONG size = sizeof(out);
    CK_GCM_MESSAGE_PARAMS gcm = {iv, sizeof(iv), 0, CKG_GENERATE, tag, 128};
    const CK_MECHANISM mechanism = {CKM_AES_GCM, &gcm, sizeof(gcm)};
    const struct view more = view_string("associated");
    const struct manage_template wanted = {template, ARRAY_SIZE(template)};
    assert_rv(manage_wrap_authenticated(work.session, &mechanism, by, target, more, out, &size),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    set_flag(by, CKA_WRAP, true);
    poison(iv);
    assert_ok(manage_wrap_authenticated(work.session, &mechanism, by, target, more, NULL, &size));
    assert_int_equal(size, sizeof(out));
    size--;
    assert_rv(manage_wrap_authenticated(work.session, &mechanism, by, target, more, out, &size),
              CKR_BUFFER_TOO_SMALL);
    assert_poison(iv);
    assert_ok(manage_wrap_authenticated(work.session, &mechanism, by, target, more, out, &size));
    assert_rv(manage_unwrap_authenticated(work.session, &mechanism, by, view_of(out, size), wanted,
                                          more, &made),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    set_flag(by, CKA_UNWRAP, true);
    assert_ok(manage_unwrap_authenticated(work.session, &mechanism, by, view_of(out, size), wanted,
                                          more, &made));
    assert_true(view_equal(value_of(made), view_of(aes_value, sizeof(aes_value))));
    set_flag(target, CKA_EXTRACTABLE, false);
    assert_rv(manage_wrap_authenticated(work.session, &mechanism, by, target, more, out, &size),
              CKR_KEY_UNEXTRACTABLE);
    /* It is of the other functions alone. */
    assert_rv(manage_wrap(work.session, &mechanism, by, target, out, &size), CKR_MECHANISM_INVALID);
    assert_rv(manage_unwrap(work.session, &mechanism, by, view_of(out, size), wanted, &made),
              CKR_MECHANISM_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_encapsulated_key_is_one_from_outside),
        cmocka_unit_test(asking_for_the_length_makes_no_key),
        cmocka_unit_test(only_keys_that_may_do_it),
        cmocka_unit_test(templates_are_those_of_secret_keys),
        cmocka_unit_test(authenticated_wrapping_goes_by_the_uses_of_wrapping),
    };
    return cmocka_run_group_tests(tests, begin_group, close_work);
}
