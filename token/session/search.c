#include "token/session/search.h"

#include <stdlib.h>
#include <string.h>

CK_RV search_begin(struct session *session, const CK_ATTRIBUTE *template, CK_ULONG count)
{
    const struct token *token = session->token;
    if (session->search.active)
        return CKR_OPERATION_ACTIVE;
    for (CK_ULONG i = 0; i < count; i++)
        if (!template[i].pValue && template[i].ulValueLen)
            return CKR_ATTRIBUTE_VALUE_INVALID;
    CK_OBJECT_HANDLE *handles = calloc(token->object_count + 1, sizeof(*handles));
    if (!handles)
        return CKR_HOST_MEMORY;
    struct search *search = &session->search;
    *search = (struct search){.active = true, .handles = handles};
    for (size_t i = 0; i < token->object_count; i++) {
        CK_OBJECT_HANDLE handle = token->objects[i]->handle;
        const struct object *object = token_object(token, handle);
        if (object && object_matches(object, template, count))
            handles[search->count++] = handle;
    }
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
