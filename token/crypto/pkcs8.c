#include "token/crypto/der.h"
#include "token/crypto/key.h"

#define PKCS8_MAX_SIZE (64 * 1024)

static const uint8_t zero[] = {0}, one[] = {1};

static CK_RV wrap(unsigned tag, struct bytes *content)
{
    CLEANUP(bytes_free) struct bytes whole = {0};
    CK_RV rv = der_append(&whole, tag, bytes_view(content));
    if (rv != CKR_OK)
        return rv;
    bytes_free(content);
    *content = whole;
    whole = (struct bytes){0};
    return CKR_OK;
}

/* RSAPrivateKey (RFC 8017, A.1.2) */
static CK_RV append_rsa(const struct private_parts *parts, struct bytes *out)
{
    const struct view numbers[] = {
        view_of(zero, sizeof(zero)),         bytes_view(&parts->modulus),
        bytes_view(&parts->public_exponent), bytes_view(&parts->private_exponent),
        bytes_view(&parts->prime_1),         bytes_view(&parts->prime_2),
        bytes_view(&parts->exponent_1),      bytes_view(&parts->exponent_2),
        bytes_view(&parts->coefficient),
    };
    CK_RV rv = CKR_OK;
    for (size_t i = 0; rv == CKR_OK && i < ARRAY_SIZE(numbers); i++)
        rv = der_append_unsigned(out, numbers[i]);
    return rv == CKR_OK ? wrap(DER_SEQUENCE, out) : rv;
}

/* ECPrivateKey (RFC 5915, 3) without the curve, which PKCS #8 has already. */
static CK_RV append_ec(const struct private_parts *parts, struct bytes *out)
{
    CLEANUP(bytes_free) struct bytes point = {0};
    CK_RV rv = bytes_append(&point, view_of(zero, sizeof(zero)), PKCS8_MAX_SIZE);
    if (rv == CKR_OK)
        rv = bytes_append(&point, bytes_view(&parts->point), PKCS8_MAX_SIZE);
    if (rv == CKR_OK)
        rv = wrap(DER_BIT_STRING, &point);
    if (rv == CKR_OK)
        rv = der_append_unsigned(out, view_of(one, sizeof(one)));
    if (rv == CKR_OK)
        rv = der_append(out, DER_OCTET_STRING, bytes_view(&parts->value));
    if (rv == CKR_OK)
        rv = der_append(out, DER_CONTEXT(1), bytes_view(&point));
    return rv == CKR_OK ? wrap(DER_SEQUENCE, out) : rv;
}

static CK_RV append_secret(const struct private_parts *parts, struct bytes *out)
{
    switch (parts->algorithm) {
    case KEY_ALGORITHM_RSA:
        return append_rsa(parts, out);
    case KEY_ALGORITHM_EC:
        return append_ec(parts, out);
    default: /* CurvePrivateKey (RFC 8410, 7) */
        return der_append(out, DER_OCTET_STRING, bytes_view(&parts->value));
    }
}

/* The public key has the same AlgorithmIdentifier. */
static CK_RV append_algorithm(const struct public_key *key, struct bytes *out)
{
    struct view inner;
    struct der algorithm;
    if (!der_only(bytes_view(&key->spki), DER_SEQUENCE, &inner) || !der_next(&inner, &algorithm))
        return CKR_FUNCTION_FAILED;
    return bytes_append(out, algorithm.whole, PKCS8_MAX_SIZE);
}

CK_RV crypto_key_to_pkcs8(const struct crypto_key *key, struct bytes *ret_der)
{
    CLEANUP(private_parts_clear) struct private_parts parts = {0};
    CLEANUP(bytes_free) struct bytes secret = {0};
    CLEANUP(bytes_free) struct bytes der = {0};
    CK_RV rv = crypto_key_to_parts(key, &parts);
    if (rv == CKR_OK)
        rv = append_secret(&parts, &secret);
    if (rv == CKR_OK)
        rv = der_append_unsigned(&der, view_of(zero, sizeof(zero)));
    if (rv == CKR_OK)
        rv = append_algorithm(&key->public, &der);
    if (rv == CKR_OK)
        rv = der_append(&der, DER_OCTET_STRING, bytes_view(&secret));
    if (rv == CKR_OK)
        rv = wrap(DER_SEQUENCE, &der);
    if (rv != CKR_OK)
        return rv;
    *ret_der = der;
    der = (struct bytes){0};
    return CKR_OK;
}
