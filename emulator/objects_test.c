#include "emulator/test_support.h"

/* The TPM has room for 3. */
#define MANY 8

static void a_connection_has_more_objects_than_the_tpm_has_room_for(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t keys[MANY];

    for (int i = 0; i < MANY; i++) {
        keys[i] = 0xa5a5a5a5;
        assert_int_equal(create_key(context, "pw", (uint8_t)i, KEY_PLAIN, &keys[i]),
                         TPM2_RC_SUCCESS);
        assert_int_equal(keys[i], TRANSIENT_FIRST + (uint32_t)i);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++)
            assert_int_equal(sign(context, keys[(i * 3) % MANY], "pw"), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, keys[0], "no"), TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1);
    test_close(context);
}

static void flushed_objects_are_gone_and_their_handle_comes_again(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t keys[MANY], again = 0;

    for (int i = 0; i < MANY; i++)
        assert_int_equal(create_key(context, "", (uint8_t)i, KEY_PLAIN, &keys[i]), TPM2_RC_SUCCESS);
    /* One that is loaded in the TPM, and one that is not. */
    assert_int_equal(flush(context, keys[MANY - 1]), TPM2_RC_SUCCESS);
    assert_int_equal(flush(context, keys[0]), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, keys[0], ""), TPM2_RC_REFERENCE_H0);
    assert_int_equal(flush(context, keys[0]), TPM2_RC_HANDLE | TPM2_RC_P | TPM2_RC_1);
    assert_int_equal(create_key(context, "", 9, KEY_PLAIN, &again), TPM2_RC_SUCCESS);
    assert_int_equal(again, keys[0]);
    test_close(context);
}

static void connections_do_not_see_each_others_objects(void **state)
{
    TSS2_TCTI_CONTEXT *left = test_open(*state), *right = test_open(*state);
    uint32_t key = 0, other = 0, first = 0;

    assert_int_equal(create_key(left, "left", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(right, key, "left"), TPM2_RC_REFERENCE_H0);
    assert_int_equal(flush(right, key), TPM2_RC_HANDLE | TPM2_RC_P | TPM2_RC_1);
    assert_int_equal(create_key(right, "right", 2, KEY_PLAIN, &other), TPM2_RC_SUCCESS);
    assert_int_equal(other, key);
    assert_int_equal(sign(left, key, "left"), TPM2_RC_SUCCESS);
    assert_int_equal(sign(right, key, "right"), TPM2_RC_SUCCESS);

    assert_int_equal(count_handles(left, TRANSIENT_FIRST, &first), 1);
    assert_int_equal(first, key);
    test_close(right);
    assert_int_equal(count_handles(left, TRANSIENT_FIRST, NULL), 1);
    assert_int_equal(count_handles(left, TRANSIENT_FIRST + 1, NULL), 0);
    assert_int_equal(sign(left, key, "left"), TPM2_RC_SUCCESS);
    test_close(left);
}

static void a_new_connection_starts_without_objects(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);

    for (int i = 0; i < MANY; i++)
        assert_int_equal(create_key(context, "", (uint8_t)i, KEY_PLAIN, NULL), TPM2_RC_SUCCESS);
    test_close(context);
    context = test_open(*state);
    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 0);
    test_close(context);
}

static void a_connection_without_end_of_objects_is_stopped(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    struct message saved;
    uint32_t key = 0, rc = TPM2_RC_SUCCESS;
    int count = 1;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(context, key, &saved), TPM2_RC_SUCCESS);
    while (rc == TPM2_RC_SUCCESS && count < 1000) {
        uint32_t copy;

        rc = load_context(context, &saved, &copy);
        count += rc == TPM2_RC_SUCCESS;
    }
    assert_int_equal(rc, TPM2_RC_OBJECT_MEMORY);
    assert_int_equal(count, 256);
    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 254);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key + 255, ""), TPM2_RC_SUCCESS);
    test_close(context);
}

/* A sealed byte. The session is not to continue. */
static uint32_t create_in_session(TSS2_TCTI_CONTEXT *context, uint32_t session)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_CreatePrimary);
    add_u32(&m, TPM2_RH_OWNER);
    add_auth(&m, session, 0, "");
    add_u16(&m, 5);
    add_2b(&m, "");
    add_2b(&m, "x");
    add_u16(&m, 14);
    add_u16(&m, TPM2_ALG_KEYEDHASH);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u32(&m, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_USERWITHAUTH |
                    TPMA_OBJECT_NODA);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_NULL);
    add_u16(&m, 0);
    add_u16(&m, 0);
    add_u32(&m, 0);
    return run(context, &m, &response);
}

static void a_command_without_room_for_its_object_leaves_its_session(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    struct message saved;
    uint32_t key = 0, session = 0, copy = 0;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(save_context(context, key, &saved), TPM2_RC_SUCCESS);
    for (int i = 1; i < 256; i++)
        assert_int_equal(load_context(context, &saved, &copy), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(context, TPM2_SE_HMAC, &session, NULL), TPM2_RC_SUCCESS);
    assert_int_equal(create_in_session(context, session), TPM2_RC_OBJECT_MEMORY);
    assert_int_equal(flush(context, copy), TPM2_RC_SUCCESS);
    assert_int_equal(create_in_session(context, session), TPM2_RC_SUCCESS);
    assert_int_equal(create_in_session(context, session), TPM2_RC_OBJECT_MEMORY);
    test_close(context);
}

static uint32_t start_hash(TSS2_TCTI_CONTEXT *context, uint32_t *ret_handle)
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_HashSequenceStart);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_SHA256);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS)
        *ret_handle = get_u32(response.bytes + HEADER_SIZE);
    return rc;
}

static uint32_t update_hash(TSS2_TCTI_CONTEXT *context, uint32_t sequence, const char *text)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_SequenceUpdate);
    add_u32(&m, sequence);
    add_password(&m, "");
    add_2b(&m, text);
    return run(context, &m, &response);
}

static uint32_t complete_hash(TSS2_TCTI_CONTEXT *context, uint32_t sequence, const char *text,
                              uint8_t digest[32])
{
    struct message m, response;
    uint32_t rc;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_SequenceComplete);
    add_u32(&m, sequence);
    add_password(&m, "");
    add_2b(&m, text);
    add_u32(&m, TPM2_RH_NULL);
    rc = run(context, &m, &response);
    if (rc == TPM2_RC_SUCCESS)
        memcpy(digest, response.bytes + HEADER_SIZE + 6, 32);
    return rc;
}

static void sequence_objects_keep_what_they_hashed_when_they_make_room(void **state)
{
    /* SHA-256 of "abc" */
    static const uint8_t expected[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                         0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                         0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                         0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t sequences[6];
    uint8_t digest[32] = {0};

    for (int i = 0; i < 6; i++)
        assert_int_equal(start_hash(context, &sequences[i]), TPM2_RC_SUCCESS);
    for (int i = 0; i < 6; i++)
        assert_int_equal(update_hash(context, sequences[i], "a"), TPM2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    for (int i = 0; i < 6; i++)
        assert_int_equal(update_hash(context, sequences[i], "b"), TPM2_RC_SUCCESS);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(complete_hash(context, sequences[i], "c", digest), TPM2_RC_SUCCESS);
        assert_memory_equal(digest, expected, sizeof(expected));
        assert_int_equal(update_hash(context, sequences[i], "d"), TPM2_RC_REFERENCE_H0);
    }
    assert_int_equal(count_handles(context, TRANSIENT_FIRST, NULL), 0);
    test_close(context);
}

static uint32_t give_tries_back_each_second(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_DictionaryAttackParameters);
    add_u32(&m, TPM2_RH_LOCKOUT);
    add_password(&m, "");
    add_u32(&m, 32);
    add_u32(&m, 1);
    add_u32(&m, 1);
    return run(context, &m, &response);
}

static int extend_in_child(void *directory)
{
    TSS2_TCTI_CONTEXT *context = test_open(directory);

    CHILD_CHECK(extend_pcr(context, 16) == TPM2_RC_SUCCESS);
    test_close(context);
    return 0;
}

/* A failed try is given back with whatever command comes next, and that is to be
 * stored; but the state has moved on. `last`: the command completes the sequence. */
static void hash_while_tries_are_given_back(const char *directory, bool last)
{
    TSS2_TCTI_CONTEXT *context = test_open(directory);
    uint32_t key = 0, alone = 0, disturbed = 0;
    uint8_t expected[32], digest[32];

    assert_int_equal(give_tries_back_each_second(context), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(context, "right", 1, KEY_DA, &key), TPM2_RC_SUCCESS);
    assert_int_equal(start_hash(context, &alone), TPM2_RC_SUCCESS);
    assert_int_equal(update_hash(context, alone, "a"), TPM2_RC_SUCCESS);
    assert_int_equal(complete_hash(context, alone, "b", expected), TPM2_RC_SUCCESS);
    assert_int_equal(start_hash(context, &disturbed), TPM2_RC_SUCCESS);
    if (last)
        assert_int_equal(update_hash(context, disturbed, "a"), TPM2_RC_SUCCESS);
    assert_int_not_equal(sign(context, key, "wrong"), TPM2_RC_SUCCESS);
    (void)usleep(1200000);
    assert_int_equal(run_child(extend_in_child, (void *)(uintptr_t)directory), 0);
    if (!last)
        assert_int_equal(update_hash(context, disturbed, "a"), TPM2_RC_SUCCESS);
    assert_int_equal(complete_hash(context, disturbed, "b", digest), TPM2_RC_SUCCESS);
    assert_memory_equal(digest, expected, sizeof(expected));
    assert_int_equal(get_property(context, TPM2_PT_LOCKOUT_COUNTER), 0);
    test_close(context);
}

static void nothing_is_hashed_twice_while_tries_are_given_back(void **state)
{
    hash_while_tries_are_given_back(*state, false);
}

static void a_sequence_is_completed_while_tries_are_given_back(void **state)
{
    hash_while_tries_are_given_back(*state, true);
}

static void clearing_the_owner_takes_its_objects_away(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state), *other = test_open(*state);
    struct message m, response;
    uint32_t key = 0, kept = 0;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(create_key(other, "", 2, KEY_PLAIN, &kept), TPM2_RC_SUCCESS);
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_Clear);
    add_u32(&m, TPM2_RH_LOCKOUT);
    add_password(&m, "");
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_REFERENCE_H0);
    assert_int_equal(sign(other, kept, ""), TPM2_RC_REFERENCE_H0);
    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, ""), TPM2_RC_SUCCESS);
    test_close(other);
    test_close(context);
}

static uint32_t evict(TSS2_TCTI_CONTEXT *context, uint32_t object, uint32_t persistent)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_EvictControl);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, object);
    add_password(&m, "");
    add_u32(&m, persistent);
    return run(context, &m, &response);
}

static void persistent_objects_find_room_among_transient_ones(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state), *other = test_open(*state);
    uint32_t keys[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(create_key(context, "", (uint8_t)i, KEY_PLAIN, &keys[i]), TPM2_RC_SUCCESS);
    assert_int_equal(evict(context, keys[0], 0x81000001), TPM2_RC_SUCCESS);
    for (int i = 1; i < 4; i++)
        assert_int_equal(sign(context, keys[i], ""), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, 0x81000001, ""), TPM2_RC_SUCCESS);
    assert_int_equal(sign(other, 0x81000001, ""), TPM2_RC_SUCCESS);
    assert_int_equal(evict(other, 0x81000001, 0x81000001), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, 0x81000001, ""), TPM2_RC_HANDLE | TPM2_RC_1);
    test_close(other);
    test_close(context);
}

static void sessions_authorize_the_connections_own_handles(void **state)
{
    TSS2_TCTI_CONTEXT *context = test_open(*state);
    uint32_t keys[5], session = 0;

    for (int i = 0; i < 5; i++)
        assert_int_equal(create_key(context, "", (uint8_t)i, KEY_PLAIN, &keys[i]), TPM2_RC_SUCCESS);
    assert_int_equal(start_session(context, TPM2_SE_HMAC, &session, NULL), TPM2_RC_SUCCESS);
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            sign_in_session(context, keys[i], session, TPMA_SESSION_CONTINUESESSION, ""),
            TPM2_RC_SUCCESS);
    /* Without continueSession the TPM drops it. */
    assert_int_equal(sign_in_session(context, keys[0], session, 0, ""), TPM2_RC_SUCCESS);
    assert_int_equal(flush(context, session), TPM2_RC_HANDLE | TPM2_RC_P | TPM2_RC_1);
    test_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_has_more_objects_than_the_tpm_has_room_for),
        TEST(flushed_objects_are_gone_and_their_handle_comes_again),
        TEST(connections_do_not_see_each_others_objects),
        TEST(a_new_connection_starts_without_objects),
        TEST(a_connection_without_end_of_objects_is_stopped),
        TEST(a_command_without_room_for_its_object_leaves_its_session),
        TEST(sequence_objects_keep_what_they_hashed_when_they_make_room),
        TEST(nothing_is_hashed_twice_while_tries_are_given_back),
        TEST(a_sequence_is_completed_while_tries_are_given_back),
        TEST(clearing_the_owner_takes_its_objects_away),
        TEST(persistent_objects_find_room_among_transient_ones),
        TEST(sessions_authorize_the_connections_own_handles),
    };

    return cmocka_run_group_tests_name("emulator: transient objects", tests, NULL, NULL);
}
