#include "token/base/key_spec.h"

void key_spec_clear(struct key_spec *spec)
{
    bytes_free(&spec->curve);
    bytes_free(&spec->exponent);
    *spec = (struct key_spec){0};
}

void private_parts_clear(struct private_parts *parts)
{
    struct bytes *const all[] = {
        &parts->modulus,    &parts->public_exponent, &parts->private_exponent,
        &parts->prime_1,    &parts->prime_2,         &parts->exponent_1,
        &parts->exponent_2, &parts->coefficient,     &parts->curve,
        &parts->point,      &parts->value,
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        bytes_free(all[i]);
    *parts = (struct private_parts){0};
}
