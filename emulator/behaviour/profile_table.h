#ifndef EMULATOR_BEHAVIOUR_PROFILE_TABLE_H
#define EMULATOR_BEHAVIOUR_PROFILE_TABLE_H

#include "emulator/behaviour/profile.h"

#include <tss2/tss2_tpm2_types.h>

/* The profiles as data. Properties, algorithms, commands and times are those of
 * one machine each of the TPMScan dataset (CHES 2024), which the source names by
 * its firmware; the means lie within what all machines of the kind have. Times
 * are of Tss2_Sys calls, driver and bus included. */

extern const struct profile profile_intel_ptt;
extern const struct profile profile_intel_ptt_old;
extern const struct profile profile_amd_ftpm;
extern const struct profile profile_slb9670;
extern const struct profile profile_slb9672;
extern const struct profile profile_npct75x;
extern const struct profile profile_npct65x;
extern const struct profile profile_st33;
extern const struct profile profile_minimal;
extern const struct profile profile_hostile;

#define MEASURED(fastest, mean, slowest, samples)                                                  \
    {                                                                                              \
        fastest, mean, slowest, samples, FIGURE_MEASURED                                           \
    }

/* A published mean; the spread is another chip's. */
#define MEAN(fastest, mean, slowest)                                                               \
    {                                                                                              \
        fastest, mean, slowest, 1000, FIGURE_MEAN                                                  \
    }
#define ESTIMATE(fastest, mean, slowest)                                                           \
    {                                                                                              \
        fastest, mean, slowest, 1000, FIGURE_ESTIMATE                                              \
    }

/* What all of them have; of all chips in the dataset, but for ECDAA. */
#define BASE_ALGORITHMS                                                                            \
    TPM2_ALG_RSA, TPM2_ALG_SHA1, TPM2_ALG_HMAC, TPM2_ALG_AES, TPM2_ALG_KEYEDHASH, TPM2_ALG_XOR,    \
        TPM2_ALG_SHA256, TPM2_ALG_RSASSA, TPM2_ALG_RSAES, TPM2_ALG_RSAPSS, TPM2_ALG_OAEP,          \
        TPM2_ALG_ECDSA, TPM2_ALG_ECDH, TPM2_ALG_KDF1_SP800_56A, TPM2_ALG_KDF1_SP800_108,           \
        TPM2_ALG_ECC, TPM2_ALG_SYMCIPHER, TPM2_ALG_CFB
#define COMMON_ALGORITHMS BASE_ALGORITHMS, TPM2_ALG_ECDAA
#define ALL_AES_MODES TPM2_ALG_CTR, TPM2_ALG_OFB, TPM2_ALG_CBC, TPM2_ALG_ECB

#define LIST(...) ((const uint16_t[]){__VA_ARGS__, 0})
#define COMMANDS(...) ((const uint32_t[]){__VA_ARGS__, 0})
#define P256_AND_BN TPM2_ECC_NIST_P256, TPM2_ECC_BN_P256

#endif
