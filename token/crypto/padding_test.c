#include "token/crypto/test_support.h"

static struct crypto_key *key; /* RSA-1024: small, to reach the limits of the sizes */
static struct public_key public;

static int make_key(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa.key");
    run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1025 -out odd.key");
    key = load_key("rsa.key");
    return crypto_key_public(key, &public) == CKR_OK ? 0 : -1;
}

static int drop_key(void **state)
{
    public_key_clear(&public);
    crypto_key_free(key);
    return leave_directory(state);
}

static void a_digest_info_is_the_bytes_of_rfc_8017(UNUSED void **state)
{
    static const uint8_t sha256[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    uint8_t digest[32];
    struct bytes info;
    memset(digest, 7, sizeof(digest));
    memset(&info, POISON, sizeof(info));
    assert_int_equal(crypto_digest_info(HASH_SHA256, view_of(digest, 32), &info), CKR_OK);
    assert_int_equal(info.size, sizeof(sha256) + 32);
    assert_memory_equal(info.data, sha256, sizeof(sha256));
    assert_memory_equal(info.data + sizeof(sha256), digest, 32);
    bytes_free(&info);
}

static void a_digest_info_is_parsed_only_whole_and_exact(UNUSED void **state)
{
    uint8_t digest[HASH_MAX_SIZE] = {1, 2, 3};
    for (enum hash hash = HASH_SHA1; hash <= HASH_SHA3_512; hash++) {
        struct bytes info = {0};
        enum hash parsed = HASH_NONE;
        struct view found = {0};
        assert_int_equal(crypto_digest_info(hash, view_of(digest, hash_size(hash)), &info), CKR_OK);
        assert_true(crypto_digest_info_parse(bytes_view(&info), &parsed, &found));
        assert_int_equal(parsed, hash);
        assert_view_equal(found, view_of(digest, hash_size(hash)));
        for (size_t i = 0; i < info.size - found.size; i++) {
            info.data[i] ^= 1;
            assert_false(crypto_digest_info_parse(bytes_view(&info), &parsed, &found));
            info.data[i] ^= 1;
        }
        for (size_t size = 0; size < info.size; size++)
            assert_false(crypto_digest_info_parse(view_of(info.data, size), &parsed, &found));
        bytes_free(&info);
    }
}

/* openssl makes a DigestInfo of its own. */
static void openssl_verifies_signatures_with_sha3(UNUSED void **state)
{
    static const struct {
        enum hash hash;
        const char *name;
    } hashes[] = {{HASH_SHA3_224, "sha3-224"},
                  {HASH_SHA3_256, "sha3-256"},
                  {HASH_SHA3_384, "sha3-384"},
                  {HASH_SHA3_512, "sha3-512"}};
    for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
        const struct scheme scheme = {.kind = SCHEME_RSA_PKCS1, .hash = hashes[i].hash};
        uint8_t digest[HASH_MAX_SIZE];
        char command[256];
        struct bytes info = {0}, signature = {0};
        assert_int_equal(crypto_hash(scheme.hash, view_string("message"), digest), CKR_OK);
        assert_int_equal(
            crypto_digest_info(scheme.hash, view_of(digest, hash_size(scheme.hash)), &info),
            CKR_OK);
        assert_int_equal(crypto_key_sign(key, &scheme, bytes_view(&info), &signature), CKR_OK);
        write_file("signature", bytes_view(&signature));
        snprintf(command, sizeof(command),
                 "printf message >message; openssl pkey -in rsa.key -pubout -out rsa.pub; "
                 "openssl dgst -%s -verify rsa.pub -signature signature message",
                 hashes[i].name);
        run(command);
        bytes_free(&info);
        bytes_free(&signature);
    }
}

static void a_digest_of_the_wrong_size_makes_no_digest_info(UNUSED void **state)
{
    struct bytes info;
    memset(&info, POISON, sizeof(info));
    assert_int_equal(crypto_digest_info(HASH_SHA1, view_string("short"), &info),
                     CKR_DATA_LEN_RANGE);
    assert_int_equal(crypto_digest_info(HASH_NONE, view_string(""), &info),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_true(all_poison(&info, sizeof(info)));
}

static void pkcs1_padding_is_that_of_the_standard(UNUSED void **state)
{
    static const uint8_t expected[] = {0,    1,    0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0,    'a',  'b'};
    struct bytes block;
    memset(&block, POISON, sizeof(block));
    assert_int_equal(crypto_pad_pkcs1(view_string("abc"), 13, &block), CKR_DATA_LEN_RANGE);
    assert_int_equal(crypto_pad_pkcs1(view_string(""), 10, &block), CKR_DATA_LEN_RANGE);
    assert_true(all_poison(&block, sizeof(block)));
    assert_int_equal(crypto_pad_pkcs1(view_string("ab"), 13, &block), CKR_OK);
    assert_view_equal(bytes_view(&block), view_of(expected, sizeof(expected)));
    bytes_free(&block);
}

static void raw_padding_is_zeros_in_front(UNUSED void **state)
{
    static const uint8_t expected[] = {0, 0, 'a', 'b'};
    struct bytes block;
    memset(&block, POISON, sizeof(block));
    assert_int_equal(crypto_pad_raw(view_string("abcde"), 4, &block), CKR_DATA_LEN_RANGE);
    assert_true(all_poison(&block, sizeof(block)));
    assert_int_equal(crypto_pad_raw(view_string("ab"), 4, &block), CKR_OK);
    assert_view_equal(bytes_view(&block), view_of(expected, sizeof(expected)));
    bytes_free(&block);
}

/* Our encoding, signed without padding, must verify by OpenSSL's PSS; OpenSSL's
 * signature must verify the same way. */
static void check_pss(struct crypto_key *signer, const struct scheme *scheme)
{
    const struct scheme raw = {.kind = SCHEME_RSA_RAW};
    struct public_key own = {0};
    struct bytes block = {0}, signature = {0};
    uint8_t digest[HASH_MAX_SIZE];
    assert_int_equal(crypto_key_public(signer, &own), CKR_OK);
    assert_int_equal(crypto_hash(scheme->hash, view_string("message"), digest), CKR_OK);
    struct view input = view_of(digest, hash_size(scheme->hash));
    size_t room = (own.bits + 6) / 8 - input.size;
    CK_RV expected =
        room < 2 || scheme->salt_size > room - 2 ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
    assert_int_equal(crypto_pad_pss(scheme, input, own.bits, &block), expected);
    assert_int_equal(crypto_key_sign(signer, scheme, input, &signature), expected);
    if (expected == CKR_OK) {
        assert_int_equal(crypto_verify(&own, scheme, input, bytes_view(&signature)), CKR_OK);
        bytes_free(&signature);
        assert_int_equal(crypto_key_sign(signer, &raw, bytes_view(&block), &signature), CKR_OK);
        assert_int_equal(crypto_verify(&own, scheme, input, bytes_view(&signature)), CKR_OK);
        digest[0] ^= 1;
        assert_int_equal(crypto_verify(&own, scheme, input, bytes_view(&signature)),
                         CKR_SIGNATURE_INVALID);
    }
    bytes_free(&block);
    bytes_free(&signature);
    public_key_clear(&own);
}

static void pss_agrees_with_openssl_for_all_hashes_and_salts(UNUSED void **state)
{
    struct crypto_key *odd = load_key("odd.key");
    for (enum hash hash = HASH_SHA1; hash <= HASH_SHA3_512; hash++)
        for (enum hash mgf = HASH_SHA1; mgf <= HASH_SHA3_512; mgf++) {
            const size_t salts[] = {0, 1, hash_size(hash), 126 - hash_size(hash),
                                    127 - hash_size(hash)};
            for (size_t i = 0; i < ARRAY_SIZE(salts); i++) {
                const struct scheme scheme = {
                    .kind = SCHEME_RSA_PSS, .hash = hash, .mgf_hash = mgf, .salt_size = salts[i]};
                check_pss(key, &scheme);
                check_pss(odd, &scheme);
            }
        }
    crypto_key_free(odd);
}

static void pss_is_exact_about_hash_mask_and_salt(UNUSED void **state)
{
    const struct scheme scheme = {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, 32, {0}};
    struct scheme other = scheme;
    struct bytes signature = {0};
    uint8_t digest[32] = {1};
    struct view input = view_of(digest, 32);
    assert_int_equal(crypto_key_sign(key, &scheme, input, &signature), CKR_OK);
    other.salt_size = 20;
    assert_int_equal(crypto_verify(&public, &other, input, bytes_view(&signature)),
                     CKR_SIGNATURE_INVALID);
    other = scheme;
    other.mgf_hash = HASH_SHA1;
    assert_int_equal(crypto_verify(&public, &other, input, bytes_view(&signature)),
                     CKR_SIGNATURE_INVALID);
    bytes_free(&signature);
}

static void pss_refuses_inputs_and_parameters_that_do_not_fit(UNUSED void **state)
{
    struct scheme scheme = {SCHEME_RSA_PSS, HASH_SHA256, HASH_SHA256, 32, {0}};
    struct bytes block;
    uint8_t digest[32] = {0};
    memset(&block, POISON, sizeof(block));
    assert_int_equal(crypto_pad_pss(&scheme, view_of(digest, 31), 1024, &block),
                     CKR_DATA_LEN_RANGE);
    assert_int_equal(crypto_pad_pss(&scheme, view_of(digest, 32), 0, &block),
                     CKR_MECHANISM_PARAM_INVALID);
    scheme.salt_size = SIZE_MAX;
    assert_int_equal(crypto_pad_pss(&scheme, view_of(digest, 32), 1024, &block),
                     CKR_MECHANISM_PARAM_INVALID);
    scheme.salt_size = 0;
    scheme.mgf_hash = HASH_NONE;
    assert_int_equal(crypto_pad_pss(&scheme, view_of(digest, 32), 1024, &block),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_true(all_poison(&block, sizeof(block)));
}

/* OpenSSL encrypts, its raw decryption and our decoding must give the plaintext
 * back; so must its own decryption. */
static void check_oaep(const struct scheme *scheme, struct view plain)
{
    const struct scheme raw = {.kind = SCHEME_RSA_RAW};
    struct bytes cipher = {0}, block = {0}, decoded = {0}, direct = {0};
    assert_int_equal(crypto_encrypt(&public, scheme, plain, &cipher), CKR_OK);
    assert_int_equal(crypto_key_decrypt(key, &raw, bytes_view(&cipher), &block), CKR_OK);
    assert_int_equal(block.size, public.modulus.size);
    assert_int_equal(crypto_unpad_oaep(scheme, bytes_view(&block), &decoded), CKR_OK);
    assert_view_equal(bytes_view(&decoded), plain);
    assert_int_equal(crypto_key_decrypt(key, scheme, bytes_view(&cipher), &direct), CKR_OK);
    assert_view_equal(bytes_view(&direct), plain);
    bytes_free(&cipher);
    bytes_free(&block);
    bytes_free(&decoded);
    bytes_free(&direct);
}

static void oaep_agrees_with_openssl_for_all_hashes_and_labels(UNUSED void **state)
{
    static const uint8_t plain[128] = {0, 1, 0, 1};
    for (enum hash hash = HASH_SHA1; hash <= HASH_SHA3_512; hash++)
        for (enum hash mgf = HASH_SHA1; mgf <= HASH_SHA3_512; mgf++)
            for (int labelled = 0; labelled < 2 && hash_size(hash) < 64; labelled++) {
                const struct scheme scheme = {.kind = SCHEME_RSA_OAEP,
                                              .hash = hash,
                                              .mgf_hash = mgf,
                                              .label = view_string(labelled ? "label" : NULL)};
                size_t max = 126 - 2 * hash_size(hash);
                check_oaep(&scheme, view_of(plain, 0));
                check_oaep(&scheme, view_of(plain, 1));
                check_oaep(&scheme, view_of(plain, max));
                struct bytes cipher;
                memset(&cipher, POISON, sizeof(cipher));
                assert_int_equal(crypto_encrypt(&public, &scheme, view_of(plain, max + 1), &cipher),
                                 CKR_DATA_LEN_RANGE);
                assert_true(all_poison(&cipher, sizeof(cipher)));
            }
}

static void xor_mask(uint8_t *data, size_t size, const uint8_t *seed, size_t seed_size)
{
    uint8_t input[256], block[HASH_MAX_SIZE];
    memcpy(input, seed, seed_size);
    for (size_t done = 0; done < size; done++) {
        if (done % 20 == 0) {
            const uint8_t counter[4] = {0, 0, 0, (uint8_t)(done / 20)};
            memcpy(input + seed_size, counter, 4);
            assert_int_equal(crypto_hash(HASH_SHA1, view_of(input, seed_size + 4), block), CKR_OK);
        }
        data[done] ^= block[done % 20];
    }
}

/* Masks a block of Y || seed || DB as RFC 8017, 7.1.1 says. */
static CK_RV unpad_block(const uint8_t plain[128])
{
    static const struct scheme scheme = {SCHEME_RSA_OAEP, HASH_SHA1, HASH_SHA1, 0, {0}};
    uint8_t block[128];
    struct bytes decoded;
    memcpy(block, plain, sizeof(block));
    memset(&decoded, POISON, sizeof(decoded));
    xor_mask(block + 21, 107, block + 1, 20);
    xor_mask(block + 1, 20, block + 21, 107);
    CK_RV rv = crypto_unpad_oaep(&scheme, view_of(block, sizeof(block)), &decoded);
    if (rv == CKR_OK)
        bytes_free(&decoded);
    else
        assert_true(all_poison(&decoded, sizeof(decoded)));
    return rv;
}

static void oaep_answers_every_fault_alike(UNUSED void **state)
{
    uint8_t block[128] = {0}, label_hash[HASH_MAX_SIZE];
    assert_int_equal(crypto_hash(HASH_SHA1, (struct view){0}, label_hash), CKR_OK);
    memcpy(block + 21, label_hash, 20);
    assert_int_equal(unpad_block(block), CKR_ENCRYPTED_DATA_INVALID); /* no 0x01 */
    block[60] = 2;
    block[61] = 1;
    assert_int_equal(unpad_block(block), CKR_ENCRYPTED_DATA_INVALID); /* not all zeros */
    block[60] = 0;
    assert_int_equal(unpad_block(block), CKR_OK);
    block[0] = 1;
    assert_int_equal(unpad_block(block), CKR_ENCRYPTED_DATA_INVALID);
    block[0] = 0;
    for (size_t i = 21; i < 41; i++) {
        block[i] ^= 0x80;
        assert_int_equal(unpad_block(block), CKR_ENCRYPTED_DATA_INVALID);
        block[i] ^= 0x80;
    }
    block[61] = 0;
    block[127] = 1;
    assert_int_equal(unpad_block(block), CKR_OK); /* the empty message */
}

static void oaep_blocks_that_are_too_short_are_refused(UNUSED void **state)
{
    static const struct scheme scheme = {SCHEME_RSA_OAEP, HASH_SHA256, HASH_SHA256, 0, {0}};
    static const uint8_t block[65];
    struct bytes plain;
    memset(&plain, POISON, sizeof(plain));
    for (size_t size = 0; size <= sizeof(block); size++)
        assert_int_equal(crypto_unpad_oaep(&scheme, view_of(block, size), &plain),
                         CKR_ENCRYPTED_DATA_INVALID);
    assert_true(all_poison(&plain, sizeof(plain)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_info_is_the_bytes_of_rfc_8017),
        cmocka_unit_test(a_digest_info_is_parsed_only_whole_and_exact),
        cmocka_unit_test(openssl_verifies_signatures_with_sha3),
        cmocka_unit_test(a_digest_of_the_wrong_size_makes_no_digest_info),
        cmocka_unit_test(pkcs1_padding_is_that_of_the_standard),
        cmocka_unit_test(raw_padding_is_zeros_in_front),
        cmocka_unit_test(pss_agrees_with_openssl_for_all_hashes_and_salts),
        cmocka_unit_test(pss_is_exact_about_hash_mask_and_salt),
        cmocka_unit_test(pss_refuses_inputs_and_parameters_that_do_not_fit),
        cmocka_unit_test(oaep_agrees_with_openssl_for_all_hashes_and_labels),
        cmocka_unit_test(oaep_answers_every_fault_alike),
        cmocka_unit_test(oaep_blocks_that_are_too_short_are_refused),
    };
    return cmocka_run_group_tests(tests, make_key, drop_key);
}
