#include "emulator/names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What has a name is found by it; a text is a name or a number, or is left. */
static void check_code(uint32_t code)
{
    const char *name = command_name(code);
    char text[RESPONSE_CODE_TEXT_MAX];
    uint32_t found;

    if (name && (!command_from_name(name, &found) || found != code))
        abort();
    name = response_code_name(code);
    if (name && !response_code_from_name(name, &found))
        abort();
    memset(text, 'x', sizeof(text));
    response_code_describe(code, text, sizeof(text));
    if (!memchr(text, '\0', sizeof(text) - 1) || (name && strncmp(text, name, strlen(name)) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    uint32_t code = 0xa5a5a5a5;

    if (!text)
        return 0;
    memcpy(text, data, size);
    if (!command_from_name(text, &code) && code != 0xa5a5a5a5)
        abort();
    check_code(code);
    (void)response_code_from_name(text, &code);
    check_code(code);
    if (size >= sizeof(code)) {
        memcpy(&code, data, sizeof(code));
        check_code(code);
    }
    free(text);
    return 0;
}
