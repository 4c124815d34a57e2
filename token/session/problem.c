#include "token/session/problem.h"

#include <stdlib.h>
#include <string.h>

static struct problem *find(const struct problems *problems, const char *file)
{
    for (size_t i = 0; i < problems->count; i++) {
        const char *other = problems->list[i].file;
        if (file && other ? strcmp(file, other) == 0 : file == other)
            return &problems->list[i];
    }
    return NULL;
}

static struct problem *append(struct problems *problems, const char *file)
{
    if (problems->count >= PROBLEMS_MAX)
        return NULL;
    struct problem *list = realloc(problems->list, (problems->count + 1) * sizeof(*list));
    if (!list)
        return NULL;
    problems->list = list;
    char *copy = file ? strdup(file) : NULL;
    if (file && !copy)
        return NULL;
    struct problem *problem = &list[problems->count++];
    problem->file = copy;
    return problem;
}

void problems_add(struct problems *problems, const char *file, const struct reason *reason)
{
    struct problem *problem = find(problems, file);
    if (!problem)
        problem = append(problems, file);
    if (problem)
        problem->reason = *reason;
    else
        problems->dropped++;
}

void problems_remove(struct problems *problems, const char *file)
{
    struct problem *problem = find(problems, file);
    if (!problem)
        return;
    free(problem->file);
    size_t behind = (size_t)(problems->list + problems->count - (problem + 1));
    memmove(problem, problem + 1, behind * sizeof(*problem));
    problems->count--;
}

void problems_clear(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->list[i].file);
    free(problems->list);
    *problems = (struct problems){0};
}
