#include "conformance/api/client.h"

#include <dlfcn.h>

CK_FUNCTION_LIST *p11;
CK_FUNCTION_LIST_3_0 *p11_v3;
CK_FUNCTION_LIST_3_2 *p11_v32;

static void *module;
static unsigned failed_expectations;

static void print_wrong_code(const char *file, int line, const char *call, CK_RV got,
                             const CK_RV *allowed, size_t allowed_count)
{
    print_error("%s:%d: %s\n    gave %s, expected", file, line, call, rv_name(got));
    for (size_t i = 0; i < allowed_count; i++)
        print_error("%s %s", i ? " or" : "", rv_name(allowed[i]));
    print_error("\n");
}

CK_RV check_rv(const char *file, int line, const char *call, CK_RV got, const CK_RV *allowed,
               size_t allowed_count, bool at_once)
{
    for (size_t i = 0; i < allowed_count; i++)
        if (got == allowed[i])
            return got;
    print_wrong_code(file, line, call, got, allowed, allowed_count);
    failed_expectations++;
    if (at_once) {
        failed_expectations = 0;
        _fail(file, line);
    }
    return got;
}

void expectation_failed(const char *file, int line, const char *what)
{
    print_error("%s:%d: not true: %s\n", file, line, what);
    failed_expectations++;
}

void expectations_met(void)
{
    unsigned failed = failed_expectations;

    failed_expectations = 0;
    if (failed)
        fail_msg("%u expectations were not met", failed);
}

void skip_because(const char *format, ...)
{
    char reason[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    print_message("skipped: %s\n", reason);
    failed_expectations = 0;
    skip();
}

bool module_is_signet(void)
{
    const char *path = getenv("PKCS11_MODULE");
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *file = slash ? slash + 1 : path;

    return file && strstr(file, "signet") != NULL;
}

void signet_only(const char *promise)
{
    if (!module_is_signet())
        skip_because("not demanded of another module: %s", promise);
}

bool setting(const char *name)
{
    const char *value = getenv(name);

    return value && strcmp(value, "1") == 0;
}

void *client_symbol(const char *name)
{
    return dlsym(module, name);
}

static void *function_list(CK_BYTE major, CK_BYTE minor)
{
    CK_RV (*get_interface)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
    CK_VERSION version = {major, minor};
    CK_INTERFACE *interface = NULL;

    *(void **)&get_interface = client_symbol("C_GetInterface");
    if (!get_interface)
        return NULL;
    if (get_interface((CK_UTF8CHAR *)"PKCS 11", &version, &interface, 0) != CKR_OK || !interface)
        return NULL;
    return interface->pFunctionList;
}

void version_3_2_or_skip(void)
{
    if (!p11_v32)
        skip_because("the module has no 3.2 interface");
}

void client_load(void)
{
    const char *path = getenv("PKCS11_MODULE");
    CK_RV (*get_list)(CK_FUNCTION_LIST **);

    if (module)
        return;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!path)
        fail_msg("PKCS11_MODULE does not name a module");
    module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        fail_msg("%s", dlerror());
    *(void **)&get_list = client_symbol("C_GetFunctionList");
    if (!get_list)
        fail_msg("%s has no C_GetFunctionList", path);
    assert_ok(get_list(&p11));
    p11_v3 = function_list(3, 0);
    p11_v32 = function_list(3, 2);
}

CK_RV initialise(void)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    return p11->C_Initialize(&args);
}

int loaded_setup(void **state)
{
    (void)state;
    client_load();
    return 0;
}

int initialised_setup(void **state)
{
    (void)state;
    client_load();
    return initialise() == CKR_OK ? 0 : -1;
}

int initialised_teardown(void **state)
{
    (void)state;
    return p11 && p11->C_Finalize(NULL) == CKR_OK ? 0 : -1;
}

int close_everything(void **state)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS;

    (void)state;
    failed_expectations = 0;
    if (p11->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
        return 0;
    for (CK_ULONG i = 0; i < count; i++)
        p11->C_CloseAllSessions(slots[i]);
    return 0;
}
