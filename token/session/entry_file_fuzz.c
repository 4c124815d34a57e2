#include "token/session/entry_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_object(struct entry_objects *objects, struct entry_object *object)
{
    struct view unique = attributes_value(&object->attributes, CKA_UNIQUE_ID);
    check(unique.size > 0);
    check(entry_file_find(objects, unique) == object);
    check(attributes_bool(&object->attributes, CKA_TOKEN, false));
}

/* What was understood is written so that it is understood the same. */
static void check_written(const struct entry_objects *objects)
{
    static struct entry_objects back;
    struct bytes text = {0}, again = {0};
    struct reason reason = {0};
    if (entry_file_write(objects, &text) == CKR_OK) {
        check(entry_file_parse(bytes_view(&text), "n", true, &back, &reason) == CKR_OK);
        check(back.own && back.count == objects->count);
        check(entry_file_belongs(bytes_view(&text), objects->token));
        check(entry_file_write(&back, &again) == CKR_OK);
        check(view_equal(bytes_view(&text), bytes_view(&again)));
    }
    entry_objects_clear(&back);
    bytes_free(&text);
    bytes_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct entry_objects objects;
    struct reason reason = {0};
    CK_RV rv = entry_file_parse(view_of(data, size), "a name.pem", true, &objects, &reason);
    check(rv == CKR_OK || (objects.count == 0 && reason.text[0] != 0));
    check(objects.count <= ENTRY_FILE_MAX_OBJECTS);
    for (size_t i = 0; i < objects.count; i++)
        check_object(&objects, &objects.objects[i]);
    if (objects.own && objects.count)
        check_written(&objects);
    entry_objects_clear(&objects);
    return 0;
}
