#include "token/cli/place.h"

#include <stdio.h>
#include <stdlib.h>

#include "token/session/section.h"

static void free_string(char **string)
{
    free(*string);
}

const char *place_name(enum key_place place)
{
    static const char *const names[] = {
        [KEY_IN_SOFTWARE] = "a file, used by software",
        [KEY_IN_DEVICE] = "the TPM of this machine",
        [KEY_IN_SWTPM] = "an swtpm",
        [KEY_IN_EMBEDDED] = "the embedded TPM",
        [KEY_IN_OTHER_TPM] = "the TPM behind a TCTI",
    };
    return names[place];
}

void place_describe(const struct configuration *configuration, const struct config_section *section,
                    enum key_place place, char *text, size_t size)
{
    char *word CLEANUP(free_string) = NULL;
    if (place == KEY_IN_SOFTWARE || section_tpm(configuration, section, &word, NULL) != CKR_OK)
        (void)snprintf(text, size, "%s", place_name(place));
    else
        (void)snprintf(text, size, "%s (tpm = %s)%s", place_name(place), word,
                       place == KEY_IN_EMBEDDED ? ": for development and tests, as it does not "
                                                  "protect the key from its own user"
                                                : "");
}
