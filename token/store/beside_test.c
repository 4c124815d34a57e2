#include "token/store/watch_support.h"

/* A reader beside a writer that changes all it can, in every way. */

#define NAMES 8
#define CHANGES 150
#define SEEDS 4

/* As a caller of the store does it: what was read, of each name's last version. */
struct memory {
    uint64_t version;
    char text[16];
};

static void remember(struct directory *directory, struct memory memory[NAMES])
{
    refresh(directory);
    for (int i = 0; i < NAMES; i++) {
        char name[] = {(char)('a' + i), 0};
        const struct directory_file *file = directory_find(directory, name);
        struct bytes content = {0};
        struct file_stamp stamp;
        if (!file)
            memory[i] = (struct memory){0};
        if (!file || file->version == memory[i].version)
            continue;
        memory[i] = (struct memory){.version = file->version};
        if (directory_read(directory, name, &content, &stamp, NULL) == CKR_OK && content.size < 16)
            memcpy(memory[i].text, content.data, content.size);
        bytes_free(&content);
    }
}

/* Contents of the same size: the times alone, or events, tell them apart. */
static int change_something(struct directory *own, unsigned *seed)
{
    char path[] = "token/a", other[] = "token/.x", text[16];
    unsigned number = (unsigned)rand_r(seed);
    path[6] = (char)('a' + number / 8 % NAMES);
    snprintf(text, sizeof(text), "%08x", number);
    switch (number % 8) {
    case 0:
        return unlink(path);
    case 1:
        write_file(other, text);
        return rename(other, path);
    case 2:
        return directory_write(own, path + 6, view_string(text), NULL) == CKR_OK ? 0 : -1;
    case 3:
        return unlink(path) == 0 ? symlink("../target", path) : -1;
    case 4:
        write_file("target", text);
        return 0;
    default:
        write_file(path, text);
        return 0;
    }
}

static int no_sync(UNUSED int file)
{
    return 0;
}

static int change_much(void *argument)
{
    unsigned seed = *(unsigned *)argument;
    struct directory *own = NULL;
    if (directory_new("token", &own) != CKR_OK)
        return 1;
    struct disk quick = disk_system;
    quick.sync = no_sync;
    own->disk = &quick;
    int done = 0;
    for (int i = 0; i < CHANGES; i++)
        done += change_something(own, &seed) == 0;
    directory_free(own);
    return done > CHANGES / 2 ? 0 : 1;
}

static void assert_remembered(const struct memory memory[NAMES])
{
    for (int i = 0; i < NAMES; i++) {
        char path[] = "token/a", text[16] = "";
        path[6] = (char)('a' + i);
        FILE *file = fopen(path, "r");
        if (!file) {
            assert_int_equal(memory[i].version, 0);
            continue;
        }
        text[fread(text, 1, 15, file)] = 0;
        fclose(file);
        assert_string_equal(memory[i].text, text);
    }
}

static void a_reader_beside_a_writer_misses_nothing(UNUSED void **state)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct memory memory[NAMES] = {{0}};
        int status = 0;
        run("rm -rf token; mkdir token; echo first >target");
        coarse = seed % 2;
        struct directory *directory = open_seen("token");
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(change_much(&seed));
        while (waitpid(child, &status, WNOHANG) == 0)
            remember(directory, memory);
        assert_int_equal(status, 0);
        remember(directory, memory);
        assert_remembered(memory);
        directory_free(directory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_beside_a_writer_misses_nothing),
    };
    return cmocka_run_group_tests(tests, with_inotify, leave_directory) +
           cmocka_run_group_tests(tests, without_inotify, leave_directory) +
           cmocka_run_group_tests(tests, at_first, leave_directory);
}
