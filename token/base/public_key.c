#include "token/base/public_key.h"

bool public_key_equal(const struct public_key *a, const struct public_key *b)
{
    if (a->algorithm != b->algorithm)
        return false;
    return view_equal(bytes_view(&a->modulus), bytes_view(&b->modulus)) &&
           view_equal(bytes_view(&a->exponent), bytes_view(&b->exponent)) &&
           view_equal(bytes_view(&a->curve), bytes_view(&b->curve)) &&
           view_equal(bytes_view(&a->point), bytes_view(&b->point));
}

CK_RV public_key_copy(struct public_key *key, const struct public_key *from)
{
    struct public_key copy = {.algorithm = from->algorithm, .bits = from->bits};
    const struct {
        struct bytes *to;
        const struct bytes *from;
    } parts[] = {
        {&copy.modulus, &from->modulus}, {&copy.exponent, &from->exponent},
        {&copy.curve, &from->curve},     {&copy.point, &from->point},
        {&copy.spki, &from->spki},
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        CK_RV rv = bytes_copy(parts[i].to, bytes_view(parts[i].from));
        if (rv != CKR_OK) {
            public_key_clear(&copy);
            return rv;
        }
    }
    public_key_clear(key);
    *key = copy;
    return CKR_OK;
}

void public_key_clear(struct public_key *key)
{
    if (!key)
        return;
    bytes_free(&key->modulus);
    bytes_free(&key->exponent);
    bytes_free(&key->curve);
    bytes_free(&key->point);
    bytes_free(&key->spki);
    *key = (struct public_key){0};
}

void certificate_clear(struct certificate *certificate)
{
    if (!certificate)
        return;
    bytes_free(&certificate->der);
    bytes_free(&certificate->subject);
    bytes_free(&certificate->issuer);
    bytes_free(&certificate->serial);
    bytes_free(&certificate->common_name);
    public_key_clear(&certificate->public_key);
    *certificate = (struct certificate){0};
}

size_t public_key_coordinate_size(const struct public_key *key)
{
    return key->algorithm == KEY_ALGORITHM_EC ? (key->bits + 7) / 8 : 0;
}

size_t public_key_block_size(const struct public_key *key)
{
    if (key->algorithm == KEY_ALGORITHM_EC)
        return 2 * public_key_coordinate_size(key);
    if (key->algorithm == KEY_ALGORITHM_EDWARDS)
        return 2 * (key->bits / 8 + 1);
    return key->modulus.size;
}
