/* A machine that loses its power loses what was not synced, in any part and order.
 * The operations of a command are recorded; from them the disks are made that it
 * can have left, and each is opened after a "reboot". */

#include "emulator/crash_support.h"

#define SECTOR 512u
#define LOG_MAX 64
#define FILES_MAX 16
#define IMAGE_NAME_MAX 256

/* --- the operations of a command ------------------------------------------------ */

struct entry {
    enum disk_kind kind;
    char name[IMAGE_NAME_MAX];
    char to[IMAGE_NAME_MAX];
    struct blob data;
    off_t offset;
};

struct log {
    size_t count;
    struct entry entries[LOG_MAX];
};

static struct disk_fate record(void *data, const struct disk_operation *operation)
{
    struct log *log = data;
    struct entry *entry = &log->entries[log->count];

    if (log->count == LOG_MAX)
        abort();
    log->count++;
    entry->kind = operation->kind;
    (void)snprintf(entry->name, sizeof(entry->name), "%s", operation->name);
    (void)snprintf(entry->to, sizeof(entry->to), "%s", operation->to ? operation->to : "");
    entry->offset = operation->offset;
    if (operation->data)
        (void)blob_copy(operation->data, operation->size, &entry->data);
    return (struct disk_fate){DISK_GOES_ON, 0, 0};
}

static void free_log(struct log *log)
{
    for (size_t i = 0; i < log->count; i++)
        blob_free(&log->entries[i].data);
    log->count = 0;
}

/* --- a disk that caches ------------------------------------------------------------ */

struct file {
    char name[IMAGE_NAME_MAX]; /* "" : it has none */
    char synced_name[IMAGE_NAME_MAX];
    struct blob cached;
    struct blob synced;
};

struct disk {
    struct file files[FILES_MAX];
};

static void free_disk(struct disk *disk)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        blob_free(&disk->files[i].cached);
        blob_free(&disk->files[i].synced);
    }
}

static struct file *find_file(struct disk *disk, const char *name)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        if (strcmp(disk->files[i].name, name) == 0)
            return &disk->files[i];
    return NULL;
}

static struct file *free_file(struct disk *disk)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        if (!disk->files[i].name[0] && !disk->files[i].synced_name[0] &&
            !disk->files[i].cached.data)
            return &disk->files[i];
    fail_msg("too many files");
    return NULL;
}

static void copy_blob(const struct blob *from, struct blob *to)
{
    blob_free(to);
    if (from->data)
        assert_int_equal(blob_copy(from->data, from->size, to), 0);
}

static void write_blob(struct blob *blob, const struct blob *data, size_t offset)
{
    if (offset + data->size > blob->size) {
        uint8_t *longer = realloc(blob->data, offset + data->size);

        assert_non_null(longer);
        memset(longer + blob->size, 0, offset + data->size - blob->size);
        *blob = (struct blob){longer, offset + data->size};
    }
    memcpy(blob->data + offset, data->data, data->size);
}

static void sync_names(struct disk *disk)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        memcpy(disk->files[i].synced_name, disk->files[i].name, IMAGE_NAME_MAX);
}

static void create_on(struct disk *disk, const char *name)
{
    struct file *file = free_file(disk);

    (void)snprintf(file->name, sizeof(file->name), "%s", name);
    assert_int_equal(blob_copy("", 0, &file->cached), 0);
    assert_int_equal(blob_copy("", 0, &file->synced), 0);
}

static void rename_on(struct disk *disk, const struct entry *entry)
{
    struct file *replaced = find_file(disk, entry->to);
    struct file *renamed = find_file(disk, entry->name);

    assert_non_null(renamed);
    if (replaced)
        replaced->name[0] = '\0';
    memcpy(renamed->name, entry->to, IMAGE_NAME_MAX);
}

static void apply(struct disk *disk, const struct entry *entry)
{
    struct file *file = entry->name[0] ? find_file(disk, entry->name) : NULL;

    switch (entry->kind) {
    case DISK_CREATE:
        create_on(disk, entry->name);
        break;
    case DISK_WRITE:
    case DISK_STORE:
        assert_non_null(file);
        write_blob(&file->cached, &entry->data, (size_t)entry->offset);
        break;
    case DISK_SYNC:
        if (file)
            copy_blob(&file->cached, &file->synced);
        else if (!entry->name[0])
            sync_names(disk);
        break;
    case DISK_RENAME:
        rename_on(disk, entry);
        break;
    case DISK_REMOVE:
        assert_non_null(file);
        file->name[0] = '\0';
        break;
    case DISK_MAKE_DIRECTORY:
    case DISK_PERMIT:
        break;
    }
}

/* The files that are there, all of them on the disk. */
static void load_disk(const char *path, struct disk *ret)
{
    struct directory directory = DIRECTORY_CLOSED;
    DIR *listing = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    memset(ret, 0, sizeof(*ret));
    if (!listing)
        return;
    assert_int_equal(directory_open(path, &directory), TSS2_RC_SUCCESS);
    while ((entry = readdir(listing))) {
        struct file *file = &ret->files[count];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        (void)snprintf(file->name, sizeof(file->name), "%.200s", entry->d_name);
        (void)snprintf(file->synced_name, sizeof(file->synced_name), "%.200s", entry->d_name);
        assert_int_equal(directory_read(&directory, entry->d_name, 1 << 22, &file->cached),
                         TSS2_RC_SUCCESS);
        copy_blob(&file->cached, &file->synced);
    }
    (void)closedir(listing);
    directory_close(&directory);
}

/* --- what can be left of it ---------------------------------------------------------- */

/* Which sectors reached the disk, of those that were not synced. */
enum sectors { SECTORS_ALL, SECTORS_NONE, SECTORS_EVEN, SECTORS_ODD, SECTORS_PAGE, SECTORS_SLOTS };

#define SECTORS_KINDS 6

static bool reached(enum sectors sectors, size_t number)
{
    switch (sectors) {
    case SECTORS_ALL:
        return true;
    case SECTORS_NONE:
        return false;
    case SECTORS_EVEN:
        return number % 2 == 0;
    case SECTORS_ODD:
        return number % 2 == 1;
    case SECTORS_PAGE:
        return number == 0;
    case SECTORS_SLOTS:
        return number != 0;
    }
    return false;
}

/* A file that grew but whose data did not arrive reads as zeros. */
static void left_of(const struct file *file, enum sectors sectors, struct blob *ret)
{
    size_t size = sectors == SECTORS_NONE ? file->synced.size : file->cached.size;

    *ret = (struct blob){calloc(1, size + 1), size};
    assert_non_null(ret->data);
    for (size_t at = 0; at < size; at += SECTOR) {
        const struct blob *from = reached(sectors, at / SECTOR) ? &file->cached : &file->synced;
        size_t length = size - at < SECTOR ? size - at : SECTOR;

        if (at >= from->size)
            continue;
        memcpy(ret->data + at, from->data + at,
               from->size - at < length ? from->size - at : length);
    }
}

static uint64_t hash(uint64_t sum, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t word;

    for (; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 29;
    }
    for (; size > 0; at++, size--)
        sum = (sum ^ *at) * 0x100000001b3u;
    return sum;
}

/* Writes the image, and returns what tells it from others. */
static uint64_t write_image(const struct disk *disk, const char *path, bool names_synced,
                            enum sectors sectors)
{
    uint64_t sum = 0xcbf29ce484222325u;

    test_remove(path);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < FILES_MAX; i++) {
        const struct file *file = &disk->files[i];
        const char *name = names_synced ? file->synced_name : file->name;
        BLOB_SCOPE struct blob left = {NULL, 0};
        char file_path[PATH_MAX];
        FILE *out;

        if (!name[0])
            continue;
        left_of(file, sectors, &left);
        out = fopen(test_path(path, name, file_path), "we");
        assert_non_null(out);
        assert_int_equal(fwrite(left.data, 1, left.size, out), left.size);
        assert_int_equal(fclose(out), 0);
        sum = hash(hash(sum, name, strlen(name) + 1), left.data, left.size);
    }
    return sum;
}

/* --- and what comes of it -------------------------------------------------------------- */

/* What a reset changes is not looked at; it may count as a failed try, as with
 * any chip, and the tries before it must not be forgotten. */
static bool permanently_equal(const struct look *found, const struct look *expected)
{
    struct look like = *found;

    like.failed_tries = expected->failed_tries;
    memcpy(like.pcr, expected->pcr, sizeof(like.pcr));
    return looks_equal(&like, expected) && found->failed_tries >= expected->failed_tries &&
           found->failed_tries <= expected->failed_tries + 1;
}

struct loss {
    const struct deed *deed; /* NULL: the manufacture */
    size_t after;            /* so many operations */
    bool names_synced;
    enum sectors sectors;
};

static void expect_permanent(const struct loss *loss, bool answered, const struct look *old,
                             const struct look *new, const struct look *found)
{
    bool right = permanently_equal(found, new) || (!answered && permanently_equal(found, old));

    if (!right)
        print_error("%s, power lost after %zu operations, names %d, sectors %d: neither old nor "
                    "new, or lost\n",
                    loss->deed->name, loss->after, loss->names_synced, (int)loss->sectors);
    assert_true(right);
}

static void expect_works(const char *path)
{
    TSS2_TCTI_CONTEXT *context = test_open(path);
    uint8_t fresh[32] = {0}, found[32];
    uint64_t counter;

    read_pcr(context, 16, found);
    assert_memory_equal(fresh, found, sizeof(fresh));
    (void)define_counter(context, COUNTER_INDEX);
    assert_int_equal(increment(context, COUNTER_INDEX), TPM2_RC_SUCCESS);
    counter = read_counter(context, COUNTER_INDEX);
    test_close(context);
    context = test_open(path);
    assert_int_equal(read_counter(context, COUNTER_INDEX), counter);
    test_close(context);
    expect_tidy(path);
}

#define IMAGES_MAX 1024

/* What was tried already. */
struct images {
    size_t count;
    uint64_t sums[IMAGES_MAX];
};

static bool is_new(struct images *images, uint64_t sum)
{
    for (size_t i = 0; i < images->count; i++)
        if (images->sums[i] == sum)
            return false;
    assert_in_range(images->count, 0, IMAGES_MAX - 1);
    images->sums[images->count++] = sum;
    return true;
}

static void lose_power(const char *path, const struct loss *loss, bool answered,
                       const struct look *old, const struct look *new)
{
    bool at_seed = !loss->deed;

    reboot(path);
    if (loss->deed || answered) {
        struct look found = look_into(path, at_seed);

        expect_permanent(loss, answered, old, new, &found);
    }
    expect_works(path);
}

/* Every disk that the recorded operations can leave on the one before them. */
static void lose_power_everywhere(const char *path, const char *before, const struct log *log,
                                  const struct deed *deed, const struct look *old,
                                  const struct look *new)
{
    struct images images = {.count = 0};
    struct disk disk;

    load_disk(before, &disk);
    for (size_t after = 0; after <= log->count; after++) {
        bool answered = after == log->count && !(deed && deed->lost_in_reset);

        if (after > 0)
            apply(&disk, &log->entries[after - 1]);
        for (int names_synced = 0; names_synced < 2; names_synced++)
            for (int sectors = 0; sectors < SECTORS_KINDS; sectors++) {
                const struct loss loss = {deed, after, names_synced, (enum sectors)sectors};
                uint64_t sum = write_image(&disk, path, names_synced, loss.sectors);

                if (is_new(&images, sum + answered))
                    lose_power(path, &loss, answered, old, new);
            }
    }
    free_disk(&disk);
}

static void what_was_answered_outlives_a_power_loss(void **state)
{
    char template[PATH_MAX], path[PATH_MAX], image[PATH_MAX];

    prepare_deeds(test_path(*state, "template", template));
    (void)test_path(*state, "image", image);
    for (size_t i = 0; i < DEEDS; i++) {
        struct log log = {.count = 0};
        TSS2_TCTI_CONTEXT *context;
        struct look old, new;

        copy_directory(template, test_path(*state, "tpm", path));
        context = test_open(path);
        old = look_at(context, false);
        disk_watch(record, &log);
        assert_int_equal(deeds[i].run(context), deeds[i].rc);
        disk_watch(NULL, NULL);
        new = look_at(context, false);
        test_close(context);
        lose_power_everywhere(image, template, &log, &deeds[i], &old, &new);
        test_remove(path);
        free_log(&log);
    }
}

static void a_manufacture_outlives_a_power_loss(void **state)
{
    char path[PATH_MAX], image[PATH_MAX];
    struct log log = {.count = 0};
    TSS2_TCTI_CONTEXT *context;
    struct look new;

    disk_watch(record, &log);
    context = test_open(test_path(*state, "tpm", path));
    disk_watch(NULL, NULL);
    new = look_at(context, true);
    assert_int_equal(new.certificates, CERTIFICATES);
    test_close(context);
    /* What is made where nothing was left need not take as long. */
    assert_int_equal(setenv("SIGNET_TPM_EK", "off", 1), 0);
    lose_power_everywhere(test_path(*state, "image", image), "/nonexistent", &log, NULL, NULL,
                          &new);
    assert_int_equal(unsetenv("SIGNET_TPM_EK"), 0);
    free_log(&log);
}

/* --- orderly indexes ------------------------------------------------------------------- */

#define ORDERLY_INDEX 0x01800003u
#define STEPS 4

static uint32_t define_orderly_counter(TSS2_TCTI_CONTEXT *context)
{
    return define_nv(context, ORDERLY_INDEX, NV_COUNTER | TPMA_NV_ORDERLY, "");
}

/* Such a counter lives in memory alone. It may leap in a power loss, but what it
 * once said it must not say again. */
static void an_orderly_counter_never_goes_back(void **state)
{
    char template[PATH_MAX], path[PATH_MAX], image[PATH_MAX];
    struct log log = {.count = 0};
    size_t answered_after[STEPS];
    uint64_t answered[STEPS];
    TSS2_TCTI_CONTEXT *context = test_open(test_path(*state, "template", template));
    struct disk disk;

    assert_int_equal(define_orderly_counter(context), TPM2_RC_SUCCESS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(increment(context, ORDERLY_INDEX), TPM2_RC_SUCCESS);
    test_close(context);
    copy_directory(template, test_path(*state, "tpm", path));
    context = test_open(path);
    disk_watch(record, &log);
    for (int i = 0; i < STEPS; i++) {
        assert_int_equal(increment(context, ORDERLY_INDEX), TPM2_RC_SUCCESS);
        answered_after[i] = log.count;
        answered[i] = read_counter(context, ORDERLY_INDEX);
        for (int more = 0; more < i; more++)
            assert_int_equal(extend_pcr(context, 16), TPM2_RC_SUCCESS);
    }
    disk_watch(NULL, NULL);
    test_close(context);
    load_disk(template, &disk);
    (void)test_path(*state, "image", image);
    for (size_t after = 0; after <= log.count; after++) {
        uint64_t least = answered[0] - 1;

        if (after > 0)
            apply(&disk, &log.entries[after - 1]);
        for (int i = 0; i < STEPS; i++)
            if (answered_after[i] <= after)
                least = answered[i];
        for (int sectors = 0; sectors < SECTORS_KINDS; sectors++) {
            (void)write_image(&disk, image, true, (enum sectors)sectors);
            reboot(image);
            context = test_open(image);
            assert_in_range(read_counter(context, ORDERLY_INDEX), least, answered[STEPS - 1] + 512);
            test_close(context);
        }
    }
    free_disk(&disk);
    free_log(&log);
}

/* The directory itself: each that was made is synced into its parent. */
static void a_new_directory_is_synced_into_its_parents(void **state)
{
    char path[PATH_MAX], parent[PATH_MAX];
    struct log log = {.count = 0};
    unsigned made = 0;

    disk_watch(record, &log);
    test_close(test_open(test_path(*state, "a/b", path)));
    disk_watch(NULL, NULL);
    for (size_t i = 0; i < log.count; i++) {
        if (log.entries[i].kind != DISK_MAKE_DIRECTORY)
            continue;
        (void)snprintf(parent, sizeof(parent), "%s", log.entries[i].name);
        if (strrchr(parent, '/'))
            *strrchr(parent, '/') = '\0';
        for (size_t later = i + 1; later < log.count; later++)
            if (log.entries[later].kind == DISK_SYNC &&
                strcmp(log.entries[later].name, parent) == 0) {
                made++;
                break;
            }
    }
    assert_in_range(made, 2, 8);
    free_log(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAST_TEST(what_was_answered_outlives_a_power_loss),
        FAST_TEST(a_manufacture_outlives_a_power_loss),
        FAST_TEST(an_orderly_counter_never_goes_back),
        FAST_TEST(a_new_directory_is_synced_into_its_parents),
    };

    return cmocka_run_group_tests_name("emulator: power loss", tests, NULL, NULL);
}
