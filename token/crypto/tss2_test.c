#include "token/crypto/test_support.h"

#include "token/crypto/der.h"
#include "token/crypto/pem.h"
#include "token/crypto/tss2.h"

static const uint8_t loadable[] = {0x67, 0x81, 0x05, 0x0a, 0x01, 0x03};
static const uint8_t importable[] = {0x67, 0x81, 0x05, 0x0a, 0x01, 0x04};
static const uint8_t sealed[] = {0x67, 0x81, 0x05, 0x0a, 0x01, 0x05};
static const uint8_t legacy[] = {0x67, 0x81, 0x05, 0x0a, 0x02, 0x03};
static const uint8_t yes[] = {0xff}, no[] = {0x00};
static const uint8_t owner[] = {0x40, 0x00, 0x00, 0x01};
static const uint8_t persistent[] = {0x00, 0x81, 0x00, 0x00, 0x01};
static const uint8_t public_part[] = {0x00, 0x04, 'p', 'u', 'b', '.'};
static const uint8_t private_part[] = {0x00, 0x05, 'p', 'r', 'i', 'v', '.'};
static const uint8_t secret[] = {0x00, 0x03, 's', 'e', 'c'};

#define VIEW(array) view_of((array), sizeof(array))

/* A key put together field by field; a field without data is left out. */
struct draft {
    struct view oid, empty_auth, policy, secret, auth_policy, description, rsa_parent, unknown;
    struct view parent, public, private, trailer;
};

static const struct draft plain = {.oid = {loadable, sizeof(loadable)},
                                   .parent = {owner, sizeof(owner)},
                                   .public = {public_part, sizeof(public_part)},
                                   .private = {private_part, sizeof(private_part)}};

static void add(struct bytes *out, unsigned tag, struct view content)
{
    if (content.data)
        assert_int_equal(der_append(out, tag, content), CKR_OK);
}

static void add_explicit(struct bytes *out, unsigned number, unsigned tag, struct view content)
{
    struct bytes inner = {0};
    if (!content.data)
        return;
    add(&inner, tag, content);
    add(out, DER_CONTEXT(number), bytes_view(&inner));
    bytes_free(&inner);
}

static struct bytes build(const struct draft *draft)
{
    struct bytes inner = {0}, outer = {0};
    add(&inner, DER_OID, draft->oid);
    add_explicit(&inner, 0, DER_BOOLEAN, draft->empty_auth);
    add_explicit(&inner, 1, DER_SEQUENCE, draft->policy);
    add_explicit(&inner, 2, DER_OCTET_STRING, draft->secret);
    add_explicit(&inner, 3, DER_SEQUENCE, draft->auth_policy);
    add_explicit(&inner, 4, DER_UTF8_STRING, draft->description);
    add_explicit(&inner, 5, DER_BOOLEAN, draft->rsa_parent);
    add_explicit(&inner, 6, DER_BOOLEAN, draft->unknown);
    add(&inner, DER_INTEGER, draft->parent);
    add(&inner, DER_OCTET_STRING, draft->public);
    add(&inner, DER_OCTET_STRING, draft->private);
    add(&inner, DER_OCTET_STRING, draft->trailer);
    add(&outer, DER_SEQUENCE, bytes_view(&inner));
    bytes_free(&inner);
    return outer;
}

static struct tpm_key_file *accept(const struct draft *draft)
{
    struct tpm_key_file *key;
    struct reason reason = {0};
    struct bytes der = build(draft);
    memset(&key, POISON, sizeof(key));
    if (tss2_decode(bytes_view(&der), &key, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    bytes_free(&der);
    return key;
}

static void refuse(const struct draft *draft, const char *why)
{
    struct tpm_key_file *key;
    struct reason reason = {0};
    struct bytes der = build(draft);
    memset(&key, POISON, sizeof(key));
    assert_int_equal(tss2_decode(bytes_view(&der), &key, &reason), CKR_DATA_INVALID);
    assert_contains(reason.text, why);
    assert_true(all_poison(&key, sizeof(key)));
    bytes_free(&der);
}

static void a_loadable_key_gives_its_fields(UNUSED void **state)
{
    struct tpm_key_file *key = accept(&plain);
    assert_int_equal(key->type, TPM_KEY_LOADABLE);
    assert_false(key->empty_auth);
    assert_false(key->rsa_parent);
    assert_false(key->has_policy);
    assert_int_equal(key->parent, 0x40000001);
    assert_view_equal(bytes_view(&key->public), VIEW(public_part));
    assert_view_equal(bytes_view(&key->private), VIEW(private_part));
    assert_int_equal(key->secret.size, 0);
    tss2_free(key);
    tss2_free(NULL);
}

static void every_optional_field_is_understood(UNUSED void **state)
{
    static const uint8_t policy[] = {0x30, 0x0d, 0xa0, 0x04, 0x02, 0x02, 0x01, 0x6b,
                                     0xa1, 0x05, 0x04, 0x03, 1,    2,    3};
    static const uint8_t auth_policy[] = {0x30, 0x18, 0xa0, 0x03, 0x0c, 0x01, 'n',  0xa1, 0x11,
                                          0x30, 0x0f, 0x30, 0x0d, 0xa0, 0x04, 0x02, 0x02, 0x01,
                                          0x6b, 0xa1, 0x05, 0x04, 0x03, 1,    2,    3};
    static const uint8_t odd_true[] = {0x01};
    struct draft draft = plain;
    draft.oid = VIEW(importable);
    draft.empty_auth = VIEW(odd_true);
    draft.policy = VIEW(policy);
    draft.secret = VIEW(secret);
    draft.auth_policy = VIEW(auth_policy);
    draft.description = view_string("my key");
    draft.rsa_parent = VIEW(yes);
    draft.parent = VIEW(persistent);
    struct tpm_key_file *key = accept(&draft);
    assert_int_equal(key->type, TPM_KEY_IMPORTABLE);
    assert_true(key->empty_auth);
    assert_true(key->rsa_parent);
    assert_true(key->has_policy);
    assert_int_equal(key->parent, 0x81000001);
    assert_view_equal(bytes_view(&key->secret), VIEW(secret));
    tss2_free(key);
}

static void an_empty_policy_is_no_policy(UNUSED void **state)
{
    struct draft draft = plain;
    draft.policy = view_string("");
    draft.auth_policy = view_string("");
    draft.empty_auth = VIEW(no);
    struct tpm_key_file *key = accept(&draft);
    assert_false(key->has_policy);
    assert_false(key->empty_auth);
    tss2_free(key);
}

static void a_parent_written_as_a_negative_number_is_the_handle(UNUSED void **state)
{
    static const uint8_t negative[] = {0x81, 0x00, 0x00, 0x01};
    struct draft draft = plain;
    draft.parent = VIEW(negative);
    struct tpm_key_file *key = accept(&draft);
    assert_int_equal(key->parent, 0x81000001);
    tss2_free(key);
}

static void other_parents_are_refused(UNUSED void **state)
{
    static const uint8_t transient[] = {0x00, 0x80, 0x00, 0x00, 0x00}, zero[] = {0},
                         large[] = {0x01, 0x40, 0x00, 0x00, 0x01};
    struct draft draft = plain;
    draft.parent = VIEW(transient);
    refuse(&draft, "its parent 0x80000000 is neither persistent nor a hierarchy");
    draft.parent = VIEW(zero);
    refuse(&draft, "neither persistent nor a hierarchy");
    draft.parent = VIEW(large);
    refuse(&draft, "its parent is malformed");
    draft.parent = view_string("");
    refuse(&draft, "its parent is malformed");
}

static void a_secret_belongs_to_importable_keys(UNUSED void **state)
{
    struct draft draft = plain;
    draft.secret = VIEW(secret);
    refuse(&draft, "it is loadable but has a secret");
    draft.oid = VIEW(sealed);
    tss2_free(accept(&draft));
    draft.secret = (struct view){0};
    struct tpm_key_file *key = accept(&draft);
    assert_int_equal(key->type, TPM_KEY_SEALED);
    tss2_free(key);
    draft.oid = VIEW(importable);
    refuse(&draft, "it is importable but has no secret");
}

static void old_and_unknown_kinds_are_refused(UNUSED void **state)
{
    static const uint8_t other[] = {0x67, 0x81, 0x05, 0x0a, 0x01, 0x06};
    struct draft draft = plain;
    draft.oid = VIEW(legacy);
    refuse(&draft, "2.23.133.10.2");
    draft.oid = VIEW(other);
    refuse(&draft, "object identifier is not");
    draft.oid = view_of(loadable, 5);
    refuse(&draft, "object identifier is not");
    draft.oid = (struct view){0};
    refuse(&draft, "object identifier is missing");
}

static void unknown_fields_are_refused(UNUSED void **state)
{
    struct draft draft = plain;
    draft.unknown = VIEW(yes);
    refuse(&draft, "field [6]");
    draft = plain;
    draft.trailer = VIEW(secret);
    refuse(&draft, "after the private part");
}

static void malformed_fields_are_named(UNUSED void **state)
{
    static const uint8_t wrong_size[] = {0x00, 0x09, 1, 2, 3}, two_bytes[] = {0xff, 0xff};
    static uint8_t large[4097];
    large[0] = 4095 >> 8;
    large[1] = 4095 & 0xff;
    struct draft draft = plain;
    draft.public = VIEW(wrong_size);
    refuse(&draft, "its public part should have 9 bytes and has 3");
    draft.public = VIEW(large);
    refuse(&draft, "its public part has 4097 bytes");
    draft.public = view_of(large, 2);
    refuse(&draft, "its public part has 2 bytes");
    draft = plain;
    draft.private = (struct view){0};
    refuse(&draft, "its private part is missing");
    draft = plain;
    draft.empty_auth = VIEW(two_bytes);
    refuse(&draft, "its emptyAuth is malformed");
    draft = plain;
    draft.policy = VIEW(wrong_size);
    refuse(&draft, "its policy is malformed");
    draft = plain;
    draft.auth_policy = VIEW(wrong_size);
    refuse(&draft, "its authPolicy is malformed");
    draft = plain;
    draft.rsa_parent = view_string("");
    refuse(&draft, "its rsaParent is malformed");
}

static void fields_out_of_order_or_twice_are_refused(UNUSED void **state)
{
    static const uint8_t boolean[] = {0x01, 0x01, 0xff};
    const unsigned orders[][2] = {{5, 0}, {0, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct bytes inner = {0}, outer = {0};
        struct tpm_key_file *key = NULL;
        struct reason reason = {0};
        add(&inner, DER_OID, VIEW(loadable));
        add(&inner, DER_CONTEXT(orders[i][0]), VIEW(boolean));
        add(&inner, DER_CONTEXT(orders[i][1]), VIEW(boolean));
        add(&outer, DER_SEQUENCE, bytes_view(&inner));
        assert_int_equal(tss2_decode(bytes_view(&outer), &key, &reason), CKR_DATA_INVALID);
        assert_contains(reason.text, "out of order");
        bytes_free(&inner);
        bytes_free(&outer);
    }
}

static void every_cut_of_a_key_is_refused(UNUSED void **state)
{
    struct draft draft = plain;
    draft.oid = VIEW(importable);
    draft.secret = VIEW(secret);
    draft.empty_auth = VIEW(yes);
    struct bytes der = build(&draft);
    for (size_t size = 0; size < der.size; size++) {
        struct tpm_key_file *key = NULL;
        struct reason reason = {0};
        struct bytes cut = {0};
        assert_int_equal(bytes_copy(&cut, view_of(der.data, size)), CKR_OK);
        assert_int_equal(tss2_decode(bytes_view(&cut), &key, &reason), CKR_DATA_INVALID);
        assert_string_not_equal(reason.text, "");
        if (size >= 2)
            cut.data[1] = (uint8_t)(size - 2); /* a whole sequence that ends too early */
        assert_int_equal(tss2_decode(bytes_view(&cut), &key, &reason), CKR_DATA_INVALID);
        bytes_free(&cut);
    }
    bytes_free(&der);
}

static void assert_same_fields(const struct tpm_key_file *a, const struct tpm_key_file *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->empty_auth, b->empty_auth);
    assert_int_equal(a->rsa_parent, b->rsa_parent);
    assert_int_equal(a->parent, b->parent);
    assert_view_equal(bytes_view(&a->public), bytes_view(&b->public));
    assert_view_equal(bytes_view(&a->private), bytes_view(&b->private));
    assert_view_equal(bytes_view(&a->secret), bytes_view(&b->secret));
}

static void what_is_encoded_decodes_to_the_same(UNUSED void **state)
{
    static const struct {
        struct view oid, parent, secret;
    } kinds[] = {
        {{loadable, sizeof(loadable)}, {owner, sizeof(owner)}, {0}},
        {{loadable, sizeof(loadable)}, {persistent, sizeof(persistent)}, {0}},
        {{sealed, sizeof(sealed)}, {owner, sizeof(owner)}, {0}},
        {{sealed, sizeof(sealed)}, {owner, sizeof(owner)}, {secret, sizeof(secret)}},
        {{importable, sizeof(importable)}, {owner, sizeof(owner)}, {secret, sizeof(secret)}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        for (unsigned flags = 0; flags < 4; flags++) {
            struct draft draft = plain;
            draft.oid = kinds[i].oid;
            draft.parent = kinds[i].parent;
            draft.secret = kinds[i].secret;
            draft.empty_auth = flags & 1 ? VIEW(yes) : (struct view){0};
            draft.rsa_parent = flags & 2 ? VIEW(yes) : (struct view){0};
            struct bytes expected = build(&draft), der;
            struct tpm_key_file *key = accept(&draft), *again = NULL;
            memset(&der, POISON, sizeof(der));
            assert_int_equal(tss2_encode(key, &der), CKR_OK);
            assert_view_equal(bytes_view(&der), bytes_view(&expected));
            assert_int_equal(tss2_decode(bytes_view(&der), &again, NULL), CKR_OK);
            assert_same_fields(key, again);
            tss2_free(key);
            tss2_free(again);
            bytes_free(&der);
            bytes_free(&expected);
        }
}

static void what_would_not_be_read_is_not_written(UNUSED void **state)
{
    struct bytes der;
    memset(&der, POISON, sizeof(der));
    struct tpm_key_file *key = accept(&plain);
    key->has_policy = true;
    assert_int_equal(tss2_encode(key, &der), CKR_DATA_INVALID);
    key->has_policy = false;
    key->parent = 0x80000000;
    assert_int_equal(tss2_encode(key, &der), CKR_DATA_INVALID);
    key->parent = 0x81000001;
    key->type = TPM_KEY_IMPORTABLE;
    assert_int_equal(tss2_encode(key, &der), CKR_DATA_INVALID);
    key->type = TPM_KEY_LOADABLE;
    key->private.data[1]++; /* the size of the TPM2B */
    assert_int_equal(tss2_encode(key, &der), CKR_DATA_INVALID);
    assert_true(all_poison(&der, sizeof(der)));
    tss2_free(key);
}

/* What tpm2-openssl wrote. Its TRUE is 1, where DER wants all ones. */
static void a_key_of_another_tool_is_written_as_it_was(UNUSED void **state)
{
    struct bytes text = {0}, der = {0}, again = {0};
    struct pem_reader reader = pem_reader_of(view_string(tss2_pem));
    struct pem_block block;
    struct pem_encryption encryption;
    struct tpm_key_file *key = NULL;
    assert_int_equal(pem_next(&reader, &block, NULL), CKR_OK);
    assert_int_equal(pem_decode(&block, &der, &encryption, NULL), CKR_OK);
    assert_int_equal(tss2_decode(bytes_view(&der), &key, NULL), CKR_OK);
    assert_true(key->empty_auth);
    assert_int_equal(tss2_encode(key, &again), CKR_OK);
    assert_int_equal(again.data[15], 0xff);
    again.data[15] = 0x01;
    assert_int_equal(pem_write(&text, "TSS2 PRIVATE KEY", bytes_view(&again)), CKR_OK);
    assert_view_equal(bytes_view(&text), view_string(tss2_pem));
    tss2_free(key);
    bytes_free(&text);
    bytes_free(&der);
    bytes_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loadable_key_gives_its_fields),
        cmocka_unit_test(every_optional_field_is_understood),
        cmocka_unit_test(an_empty_policy_is_no_policy),
        cmocka_unit_test(a_parent_written_as_a_negative_number_is_the_handle),
        cmocka_unit_test(other_parents_are_refused),
        cmocka_unit_test(a_secret_belongs_to_importable_keys),
        cmocka_unit_test(old_and_unknown_kinds_are_refused),
        cmocka_unit_test(unknown_fields_are_refused),
        cmocka_unit_test(malformed_fields_are_named),
        cmocka_unit_test(fields_out_of_order_or_twice_are_refused),
        cmocka_unit_test(every_cut_of_a_key_is_refused),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(what_would_not_be_read_is_not_written),
        cmocka_unit_test(a_key_of_another_tool_is_written_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
