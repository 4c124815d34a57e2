#ifndef EMULATOR_CONF_H
#define EMULATOR_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <tss2/tss2_common.h>

#define CONF_NAME_MAX 64

/* What the configuration string of the TCTI asks for. Empty: not asked for. */
struct conf {
    char directory[PATH_MAX];
    bool bare;     /* rm=off: the TPM's own handles, for all who want the same */
    bool unsynced; /* sync=off: what is done may be undone by a power loss */
    bool no_ek;    /* ek=off: a TPM that is made has no endorsement certificates */
    char profile[CONF_NAME_MAX];
    char faults[PATH_MAX];
    char trace[PATH_MAX];
    char pcap[PATH_MAX];
    char counters[PATH_MAX];
    double speed;  /* of the profile's time; 1 unless told */
    uint64_t seed; /* of all that is drawn at random */
    bool has_seed;
};

/* Reads "key=value,key=value"; NULL and "" mean the defaults. What the string
 * leaves out is taken from the environment: SIGNET_TPM_EK, _PROFILE, _FAULTS, _TRACE,
 * _PCAP, _COUNTERS, _SPEED, _SEED, _SYNC (not in programs that changed their user).
 * Returns TSS2_TCTI_RC_BAD_VALUE with the reason as error text; *ret is then
 * untouched. */
TSS2_RC conf_read(const char *text, struct conf *ret);

#endif
