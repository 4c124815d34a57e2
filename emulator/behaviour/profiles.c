#include "emulator/behaviour/profile_table.h"

#include <string.h>

#define CHOSEN_SOURCE "chosen for tests; no chip"

const struct profile profile_default = {
    .name = "",
    .title = "libtpms without limits or latency",
    .source = "the TPM itself",
    .vendor = {0x5369676e, 0x65742065, 0x6d626564, 0x64656400},
};

/* No more than all chips of the dataset have, and the smallest sizes among them. */
const struct profile profile_minimal = {
    .name = "minimal",
    .title = "the least that is found in any chip, at full speed",
    .source = CHOSEN_SOURCE ": the smallest of each in the TPMScan dataset (CHES 2024)",
    .vendor = {0x5369676e, 0x6574206d, 0x696e696d, 0x616c0000},
    .algorithms = LIST(BASE_ALGORITHMS),
    .curves = LIST(TPM2_ECC_NIST_P256),
    .rsa_bits = LIST(2048),
    .aes_bits = LIST(128),
    .absent_commands = COMMANDS(
        TPM2_CC_ChangePPS, TPM2_CC_PCR_SetAuthPolicy, TPM2_CC_PP_Commands,
        TPM2_CC_NV_GlobalWriteLock, TPM2_CC_GetCommandAuditDigest, TPM2_CC_SetAlgorithmSet,
        TPM2_CC_SetCommandCodeAuditStatus, TPM2_CC_Rewrap, TPM2_CC_EncryptDecrypt,
        TPM2_CC_PCR_SetAuthValue, TPM2_CC_NV_Certify, TPM2_CC_PolicyPhysicalPresence,
        TPM2_CC_ZGen_2Phase, TPM2_CC_EC_Ephemeral, TPM2_CC_PolicyTemplate, TPM2_CC_CreateLoaded,
        TPM2_CC_PolicyAuthorizeNV, TPM2_CC_EncryptDecrypt2, TPM2_CC_CertifyX509, TPM2_CC_HMAC),
    .objects = 3,
    .sessions = 3,
    .persistent = 2,
    .message_size = 1280,
    .nv_index_size = 1664,
    .nv_piece_size = 768,
    .nv_room = 6962,
    .lockout = {10, 7200, 86400},
};

/* The slowest means of the dataset, from different machines, with a tail. */
const struct profile profile_hostile = {
    .name = "hostile",
    .title = "odd but legal: slow, heavy tails, RETRY on first use, context gap 255",
    .source = CHOSEN_SOURCE ": the worst of each in the TPMScan dataset (CHES 2024)",
    .vendor = {0x5369676e, 0x65742068, 0x6f737469, 0x6c650000},
    .algorithms = LIST(BASE_ALGORITHMS),
    .curves = LIST(TPM2_ECC_NIST_P256),
    .rsa_bits = LIST(2048),
    .aes_bits = LIST(128),
    .absent_commands =
        COMMANDS(TPM2_CC_EncryptDecrypt, TPM2_CC_EncryptDecrypt2, TPM2_CC_CreateLoaded,
                 TPM2_CC_PolicyTemplate, TPM2_CC_PolicyAuthorizeNV, TPM2_CC_HMAC,
                 TPM2_CC_HMAC_Start, TPM2_CC_NV_Certify, TPM2_CC_Rewrap, TPM2_CC_CertifyX509),
    .objects = 3,
    .sessions = 3,
    .persistent = 2,
    .context_gap = 255,
    .message_size = 1280,
    .nv_index_size = 1664,
    .nv_piece_size = 512,
    .nv_room = 6962,
    .retries = true,
    .lockout = {3, 7200, 86400},
    .times =
        {
            [TIME_CREATE_RSA] = ESTIMATE(2000, 31754, 253000),
            [TIME_CREATE_ECC] = ESTIMATE(300, 373, 3730),
            [TIME_CREATE_OTHER] = ESTIMATE(50, 55, 550),
            [TIME_SIGN_RSA] = ESTIMATE(1000, 1236, 12360),
            [TIME_SIGN_ECC] = ESTIMATE(350, 442, 4420),
            [TIME_RSA_DECRYPT] = ESTIMATE(1000, 1234, 12340),
            [TIME_VERIFY_RSA] = ESTIMATE(200, 398, 3980),
            [TIME_VERIFY_ECC] = ESTIMATE(200, 398, 3980),
            [TIME_ECDH] = ESTIMATE(200, 313, 3130),
            [TIME_GET_RANDOM] = ESTIMATE(80, 188, 1880),
            [TIME_HASH] = ESTIMATE(80, 188, 1880),
            [TIME_HMAC] = ESTIMATE(80, 188, 1880),
        },
};

const struct profile *const profiles[] = {
    &profile_intel_ptt, &profile_intel_ptt_old, &profile_amd_ftpm, &profile_slb9670,
    &profile_slb9672,   &profile_npct75x,       &profile_npct65x,  &profile_st33,
    &profile_minimal,   &profile_hostile,
};
const size_t profiles_count = sizeof(profiles) / sizeof(profiles[0]);

const struct profile *profile_find(const char *name)
{
    for (size_t i = 0; i < profiles_count; i++)
        if (strcmp(profiles[i]->name, name) == 0)
            return profiles[i];
    return NULL;
}

bool profile_takes_time(const struct profile *profile)
{
    return profile->times[TIME_GET_RANDOM].origin != FIGURE_NONE;
}

bool profile_list_holds(const uint16_t *list, uint16_t value)
{
    if (!list)
        return true;
    while (*list && *list != value)
        list++;
    return *list != 0;
}

bool profile_lacks_command(const struct profile *profile, uint32_t code)
{
    const uint32_t *at = profile->absent_commands;

    while (at && *at && *at != code)
        at++;
    return at && *at;
}

bool profile_lockout(const char *name, struct profile_lockout *ret)
{
    const struct profile *profile = profile_find(name);

    if (!profile || profile->lockout.max_tries == 0)
        return false;
    *ret = profile->lockout;
    return true;
}
