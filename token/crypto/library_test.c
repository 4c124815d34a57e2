#include <pthread.h>

#include <openssl/crypto.h>

#include "token/crypto/cipher.h"
#include "token/crypto/mac.h"
#include "token/crypto/test_support.h"

#define THREADS 8

/* 512 bits of no modulus. */
#define UNFIT_NUMBER                                                                               \
    "ff000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
    "0000000000000000000000000000000000000005"

static const struct scheme ecdsa = {.kind = SCHEME_ECDSA};

static int make_files(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("openssl genpkey -algorithm EC -pkeyopt group:P-256 -out ec.key");
    run("printf '[req]\\ndistinguished_name=n\\n[n]\\n' >req.cnf");
    run("openssl req -config req.cnf -new -x509 -key ec.key -subj /CN=ec -out ec.crt");
    run("openssl pkcs12 -export -inkey ec.key -in ec.crt -passout pass:1234 -out ec.p12");
    run("openssl pkcs8 -topk8 -in ec.key -passout pass:1234 -out pkcs8.key");
    run("openssl ec -in ec.key -aes128 -passout pass:1234 -out traditional.key");
    return 0;
}

static void use_ciphers(void)
{
    uint8_t key[CRYPTO_SEAL_KEY_SIZE] = {1};
    const struct view with = view_of(key, sizeof(key)), text = view_string("sixteen bytes ..");
    const struct hkdf hkdf = {.hash = HASH_SHA3_256, .extract = true, .expand = true};
    struct bytes sealed = {0}, plain = {0}, wrapped = {0}, derived = {0}, code = {0};
    struct crypto_mac *mac = NULL;
    assert_int_equal(crypto_seal(with, text, text, &sealed), CKR_OK);
    assert_int_equal(crypto_unseal(with, text, bytes_view(&sealed), &plain), CKR_OK);
    assert_int_equal(crypto_wrap(with, true, text, &wrapped), CKR_OK);
    assert_int_equal(crypto_hkdf(&hkdf, text, 100, &derived), CKR_OK);
    assert_int_equal(crypto_mac_new(HASH_NONE, with, &mac), CKR_OK);
    assert_int_equal(crypto_mac_finish(mac, &code), CKR_OK);
    crypto_mac_free(mac);
    bytes_free(&sealed);
    bytes_free(&plain);
    bytes_free(&wrapped);
    bytes_free(&derived);
    bytes_free(&code);
}

static void use_new_key(enum key_algorithm algorithm, const char *parameters)
{
    struct key_spec spec = {.algorithm = algorithm, .bits = 1024, .curve = from_hex(parameters)};
    struct private_parts parts = {0};
    struct crypto_key *key = NULL, *again = NULL;
    struct public_key public = {0};
    struct bytes der = {0}, private = {0}, secret = {0};
    assert_int_equal(crypto_key_generate(&spec, &key), CKR_OK);
    assert_int_equal(crypto_key_to_pkcs8(key, &der), CKR_OK);
    assert_int_equal(crypto_key_to_parts(key, &parts), CKR_OK);
    if (algorithm == KEY_ALGORITHM_RSA) {
        bytes_free(&parts.prime_1);
        bytes_free(&parts.prime_2);
        bytes_free(&parts.exponent_1);
        bytes_free(&parts.exponent_2);
        bytes_free(&parts.coefficient);
    }
    assert_int_equal(crypto_key_from_parts(&parts, &again), CKR_OK);
    assert_int_equal(crypto_key_public(again, &public), CKR_OK);
    if (algorithm == KEY_ALGORITHM_RSA || algorithm == KEY_ALGORITHM_EC)
        assert_int_equal(crypto_tpm_duplicate(&public, view_string("name"), view_string("secret"),
                                              &private, &secret),
                         CKR_OK);
    crypto_key_free(key);
    crypto_key_free(again);
    public_key_clear(&public);
    private_parts_clear(&parts);
    key_spec_clear(&spec);
    bytes_free(&der);
    bytes_free(&private);
    bytes_free(&secret);
}

static void use_new_keys(void)
{
    use_new_key(KEY_ALGORITHM_RSA, "");
    use_new_key(KEY_ALGORITHM_EC, "06082a8648ce3d030107");
    use_new_key(KEY_ALGORITHM_EDWARDS, "06032b6570");
    use_new_key(KEY_ALGORITHM_MONTGOMERY, "06032b656e");
}

/* A bit of everything that this room does. */
static void use_everything(void)
{
    use_ciphers();
    use_new_keys();
    static const char *const files[] = {"ec.key", "ec.crt", "ec.p12", "pkcs8.key",
                                        "traditional.key"};
    uint8_t digest[HASH_MAX_SIZE];
    assert_int_equal(crypto_hash(HASH_SHA256, view_string("x"), digest), CKR_OK);
    assert_int_equal(crypto_random(digest, 32), CKR_OK);
    assert_int_equal(crypto_random_seed(view_string("seed")), CKR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct decoded decoded = {0};
        struct public_key public = {0};
        struct bytes signature = {0}, secret = {0};
        assert_int_equal(decode_file(files[i], "1234", &decoded, NULL), CKR_OK);
        if (decoded.private_key) {
            struct view input = view_of(digest, 32);
            assert_int_equal(crypto_key_public(decoded.private_key, &public), CKR_OK);
            assert_int_equal(crypto_key_sign(decoded.private_key, &ecdsa, input, &signature),
                             CKR_OK);
            assert_int_equal(crypto_verify(&public, &ecdsa, input, bytes_view(&signature)), CKR_OK);
            assert_int_equal(
                crypto_key_derive(decoded.private_key, bytes_view(&public.point), &secret), CKR_OK);
        }
        bytes_free(&signature);
        bytes_free(&secret);
        public_key_clear(&public);
        decoded_clear(&decoded);
    }
}

/* Failures of every kind, each of which makes OpenSSL queue errors. */
static void fail_at_everything(void)
{
    struct decoded decoded = {0};
    struct crypto_key *key = NULL;
    uint8_t zeros[64] = {0};
    struct bytes out = {0};
    assert_int_equal(decode_file("ec.p12", "wrong", &decoded, NULL), CKR_PIN_INCORRECT);
    assert_int_equal(decode_file("pkcs8.key", "wrong", &decoded, NULL), CKR_PIN_INCORRECT);
    assert_int_equal(decode_file("traditional.key", "wrong", &decoded, NULL), CKR_PIN_INCORRECT);
    assert_int_equal(crypto_key_from_provider("nosuch", "x", (struct view){0}, &key, NULL),
                     CKR_DEVICE_ERROR);
    key = load_key("ec.key");
    struct public_key public = {0};
    assert_int_equal(crypto_key_public(key, &public), CKR_OK);
    assert_int_equal(crypto_verify(&public, &ecdsa, view_of(zeros, 32), view_of(zeros, 64)),
                     CKR_SIGNATURE_INVALID);
    assert_int_equal(crypto_unseal(view_of(zeros, 32), view_of(zeros, 1), view_of(zeros, 40), &out),
                     CKR_DATA_INVALID);
    assert_int_equal(crypto_unwrap(view_of(zeros, 32), true, view_of(zeros, 40), &out),
                     CKR_WRAPPED_KEY_INVALID);
    struct private_parts parts = {.algorithm = KEY_ALGORITHM_RSA,
                                  .modulus = from_hex(UNFIT_NUMBER),
                                  .private_exponent = from_hex("0abcdef1")};
    assert_int_equal(crypto_key_from_parts(&parts, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    private_parts_clear(&parts);
    public.point.data[1] ^= 1;
    assert_int_equal(crypto_point_decode(&public, bytes_view(&public.point), &out),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_int_not_equal(crypto_verify(&public, &ecdsa, view_of(zeros, 32), view_of(zeros, 64)),
                         CKR_OK);
    public_key_clear(&public);
    crypto_key_free(key);
}

/* Runs in a child of its own, so that OpenSSL starts afresh there. */
static int in_child(void (*work)(void))
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work();
        exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void hold(bool condition, int code)
{
    if (!condition)
        _exit(code);
}

/* A configuration under which nothing works in the host's library context. That
 * nothing works there afterwards proves the test, and that the host got the
 * configuration it asked for. */
static void ignore_configuration(void)
{
    write_file("openssl.cnf",
               view_string("openssl_conf = init\n[init]\nproviders = all\nalg_section = choice\n"
                           "[all]\nbogus = on\nbase = on\n[on]\nactivate = 1\n"
                           "[choice]\ndefault_properties = provider=bogus\n"));
    setenv("OPENSSL_CONF", "openssl.cnf", 1);
    use_everything();
    fail_at_everything();
    crypto_start();
    use_everything();
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    hold(md == NULL, 77);
}

static void the_hosts_configuration_changes_nothing_and_is_not_lost(UNUSED void **state)
{
    assert_int_equal(in_child(ignore_configuration), 0);
}

static void queue_errors(void)
{
    ERR_clear_error();
    use_everything();
    fail_at_everything();
    hold(ERR_peek_error() == 0, 1);
    ERR_raise(ERR_LIB_USER, 42);
    use_everything();
    fail_at_everything();
    hold(ERR_GET_REASON(ERR_get_error()) == 42, 2);
    hold(ERR_get_error() == 0, 3);
}

static void the_hosts_error_queue_stays_as_it_was(UNUSED void **state)
{
    assert_int_equal(in_child(queue_errors), 0);
}

static void *use_once(UNUSED void *data)
{
    use_everything();
    return NULL;
}

/* OpenSSL 3.0 crashes when a thread ends after a library context that it used was
 * freed: the context stays for good. */
static void a_thread_that_used_it_may_end_at_any_time(UNUSED void **state)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, use_once, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    use_everything();
    assert_true(crypto_alive());
}

static void work_goes_on_in_a_forked_child(UNUSED void **state)
{
    uint8_t ours[32], theirs[32];
    int pipes[2], status = 0;
    use_everything();
    struct crypto_key *key = load_key("ec.key");
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        struct bytes signature = {0};
        use_everything();
        hold(crypto_key_sign(key, &ecdsa, view_string("digest"), &signature) == CKR_OK, 1);
        bytes_free(&signature);
        crypto_key_free(key);
        hold(crypto_random(theirs, sizeof(theirs)) == CKR_OK, 2);
        hold(write(pipes[1], theirs, sizeof(theirs)) == sizeof(theirs), 3);
        use_everything();
        exit(0);
    }
    assert_int_equal(crypto_random(ours, sizeof(ours)), CKR_OK);
    assert_int_equal(read(pipes[0], theirs, sizeof(theirs)), sizeof(theirs));
    assert_memory_not_equal(ours, theirs, sizeof(ours));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(pipes[0]);
    close(pipes[1]);
    crypto_key_free(key);
}

struct signed_data {
    struct public_key key;
    struct bytes signature;
    pthread_barrier_t start;
};

static void *verify_often(void *data)
{
    struct signed_data *shared = data;
    uint8_t digest[HASH_MAX_SIZE];
    pthread_barrier_wait(&shared->start);
    for (int i = 0; i < 100; i++)
        if (crypto_hash(HASH_SHA256, view_string("x"), digest) != CKR_OK ||
            crypto_verify(&shared->key, &ecdsa, view_of(digest, 32),
                          bytes_view(&shared->signature)) != CKR_OK)
            return data;
    return NULL;
}

static void threads_that_start_at_once_all_verify(UNUSED void **state)
{
    struct signed_data shared = {0};
    uint8_t digest[HASH_MAX_SIZE];
    pthread_t threads[THREADS];
    struct crypto_key *key = load_key("ec.key");
    assert_int_equal(crypto_hash(HASH_SHA256, view_string("x"), digest), CKR_OK);
    assert_int_equal(crypto_key_public(key, &shared.key), CKR_OK);
    assert_int_equal(crypto_key_sign(key, &ecdsa, view_of(digest, 32), &shared.signature), CKR_OK);
    crypto_key_free(key);
    assert_int_equal(pthread_barrier_init(&shared.start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &shared), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failure = NULL;
        pthread_join(threads[i], &failure);
        assert_null(failure);
    }
    pthread_barrier_destroy(&shared.start);
    public_key_clear(&shared.key);
    bytes_free(&shared.signature);
}

static struct crypto_key *late_key;
static struct crypto_digest *late_digest;

/* Registered before OpenSSL's own handler, it runs after it. */
static void use_late(void)
{
    hold(!crypto_alive(), 1);
    crypto_key_free(late_key);
    crypto_digest_free(late_digest);
    _exit(42);
}

static void exit_with_objects(void)
{
    /* The test's own files went through OpenSSL's command alone so far. */
    atexit(use_late);
    late_key = load_key("ec.key");
    hold(crypto_digest_new(HASH_SHA256, &late_digest) == CKR_OK, 2);
    hold(crypto_alive(), 3);
}

static void nothing_is_freed_after_openssl_cleaned_up(UNUSED void **state)
{
    assert_int_equal(in_child(exit_with_objects), 42);
}

int main(void)
{
    /* Those that need an OpenSSL that nobody has used yet come first. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_freed_after_openssl_cleaned_up),
        cmocka_unit_test(the_hosts_configuration_changes_nothing_and_is_not_lost),
        cmocka_unit_test(the_hosts_error_queue_stays_as_it_was),
        cmocka_unit_test(a_thread_that_used_it_may_end_at_any_time),
        cmocka_unit_test(work_goes_on_in_a_forked_child),
        cmocka_unit_test(threads_that_start_at_once_all_verify),
    };
    return cmocka_run_group_tests(tests, make_files, leave_directory);
}
