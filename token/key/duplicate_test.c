/* Keys made in software are imported by the embedded TPM, and do their work there. */
#include "token/tpm/test_support.h"

#include "token/base/key_spec.h"
#include "token/crypto/digest.h"
#include "token/crypto/mac.h"
#include "token/crypto/padding.h"
#include "token/crypto/pem.h"
#include "token/crypto/private.h"
#include "token/crypto/public.h"
#include "token/crypto/tss2.h"
#include "token/tpm/public.h"

/* A program without the sanitizer cannot load a library with it. */
#ifdef __SANITIZE_ADDRESS__
#define OPENSSL_LOADS_EMULATOR false
#else
#define OPENSSL_LOADS_EMULATOR true
#endif

static TSS2_TCTI_CONTEXT *tcti;
static ESYS_CONTEXT *esys;

static int open_tpm(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    setenv("TSS2_LOG", "all+none", 1);
    setenv("TPM2OPENSSL_TCTI", emulator_choice(), 1);
    tcti = emulator_open();
    return (int)Esys_Initialize(&esys, tcti, NULL);
}

static int close_tpm(void **state)
{
    Esys_Finalize(&esys);
    Tss2_TctiLdr_Finalize(&tcti);
    return leave_directory(state);
}

static TPM2B_PUBLIC rsa_storage_template(void)
{
    TPM2B_PUBLIC public = storage_template(true);
    public.publicArea.type = TPM2_ALG_RSA;
    public.publicArea.parameters.rsaDetail = (TPMS_RSA_PARMS){
        .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
        .scheme.scheme = TPM2_ALG_NULL,
        .keyBits = 2048};
    public.publicArea.unique = (TPMU_PUBLIC_ID){0};
    return public;
}

static struct public_key public_of(ESYS_TR handle)
{
    TPM2B_PUBLIC *public = NULL;
    struct public_key key = {0};
    assert_int_equal(Esys_ReadPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                     &public, NULL, NULL),
                     0);
    assert_ok(tpm_public_key(&public->publicArea, &key, NULL));
    Esys_Free(public);
    return key;
}

/* A new software key, as the TPM's structures. */
struct subject {
    struct public_key public_key;
    TPM2B_PUBLIC public;
    uint8_t name[34];
    uint8_t sensitive[sizeof(TPMT_SENSITIVE)];
    size_t sensitive_size;
};

static void fill_ec(const struct private_parts *parts, TPMT_PUBLIC *area, TPMT_SENSITIVE *secret)
{
    TPMS_ECC_POINT *point = &area->unique.ecc;
    point->x.size = point->y.size = 32;
    memcpy(point->x.buffer, parts->point.data + 1, 32);
    memcpy(point->y.buffer, parts->point.data + 33, 32);
    secret->sensitive.ecc.size = 32;
    memcpy(secret->sensitive.ecc.buffer, parts->value.data, 32);
}

static void fill_rsa(const struct private_parts *parts, TPMT_PUBLIC *area, TPMT_SENSITIVE *secret)
{
    area->unique.rsa.size = (UINT16)parts->modulus.size;
    memcpy(area->unique.rsa.buffer, parts->modulus.data, parts->modulus.size);
    secret->sensitive.rsa.size = (UINT16)parts->prime_1.size;
    memcpy(secret->sensitive.rsa.buffer, parts->prime_1.data, parts->prime_1.size);
}

static void make_name(struct subject *subject)
{
    uint8_t area[sizeof(TPMT_PUBLIC)], digest[HASH_MAX_SIZE];
    size_t size = 0;
    assert_int_equal(
        Tss2_MU_TPMT_PUBLIC_Marshal(&subject->public.publicArea, area, sizeof(area), &size), 0);
    assert_ok(crypto_hash(HASH_SHA256, view_of(area, size), digest));
    subject->name[0] = TPM2_ALG_SHA256 >> 8;
    subject->name[1] = TPM2_ALG_SHA256 & 0xff;
    memcpy(subject->name + 2, digest, 32);
}

static struct subject make_subject(TPM2_ALG_ID type)
{
    static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    const struct wish wish = {.type = type, .attributes = TPMA_OBJECT_SIGN_ENCRYPT};
    struct subject subject = {.public = wished_public(&wish)};
    TPMT_SENSITIVE secret = {.sensitiveType = type};
    struct key_spec spec = {
        .algorithm = type == TPM2_ALG_ECC ? KEY_ALGORITHM_EC : KEY_ALGORITHM_RSA, .bits = 2048};
    struct private_parts parts = {0};
    struct crypto_key *key = NULL;
    assert_ok(bytes_copy(&spec.curve, view_of(p256, sizeof(p256))));
    assert_ok(crypto_key_generate(&spec, &key));
    assert_ok(crypto_key_to_parts(key, &parts));
    assert_ok(crypto_key_public(key, &subject.public_key));
    crypto_key_free(key);
    subject.public.publicArea.objectAttributes &=
        ~(TPMA_OBJECT)(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                       TPMA_OBJECT_SENSITIVEDATAORIGIN);
    (type == TPM2_ALG_ECC ? fill_ec : fill_rsa)(&parts, &subject.public.publicArea, &secret);
    make_name(&subject);
    assert_int_equal(Tss2_MU_TPMT_SENSITIVE_Marshal(&secret, subject.sensitive,
                                                    sizeof(subject.sensitive),
                                                    &subject.sensitive_size),
                     0);
    private_parts_clear(&parts);
    key_spec_clear(&spec);
    return subject;
}

static TSS2_RC import(ESYS_TR parent, const struct subject *subject, const struct bytes *private,
                      const struct bytes *secret, TPM2B_PRIVATE **ret_private)
{
    static const TPM2B_DATA no_key;
    const TPMT_SYM_DEF_OBJECT no_symmetric = {.algorithm = TPM2_ALG_NULL};
    TPM2B_PRIVATE duplicate = {0};
    TPM2B_ENCRYPTED_SECRET seed = {0};
    size_t offset = 0;
    assert_int_equal(
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(private->data, private->size, &offset, &duplicate), 0);
    assert_int_equal(offset, private->size);
    offset = 0;
    assert_int_equal(
        Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(secret->data, secret->size, &offset, &seed), 0);
    assert_int_equal(offset, secret->size);
    return Esys_Import(esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &no_key,
                       &subject->public, &duplicate, &seed, &no_symmetric, ret_private);
}

static void assert_signs(ESYS_TR handle, const struct public_key *key)
{
    const bool ec = key->algorithm == KEY_ALGORITHM_EC;
    const struct scheme scheme = {.kind = ec ? SCHEME_ECDSA : SCHEME_RSA_PKCS1};
    const TPMT_TK_HASHCHECK ticket = {.tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
    const TPMT_SIG_SCHEME wanted = {.scheme = ec ? TPM2_ALG_ECDSA : TPM2_ALG_RSASSA,
                                    .details.any.hashAlg = TPM2_ALG_SHA256};
    TPM2B_DIGEST digest = {.size = 32, .buffer = "0123456789abcdef0123456789abcde"};
    TPMT_SIGNATURE *signature = NULL;
    struct bytes info = {0}, bytes = {0};
    assert_int_equal(Esys_Sign(esys, handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &digest,
                               &wanted, &ticket, &signature),
                     0);
    struct view input = view_of(digest.buffer, 32);
    if (ec) {
        const TPMS_SIGNATURE_ECC *parts = &signature->signature.ecdsa;
        assert_ok(bytes_alloc(&bytes, 64));
        memcpy(bytes.data + 32 - parts->signatureR.size, parts->signatureR.buffer,
               parts->signatureR.size);
        memcpy(bytes.data + 64 - parts->signatureS.size, parts->signatureS.buffer,
               parts->signatureS.size);
    } else {
        const TPM2B_PUBLIC_KEY_RSA *block = &signature->signature.rsassa.sig;
        assert_ok(bytes_copy(&bytes, view_of(block->buffer, block->size)));
        assert_ok(crypto_digest_info(HASH_SHA256, input, &info));
        input = bytes_view(&info);
    }
    assert_ok(crypto_verify(key, &scheme, input, bytes_view(&bytes)));
    Esys_Free(signature);
    bytes_free(&info);
    bytes_free(&bytes);
}

/* The imported key as a file, which openssl reads through its provider and signs with. */
static void assert_openssl_signs(const struct subject *subject, const TPM2B_PRIVATE *private)
{
    uint8_t marshalled[sizeof(TPM2B_PUBLIC) + sizeof(TPM2B_PRIVATE)];
    size_t first = 0, both = 0;
    struct tpm_key_file file = {
        .type = TPM_KEY_LOADABLE, .empty_auth = true, .parent = TPM2_RH_OWNER};
    struct bytes der = {0}, text = {0}, pem = {0};
    assert_int_equal(
        Tss2_MU_TPM2B_PUBLIC_Marshal(&subject->public, marshalled, sizeof(marshalled), &first), 0);
    both = first;
    assert_int_equal(Tss2_MU_TPM2B_PRIVATE_Marshal(private, marshalled, sizeof(marshalled), &both),
                     0);
    assert_ok(bytes_copy(&file.public, view_of(marshalled, first)));
    assert_ok(bytes_copy(&file.private, view_of(marshalled + first, both - first)));
    assert_ok(tss2_encode(&file, &der));
    assert_ok(pem_write(&pem, "TSS2 PRIVATE KEY", bytes_view(&der)));
    assert_ok(pem_write(&text, "PUBLIC KEY", bytes_view(&subject->public_key.spki)));
    assert_ok(bytes_append(&pem, view_of("", 1), SIZE_MAX));
    assert_ok(bytes_append(&text, view_of("", 1), SIZE_MAX));
    write_file("key.tpm", (const char *)pem.data);
    write_file("key.pub", (const char *)text.data);
    run("openssl pkeyutl -provider tpm2 -provider default -propquery '?provider=tpm2' -sign -rawin "
        "-digest sha256 -inkey key.tpm -in key.pub -out sig"
        " && openssl dgst -sha256 -verify key.pub -signature sig key.pub");
    bytes_free(&file.public);
    bytes_free(&file.private);
    bytes_free(&der);
    bytes_free(&pem);
    bytes_free(&text);
}

static void check_import(const TPM2B_PUBLIC *template, TPM2_ALG_ID type, bool with_openssl)
{
    ESYS_TR parent = make_primary(esys, template), handle = ESYS_TR_NONE;
    struct public_key parent_key = public_of(parent);
    struct subject subject = make_subject(type);
    struct bytes private, secret;
    TPM2B_PRIVATE *imported = NULL;
    const struct view name = view_of(subject.name, sizeof(subject.name));
    const struct view sensitive = view_of(subject.sensitive, subject.sensitive_size);
    poison(private);
    poison(secret);
    assert_ok(crypto_tpm_duplicate(&parent_key, name, sensitive, &private, &secret));
    assert_int_equal(import(parent, &subject, &private, &secret, &imported), 0);
    assert_int_equal(Esys_Load(esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, imported,
                               &subject.public, &handle),
                     0);
    assert_signs(handle, &subject.public_key);
    Esys_FlushContext(esys, handle);
    if (with_openssl && OPENSSL_LOADS_EMULATOR)
        assert_openssl_signs(&subject, imported);
    Esys_Free(imported);

    private.data[private.size - 1] ^= 1; /* the TPM notices any change */
    assert_int_equal(import(parent, &subject, &private, &secret, &imported) & 0xfff,
                     TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_3);
    Esys_FlushContext(esys, parent);
    public_key_clear(&parent_key);
    public_key_clear(&subject.public_key);
    bytes_free(&private);
    bytes_free(&secret);
}

static void a_p256_root_imports_an_ec_key(UNUSED void **state)
{
    const TPM2B_PUBLIC template = storage_template(true);
    for (int i = 0; i < 20; i++) /* now and then a coordinate begins with zeros */
        check_import(&template, TPM2_ALG_ECC, i == 0);
}

static void a_p256_root_imports_an_rsa_key(UNUSED void **state)
{
    const TPM2B_PUBLIC template = storage_template(true);
    check_import(&template, TPM2_ALG_RSA, true);
}

static void an_rsa_root_imports_both(UNUSED void **state)
{
    const TPM2B_PUBLIC template = rsa_storage_template();
    check_import(&template, TPM2_ALG_ECC, false);
    check_import(&template, TPM2_ALG_RSA, false);
}

static void other_parents_and_sizes_are_refused(UNUSED void **state)
{
    static const uint8_t p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, zeros[5000];
    struct key_spec spec = {.algorithm = KEY_ALGORITHM_EC};
    struct crypto_key *key = NULL;
    struct public_key parent = {0}, none = {0};
    struct bytes private, secret;
    poison(private);
    poison(secret);
    assert_ok(bytes_copy(&spec.curve, view_of(p384, sizeof(p384))));
    assert_ok(crypto_key_generate(&spec, &key));
    assert_ok(crypto_key_public(key, &parent));
    assert_rv(crypto_tpm_duplicate(&parent, view_string("name"), view_string("secret"), &private,
                                   &secret),
              CKR_KEY_TYPE_INCONSISTENT);
    assert_rv(
        crypto_tpm_duplicate(&none, view_string("name"), view_string("secret"), &private, &secret),
        CKR_KEY_TYPE_INCONSISTENT);
    assert_rv(crypto_tpm_duplicate(&parent, view_string("name"), view_of(zeros, sizeof(zeros)),
                                   &private, &secret),
              CKR_DATA_LEN_RANGE);
    assert_poison(private);
    assert_poison(secret);
    crypto_key_free(key);
    public_key_clear(&parent);
    key_spec_clear(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_p256_root_imports_an_ec_key),
        cmocka_unit_test(a_p256_root_imports_an_rsa_key),
        cmocka_unit_test(an_rsa_root_imports_both),
        cmocka_unit_test(other_parents_and_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, open_tpm, close_tpm);
}
