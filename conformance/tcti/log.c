#include "conformance/tcti/count.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One write, so that the lines of several processes do not mix. */
void log_command(uint32_t command_code, size_t size, uint32_t response_code)
{
    const char *path = getenv("COUNT_TCTI_LOG");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    char line[64];
    int length;

    if (file < 0)
        return;
    length = snprintf(line, sizeof(line), "%08x %zu %08x\n", command_code, size, response_code);
    if (write(file, line, (size_t)length) != length)
        perror(path);
    close(file);
}
