/* PKCS#11 2.40 section 4.1: each mistake in a template has its own code, and nothing is
 * made or changed when there is one. */
#include "conformance/api/fresh.h"
#include "conformance/api/samples.h"

#define NO_SUCH_TYPE 0x7FFF0001UL
#define MISSING(type)                                                                              \
    {                                                                                              \
        type, NULL, CK_UNAVAILABLE_INFORMATION                                                     \
    }

/* One attribute too many, too few or wrong, and the code for it. */
struct mistake {
    const char *what;
    enum kind kind;
    CK_ATTRIBUTE attribute; /* ulValueLen CK_UNAVAILABLE_INFORMATION: taken out */
    CK_RV code, or_code;
};

static bool is_missing(const struct mistake *mistake)
{
    return mistake->attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION;
}

static void expect_code(const struct mistake *mistake, CK_RV rv)
{
    bool good = rv == mistake->code || (mistake->or_code && rv == mistake->or_code);

    if (good)
        return;
    print_error("    %s: %s: %s where %s was expected\n", kind_name(mistake->kind), mistake->what,
                rv_name(rv), rv_name(mistake->code));
    expectation_failed(__FILE__, __LINE__, mistake->what);
}

static void create_wrongly(CK_SESSION_HANDLE session, const struct mistake *mistake, bool token)
{
    struct template template = sample(mistake->kind);
    CK_OBJECT_HANDLE object = POISON_ULONG;

    template_set(&template, (CK_ATTRIBUTE)FLAG(CKA_TOKEN, token));
    if (is_missing(mistake))
        template_remove(&template, mistake->attribute.type);
    else
        template_set(&template, mistake->attribute);
    expect_code(mistake, create_from(session, &template, &object));
    expect_true(object == POISON_ULONG || object == CK_INVALID_HANDLE);
}

static void create_with_mistakes(const struct mistake *mistakes, size_t count)
{
    CK_SESSION_HANDLE session = user_session();

    for (size_t i = 0; i < count; i++) {
        create_wrongly(session, &mistakes[i], false);
        create_wrongly(session, &mistakes[i], true);
    }
    expectations_met();
}

#define CREATE_WITH(...)                                                                           \
    create_with_mistakes((struct mistake[]){__VA_ARGS__},                                          \
                         COUNT_OF(((struct mistake[]){__VA_ARGS__})))

static void what_is_required_must_be_there(void **state)
{
    (void)state;
    CREATE_WITH(
        {"no class", DATA, MISSING(CKA_CLASS), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no type", CERTIFICATE, MISSING(CKA_CERTIFICATE_TYPE), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no value", CERTIFICATE, MISSING(CKA_VALUE), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no key type", RSA_PUBLIC, MISSING(CKA_KEY_TYPE), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no modulus", RSA_PUBLIC, MISSING(CKA_MODULUS), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no exponent", RSA_PUBLIC, MISSING(CKA_PUBLIC_EXPONENT), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no key type", RSA_PRIVATE, MISSING(CKA_KEY_TYPE), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no modulus", RSA_PRIVATE, MISSING(CKA_MODULUS), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no curve", EC_PUBLIC, MISSING(CKA_EC_PARAMS), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no point", EC_PUBLIC, MISSING(CKA_EC_POINT), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no curve", EC_PRIVATE, MISSING(CKA_EC_PARAMS), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no value", EC_PRIVATE, MISSING(CKA_VALUE), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no key type", AES_KEY, MISSING(CKA_KEY_TYPE), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no value", AES_KEY, MISSING(CKA_VALUE), CKR_TEMPLATE_INCOMPLETE, 0},
        {"no value", GENERIC_KEY, MISSING(CKA_VALUE), CKR_TEMPLATE_INCOMPLETE, 0});
}

static void a_certificate_needs_its_subject(void **state)
{
    (void)state;
    CREATE_WITH({"no subject", CERTIFICATE, MISSING(CKA_SUBJECT), CKR_TEMPLATE_INCOMPLETE, 0});
}

/* PKCS#11 3.1, 4.1.1: a valid attribute, but not one for that kind of object. */
static void attributes_of_other_classes_are_inconsistent(void **state)
{
    (void)state;
    CREATE_WITH(
        {"a modulus", DATA, BYTES(CKA_MODULUS, "abc", 3), CKR_TEMPLATE_INCONSISTENT, 0},
        {"sensitive", DATA, FLAG(CKA_SENSITIVE, true), CKR_TEMPLATE_INCONSISTENT, 0},
        {"an id", DATA, TEXT(CKA_ID, "id"), CKR_TEMPLATE_INCONSISTENT, 0},
        {"sign", CERTIFICATE, FLAG(CKA_SIGN, true), CKR_TEMPLATE_INCONSISTENT, 0},
        {"a point", RSA_PUBLIC, BYTES(CKA_EC_POINT, "abc", 3), CKR_TEMPLATE_INCONSISTENT, 0},
        {"sign", RSA_PUBLIC, FLAG(CKA_SIGN, true), CKR_TEMPLATE_INCONSISTENT, 0},
        {"sensitive", EC_PUBLIC, FLAG(CKA_SENSITIVE, true), CKR_TEMPLATE_INCONSISTENT, 0},
        {"a prime", EC_PRIVATE, BYTES(CKA_PRIME_1, "abc", 3), CKR_TEMPLATE_INCONSISTENT, 0},
        {"verify", EC_PRIVATE, FLAG(CKA_VERIFY, true), CKR_TEMPLATE_INCONSISTENT, 0},
        {"a modulus", AES_KEY, BYTES(CKA_MODULUS, "abc", 3), CKR_TEMPLATE_INCONSISTENT, 0},
        {"an application", AES_KEY, TEXT(CKA_APPLICATION, "abc"), CKR_TEMPLATE_INCONSISTENT, 0});
}

static void unknown_attributes_are_invalid(void **state)
{
    struct mistake mistakes[KINDS];

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++)
        mistakes[kind] =
            (struct mistake){"an unknown attribute", kind, BYTES(NO_SUCH_TYPE, "abc", 3),
                             CKR_ATTRIBUTE_TYPE_INVALID, 0};
    create_with_mistakes(mistakes, KINDS);
}

static void what_only_the_token_knows_cannot_be_claimed(void **state)
{
    (void)state;
    CREATE_WITH({"local", RSA_PRIVATE, FLAG(CKA_LOCAL, true), CKR_ATTRIBUTE_READ_ONLY, 0},
                {"local", AES_KEY, FLAG(CKA_LOCAL, true), CKR_ATTRIBUTE_READ_ONLY, 0},
                {"always sensitive", RSA_PRIVATE, FLAG(CKA_ALWAYS_SENSITIVE, true),
                 CKR_ATTRIBUTE_READ_ONLY, 0},
                {"never extractable", AES_KEY, FLAG(CKA_NEVER_EXTRACTABLE, true),
                 CKR_ATTRIBUTE_READ_ONLY, 0},
                {"a mechanism", EC_PRIVATE, NUMBER(CKA_KEY_GEN_MECHANISM, CKM_EC_KEY_PAIR_GEN),
                 CKR_ATTRIBUTE_READ_ONLY, 0},
                {"a size", RSA_PUBLIC, NUMBER(CKA_MODULUS_BITS, 2048), CKR_ATTRIBUTE_READ_ONLY,
                 CKR_TEMPLATE_INCONSISTENT},
                {"a length", AES_KEY, NUMBER(CKA_VALUE_LEN, 32), CKR_ATTRIBUTE_READ_ONLY,
                 CKR_TEMPLATE_INCONSISTENT});
}

static void nobody_but_the_so_trusts(void **state)
{
    (void)state;
    CREATE_WITH({"trusted", CERTIFICATE, FLAG(CKA_TRUSTED, true), CKR_ATTRIBUTE_READ_ONLY, 0},
                {"trusted", RSA_PUBLIC, FLAG(CKA_TRUSTED, true), CKR_ATTRIBUTE_READ_ONLY, 0},
                {"trusted", AES_KEY, FLAG(CKA_TRUSTED, true), CKR_ATTRIBUTE_READ_ONLY, 0});
}

static void values_have_the_size_of_their_kind(void **state)
{
    CK_ULONG class = CKO_DATA;

    (void)state;
    CREATE_WITH(
        {"half a class", DATA, BYTES(CKA_CLASS, &class, 4), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"an empty class", DATA, BYTES(CKA_CLASS, &class, 0), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"two booleans", DATA, BYTES(CKA_PRIVATE, "\1\1", 2), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"no boolean", AES_KEY, BYTES(CKA_ENCRYPT, "", 0), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"neither", AES_KEY, BYTES(CKA_ENCRYPT, "\7", 1), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"a long type", AES_KEY, BYTES(CKA_KEY_TYPE, "0123456789abcdef", 16),
         CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"a short date", RSA_PUBLIC, BYTES(CKA_START_DATE, "2026", 4), CKR_ATTRIBUTE_VALUE_INVALID,
         0},
        {"no date", RSA_PUBLIC, BYTES(CKA_END_DATE, "20xy0101", 8), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"a null value", DATA, BYTES(CKA_LABEL, NULL, 5), CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_ARGUMENTS_BAD},
        {"half a mechanism", AES_KEY, BYTES(CKA_ALLOWED_MECHANISMS, "0123", 4),
         CKR_ATTRIBUTE_VALUE_INVALID, 0});
}

static void classes_and_types_must_be_known(void **state)
{
    (void)state;
    CREATE_WITH({"the class", DATA, NUMBER(CKA_CLASS, NO_SUCH_TYPE), CKR_ATTRIBUTE_VALUE_INVALID,
                 CKR_TEMPLATE_INCONSISTENT},
                {"the class", DATA, NUMBER(CKA_CLASS, CKO_MECHANISM), CKR_ATTRIBUTE_VALUE_INVALID,
                 CKR_TEMPLATE_INCONSISTENT},
                {"the class", DATA, NUMBER(CKA_CLASS, CKO_HW_FEATURE), CKR_ATTRIBUTE_VALUE_INVALID,
                 CKR_TEMPLATE_INCONSISTENT},
                {"the key type", RSA_PUBLIC, NUMBER(CKA_KEY_TYPE, NO_SUCH_TYPE),
                 CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT},
                {"the key type", AES_KEY, NUMBER(CKA_KEY_TYPE, CKK_RSA),
                 CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT},
                {"the certificate type", CERTIFICATE, NUMBER(CKA_CERTIFICATE_TYPE, NO_SUCH_TYPE),
                 CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT});
}

static void key_material_must_make_a_key(void **state)
{
    static const unsigned char off_the_curve[67] = {0x04, 0x41, 0x04, 1, 2, 3};

    (void)state;
    CREATE_WITH(
        {"17 bytes", AES_KEY, BYTES(CKA_VALUE, "0123456789abcdefg", 17),
         CKR_ATTRIBUTE_VALUE_INVALID, CKR_KEY_SIZE_RANGE},
        {"0 bytes", AES_KEY, BYTES(CKA_VALUE, "", 0), CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_KEY_SIZE_RANGE},
        {"an empty modulus", RSA_PUBLIC, BYTES(CKA_MODULUS, "", 0), CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_KEY_SIZE_RANGE},
        {"a point elsewhere", EC_PUBLIC, BYTES(CKA_EC_POINT, off_the_curve, 67),
         CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"half a point", EC_PUBLIC, BYTES(CKA_EC_POINT, "\x04\x02\x04\x01", 4),
         CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"a curve of garbage", EC_PUBLIC, BYTES(CKA_EC_PARAMS, "garbage", 7),
         CKR_ATTRIBUTE_VALUE_INVALID, CKR_DOMAIN_PARAMS_INVALID},
        {"an unknown curve", EC_PRIVATE, BYTES(CKA_EC_PARAMS, "\x06\x03\x2a\x03\x04", 5),
         CKR_CURVE_NOT_SUPPORTED, CKR_ATTRIBUTE_VALUE_INVALID},
        {"the number 0", EC_PRIVATE, BYTES(CKA_VALUE, "\0", 1), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"another prime", RSA_PRIVATE, BYTES(CKA_PRIME_1, "\x0b", 1), CKR_ATTRIBUTE_VALUE_INVALID,
         0},
        {"another modulus", RSA_PRIVATE,
         BYTES(CKA_MODULUS, sample(RSA_PRIVATE).list[3].pValue, 128), CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_KEY_SIZE_RANGE},
        {"no certificate", CERTIFICATE, BYTES(CKA_VALUE, "garbage", 7), CKR_ATTRIBUTE_VALUE_INVALID,
         0});
}

static void an_attribute_named_twice_is_inconsistent(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = POISON_ULONG;

    (void)state;
    assert_rv(p11->C_CreateObject(session,
                                  LIST(NUMBER(CKA_CLASS, CKO_DATA), TEXT(CKA_LABEL, "one"),
                                       FLAG(CKA_TOKEN, false), TEXT(CKA_LABEL, "other")),
                                  &object),
              CKR_TEMPLATE_INCONSISTENT);
}

static void a_refused_template_leaves_nothing(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE before[MAX_FOUND], after[MAX_FOUND];
    CK_ULONG count = find_all(session, NULL, 0, before);
    struct mistake mistake = {"no value", AES_KEY, MISSING(CKA_VALUE), CKR_TEMPLATE_INCOMPLETE, 0};

    (void)state;
    create_wrongly(session, &mistake, false);
    create_wrongly(session, &mistake, true);
    expectations_met();
    assert_int_equal(find_all(session, NULL, 0, after), count);
    new_start();
    assert_int_equal(find_all(user_session(), NULL, 0, after), count);
}

static void a_claimed_unique_id_is_read_only(void **state)
{
    (void)state;
    CREATE_WITH(
        {"a unique id", DATA, TEXT(CKA_UNIQUE_ID, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"a unique id", EC_PRIVATE, TEXT(CKA_UNIQUE_ID, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0});
}

static void templates_that_are_not_there_are_bad_arguments(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = POISON_ULONG;
    struct template template = sample(DATA);

    (void)state;
    expect_rv(p11->C_CreateObject(session, NULL, 3, &object), CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_CreateObject(session, template.list, template.count, NULL), CKR_ARGUMENTS_BAD);
    expect_rv(p11->C_CreateObject(0x7EADBEEFUL, template.list, template.count, &object),
              CKR_SESSION_HANDLE_INVALID);
    expectations_met();
}

/* C_SetAttributeValue of one attribute, then of a label before it: all or nothing. */
static void change_wrongly(CK_SESSION_HANDLE session, const struct mistake *mistake)
{
    CK_OBJECT_HANDLE object = create_sample(session, mistake->kind, true, true);
    CK_ATTRIBUTE both[] = {TEXT(CKA_LABEL, "changed"), mistake->attribute};
    unsigned char label[MAX_VALUE];

    expect_code(mistake, p11->C_SetAttributeValue(session, object, both + 1, 1));
    expect_code(mistake, p11->C_SetAttributeValue(session, object, both, 2));
    expect_true(get_bytes(session, object, CKA_LABEL, label) == strlen(kind_name(mistake->kind)));
    assert_ok(p11->C_DestroyObject(session, object));
}

static void what_a_key_is_cannot_be_changed(void **state)
{
    struct mistake mistakes[] = {
        {"class", DATA, NUMBER(CKA_CLASS, CKO_CERTIFICATE), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"token", DATA, FLAG(CKA_TOKEN, false), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"private", DATA, FLAG(CKA_PRIVATE, false), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"modifiable", DATA, FLAG(CKA_MODIFIABLE, false), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"value", CERTIFICATE, TEXT(CKA_VALUE, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"type", CERTIFICATE, NUMBER(CKA_CERTIFICATE_TYPE, 1), CKR_ATTRIBUTE_READ_ONLY,
         CKR_ATTRIBUTE_VALUE_INVALID},
        {"key type", RSA_PUBLIC, NUMBER(CKA_KEY_TYPE, CKK_EC), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"modulus", RSA_PUBLIC, TEXT(CKA_MODULUS, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"local", RSA_PRIVATE, FLAG(CKA_LOCAL, true), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"exponent", RSA_PRIVATE, TEXT(CKA_PRIVATE_EXPONENT, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"always sensitive", RSA_PRIVATE, FLAG(CKA_ALWAYS_SENSITIVE, true), CKR_ATTRIBUTE_READ_ONLY,
         0},
        {"point", EC_PUBLIC, TEXT(CKA_EC_POINT, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"value", EC_PRIVATE, TEXT(CKA_VALUE, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"never extractable", AES_KEY, FLAG(CKA_NEVER_EXTRACTABLE, true), CKR_ATTRIBUTE_READ_ONLY,
         0},
        {"value", AES_KEY, TEXT(CKA_VALUE, "mine"), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"length", AES_KEY, NUMBER(CKA_VALUE_LEN, 16), CKR_ATTRIBUTE_READ_ONLY, 0},
        {"mechanism", AES_KEY, NUMBER(CKA_KEY_GEN_MECHANISM, CKM_AES_KEY_GEN),
         CKR_ATTRIBUTE_READ_ONLY, 0},
    };
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++)
        change_wrongly(session, &mistakes[i]);
    expectations_met();
}

static void changes_are_checked_like_new_values(void **state)
{
    struct mistake mistakes[] = {
        {"unknown", DATA, BYTES(NO_SUCH_TYPE, "abc", 3), CKR_ATTRIBUTE_TYPE_INVALID, 0},
        {"a date", RSA_PRIVATE, BYTES(CKA_START_DATE, "2026", 4), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"a boolean", AES_KEY, BYTES(CKA_ENCRYPT, "\1\1", 2), CKR_ATTRIBUTE_VALUE_INVALID, 0},
        {"a null value", AES_KEY, BYTES(CKA_ID, NULL, 5), CKR_ATTRIBUTE_VALUE_INVALID,
         CKR_ARGUMENTS_BAD},
    };
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++)
        change_wrongly(session, &mistakes[i]);
    expectations_met();
}

static void changes_to_other_kinds_are_inconsistent(void **state)
{
    struct mistake mistakes[] = {
        {"a modulus", DATA, BYTES(CKA_MODULUS, "abc", 3), CKR_TEMPLATE_INCONSISTENT, 0},
        {"a verb", RSA_PRIVATE, FLAG(CKA_VERIFY, true), CKR_TEMPLATE_INCONSISTENT, 0},
    };
    CK_SESSION_HANDLE session = user_session();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++)
        change_wrongly(session, &mistakes[i]);
    expectations_met();
}

static void data_objects_are_changed(void **state)
{
    CK_SESSION_HANDLE session = user_session();
    CK_OBJECT_HANDLE object = create_sample(session, DATA, true, true);
    unsigned char value[MAX_VALUE];

    (void)state;
    assert_ok(p11->C_SetAttributeValue(
        session, object, LIST(TEXT(CKA_APPLICATION, "other"), TEXT(CKA_VALUE, "new value"))));
    assert_int_equal(get_bytes(session, object, CKA_APPLICATION, value), 5);
    assert_int_equal(get_bytes(session, object, CKA_VALUE, value), 9);
    assert_memory_equal(value, "new value", 9);
}

static void what_may_be_changed_is_changed(void **state)
{
    static const struct {
        enum kind kind;
        CK_ATTRIBUTE attribute;
    } rows[] = {
        {CERTIFICATE, {CKA_ID, "another", 7}},         {CERTIFICATE, {CKA_LABEL, "", 0}},
        {RSA_PUBLIC, {CKA_ID, "another", 7}},          {RSA_PUBLIC, {CKA_VERIFY, "\0", 1}},
        {RSA_PRIVATE, {CKA_SUBJECT, "0\0", 2}},        {RSA_PRIVATE, {CKA_DECRYPT, "\0", 1}},
        {EC_PRIVATE, {CKA_START_DATE, "20260102", 8}}, {EC_PRIVATE, {CKA_ID, "", 0}},
        {AES_KEY, {CKA_END_DATE, "20270102", 8}},      {AES_KEY, {CKA_WRAP, "\1", 1}},
        {GENERIC_KEY, {CKA_DERIVE, "\1", 1}},          {GENERIC_KEY, {CKA_LABEL, "another", 7}},
    };
    CK_SESSION_HANDLE session = user_session();
    unsigned char value[MAX_VALUE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CK_OBJECT_HANDLE object = create_sample(session, rows[i].kind, true, true);
        CK_ATTRIBUTE attribute = rows[i].attribute;

        if (expect_rv(p11->C_SetAttributeValue(session, object, &attribute, 1), CKR_OK) != CKR_OK)
            print_error("    %s\n", kind_name(rows[i].kind));
        expect_true(get_bytes(session, object, attribute.type, value) == attribute.ulValueLen);
        expect_true(memcmp(value, attribute.pValue, attribute.ulValueLen) == 0);
    }
    expectations_met();
}

#define test(function) cmocka_unit_test_teardown(function, destroy_everything)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_required_must_be_there),
        test(a_certificate_needs_its_subject),
        test(attributes_of_other_classes_are_inconsistent),
        test(unknown_attributes_are_invalid),
        test(what_only_the_token_knows_cannot_be_claimed),
        test(nobody_but_the_so_trusts),
        test(values_have_the_size_of_their_kind),
        test(classes_and_types_must_be_known),
        test(key_material_must_make_a_key),
        test(an_attribute_named_twice_is_inconsistent),
        test(a_refused_template_leaves_nothing),
        test(a_claimed_unique_id_is_read_only),
        test(templates_that_are_not_there_are_bad_arguments),
        test(what_a_key_is_cannot_be_changed),
        test(changes_are_checked_like_new_values),
        test(changes_to_other_kinds_are_inconsistent),
        test(data_objects_are_changed),
        test(what_may_be_changed_is_changed),
    };

    return cmocka_run_group_tests(tests, initialised_setup, initialised_teardown);
}
