#include "token/tpm/index.h"

#include <endian.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "token/base/log.h"
#include "token/tpm/error.h"
#include "token/tpm/protection.h"
#include "token/tpm/run.h"

#define FIRST 0x01800000u
#define LAST 0x01bfffffu

/* Handles to try for one index: three bytes of the token's name each. */
#define PROBES 5
#define NAME_BYTES 3

/* A token has eight handles side by side, for each probe: a role's counter and its two
 * PIN indexes, which take turns. */
#define PER_TOKEN 8u
#define PER_ROLE 4u
#define PIN_SLOTS 2u

/* Part 2, 13.4: 32 bytes of count and 32 of limit; counters are 64 bits. */
#define DATA_SIZE 8

/* IESYSC_NV_RSRC of tpm2-tss, in what Esys_TR_Serialize writes. */
#define SERIALIZED_NV 2u

bool index_handle_valid(uint32_t handle)
{
    return handle >= FIRST && handle <= LAST;
}

static uint32_t candidate(const struct index_owner *owner, enum index_kind kind, unsigned number)
{
    unsigned slots = kind == INDEX_PIN ? PIN_SLOTS : 1;
    const uint8_t *name = owner->token.data + number / slots * NAME_BYTES;
    uint32_t base = ((uint32_t)name[0] << 16 | (uint32_t)name[1] << 8 | name[2]) & (LAST - FIRST);
    uint32_t slot = kind == INDEX_PIN ? 1 + number % slots : 0;
    return FIRST + (base & ~(PER_TOKEN - 1)) + owner->role * PER_ROLE + slot;
}

/* The mark stands where a policy's digest would: no policy has it, and no attribute
 * lets a policy be used. */
static void set_mark(const struct index_owner *owner, enum index_kind kind, TPM2B_DIGEST *mark)
{
    static const char text[] = "signet token ";
    *mark = (TPM2B_DIGEST){.size = 32};
    memcpy(mark->buffer, owner->token.data, TPM_SEAL_TOKEN_SIZE);
    memcpy(mark->buffer + TPM_SEAL_TOKEN_SIZE, text, sizeof(text) - 1);
    mark->buffer[30] = owner->role == TPM_SEAL_SO ? 's' : 'u';
    mark->buffer[31] = kind == INDEX_PIN ? 'p' : 'c';
}

static TPM2B_NV_PUBLIC public_area(uint32_t handle, enum index_kind kind,
                                   const struct index_owner *owner, bool written)
{
    TPM2B_NV_PUBLIC public = {
        .nvPublic = {.nvIndex = handle, .nameAlg = TPM2_ALG_SHA256, .dataSize = DATA_SIZE}};
    TPM2_NT type = kind == INDEX_PIN ? TPM2_NT_PIN_FAIL : TPM2_NT_COUNTER;
    public.nvPublic.attributes = TPMA_NV_NO_DA | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD |
                                 TPMA_NV_OWNERWRITE | (written ? TPMA_NV_WRITTEN : 0) |
                                 (TPMA_NV)type << TPMA_NV_TPM2_NT_SHIFT;
    set_mark(owner, kind, &public.nvPublic.authPolicy);
    return public;
}

void index_close(struct tpm *tpm, ESYS_TR *index)
{
    if (*index == ESYS_TR_NONE)
        return;
    (void)tpm_set_auth(tpm, *index, (struct view){0});
    (void)Esys_TR_Close(tpm->esys, index);
    *index = ESYS_TR_NONE;
}

static TSS2_RC deserialize(struct tpm *tpm, const TPM2B_NV_PUBLIC *public, const TPM2B_NAME *name,
                           ESYS_TR *ret_index)
{
    uint8_t buffer[sizeof(*public) + sizeof(*name) + 2 * sizeof(uint32_t)];
    size_t size = 0;
    ESYS_TR index = ESYS_TR_NONE;
    TSS2_RC rc = Tss2_MU_UINT32_Marshal(public->nvPublic.nvIndex, buffer, sizeof(buffer), &size);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NAME_Marshal(name, buffer, sizeof(buffer), &size);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_UINT32_Marshal(SERIALIZED_NV, buffer, sizeof(buffer), &size);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_NV_PUBLIC_Marshal(public, buffer, sizeof(buffer), &size);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_Deserialize(tpm->esys, buffer, size, &index);
    if (rc == TSS2_RC_SUCCESS)
        *ret_index = index;
    else
        index_close(tpm, &index);
    return rc;
}

/* ESYS computes the Name of what it is given. */
static TSS2_RC expected_name(struct tpm *tpm, const TPM2B_NV_PUBLIC *public, TPM2B_NAME *ret_name)
{
    static const TPM2B_NAME none;
    TPM2B_NAME *name = NULL;
    ESYS_TR index = ESYS_TR_NONE;
    TSS2_RC rc = deserialize(tpm, public, &none, &index);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_GetName(tpm->esys, index, &name);
    index_close(tpm, &index);
    if (rc == TSS2_RC_SUCCESS && name->size != 2 + 32)
        rc = TSS2_ESYS_RC_GENERAL_FAILURE;
    if (rc == TSS2_RC_SUCCESS)
        *ret_name = *name;
    Esys_Free(name);
    return rc;
}

TSS2_RC index_expect(struct tpm *tpm, uint32_t handle, enum index_kind kind,
                     const struct index_owner *owner, ESYS_TR *ret_index)
{
    TPM2B_NV_PUBLIC public = public_area(handle, kind, owner, true);
    TPM2B_NAME name;
    ESYS_TR index = ESYS_TR_NONE;
    TSS2_RC rc = expected_name(tpm, &public, &name);
    if (rc == TSS2_RC_SUCCESS)
        rc = deserialize(tpm, &public, &name, &index);
    /* Another layout than that of tpm2-tss 2 to 4: then the TPM is asked. */
    if (rc != TSS2_RC_SUCCESS)
        rc = Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                   &index);
    if (rc == TSS2_RC_SUCCESS)
        *ret_index = index;
    return rc;
}

static bool same_area(const TPMS_NV_PUBLIC *found, const TPMS_NV_PUBLIC *expected)
{
    return found->nvIndex == expected->nvIndex && found->nameAlg == expected->nameAlg &&
           (found->attributes | TPMA_NV_WRITTEN) == expected->attributes &&
           found->dataSize == expected->dataSize &&
           view_equal(view_of(found->authPolicy.buffer, found->authPolicy.size),
                      view_of(expected->authPolicy.buffer, expected->authPolicy.size));
}

TSS2_RC index_find(struct tpm *tpm, uint32_t handle, enum index_kind kind,
                   const struct index_owner *owner, bool *ret_own, ESYS_TR *ret_index)
{
    TPM2B_NV_PUBLIC expected = public_area(handle, kind, owner, true);
    TPM2B_NV_PUBLIC *found = NULL;
    ESYS_TR index = ESYS_TR_NONE;
    TSS2_RC rc = index_expect(tpm, handle, kind, owner, &index);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_NV_ReadPublic(tpm->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &found,
                                NULL);
    bool own = rc == TSS2_RC_SUCCESS && same_area(&found->nvPublic, &expected.nvPublic);
    Esys_Free(found);
    if (!own)
        index_close(tpm, &index);
    if (rc != TSS2_RC_SUCCESS && !tpm_error_is(rc, TPM2_RC_HANDLE))
        return rc;
    *ret_own = own;
    *ret_index = index;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC define(struct tpm *tpm, const TPM2B_NV_PUBLIC *public, const TPM2B_AUTH *auth,
                      bool session, ESYS_TR *ret_index, const char **ret_command)
{
    *ret_command = "TPM2_NV_DefineSpace";
    TSS2_RC rc = session ? protection_use(tpm, false) : TSS2_RC_SUCCESS;
    return rc != TSS2_RC_SUCCESS
               ? rc
               : Esys_NV_DefineSpace(tpm->esys, ESYS_TR_RH_OWNER,
                                     session ? tpm->session : ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                     ESYS_TR_NONE, auth, public, ret_index);
}

TSS2_RC index_remove(struct tpm *tpm, uint32_t handle, enum index_kind kind,
                     const struct index_owner *owner, const char **ret_command)
{
    ESYS_TR index = ESYS_TR_NONE;
    bool own = false;
    *ret_command = "TPM2_NV_ReadPublic";
    TSS2_RC rc = index_find(tpm, handle, kind, owner, &own, &index);
    if (rc != TSS2_RC_SUCCESS || !own)
        return rc;
    *ret_command = "TPM2_NV_UndefineSpace";
    rc = Esys_NV_UndefineSpace(tpm->esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                               ESYS_TR_NONE);
    if (rc != TSS2_RC_SUCCESS)
        index_close(tpm, &index);
    return rc;
}

TSS2_RC index_define(struct tpm *tpm, enum index_kind kind, const struct index_owner *owner,
                     struct view auth, uint32_t avoid, bool session, uint32_t *ret_handle,
                     ESYS_TR *ret_index, const char **ret_command)
{
    unsigned count = PROBES * (kind == INDEX_PIN ? PIN_SLOTS : 1);
    TPM2B_AUTH value = {.size = (UINT16)auth.size};
    TSS2_RC rc = INDEX_RC_NO_HANDLE;
    if (auth.size)
        memcpy(value.buffer, auth.data, auth.size);
    for (unsigned i = 0; i < count; i++) {
        uint32_t handle = candidate(owner, kind, i);
        if (handle == avoid)
            continue;
        TPM2B_NV_PUBLIC public = public_area(handle, kind, owner, false);
        rc = define(tpm, &public, &value, session, ret_index, ret_command);
        if (tpm_error_is(rc, TPM2_RC_NV_DEFINED)) {
            rc = index_remove(tpm, handle, kind, owner, ret_command);
            if (rc == TSS2_RC_SUCCESS)
                rc = define(tpm, &public, &value, session, ret_index, ret_command);
        }
        if (rc == TSS2_RC_SUCCESS)
            *ret_handle = handle;
        if (!tpm_error_is(rc, TPM2_RC_NV_DEFINED))
            break;
        rc = INDEX_RC_NO_HANDLE;
    }
    explicit_bzero(&value, sizeof(value));
    return rc;
}

TSS2_RC index_remove_all(struct tpm *tpm, const struct index_owner *owner, const char **ret_command)
{
    static const enum index_kind kinds[] = {INDEX_COUNTER, INDEX_PIN};
    TSS2_RC rc = TSS2_RC_SUCCESS;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        unsigned count = PROBES * (kinds[i] == INDEX_PIN ? PIN_SLOTS : 1);
        for (unsigned j = 0; j < count && rc == TSS2_RC_SUCCESS; j++)
            rc = index_remove(tpm, candidate(owner, kinds[i], j), kinds[i], owner, ret_command);
    }
    return rc;
}

/* Both kinds hold eight bytes. */
static TSS2_RC read_data(struct tpm *tpm, ESYS_TR authority, ESYS_TR index, uint8_t data[DATA_SIZE])
{
    TPM2B_MAX_NV_BUFFER *buffer = NULL;
    TSS2_RC rc = Esys_NV_Read(tpm->esys, authority, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                              ESYS_TR_NONE, DATA_SIZE, 0, &buffer);
    if (rc == TSS2_RC_SUCCESS && buffer->size != DATA_SIZE)
        rc = (TSS2_RC)TPM2_RC_NV_RANGE;
    if (rc == TSS2_RC_SUCCESS)
        memcpy(data, buffer->buffer, DATA_SIZE);
    Esys_Free(buffer);
    return rc;
}

TSS2_RC index_read_counter(struct tpm *tpm, ESYS_TR index, uint64_t *ret_value,
                           const char **ret_command)
{
    uint64_t value;
    uint8_t data[DATA_SIZE];
    *ret_command = "TPM2_NV_Read of the seal's counter";
    TSS2_RC rc = read_data(tpm, index, index, data);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    memcpy(&value, data, sizeof(value));
    *ret_value = be64toh(value);
    return rc;
}

TSS2_RC index_write_limit(struct tpm *tpm, ESYS_TR index, uint32_t limit, const char **ret_command)
{
    TPM2B_MAX_NV_BUFFER data = {.size = DATA_SIZE};
    limit = htobe32(limit);
    memcpy(data.buffer + 4, &limit, sizeof(limit));
    *ret_command = "TPM2_NV_Write";
    return Esys_NV_Write(tpm->esys, ESYS_TR_RH_OWNER, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                         ESYS_TR_NONE, &data, 0);
}

TSS2_RC index_read_tries(struct tpm *tpm, ESYS_TR index, uint32_t *ret_failed, uint32_t *ret_limit)
{
    uint32_t values[2];
    uint8_t data[DATA_SIZE];
    TSS2_RC rc = read_data(tpm, ESYS_TR_RH_OWNER, index, data);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    memcpy(values, data, sizeof(values));
    *ret_failed = be32toh(values[0]);
    *ret_limit = be32toh(values[1]);
    return rc;
}
