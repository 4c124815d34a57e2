#include <string.h>

#include "token/base/key_spec.h"
#include "token/base/public_key.h"
#include "token/crypto/digest.h"
#include "token/crypto/mac.h"
#include "token/crypto/openssl.h"
#include "token/crypto/private.h"
#include "token/crypto/public.h"

#define SEED_SIZE 32
#define SYMMETRIC_KEY_SIZE 16
#define COORDINATE_SIZE 32
#define SENSITIVE_MAX_SIZE 4096
#define STRUCTURE_MAX_SIZE 8192

/* Labels of the key derivations go with their NUL. */
static struct view label(const char *text)
{
    return view_of(text, strlen(text) + 1);
}

static CK_RV append(struct bytes *out, struct view more)
{
    return bytes_append(out, more, STRUCTURE_MAX_SIZE);
}

static CK_RV append_number(struct bytes *out, uint32_t number, size_t size)
{
    const uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                             (uint8_t)(number >> 8), (uint8_t)number};
    return append(out, view_of(bytes + sizeof(bytes) - size, size));
}

/* A TPM2B: the size in two bytes, then the content. */
static CK_RV append_sized(struct bytes *out, struct view content)
{
    CK_RV rv = append_number(out, (uint32_t)content.size, 2);
    return rv == CKR_OK ? append(out, content) : rv;
}

/* KDFa with SHA-256 and one block (11.4.10.2); contextV is always empty here. */
static CK_RV kdfa(struct view key, const char *use, struct view context, size_t size,
                  uint8_t out[HASH_MAX_SIZE])
{
    CLEANUP(bytes_free) struct bytes input = {0};
    CK_RV rv = append_number(&input, 1, 4);
    if (rv == CKR_OK)
        rv = append(&input, label(use));
    if (rv == CKR_OK)
        rv = append(&input, context);
    if (rv == CKR_OK)
        rv = append_number(&input, (uint32_t)size * 8, 4);
    return rv == CKR_OK ? crypto_hmac(HASH_SHA256, key, bytes_view(&input), out) : rv;
}

/* KDFe with SHA-256 and one block (11.4.10.3). */
static CK_RV kdfe(struct view secret, const char *use, struct view party_u, struct view party_v,
                  uint8_t out[HASH_MAX_SIZE])
{
    CLEANUP(bytes_free) struct bytes input = {0};
    CK_RV rv = append_number(&input, 1, 4);
    if (rv == CKR_OK)
        rv = append(&input, secret);
    if (rv == CKR_OK)
        rv = append(&input, label(use));
    if (rv == CKR_OK)
        rv = append(&input, party_u);
    if (rv == CKR_OK)
        rv = append(&input, party_v);
    return rv == CKR_OK ? crypto_hash(HASH_SHA256, bytes_view(&input), out) : rv;
}

static struct view x_of(const struct public_key *key)
{
    return view_of(key->point.data + 1, COORDINATE_SIZE);
}

/* TPM2B_ENCRYPTED_SECRET { TPMS_ECC_POINT } */
static CK_RV write_point(const struct public_key *key, struct bytes *out)
{
    CLEANUP(bytes_free) struct bytes point = {0};
    CK_RV rv = append_sized(&point, x_of(key));
    if (rv == CKR_OK)
        rv = append_sized(&point, view_of(x_of(key).data + COORDINATE_SIZE, COORDINATE_SIZE));
    return rv == CKR_OK ? append_sized(out, bytes_view(&point)) : rv;
}

static CK_RV make_ephemeral(const struct public_key *parent, struct crypto_key **ret_key)
{
    CLEANUP(key_spec_clear) struct key_spec spec = {.algorithm = KEY_ALGORITHM_EC};
    CK_RV rv = bytes_copy(&spec.curve, bytes_view(&parent->curve));
    return rv == CKR_OK ? crypto_key_generate(&spec, ret_key) : rv;
}

static void key_cleanup(struct crypto_key **key)
{
    crypto_key_free(*key);
}

/* Part 1, C.6.3: a point takes the seed to the parent. */
static CK_RV share_by_point(const struct public_key *parent, uint8_t seed[HASH_MAX_SIZE],
                            struct bytes *secret)
{
    CLEANUP(key_cleanup) struct crypto_key *ephemeral = NULL;
    CLEANUP(public_key_clear) struct public_key public = {0};
    CLEANUP(bytes_free) struct bytes shared = {0};
    if (parent->bits != 8 * COORDINATE_SIZE || parent->point.size != 1 + 2 * COORDINATE_SIZE)
        return CKR_KEY_TYPE_INCONSISTENT;
    CK_RV rv = make_ephemeral(parent, &ephemeral);
    if (rv == CKR_OK)
        rv = crypto_key_public(ephemeral, &public);
    if (rv == CKR_OK)
        rv = crypto_key_derive(ephemeral, bytes_view(&parent->point), &shared);
    if (rv == CKR_OK)
        rv = kdfe(bytes_view(&shared), "DUPLICATE", x_of(&public), x_of(parent), seed);
    return rv == CKR_OK ? write_point(&public, secret) : rv;
}

/* Part 1, B.10.3: OAEP does. */
static CK_RV share_by_oaep(const struct public_key *parent, uint8_t seed[HASH_MAX_SIZE],
                           struct bytes *secret)
{
    const struct scheme oaep = {.kind = SCHEME_RSA_OAEP,
                                .hash = HASH_SHA256,
                                .mgf_hash = HASH_SHA256,
                                .label = label("DUPLICATE")};
    CLEANUP(bytes_free) struct bytes cipher = {0};
    CK_RV rv = crypto_random(seed, SEED_SIZE);
    if (rv == CKR_OK)
        rv = crypto_encrypt(parent, &oaep, view_of(seed, SEED_SIZE), &cipher);
    return rv == CKR_OK ? append_sized(secret, bytes_view(&cipher)) : rv;
}

/* AES-128-CFB with an IV of zeros, in place. */
static CK_RV encrypt(struct view key, struct bytes *data)
{
    static const uint8_t iv[16];
    int size = 0, rest = 0;
    CLEANUP(EVP_CIPHER_drop)
    EVP_CIPHER *method = EVP_CIPHER_fetch(crypto_context(), "AES-128-CFB", NULL);
    CLEANUP(EVP_CIPHER_CTX_drop) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!method || !context)
        return CKR_HOST_MEMORY;
    if (EVP_EncryptInit_ex2(context, method, key.data, iv, NULL) != 1 ||
        EVP_EncryptUpdate(context, data->data, &size, data->data, (int)data->size) != 1 ||
        EVP_EncryptFinal_ex(context, data->data + size, &rest) != 1)
        return CKR_FUNCTION_FAILED;
    return CKR_OK;
}

/* Part 1, 23.3.2: HMAC(dupSensitive || Name), then dupSensitive. */
static CK_RV wrap(struct view seed, struct view name, struct bytes *sensitive, struct bytes *out)
{
    uint8_t key[HASH_MAX_SIZE], code[HASH_MAX_SIZE];
    CLEANUP(bytes_free) struct bytes covered = {0};
    CLEANUP(bytes_free) struct bytes inner = {0};
    CK_RV rv = kdfa(seed, "STORAGE", name, SYMMETRIC_KEY_SIZE, key);
    if (rv == CKR_OK)
        rv = encrypt(view_of(key, SYMMETRIC_KEY_SIZE), sensitive);
    if (rv == CKR_OK)
        rv = append(&covered, bytes_view(sensitive));
    if (rv == CKR_OK)
        rv = append(&covered, name);
    if (rv == CKR_OK)
        rv = kdfa(seed, "INTEGRITY", (struct view){0}, SEED_SIZE, key);
    if (rv == CKR_OK)
        rv = crypto_hmac(HASH_SHA256, view_of(key, SEED_SIZE), bytes_view(&covered), code);
    OPENSSL_cleanse(key, sizeof(key));
    if (rv == CKR_OK)
        rv = append_sized(&inner, view_of(code, SEED_SIZE));
    if (rv == CKR_OK)
        rv = append(&inner, bytes_view(sensitive));
    return rv == CKR_OK ? append_sized(out, bytes_view(&inner)) : rv;
}

CK_RV crypto_tpm_duplicate(const struct public_key *parent, struct view name, struct view sensitive,
                           struct bytes *ret_private, struct bytes *ret_secret)
{
    KEEP_ERROR_QUEUE;
    uint8_t seed[HASH_MAX_SIZE];
    CLEANUP(bytes_free) struct bytes sized = {0};
    CLEANUP(bytes_free) struct bytes private = {0};
    CLEANUP(bytes_free) struct bytes secret = {0};
    if (sensitive.size == 0 || sensitive.size > SENSITIVE_MAX_SIZE)
        return CKR_DATA_LEN_RANGE;
    CK_RV rv = append_sized(&sized, sensitive);
    if (rv == CKR_OK)
        rv = parent->algorithm == KEY_ALGORITHM_EC ? share_by_point(parent, seed, &secret)
                                                   : share_by_oaep(parent, seed, &secret);
    if (rv == CKR_OK)
        rv = wrap(view_of(seed, SEED_SIZE), name, &sized, &private);
    OPENSSL_cleanse(seed, sizeof(seed));
    if (rv != CKR_OK)
        return rv;
    *ret_private = private;
    *ret_secret = secret;
    private = secret = (struct bytes){0};
    return CKR_OK;
}
