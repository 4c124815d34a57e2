#ifndef EMULATOR_QUERY_H
#define EMULATOR_QUERY_H

#include "emulator/backend.h"

/* What a TPM tells of itself. All return its response code; an answer that is
 * not what part 3 says is TPM2_RC_FAILURE. *ret is set on success alone. */

/* More than the memory of libtpms has room for. */
#define HANDLES_MAX 4096

struct handle_list {
    size_t count;
    uint32_t handles[HANDLES_MAX];
};

/* TPM2_GetCapability(TPM_CAP_HANDLES): all of one type from `first` on. */
uint32_t query_handles(struct tpm_backend *tpm, uint32_t first, struct handle_list *ret);

/* A TPMS_NV_PUBLIC; its policy is only told to be there. */
struct nv_public {
    uint32_t index;
    uint16_t name_algorithm;
    uint32_t attributes;
    bool has_policy;
    uint16_t size;
};

uint32_t query_nv_public(struct tpm_backend *tpm, uint32_t index, struct nv_public *ret);

/* TPM2_NV_Read of the first `size` bytes, with the index's own empty authorization. */
uint32_t query_nv(struct tpm_backend *tpm, uint32_t index, size_t size, struct blob *ret);

#endif
