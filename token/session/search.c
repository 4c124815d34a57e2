#include "token/session/search.h"

#include <stdlib.h>
#include <string.h>

#include "token/object/finder.h"
#include "token/session/writable.h"

static CK_RV take(struct search *search, const struct object *object)
{
    if (search->count == search->room) {
        size_t room = search->room ? 2 * search->room : 16;
        CK_OBJECT_HANDLE *handles = realloc(search->handles, room * sizeof(*handles));
        if (!handles)
            return CKR_HOST_MEMORY;
        search->handles = handles;
        search->room = room;
    }
    search->handles[search->count++] = object->handle;
    return CKR_OK;
}

/* Does the template ask for the value of something that its file may keep encrypted? */
static bool asks_for_values(const CK_ATTRIBUTE *template, CK_ULONG count)
{
    static const CK_OBJECT_CLASS data = CKO_DATA;
    bool value = false;
    for (CK_ULONG i = 0; i < count; i++) {
        value |= template[i].type == CKA_VALUE;
        if (template[i].type == CKA_CLASS &&
            !view_equal(view_of(template[i].pValue, template[i].ulValueLen),
                        view_of(&data, sizeof(data))))
            return false;
    }
    return value;
}

/* What cannot be read is not found; it must not hide the others. */
static CK_RV reveal_all(struct token *token)
{
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < token->object_count && rv != CKR_HOST_MEMORY; i++)
        if (object_class(token->objects[i]) == CKO_DATA)
            rv = token_reveal(token, token->objects[i]);
    return rv == CKR_HOST_MEMORY ? rv : CKR_OK;
}

static CK_RV try_object(const struct token *token, struct object *object,
                        const CK_ATTRIBUTE *template, CK_ULONG count, struct search *search)
{
    return token_shows(token, object) && object_matches(object, template, count)
               ? take(search, object)
               : CKR_OK;
}

static int by_handle(const void *a, const void *b)
{
    const CK_OBJECT_HANDLE *first = a;
    const CK_OBJECT_HANDLE *second = b;
    return *first < *second ? -1 : *first > *second;
}

/* The search's index names the candidates, if the template has anything that it knows. */
static CK_RV find_all(struct token *token, const CK_ATTRIBUTE *template, CK_ULONG count,
                      struct search *search)
{
    struct finder_hits hits = {.indexed = false};
    CK_RV rv = count ? token_index(token) : CKR_OK;
    if (rv != CKR_OK)
        return rv;
    if (token->finder)
        finder_find(token->finder, template, count, &hits);
    if (!hits.indexed) {
        for (size_t i = 0; i < token->object_count && rv == CKR_OK; i++)
            rv = try_object(token, token->objects[i], template, count, search);
        return rv;
    }
    for (size_t i = 0; i < hits.count && rv == CKR_OK; i++)
        rv = try_object(token, finder_hit(token->finder, &hits, i), template, count, search);
    if (search->count)
        qsort(search->handles, search->count, sizeof(*search->handles), by_handle);
    return rv;
}

CK_RV search_begin(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count)
{
    struct token *token = session->token;
    CK_RV rv = CKR_OK;
    if (session->search.active)
        return CKR_OPERATION_ACTIVE;
    for (CK_ULONG i = 0; i < count; i++)
        if (!template[i].pValue && template[i].ulValueLen)
            return CKR_ATTRIBUTE_VALUE_INVALID;
    if (token->writable)
        writable_load(token);
    if (token->writable && token_is_open(token) && asks_for_values(template, count))
        rv = reveal_all(token);
    if (rv != CKR_OK)
        return rv;
    struct search search = {.active = true};
    rv = find_all(token, template, count, &search);
    if (rv != CKR_OK) {
        search_end(&search);
        return rv;
    }
    session->search = search;
    return CKR_OK;
}

CK_RV search_next(struct session *session, CK_OBJECT_HANDLE *handles, CK_ULONG room,
                  CK_ULONG *ret_count)
{
    struct search *search = &session->search;
    if (!search->active)
        return CKR_OPERATION_NOT_INITIALIZED;
    CK_ULONG left = search->count - search->next;
    CK_ULONG count = room < left ? room : left;
    if (count)
        memcpy(handles, search->handles + search->next, count * sizeof(*handles));
    search->next += count;
    *ret_count = count;
    return CKR_OK;
}

void search_end(struct search *search)
{
    free(search->handles);
    *search = (struct search){0};
}
