/* The connection to one TPM: its lock, its ESYS context, and the keys that are
 * loaded through it. Inside the room only. */
#ifndef SIGNET_TPM_CONNECTION_H
#define SIGNET_TPM_CONNECTION_H

#include <stdatomic.h>
#include <sys/types.h>
#include <tss2/tss2_esys.h>

#include "token/base/lock.h"
#include "token/tpm/tpm.h"

#define TPM_NAME_MAX_SIZE 68

struct tpm_key;

/* What a TPM has for secret keys, if it was asked on this connection. modes: how many of
 * AES are usable; hashes: a bit for each enum hash. */
struct tpm_secret_abilities {
    bool asked;
    unsigned connection;
    bool hmac;
    bool hmac_sequence;
    bool cipher;
    bool cipher2;
    unsigned modes;
    unsigned hashes;
};

struct tpm {
    struct tpm *next;
    atomic_uint references; /* keys of several tokens, each under its own lock */
    char *choice;
    struct lock *lock;
    pid_t pid;           /* who connected */
    unsigned connection; /* counts them */
    bool unproven_sent;  /* a PIN that may be wrong is on its way */
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;                       /* NULL: not connected */
    ESYS_TR session;                          /* of bus protection; ESYS_TR_NONE: none yet */
    struct tpm_key *loaded;                   /* most recently used first */
    bool no_persistent_parent;                /* the usual handle was looked at and is no use */
    uint8_t standard_root[TPM_NAME_MAX_SIZE]; /* Name of the root made last; size 0: none yet */
    size_t standard_root_size;
    struct tpm_secret_abilities secret_abilities;
    atomic_uint known_secrets; /* a bit for each enum hash of HMAC; HASH_NONE: AES */
    bool no_encrypt_decrypt2;  /* it was tried: only the older command is there */
};

/* Takes the lock and connects if need be; on failure (logged) the lock is not
 * held. Every success is paired with tpm_leave. */
CHECKED CK_RV tpm_enter(struct tpm *tpm);
void tpm_leave(struct tpm *tpm);

/* With the lock held: drops a connection that no longer works, or connects. */
void tpm_disconnect(struct tpm *tpm);
CHECKED CK_RV tpm_connect(struct tpm *tpm);

/* Implemented by key.c: the connection is gone and every handle with it. */
void tpm_key_forget_all(struct tpm *tpm);

#endif
