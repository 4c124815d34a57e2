#ifndef EMULATOR_OPENSSL_SCOPE_H
#define EMULATOR_OPENSSL_SCOPE_H

#include <openssl/types.h>
#include <stdbool.h>

/* libtpms uses OpenSSL's default library context. If that one can lead back to
 * a TPM provider, a TPM command would start another inside itself. So every call
 * into libtpms runs with a private context as the thread's default. */

/* A library context with nothing but OpenSSL's default provider, and without the
 * host's openssl.cnf; NULL on failure, with an error text. One for the process,
 * and never freed: OpenSSL 3.0 crashes when a thread that used a context ends
 * after it was freed. Borrowed. */
OSSL_LIB_CTX *openssl_private(void);

/* In the child of a fork that caught another thread inside a command, and so
 * maybe with a lock of the context: the next use makes a new one. */
void openssl_abandon(void);

/* Has OpenSSL been taken down, as happens while the program exits? Then nothing of
 * libtpms may be called any more. */
bool openssl_is_over(void);

struct openssl_scope {
    OSSL_LIB_CTX *outer;
    struct err_state_st *errors; /* of the host, put aside; NULL if it has none */
};

/* Makes the private context the thread's default until openssl_leave, which also
 * forgets the errors queued in between. The host's are kept; from OpenSSL 3.2 on
 * even from a flood of others, though its marks among them are not. */
struct openssl_scope openssl_enter(void);
void openssl_leave(struct openssl_scope *scope);

#define OPENSSL_SCOPE __attribute__((cleanup(openssl_leave)))

/* Has the host's configuration read now, outside all locks: it may load a
 * provider that opens a TPM through this library. */
void openssl_read_host_configuration(void);

#endif
