#include "emulator/test_support.h"

#include "emulator/control.h"

#include <fcntl.h>

#define GENERATION 2u
#define SLOT_OFFSET 4096 /* of even generations: a page, then the slot */

static void open_control(const char *path, struct directory *directory, struct control *control)
{
    *directory = (struct directory)DIRECTORY_CLOSED;
    *control = (struct control)CONTROL_CLOSED;
    assert_int_equal(directory_open(path, directory), TSS2_RC_SUCCESS);
    assert_int_equal(control_open(directory, control), TSS2_RC_SUCCESS);
}

static void write_state(struct control *control)
{
    TPM_STATE_SCOPE struct tpm_state state = TPM_STATE_EMPTY;
    struct session_row *row = &state.sessions[5];

    assert_int_equal(blob_copy("permanent", 9, &state.permanent), 0);
    assert_int_equal(blob_copy("running", 7, &state.running), 0);
    (void)strcpy(state.boot_id, "this boot");
    *row = (struct session_row){.handle = 0x02000005, .connection = 3, .owner = 7, .used = 9};
    assert_int_equal(blob_copy("context", 7, &row->context), 0);
    assert_int_equal(control_write(control, GENERATION, &state), TSS2_RC_SUCCESS);
}

static void a_slot_gives_back_what_was_written(void **state)
{
    TPM_STATE_SCOPE struct tpm_state read = TPM_STATE_EMPTY;
    struct directory directory;
    struct control control;

    open_control(*state, &directory, &control);
    write_state(&control);
    assert_int_equal(control_read(&control, GENERATION, &read), TSS2_RC_SUCCESS);
    assert_int_equal(read.permanent.size, 9);
    assert_memory_equal(read.permanent.data, "permanent", 9);
    assert_int_equal(read.running.size, 7);
    assert_memory_equal(read.running.data, "running", 7);
    assert_string_equal(read.boot_id, "this boot");
    assert_int_equal(read.sessions[5].handle, 0x02000005);
    assert_int_equal(read.sessions[5].connection, 3);
    assert_int_equal(read.sessions[5].owner, 7);
    assert_int_equal(read.sessions[5].used, 9);
    assert_memory_equal(read.sessions[5].context.data, "context", 7);
    control_close(&control);
    directory_close(&directory);
}

/* Readers without the lock, and a machine after a power loss, know a torn slot by
 * nothing else. */
static void a_slot_with_any_byte_changed_is_not_read(void **state)
{
    char path[PATH_MAX];
    struct directory directory;
    struct control control;
    struct stat status;
    int fd;

    open_control(*state, &directory, &control);
    write_state(&control);
    fd = open(test_path(*state, CONTROL_FILE, path), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(status.st_size > SLOT_OFFSET + 1000);
    for (off_t at = SLOT_OFFSET; at < status.st_size; at++) {
        TPM_STATE_SCOPE struct tpm_state read = TPM_STATE_EMPTY;
        uint8_t byte, changed;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        changed = byte ^ 0x10;
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        assert_int_equal(control_read(&control, GENERATION, &read), TSS2_TCTI_RC_IO_ERROR);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_int_equal(ftruncate(fd, status.st_size - 1), 0);
    {
        TPM_STATE_SCOPE struct tpm_state read = TPM_STATE_EMPTY;

        assert_int_equal(control_read(&control, GENERATION, &read), TSS2_TCTI_RC_IO_ERROR);
    }
    (void)close(fd);
    control_close(&control);
    directory_close(&directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slot_gives_back_what_was_written),
        TEST(a_slot_with_any_byte_changed_is_not_read),
    };

    return cmocka_run_group_tests_name("emulator: control file", tests, NULL, NULL);
}
