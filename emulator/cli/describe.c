#include "emulator/cli/cli.h"

#include "emulator/build.h"
#include "emulator/cli/contents.h"
#include "emulator/cli/report.h"
#include "emulator/cli/snapshot.h"
#include "emulator/command.h"
#include "emulator/error.h"
#include "emulator/identity/vendor.h"
#include "emulator/libtpms.h"
#include "emulator/query.h"
#include "emulator/swtpm_file.h"
#include "emulator/tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <tss2/tss2_tpm2_types.h>

/* A copy of the TPM is asked, so that all is of one moment, and the TPM itself
 * notices nothing. */

/* What it lacks counts as 0, and a copy that runs answers this. */
static uint32_t property(struct tpm_backend *tpm, uint32_t which)
{
    uint32_t value = 0;

    (void)tpm_read_property(tpm, which, &value);
    return value;
}

/* Four letters to a property; blanks and zeros at the end do not count. */
static void spell(struct tpm_backend *tpm, uint32_t first, unsigned count, char ret[17])
{
    size_t length = 0;

    for (unsigned i = 0; i < count; i++) {
        uint8_t letters[4];

        put_u32(letters, property(tpm, first + i));
        memcpy(ret + 4 * (size_t)i, letters, sizeof(letters));
    }
    for (size_t i = 0; i < 4 * (size_t)count; i++)
        if (ret[i] != '\0' && (ret[i] != ' ' || (length > 0 && ret[length - 1] != ' ')))
            ret[length++] = ret[i];
    while (length > 0 && ret[length - 1] == ' ')
        length--;
    ret[length] = '\0';
}

static void report_last_write(struct report *report, const char *path)
{
    char file[PATH_MAX + 32], text[64] = "";
    struct stat status;
    struct tm parts;

    (void)snprintf(file, sizeof(file), "%s/%s", path, SWTPM_PERMANENT_FILE);
    if (stat(file, &status) != 0 || !gmtime_r(&status.st_mtime, &parts))
        return;
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    report_text(report, "last_state_write", "%s", text);
    report_number(report, "state_bytes", (uint64_t)status.st_size);
}

static void report_identity(struct report *report, struct tpm_backend *tpm)
{
    uint32_t version = libtpms_version(tpm);
    uint32_t revision = property(tpm, TPM2_PT_REVISION);
    char name[17];

    report_text(report, "libtpms", "%u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
    spell(tpm, TPM2_PT_MANUFACTURER, 1, name);
    report_text(report, "manufacturer", "%s", name);
    report_text(report, "vendor_string", "%s", VENDOR_NAME);
    spell(tpm, TPM2_PT_FAMILY_INDICATOR, 1, name);
    report_text(report, "specification", "%s level %u revision %u.%02u", name,
                property(tpm, TPM2_PT_LEVEL), revision / 100, revision % 100);
    report_text(report, "firmware", "0x%08x 0x%08x", property(tpm, TPM2_PT_FIRMWARE_VERSION_1),
                property(tpm, TPM2_PT_FIRMWARE_VERSION_2));
}

/* TPM2_ReadClock: a TPMS_TIME_INFO */
static TSS2_RC report_time(struct report *report, struct tpm_backend *tpm)
{
    struct message command, response;
    struct answer answer;
    uint32_t rc;

    build_begin(&command, TPM2_ST_NO_SESSIONS, TPM2_CC_ReadClock);
    rc = tpm_run(tpm, &command, &response);
    if (rc != TPM2_RC_SUCCESS || response.size < HEADER_SIZE + 25) {
        error_set("TPM2_ReadClock fails with 0x%x", rc);
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    answer = answer_from(&response, HEADER_SIZE);
    report_group(report, "time");
    report_span(report, "since_startup", answer_u64(&answer));
    report_span(report, "clock", answer_u64(&answer));
    report_number(report, "resets", answer_u32(&answer));
    report_number(report, "restarts", answer_u32(&answer));
    report_flag(report, "clock_is_safe", answer_u8(&answer) != 0);
    report_end(report);
    return TSS2_RC_SUCCESS;
}

static void report_hierarchies(struct report *report, struct tpm_backend *tpm)
{
    uint32_t startup = property(tpm, TPM2_PT_STARTUP_CLEAR);
    uint32_t permanent = property(tpm, TPM2_PT_PERMANENT);

    report_group(report, "hierarchies");
    report_flag(report, "owner_enabled", startup & TPMA_STARTUP_CLEAR_SHENABLE);
    report_flag(report, "owner_authorisation_set", permanent & TPMA_PERMANENT_OWNERAUTHSET);
    report_flag(report, "endorsement_enabled", startup & TPMA_STARTUP_CLEAR_EHENABLE);
    report_flag(report, "endorsement_authorisation_set",
                permanent & TPMA_PERMANENT_ENDORSEMENTAUTHSET);
    report_flag(report, "platform_enabled", startup & TPMA_STARTUP_CLEAR_PHENABLE);
    report_flag(report, "platform_nv_enabled", startup & TPMA_STARTUP_CLEAR_PHENABLENV);
    report_flag(report, "lockout_authorisation_set", permanent & TPMA_PERMANENT_LOCKOUTAUTHSET);
    report_flag(report, "clear_disabled", permanent & TPMA_PERMANENT_DISABLECLEAR);
    report_end(report);
}

static void report_lockout(struct report *report, struct tpm_backend *tpm)
{
    report_group(report, "lockout");
    report_flag(report, "locked", property(tpm, TPM2_PT_PERMANENT) & TPMA_PERMANENT_INLOCKOUT);
    report_number(report, "failed_tries", property(tpm, TPM2_PT_LOCKOUT_COUNTER));
    report_number(report, "tries_allowed", property(tpm, TPM2_PT_MAX_AUTH_FAIL));
    report_number(report, "seconds_until_a_try_is_back", property(tpm, TPM2_PT_LOCKOUT_INTERVAL));
    report_number(report, "seconds_of_lockout_recovery", property(tpm, TPM2_PT_LOCKOUT_RECOVERY));
    report_end(report);
}

static void report_room(struct report *report, struct tpm_backend *tpm)
{
    report_group(report, "room_left");
    report_number(report, "persistent_keys", property(tpm, TPM2_PT_HR_PERSISTENT_AVAIL));
    report_number(report, "nv_counters", property(tpm, TPM2_PT_NV_COUNTERS_AVAIL));
    report_number(report, "bytes_of_one_nv_index", property(tpm, TPM2_PT_NV_INDEX_MAX));
    report_number(report, "loaded_sessions", property(tpm, TPM2_PT_HR_LOADED_AVAIL));
    report_number(report, "active_sessions", property(tpm, TPM2_PT_HR_ACTIVE_AVAIL));
    report_end(report);
}

/* As clients see them: also those that were saved to make room. */
static unsigned count_sessions(const struct tpm_state *state)
{
    unsigned count = 0;

    for (size_t i = 0; i < SESSIONS_MAX; i++)
        count += state->sessions[i].handle != 0;
    return count;
}

static TSS2_RC report_all(struct report *report, const char *path, const struct snapshot *snapshot,
                          struct tpm_backend *tpm)
{
    TSS2_RC rc;

    report_text(report, "directory", "%s", path);
    report_identity(report, tpm);
    report_number(report, "other_users", snapshot->others);
    report_number(report, "sessions_loaded", count_sessions(&snapshot->state));
    report_number(report, "sessions_active", property(tpm, TPM2_PT_HR_ACTIVE));
    report_last_write(report, path);
    rc = report_time(report, tpm);
    report_hierarchies(report, tpm);
    report_lockout(report, tpm);
    if (rc == TSS2_RC_SUCCESS)
        rc = contents_report_pcr_banks(report, tpm);
    if (rc == TSS2_RC_SUCCESS)
        rc = contents_report_persistent(report, tpm);
    if (rc == TSS2_RC_SUCCESS)
        rc = contents_report_nv(report, tpm);
    report_room(report, tpm);
    return rc == TSS2_RC_SUCCESS ? contents_report_certificates(report, tpm) : rc;
}

/* Into memory first: on failure nothing but the one line is printed. */
static TSS2_RC describe(const char *path, bool json, char **ret)
{
    SNAPSHOT_SCOPE struct snapshot snapshot = {.others = 0};
    SCRATCH_SCOPE struct tpm_backend *tpm = NULL;
    struct report report;
    size_t size = 0;
    FILE *out;
    TSS2_RC rc = snapshot_take(path, &snapshot);

    if (rc == TSS2_RC_SUCCESS)
        rc = scratch_resume(&snapshot.state, &tpm);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    out = open_memstream(ret, &size);
    if (!out)
        return TSS2_TCTI_RC_MEMORY;
    report_open(&report, out, json);
    rc = report_all(&report, path, &snapshot, tpm);
    report_close(&report);
    return fclose(out) == 0 ? rc : TSS2_TCTI_RC_MEMORY;
}

static void free_text(char **text)
{
    free(*text);
}

enum cli_status describe_run(const struct cli_command *command, int argc, char **argv)
{
    __attribute__((cleanup(free_text))) char *text = NULL;
    bool json = false;
    const struct cli_option options[] = {{"json", &json, NULL}, {NULL, NULL, NULL}};
    struct cli_operands operands;
    char path[PATH_MAX];
    enum cli_status status = cli_parse(command, argc, argv, options, 0, 1, &operands);

    if (status != CLI_DONE)
        return status;
    if (cli_directory(&operands, 0, path) != TSS2_RC_SUCCESS ||
        describe(path, json, &text) != TSS2_RC_SUCCESS)
        return cli_failed();
    (void)fputs(text, stdout);
    return CLI_DONE;
}
