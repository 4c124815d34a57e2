#include "emulator/test_support.h"

#include "emulator/behaviour/chip.h"
#include "emulator/behaviour/profile.h"
#include "emulator/identity/vendor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

/* What a client sees of a profile: what is shown and what is refused are the same. */

#define FASTEST ",speed=1000000x,seed=1"
#define LIST_AT (HEADER_SIZE + 9)
#define ABSENT_ID 0x00f0u /* of nothing at all */

static TSS2_TCTI_CONTEXT *open_as(const char *directory, const char *profile, const char *more)
{
    char text[128];

    (void)snprintf(text, sizeof(text), ",profile=%s%s", profile, more);
    return test_open_with(directory, text);
}

/* As ESYS does: what is to be sent again is sent again. */
static uint32_t run_again(TSS2_TCTI_CONTEXT *tpm, struct message *m, struct message *response)
{
    uint32_t rc = run(tpm, m, response);

    return rc == TPM2_RC_RETRY ? run(tpm, m, response) : rc;
}

static uint32_t ask(TSS2_TCTI_CONTEXT *tpm, uint32_t capability, uint32_t first, uint32_t count,
                    struct message *response)
{
    struct message m;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    add_u32(&m, capability);
    add_u32(&m, first);
    add_u32(&m, count);
    assert_int_equal(run(tpm, &m, response), TPM2_RC_SUCCESS);
    return get_u32(response->bytes + HEADER_SIZE + 5);
}

/* Is a 16-bit id listed? In entries of `size` bytes, `offset` bytes into each. */
static bool lists(const struct message *list, size_t size, size_t offset, uint16_t id)
{
    for (size_t at = LIST_AT; at + size <= list->size; at += size)
        if (get_u16(list->bytes + at + offset) == id)
            return true;
    return false;
}

typedef void (*profile_test)(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile);

static void with_each_profile(const char *directory, profile_test test)
{
    for (size_t i = 0; i < profiles_count; i++) {
        TSS2_TCTI_CONTEXT *tpm = open_as(directory, profiles[i]->name, FASTEST);

        test(tpm, profiles[i]);
        test_close(tpm);
    }
}

/* --- commands ------------------------------------------------------------- */

static void check_commands(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    struct message list, m, response;
    uint32_t count = ask(tpm, TPM2_CAP_COMMANDS, TPM2_CC_FIRST, 254, &list);

    assert_int_equal(count, get_property(tpm, TPM2_PT_TOTAL_COMMANDS));
    assert_int_equal(count, get_property(tpm, TPM2_PT_LIBRARY_COMMANDS));
    for (uint32_t code = TPM2_CC_FIRST; code <= TPM2_CC_CertifyX509; code++) {
        bool listed = lists(&list, 4, 2, (uint16_t)code);
        uint32_t rc;

        if (listed)
            assert_false(profile_lacks_command(profile, code));
        if (code == TPM2_CC_Shutdown || code == TPM2_CC_Clear || code == TPM2_CC_ChangePPS ||
            code == TPM2_CC_ChangeEPS)
            continue;
        begin(&m, TPM2_ST_NO_SESSIONS, code);
        rc = run_again(tpm, &m, &response);
        if (listed)
            assert_int_not_equal(rc, TPM2_RC_COMMAND_CODE);
        else
            assert_int_equal(rc, TPM2_RC_COMMAND_CODE);
    }
}

static void absent_commands_are_refused_and_not_listed(void **state)
{
    with_each_profile(*state, check_commands);
}

static void check_pages(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    struct message list, page;
    uint32_t count = ask(tpm, TPM2_CAP_COMMANDS, TPM2_CC_FIRST, 254, &list), first = 0;

    (void)profile;
    assert_int_equal(list.bytes[HEADER_SIZE], 0);
    for (uint32_t seen = 0; seen < count; seen += 7) {
        uint32_t left = count - seen;

        assert_int_equal(ask(tpm, TPM2_CAP_COMMANDS, first, 7, &page), left < 7 ? left : 7);
        assert_int_equal(page.bytes[HEADER_SIZE], left > 7);
        assert_memory_equal(page.bytes + LIST_AT, list.bytes + LIST_AT + (size_t)seen * 4,
                            page.size - LIST_AT);
        first = (get_u32(page.bytes + page.size - 4) & 0xffff) + 1;
    }
}

static void lists_can_be_read_in_pieces(void **state)
{
    with_each_profile(*state, check_pages);
}

/* --- algorithms ------------------------------------------------------------ */

/* TestParms of words: a type and its parameters. */
static uint32_t test_parms(TSS2_TCTI_CONTEXT *tpm, const uint16_t *words, size_t count)
{
    struct message m, response;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_TestParms);
    for (size_t i = 0; i < count; i++)
        add_u16(&m, words[i]);
    return run_again(tpm, &m, &response);
}

static uint32_t test_curve(TSS2_TCTI_CONTEXT *tpm, uint16_t curve)
{
    const uint16_t words[] = {TPM2_ALG_ECC, TPM2_ALG_NULL, TPM2_ALG_NULL, curve, TPM2_ALG_NULL};

    return test_parms(tpm, words, 5);
}

static uint32_t test_rsa(TSS2_TCTI_CONTEXT *tpm, uint16_t bits)
{
    const uint16_t words[] = {TPM2_ALG_RSA, TPM2_ALG_NULL, TPM2_ALG_NULL, bits, 0, 0};

    return test_parms(tpm, words, 6);
}

static uint32_t test_cipher(TSS2_TCTI_CONTEXT *tpm, uint16_t algorithm, uint16_t bits,
                            uint16_t mode)
{
    const uint16_t words[] = {TPM2_ALG_SYMCIPHER, algorithm, bits, mode};

    return test_parms(tpm, words, 4);
}

static uint32_t start_hash(TSS2_TCTI_CONTEXT *tpm, uint16_t hash)
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_HashSequenceStart);
    add_u16(&m, 0);
    add_u16(&m, hash);
    rc = run_again(tpm, &m, &response);
    if (rc == TPM2_RC_SUCCESS) {
        uint32_t handle = get_u32(response.bytes + HEADER_SIZE);

        rc = flush(tpm, handle);
        if (rc == TPM2_RC_RETRY)
            rc = flush(tpm, handle);
    }
    return rc;
}

static void check_curves(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    static const uint16_t all[] = {TPM2_ECC_NIST_P192, TPM2_ECC_NIST_P224, TPM2_ECC_NIST_P256,
                                   TPM2_ECC_NIST_P384, TPM2_ECC_NIST_P521, TPM2_ECC_BN_P256,
                                   TPM2_ECC_BN_P638,   TPM2_ECC_SM2_P256};
    struct message list, m, response;
    uint32_t count = ask(tpm, TPM2_CAP_ECC_CURVES, 0, 254, &list);

    assert_int_equal(count, get_property(tpm, TPM2_PT_LOADED_CURVES));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool listed = lists(&list, 2, 0, all[i]);

        assert_int_equal(listed, profile_list_holds(profile->curves, all[i]));
        assert_int_equal(test_curve(tpm, all[i]),
                         listed ? TPM2_RC_SUCCESS : TPM2_RC_CURVE + TPM2_RC_P + TPM2_RC_1);
        begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ECC_Parameters);
        add_u16(&m, all[i]);
        assert_int_equal(run_again(tpm, &m, &response),
                         listed ? TPM2_RC_SUCCESS : TPM2_RC_CURVE + TPM2_RC_P + TPM2_RC_1);
    }
}

static void absent_curves_are_refused_and_not_listed(void **state)
{
    with_each_profile(*state, check_curves);
}

static void check_algorithms(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    static const uint16_t hashes[] = {TPM2_ALG_SHA1, TPM2_ALG_SHA256, TPM2_ALG_SHA384,
                                      TPM2_ALG_SHA512};
    static const uint16_t modes[] = {TPM2_ALG_CFB, TPM2_ALG_CBC, TPM2_ALG_CTR, TPM2_ALG_OFB,
                                     TPM2_ALG_ECB};
    struct message list, banks;

    (void)ask(tpm, TPM2_CAP_ALGS, 0, 254, &list);
    (void)ask(tpm, TPM2_CAP_PCRS, 0, 254, &banks);
    for (size_t i = 0; i < 4; i++) {
        bool listed = lists(&list, 6, 0, hashes[i]);

        assert_int_equal(listed, profile_list_holds(profile->algorithms, hashes[i]));
        assert_int_equal(lists(&banks, 6, 0, hashes[i]), listed);
        assert_int_equal(start_hash(tpm, hashes[i]),
                         listed ? TPM2_RC_SUCCESS : TPM2_RC_HASH + TPM2_RC_P + 2 * TPM2_RC_1);
    }
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(test_cipher(tpm, TPM2_ALG_AES, 128, modes[i]),
                         lists(&list, 6, 0, modes[i]) ? TPM2_RC_SUCCESS
                                                      : TPM2_RC_MODE + TPM2_RC_P + TPM2_RC_1);
    assert_false(lists(&list, 6, 0, TPM2_ALG_CAMELLIA));
    assert_false(lists(&list, 6, 0, TPM2_ALG_TDES));
    assert_int_equal(test_cipher(tpm, TPM2_ALG_CAMELLIA, 128, TPM2_ALG_CFB),
                     TPM2_RC_SYMMETRIC + TPM2_RC_P + TPM2_RC_1);
    assert_int_equal(test_cipher(tpm, TPM2_ALG_TDES, 128, TPM2_ALG_CFB),
                     TPM2_RC_SYMMETRIC + TPM2_RC_P + TPM2_RC_1);
}

static void absent_algorithms_are_refused_and_not_listed(void **state)
{
    with_each_profile(*state, check_algorithms);
}

static void check_key_sizes(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    for (uint16_t bits = 1024; bits <= 4096; bits = (uint16_t)(bits + 1024))
        assert_int_equal(test_rsa(tpm, bits), profile_list_holds(profile->rsa_bits, bits)
                                                  ? TPM2_RC_SUCCESS
                                                  : TPM2_RC_VALUE + TPM2_RC_P + TPM2_RC_1);
    for (uint16_t bits = 128; bits <= 256; bits = (uint16_t)(bits + 128))
        assert_int_equal(test_cipher(tpm, TPM2_ALG_AES, bits, TPM2_ALG_CFB),
                         profile_list_holds(profile->aes_bits, bits)
                             ? TPM2_RC_SUCCESS
                             : TPM2_RC_VALUE + TPM2_RC_P + TPM2_RC_1);
    /* libtpms has no AES-192. */
    assert_int_equal(test_cipher(tpm, TPM2_ALG_AES, 192, TPM2_ALG_CFB),
                     TPM2_RC_VALUE + TPM2_RC_P + TPM2_RC_1);
}

static void absent_key_sizes_are_refused(void **state)
{
    with_each_profile(*state, check_key_sizes);
}

/* --- commands as libtpms refuses them --------------------------------------- */

/* A command with one id in it, that the TPM has, the profile lacks, or nobody has. */
struct refusal {
    const char *what;
    uint16_t present, absent;
    void (*parameters)(struct message *m, uint16_t id);
};

/* The rest of a signing ECC key: scheme, curve, kdf, unique. */
static void add_template(struct message *m, uint16_t type, uint16_t hash, uint16_t scheme,
                         uint16_t of)
{
    size_t at;

    add_u16(m, 4);
    add_u32(m, 0);
    at = m->size;
    add_u16(m, 0);
    add_u16(m, type);
    add_u16(m, hash);
    add_u32(m, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                   TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT);
    add_u16(m, 0);
    add_u16(m, TPM2_ALG_NULL);
    add_u16(m, scheme);
    if (scheme != TPM2_ALG_NULL)
        add_u16(m, TPM2_ALG_SHA256);
    add_u16(m, of);
    if (type == TPM2_ALG_RSA)
        add_u32(m, 0);
    else
        add_u16(m, TPM2_ALG_NULL);
    add_u16(m, 0);
    if (type == TPM2_ALG_ECC)
        add_u16(m, 0);
    put_u16(m->bytes + at, (uint16_t)(m->size - at - 2));
}

static void begin_primary(struct message *m)
{
    begin(m, TPM2_ST_SESSIONS, TPM2_CC_CreatePrimary);
    add_u32(m, TPM2_RH_OWNER);
    add_password(m, "");
}

static void end_primary(struct message *m)
{
    add_u16(m, 0);
    add_u32(m, 0);
}

static void make_curve(struct message *m, uint16_t id)
{
    begin_primary(m);
    add_template(m, TPM2_ALG_ECC, TPM2_ALG_SHA256, TPM2_ALG_NULL, id);
    end_primary(m);
}

static void make_name(struct message *m, uint16_t id)
{
    begin_primary(m);
    add_template(m, TPM2_ALG_ECC, id, TPM2_ALG_NULL, TPM2_ECC_NIST_P256);
    end_primary(m);
}

static void make_scheme(struct message *m, uint16_t id)
{
    begin_primary(m);
    add_template(m, TPM2_ALG_ECC, TPM2_ALG_SHA256, id, TPM2_ECC_NIST_P256);
    end_primary(m);
}

static void make_rsa(struct message *m, uint16_t id)
{
    begin_primary(m);
    add_template(m, TPM2_ALG_RSA, TPM2_ALG_SHA256, TPM2_ALG_NULL, id);
    end_primary(m);
}

static void make_session_hash(struct message *m, uint16_t id)
{
    begin(m, TPM2_ST_NO_SESSIONS, TPM2_CC_StartAuthSession);
    add_u32(m, TPM2_RH_NULL);
    add_u32(m, TPM2_RH_NULL);
    add_2b(m, "0123456789abcdef");
    add_u16(m, 0);
    add_u8(m, TPM2_SE_HMAC);
    add_u16(m, TPM2_ALG_NULL);
    add_u16(m, id);
}

static void make_session_mode(struct message *m, uint16_t id)
{
    begin(m, TPM2_ST_NO_SESSIONS, TPM2_CC_StartAuthSession);
    add_u32(m, TPM2_RH_NULL);
    add_u32(m, TPM2_RH_NULL);
    add_2b(m, "0123456789abcdef");
    add_u16(m, 0);
    add_u8(m, TPM2_SE_HMAC);
    add_u16(m, TPM2_ALG_XOR);
    add_u16(m, id);
    add_u16(m, TPM2_ALG_SHA256);
}

static void make_pcr_read(struct message *m, uint16_t id)
{
    begin(m, TPM2_ST_NO_SESSIONS, TPM2_CC_PCR_Read);
    add_u32(m, 1);
    add_u16(m, id);
    add_u8(m, 3);
    add_bytes(m, "\1\0\0", 3);
}

static void make_pcr_extend(struct message *m, uint16_t id)
{
    uint8_t digest[64] = {0};

    begin(m, TPM2_ST_SESSIONS, TPM2_CC_PCR_Extend);
    add_u32(m, 16);
    add_password(m, "");
    add_u32(m, 1);
    add_u16(m, id);
    add_bytes(m, digest, id == TPM2_ALG_SHA256 ? 32 : 48);
}

static void make_nv_name(struct message *m, uint16_t id)
{
    begin(m, TPM2_ST_SESSIONS, TPM2_CC_NV_DefineSpace);
    add_u32(m, TPM2_RH_OWNER);
    add_password(m, "");
    add_u16(m, 0);
    add_u16(m, 14);
    add_u32(m, COUNTER_INDEX + 7);
    add_u16(m, id);
    add_u32(m, TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD);
    add_u16(m, 0);
    add_u16(m, 8);
}

static void make_hash(struct message *m, uint16_t id)
{
    begin(m, TPM2_ST_NO_SESSIONS, TPM2_CC_Hash);
    add_2b(m, "data");
    add_u16(m, id);
    add_u32(m, TPM2_RH_NULL);
}

static const struct refusal refusals[] = {
    {"curve of a primary", TPM2_ECC_NIST_P256, TPM2_ECC_NIST_P384, make_curve},
    {"hash of a name", TPM2_ALG_SHA256, TPM2_ALG_SHA384, make_name},
    {"scheme of a primary", TPM2_ALG_ECDSA, TPM2_ALG_ECSCHNORR, make_scheme},
    {"RSA size of a primary", 2048, 3072, make_rsa},
    {"hash of a session", TPM2_ALG_SHA256, TPM2_ALG_SHA384, make_session_hash},
    {"hash of a session's XOR", TPM2_ALG_SHA256, TPM2_ALG_SHA384, make_session_mode},
    {"bank to read", TPM2_ALG_SHA256, TPM2_ALG_SHA384, make_pcr_read},
    {"bank to extend", TPM2_ALG_SHA256, TPM2_ALG_SHA384, make_pcr_extend},
    {"hash of an index", TPM2_ALG_SHA256, TPM2_ALG_SHA384, make_nv_name},
    {"hash", TPM2_ALG_SHA256, TPM2_ALG_SHA384, make_hash},
};

/* Runs the command, and frees what it made. */
static uint32_t run_and_flush(TSS2_TCTI_CONTEXT *tpm, struct message *m)
{
    struct message response;
    uint32_t rc = run(tpm, m, &response);

    if (rc == TPM2_RC_SUCCESS && (get_u32(m->bytes + 6) == TPM2_CC_CreatePrimary ||
                                  get_u32(m->bytes + 6) == TPM2_CC_StartAuthSession))
        assert_int_equal(flush(tpm, get_u32(response.bytes + HEADER_SIZE)), TPM2_RC_SUCCESS);
    return rc;
}

static void refusals_are_those_of_a_tpm_that_lacks_it(void **state)
{
    TSS2_TCTI_CONTEXT *chip = open_as(*state, "slb9670", FASTEST);
    TSS2_TCTI_CONTEXT *whole = test_open(*state);
    struct message m;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *row = &refusals[i];
        uint32_t expected, rc;

        row->parameters(&m, ABSENT_ID);
        expected = run_and_flush(whole, &m);
        assert_int_not_equal(expected, TPM2_RC_SUCCESS);
        row->parameters(&m, row->absent);
        assert_int_equal(run_and_flush(whole, &m), TPM2_RC_SUCCESS);
        rc = run_and_flush(chip, &m);
        if (rc != expected)
            fail_msg("%s: 0x%x instead of 0x%x", row->what, rc, expected);
        row->parameters(&m, row->present);
        /* The other client's index is there already. */
        if (row->parameters != make_nv_name)
            assert_int_equal(run_and_flush(chip, &m), TPM2_RC_SUCCESS);
    }
    test_close(whole);
    test_close(chip);
}

static void what_is_encrypted_in_a_session_does_not_hide_a_template(void **state)
{
    TSS2_TCTI_CONTEXT *chip = open_as(*state, "slb9670", FASTEST);
    struct message m, response;
    uint32_t session;

    make_session_hash(&m, TPM2_ALG_SHA256);
    assert_int_equal(run(chip, &m, &response), TPM2_RC_SUCCESS);
    session = get_u32(response.bytes + HEADER_SIZE);
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_CreatePrimary);
    add_u32(&m, TPM2_RH_OWNER);
    add_auth(&m, session, TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT, "");
    add_template(&m, TPM2_ALG_ECC, TPM2_ALG_SHA256, TPM2_ALG_NULL, TPM2_ECC_NIST_P384);
    end_primary(&m);
    assert_int_equal(run(chip, &m, &response), TPM2_RC_CURVE + TPM2_RC_P + 2 * TPM2_RC_1);
    test_close(chip);
}

/* --- sizes ---------------------------------------------------------------- */

static void check_message_size(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    uint32_t limit = get_property(tpm, TPM2_PT_MAX_COMMAND_SIZE);
    struct message m, response;

    assert_int_equal(limit, profile->message_size);
    assert_int_equal(limit, get_property(tpm, TPM2_PT_MAX_RESPONSE_SIZE));
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_GetRandom);
    memset(m.bytes + m.size, 0, MESSAGE_MAX - m.size);
    m.size = limit;
    assert_int_not_equal(run_again(tpm, &m, &response), TPM2_RC_COMMAND_SIZE);
    if (limit == MESSAGE_MAX)
        return;
    m.size = limit + 1;
    assert_int_equal(run_again(tpm, &m, &response), TPM2_RC_COMMAND_SIZE);
}

static void commands_beyond_the_shown_size_are_refused(void **state)
{
    with_each_profile(*state, check_message_size);
}

static uint32_t define_index(TSS2_TCTI_CONTEXT *tpm, uint32_t index, uint16_t size)
{
    struct message m, response;

    make_nv_name(&m, TPM2_ALG_SHA256);
    put_u32(m.bytes + m.size - 14, index);
    put_u16(m.bytes + m.size - 2, size);
    return run_again(tpm, &m, &response);
}

static void undefine_index(TSS2_TCTI_CONTEXT *tpm, uint32_t index)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_UndefineSpace);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, index);
    add_password(&m, "");
    assert_int_equal(run_again(tpm, &m, &response), TPM2_RC_SUCCESS);
}

static uint32_t access_index(TSS2_TCTI_CONTEXT *tpm, uint32_t code, uint32_t index, uint16_t size)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, code);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, index);
    add_password(&m, "");
    add_u16(&m, size);
    if (code == TPM2_CC_NV_Write) {
        memset(m.bytes + m.size, 1, size);
        m.size += size;
    }
    add_u16(&m, 0);
    return run_again(tpm, &m, &response);
}

static void check_nv(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    uint16_t limit = (uint16_t)get_property(tpm, TPM2_PT_NV_INDEX_MAX);
    uint16_t piece = (uint16_t)get_property(tpm, TPM2_PT_NV_BUFFER_MAX);

    assert_true(limit <= profile->nv_index_size && piece <= profile->nv_piece_size);
    assert_int_equal(define_index(tpm, COUNTER_INDEX, (uint16_t)(limit + 1)),
                     TPM2_RC_SIZE + TPM2_RC_P + 2 * TPM2_RC_1);
    assert_int_equal(define_index(tpm, COUNTER_INDEX, limit), TPM2_RC_SUCCESS);
    assert_int_equal(access_index(tpm, TPM2_CC_NV_Write, COUNTER_INDEX, (uint16_t)(piece + 1)),
                     TPM2_RC_SIZE + TPM2_RC_P + TPM2_RC_1);
    assert_int_equal(access_index(tpm, TPM2_CC_NV_Write, COUNTER_INDEX, piece), TPM2_RC_SUCCESS);
    for (uint16_t at = 0; at + piece <= limit; at = (uint16_t)(at + piece)) {
        struct message m, response;

        begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Write);
        add_u32(&m, TPM2_RH_OWNER);
        add_u32(&m, COUNTER_INDEX);
        add_password(&m, "");
        add_u16(&m, piece);
        memset(m.bytes + m.size, 2, piece);
        m.size += piece;
        add_u16(&m, at);
        assert_int_equal(run_again(tpm, &m, &response), TPM2_RC_SUCCESS);
    }
    assert_int_equal(access_index(tpm, TPM2_CC_NV_Read, COUNTER_INDEX, (uint16_t)(piece + 1)),
                     TPM2_RC_VALUE + TPM2_RC_P + TPM2_RC_1);
    assert_int_equal(access_index(tpm, TPM2_CC_NV_Read, COUNTER_INDEX, piece), TPM2_RC_SUCCESS);
    undefine_index(tpm, COUNTER_INDEX);
}

static void nv_sizes_are_those_that_are_shown(void **state)
{
    with_each_profile(*state, check_nv);
}

static void nv_indexes_fill_the_room_of_the_chip(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "slb9670", FASTEST);

    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(define_index(tpm, COUNTER_INDEX + i, 2048), TPM2_RC_SUCCESS);
    assert_int_equal(define_index(tpm, COUNTER_INDEX + 3, 6962 - 3 * 2048 + 1), TPM2_RC_NV_SPACE);
    assert_int_equal(define_index(tpm, COUNTER_INDEX + 3, 6962 - 3 * 2048), TPM2_RC_SUCCESS);
    assert_int_equal(define_index(tpm, COUNTER_INDEX + 4, 1), TPM2_RC_NV_SPACE);
    undefine_index(tpm, COUNTER_INDEX + 1);
    assert_int_equal(define_index(tpm, COUNTER_INDEX + 4, 1), TPM2_RC_SUCCESS);
    test_close(tpm);
}

static uint32_t evict(TSS2_TCTI_CONTEXT *tpm, uint32_t object, uint32_t handle)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_EvictControl);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, object);
    add_password(&m, "");
    add_u32(&m, handle);
    return run_again(tpm, &m, &response);
}

static void persistent_objects_fill_the_room_of_the_chip(void **state)
{
    const uint32_t first = PERSISTENT_FIRST + 5;
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "amd-ftpm", FASTEST);
    uint32_t key;

    assert_int_equal(create_key(tpm, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(get_property(tpm, TPM2_PT_HR_PERSISTENT_AVAIL), 4 - i);
        assert_int_equal(evict(tpm, key, first + i), TPM2_RC_SUCCESS);
    }
    assert_int_equal(get_property(tpm, TPM2_PT_HR_PERSISTENT_AVAIL), 0);
    assert_int_equal(evict(tpm, key, first + 4), TPM2_RC_NV_SPACE);
    assert_int_equal(evict(tpm, key, first), TPM2_RC_NV_DEFINED);
    assert_int_equal(evict(tpm, first, first), TPM2_RC_SUCCESS);
    assert_int_equal(evict(tpm, key, first + 4), TPM2_RC_SUCCESS);
    test_close(tpm);
}

/* --- sessions ---------------------------------------------------------------- */

static void save_and_load(TSS2_TCTI_CONTEXT *tpm, uint32_t *session, unsigned times)
{
    struct message saved;

    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(save_context(tpm, *session, &saved), TPM2_RC_SUCCESS);
        assert_int_equal(load_context(tpm, &saved, session), TPM2_RC_SUCCESS);
    }
}

static void an_old_saved_session_holds_up_the_others_at_the_context_gap(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "amd-ftpm", FASTEST), *other;
    uint32_t old, busy, more;
    struct message saved = {.size = 0}, none;

    assert_int_equal(get_property(tpm, TPM2_PT_CONTEXT_GAP_MAX), 255);
    assert_int_equal(start_session(tpm, TPM2_SE_HMAC, &old, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(tpm, TPM2_SE_HMAC, &busy, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(tpm, old, &saved), TPM2_RC_SUCCESS);
    save_and_load(tpm, &busy, 200);
    test_close(tpm);
    /* Another connection counts on. */
    other = open_as(*state, "amd-ftpm", FASTEST);
    assert_int_equal(start_session(other, TPM2_SE_HMAC, &busy, NULL), TPM2_RC_SUCCESS);
    save_and_load(other, &busy, 55);
    assert_int_equal(save_context(other, busy, &none), TPM2_RC_CONTEXT_GAP);
    assert_int_equal(start_session(other, TPM2_SE_HMAC, &more, NULL), TPM2_RC_CONTEXT_GAP);
    assert_int_equal(load_context(other, &saved, &old), TPM2_RC_SUCCESS);
    save_and_load(other, &busy, 1);
    assert_int_equal(start_session(other, TPM2_SE_HMAC, &more, NULL), TPM2_RC_SUCCESS);
    test_close(other);
}

static void a_saved_session_that_is_gone_holds_up_nobody(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "npct75x", FASTEST);
    TSS2_TCTI_CONTEXT *plain = test_open(*state);
    uint32_t flushed, unseen, busy;
    struct message saved;

    assert_int_equal(start_session(tpm, TPM2_SE_HMAC, &flushed, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(tpm, TPM2_SE_HMAC, &unseen, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(tpm, TPM2_SE_HMAC, &busy, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(tpm, flushed, &saved), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(tpm, unseen, &saved), TPM2_RC_SUCCESS);
    assert_int_equal(flush(tpm, flushed), TPM2_RC_SUCCESS);
    /* Without a profile nobody notes it. */
    assert_int_equal(flush(plain, unseen), TPM2_RC_SUCCESS);
    save_and_load(tpm, &busy, 260);
    test_close(plain);
    test_close(tpm);
}

static void a_chip_without_a_gap_counts_no_sessions(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "slb9670", FASTEST);
    uint32_t old, busy;
    struct message saved;

    assert_int_equal(start_session(tpm, TPM2_SE_HMAC, &old, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(tpm, TPM2_SE_HMAC, &busy, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(tpm, old, &saved), TPM2_RC_SUCCESS);
    save_and_load(tpm, &busy, 260);
    test_close(tpm);
}

static void the_hostile_one_has_each_command_sent_again(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "hostile", FASTEST);

    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_RETRY);
    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(tpm, "", 1, KEY_PLAIN, NULL), TPM2_RC_RETRY);
    assert_int_equal(create_key(tpm, "", 1, KEY_PLAIN, NULL), TPM2_RC_SUCCESS);
    test_close(tpm);
}

/* --- names ------------------------------------------------------------------- */

static void check_names(TSS2_TCTI_CONTEXT *tpm, const struct profile *profile)
{
    if (profile->manufacturer)
        assert_int_equal(get_property(tpm, TPM2_PT_MANUFACTURER), profile->manufacturer);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(get_property(tpm, TPM2_PT_VENDOR_STRING_1 + i), profile->vendor[i]);
    if (profile->firmware[0]) {
        assert_int_equal(get_property(tpm, TPM2_PT_FIRMWARE_VERSION_1), profile->firmware[0]);
        assert_int_equal(get_property(tpm, TPM2_PT_FIRMWARE_VERSION_2), profile->firmware[1]);
    }
    assert_int_equal(get_property(tpm, TPM2_PT_HR_TRANSIENT_MIN), profile->objects);
    assert_int_equal(get_property(tpm, TPM2_PT_HR_LOADED_MIN), profile->sessions);
}

static void the_chip_says_its_name_and_its_slots(void **state)
{
    with_each_profile(*state, check_names);
}

/* 6 on the chip, 3 in libtpms. */
static void without_a_resource_manager_the_slots_are_the_tpms_own(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "amd-ftpm", ",rm=off" FASTEST);
    uint32_t slots = get_property(tpm, TPM2_PT_HR_TRANSIENT_MIN);

    assert_in_range(slots, 1, 6);
    for (uint32_t i = 0; i < slots; i++)
        assert_int_equal(create_key(tpm, "", (uint8_t)i, KEY_PLAIN, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(tpm, "", 9, KEY_PLAIN, NULL), TPM2_RC_OBJECT_MEMORY);
    assert_int_equal(get_property(tpm, TPM2_PT_HR_TRANSIENT_AVAIL), 0);
    test_close(tpm);
}

static void assert_says_signet_embedded(TSS2_TCTI_CONTEXT *tpm)
{
    char vendor[17] = {0};

    for (uint32_t i = 0; i < 4; i++)
        put_u32((uint8_t *)vendor + (size_t)i * 4, get_property(tpm, TPM2_PT_VENDOR_STRING_1 + i));
    assert_string_equal(vendor, VENDOR_NAME);
}

static void without_a_profile_it_says_signet_embedded_and_has_no_limits(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = test_open(*state);
    char path[PATH_MAX];

    assert_says_signet_embedded(tpm);
    assert_int_equal(get_property(tpm, TPM2_PT_MANUFACTURER), 0x49424d00);
    assert_int_equal(get_property(tpm, TPM2_PT_MAX_COMMAND_SIZE), MESSAGE_MAX);
    assert_int_equal(get_property(tpm, TPM2_PT_MAX_DIGEST), 64);
    assert_int_equal(get_property(tpm, TPM2_PT_LOADED_CURVES), 8);
    assert_int_equal(test_curve(tpm, TPM2_ECC_NIST_P521), TPM2_RC_SUCCESS);
    assert_int_equal(access(test_path(*state, CHIP_FILE, path), F_OK), -1);
    test_close(tpm);
    tpm = test_open_with(*state, ",rm=off");
    assert_says_signet_embedded(tpm);
    test_close(tpm);
}

static void the_file_of_a_chip_is_shared_as_the_directory_is(void **state)
{
    struct stat status;
    char path[PATH_MAX];
    mode_t before = umask(077);

    assert_int_equal(chmod(*state, 0770), 0);
    test_close(open_as(*state, "hostile", FASTEST));
    (void)umask(before);
    assert_int_equal(stat(test_path(*state, CHIP_FILE, path), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);
}

static void an_unknown_profile_is_refused_with_the_known_names(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = NULL;
    char path[PATH_MAX];

    assert_int_equal(test_try_open_with(*state, ",profile=slb966", &tpm), TSS2_TCTI_RC_BAD_VALUE);
    assert_non_null(strstr(signet_tcti_last_error(), "'slb966'"));
    for (size_t i = 0; i < profiles_count; i++)
        assert_non_null(strstr(signet_tcti_last_error(), profiles[i]->name));
    /* Nor is a TPM made, which would not have that chip's tries. */
    assert_int_equal(access(test_path(*state, "tpm2-00.permall", path), F_OK), -1);
}

static void lockout_parameters_are_had_by_name(void **state)
{
    struct lockout_parameters lockout = {7, 7, 7};

    (void)state;
    assert_false(profile_lockout("", &lockout));
    assert_false(profile_lockout("slb966", &lockout));
    assert_int_equal(lockout.max_tries, 7);
    assert_true(profile_lockout("npct75x", &lockout));
    assert_int_equal(lockout.max_tries, 10);
    assert_int_equal(lockout.recovery_seconds, 7200);
    assert_int_equal(lockout.lockout_recovery_seconds, 86400);
}

static void a_tpm_that_is_made_as_a_chip_has_its_tries(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "npct75x", FASTEST);

    assert_int_equal(get_property(tpm, TPM2_PT_MAX_AUTH_FAIL), 10);
    assert_int_equal(get_property(tpm, TPM2_PT_LOCKOUT_INTERVAL), 7200);
    test_close(tpm);
    /* They are the TPM's own now. */
    tpm = test_open(*state);
    assert_int_equal(get_property(tpm, TPM2_PT_MAX_AUTH_FAIL), 10);
    test_close(tpm);
}

/* --- time ----------------------------------------------------------------- */

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

#define TURNS 15

/* Waits for a byte, so that all start together, then runs its commands. */
struct turns {
    const char *directory;
    int start;
};

static int run_turns(void *argument)
{
    const struct turns *turns = argument;
    TSS2_TCTI_CONTEXT *tpm = open_as(turns->directory, "amd-ftpm", "");
    char byte;

    CHILD_CHECK(read(turns->start, &byte, 1) == 1);
    for (int i = 0; i < TURNS; i++)
        CHILD_CHECK(get_random(tpm, 8, NULL) == TPM2_RC_SUCCESS);
    test_close(tpm);
    return 0;
}

/* Two that did not take turns would need half of that. */
static void processes_on_one_directory_take_turns(void **state)
{
    struct turns turns = {.directory = *state};
    int pipes[2];
    pid_t children[2];
    double began;

    assert_int_equal(pipe(pipes), 0);
    turns.start = pipes[0];
    for (int i = 0; i < 2; i++)
        children[i] = start_child(run_turns, &turns);
    began = now();
    assert_int_equal(write(pipes[1], "go", 2), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(wait_child(children[i]), 0);
    assert_true(now() - began >= 2 * TURNS * 0.0029);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

static int hold_the_turn(void *argument)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(argument, "amd-ftpm", ",speed=0.001x");

    (void)get_random(tpm, 8, NULL);
    return 1;
}

static bool turn_is_taken(const char *directory)
{
    char path[PATH_MAX];
    int fd = open(test_path(directory, CHIP_FILE, path), O_RDWR | O_CLOEXEC);
    bool taken;

    assert_true(fd >= 0);
    taken = flock(fd, LOCK_EX | LOCK_NB) != 0;
    (void)close(fd);
    return taken;
}

static void a_killed_process_leaves_its_turn(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "amd-ftpm", FASTEST);
    pid_t child = start_child(hold_the_turn, *state);

    for (int i = 0; i < 20000 && !turn_is_taken(*state); i++)
        (void)usleep(1000);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(wait_child(child), 1000 + SIGKILL);
    test_close(tpm);
}

struct ancestor {
    void *directory;
    int end[2];
};

static int hold_the_turn_with_a_child(void *argument)
{
    const struct ancestor *ancestor = argument;
    TSS2_TCTI_CONTEXT *tpm = open_as(ancestor->directory, "amd-ftpm", ",speed=0.001x");
    uint8_t byte;

    if (fork() == 0) {
        (void)close(ancestor->end[1]);
        return (int)read(ancestor->end[0], &byte, 1);
    }
    (void)get_random(tpm, 8, NULL);
    return 1;
}

/* What the child inherited must not keep the turn. */
static void a_killed_process_leaves_its_turn_though_its_child_lives(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "amd-ftpm", FASTEST);
    struct ancestor ancestor = {.directory = *state};
    pid_t child;

    assert_int_equal(pipe(ancestor.end), 0);
    child = start_child(hold_the_turn_with_a_child, &ancestor);
    for (int i = 0; i < 20000 && !turn_is_taken(*state); i++)
        (void)usleep(1000);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(wait_child(child), 1000 + SIGKILL);
    assert_false(turn_is_taken(*state));
    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_SUCCESS);
    (void)close(ancestor.end[0]);
    (void)close(ancestor.end[1]);
    test_close(tpm);
}

static void a_command_lasts_as_long_as_the_chips(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "slb9670", ",seed=1");
    double began = now();

    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_SUCCESS);
    assert_true(now() - began >= 0.0038);
    test_close(tpm);
    tpm = open_as(*state, "slb9670", ",seed=1,speed=0.1x");
    began = now();
    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_SUCCESS);
    assert_true(now() - began >= 0.038);
    test_close(tpm);
}

static int use_inherited(void *argument)
{
    for (int i = 0; i < TURNS; i++)
        CHILD_CHECK(get_random(argument, 8, NULL) == TPM2_RC_SUCCESS);
    return 0;
}

/* A lock is of an open file, which the two share at first. */
static void a_forked_child_takes_turns_with_its_parent(void **state)
{
    TSS2_TCTI_CONTEXT *tpm = open_as(*state, "amd-ftpm", "");
    double began;
    pid_t child;

    assert_int_equal(get_random(tpm, 8, NULL), TPM2_RC_SUCCESS);
    began = now();
    child = start_child(use_inherited, tpm);
    assert_int_equal(use_inherited(tpm), 0);
    assert_int_equal(wait_child(child), 0);
    assert_true(now() - began >= 2 * TURNS * 0.0029);
    test_close(tpm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(absent_commands_are_refused_and_not_listed),
        TEST(lists_can_be_read_in_pieces),
        TEST(absent_curves_are_refused_and_not_listed),
        TEST(absent_algorithms_are_refused_and_not_listed),
        TEST(absent_key_sizes_are_refused),
        TEST(refusals_are_those_of_a_tpm_that_lacks_it),
        TEST(what_is_encrypted_in_a_session_does_not_hide_a_template),
        TEST(commands_beyond_the_shown_size_are_refused),
        TEST(nv_sizes_are_those_that_are_shown),
        TEST(nv_indexes_fill_the_room_of_the_chip),
        TEST(persistent_objects_fill_the_room_of_the_chip),
        TEST(an_old_saved_session_holds_up_the_others_at_the_context_gap),
        TEST(a_saved_session_that_is_gone_holds_up_nobody),
        TEST(a_chip_without_a_gap_counts_no_sessions),
        TEST(the_hostile_one_has_each_command_sent_again),
        TEST(the_chip_says_its_name_and_its_slots),
        TEST(without_a_resource_manager_the_slots_are_the_tpms_own),
        TEST(without_a_profile_it_says_signet_embedded_and_has_no_limits),
        TEST(the_file_of_a_chip_is_shared_as_the_directory_is),
        TEST(an_unknown_profile_is_refused_with_the_known_names),
        TEST(lockout_parameters_are_had_by_name),
        TEST(a_tpm_that_is_made_as_a_chip_has_its_tries),
        TEST(processes_on_one_directory_take_turns),
        TEST(a_killed_process_leaves_its_turn),
        TEST(a_killed_process_leaves_its_turn_though_its_child_lives),
        TEST(a_command_lasts_as_long_as_the_chips),
        TEST(a_forked_child_takes_turns_with_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
