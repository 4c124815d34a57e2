#include <stdlib.h>
#include <string.h>

#include "token/session/configuration.h"

/* The string of C_Initialize. No file is read or written: a string that names one
 * is left out, the log is off, and the environment names a device. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_configuration(const struct configuration *configuration)
{
    check(configuration->config.section_count >= 1);
    for (size_t i = 0; i < configuration->config.section_count; i++) {
        const struct config_section *section = &configuration->config.sections[i];
        const char *tpm = configuration_value(configuration, section, "tpm");
        check(!tpm || strlen(tpm) <= CONFIG_MAX_LINE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct configuration configuration = {0};
    setenv("SIGNET_CONF", "/dev/null", 1);
    setenv("SIGNET_LOG_LEVEL", "off", 1);
    char *string = calloc(1, size + 1);
    if (!string)
        return 0;
    if (size)
        memcpy(string, data, size);
    if (!strstr(string, "conf=")) {
        CK_RV rv = configuration_open(string, &configuration);
        check(rv == CKR_OK || rv == CKR_ARGUMENTS_BAD || rv == CKR_HOST_MEMORY);
        if (rv == CKR_OK)
            check_configuration(&configuration);
        configuration_clear(&configuration);
    }
    free(string);
    return 0;
}
