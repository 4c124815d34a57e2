#include "emulator/registry.h"

#include "emulator/library_copy.h"
#include "emulator/openssl_scope.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COPIES_MAX 16

/* No command but the making of an RSA key takes nearly as long. */
#define FORK_WAIT_SECONDS 2

static struct registry {
    pthread_mutex_t lock;
    struct instance *instances;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void before_fork(void)
{
    struct timespec deadline = {0, 0};

    (void)pthread_mutex_lock(&registry.lock);
    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += FORK_WAIT_SECONDS;
    for (struct instance *at = registry.instances; at; at = at->next)
        instance_before_fork(at, &deadline);
    library_copy_before_fork();
}

static void after_fork_in_parent(void)
{
    library_copy_after_fork_in_parent();
    for (struct instance *at = registry.instances; at; at = at->next)
        instance_forked_in_parent(at);
    (void)pthread_mutex_unlock(&registry.lock);
}

static void after_fork_in_child(void)
{
    bool damaged = false;

    library_copy_after_fork_in_child();
    for (struct instance *at = registry.instances; at; at = at->next) {
        instance_forked(at);
        damaged = damaged || at->damaged;
    }
    if (damaged)
        openssl_abandon();
    (void)pthread_mutex_unlock(&registry.lock);
}

/* Goes when the library is unloaded, as the handlers do. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static bool is_of(const struct instance *instance, dev_t device, ino_t inode)
{
    return instance->device == device && instance->inode == inode;
}

/* The one with the fewest users. */
static struct instance *find(const struct directory *directory)
{
    struct instance *least = NULL;
    struct stat status;

    if (fstat(directory->fd, &status) != 0)
        return NULL;
    for (struct instance *at = registry.instances; at; at = at->next)
        if (is_of(at, status.st_dev, status.st_ino) && (!least || at->users < least->users))
            least = at;
    return least;
}

static TSS2_RC add(struct directory *directory, struct instance **ret)
{
    struct instance *instance = NULL;
    TSS2_RC rc = instance_new(directory, &instance);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    instance->next = registry.instances;
    registry.instances = instance;
    *ret = instance;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC find_or_add(struct directory *directory, const struct tpm_order *order,
                           struct instance **ret)
{
    struct instance *instance = find(directory);
    TSS2_RC rc;

    if (!instance) {
        rc = add(directory, &instance);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
        if (order)
            instance->order = *order;
    }
    instance->users++;
    *ret = instance;
    return TSS2_RC_SUCCESS;
}

/* Outside the registry's lock: it may wait long for other processes. */
static TSS2_RC open_acquired(struct instance *instance)
{
    TSS2_RC rc = instance_open(instance);

    if (rc != TSS2_RC_SUCCESS)
        registry_release(instance);
    return rc;
}

TSS2_RC registry_acquire(const struct conf *conf, const struct tpm_order *order,
                         struct instance **ret)
{
    __attribute__((cleanup(directory_close))) struct directory directory = DIRECTORY_CLOSED;
    struct instance *instance = NULL;
    TSS2_RC rc = directory_open(conf->directory, &directory);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    directory.unsynced = conf->unsynced;
    (void)pthread_mutex_lock(&registry.lock);
    rc = find_or_add(&directory, order, &instance);
    (void)pthread_mutex_unlock(&registry.lock);
    if (rc == TSS2_RC_SUCCESS)
        rc = open_acquired(instance);
    if (rc == TSS2_RC_SUCCESS)
        *ret = instance;
    return rc;
}

/* Asked for once: it takes the C library a file. */
static long processors(void)
{
    static long count;

    if (count == 0)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count;
}

/* Under the registry's lock. */
static struct instance *find_another(const struct instance *instance)
{
    __attribute__((cleanup(directory_close))) struct directory directory = DIRECTORY_CLOSED;
    struct instance *least = NULL;
    long copies = 0;

    for (struct instance *at = registry.instances; at; at = at->next) {
        if (!is_of(at, instance->device, instance->inode))
            continue;
        copies++;
        if (at != instance && (!least || at->users < least->users))
            least = at;
    }
    if (instance->users > 1 && copies < processors() && copies < COPIES_MAX &&
        directory_reopen(&instance->directory, &directory) == TSS2_RC_SUCCESS &&
        add(&directory, &least) == TSS2_RC_SUCCESS)
        return least;
    return least && least->users + 1 < instance->users ? least : NULL;
}

bool registry_acquire_another(struct instance *instance, struct instance **ret)
{
    struct instance *other;

    (void)pthread_mutex_lock(&registry.lock);
    other = find_another(instance);
    if (other)
        other->users++;
    (void)pthread_mutex_unlock(&registry.lock);
    if (!other || open_acquired(other) != TSS2_RC_SUCCESS)
        return false;
    *ret = other;
    return true;
}

void registry_release(struct instance *instance)
{
    struct instance **at = &registry.instances;

    (void)pthread_mutex_lock(&registry.lock);
    if (--instance->users > 0) {
        (void)pthread_mutex_unlock(&registry.lock);
        return;
    }
    while (*at && *at != instance)
        at = &(*at)->next;
    if (*at)
        *at = instance->next;
    (void)pthread_mutex_unlock(&registry.lock);
    instance_free(instance);
}
