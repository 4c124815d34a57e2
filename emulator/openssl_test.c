#include "emulator/test_support.h"

#include "emulator/openssl_scope.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

/* A provider in the host's default library context, as a TPM provider would be:
 * whoever asks there for an algorithm asks it, too. */
static int queries;

static const OSSL_ALGORITHM *spy_query(void *provider, int operation, int *no_cache)
{
    (void)provider;
    (void)operation;
    *no_cache = 1;
    queries++;
    return NULL;
}

static int spy_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                    const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))spy_query},
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    *provider = NULL;
    return 1;
}

static void use_the_tpm(const char *directory)
{
    TSS2_TCTI_CONTEXT *context = test_open(directory);
    uint32_t key = 0;

    assert_int_equal(get_random(context, 32, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    test_close(context);
}

static void the_hosts_providers_are_not_asked(void **state)
{
    OSSL_PROVIDER *defaults = OSSL_PROVIDER_load(NULL, "default");
    OSSL_PROVIDER *spy;
    EVP_MD *digest;

    assert_non_null(defaults);
    assert_int_equal(OSSL_PROVIDER_add_builtin(NULL, "spy", spy_init), 1);
    spy = OSSL_PROVIDER_load(NULL, "spy");
    assert_non_null(spy);
    queries = 0;
    digest = EVP_MD_fetch(NULL, "SHA512-256", NULL);
    assert_non_null(digest);
    EVP_MD_free(digest);
    assert_int_not_equal(queries, 0);

    queries = 0;
    use_the_tpm(*state);
    assert_int_equal(queries, 0);
    (void)OSSL_PROVIDER_unload(spy);
    (void)OSSL_PROVIDER_unload(defaults);
}

static void the_hosts_library_context_and_errors_are_as_before(void **state)
{
    OSSL_LIB_CTX *host = OSSL_LIB_CTX_new();
    OSSL_LIB_CTX *before = OSSL_LIB_CTX_set0_default(host);
    unsigned long error;

    assert_non_null(host);
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 42);
    error = ERR_peek_error();
    use_the_tpm(*state);
    assert_int_equal(ERR_peek_error(), error);
    assert_int_equal(ERR_peek_last_error(), error);
    ERR_clear_error();
    assert_ptr_equal(OSSL_LIB_CTX_set0_default(before), host);
    OSSL_LIB_CTX_free(host);
}

static void more_errors_than_fit_do_not_push_out_the_hosts(void **state)
{
    struct openssl_scope scope;

    (void)state;
    if (!OPENSSL_VERSION_PREREQ(3, 2))
        skip(); /* has no way to put errors aside */
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 42);
    ERR_raise(ERR_LIB_USER, 43);
    scope = openssl_enter();
    assert_int_equal(ERR_peek_error(), 0);
    for (int i = 0; i < 40; i++)
        ERR_raise(ERR_LIB_USER, 7);
    openssl_leave(&scope);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 42);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 43);
    assert_int_equal(ERR_get_error(), 0);
}

static void a_host_that_forbids_our_algorithms_does_not_matter(void **state)
{
    assert_int_equal(EVP_set_default_properties(NULL, "provider=none-such"), 1);
    use_the_tpm(*state);
    assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
}

static void need_openssl(void)
{
    need_program("openssl", "openssl");
    if (system("test -e \"$(openssl version -m | cut -d '\"' -f 2)/tpm2.so\"") != 0) {
        print_message("OpenSSL's tpm2 provider is missing; install tpm2-openssl\n");
        skip();
    }
}

/* The provider's random numbers come from the TPM, and the TPM's from OpenSSL. */
static void the_tpm2_provider_works_over_this_tcti(void **state)
{
    need_openssl();
    assert_int_equal(run_script(*state,
                                "exec 2>log\n"
                                "openssl genpkey -provider tpm2 -provider default -algorithm EC"
                                " -pkeyopt group:P-256 -out ec.pem\n"
                                "openssl genpkey -provider tpm2 -provider default -algorithm RSA"
                                " -pkeyopt bits:2048 -out rsa.pem\n"
                                "for key in ec rsa; do\n"
                                "  openssl req -provider tpm2 -provider default -new -key $key.pem"
                                " -subj /CN=$key -out $key.csr\n"
                                "  openssl req -in $key.csr -verify -noout\n"
                                "done\n"
                                "openssl rand -provider tpm2 -hex 16 >/dev/null\n"),
                     0);
}

static void a_host_configuration_that_loads_the_provider_does_not_go_in_circles(void **state)
{
    need_openssl();
    need_tpm2_tools();
    assert_int_equal(run_script(*state,
                                "printf '%s\\n' 'openssl_conf = init' '[init]' 'providers = list'"
                                " '[list]' 'default = on' 'tpm2 = on' '[on]' 'activate = 1' >conf\n"
                                "export OPENSSL_CONF=$PWD/conf\n"
                                "timeout 20 tpm2_getrandom --hex 8 >/dev/null\n"
                                "timeout 20 openssl rand -hex 8 >/dev/null\n"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_hosts_providers_are_not_asked),
        TEST(the_hosts_library_context_and_errors_are_as_before),
        TEST(more_errors_than_fit_do_not_push_out_the_hosts),
        TEST(a_host_that_forbids_our_algorithms_does_not_matter),
        TEST(the_tpm2_provider_works_over_this_tcti),
        TEST(a_host_configuration_that_loads_the_provider_does_not_go_in_circles),
    };

    return cmocka_run_group_tests_name("emulator: OpenSSL", tests, NULL, NULL);
}
