#include "emulator/cli/script_support.h"
#include "emulator/identity/ek.h"

/* --- commands ------------------------------------------------------------------ */

static TSS2_TCTI_CONTEXT *open_named(const char *directory, const char *name)
{
    char path[PATH_MAX];

    return test_open(test_path(directory, name, path));
}

/* TPM2_EvictControl */
static void make_persistent(TSS2_TCTI_CONTEXT *context, uint32_t object, uint32_t handle)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_EvictControl);
    add_u32(&m, TPM2_RH_OWNER);
    add_u32(&m, object);
    add_password(&m, "");
    add_u32(&m, handle);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
}

/* Of the platform: an index that the owner's TPM2_Clear does not touch. */
static void define_platform_index(TSS2_TCTI_CONTEXT *context, uint32_t index)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_DefineSpace);
    add_u32(&m, TPM2_RH_PLATFORM);
    add_password(&m, "");
    add_u16(&m, 0);
    add_u16(&m, 14);
    add_u32(&m, index);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u32(&m, TPMA_NV_PLATFORMCREATE | TPMA_NV_PPWRITE | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA |
                    TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT);
    add_u16(&m, 0);
    add_u16(&m, 8);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_NV_Increment);
    add_u32(&m, TPM2_RH_PLATFORM);
    add_u32(&m, index);
    add_password(&m, "");
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
}

static void set_lockout(TSS2_TCTI_CONTEXT *context, uint32_t tries, uint32_t interval,
                        uint32_t recovery)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_DictionaryAttackParameters);
    add_u32(&m, TPM2_RH_LOCKOUT);
    add_password(&m, "");
    add_u32(&m, tries);
    add_u32(&m, interval);
    add_u32(&m, recovery);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
}

/* TPM2_PCR_Allocate: no SHA-1, from the next reset on */
static void switch_sha1_off(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_PCR_Allocate);
    add_u32(&m, TPM2_RH_PLATFORM);
    add_password(&m, "");
    add_u32(&m, 1);
    add_u16(&m, TPM2_ALG_SHA1);
    add_u8(&m, 3);
    add_bytes(&m, "\0\0\0", 3);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
}

static void disable_clear(TSS2_TCTI_CONTEXT *context)
{
    struct message m, response;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_ClearControl);
    add_u32(&m, TPM2_RH_LOCKOUT);
    add_password(&m, "");
    add_u8(&m, 1);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
}

/* The same in TPMs with the same seed of that hierarchy alone. */
static void primary_of(TSS2_TCTI_CONTEXT *context, uint32_t hierarchy, uint8_t ret[68])
{
    struct message m, response;
    size_t end;

    begin(&m, TPM2_ST_SESSIONS, TPM2_CC_CreatePrimary);
    add_u32(&m, hierarchy);
    add_password(&m, "");
    add_u16(&m, 4);
    add_u32(&m, 0);
    add_u16(&m, 22);
    add_u16(&m, TPM2_ALG_ECC);
    add_u16(&m, TPM2_ALG_SHA256);
    add_u32(&m, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
                    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT);
    add_u16(&m, 0);
    add_u16(&m, TPM2_ALG_NULL);
    add_u16(&m, TPM2_ALG_NULL);
    add_u16(&m, TPM2_ECC_NIST_P256);
    add_u16(&m, TPM2_ALG_NULL);
    add_u32(&m, 0);
    put_u16(m.bytes + 33, (uint16_t)(m.size - 35));
    add_u16(&m, 0);
    add_u32(&m, 0);
    assert_int_equal(run(context, &m, &response), TPM2_RC_SUCCESS);
    end = HEADER_SIZE + 10 + get_u16(response.bytes + HEADER_SIZE + 8);
    memcpy(ret, response.bytes + end - 68, 68);
    assert_int_equal(flush(context, get_u32(response.bytes + HEADER_SIZE)), TPM2_RC_SUCCESS);
}

static void expect_seeds(TSS2_TCTI_CONTEXT *left, TSS2_TCTI_CONTEXT *right, bool same)
{
    static const uint32_t hierarchies[] = {TPM2_RH_OWNER, TPM2_RH_ENDORSEMENT, TPM2_RH_PLATFORM};

    for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
        uint8_t points[2][68];

        primary_of(left, hierarchies[i], points[0]);
        primary_of(right, hierarchies[i], points[1]);
        assert_int_equal(memcmp(points[0], points[1], 68) == 0, same);
    }
}

/* A key that is persistent, a counter at 1, an extended PCR. */
static void furnish(TSS2_TCTI_CONTEXT *context)
{
    uint32_t key;

    assert_int_equal(create_key(context, "", 1, KEY_PLAIN, &key), TPM2_RC_SUCCESS);
    make_persistent(context, key, 0x81000001);
    assert_int_equal(define_counter(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
}

/* --- what is not asked of a TPM ---------------------------------------------------- */

static void help_and_version_go_to_stdout(void **state)
{
    expect_done(*state, "signet-tpm --help >out 2>err; test ! -s err\n"
                        "for name in make describe reset copy export import counters profiles; do\n"
                        "  grep -q \"^  signet-tpm $name\" out\n"
                        "  signet-tpm $name --help | grep -q \"^  signet-tpm $name\"\n"
                        "done\n"
                        "signet-tpm --version | grep -q '^signet-tpm [0-9]*[.][0-9]*$'\n"
                        "test \"$(ls)\" = \"$(printf 'err\\nlog\\nout')\"\n");
}

static void wrong_arguments_are_status_2_and_do_nothing(void **state)
{
    static const char *const lines[] = {
        "",
        "unknown",
        "make",
        "make a b",
        "make --ca-key k a",
        "make --ca-certificate c a",
        "make --ca-key",
        "make --no-ek --ca-key k --ca-certificate c a",
        "make --no-ek=yes a",
        "make -x a",
        "describe --jso a",
        "describe a b",
        "reset --restart --resume a",
        "reset --power-loss --resume a",
        "copy a",
        "copy a b c",
        "copy --ca-key k --ca-certificate c a b",
        "export a",
        "import a",
        "import --forc a b",
        "counters",
        "counters a b",
        "profiles a",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[512];

        (void)snprintf(
            text, sizeof(text),
            "test $(status signet-tpm %s) -eq 2; test ! -s out\n"
            "test $(wc -l <err) -eq 1; grep -q -e 'usage' -e '--help' err; test ! -e a\n",
            lines[i]);
        expect_done(*state, text);
    }
}

static void no_command_but_make_makes_a_tpm_out_of_nothing(void **state)
{
    expect_done(*state,
                "mkdir empty\n"
                "for dir in nowhere empty log; do\n"
                "  why='there is no TPM here; make one'\n"
                "  test $dir != log || why='log: cannot open the state directory: Not a dir'\n"
                "  fails \"$why\" signet-tpm describe $dir\n"
                "  fails \"$why\" signet-tpm describe --json $dir\n"
                "  fails \"$why\" signet-tpm reset $dir\n"
                "  fails \"$why\" signet-tpm copy $dir to\n"
                "  fails \"$why\" signet-tpm copy --new-seed $dir to\n"
                "  fails \"$why\" signet-tpm export $dir file\n"
                "done\n"
                "fails 'no TPM here' signet-tpm describe\n"
                "test ! -e nowhere; test ! -e to; test ! -e file; test ! -e .local\n"
                "test -z \"$(ls -A empty)\"\n");
}

/* --- make --------------------------------------------------------------------------- */

static void make_makes_a_tpm_once(void **state)
{
    expect_done(*state, "signet-tpm make a\n"
                        "test -s a/tpm2-00.permall; test -s a/ek-ca.crt\n"
                        "sum=$(cksum a/*)\n"
                        "fails 'a: there is a TPM already' signet-tpm make a\n"
                        "test \"$sum\" = \"$(cksum a/*)\"\n"
                        "signet-tpm make --no-ek b\n"
                        "test ! -e b/ek-ca.crt\n"
                        "signet-tpm describe b | tail -1 | grep -qx '  none'\n"
                        "signet-tpm make .local/state/signet/tpm\n"
                        "signet-tpm describe | grep -q 'directory .*/.local/state/signet/tpm$'\n"
                        "signet-tpm make -- --no-ek; test -e ./--no-ek/ek-ca.crt\n");
}

#define MAKE_CA                                                                                    \
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key"          \
    " -out ca.crt -subj '/CN=Fleet \"7\"' -days 9 -addext keyUsage=critical,keyCertSign\n"

static void make_takes_an_own_ca(void **state)
{
    need_program("openssl", "openssl");
    expect_done(*state,
                MAKE_CA "signet-tpm make --ca-key ca.key --ca-certificate=ca.crt a\n"
                        "cmp ca.crt a/ek-ca.crt\n"
                        "test $(signet-tpm describe a | grep -c 'issuer .*Fleet') -eq 2\n"
                        "signet-tpm copy --new-seed --ca-key ca.key --ca-certificate ca.crt a b\n"
                        "test $(signet-tpm describe b | grep -c 'issuer .*Fleet') -eq 2\n"
                        "cmp ca.crt b/ek-ca.crt\n"
                        "fails 'nokey: cannot read' signet-tpm make --ca-key nokey"
                        " --ca-certificate ca.crt c\n"
                        "fails 'ca.key: not a certificate' signet-tpm make --ca-key ca.key"
                        " --ca-certificate ca.key c\n"
                        "test ! -e c/tpm2-00.permall\n"
                        "signet-tpm make c\n");
}

/* --- describe ----------------------------------------------------------------------- */

static void describe_tells_what_is_in_a_tpm(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_named(*state, "a");
    uint32_t session;

    furnish(context);
    set_lockout(context, 7, 11, 13);
    assert_int_equal(start_session(context, TPM2_SE_HMAC, &session, NULL), TPM2_RC_SUCCESS);
    expect_done(*state,
                "facts a\n"
                "fact a 'manufacturer: IBM'\n"
                "fact a 'vendor string: Signet embedded'\n"
                "fact a 'specification: 2.0 level 0 revision 1.[0-9]*'\n"
                "fact a 'libtpms: [0-9]*[.][0-9]*[.][0-9]*'\n"
                "fact a 'other users: 1'\n"
                "fact a 'sessions loaded: 1'\n"
                "fact a 'owner authorisation set: no'\n"
                "fact a 'failed tries: 0'\n"
                "fact a 'tries allowed: 7'\n"
                "fact a 'seconds until a try is back: 11'\n"
                "fact a 'seconds of lockout recovery: 13'\n"
                "fact a 'sha256, pcrs 24'\n"
                "fact a '0x81000001, ECC NIST P-256, fixedtpm|fixedparent.*|sign'\n"
                "fact a '0x01800001, size 8, counter|ownerwrite|ownerread|no_da|.*written'\n"
                "fact a '0x01c00002, size [0-9]*, ppwrite|.*|platformcreate'\n"
                "fact a 'subject: .*2.23.133.2.1 = id:49424D00.*'\n"
                "fact a \"last state write: $(date -u +%Y).*Z\"\n");
    test_close(context);
    expect_done(*state, "fact a 'other users: 0'; fact a 'sessions loaded: 0'\n");
}

#define HOLDERS 3

struct holder {
    const char *directory;
    int told[2]; /* a pipe */
};

static int hold(void *argument)
{
    const struct holder *holder = argument;
    TSS2_TCTI_CONTEXT *context = NULL;
    uint32_t session;

    CHILD_CHECK(test_try_open(holder->directory, &context) == TSS2_RC_SUCCESS);
    for (int i = 0; i < 2; i++)
        CHILD_CHECK(start_session(context, TPM2_SE_HMAC, &session, NULL) == TPM2_RC_SUCCESS);
    CHILD_CHECK(write(holder->told[1], "", 1) == 1);
    for (;;)
        (void)pause();
}

static void describe_counts_who_uses_the_tpm_and_their_sessions(void **state)
{
    char path[PATH_MAX], byte;
    struct holder holder = {.directory = test_path(*state, "a", path)};
    pid_t children[HOLDERS];

    assert_int_equal(pipe(holder.told), 0);
    for (int i = 0; i < HOLDERS; i++) {
        children[i] = start_child(hold, &holder);
        assert_int_equal(read(holder.told[0], &byte, 1), 1);
    }
    expect_done(*state, "fact a 'other users: 3'; fact a 'sessions loaded: 6'\n");
    for (int i = 0; i < HOLDERS; i++) {
        assert_int_equal(kill(children[i], SIGKILL), 0);
        assert_int_equal(wait_child(children[i]), 1000 + SIGKILL);
    }
    expect_done(*state, "fact a 'other users: 0'\n");
    (void)close(holder.told[0]);
    (void)close(holder.told[1]);
}

static void describe_does_not_change_the_tpm(void **state)
{
    expect_done(*state, "signet-tpm make a\n"
                        "sum=$(cksum a/*)\n"
                        "signet-tpm describe a; signet-tpm describe --json a\n"
                        "signet-tpm export a file\n"
                        "test \"$sum\" = \"$(cksum a/*)\"\n");
}

static void describe_writes_json_whatever_the_names(void **state)
{
    need_program("python3", "python3");
    need_program("openssl", "openssl");
    expect_done(*state, MAKE_CA
                "name=$(printf 'q\"b\\\\s\\nl\\033e\\303\\251x\\377')\n"
                "signet-tpm make --ca-key ca.key --ca-certificate ca.crt \"$name\"\n"
                "signet-tpm describe --json \"$name\" >json\n"
                "grep -F '\"directory\": \"q\\\"b\\\\s\\u000al\\u001beé\\u0078' json ||\n"
                "  grep -F '\"directory\": \"q\\\"b\\\\s\\u000al\\u001beéx\\ufffd\"' json\n"
                "signet-tpm describe \"$name\" | head -1 | grep -qx 'directory  *q\"b.s?l?eéx?'\n"
                "python3 -c '\n"
                "import json\n"
                "tpm = json.load(open(\"json\"))\n"
                "assert tpm[\"directory\"].startswith(\"q\\\"b\\\\s\\nl\\x1be\\xe9x\"), tpm\n"
                "assert [c[\"index\"] for c in tpm[\"endorsement_certificates\"]] == \\\n"
                "    [\"0x01c00002\", \"0x01c0000a\"]\n"
                "assert \"Fleet\" in tpm[\"endorsement_certificates\"][0][\"issuer\"]\n"
                "assert \"platformcreate\" in tpm[\"nv_indexes\"][0][\"attributes\"]\n"
                "assert tpm[\"persistent_keys\"] == [] and tpm[\"lockout\"][\"locked\"] is False\n"
                "assert tpm[\"time\"][\"clock\"] >= tpm[\"time\"][\"since_startup\"] >= 0\n"
                "'\n");
}

static void a_full_disk_behind_stdout_is_a_failure(void **state)
{
    expect_done(*state, "signet-tpm make a\n"
                        "if signet-tpm describe a >/dev/full 2>err; then exit 1; fi\n"
                        "grep -q 'cannot write to stdout' err\n");
}

/* --- behaviour --------------------------------------------------------------------- */

static void counters_are_printed(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context;

    (void)setenv("SIGNET_TPM_COUNTERS", test_path(*state, "counts", path), 1);
    context = open_named(*state, "a");
    (void)unsetenv("SIGNET_TPM_COUNTERS");
    assert_int_equal(get_random(context, 8, NULL), TPM2_RC_SUCCESS);
    test_close(context);
    expect_done(*state, "signet-tpm counters counts | grep -q '^GetRandom  *1 '\n"
                        "fails 'nothing: ' signet-tpm counters nothing\n"
                        "fails 'log: ' signet-tpm counters log\n");
}

static void profiles_are_listed(void **state)
{
    expect_done(*state, "signet-tpm profiles | grep slb9670\n"
                        "if signet-tpm profiles >/dev/full 2>err; then exit 1; fi\n"
                        "test $(wc -l <err) -eq 1; grep -q 'cannot write to stdout' err\n");
}

/* --- reset -------------------------------------------------------------------------- */

static void pcr_is_zero(TSS2_TCTI_CONTEXT *context, uint32_t pcr, bool expected)
{
    static const uint8_t zeros[32];
    uint8_t value[32];

    read_pcr(context, pcr, value);
    assert_int_equal(memcmp(value, zeros, sizeof(zeros)) == 0, expected);
}

static void reset_is_felt_by_all_who_use_the_tpm(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_named(*state, "a");

    assert_int_equal(extend_pcr(context, 7), TPM2_RC_SUCCESS);
    expect_done(*state, "fact a 'resets: 1'; fact a 'restarts: 0'\n"
                        "signet-tpm reset --resume a | grep -q 'TPM resume'\n"
                        "fact a 'resets: 1'; fact a 'restarts: 1'\n");
    pcr_is_zero(context, 7, false);
    expect_done(*state, "signet-tpm reset --restart a | grep -q 'TPM restart'\n"
                        "fact a 'resets: 1'; fact a 'restarts: 2'\n");
    pcr_is_zero(context, 7, true);
    assert_int_equal(extend_pcr(context, 7), TPM2_RC_SUCCESS);
    expect_done(*state, "signet-tpm reset a | grep -q 'TPM reset'\n"
                        "fact a 'resets: 2'; fact a 'restarts: 0'\n");
    pcr_is_zero(context, 7, true);
    expect_done(*state, "signet-tpm reset --power-loss a | grep -q 'power loss'\n"
                        "fact a 'resets: 3'\n");
    test_close(context);
}

/* --- copy ---------------------------------------------------------------------------- */

static void a_copy_is_the_same_tpm_and_goes_its_own_way(void **state)
{
    TSS2_TCTI_CONTEXT *original = open_named(*state, "a"), *copy;
    uint8_t random[2][32];

    furnish(original);
    expect_done(*state, "signet-tpm copy a b | grep -q 'with the same keys'\n"
                        "cmp a/ek-ca.crt b/ek-ca.crt\n"
                        "test \"$(signet-tpm describe a | grep sha256)\" ="
                        " \"$(signet-tpm describe b | grep sha256)\"\n"
                        "fails 'b: there is a TPM already' signet-tpm copy a b\n"
                        "fails 'a: there is a TPM already' signet-tpm copy a a\n");
    copy = open_named(*state, "b");
    pcr_is_zero(copy, 16, false);
    expect_seeds(original, copy, true);
    assert_int_equal(sign(copy, 0x81000001, ""), TPM2_RC_SUCCESS);
    assert_int_equal(read_counter(copy, COUNTER_INDEX), read_counter(original, COUNTER_INDEX));
    assert_int_equal(increment(copy, COUNTER_INDEX), TPM2_RC_SUCCESS);
    assert_int_equal(read_counter(copy, COUNTER_INDEX), read_counter(original, COUNTER_INDEX) + 1);
    assert_int_equal(get_random(original, 32, random[0]), TPM2_RC_SUCCESS);
    assert_int_equal(get_random(copy, 32, random[1]), TPM2_RC_SUCCESS);
    assert_memory_not_equal(random[0], random[1], 32);
    test_close(copy);
    test_close(original);
}

static void two_copies_draw_different_random_numbers(void **state)
{
    TSS2_TCTI_CONTEXT *copies[2];
    uint8_t random[2][32];

    expect_done(*state, "signet-tpm make a; signet-tpm copy a 0; signet-tpm copy a 1\n");
    for (int i = 0; i < 2; i++) {
        copies[i] = open_named(*state, i ? "1" : "0");
        assert_int_equal(get_random(copies[i], 32, random[i]), TPM2_RC_SUCCESS);
    }
    assert_memory_not_equal(random[0], random[1], 32);
    test_close(copies[0]);
    test_close(copies[1]);
}

/* Until it is killed. */
static int count_up(void *argument)
{
    TSS2_TCTI_CONTEXT *context = NULL;

    CHILD_CHECK(test_try_open(argument, &context) == TSS2_RC_SUCCESS);
    for (;;)
        CHILD_CHECK(increment(context, COUNTER_INDEX) == TPM2_RC_SUCCESS);
}

static void a_copy_of_a_busy_tpm_is_whole(void **state)
{
    char path[PATH_MAX];
    TSS2_TCTI_CONTEXT *context = test_open(test_path(*state, "a", path));
    uint64_t last = 0;
    pid_t child;

    furnish(context);
    test_close(context);
    child = start_child(count_up, path);
    for (int i = 0; i < 3; i++) {
        TSS2_TCTI_CONTEXT *copy;

        expect_done(*state, "rm -rf b; signet-tpm copy a b\n");
        copy = open_named(*state, "b");
        assert_true(read_counter(copy, COUNTER_INDEX) >= last);
        last = read_counter(copy, COUNTER_INDEX);
        test_close(copy);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(wait_child(child), 1000 + SIGKILL);
}

#define PLATFORM_INDEX 0x01500002u

static void a_copy_with_new_seeds_has_the_settings_alone(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_named(*state, "a"), *other;
    uint64_t count;

    furnish(context);
    define_platform_index(context, PLATFORM_INDEX);
    set_lockout(context, 7, 11, 13);
    disable_clear(context);
    count = read_counter(context, PLATFORM_INDEX);
    switch_sha1_off(context);
    expect_done(*state, "signet-tpm reset a; fact a 'sha1, pcrs 0'\n"
                        "signet-tpm copy --new-seed a b >said\n"
                        "grep -q 'left behind in a:' said\n"
                        "grep -q '  persistent keys: 0x81000001$' said\n"
                        "grep -q '  NV indexes: 0x01800001 0x01c00002 0x01c0000a$' said\n"
                        "facts b\n"
                        "fact b 'sha1, pcrs 0'; fact b 'sha256, pcrs 24'\n"
                        "fact b 'tries allowed: 7'; fact b 'seconds until a try is back: 11'\n"
                        "fact b 'seconds of lockout recovery: 13'; fact b 'failed tries: 0'\n"
                        "fact b 'clear disabled: yes'\n"
                        "fact b '0x01500002, size 8, counter|.*'\n"
                        "! facts b | grep 0x81000001; ! facts b | grep 0x01800001\n"
                        "for tpm in a b; do facts $tpm | grep -e ^sha256: -e ^issuer:"
                        " -e ^serial: | sort >$tpm.names; done\n"
                        "test $(wc -l <a.names) -eq 6\n"
                        "test -z \"$(comm -12 a.names b.names)\"\n"
                        "if cmp a/ek-ca.crt b/ek-ca.crt; then exit 1; fi\n");
    other = open_named(*state, "b");
    assert_int_equal(read_counter(other, PLATFORM_INDEX), count);
    expect_seeds(context, other, false);
    test_close(other);
    test_close(context);
}

static void a_copy_with_new_seeds_has_certificates_only_where_there_were_some(void **state)
{
    expect_done(*state, "signet-tpm make --no-ek a\n"
                        "signet-tpm copy --new-seed a b | grep -q 'no endorsement certificates'\n"
                        "test ! -e b/ek-ca.crt\n"
                        "signet-tpm describe b | tail -1 | grep -qx '  none'\n");
}

/* --- export and import --------------------------------------------------------------- */

static void an_exported_tpm_is_imported(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_named(*state, "a");
    uint64_t count;

    furnish(context);
    count = read_counter(context, COUNTER_INDEX);
    expect_done(*state, "umask 0; signet-tpm export a file\n"
                        "test \"$(stat -c %a file)\" = 600\n"
                        "signet-tpm import file b\n"
                        "test ! -e b/ek-ca.crt\n"
                        "fact b 'failed tries: 0'\n"
                        "test \"$(signet-tpm describe a | grep sha256)\" ="
                        " \"$(signet-tpm describe b | grep sha256)\"\n");
    test_close(context);
    context = open_named(*state, "b");
    assert_int_equal(read_counter(context, COUNTER_INDEX), count);
    assert_int_equal(sign(context, 0x81000001, ""), TPM2_RC_SUCCESS);
    pcr_is_zero(context, 16, true);
    test_close(context);
}

/* The first use of such a key makes a shutdown without order a failed try. */
static void an_export_counts_as_an_orderly_shutdown(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_named(*state, "a");
    uint32_t key;

    assert_int_equal(create_key(context, "right", 1, KEY_DA, &key), TPM2_RC_SUCCESS);
    assert_int_equal(sign(context, key, "right"), TPM2_RC_SUCCESS);
    expect_done(*state, "signet-tpm export a file; signet-tpm import file b\n"
                        "fact b 'failed tries: 0'\n"
                        "mkdir c; cp a/tpm2-00.permall c\n"
                        "fact c 'failed tries: 1'\n");
    test_close(context);
}

static void export_replaces_a_file_only_by_force(void **state)
{
    expect_done(*state,
                "signet-tpm make a; echo mine >file\n"
                "fails 'file: the file exists' signet-tpm export a file\n"
                "test \"$(cat file)\" = mine\n"
                "signet-tpm export --force a file; signet-tpm import file b\n"
                "fails 'folder: No such' signet-tpm export a folder/file\n"
                "fails 'not the name of a file' signet-tpm export a ./\n"
                "signet-tpm export a $PWD/other; test -s other\n"
                "test \"$(ls)\" = \"$(printf 'a\\nb\\nerr\\nfile\\nlog\\nother\\nout')\"\n");
}

static void import_refuses_what_does_not_start(void **state)
{
    expect_done(
        *state,
        "signet-tpm make a; signet-tpm export a file\n"
        "head -c 2000 file >cut\n"
        "fails 'cut: the file.s length' signet-tpm import cut b\n"
        "head -c 2000 /dev/zero >zeros\n"
        "fails 'zeros: not a swtpm state' signet-tpm import zeros b\n"
        ": >empty; fails 'empty: .*too short' signet-tpm import empty b\n"
        "{ head -c 16 file; tail -c +17 file | tr '\\000-\\377' '\\001-\\377\\000'; } >bent\n"
        "fails 'bent: libtpms .* does not read this state' signet-tpm import bent b\n"
        "fails 'nofile: No such' signet-tpm import nofile b\n"
        "fails 'not a file' signet-tpm import a b\n"
        "head -c 1000000 /dev/zero >large; fails 'not a file of at most'"
        " signet-tpm import large b\n"
        "test ! -e b\n");
}

static void import_replaces_a_tpm_only_by_force_and_unused(void **state)
{
    TSS2_TCTI_CONTEXT *context = open_named(*state, "b");

    furnish(context);
    expect_done(
        *state,
        "signet-tpm make a; signet-tpm export a file\n"
        "fails 'b: there is a TPM already' signet-tpm import file b\n"
        "fails 'b: the TPM that is there has 1 other user' signet-tpm import --force file b\n");
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    test_close(context);
    expect_done(*state, "signet-tpm import --force file b\n"
                        "test ! -e b/ek-ca.crt\n"
                        "test \"$(signet-tpm describe a | grep sha256)\" ="
                        " \"$(signet-tpm describe b | grep sha256)\"\n"
                        "! facts b | grep 0x81000001\n");
}

/* --- swtpm ----------------------------------------------------------------------------- */

static void swtpm_starts_on_an_exported_state(void **state)
{
    TSS2_TCTI_CONTEXT *context;

    need_program("swtpm", "swtpm");
    need_tpm2_tools();
    context = open_named(*state, "a");
    furnish(context);
    test_close(context);
    expect_done(*state,
                "mkdir s; signet-tpm export a s/tpm2-00.permall\n"
                "swtpm socket --tpm2 --tpmstate dir=$PWD/s --server type=unixio,path=$PWD/sock"
                " --ctrl type=unixio,path=$PWD/sock.ctrl --flags not-need-init,startup-clear"
                " --pid file=$PWD/pid --daemon\n"
                "trap 'kill $(cat pid)' EXIT\n"
                "export TPM2TOOLS_TCTI=swtpm:path=$PWD/sock\n"
                "tpm2_getekcertificate -o rsa.der -o ecc.der\n"
                "openssl x509 -inform der -in ecc.der | openssl verify -CAfile a/ek-ca.crt\n"
                "tpm2_readpublic -c 0x81000001\n"
                "test $(tpm2_nvread -C o 0x1800001 | od -An -tu1 | awk '{ print $8 }') -eq 1\n"
                "fails 's: a running swtpm holds' signet-tpm describe s\n"
                "fails 's: a running swtpm holds' signet-tpm import --force s/tpm2-00.permall s\n"
                "tpm2_nvdefine -Q -C o -s 5 -a 'ownerread|ownerwrite' 0x1500001\n"
                "tpm2_shutdown -c; kill $(cat pid); trap - EXIT\n"
                "while test -e pid; do sleep 0.02; done\n"
                "signet-tpm import s/tpm2-00.permall b\n"
                "facts b | grep '^0x01500001, size 5'\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(help_and_version_go_to_stdout),
        TEST(wrong_arguments_are_status_2_and_do_nothing),
        TEST(no_command_but_make_makes_a_tpm_out_of_nothing),
        TEST(make_makes_a_tpm_once),
        TEST(make_takes_an_own_ca),
        TEST(describe_tells_what_is_in_a_tpm),
        TEST(describe_counts_who_uses_the_tpm_and_their_sessions),
        TEST(describe_does_not_change_the_tpm),
        TEST(describe_writes_json_whatever_the_names),
        TEST(a_full_disk_behind_stdout_is_a_failure),
        TEST(counters_are_printed),
        TEST(profiles_are_listed),
        TEST(reset_is_felt_by_all_who_use_the_tpm),
        TEST(a_copy_is_the_same_tpm_and_goes_its_own_way),
        TEST(two_copies_draw_different_random_numbers),
        TEST(a_copy_of_a_busy_tpm_is_whole),
        TEST(a_copy_with_new_seeds_has_the_settings_alone),
        TEST(a_copy_with_new_seeds_has_certificates_only_where_there_were_some),
        TEST(an_exported_tpm_is_imported),
        TEST(an_export_counts_as_an_orderly_shutdown),
        TEST(export_replaces_a_file_only_by_force),
        TEST(import_refuses_what_does_not_start),
        TEST(import_replaces_a_tpm_only_by_force_and_unused),
        TEST(swtpm_starts_on_an_exported_state),
    };

    return cmocka_run_group_tests_name("emulator: signet-tpm", tests, NULL, NULL);
}
