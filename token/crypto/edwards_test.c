/* Edwards and Montgomery keys: RFC 8032, 7748 and 8410. */
#include "token/crypto/certificate.h"
#include "token/crypto/curve.h"
#include "token/crypto/software_key.h"
#include "token/crypto/test_support.h"

static const struct scheme eddsa = {.kind = SCHEME_EDDSA};

static struct crypto_key *key_of(const char *curve_name, const char *value)
{
    const struct curve *curve = curve_by_name(curve_name);
    struct private_parts parts = {.algorithm = curve->algorithm, .value = from_hex(value)};
    struct crypto_key *key = NULL;
    assert_int_equal(bytes_copy(&parts.curve, curve_oid(curve)), CKR_OK);
    assert_int_equal(crypto_key_from_parts(&parts, &key), CKR_OK);
    private_parts_clear(&parts);
    return key;
}

static struct public_key public_of(const struct crypto_key *key)
{
    struct public_key public = {0};
    assert_int_equal(crypto_key_public(key, &public), CKR_OK);
    return public;
}

/* RFC 8032, 7.1 and 7.4. */
static void signatures_are_those_of_the_standard(UNUSED void **state)
{
    static const struct {
        const char *curve, *secret, *public, *message, *signature;
        unsigned bits;
    } known[] = {
        {"ED25519", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
         "1cf9b46bd25bf5f0595bbe24655141438e7a100b",
         255},
        {"ED25519", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
         "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
         255},
        {"ED448",
         "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b"
         "94492f8f032e7549a20098f95b",
         "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783d"
         "f1e50f6cd1fa1abeafe8256180",
         "",
         "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22"
         "ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cd"
         "da8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600",
         448},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct crypto_key *key = key_of(known[i].curve, known[i].secret);
        struct public_key public = public_of(key);
        struct bytes message = from_hex(known[i].message), signature;
        memset(&signature, POISON, sizeof(signature));
        assert_hex_equal(bytes_view(&public.point), known[i].public);
        assert_int_equal(public.bits, known[i].bits);
        assert_int_equal(crypto_key_sign(key, &eddsa, bytes_view(&message), &signature), CKR_OK);
        assert_hex_equal(bytes_view(&signature), known[i].signature);
        assert_int_equal(signature.size, public_key_block_size(&public));
        assert_int_equal(
            crypto_verify(&public, &eddsa, bytes_view(&message), bytes_view(&signature)), CKR_OK);
        assert_int_equal(
            crypto_verify(&public, &eddsa, view_string("other"), bytes_view(&signature)),
            CKR_SIGNATURE_INVALID);
        assert_int_equal(crypto_verify(&public, &eddsa, bytes_view(&message),
                                       view_of(signature.data, signature.size - 1)),
                         CKR_SIGNATURE_LEN_RANGE);
        for (size_t bit = 0; bit < 8 * signature.size; bit += 7) {
            signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(
                crypto_verify(&public, &eddsa, bytes_view(&message), bytes_view(&signature)),
                CKR_SIGNATURE_INVALID);
            signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        bytes_free(&message);
        bytes_free(&signature);
        public_key_clear(&public);
        crypto_key_free(key);
    }
}

/* RFC 7748, 6.1 and 6.2. */
static void shared_secrets_are_those_of_the_standard(UNUSED void **state)
{
    static const struct {
        const char *curve, *secret, *peer_secret, *shared;
    } known[] = {
        {"X25519", "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
         "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
        {"X448",
         "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf5"
         "74a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
         "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120"
         "bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
         "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56"
         "fd2464c335543936521c24403085d59a449a5037514a879d"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct crypto_key *key = key_of(known[i].curve, known[i].secret);
        struct crypto_key *peer = key_of(known[i].curve, known[i].peer_secret);
        struct public_key public = public_of(key), other = public_of(peer);
        struct bytes secret, same = {0}, wrapped = from_hex(i ? "0438" : "0420"), point = {0};
        memset(&secret, POISON, sizeof(secret));
        assert_int_equal(crypto_key_derive(key, bytes_view(&other.point), &secret), CKR_OK);
        assert_int_equal(crypto_key_derive(peer, bytes_view(&public.point), &same), CKR_OK);
        assert_view_equal(bytes_view(&secret), bytes_view(&same));
        assert_int_equal(secret.size, other.point.size);
        assert_hex_equal(bytes_view(&secret), known[i].shared);

        assert_int_equal(bytes_append(&wrapped, bytes_view(&other.point), 100), CKR_OK);
        assert_int_equal(crypto_point_decode(&public, bytes_view(&wrapped), &point), CKR_OK);
        assert_view_equal(bytes_view(&point), bytes_view(&other.point));
        bytes_free(&point);
        assert_int_equal(crypto_point_decode(&public, bytes_view(&other.point), &point), CKR_OK);
        assert_view_equal(bytes_view(&point), bytes_view(&other.point));
        bytes_free(&point);
        wrapped.size--;
        assert_int_equal(crypto_point_decode(&public, bytes_view(&wrapped), &point),
                         CKR_MECHANISM_PARAM_INVALID);
        wrapped.size++;
        bytes_free(&secret);
        bytes_free(&same);
        bytes_free(&wrapped);
        public_key_clear(&public);
        public_key_clear(&other);
        crypto_key_free(key);
        crypto_key_free(peer);
    }
}

static void points_of_small_order_and_of_other_sizes_give_no_secret(UNUSED void **state)
{
    static const uint8_t zeros[57];
    struct crypto_key *key =
        key_of("X25519", "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    struct bytes secret;
    memset(&secret, POISON, sizeof(secret));
    for (size_t size = 0; size <= sizeof(zeros); size++)
        assert_int_equal(crypto_key_derive(key, view_of(zeros, size), &secret),
                         CKR_MECHANISM_PARAM_INVALID);
    assert_true(all_poison(&secret, sizeof(secret)));
    crypto_key_free(key);
}

static void each_kind_of_key_does_its_own_work_only(UNUSED void **state)
{
    const char *secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    struct crypto_key *signer = key_of("ED25519", secret), *deriver = key_of("X25519", secret);
    struct public_key signing = public_of(signer), deriving = public_of(deriver);
    const struct scheme ecdsa = {.kind = SCHEME_ECDSA};
    const struct view text = view_string("text");
    struct bytes out;
    memset(&out, POISON, sizeof(out));
    assert_int_equal(crypto_key_sign(deriver, &eddsa, text, &out), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_key_sign(signer, &ecdsa, text, &out), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_key_derive(signer, bytes_view(&signing.point), &out),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_verify(&deriving, &eddsa, text, text), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(crypto_verify(&signing, &ecdsa, text, text), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(public_key_block_size(&deriving), 0);
    assert_int_equal(public_key_coordinate_size(&signing), 0);
    assert_true(all_poison(&out, sizeof(out)));
    public_key_clear(&signing);
    public_key_clear(&deriving);
    crypto_key_free(signer);
    crypto_key_free(deriver);
}

static void openssl_and_certificates_have_the_same_key(UNUSED void **state)
{
    static const char *const names[] = {"ED25519", "ED448"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char command[256];
        struct certificate certificate = {0};
        struct reason reason = {0};
        snprintf(command, sizeof(command),
                 "openssl genpkey -algorithm %s -out ed.key && "
                 "printf '[req]\\ndistinguished_name=n\\n[n]\\n' >req.cnf && openssl req -config "
                 "req.cnf -new -x509 -key ed.key -subj /CN=ed -outform DER -out ed.crt",
                 names[i]);
        run(command);
        run("openssl pkey -in ed.key -pubout -outform DER -out ed.spki; printf message >message; "
            "openssl pkeyutl -sign -rawin -inkey ed.key -in message -out signature");
        struct bytes der = read_file("ed.crt"), spki = read_file("ed.spki");
        struct bytes signature = read_file("signature");
        struct crypto_key *key = load_key("ed.key");
        struct public_key public = public_of(key);
        assert_view_equal(bytes_view(&public.spki), bytes_view(&spki));
        assert_int_equal(certificate_decode(bytes_view(&der), &certificate, &reason), CKR_OK);
        assert_true(public_key_equal(&certificate.public_key, &public));
        assert_int_equal(certificate.public_key.bits, public.bits);
        assert_int_equal(crypto_verify(&certificate.public_key, &eddsa, view_string("message"),
                                       bytes_view(&signature)),
                         CKR_OK);
        certificate_clear(&certificate);
        public_key_clear(&public);
        crypto_key_free(key);
        bytes_free(&der);
        bytes_free(&spki);
        bytes_free(&signature);
    }
}

#define PKCS8_SECRET "0420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"
#define PKCS8_PUBLIC "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"

/* RFC 8410, 10.3: with the public key and an attribute, and what is wrong with others. */
static void the_second_version_of_pkcs8_is_understood(UNUSED void **state)
{
    static const struct {
        const char *der, *why;
    } cases[] = {
        {"302e020100300506032b65700422" PKCS8_SECRET, NULL},
        {"3072020101300506032b65700422" PKCS8_SECRET
         "a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273812100" PKCS8_PUBLIC,
         NULL},
        {"3051020101300506032b65700422" PKCS8_SECRET "812100" PKCS8_PUBLIC, NULL},
        {"3051020101300506032b656e0422" PKCS8_SECRET "812100" PKCS8_PUBLIC, "another one's"},
        {"3030020100300706032b657005000422" PKCS8_SECRET, "malformed"},
        {"3030020100300506032b65700422" PKCS8_SECRET "0500", "malformed"},
        {"302e020100300506032b65710422" PKCS8_SECRET, "malformed"},
        {"302c020100300506032b65700420"
         "041ed4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f4475",
         "malformed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes der = from_hex(cases[i].der);
        struct crypto_key *key = NULL;
        struct reason reason = {0};
        CK_RV rv = software_key_decode(SOFTWARE_KEY_PKCS8, bytes_view(&der), &key, &reason);
        assert_int_equal(rv, cases[i].why ? CKR_DATA_INVALID : CKR_OK);
        if (cases[i].why)
            assert_contains(reason.text, cases[i].why);
        if (key) {
            struct public_key public = public_of(key);
            assert_hex_equal(bytes_view(&public.point), PKCS8_PUBLIC);
            public_key_clear(&public);
        }
        crypto_key_free(key);
        bytes_free(&der);
    }
}

static void public_keys_are_completed_and_read_back(UNUSED void **state)
{
    static const struct {
        enum key_algorithm algorithm;
        const char *curve, *point;
        bool good;
    } cases[] = {
        {KEY_ALGORITHM_EDWARDS, "06032b6570", PKCS8_PUBLIC, true},
        {KEY_ALGORITHM_EDWARDS, "06032b6570", "0420" PKCS8_PUBLIC, true},
        {KEY_ALGORITHM_EDWARDS, "130c656477617264733235353139", "0420" PKCS8_PUBLIC, true},
        {KEY_ALGORITHM_MONTGOMERY, "06032b656e", PKCS8_PUBLIC, true},
        {KEY_ALGORITHM_MONTGOMERY, "06032b6570", PKCS8_PUBLIC, false},
        {KEY_ALGORITHM_EC, "06032b6570", PKCS8_PUBLIC, false},
        {KEY_ALGORITHM_EDWARDS, "06032b6571", PKCS8_PUBLIC, false},
        {KEY_ALGORITHM_EDWARDS, "06032b6570", PKCS8_PUBLIC "00", false},
        {KEY_ALGORITHM_EDWARDS, "06032b6570", "", false},
        {KEY_ALGORITHM_AES, "06032b6570", PKCS8_PUBLIC, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct public_key key = {.algorithm = cases[i].algorithm,
                                 .curve = from_hex(cases[i].curve),
                                 .point = from_hex(cases[i].point)};
        struct public_key again = {0};
        assert_int_equal(crypto_public_complete(&key),
                         cases[i].good ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        if (cases[i].good) {
            assert_hex_equal(bytes_view(&key.point), PKCS8_PUBLIC);
            assert_int_equal(key.bits, 255);
            assert_int_equal(crypto_public_decode(bytes_view(&key.spki), &again), CKR_OK);
            assert_true(public_key_equal(&key, &again));
            assert_int_equal(again.bits, 255);
            for (size_t size = 0; size < key.spki.size; size++) {
                struct public_key none;
                memset(&none, POISON, sizeof(none));
                assert_int_equal(crypto_public_decode(view_of(key.spki.data, size), &none),
                                 CKR_DATA_INVALID);
                assert_true(all_poison(&none, sizeof(none)));
            }
        }
        public_key_clear(&key);
        public_key_clear(&again);
    }
}

/* With parameters, and with a byte too few. */
static void public_keys_of_another_shape_are_refused(UNUSED void **state)
{
    static const char *const cases[] = {
        "302c300706032b65700500032100" PKCS8_PUBLIC,
        "3029300506032b6570032000bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes spki = from_hex(cases[i]);
        struct public_key key;
        memset(&key, POISON, sizeof(key));
        assert_int_equal(crypto_public_decode(bytes_view(&spki), &key), CKR_DATA_INVALID);
        assert_true(all_poison(&key, sizeof(key)));
        bytes_free(&spki);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_standard),
        cmocka_unit_test(shared_secrets_are_those_of_the_standard),
        cmocka_unit_test(points_of_small_order_and_of_other_sizes_give_no_secret),
        cmocka_unit_test(each_kind_of_key_does_its_own_work_only),
        cmocka_unit_test(openssl_and_certificates_have_the_same_key),
        cmocka_unit_test(the_second_version_of_pkcs8_is_understood),
        cmocka_unit_test(public_keys_are_completed_and_read_back),
        cmocka_unit_test(public_keys_of_another_shape_are_refused),
    };
    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
