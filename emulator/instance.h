#ifndef EMULATOR_INSTANCE_H
#define EMULATOR_INSTANCE_H

#include "emulator/backend.h"
#include "emulator/command.h"
#include "emulator/control.h"
#include "emulator/directory.h"
#include "emulator/order.h"

#include <pthread.h>
#include <stdatomic.h>

#define OBJECTS_MAX 256

struct object;
struct ek_order;

/* One TCTI context's view of an instance: its own transient objects, its own
 * sessions to clean up, its locality. */
struct connection {
    struct connection *next;
    struct instance *instance;
    uint32_t number;
    uint8_t locality;
    bool bare;     /* no resource manager: the TPM's own handles */
    bool unsynced; /* need not have its writes outlast a power loss */
    struct object *objects[OBJECTS_MAX];
};

/* One TPM as this process has it: its copy of the state that all processes
 * share, used by any number of connections. */
struct instance {
    /* The registry's, under its lock. */
    struct instance *next;
    unsigned users;
    dev_t device;
    ino_t inode;

    /* Held for the length of a command; all below is under it. */
    pthread_mutex_t lock;
    atomic_bool busy; /* the lock is held: for other threads a guess */
    bool held;        /* by a thread that is about to fork */
    bool opened;      /* instance_open has done all of its work */
    bool damaged;     /* a fork caught the instance busy: its copy is not to be used */
    pid_t process;

    struct directory directory;
    uint64_t inherited_owner; /* the parent's, in a forked child */
    struct control control;
    struct tpm_backend *tpm;
    struct command_attributes commands;
    struct command_attributes audited; /* not 0: the command audit has the code */
    uint32_t context_gap;              /* TPM_PT_CONTEXT_GAP_MAX */
    struct connection *connections;
    uint32_t connections_made;
    uint64_t commands_run;

    /* How to certify the keys of a TPM that is made; NULL: as by default. Borrowed. */
    struct tpm_order order;
    bool manufactured; /* here and now */

    /* Which published state the TPM runs, and what of it must be published again. */
    bool in_step; /* false: the TPM's state is to be thrown away */
    uint64_t word;
    struct blob permanent;
    struct session_row sessions[SESSIONS_MAX];
    char boot_id[BOOT_ID_SIZE];
};

/* Makes an instance on an open directory, which it then owns; nothing runs yet. */
TSS2_RC instance_new(struct directory *take_directory, struct instance **ret);

/* Powers the TPM on, if it is not: resumes what others run, or manufactures. */
TSS2_RC instance_open(struct instance *instance);

/* Frees the instance and its TPM. It must have no connections. */
void instance_free(struct instance *instance);

/* Around a fork, which so finds nobody inside, nor in OpenSSL by our doing: a lock
 * of OpenSSL that another thread held would be held in the child for good. Waits
 * until the deadline (CLOCK_REALTIME); a copy that is at work even then is
 * damaged in the child. */
void instance_before_fork(struct instance *instance, const struct timespec *deadline);
void instance_forked_in_parent(struct instance *instance);

/* In the child, before anything else runs there. Async-signal-safe. */
void instance_forked(struct instance *instance);

/* Is another thread inside? A guess, without the lock. */
bool instance_is_busy(const struct instance *instance);

/* Locks out the other threads, and no more: the TPM may be the parent's of a fork.
 * Ends with instance_leave. */
void instance_lock(struct instance *instance);

/* Locks out the other threads, and after a fork makes the instance the child's
 * own. On failure nothing is locked. */
TSS2_RC instance_enter(struct instance *instance);
void instance_leave(struct instance *instance);

#endif
