#ifndef EMULATOR_OBJECTS_H
#define EMULATOR_OBJECTS_H

#include "emulator/instance.h"

/* The resource manager for transient objects. Each connection has handles of its
 * own for them; in the TPM an object is loaded when a command names it, and
 * otherwise lives as a saved context that never leaves this process. */

/* A transient object of a connection. */
struct object {
    uint32_t handle; /* the connection's */
    uint32_t loaded; /* the TPM's; 0 while it is not loaded */
    bool pinned;     /* the present command names it */
    uint64_t used;   /* when, in commands; the least recently used leaves first */
    struct blob context;
};

/* NULL if the connection has no such object. */
struct object *objects_find(const struct connection *connection, uint32_t handle);

/* Can the connection have one more? */
bool objects_have_room(const struct connection *connection);

/* Takes in what a command left in the TPM. NULL if the connection has too many. */
struct object *objects_add(struct connection *connection, uint32_t loaded);

/* Forgets the object; what is loaded of it is flushed, if flush is set. */
void objects_remove(struct connection *connection, struct object *object, bool flush);

/* Loads the object if it is not, and pins it. Returns the TPM's response code. */
uint32_t objects_pin(struct connection *connection, struct object *object);
void objects_unpin_all(struct connection *connection);

/* Makes room by saving one object that is not pinned; false if there is none. */
bool objects_evict_one(struct instance *instance);

/* Saves and flushes what a connection, or all of them, have loaded. If the TPM is
 * out of step, just notes that nothing is loaded. */
void objects_unload(struct connection *connection);
void objects_unload_all(struct instance *instance);

/* Notes that nothing is loaded, whatever the TPM has. */
void objects_forget_loaded(struct instance *instance);

#endif
