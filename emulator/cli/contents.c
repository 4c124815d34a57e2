#include "emulator/cli/contents.h"

#include "emulator/build.h"
#include "emulator/cli/words.h"
#include "emulator/command.h"
#include "emulator/error.h"
#include "emulator/identity/ek.h"
#include "emulator/identity/summary.h"
#include "emulator/query.h"
#include "emulator/tpm.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#define NV_FIRST 0x01000000u

static TSS2_RC failed(const char *command, uint32_t rc)
{
    error_set("%s fails with 0x%x", command, rc);
    return TSS2_TCTI_RC_GENERAL_FAILURE;
}

/* TPMS_PCR_SELECTION: how many PCRs a bank has. */
static void report_bank(struct report *report, struct answer *answer)
{
    uint16_t hash = answer_u16(answer);
    unsigned octets = answer_u8(answer), count = 0;
    char words[WORDS_MAX];

    for (unsigned i = 0; i < octets; i++)
        for (uint8_t bits = answer_u8(answer); bits; bits &= (uint8_t)(bits - 1))
            count++;
    if (answer->cut)
        return;
    report_row(report);
    report_text(report, "bank", "%s", words_algorithm(hash, words));
    report_number(report, "pcrs", count);
    report_end(report);
}

TSS2_RC contents_report_pcr_banks(struct report *report, struct tpm_backend *tpm)
{
    struct message command, response;
    struct answer answer;
    uint32_t rc, count;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability);
    build_u32(&command, TPM2_CAP_PCRS);
    build_u32(&command, 0);
    build_u32(&command, 1);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return failed("TPM2_GetCapability", rc);
    answer = answer_from(&response, HEADER_SIZE + 5);
    count = answer_u32(&answer);
    report_list(report, "pcr_banks");
    for (uint32_t i = 0; i < count && !answer.cut; i++)
        report_bank(report, &answer);
    report_end(report);
    return answer.cut ? failed("TPM2_GetCapability", TPM2_RC_FAILURE) : TSS2_RC_SUCCESS;
}

/* What follows the policy in a TPMT_PUBLIC, as "RSA 2048" or "ECC NIST P-256". */
static void report_type(struct report *report, uint16_t type, struct answer *area)
{
    uint16_t size_or_curve;
    char words[WORDS_MAX];

    if (type != TPM2_ALG_RSA && type != TPM2_ALG_ECC) {
        report_text(report, "type", "%s", words_algorithm(type, words));
        return;
    }
    if (answer_u16(area) != TPM2_ALG_NULL) /* symmetric */
        (void)answer_bytes(area, 4);
    switch (answer_u16(area)) { /* scheme */
    case TPM2_ALG_NULL:
    case TPM2_ALG_RSAES:
        break;
    case TPM2_ALG_ECDAA:
        (void)answer_bytes(area, 4);
        break;
    default:
        (void)answer_u16(area);
    }
    size_or_curve = answer_u16(area);
    if (type == TPM2_ALG_RSA)
        report_text(report, "type", "RSA %u", size_or_curve);
    else
        report_text(report, "type", "ECC %s", words_curve(size_or_curve, words));
}

static TSS2_RC report_key(struct report *report, struct tpm_backend *tpm, uint32_t handle)
{
    struct message command, response;
    struct answer answer, area;
    char words[WORDS_MAX];
    uint32_t rc, attributes;
    uint16_t type;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadPublic);
    build_u32(&command, handle);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS)
        return failed("TPM2_ReadPublic", rc);
    answer = answer_from(&response, HEADER_SIZE);
    area = answer_2b(&answer);
    type = answer_u16(&area);
    (void)answer_u16(&area);
    attributes = answer_u32(&area);
    (void)answer_2b(&area);
    report_row(report);
    report_text(report, "handle", "0x%08x", handle);
    report_type(report, type, &area);
    report_words(report, "attributes", words_object_attributes(attributes, words));
    report_end(report);
    return area.cut ? failed("TPM2_ReadPublic", TPM2_RC_FAILURE) : TSS2_RC_SUCCESS;
}

static TSS2_RC report_index(struct report *report, struct tpm_backend *tpm, uint32_t index)
{
    struct nv_public public;
    char words[WORDS_MAX];
    uint32_t rc = query_nv_public(tpm, index, &public);

    if (rc != TPM2_RC_SUCCESS)
        return failed("TPM2_NV_ReadPublic", rc);
    report_row(report);
    report_text(report, "index", "0x%08x", index);
    report_number(report, "size", public.size);
    report_words(report, "attributes", words_nv_attributes(public.attributes, words));
    if (public.has_policy)
        report_flag(report, "policy", true);
    report_end(report);
    return TSS2_RC_SUCCESS;
}

typedef TSS2_RC (*handle_reporter)(struct report *report, struct tpm_backend *tpm, uint32_t handle);

static TSS2_RC report_handles(struct report *report, struct tpm_backend *tpm, const char *key,
                              uint32_t first, handle_reporter report_one)
{
    struct handle_list list;
    uint32_t answer = query_handles(tpm, first, &list);
    TSS2_RC rc = TSS2_RC_SUCCESS;

    if (answer != TPM2_RC_SUCCESS)
        return failed("TPM2_GetCapability", answer);
    report_list(report, key);
    for (size_t i = 0; rc == TSS2_RC_SUCCESS && i < list.count; i++)
        rc = report_one(report, tpm, list.handles[i]);
    report_end(report);
    return rc;
}

TSS2_RC contents_report_persistent(struct report *report, struct tpm_backend *tpm)
{
    return report_handles(report, tpm, "persistent_keys", PERSISTENT_FIRST, report_key);
}

TSS2_RC contents_report_nv(struct report *report, struct tpm_backend *tpm)
{
    return report_handles(report, tpm, "nv_indexes", NV_FIRST, report_index);
}

static void report_certificate(struct report *report, struct tpm_backend *tpm, uint32_t index)
{
    BLOB_SCOPE struct blob certificate = {NULL, 0};
    struct certificate_summary summary;
    struct nv_public public;

    if (query_nv_public(tpm, index, &public) != TPM2_RC_SUCCESS ||
        !(public.attributes & TPMA_NV_WRITTEN))
        return;
    report_group(report, NULL);
    report_text(report, "index", "0x%08x", index);
    if (query_nv(tpm, index, public.size, &certificate) != TPM2_RC_SUCCESS) {
        report_text(report, "error", "not to be read without an authorisation");
    } else if (!certificate_summarise(&certificate, &summary)) {
        report_text(report, "error", "not a certificate");
    } else {
        report_text(report, "key", "%s", summary.key);
        report_text(report, "subject", "%s", summary.subject);
        report_text(report, "issuer", "%s", summary.issuer);
        report_text(report, "serial", "%s", summary.serial);
        report_text(report, "sha256", "%s", summary.fingerprint);
    }
    report_end(report);
}

TSS2_RC contents_report_certificates(struct report *report, struct tpm_backend *tpm)
{
    static const uint32_t indexes[] = {EK_RSA_INDEX, EK_ECC_INDEX};

    report_list(report, "endorsement_certificates");
    for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++)
        report_certificate(report, tpm, indexes[i]);
    report_end(report);
    return TSS2_RC_SUCCESS;
}
