#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token/tpm/tpm.h"

/* tpm2-tss has no call for this, it reads its environment only. setenv() may
 * move the array under the feet of another thread's getenv(); so a longer copy
 * is put in its place with one store, and the old array is never freed. */
void tpm_quiet(void)
{
    static char quiet[] = "TSS2_LOG=all+none";
    if (secure_getenv("TSS2_LOG"))
        return;
    size_t count = 0;
    while (environ && environ[count])
        count++;
    char **copy = calloc(count + 2, sizeof(*copy));
    if (!copy)
        return;
    /* In front: getenv() finds the first, and a set-uid host's caller may have set it. */
    if (count)
        memcpy(copy + 1, environ, count * sizeof(*copy));
    /* Not the static array itself: the module may be unloaded before the process ends. */
    copy[0] = strdup(quiet);
    if (!copy[0]) {
        free(copy);
        return;
    }
    __atomic_store_n(&environ, copy, __ATOMIC_RELEASE);
}
