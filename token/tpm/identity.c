#include <string.h>

#include "token/tpm/run.h"
#include "token/tpm/seal.h"

/* TPM2_PT_MANUFACTURER to TPM2_PT_FIRMWARE_VERSION_2 stand side by side. */
#define PROPERTIES (TPM2_PT_FIRMWARE_VERSION_2 - TPM2_PT_MANUFACTURER + 1)

struct properties {
    uint32_t values[PROPERTIES];
};

static TSS2_RC read_properties(struct tpm *tpm, void *request, const char **ret_command)
{
    struct properties *properties = request;
    TPMI_YES_NO more = TPM2_YES;
    *ret_command = "TPM2_GetCapability";
    /* A TPM may answer with fewer than were asked for. */
    for (uint32_t next = 0; next < PROPERTIES && more;) {
        TPMS_CAPABILITY_DATA *data = NULL;
        TSS2_RC rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        TPM2_CAP_TPM_PROPERTIES, TPM2_PT_MANUFACTURER + next,
                                        PROPERTIES - next, &more, &data);
        if (rc != TSS2_RC_SUCCESS)
            return rc;
        uint32_t before = next;
        for (uint32_t i = 0; i < data->data.tpmProperties.count; i++) {
            const TPMS_TAGGED_PROPERTY *property = &data->data.tpmProperties.tpmProperty[i];
            uint32_t index = property->property - TPM2_PT_MANUFACTURER;
            if (index < PROPERTIES)
                properties->values[index] = property->value;
            if (index < PROPERTIES && index >= next)
                next = index + 1;
        }
        Esys_Free(data);
        if (next == before)
            break;
    }
    return TSS2_RC_SUCCESS;
}

/* Printable ASCII, without the blanks and zeros that fill it up. */
static void append_text(char *text, uint32_t value)
{
    size_t size = strlen(text);
    for (int shift = 24; shift >= 0; shift -= 8) {
        char character = (char)(value >> shift & 0xff);
        text[size++] = character >= ' ' && character <= '~' ? character : ' ';
    }
}

static void trim(char *text)
{
    for (size_t size = strlen(text); size && text[size - 1] == ' '; size--)
        text[size - 1] = 0;
}

static uint8_t at_most_255(uint32_t number)
{
    return number > 255 ? 255 : (uint8_t)number;
}

CK_RV tpm_identity_read(struct tpm *tpm, struct tpm_identity *ret_identity)
{
    struct properties properties = {0};
    struct tpm_identity identity = {0};
    CK_RV rv = tpm_run(tpm, NULL, read_properties, &properties);
    if (rv != CKR_OK)
        return rv;
    append_text(identity.manufacturer, properties.values[0]);
    for (uint32_t i = TPM2_PT_VENDOR_STRING_1; i <= TPM2_PT_VENDOR_STRING_4; i++)
        append_text(identity.vendor, properties.values[i - TPM2_PT_MANUFACTURER]);
    trim(identity.manufacturer);
    trim(identity.vendor);
    memcpy(identity.firmware, properties.values + TPM2_PT_FIRMWARE_VERSION_1 - TPM2_PT_MANUFACTURER,
           sizeof(identity.firmware));
    identity.firmware_major = at_most_255(identity.firmware[0] >> 16);
    identity.firmware_minor = at_most_255(identity.firmware[0] & 0xffff);
    *ret_identity = identity;
    return CKR_OK;
}
