#ifndef EMULATOR_TCTI_H
#define EMULATOR_TCTI_H

#include <tss2/tss2_tcti.h>

/* The public face of libtss2-tcti-signet.so.0. Any tpm2-tss program reaches it
 * by name ("signet:dir=PATH") through Tss2_Tcti_Info.
 *
 * Configuration: key=value,key=value
 *   dir=PATH  the state directory, made on demand with mode 0700.
 *             Default: $XDG_STATE_HOME/signet/tpm, or $HOME/.local/state/signet/tpm.
 *   rm=off    no resource manager: the TPM's own handles and limits
 *   sync=off  what is done outlasts the process, however it ends, but maybe not a
 *             power loss: writes are three times as fast
 *   ek=off    if the TPM is made: without endorsement certificates, which takes 2 ms
 *             instead of 40
 *   profile=CHIP, speed=Nx, faults=FILE, seed=N
 *             how the TPM is to behave; `signet-tpm profiles` lists the chips
 *   trace=FILE, pcap=FILE, counters=FILE
 *             what to write down of each command
 *
 * In the state directory:
 *   tpm2-00.permall  the permanent state, in swtpm's format
 *   signet.state     the running state that the processes share; a machine that
 *                    was started anew makes it a TPM reset
 *   ek-ca.crt  the certificate of the CA that vouches for the endorsement keys
 *   signet.lock, .lock  locks
 *   signet.chip      whose turn it is, and sessions saved, if a profile is used
 *   tpm2-00.volatilestate  of swtpm, when it was told to store one: taken in, and
 *                    removed
 *
 * Who may write to the directory may use the TPM. It must be its user's own, or
 * root's, or shared by its group (chmod g+w); files follow the directory.
 */
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);

/* Why the last call of this thread into this library failed: what, why, what to
 * do, in one line; "" if none did. Borrowed, valid until the next call. Found
 * with dlsym by programs that want more than a TSS2_RC. */
const char *signet_tcti_last_error(void);

#endif
