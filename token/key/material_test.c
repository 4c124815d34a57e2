#include "token/base/test_support.h"

#include "token/key/material.h"
#include "token/tpm/tpm.h"

/* How the files of one key are put together. Nothing here reaches a TPM. */

/* A CA, an EC key with a certificate, another key, and forms of them. */
static const char make_files[] =
    "set -e\n"
    "gen() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out \"$1\"; }\n"
    "gen ca.key; gen leaf.key; gen other.key\n"
    "openssl req -new -x509 -key ca.key -subj /CN=CA -days 30 -out ca.crt\n"
    "openssl req -new -key leaf.key -subj /CN=Leaf -out leaf.csr\n"
    "openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 "
    "-out leaf.crt\n"
    "openssl pkey -in leaf.key -pubout -out leaf.pub\n"
    "openssl pkey -in other.key -pubout -out other.pub\n"
    "openssl pkcs8 -topk8 -in leaf.key -passout pass:1234 -out leaf.enc\n"
    "cat leaf.crt ca.crt >chain.pem; cat ca.crt leaf.crt >reversed.pem\n"
    "cat leaf.key leaf.crt ca.crt >all.pem\n"
    "openssl pkcs12 -export -in leaf.crt -inkey leaf.key -certfile ca.crt -passout pass:1234 "
    "-out leaf.p12\n"
    "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key\n"
    "echo nonsense >garbage; : >empty\n";

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    tpm_quiet();
    run(make_files);
    return 0;
}

/* A section's files by name, read for the test. */
struct section {
    const char *key, *public_key;
    const char *certificates[4];
    uint32_t handle;
    const char *provider, *engine;
    enum key_pin pin;
};

struct files {
    struct bytes contents[8];
    size_t count;
};

static struct key_file load(struct files *files, const char *path)
{
    if (!path)
        return (struct key_file){.path = NULL};
    if (access(path, F_OK) != 0)
        return (struct key_file){.path = path};
    struct bytes *content = &files->contents[files->count++];
    *content = read_file(path);
    return (struct key_file){.path = path, .content = bytes_view(content)};
}

static CK_RV open_section(const struct section *section, struct key_material *material,
                          struct reason *reason)
{
    struct files files = {.count = 0};
    struct key_file certificates[4];
    struct key_description description = {
        .private_key = load(&files, section->key),
        .public_key = load(&files, section->public_key),
        .certificates = certificates,
        .handle = section->handle,
        .provider = section->provider,
        .engine = section->engine,
        .pin = section->pin,
        .tpm = "nowhere:at all",
    };
    for (size_t i = 0; i < 4 && section->certificates[i]; i++)
        certificates[description.certificate_count++] = load(&files, section->certificates[i]);
    CK_RV rv = key_material_open(&description, material, reason);
    for (size_t i = 0; i < files.count; i++)
        bytes_free(&files.contents[i]);
    return rv;
}

static struct key_material opened(const struct section *section)
{
    struct key_material material = {0};
    struct reason reason = {0};
    if (open_section(section, &material, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    return material;
}

static void what_belongs_together_is_put_together(UNUSED void **state)
{
    static const struct {
        struct section section;
        bool key, known, needs_login;
        size_t certificates;
    } rows[] = {
        {{.key = "leaf.key"}, true, true, false, 0},
        {{.key = "rsa.key"}, true, true, false, 0},
        {{.key = "leaf.key", .certificates = {"leaf.crt"}}, true, true, false, 1},
        {{.key = "leaf.key", .certificates = {"chain.pem"}}, true, true, false, 2},
        {{.key = "leaf.key", .certificates = {"leaf.crt", "ca.crt"}}, true, true, false, 2},
        {{.key = "leaf.key", .public_key = "leaf.pub"}, true, true, false, 0},
        {{.key = "leaf.key", .public_key = "leaf.crt"}, true, true, false, 0},
        {{.key = "all.pem"}, true, true, false, 2},
        {{.key = "all.pem", .certificates = {"leaf.crt"}}, true, true, false, 1},
        {{.key = "leaf.enc"}, true, false, true, 0},
        {{.key = "leaf.enc", .certificates = {"leaf.crt"}}, true, true, true, 1},
        {{.key = "leaf.enc", .public_key = "leaf.pub"}, true, true, true, 0},
        {{.key = "leaf.p12"}, true, false, true, 0},
        {{.certificates = {"leaf.crt"}}, false, true, false, 1},
        {{.public_key = "leaf.pub"}, false, true, false, 0},
        {{.key = "handle:0x81000010", .handle = 0x81000010, .certificates = {"leaf.crt"}},
         true,
         true,
         true,
         1},
        {{.key = "handle:0x81000010", .handle = 0x81000010, .public_key = "leaf.pub"},
         true,
         true,
         true,
         0},
        {{.key = "object:x", .provider = "x", .certificates = {"leaf.crt"}}, true, true, false, 1},
        {{.key = "leaf.key", .engine = "tpm2"}, true, true, false, 0},
        {{.key = "leaf.key", .pin = KEY_PIN_NONE}, true, true, false, 0},
        {{.key = "leaf.enc", .certificates = {"leaf.crt"}, .pin = KEY_PIN_REQUIRED},
         true,
         true,
         true,
         1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct key_material material = opened(&rows[i].section);
        bool known = material.public_key.algorithm != KEY_ALGORITHM_NONE;
        if (!!material.key != rows[i].key || known != rows[i].known ||
            material.certificate_count != rows[i].certificates ||
            (material.key && key_needs_login(material.key) != rows[i].needs_login))
            fail_msg("row %zu", i);
        if (known && material.key)
            assert_true(public_key_equal(&material.public_key, key_public(material.key)));
        key_material_clear(&material);
    }
}

static void the_keys_own_certificate_comes_first(UNUSED void **state)
{
    static const struct section sections[] = {
        {.key = "leaf.key", .certificates = {"reversed.pem"}},
        {.key = "leaf.key", .certificates = {"ca.crt", "leaf.crt"}},
        {.public_key = "leaf.pub", .certificates = {"reversed.pem"}},
        {.key = "leaf.enc", .public_key = "leaf.pub", .certificates = {"reversed.pem"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        struct key_material material = opened(&sections[i]);
        assert_int_equal(material.certificate_count, 2);
        assert_view(bytes_view(&material.certificates[0].common_name), "Leaf");
        assert_view(bytes_view(&material.certificates[1].common_name), "CA");
        key_material_clear(&material);
    }
}

static void what_does_not_fit_is_refused_and_names_the_file(UNUSED void **state)
{
    static const struct {
        struct section section;
        const char *reason;
    } rows[] = {
        {{.key = "other.key", .certificates = {"leaf.crt"}},
         "leaf.crt: is not the certificate of other.key"},
        {{.key = "rsa.key", .certificates = {"chain.pem"}},
         "chain.pem: is not the certificate of rsa.key"},
        {{.key = "leaf.key", .public_key = "other.pub"},
         "other.pub: is not the public half of leaf.key"},
        {{.public_key = "other.pub", .certificates = {"leaf.crt"}},
         "leaf.crt: is not the certificate of other.pub"},
        {{.key = "leaf.enc", .public_key = "other.pub", .certificates = {"leaf.crt"}},
         "leaf.crt: is not the certificate of leaf.enc"},
        {{.key = "garbage"}, "garbage: "},
        {{.key = "empty"}, "empty: "},
        {{.key = "leaf.crt"}, "leaf.crt: holds no private key"},
        {{.key = "leaf.pub"}, "leaf.pub: holds no private key"},
        {{.key = "leaf.key", .certificates = {"garbage"}}, "garbage: "},
        {{.key = "leaf.key", .certificates = {"leaf.pub"}}, "leaf.pub: holds no certificate"},
        {{.key = "leaf.key", .public_key = "garbage"}, "garbage: "},
        {{.key = "handle:0x81000010", .handle = 0x81000010}, "name its 'certificate'"},
        {{.key = "handle:0x80000010", .handle = 0x80000010, .public_key = "leaf.pub"},
         "0x80000010 is not a persistent handle"},
        {{.key = "object:x", .provider = "x"}, "object:x: a key of a provider"},
        {{.key = "object:x", .engine = "x"}, "object:x: a key of an engine"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct key_material material;
        struct reason reason = {0};
        poison(material);
        assert_rv(open_section(&rows[i].section, &material, &reason), CKR_DATA_INVALID);
        assert_poison(material);
        assert_contains(reason.text, rows[i].reason);
    }
}

static void the_pin_opens_an_encrypted_file(UNUSED void **state)
{
    static const char *const files[] = {"leaf.enc", "leaf.p12"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const struct scheme scheme = {.kind = SCHEME_ECDSA};
        const struct section section = {.key = files[i]};
        struct key_material material = opened(&section);
        struct bytes signature = {0};
        uint8_t digest[32] = {1};
        size_t count = 7;
        assert_rv(key_login(material.key, view_string("wrong")), CKR_PIN_INCORRECT);
        assert_rv(key_sign(material.key, &scheme, view_of(digest, 32), &signature),
                  CKR_USER_NOT_LOGGED_IN);
        assert_ok(key_login(material.key, view_string("1234")));
        assert_int_equal(key_public(material.key)->algorithm, KEY_ALGORITHM_EC);
        assert_ok(key_sign(material.key, &scheme, view_of(digest, 32), &signature));
        assert_int_equal(signature.size, 64);
        (void)key_certificates(material.key, &count);
        assert_int_equal(count, i == 0 ? 0 : 2);
        bytes_free(&signature);
        key_logout(material.key);
        assert_rv(key_sign(material.key, &scheme, view_of(digest, 32), &signature),
                  CKR_USER_NOT_LOGGED_IN);
        key_material_clear(&material);
    }
}

static void an_encrypted_key_that_is_not_the_certificates_does_not_open(UNUSED void **state)
{
    const struct section section = {.key = "leaf.enc", .public_key = "other.pub"};
    struct key_material material = opened(&section);
    assert_rv(key_login(material.key, view_string("1234")), CKR_DEVICE_ERROR);
    key_material_clear(&material);
}

static void the_id_is_the_hash_that_nss_derives(UNUSED void **state)
{
    const struct section section = {.key = "leaf.key"};
    struct key_material material = opened(&section);
    struct bytes id = {0}, hex;
    run("openssl ec -pubin -in leaf.pub -outform DER | tail -c 65 | openssl sha1 -r | cut -c1-40 "
        ">id.hex");
    assert_ok(key_material_id(&material.public_key, &id));
    assert_int_equal(id.size, 20);
    hex = read_file("id.hex");
    for (size_t i = 0; i < id.size; i++) {
        char digits[3];
        snprintf(digits, sizeof(digits), "%02x", id.data[i]);
        assert_memory_equal(digits, hex.data + 2 * i, 2);
    }
    bytes_free(&id);
    bytes_free(&hex);
    key_material_clear(&material);
    key_material_clear(&material);
}

static void what_a_kind_of_key_lacks_is_not_permitted(UNUSED void **state)
{
    const struct section section = {.key = "leaf.key"};
    struct key_material material = opened(&section);
    const struct scheme rsa = {.kind = SCHEME_RSA_PKCS1}, ecdsa = {.kind = SCHEME_ECDSA};
    struct key *key = material.key;
    assert_int_equal(key_place(key), KEY_IN_SOFTWARE);
    assert_false(key_in_tpm(key));
    assert_true(key_can(key, KEY_USE_SIGN, &ecdsa));
    assert_true(key_can(key, KEY_USE_DERIVE, NULL));
    assert_false(key_can(key, KEY_USE_SIGN, &rsa));
    assert_false(key_can(key, KEY_USE_DECRYPT, &rsa));
    assert_ptr_equal(key_ref(key), key);
    key_unref(key);
    key_unref(NULL);
    assert_ok(key_login(key, view_string("any")));
    key_logout(key);
    key_material_clear(&material);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_together_is_put_together),
        cmocka_unit_test(the_keys_own_certificate_comes_first),
        cmocka_unit_test(what_does_not_fit_is_refused_and_names_the_file),
        cmocka_unit_test(the_pin_opens_an_encrypted_file),
        cmocka_unit_test(an_encrypted_key_that_is_not_the_certificates_does_not_open),
        cmocka_unit_test(the_id_is_the_hash_that_nss_derives),
        cmocka_unit_test(what_a_kind_of_key_lacks_is_not_permitted),
    };
    return cmocka_run_group_tests(tests, begin_group, leave_directory);
}
