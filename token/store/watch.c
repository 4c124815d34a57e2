#include "token/store/watch.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

/* An application that closes it again and again is left alone. */
#define TRIES 4
#define BUFFER_SIZE 16384
#define EVENTS_MAX 1024 /* looking at everything is as cheap, then */

#define IN_CAME (IN_CREATE | IN_MOVED_TO)
#define IN_GONE (IN_DELETE | IN_MOVED_FROM)
#define IN_CONTENT (IN_MODIFY | IN_CLOSE_WRITE | IN_CAME)
#define IN_SELF (IN_DELETE_SELF | IN_MOVE_SELF)
#define IN_END (IN_SELF | IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT)

static bool is_changed_elsewhere(int directory)
{
    static const unsigned long remote[] = {
        NFS_SUPER_MAGIC,
        SMB_SUPER_MAGIC,
        SMB2_SUPER_MAGIC,
        CIFS_SUPER_MAGIC,
        AFS_SUPER_MAGIC,
        AFS_FS_MAGIC,
        CEPH_SUPER_MAGIC,
        FUSE_SUPER_MAGIC,
        V9FS_MAGIC,
        CODA_SUPER_MAGIC,
        NCP_SUPER_MAGIC,
        OCFS2_SUPER_MAGIC,
        0x01161970 /* GFS2 */,
        0x0bd00bd0 /* Lustre */,
        0x47504653 /* GPFS */,
        0x786f4256 /* VirtualBox */,
    };
    struct statfs status;
    if (fstatfs(directory, &status) != 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(remote); i++)
        if (((unsigned long)status.f_type & 0xffffffff) == remote[i])
            return true;
    return false;
}

static bool open_watch(struct watch *watch, const char *path, int directory)
{
    if (watch->tries_used >= TRIES || is_changed_elsewhere(directory))
        return false;
    int number = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (number >= 0 &&
        inotify_add_watch(number, path, IN_CONTENT | IN_GONE | IN_ATTRIB | IN_SELF | IN_ONLYDIR) <
            0) {
        close(number);
        return false;
    }
    return descriptor_take(number, &watch->descriptor);
}

/* What was told is passed on; the buffer is the kernel's, and well-formed. */
static CK_RV pass_on(const char *buffer, size_t size, watch_tell tell, void *data, size_t *count,
                     bool *lost)
{
    CK_RV rv = CKR_OK;
    for (size_t at = 0; rv == CKR_OK && at < size;) {
        const struct inotify_event *event = (const void *)(buffer + at);
        at += sizeof(*event) + event->len;
        *lost = *lost || (event->mask & IN_END) || ++*count > EVENTS_MAX;
        if (*lost || event->len == 0)
            continue;
        const struct watch_event told = {
            .name = event->name,
            .came = event->mask & IN_CAME,
            .gone = event->mask & IN_GONE,
            .content = event->mask & IN_CONTENT,
        };
        rv = tell(data, &told);
    }
    return rv;
}

CK_RV watch_read(struct watch *watch, watch_tell tell, void *data, enum watch_state *ret_state)
{
    _Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
    size_t count = 0;
    /* A forked child has only a copy: what it read would be lost for its parent. */
    bool lost = !watch_holds(watch);
    watch->tries_used += lost;
    while (!lost) {
        ssize_t got = read(watch->descriptor.number, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            break;
        lost = got <= 0;
        CK_RV rv = lost ? CKR_OK : pass_on(buffer, (size_t)got, tell, data, &count, &lost);
        if (rv != CKR_OK)
            return rv;
    }
    *ret_state = lost ? WATCH_LOST : count ? WATCH_TOLD : WATCH_QUIET;
    return CKR_OK;
}
#else
static bool open_watch(struct watch *watch, const char *path, int directory)
{
    (void)watch, (void)path, (void)directory;
    return false;
}

CK_RV watch_read(struct watch *watch, watch_tell tell, void *data, enum watch_state *ret_state)
{
    (void)watch, (void)tell, (void)data;
    *ret_state = WATCH_LOST;
    return CKR_OK;
}
#endif

bool watch_open(struct watch *watch, const char *path, int directory)
{
    watch->refused = !open_watch(watch, path, directory);
    return !watch->refused;
}

void watch_close(struct watch *watch)
{
    descriptor_close(&watch->descriptor);
}

bool watch_holds(const struct watch *watch)
{
    return descriptor_holds(&watch->descriptor);
}
