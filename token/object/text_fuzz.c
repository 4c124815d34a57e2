#include <stdlib.h>
#include <string.h>

#include "token/object/schema_table.h"
#include "token/object/text.h"

/* `name = text`: what is understood is written and read back the same. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void write_and_read(CK_ATTRIBUTE_TYPE type, const struct bytes *value)
{
    struct bytes text = {0}, back = {0};
    CK_RV rv = attribute_to_text(type, bytes_view(value), &text);
    check(rv == CKR_OK);
    check(!memchr(text.data, '\n', text.size) && !memchr(text.data, 0, text.size));
    check(attribute_from_text(type, bytes_view(&text), &back, NULL) == CKR_OK);
    check(view_equal(bytes_view(&back), bytes_view(value)));
    bytes_free(&text);
    bytes_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *sign = size ? memchr(data, '=', size) : NULL;
    if (!sign)
        return 0;
    struct view name = view_of(data, (size_t)(sign - data));
    struct view text = view_of(sign + 1, size - name.size - 1);
    struct bytes value = {0};
    struct reason reason = {0};
    CK_ATTRIBUTE_TYPE type = attribute_of_name(name);
    (void)class_of_name(name);
    if (attribute_from_text(type, text, &value, &reason) == CKR_OK)
        write_and_read(type, &value);
    else
        check(reason.text[0] != 0);
    bytes_free(&value);
    return 0;
}
