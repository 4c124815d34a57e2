#ifndef EMULATOR_KINDS_H
#define EMULATOR_KINDS_H

#include "emulator/command.h"

/* How much of a shared TPM a command touches. The first two need no lock: if they
 * turn out to have changed what is shared, they publish it afterwards. */
enum command_kind {
    /* Needs the connection's own objects alone, and of what is shared just what
     * seldom changes: hierarchies, persistent objects (the hard generation). */
    KIND_OWN_OBJECTS,
    /* Reads what is shared: takes the present state over first. */
    KIND_READS_SHARED,
    /* Changes what is shared, but nothing that KIND_OWN_OBJECTS depends on. */
    KIND_CHANGES_SHARED,
    /* Changes what all others depend on: moves the hard generation. */
    KIND_CHANGES_HARD,
};

/* The kind that a command has by its code, sessions and handles. */
enum command_kind command_kind(const struct command *command, const struct message *message);

/* The kind that it has without a resource manager, where transient objects are
 * shared like all else. */
enum command_kind command_kind_bare(const struct command *command, const struct message *message);

/* Does the answer to the command hold an attestation, TPMS_ATTEST? Of those that do
 * not change all that is shared. */
bool command_attests(const struct command *command);

/* Did the command, whatever its kind, use up a value of the commit counter? Its
 * answer tells. Used twice, such a value gives the private key away, so the use
 * must be published. */
bool response_spends_commit(const struct command *command, const struct message *response);

#endif
