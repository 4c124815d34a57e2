#include "token/key/make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

/* The TPM is named and never asked. */
static struct vault *vault_of_token(void)
{
    static struct vault *vault;
    if (!vault)
        check(vault_new("nowhere:at all", KEY_PROTECTION_AUTO, &vault) == CKR_OK);
    return vault;
}

static void check_read(enum key_origin origin, struct view text,
                       const struct key_contents *contents)
{
    struct key *key = NULL;
    struct reason reason = {0};
    CK_RV rv = key_read(vault_of_token(), origin, text, view_string("unique"), &key, &reason);
    if (rv != CKR_OK) {
        check(!key);
        check(reason.text[0] || (rv != CKR_DATA_INVALID && rv != CKR_FUNCTION_NOT_SUPPORTED));
        return;
    }
    check(contents && (contents->private_key || contents->secret_key));
    if (contents->private_key)
        check(public_key_equal(key_public(key), &contents->public_key));
    key_unref(key);
}

/* What can be read can be shown, and it is the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_contents contents = {0};
    struct reason reason = {0};
    struct view text = view_of(data, size);
    CK_RV rv = key_inspect(text, &contents, &reason);
    if (rv != CKR_OK)
        check(reason.text[0] != 0);
    check_read(KEY_OF_TOKEN, text, rv == CKR_OK ? &contents : NULL);
    check_read(KEY_DROPPED_IN, text, rv == CKR_OK ? &contents : NULL);
    if (rv == CKR_OK)
        key_contents_clear(&contents);
    return 0;
}
