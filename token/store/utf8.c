#include "token/store/utf8.h"

/* Bytes of the character that begins the text, and the character; 0 if it is none.
 * Overlong forms, surrogates and what is beyond U+10FFFF are none. */
static size_t take_character(struct view text, uint32_t *ret_character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size == 0 || first > 0xf4 || size > text.size)
        return 0;
    uint32_t character = size == 1 ? first : first & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text.data[i] & 0x3f);
    }
    if (character < least[size] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *ret_character = character;
    return size;
}

static bool is_clean(struct view text, bool with_tabs)
{
    while (text.size) {
        uint32_t c = 0;
        size_t size = take_character(text, &c);
        bool control = c < ' ' ? c != '\t' || !with_tabs : c >= 0x7f && c < 0xa0;
        if (size == 0 || control)
            return false;
        text = view_of(text.data + size, text.size - size);
    }
    return true;
}

bool utf8_is_line(struct view text)
{
    return is_clean(text, true);
}

bool utf8_is_name(const char *name)
{
    return is_clean(view_string(name), false);
}
