#include "token/store/name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "token/store/utf8.h"

#define DRAFT_END ".tmp"
#define RANDOM_DIGITS 16
#define KEPT_MAX 200 /* of the name in a draft's */

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

static bool is_left_by_an_editor(const char *name)
{
    static const char *const ends[] = {"~", ".tmp", ".bak", ".swp"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (ends_with(name, ends[i]))
            return true;
    return name[0] == '#' && ends_with(name, "#");
}

bool name_is_entry(const char *name)
{
    return *name && *name != '.' && strlen(name) <= NAME_MAX && !strchr(name, '/') &&
           !is_left_by_an_editor(name) && utf8_is_name(name);
}

CK_RV name_draft(const char *name, char ret_name[256])
{
    uint64_t random = 0;
    ssize_t got;
    do {
        got = getrandom(&random, sizeof(random), 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(random))
        return CKR_DEVICE_ERROR;
    snprintf(ret_name, 256, ".%.*s.%ld.%0*llx" DRAFT_END, KEPT_MAX, name, (long)getpid(),
             RANDOM_DIGITS, (unsigned long long)random);
    return CKR_OK;
}

/* Steps back over the characters of the set before `end`, at least one, and the dot
 * before them; NULL if that is not there. */
static const char *step_back(const char *start, const char *end, const char *set)
{
    const char *at = end;
    while (at > start && strchr(set, at[-1]))
        at--;
    return at < end && at > start && at[-1] == '.' ? at - 1 : NULL;
}

bool name_is_draft(const char *name)
{
    if (*name != '.' || !ends_with(name, DRAFT_END))
        return false;
    const char *end = name + strlen(name) - strlen(DRAFT_END);
    const char *random = step_back(name, end, "0123456789abcdef");
    if (!random || end - random != RANDOM_DIGITS + 1)
        return false;
    const char *process = step_back(name, random, "0123456789");
    return process && process > name + 1;
}
