#include "token/session/token_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

/* What was understood is written so that it is understood the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct token_file file = {0}, back = {0};
    struct bytes text = {0}, again = {0};
    struct reason reason = {0};
    if (token_file_parse(view_of(data, size), &file, &reason) != CKR_OK) {
        check(reason.text[0] != 0);
        return 0;
    }
    check(file.label.size <= TOKEN_LABEL_SIZE);
    if (token_file_write(&file, &text) == CKR_OK) {
        check(token_file_parse(bytes_view(&text), &back, &reason) == CKR_OK);
        check(token_file_write(&back, &again) == CKR_OK);
        check(view_equal(bytes_view(&text), bytes_view(&again)));
    }
    token_file_clear(&file);
    token_file_clear(&back);
    bytes_free(&text);
    bytes_free(&again);
    return 0;
}
