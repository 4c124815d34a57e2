#ifndef EMULATOR_BEHAVIOUR_PROFILE_H
#define EMULATOR_BEHAVIOUR_PROFILE_H

#include "emulator/behaviour/latency.h"

#include <stddef.h>

/* What a chip takes its time for. Up to TIME_ENCRYPT published figures exist;
 * what follows is derived from these (timing.h). */
enum time_kind {
    TIME_CREATE_RSA, /* 2048 bits; others are scaled from it, as for all keys */
    TIME_CREATE_ECC, /* P-256 */
    TIME_CREATE_OTHER,
    TIME_SIGN_RSA,
    TIME_SIGN_ECC,
    TIME_RSA_DECRYPT,
    TIME_VERIFY_RSA,
    TIME_VERIFY_ECC,
    TIME_ECDH,
    TIME_GET_RANDOM, /* 32 bytes */
    TIME_HASH,       /* 256 bytes */
    TIME_HMAC,
    TIME_ENCRYPT,
    TIME_MEASURED_KINDS,
    TIME_LOAD = TIME_MEASURED_KINDS,
    TIME_UNSEAL,
    TIME_NV_CHANGE,
    TIME_OTHER,
    TIME_KINDS
};

/* The parameters of TPM2_DictionaryAttackParameters, as chips are delivered. */
struct profile_lockout {
    uint32_t max_tries;
    uint32_t recovery_seconds;
    uint32_t lockout_recovery_seconds;
};

/* A chip as its clients see it. Lists end in 0; a NULL list and a limit of 0
 * mean whatever the TPM below has. A limit above the TPM's own is not reached:
 * then the TPM's is shown. */
struct profile {
    const char *name;
    const char *title;
    const char *source;
    uint32_t manufacturer; /* TPM_PT_MANUFACTURER; 0: the TPM's own */
    uint32_t vendor[4];    /* TPM_PT_VENDOR_STRING_1 to _4 */
    uint32_t firmware[2];  /* TPM_PT_FIRMWARE_VERSION_1 and _2; 0: the TPM's own */

    const uint16_t *algorithms;
    const uint16_t *curves;
    const uint16_t *rsa_bits;
    const uint16_t *aes_bits;
    const uint32_t *absent_commands;

    uint32_t objects;      /* TPM_PT_HR_TRANSIENT_MIN */
    uint32_t sessions;     /* TPM_PT_HR_LOADED_MIN */
    uint32_t persistent;   /* how many persistent objects there is room for */
    uint32_t context_gap;  /* TPM_PT_CONTEXT_GAP_MAX */
    uint32_t message_size; /* TPM_PT_MAX_COMMAND_SIZE, _RESPONSE_SIZE */
    uint32_t nv_index_size;
    uint32_t nv_piece_size; /* TPM_PT_NV_BUFFER_MAX */
    uint32_t nv_room;       /* bytes of all NV indexes but the EK certificates */
    bool retries;           /* TPM_RC_RETRY to the first command of each code */

    struct profile_lockout lockout; /* 0 tries: none in particular */
    struct figure times[TIME_MEASURED_KINDS];
};

/* All profiles, in the order in which they are listed. */
extern const struct profile *const profiles[];
extern const size_t profiles_count;

/* What holds when none is asked for: no limits, no latency, "Signet embedded". */
extern const struct profile profile_default;

/* NULL: there is none of that name. */
const struct profile *profile_find(const char *name);

/* Has the profile a latency? */
bool profile_takes_time(const struct profile *profile);

/* Does a list hold the value? A NULL list holds all. */
bool profile_list_holds(const uint16_t *list, uint16_t value);
bool profile_lacks_command(const struct profile *profile, uint32_t code);

/* The lockout parameters of a new TPM of that kind. False, and *ret untouched: the
 * name is "" or unknown, or the profile has none. */
bool profile_lockout(const char *name, struct profile_lockout *ret);

#endif
