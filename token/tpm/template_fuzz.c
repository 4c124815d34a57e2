#include <stdlib.h>

#include "token/tpm/create.h"
#include "token/tpm/public.h"
#include "token/tpm/template.h"

/* Parts of a key as an application gives them: a byte for the algorithm, then fields
 * of one byte of length each. What is accepted is a whole public area of that key. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

/* In units of `unit` bytes, so that moduli fit. The data's own length is the end. */
static struct bytes next_field(struct view *rest, size_t unit)
{
    size_t size = rest->size ? rest->data[0] * unit : 0;
    if (!rest->size)
        return (struct bytes){0};
    if (size > rest->size - 1)
        size = rest->size - 1;
    struct bytes field = {0};
    check(bytes_copy(&field, view_of(rest->data + 1, size)) == CKR_OK);
    *rest = view_of(rest->data + 1 + size, rest->size - 1 - size);
    return field;
}

static void check_import(const struct private_parts *parts, struct view auth)
{
    struct bytes public = {0}, sensitive = {0};
    struct public_key key = {0};
    struct reason reason = {0};
    TPM2B_PUBLIC area;
    if (tpm_import_structures(parts, auth, &public, &sensitive) == CKR_OK) {
        check(tpm_public_decode(bytes_view(&public), &area, &reason) == CKR_OK);
        check(tpm_public_key(&area.publicArea, &key, &reason) == CKR_OK);
        check(key.algorithm == parts->algorithm && sensitive.size > 8 && auth.size <= 32);
    } else {
        check(!public.data && !sensitive.data);
    }
    public_key_clear(&key);
    bytes_free(&public);
    bytes_free(&sensitive);
}

static void check_create(const struct private_parts *parts)
{
    struct key_spec spec = {.algorithm = parts->algorithm,
                            .bits = (unsigned)parts->modulus.size * 8,
                            .curve = parts->curve,
                            .exponent = parts->public_exponent};
    TPMT_PUBLIC area;
    if (template_of_spec(&spec, &area) == CKR_OK)
        check(area.type == TPM2_ALG_ECC || area.parameters.rsaDetail.keyBits >= 2048);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view rest = view_of(data, size);
    struct private_parts parts = {0};
    setenv("TSS2_LOG", "all+none", 0);
    if (!size)
        return 0;
    parts.algorithm = (enum key_algorithm)(data[0] % (KEY_ALGORITHM_SECRET + 1));
    rest = view_of(data + 1, size - 1);
    parts.modulus = next_field(&rest, 8);
    parts.public_exponent = next_field(&rest, 1);
    parts.prime_1 = next_field(&rest, 8);
    parts.curve = next_field(&rest, 1);
    parts.point = next_field(&rest, 1);
    parts.value = next_field(&rest, 1);
    struct bytes auth = next_field(&rest, 1);
    check_import(&parts, bytes_view(&auth));
    check_create(&parts);
    private_parts_clear(&parts);
    bytes_free(&auth);
    return 0;
}
