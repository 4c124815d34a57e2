#include "token/tpm/policy.h"

#include <endian.h>
#include <string.h>

#define DIGEST_SIZE 32
#define MAX_STEP (DIGEST_SIZE + 4 + DIGEST_SIZE + sizeof(((TPM2B_NAME *)0)->name))

TPM2B_OPERAND policy_operand(uint64_t counter)
{
    TPM2B_OPERAND operand = {.size = sizeof(counter)};
    counter = htobe64(counter);
    memcpy(operand.buffer, &counter, sizeof(counter));
    return operand;
}

/* digest = H(digest || commandCode || first || second) */
static TSS2_RC extend(policy_hash hash, TPM2B_DIGEST *digest, TPM2_CC command, struct view first,
                      struct view second)
{
    struct bytes all = {0};
    uint8_t out[HASH_MAX_SIZE];
    uint32_t code = htobe32(command);
    CK_RV rv = bytes_append(&all, view_of(digest->buffer, digest->size), MAX_STEP);
    if (rv == CKR_OK)
        rv = bytes_append(&all, view_of(&code, sizeof(code)), MAX_STEP);
    if (rv == CKR_OK)
        rv = bytes_append(&all, first, MAX_STEP);
    if (rv == CKR_OK)
        rv = bytes_append(&all, second, MAX_STEP);
    if (rv == CKR_OK)
        rv = hash(HASH_SHA256, bytes_view(&all), out);
    bytes_free(&all);
    if (rv != CKR_OK)
        return TSS2_ESYS_RC_MEMORY;
    memcpy(digest->buffer, out, DIGEST_SIZE);
    return TSS2_RC_SUCCESS;
}

static TSS2_RC extend_nv(policy_hash hash, TPM2B_DIGEST *digest, uint64_t counter,
                         const TPM2B_NAME *name)
{
    TPM2B_OPERAND operand = policy_operand(counter);
    uint8_t arguments[sizeof(uint64_t) + 4] = {0};
    uint8_t hashed[HASH_MAX_SIZE];
    memcpy(arguments, operand.buffer, operand.size);
    /* Offset 0, TPM2_EO_EQ: both two zero bytes. */
    if (hash(HASH_SHA256, view_of(arguments, sizeof(arguments)), hashed) != CKR_OK)
        return TSS2_ESYS_RC_MEMORY;
    return extend(hash, digest, TPM2_CC_PolicyNV, view_of(hashed, DIGEST_SIZE),
                  view_of(name->name, name->size));
}

static TSS2_RC extend_secret(policy_hash hash, TPM2B_DIGEST *digest, const TPM2B_NAME *name)
{
    uint8_t out[HASH_MAX_SIZE];
    TSS2_RC rc = extend(hash, digest, TPM2_CC_PolicySecret, view_of(name->name, name->size),
                        (struct view){0});
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    /* Once more, with the policyRef, which is empty (Part 3, 23.2.3). */
    if (hash(HASH_SHA256, view_of(digest->buffer, DIGEST_SIZE), out) != CKR_OK)
        return TSS2_ESYS_RC_MEMORY;
    memcpy(digest->buffer, out, DIGEST_SIZE);
    return rc;
}

TSS2_RC policy_digest(ESYS_CONTEXT *esys, const struct policy_gates *gates, policy_hash hash,
                      TPM2B_DIGEST *ret_digest)
{
    TPM2B_DIGEST digest = {.size = DIGEST_SIZE};
    TPM2B_NAME *counter = NULL;
    TPM2B_NAME *pin = NULL;
    TSS2_RC rc = Esys_TR_GetName(esys, gates->counter_index, &counter);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_GetName(esys, gates->pin_index, &pin);
    if (rc == TSS2_RC_SUCCESS)
        rc = extend_nv(hash, &digest, gates->counter, counter);
    if (rc == TSS2_RC_SUCCESS)
        rc = extend_secret(hash, &digest, pin);
    if (rc == TSS2_RC_SUCCESS)
        rc = extend(hash, &digest, TPM2_CC_PolicyAuthValue, (struct view){0}, (struct view){0});
    if (rc == TSS2_RC_SUCCESS)
        *ret_digest = digest;
    Esys_Free(counter);
    Esys_Free(pin);
    return rc;
}
