#include "emulator/test_support.h"

#include "emulator/kinds.h"

#define CC(handles, returns) ((uint32_t)(handles) << 25 | ((returns) ? TPMA_CC_RHANDLE : 0u))

/* As libtpms describes the commands that are used here. */
static const struct command_attributes *attributes(void)
{
    static struct command_attributes table;

    table.attributes[TPM2_CC_Sign - TPM2_CC_FIRST] = CC(1, false);
    table.attributes[TPM2_CC_Quote - TPM2_CC_FIRST] = CC(1, false);
    table.attributes[TPM2_CC_NV_Increment - TPM2_CC_FIRST] = CC(2, false);
    table.attributes[TPM2_CC_CreatePrimary - TPM2_CC_FIRST] = CC(1, true);
    table.attributes[TPM2_CC_Clear - TPM2_CC_FIRST] = CC(1, false);
    return &table;
}

static void make_sign(struct message *m, uint32_t session)
{
    begin(m, TPM2_ST_SESSIONS, TPM2_CC_Sign);
    add_u32(m, 0x80000001);
    add_auth(m, session, 1, "secret");
    add_2b(m, "digest");
    put_u32(m->bytes + 2, (uint32_t)m->size);
}

static enum command_kind kind_of(const struct message *m)
{
    struct command command;

    memset(&command, 0xa5, sizeof(command));
    command_parse(m, attributes(), &command);
    return command_kind(&command, m);
}

static void a_command_is_read_as_its_attributes_say(void **state)
{
    struct message m;
    struct command command;

    (void)state;
    make_sign(&m, TPM2_RS_PW);
    memset(&command, 0xa5, sizeof(command));
    command_parse(&m, attributes(), &command);
    assert_int_equal(command.code, TPM2_CC_Sign);
    assert_int_equal(command.handle_count, 1);
    assert_int_equal(command.handles[0], 0x80000001);
    assert_true(command.has_sessions);
    assert_false(command.uses_session);
    assert_false(command.returns_handle);
    assert_int_equal(command.parameters, HEADER_SIZE + 4 + 4 + 15);
}

static void every_cut_of_a_command_is_read_within_bounds(void **state)
{
    struct message whole;

    (void)state;
    make_sign(&whole, 0x02000000);
    for (size_t size = 0; size <= whole.size; size++) {
        struct message *cut = malloc(sizeof(*cut));
        struct command command;

        assert_non_null(cut);
        memset(cut, 0xff, sizeof(*cut));
        memcpy(cut->bytes, whole.bytes, size);
        cut->size = size;
        memset(&command, 0xa5, sizeof(command));
        command_parse(cut, attributes(), &command);
        assert_in_range(command.parameters, 0, size);
        assert_in_range(command.handle_count, 0, 1);
        free(cut);
    }
}

static void authorization_areas_that_lie_about_their_size_end_the_walk(void **state)
{
    struct message m;
    struct command command;

    (void)state;
    make_sign(&m, TPM2_RS_PW);
    put_u32(m.bytes + HEADER_SIZE + 4, 0xffffffff);
    command_parse(&m, attributes(), &command);
    assert_int_equal(command.parameters, m.size);
    make_sign(&m, TPM2_RS_PW);
    put_u16(m.bytes + HEADER_SIZE + 12, 0xffff);
    command_parse(&m, attributes(), &command);
    assert_false(command.uses_session);
}

static void a_session_makes_any_command_a_change(void **state)
{
    struct message m;

    (void)state;
    make_sign(&m, TPM2_RS_PW);
    assert_int_equal(kind_of(&m), KIND_OWN_OBJECTS);
    make_sign(&m, 0x02000001);
    assert_int_equal(kind_of(&m), KIND_CHANGES_SHARED);
    make_sign(&m, 0x03000000);
    assert_int_equal(kind_of(&m), KIND_CHANGES_SHARED);
}

static void the_kind_of_context_commands_is_that_of_their_handle(void **state)
{
    struct message m;

    (void)state;
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_FlushContext);
    add_u32(&m, 0x80000000);
    assert_int_equal(kind_of(&m), KIND_OWN_OBJECTS);
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_FlushContext);
    add_u32(&m, 0x03000000);
    assert_int_equal(kind_of(&m), KIND_CHANGES_SHARED);
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ContextLoad);
    add_u32(&m, 0);
    add_u32(&m, 1);
    add_u32(&m, 0x80000000);
    assert_int_equal(kind_of(&m), KIND_OWN_OBJECTS);
    put_u32(m.bytes + HEADER_SIZE + 8, 0x02000000);
    assert_int_equal(kind_of(&m), KIND_CHANGES_SHARED);
    /* Also of an object: the id of a saved context must not be used twice. */
    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_ContextSave);
    add_u32(&m, 0x80000000);
    assert_int_equal(kind_of(&m), KIND_CHANGES_SHARED);
}

static void what_is_not_in_the_table_changes_everything(void **state)
{
    static const uint32_t codes[] = {TPM2_CC_Clear,
                                     TPM2_CC_EvictControl,
                                     TPM2_CC_HierarchyChangeAuth,
                                     TPM2_CC_Commit,
                                     TPM2_CC_EC_Ephemeral,
                                     TPM2_CC_ZGen_2Phase,
                                     TPM2_CC_NV_DefineSpace,
                                     TPM2_CC_NV_UndefineSpace,
                                     TPM2_CC_Shutdown,
                                     TPM2_CC_DictionaryAttackLockReset,
                                     0x20000001,
                                     0};
    struct message m;

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        begin(&m, TPM2_ST_NO_SESSIONS, codes[i]);
        assert_int_equal(kind_of(&m), KIND_CHANGES_HARD);
    }
}

/* The answer alone says so: the scheme may be the key's own. */
static void a_signature_that_spends_a_commit_value_is_noticed(void **state)
{
    struct message m, response;
    struct command command;

    (void)state;
    make_sign(&m, TPM2_RS_PW);
    command_parse(&m, attributes(), &command);
    begin(&response, TPM2_ST_SESSIONS, TPM2_RC_SUCCESS);
    add_u32(&response, 40);
    add_u16(&response, TPM2_ALG_ECDSA);
    assert_false(response_spends_commit(&command, &response));
    put_u16(response.bytes + HEADER_SIZE + 4, TPM2_ALG_ECDAA);
    assert_true(response_spends_commit(&command, &response));
    put_u32(response.bytes + 6, TPM2_RC_FAILURE);
    assert_false(response_spends_commit(&command, &response));

    begin(&m, TPM2_ST_NO_SESSIONS, TPM2_CC_Quote);
    add_u32(&m, 0x80000000);
    command_parse(&m, attributes(), &command);
    begin(&response, TPM2_ST_NO_SESSIONS, TPM2_RC_SUCCESS);
    add_2b(&response, "attest");
    add_u16(&response, TPM2_ALG_ECDAA);
    assert_true(response_spends_commit(&command, &response));
    put_u16(response.bytes + HEADER_SIZE, 0xffff);
    assert_false(response_spends_commit(&command, &response));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_read_as_its_attributes_say),
        cmocka_unit_test(every_cut_of_a_command_is_read_within_bounds),
        cmocka_unit_test(authorization_areas_that_lie_about_their_size_end_the_walk),
        cmocka_unit_test(a_session_makes_any_command_a_change),
        cmocka_unit_test(the_kind_of_context_commands_is_that_of_their_handle),
        cmocka_unit_test(what_is_not_in_the_table_changes_everything),
        cmocka_unit_test(a_signature_that_spends_a_commit_value_is_noticed),
    };

    return cmocka_run_group_tests_name("emulator: commands and their kinds", tests, NULL, NULL);
}
