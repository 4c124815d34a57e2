/* PKCS#11 3.2 and 3.0 section 5.4 and 2.40 section 5.4: C_GetFunctionList,
 * C_GetInterface and C_GetInterfaceList, none of which needs C_Initialize. */
#include "conformance/api/functions.h"

#define STANDARD_NAME ((CK_UTF8CHAR *)"PKCS 11")
#define MAX_INTERFACES 16

typedef CK_RV (*get_interface_fn)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
typedef CK_RV (*get_interface_list_fn)(CK_INTERFACE *, CK_ULONG *);

static CK_INTERFACE *const poisoned = (CK_INTERFACE *)POISON_ULONG;

static get_interface_fn get_interface_or_skip(void)
{
    get_interface_fn get_interface;

    *(void **)&get_interface = client_symbol("C_GetInterface");
    if (!get_interface)
        skip_because("the module has no C_GetInterface");
    return get_interface;
}

static get_interface_list_fn get_interface_list_or_skip(void)
{
    get_interface_list_fn get_list;

    *(void **)&get_list = client_symbol("C_GetInterfaceList");
    if (!get_list)
        skip_because("the module has no C_GetInterfaceList");
    return get_list;
}

static void the_function_list_is_of_version_2_40(void **state)
{
    (void)state;
    assert_non_null(p11);
    assert_int_equal(p11->version.major, 2);
    if (module_is_signet())
        assert_int_equal(p11->version.minor, 40);
}

static void no_function_of_the_2_40_list_is_null(void **state)
{
    (void)state;
    assert_int_equal(null_functions_2_40(p11), 0);
}

static void no_function_of_the_3_0_list_is_null(void **state)
{
    (void)state;
    if (!p11_v3)
        skip_because("the module has no 3.0 interface");
    assert_int_equal(p11_v3->version.major, 3);
    assert_int_equal(p11_v3->version.minor, 0);
    assert_int_equal(null_functions_3_0(p11_v3), 0);
}

static void no_function_of_the_3_2_list_is_null(void **state)
{
    (void)state;
    version_3_2_or_skip();
    assert_int_equal(p11_v32->version.major, 3);
    assert_int_equal(p11_v32->version.minor, 2);
    assert_int_equal(null_functions_3_2(p11_v32), 0);
}

#define SAME(name) expect_true((void *)p11_v32->name == client_symbol(#name));

/* Each member is the function of its own name: nothing is out of order. */
static void the_members_of_the_3_2_list_are_the_exported_functions(void **state)
{
    (void)state;
    signet_only("all functions are exported");
    SIGNET_FUNCTIONS_2_40(SAME)
    SIGNET_FUNCTIONS_3_0(SAME)
    SIGNET_FUNCTIONS_3_2(SAME)
    expectations_met();
}

/* Of the OASIS header of 3.2: 68 functions of 2.40, 24 of 3.0, and these. */
static void the_functions_of_3_2_are_where_the_standard_has_them(void **state)
{
    static const char *const names[] = {
        "C_EncapsulateKey",
        "C_DecapsulateKey",
        "C_VerifySignatureInit",
        "C_VerifySignature",
        "C_VerifySignatureUpdate",
        "C_VerifySignatureFinal",
        "C_GetSessionValidationFlags",
        "C_AsyncComplete",
        "C_AsyncGetID",
        "C_AsyncJoin",
        "C_WrapKeyAuthenticated",
        "C_UnwrapKeyAuthenticated",
    };
    void *functions[68 + 24 + COUNT_OF(names)];
    const size_t first = offsetof(CK_FUNCTION_LIST_3_2, C_Initialize);

    (void)state;
    version_3_2_or_skip();
    assert_int_equal(first + sizeof(functions), sizeof(*p11_v32));
    memcpy(functions, (const char *)p11_v32 + first, sizeof(functions));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (client_symbol(names[i]))
            assert_ptr_equal(functions[68 + 24 + i], client_symbol(names[i]));
}

static void the_function_list_is_always_the_same(void **state)
{
    CK_FUNCTION_LIST *again = NULL;

    (void)state;
    assert_ok(p11->C_GetFunctionList(&again));
    assert_ptr_equal(again, p11);
}

static void a_null_pointer_for_the_function_list_is_refused(void **state)
{
    (void)state;
    assert_rv(p11->C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
}

static void the_module_offers_the_interfaces_of_version_3(void **state)
{
    (void)state;
    signet_only("C_GetInterface, and the 3.0 and 3.2 lists");
    assert_non_null(p11_v3);
    assert_non_null(p11_v32);
}

static void the_default_interface_is_the_standard_one(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_INTERFACE *interface = poisoned;

    (void)state;
    assert_ok(get_interface(NULL, NULL, &interface, 0));
    assert_ptr_not_equal(interface, poisoned);
    assert_non_null(interface->pFunctionList);
    assert_string_equal((const char *)interface->pInterfaceName, "PKCS 11");
}

static void the_name_alone_gives_a_version_3(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_INTERFACE *interface = poisoned;

    (void)state;
    assert_ok(get_interface(STANDARD_NAME, NULL, &interface, 0));
    assert_true(((CK_VERSION *)interface->pFunctionList)->major >= 3);
}

static void both_versions_can_be_asked_for(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_VERSION versions[] = {{2, 40}, {3, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        CK_INTERFACE *interface = poisoned;

        assert_ok(get_interface(STANDARD_NAME, &versions[i], &interface, 0));
        assert_memory_equal(interface->pFunctionList, &versions[i], sizeof(versions[i]));
    }
}

/* 3.1 has the functions of 3.0. */
static void the_later_versions_can_be_asked_for(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_VERSION versions[] = {{3, 1}, {3, 2}};

    (void)state;
    signet_only("interfaces of 3.1 and 3.2");
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        CK_INTERFACE *interface = poisoned;

        assert_ok(get_interface(STANDARD_NAME, &versions[i], &interface, 0));
        assert_memory_equal(interface->pFunctionList, &versions[i], sizeof(versions[i]));
    }
}

static void the_name_may_be_left_out_when_a_version_is_given(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_VERSION version = {2, 40};
    CK_INTERFACE *interface = poisoned;

    (void)state;
    assert_ok(get_interface(NULL, &version, &interface, 0));
    assert_memory_equal(interface->pFunctionList, &version, sizeof(version));
}

static void unknown_versions_names_and_flags_are_refused(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_VERSION unknown[] = {{9, 9}, {3, 99}, {3, 3}, {4, 0}, {2, 41}, {2, 20}, {0, 0}};
    CK_INTERFACE *interface = poisoned;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        expect_rv(get_interface(STANDARD_NAME, &unknown[i], &interface, 0), CKR_FUNCTION_FAILED,
                  CKR_ARGUMENTS_BAD);
    expect_rv(get_interface((CK_UTF8CHAR *)"PKCS 12", NULL, &interface, 0), CKR_FUNCTION_FAILED,
              CKR_ARGUMENTS_BAD);
    expect_rv(get_interface((CK_UTF8CHAR *)"", NULL, &interface, 0), CKR_FUNCTION_FAILED,
              CKR_ARGUMENTS_BAD);
    expect_rv(get_interface(STANDARD_NAME, NULL, &interface, 1UL << 20), CKR_FUNCTION_FAILED,
              CKR_ARGUMENTS_BAD);
    expect_true(interface == poisoned || interface == NULL);
    expectations_met();
}

/* Clients take the default as it is, and go by what C_GetInfo says. */
static void the_default_version_is_the_one_of_the_module(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_INTERFACE *interface = poisoned;
    CK_VERSION *version;
    CK_INFO info;

    (void)state;
    assert_ok(get_interface(STANDARD_NAME, NULL, &interface, 0));
    version = interface->pFunctionList;
    assert_ok(initialise());
    assert_ok(p11->C_GetInfo(&info));
    assert_ok(p11->C_Finalize(NULL));
    assert_memory_equal(&info.cryptokiVersion, version, sizeof(*version));
}

static void a_null_pointer_for_the_interface_is_refused(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();

    (void)state;
    assert_rv(get_interface(STANDARD_NAME, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
}

/* Fork-safe means that a child goes on with its parent's sessions. */
static void fork_safety_is_granted_only_with_the_flag_set(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_INTERFACE *interface = poisoned;
    CK_RV rv = get_interface(STANDARD_NAME, NULL, &interface, CKF_INTERFACE_FORK_SAFE);

    (void)state;
    assert_rv(rv, CKR_OK, CKR_FUNCTION_FAILED, CKR_ARGUMENTS_BAD);
    if (rv == CKR_OK)
        assert_true(interface->flags & CKF_INTERFACE_FORK_SAFE);
}

static void a_module_that_must_be_initialised_after_fork_does_not_claim_fork_safety(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    CK_INTERFACE *interface = poisoned;

    (void)state;
    signet_only("a forked child calls C_Initialize");
    assert_ok(get_interface(NULL, NULL, &interface, 0));
    assert_int_equal(interface->flags & CKF_INTERFACE_FORK_SAFE, 0);
    assert_rv(get_interface(NULL, NULL, &interface, CKF_INTERFACE_FORK_SAFE), CKR_FUNCTION_FAILED,
              CKR_ARGUMENTS_BAD);
}

static void the_interface_list_is_read_in_two_calls(void **state)
{
    get_interface_list_fn get_list = get_interface_list_or_skip();
    CK_INTERFACE interfaces[MAX_INTERFACES];
    CK_ULONG count = POISON_ULONG, again;

    (void)state;
    assert_ok(get_list(NULL, &count));
    assert_in_range(count, 1, MAX_INTERFACES);
    again = MAX_INTERFACES;
    assert_ok(get_list(interfaces, &again));
    assert_int_equal(again, count);
    for (CK_ULONG i = 0; i < count; i++) {
        assert_non_null(interfaces[i].pInterfaceName);
        assert_non_null(interfaces[i].pFunctionList);
    }
}

static void an_interface_list_without_room_gives_the_count(void **state)
{
    get_interface_list_fn get_list = get_interface_list_or_skip();
    CK_INTERFACE interfaces[MAX_INTERFACES];
    CK_ULONG count = 0, needed = 0;

    (void)state;
    memset(interfaces, POISON_BYTE, sizeof(interfaces));
    assert_ok(get_list(NULL, &needed));
    assert_rv(get_list(interfaces, &count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(count, needed);
    count = needed - 1;
    assert_rv(get_list(interfaces, &count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(count, needed);
    assert_true(untouched(&interfaces[needed - 1], sizeof(interfaces[0])));
}

static void the_interface_list_holds_both_versions(void **state)
{
    get_interface_list_fn get_list = get_interface_list_or_skip();
    CK_INTERFACE interfaces[MAX_INTERFACES];
    CK_ULONG count = MAX_INTERFACES;
    bool seen[4] = {false};

    (void)state;
    assert_ok(get_list(interfaces, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_VERSION *version = interfaces[i].pFunctionList;

        if (strcmp((const char *)interfaces[i].pInterfaceName, "PKCS 11") == 0)
            seen[version->major < 4 ? version->major : 0] = true;
    }
    assert_true(seen[2]);
    assert_true(seen[3]);
}

static void the_interface_list_begins_with_the_default(void **state)
{
    get_interface_fn get_interface = get_interface_or_skip();
    get_interface_list_fn get_list = get_interface_list_or_skip();
    CK_INTERFACE interfaces[MAX_INTERFACES], *interface = poisoned;
    CK_ULONG count = MAX_INTERFACES;

    (void)state;
    signet_only("one order for both");
    assert_ok(get_interface(NULL, NULL, &interface, 0));
    assert_ok(get_list(interfaces, &count));
    assert_ptr_equal(interfaces[0].pFunctionList, interface->pFunctionList);
    for (CK_ULONG i = 0; i < count; i++) {
        assert_ok(get_interface(interfaces[i].pInterfaceName, interfaces[i].pFunctionList,
                                &interface, interfaces[i].flags));
        assert_ptr_equal(interfaces[i].pFunctionList, interface->pFunctionList);
    }
}

static void a_null_pointer_for_the_interface_count_is_refused(void **state)
{
    get_interface_list_fn get_list = get_interface_list_or_skip();
    CK_INTERFACE interfaces[MAX_INTERFACES];

    (void)state;
    assert_rv(get_list(NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(get_list(interfaces, NULL), CKR_ARGUMENTS_BAD);
}

static void before_initialisation_every_function_says_so(void **state)
{
    (void)state;
    assert_int_equal(functions_not_answering(CKR_CRYPTOKI_NOT_INITIALIZED), 0);
}

static void after_finalisation_every_function_says_so(void **state)
{
    (void)state;
    assert_ok(initialise());
    assert_ok(p11->C_Finalize(NULL));
    assert_int_equal(functions_not_answering(CKR_CRYPTOKI_NOT_INITIALIZED), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_function_list_is_of_version_2_40),
        cmocka_unit_test(no_function_of_the_2_40_list_is_null),
        cmocka_unit_test(no_function_of_the_3_0_list_is_null),
        cmocka_unit_test(no_function_of_the_3_2_list_is_null),
        cmocka_unit_test(the_members_of_the_3_2_list_are_the_exported_functions),
        cmocka_unit_test(the_functions_of_3_2_are_where_the_standard_has_them),
        cmocka_unit_test(the_function_list_is_always_the_same),
        cmocka_unit_test(a_null_pointer_for_the_function_list_is_refused),
        cmocka_unit_test(the_module_offers_the_interfaces_of_version_3),
        cmocka_unit_test(the_default_interface_is_the_standard_one),
        cmocka_unit_test(the_name_alone_gives_a_version_3),
        cmocka_unit_test(both_versions_can_be_asked_for),
        cmocka_unit_test(the_later_versions_can_be_asked_for),
        cmocka_unit_test(the_name_may_be_left_out_when_a_version_is_given),
        cmocka_unit_test(unknown_versions_names_and_flags_are_refused),
        cmocka_unit_test(the_default_version_is_the_one_of_the_module),
        cmocka_unit_test(a_null_pointer_for_the_interface_is_refused),
        cmocka_unit_test(fork_safety_is_granted_only_with_the_flag_set),
        cmocka_unit_test(a_module_that_must_be_initialised_after_fork_does_not_claim_fork_safety),
        cmocka_unit_test(the_interface_list_is_read_in_two_calls),
        cmocka_unit_test(an_interface_list_without_room_gives_the_count),
        cmocka_unit_test(the_interface_list_holds_both_versions),
        cmocka_unit_test(the_interface_list_begins_with_the_default),
        cmocka_unit_test(a_null_pointer_for_the_interface_count_is_refused),
        cmocka_unit_test(before_initialisation_every_function_says_so),
        cmocka_unit_test(after_finalisation_every_function_says_so),
    };

    return cmocka_run_group_tests(tests, loaded_setup, NULL);
}
