#include "emulator/registry.h"

#include "emulator/openssl_scope.h"

#include <sys/stat.h>

static struct registry {
    pthread_mutex_t lock;
    struct instance *instances;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void before_fork(void)
{
    (void)pthread_mutex_lock(&registry.lock);
}

static void after_fork_in_parent(void)
{
    (void)pthread_mutex_unlock(&registry.lock);
}

static void after_fork_in_child(void)
{
    bool damaged = false;

    for (struct instance *at = registry.instances; at; at = at->next) {
        instance_forked(at);
        damaged = damaged || at->damaged;
    }
    if (damaged)
        openssl_abandon();
    (void)pthread_mutex_init(&registry.lock, NULL);
}

/* Goes when the library is unloaded, as the handlers do. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static struct instance *find(const struct directory *directory)
{
    struct stat status;

    if (fstat(directory->fd, &status) != 0)
        return NULL;
    for (struct instance *at = registry.instances; at; at = at->next)
        if (at->device == status.st_dev && at->inode == status.st_ino)
            return at;
    return NULL;
}

static TSS2_RC find_or_add(struct directory *directory, struct instance **ret)
{
    struct instance *instance = find(directory);
    TSS2_RC rc;

    if (!instance) {
        rc = instance_new(directory, &instance);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
        instance->next = registry.instances;
        registry.instances = instance;
    }
    instance->users++;
    *ret = instance;
    return TSS2_RC_SUCCESS;
}

TSS2_RC registry_acquire(const char *path, struct instance **ret)
{
    __attribute__((cleanup(directory_close))) struct directory directory = DIRECTORY_CLOSED;
    struct instance *instance = NULL;
    TSS2_RC rc = directory_open(path, &directory);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    (void)pthread_mutex_lock(&registry.lock);
    rc = find_or_add(&directory, &instance);
    (void)pthread_mutex_unlock(&registry.lock);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    /* Outside the registry's lock: it may wait long for other processes. */
    rc = instance_open(instance);
    if (rc != TSS2_RC_SUCCESS) {
        registry_release(instance);
        return rc;
    }
    *ret = instance;
    return TSS2_RC_SUCCESS;
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
