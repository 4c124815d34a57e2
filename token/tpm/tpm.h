/* A TPM as the configuration names it. The connection is made at the first
 * command and shared by all tokens of the process that name the same TPM; a lock
 * of its own (the only one below the guard) keeps their commands apart. */
#ifndef SIGNET_TPM_TPM_H
#define SIGNET_TPM_TPM_H

#include "token/base/bytes.h"
#include "token/base/reason.h"

struct tpm;

enum tpm_kind { TPM_KIND_DEVICE, TPM_KIND_SWTPM, TPM_KIND_EMBEDDED, TPM_KIND_OTHER };

/* The TPM for `choice` (`auto`, `device[:PATH]`, `embedded[:DIR]`, `swtpm:…`, or
 * any TCTI string). No command is sent. Released with tpm_release. */
CHECKED CK_RV tpm_acquire(const char *choice, struct tpm **ret_tpm);

/* Closes the connection with its last user; NULL is fine. */
void tpm_release(struct tpm *tpm);

/* In a forked child: closes what was inherited without a command to the TPM or
 * a byte to the parent's connection, and forgets every struct tpm. */
void tpm_abandon_all(void);

/* Decided without touching the TPM; `auto` answers what it would take now. */
enum tpm_kind tpm_kind(const struct tpm *tpm);

/* Silences tpm2-tss, which would write its own messages to stderr; TSS2_LOG set
 * by the user is left alone. Call before the first command. */
void tpm_quiet(void);

#endif
