/* What the tests of operations share: a token directory that nobody initialised, whose
 * session objects need no TPM. */
#ifndef SIGNET_SESSION_OPERATION_TEST_SUPPORT_H
#define SIGNET_SESSION_OPERATION_TEST_SUPPORT_H

#include "token/session/manage.h"
#include "token/session/objects.h"
#include "token/session/operation.h"
#include "token/session/test_support.h"

static struct parts work;

static UNUSED int open_work(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    work = open_parts("token directory = work");
    return 0;
}

static UNUSED int close_work(void **state)
{
    close_parts(&work);
    return leave_directory(state);
}

static const uint8_t aes_value[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                      0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};

/* A secret key that may do everything, as a session object. */
static UNUSED CK_OBJECT_HANDLE make_secret(CK_KEY_TYPE type)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    uint8_t value[sizeof(aes_value)];
    CK_OBJECT_HANDLE handle = 0;
    memcpy(value, aes_value, sizeof(value));
    const CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_VALUE, value, sizeof(value)},  {CKA_PRIVATE, &no, sizeof(no)},
        {CKA_ENCRYPT, &yes, sizeof(yes)},   {CKA_DECRYPT, &yes, sizeof(yes)},
        {CKA_SIGN, &yes, sizeof(yes)},      {CKA_VERIFY, &yes, sizeof(yes)},
    };
    assert_ok(objects_create(work.session, template, ARRAY_SIZE(template), &handle));
    return handle;
}

/* An RSA key pair that may do everything, as session objects. */
static UNUSED void make_pair(CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    const CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
    CK_ULONG bits = 2048;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    const CK_ATTRIBUTE public[] = {
        {CKA_MODULUS_BITS, &bits, sizeof(bits)},
        {CKA_VERIFY, &yes, sizeof(yes)},
        {CKA_ENCRYPT, &yes, sizeof(yes)},
        {CKA_VERIFY_RECOVER, &yes, sizeof(yes)},
    };
    const CK_ATTRIBUTE private[] = {
        {CKA_PRIVATE, &no, sizeof(no)},
        {CKA_SIGN, &yes, sizeof(yes)},
        {CKA_DECRYPT, &yes, sizeof(yes)},
        {CKA_SIGN_RECOVER, &yes, sizeof(yes)},
    };
    assert_ok(manage_generate_pair(
        work.session, &mechanism, (struct manage_template){public, ARRAY_SIZE(public)},
        (struct manage_template){private, ARRAY_SIZE(private)}, ret_public, ret_private));
}

static UNUSED void set_flag(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, bool value)
{
    struct object *object = token_object(work.token, handle);
    assert_non_null(object);
    assert_ok(attributes_set_bool(&object->attributes, type, value));
}

static uint8_t initial_block[16];

static UNUSED CK_RV begin_with_iv(enum operation_kind kind, CK_MECHANISM_TYPE type,
                                  CK_OBJECT_HANDLE key)
{
    const CK_MECHANISM mechanism = {type, initial_block, sizeof(initial_block)};
    return operation_begin(work.session, kind, &mechanism, key);
}

static UNUSED CK_RV begin_plain(enum operation_kind kind, CK_MECHANISM_TYPE type,
                                CK_OBJECT_HANDLE key)
{
    const CK_MECHANISM mechanism = {type, NULL, 0};
    return operation_begin(work.session, kind, &mechanism, key);
}

#endif
