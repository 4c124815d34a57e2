#include "token/tpm/secret.h"

#include <string.h>

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/protection.h"
#include "token/tpm/public.h"
#include "token/tpm/root.h"
#include "token/tpm/run.h"
#include "token/tpm/template.h"

/* The commands between TPM2_HMAC and TPM2_EncryptDecrypt2, all that matters here. */
#define FIRST_COMMAND TPM2_CC_HMAC
#define COMMAND_COUNT (TPM2_CC_EncryptDecrypt2 - TPM2_CC_HMAC + 1)

static void note_command(struct tpm_secret_abilities *abilities, TPMA_CC command)
{
    switch (command & TPMA_CC_COMMANDINDEX_MASK) {
    case TPM2_CC_HMAC:
        abilities->hmac = true;
        break;
    case TPM2_CC_HMAC_Start:
        abilities->hmac_sequence = true;
        break;
    case TPM2_CC_EncryptDecrypt:
        abilities->cipher = true;
        break;
    case TPM2_CC_EncryptDecrypt2:
        abilities->cipher2 = true;
        break;
    default:
        break;
    }
}

static void note_algorithm(struct tpm_secret_abilities *abilities, TPM2_ALG_ID algorithm)
{
    enum hash hash = tpm_hash_of(algorithm);
    if (hash != HASH_NONE)
        abilities->hashes |= 1u << hash;
    else if (algorithm == TPM2_ALG_ECB || algorithm == TPM2_ALG_CBC || algorithm == TPM2_ALG_CTR)
        abilities->modes++;
}

/* Once for a connection: what the TPM has for secret keys. */
static TSS2_RC ask(struct tpm *tpm, const char **ret_command)
{
    struct tpm_secret_abilities abilities = {.asked = true, .connection = tpm->connection};
    TPMS_CAPABILITY_DATA *commands = NULL;
    TPMS_CAPABILITY_DATA *algorithms = NULL;
    if (tpm->secret_abilities.asked && tpm->secret_abilities.connection == tpm->connection)
        return TSS2_RC_SUCCESS;
    *ret_command = "TPM2_GetCapability";
    TSS2_RC rc =
        Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_COMMANDS,
                           FIRST_COMMAND, COMMAND_COUNT, NULL, &commands);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_ALGS,
                                TPM2_ALG_FIRST, TPM2_MAX_CAP_ALGS, NULL, &algorithms);
    if (rc == TSS2_RC_SUCCESS) {
        for (uint32_t i = 0; i < commands->data.command.count; i++)
            note_command(&abilities, commands->data.command.commandAttributes[i]);
        for (uint32_t i = 0; i < algorithms->data.algorithms.count; i++)
            note_algorithm(&abilities, algorithms->data.algorithms.algProperties[i].alg);
        tpm->secret_abilities = abilities;
    }
    Esys_Free(commands);
    Esys_Free(algorithms);
    return rc;
}

/* What the TPM would need for such a key and has not, or NULL. */
static const char *lacking(const struct tpm_secret_abilities *abilities,
                           const struct tpm_secret *secret, bool protected)
{
    enum hash hash = secret->hash == HASH_NONE ? HASH_SHA256 : secret->hash;
    if (secret->algorithm == KEY_ALGORITHM_SECRET)
        return !abilities->hmac || !abilities->hmac_sequence ? "TPM2_HMAC"
               : !(abilities->hashes & 1u << hash)           ? "the hash"
                                                             : NULL;
    if (!abilities->cipher2 && !abilities->cipher)
        return "TPM2_EncryptDecrypt";
    if (!abilities->cipher2 && protected)
        return "TPM2_EncryptDecrypt2, which can encrypt what crosses the bus";
    return abilities->modes < 3 ? "AES in all of ECB, CBC and CTR" : NULL;
}

struct request {
    const struct tpm_secret *secret;
    struct root_create create;
};

static TSS2_RC refuse(const struct tpm_secret *secret, const char *what, unsigned rc)
{
    bool aes = secret->algorithm == KEY_ALGORITHM_AES;
    log_line(LOG_LEVEL_INFO, "tpm",
             "this TPM cannot hold the %s key of %u bits: it lacks %s (0x%x)", aes ? "AES" : "HMAC",
             secret->bits, what, rc);
    return TPM_RC_TOLD(CKR_FUNCTION_NOT_SUPPORTED);
}

static bool refused(TSS2_RC rc)
{
    static const TSS2_RC codes[] = {TPM2_RC_SIZE, TPM2_RC_ATTRIBUTES, TPM2_RC_MODE, TPM2_RC_RANGE,
                                    TPM2_RC_KEY};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (tpm_error_is(rc, codes[i]))
            return true;
    return tpm_error_lacks(rc);
}

/* For tpm_secret_known, which takes no lock. */
static void remember(struct tpm *tpm)
{
    bool protected = protection_wanted(tpm, TPM_PROTECTION_AUTO);
    unsigned known = 0;
    for (enum hash hash = HASH_NONE; hash <= HASH_SHA3_512; hash++) {
        const struct tpm_secret secret = {.algorithm = hash == HASH_NONE ? KEY_ALGORITHM_AES
                                                                         : KEY_ALGORITHM_SECRET,
                                          .hash = hash};
        if (!lacking(&tpm->secret_abilities, &secret, protected))
            known |= 1u << hash;
    }
    tpm->known_secrets = known;
}

static TSS2_RC create(struct tpm *tpm, void *request, const char **ret_command)
{
    struct request *wanted = request;
    TSS2_RC rc = ask(tpm, ret_command);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    remember(tpm);
    const char *what = lacking(&tpm->secret_abilities, wanted->secret, wanted->create.protected);
    if (what)
        return refuse(wanted->secret, what, 0);
    rc = root_use(tpm, ROOT_FOR_NEW, (struct view){0}, root_create, &wanted->create, ret_command);
    return refused(rc) ? refuse(wanted->secret, "keys of this kind", rc) : rc;
}

bool tpm_secret_known(struct tpm *tpm, enum hash hash)
{
    return tpm->known_secrets & 1u << hash;
}

/* Of its own accord a TPM makes keys as long as the name algorithm's digest. */
static bool made_by_tpm(const struct tpm_secret *secret)
{
    return !secret->value.size &&
           (secret->algorithm == KEY_ALGORITHM_AES || secret->bits == 8 * hash_size(HASH_SHA256));
}

CK_RV tpm_secret_create(struct tpm *tpm, const struct tpm_secret *secret, struct view auth,
                        enum tpm_protection protection, struct tpm_created *ret_created)
{
    struct request request = {.secret = secret,
                              .create = {.protected = protection_wanted(tpm, protection),
                                         .strict = protection == TPM_PROTECTION_ON}};
    TPMS_SENSITIVE_CREATE *sensitive = &request.create.sensitive.sensitive;
    bool random = made_by_tpm(secret);
    if ((!random && !secret->value.size) || !TPM_FITS(secret->value, sensitive->data)) {
        log_line(LOG_LEVEL_INFO, "tpm", "a TPM holds no secret keys of %u bits", secret->bits);
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    CK_RV rv = template_of_secret(secret->algorithm, secret->bits, random,
                                  &request.create.public.publicArea);
    if (rv == CKR_OK)
        rv = template_auth(auth, &sensitive->userAuth);
    if (rv != CKR_OK)
        return rv;
    sensitive->data.size = (UINT16)secret->value.size;
    if (secret->value.size)
        memcpy(sensitive->data.buffer, secret->value.data, secret->value.size);
    rv = tpm_run(tpm, NULL, create, &request);
    explicit_bzero(sensitive, sizeof(*sensitive));
    if (rv == CKR_OK)
        *ret_created = request.create.created;
    return rv;
}
