#include "token/base/test_support.h"

#include "token/base/log.h"
#include "token/tpm/tcti.h"

static enum tpm_kind automatic(void)
{
    return access("/dev/tpmrm0", F_OK) == 0 ? TPM_KIND_DEVICE : TPM_KIND_EMBEDDED;
}

static void the_first_word_says_which_kind_of_tpm_it_is(UNUSED void **state)
{
    const struct {
        const char *choice;
        enum tpm_kind kind;
    } rows[] = {
        {"auto", automatic()},
        {"device", TPM_KIND_DEVICE},
        {"device:/dev/tpm0", TPM_KIND_DEVICE},
        {"device:", TPM_KIND_DEVICE},
        {"embedded", TPM_KIND_EMBEDDED},
        {"embedded:/var/lib/tpm", TPM_KIND_EMBEDDED},
        {"signet:dir=/var/lib/tpm", TPM_KIND_EMBEDDED},
        {"swtpm:port=2321", TPM_KIND_SWTPM},
        {"swtpm", TPM_KIND_SWTPM},
        {"mssim:host=localhost", TPM_KIND_OTHER},
        {"tabrmd", TPM_KIND_OTHER},
        {"autos", TPM_KIND_OTHER},
        {"auto:x", TPM_KIND_OTHER},
        {"devices", TPM_KIND_OTHER},
        {"embedded-tpm:x", TPM_KIND_OTHER},
        {"/usr/lib/libtss2-tcti-swtpm.so.0:port=1", TPM_KIND_OTHER},
        {"", TPM_KIND_OTHER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (tcti_kind(rows[i].choice) != rows[i].kind)
            fail_msg("%s: %d", rows[i].choice, tcti_kind(rows[i].choice));
    }
}

static void only_a_manager_flushes_what_is_left_loaded(UNUSED void **state)
{
    assert_true(tcti_has_manager("device:/dev/tpmrm0"));
    assert_true(tcti_has_manager("embedded"));
    assert_true(tcti_has_manager("signet:dir=/var/lib/tpm"));
    assert_false(tcti_has_manager("device:/dev/tpm0"));
    assert_false(tcti_has_manager("signet:dir=/var/lib/tpm,rm=off"));
    assert_false(tcti_has_manager("signet:rm=off"));
    assert_false(tcti_has_manager("swtpm"));
}

static void only_known_kinds_close_without_a_word(UNUSED void **state)
{
    static const char *const silent[] = {"auto", "device", "embedded:x", "swtpm:port=1"};
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        assert_true(tcti_closes_silently(silent[i]));
    assert_false(tcti_closes_silently("mssim"));
    assert_false(tcti_closes_silently("/lib/other.so:x"));
}

static void what_cannot_be_opened_is_told_in_the_log(UNUSED void **state)
{
    static const struct {
        const char *choice, *line;
    } rows[] = {
        {"device:/no/such/device", "/no/such/device: No such file or directory"},
        {"nowhere:at all", "no connection to the TPM at 'nowhere:at all': "},
        {"swtpm:path=/no/such/socket",
         "no connection to the TPM at 'swtpm:path=/no/such/socket': "},
        {"", "no connection to the TPM at ''"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        TSS2_TCTI_CONTEXT *tcti;
        poison(tcti);
        unlink("log");
        assert_true(log_open("log", LOG_LEVEL_ERROR));
        assert_rv(tcti_open(rows[i].choice, &tcti), CKR_DEVICE_ERROR);
        log_close();
        assert_poison(tcti);
        struct bytes text = read_file("log");
        const char *line = (const char *)text.data;
        assert_contains(line, rows[i].line);
        assert_ptr_equal(strchr(line, '\n'), line + text.size - 1);
        bytes_free(&text);
    }
}

static int open_forbidden(UNUSED void *nothing)
{
    TSS2_TCTI_CONTEXT *tcti = NULL;
    if (geteuid() == 0 && seteuid(65534) != 0)
        return 1;
    return tcti_open("device:device", &tcti) == CKR_DEVICE_ERROR ? 0 : 2;
}

/* access() asks for the real user, whom the child must change too. */
static int open_as_nobody(void *nothing)
{
    if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        return 1;
    return open_forbidden(nothing);
}

static void a_device_without_permission_names_the_group_to_join(UNUSED void **state)
{
    write_file("device", "");
    assert_int_equal(chmod("device", 0), 0);
    assert_int_equal(chmod(".", 0755), 0);
    unlink("log");
    assert_true(log_open("log", LOG_LEVEL_ERROR));
    assert_int_equal(in_child(open_as_nobody, NULL), 0);
    log_close();
    struct bytes text = read_file("log");
    assert_contains((const char *)text.data, "join the group '");
    assert_contains((const char *)text.data, "no other TPM is taken instead");
    bytes_free(&text);
}

static void closing_nothing_is_fine(UNUSED void **state)
{
    TSS2_TCTI_CONTEXT *tcti = NULL;
    tcti_close(&tcti);
    assert_null(tcti);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_word_says_which_kind_of_tpm_it_is),
        cmocka_unit_test(only_a_manager_flushes_what_is_left_loaded),
        cmocka_unit_test(only_known_kinds_close_without_a_word),
        cmocka_unit_test(what_cannot_be_opened_is_told_in_the_log),
        cmocka_unit_test(a_device_without_permission_names_the_group_to_join),
        cmocka_unit_test(closing_nothing_is_fine),
    };
    tpm_quiet();
    return in_directory(tests);
}
