#include "token/tpm/test_support.h"

#include "token/base/log.h"

/* Under which parent a key file is loaded. */

#define SRK_HANDLE 0x81000001u
#define OTHER_HANDLE 0x81000010u

static const struct wish plain_wish = {.type = TPM2_ALG_ECC,
                                       .attributes = TPMA_OBJECT_SIGN_ENCRYPT};
static struct made made;

static int begin_group(void **state)
{
    if (enter_directory(state) != 0)
        return -1;
    tpm_quiet();
    make_key(&plain_wish, &made);
    return 0;
}

static struct tpm_key *new_key(struct tpm *tpm, struct tpm_key_source source)
{
    struct tpm_key *key = NULL;
    struct reason reason = {0};
    if (tpm_key_new(tpm, &source, &key, &reason) != CKR_OK)
        fail_msg("%s", reason.text);
    return key;
}

static CK_RV use(struct tpm *tpm, struct tpm_key_source source)
{
    struct tpm_key *key = new_key(tpm, source);
    CK_RV rv = tpm_key_check_auth(key, (struct view){0});
    tpm_key_free(key);
    return rv;
}

/* The TPMT_PUBLIC of the first CreatePrimary that was sent. */
static TPMT_PUBLIC sent_template(const struct watched *watched, uint32_t *ret_hierarchy)
{
    TPM2B_PUBLIC public = {0};
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    uint32_t hierarchy, auth_size;
    assert_true(watched->first_size > 18);
    memcpy(&hierarchy, watched->first + 10, 4);
    memcpy(&auth_size, watched->first + 14, 4);
    size_t offset = 18 + be32toh(auth_size);
    assert_int_equal(Tss2_MU_TPM2B_SENSITIVE_CREATE_Unmarshal(watched->first, watched->first_size,
                                                              &offset, &sensitive),
                     0);
    assert_int_equal(sensitive.sensitive.userAuth.size, 0);
    assert_int_equal(
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(watched->first, watched->first_size, &offset, &public), 0);
    *ret_hierarchy = be32toh(hierarchy);
    return public.publicArea;
}

/* draft-bottomley-tpm2-keys 3.1.8, TCG EK Credential Profile H-2: attributes, in
 * figures, 0x00030472. */
static void the_standard_parent_is_the_drafts_p256_primary(UNUSED void **state)
{
    struct watched watched;
    uint32_t hierarchy;
    struct tpm *tpm = watched_tpm(&watched);
    watched.keep = TPM2_CC_CreatePrimary;
    assert_ok(use(tpm, source_of(&made)));
    TPMT_PUBLIC area = sent_template(&watched, &hierarchy);
    const TPMS_ECC_PARMS *ecc = &area.parameters.eccDetail;
    assert_int_equal(hierarchy, TPM2_RH_OWNER);
    assert_int_equal(area.type, TPM2_ALG_ECC);
    assert_int_equal(area.nameAlg, TPM2_ALG_SHA256);
    assert_int_equal(area.objectAttributes, 0x00030472);
    assert_int_equal(area.authPolicy.size, 0);
    assert_int_equal(ecc->symmetric.algorithm, TPM2_ALG_AES);
    assert_int_equal(ecc->symmetric.keyBits.aes, 128);
    assert_int_equal(ecc->symmetric.mode.aes, TPM2_ALG_CFB);
    assert_int_equal(ecc->scheme.scheme, TPM2_ALG_NULL);
    assert_int_equal(ecc->curveID, TPM2_ECC_NIST_P256);
    assert_int_equal(ecc->kdf.scheme, TPM2_ALG_NULL);
    assert_int_equal(area.unique.ecc.x.size | area.unique.ecc.y.size, 0);
    watched_close(&watched, tpm);
}

static void rsa_parent_asks_for_the_rsa_2048_primary(UNUSED void **state)
{
    struct watched watched;
    uint32_t hierarchy;
    struct tpm *tpm = watched_tpm(&watched);
    struct tpm_key_source source = source_of(&made);
    source.rsa_parent = true;
    source.parent = TPM2_RH_NULL;
    watched.keep = TPM2_CC_CreatePrimary;
    inject(&watched, TPM2_CC_CreatePrimary, TPM2_RC_HIERARCHY, 1);
    assert_rv(use(tpm, source), CKR_DEVICE_ERROR);
    TPMT_PUBLIC area = sent_template(&watched, &hierarchy);
    const TPMS_RSA_PARMS *rsa = &area.parameters.rsaDetail;
    assert_int_equal(hierarchy, TPM2_RH_NULL);
    assert_int_equal(area.type, TPM2_ALG_RSA);
    assert_int_equal(area.nameAlg, TPM2_ALG_SHA256);
    assert_int_equal(area.objectAttributes, 0x00030472);
    assert_int_equal(rsa->symmetric.algorithm, TPM2_ALG_AES);
    assert_int_equal(rsa->symmetric.keyBits.aes, 128);
    assert_int_equal(rsa->symmetric.mode.aes, TPM2_ALG_CFB);
    assert_int_equal(rsa->scheme.scheme, TPM2_ALG_NULL);
    assert_int_equal(rsa->keyBits, 2048);
    assert_int_equal(rsa->exponent, 0);
    assert_int_equal(area.unique.rsa.size, 0);
    watched_close(&watched, tpm);
}

static void a_kept_storage_root_saves_making_one(UNUSED void **state)
{
    TPM2B_PUBLIC template = storage_template(true);
    struct watched watched;
    keep_primary(&template, SRK_HANDLE);
    struct tpm *tpm = watched_tpm(&watched);
    CK_RV rv = use(tpm, source_of(&made));
    unsigned created = sent(&watched, TPM2_CC_CreatePrimary);
    watched_close(&watched, tpm);
    keep_primary(NULL, SRK_HANDLE);
    assert_ok(rv);
    assert_int_equal(created, 0);
}

static void a_kept_object_of_another_kind_is_no_parent(UNUSED void **state)
{
    TPM2B_PUBLIC template = storage_template(true);
    struct watched watched;
    template.publicArea.parameters.eccDetail.curveID = TPM2_ECC_NIST_P384;
    template.publicArea.parameters.eccDetail.symmetric.keyBits.aes = 128;
    keep_primary(&template, SRK_HANDLE);
    struct tpm *tpm = watched_tpm(&watched);
    CK_RV rv = use(tpm, source_of(&made));
    watched_close(&watched, tpm);
    keep_primary(NULL, SRK_HANDLE);
    assert_ok(rv);
}

/* The same template but another seed or unique: it shows when the key is loaded. */
static void a_kept_root_that_is_another_does_not_stop_the_search(UNUSED void **state)
{
    TPM2B_PUBLIC template = storage_template(true);
    struct watched watched;
    template.publicArea.unique.ecc.x = (TPM2B_ECC_PARAMETER){.size = 1, .buffer = {9}};
    keep_primary(&template, SRK_HANDLE);
    struct tpm *tpm = watched_tpm(&watched);
    CK_RV rv = use(tpm, source_of(&made));
    watched_close(&watched, tpm);
    keep_primary(NULL, SRK_HANDLE);
    assert_ok(rv);
}

static void a_persistent_parent_is_the_only_one_tried(UNUSED void **state)
{
    TPM2B_PUBLIC template = storage_template(true);
    struct watched watched;
    struct tpm_key_source source = source_of(&made);
    source.parent = OTHER_HANDLE;
    struct tpm *tpm = watched_tpm(&watched);
    assert_rv(use(tpm, source), CKR_DEVICE_ERROR);
    assert_int_equal(sent(&watched, TPM2_CC_CreatePrimary), 0);
    keep_primary(&template, OTHER_HANDLE);
    CK_RV rv = use(tpm, source);
    watched_close(&watched, tpm);
    keep_primary(NULL, OTHER_HANDLE);
    assert_ok(rv);
}

static void a_key_of_another_tpm_is_told_after_all_ways(UNUSED void **state)
{
    const struct wish foreign = {
        .type = TPM2_ALG_ECC, .attributes = TPMA_OBJECT_SIGN_ENCRYPT, .other_parent = true};
    struct made other;
    struct watched watched;
    make_key(&foreign, &other);
    struct tpm *tpm = watched_tpm(&watched);
    assert_true(log_open("log", LOG_LEVEL_ERROR));
    assert_rv(use(tpm, source_of(&other)), CKR_DEVICE_ERROR);
    log_close();
    struct bytes text = read_file("log");
    assert_contains((const char *)text.data, "belongs to another TPM");
    bytes_free(&text);
    assert_true(sent(&watched, TPM2_CC_CreatePrimary) >= 2);
    assert_int_equal(sent(&watched, TPM2_CC_FlushContext), sent(&watched, TPM2_CC_CreatePrimary));
    watched_close(&watched, tpm);
}

static void a_source_must_name_a_handle_or_a_parent_that_can_be(UNUSED void **state)
{
    static const struct {
        uint32_t handle, parent;
        CK_RV rv;
    } rows[] = {
        {0x81000010, 0, CKR_OK},           {0x81ffffff, 0, CKR_OK},
        {0x80000001, 0, CKR_DATA_INVALID}, {1, 0, CKR_DATA_INVALID},
        {0, 0x81000001, CKR_OK},           {0, TPM2_RH_OWNER, CKR_OK},
        {0, TPM2_RH_ENDORSEMENT, CKR_OK},  {0, TPM2_RH_PLATFORM, CKR_OK},
        {0, TPM2_RH_NULL, CKR_OK},         {0, 0, CKR_DATA_INVALID},
        {0, 0x80000000, CKR_DATA_INVALID}, {0, TPM2_RH_LOCKOUT, CKR_DATA_INVALID},
    };
    struct tpm *tpm = NULL;
    assert_ok(tpm_acquire("nowhere", &tpm));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tpm_key_source source = source_of(&made);
        struct tpm_key *key;
        struct reason reason = {0};
        source.handle = rows[i].handle;
        source.parent = rows[i].parent;
        poison(key);
        assert_rv(tpm_key_new(tpm, &source, &key, &reason), rows[i].rv);
        if (rows[i].rv == CKR_OK) {
            tpm_key_free(key);
            continue;
        }
        assert_poison(key);
        assert_contains(reason.text, "0x");
    }
    assert_int_equal(tpm->references, 1);
    tpm_release(tpm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standard_parent_is_the_drafts_p256_primary),
        cmocka_unit_test(rsa_parent_asks_for_the_rsa_2048_primary),
        cmocka_unit_test(a_kept_storage_root_saves_making_one),
        cmocka_unit_test(a_kept_object_of_another_kind_is_no_parent),
        cmocka_unit_test(a_kept_root_that_is_another_does_not_stop_the_search),
        cmocka_unit_test(a_persistent_parent_is_the_only_one_tried),
        cmocka_unit_test(a_key_of_another_tpm_is_told_after_all_ways),
        cmocka_unit_test(a_source_must_name_a_handle_or_a_parent_that_can_be),
    };
    return cmocka_run_group_tests(tests, begin_group, leave_directory);
}
