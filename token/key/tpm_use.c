#include "token/key/tpm_use.h"

#include <string.h>

#include "token/base/log.h"
#include "token/crypto/padding.h"
#include "token/crypto/public.h"

/* A plain private RSA operation is TPM2_RSA_Decrypt without a scheme. */
static bool can_raw(struct tpm_key_abilities abilities)
{
    return abilities.decrypt && !abilities.fixed;
}

static bool can_scheme(struct tpm_key_abilities abilities, bool allowed,
                       const struct scheme *scheme)
{
    /* TPM2_Sign has no SHA-224; for ECDSA the digest is padded. */
    if (!allowed || (scheme->hash == HASH_SHA224 && scheme->kind != SCHEME_ECDSA))
        return false;
    if (!abilities.fixed)
        return true;
    return abilities.fixed_scheme == scheme->kind &&
           (scheme->hash == HASH_NONE || abilities.fixed_hash == HASH_NONE ||
            abilities.fixed_hash == scheme->hash);
}

bool tpm_use_possible(struct tpm_key_abilities abilities, enum key_use use,
                      const struct scheme *scheme)
{
    if (use == KEY_USE_DERIVE)
        return can_raw(abilities);
    if (use == KEY_USE_SIGN && !abilities.sign)
        return false;
    if (scheme->kind == SCHEME_RSA_RAW)
        return can_raw(abilities);
    if (use == KEY_USE_DECRYPT)
        return can_scheme(abilities, abilities.decrypt, scheme);
    if (scheme->kind == SCHEME_ECDSA)
        return can_scheme(abilities, abilities.sign, scheme);
    return can_raw(abilities) || can_scheme(abilities, abilities.sign, scheme);
}

static CK_RV raw(const struct tpm_use *use, struct view block, struct bytes *ret_result)
{
    return tpm_key_decrypt(use->tpm_key, use->auth, SCHEME_RSA_RAW, HASH_NONE, block, ret_result);
}

/* TPM2_Sign takes digests of hashes that the TPM has, and every TPM has SHA-1 and
 * SHA-256; everything else is encoded here and signed by the raw operation. */
static CK_RV sign_pkcs1(const struct tpm_use *use, struct view input, struct bytes *ret_signature)
{
    struct tpm_key_abilities abilities = tpm_key_abilities(use->tpm_key);
    enum hash hash = HASH_NONE;
    struct view digest = {0};
    bool known = crypto_digest_info_parse(input, &hash, &digest);
    struct scheme wanted = {.kind = SCHEME_RSA_PKCS1, .hash = hash};
    bool common = known && (hash == HASH_SHA1 || hash == HASH_SHA256);
    bool by_tpm = known && can_scheme(abilities, abilities.sign, &wanted);
    if (by_tpm && (common || !can_raw(abilities)))
        return tpm_key_sign(use->tpm_key, use->auth, SCHEME_RSA_PKCS1, hash, digest, ret_signature);
    if (!can_raw(abilities))
        return known ? CKR_KEY_FUNCTION_NOT_PERMITTED : CKR_DATA_INVALID;
    struct bytes block CLEANUP(bytes_free) = {0};
    CK_RV rv = crypto_pad_pkcs1(input, use->public_key->modulus.size, &block);
    return rv != CKR_OK ? rv : raw(use, bytes_view(&block), ret_signature);
}

/* TPMs choose the salt's length themselves; so the encoding is made here. Where
 * the key allows TPM2_Sign only, what came out is checked against the request. */
static CK_RV sign_pss(const struct tpm_use *use, const struct scheme *scheme, struct view digest,
                      struct bytes *ret_signature)
{
    if (digest.size != hash_size(scheme->hash))
        return CKR_DATA_LEN_RANGE;
    struct bytes block CLEANUP(bytes_free) = {0};
    if (can_raw(tpm_key_abilities(use->tpm_key))) {
        CK_RV rv = crypto_pad_pss(scheme, digest, use->public_key->bits, &block);
        return rv != CKR_OK ? rv : raw(use, bytes_view(&block), ret_signature);
    }
    CK_RV rv = tpm_key_sign(use->tpm_key, use->auth, SCHEME_RSA_PSS, scheme->hash, digest, &block);
    if (rv == CKR_OK)
        rv = crypto_verify(use->public_key, scheme, digest, bytes_view(&block));
    if (rv == CKR_SIGNATURE_INVALID) {
        log_line(LOG_LEVEL_ERROR, "key",
                 "this key may only be used with the TPM's own RSA-PSS, whose salt is not the %zu "
                 "bytes asked for",
                 scheme->salt_size);
        return CKR_MECHANISM_PARAM_INVALID;
    }
    return rv != CKR_OK ? rv : bytes_copy(ret_signature, bytes_view(&block));
}

/* TPM2_Sign wants a digest of exactly a hash's size, and both take the leftmost
 * bits of it, as many as the order has, as a number (FIPS 186-5, 6.4.1). So the
 * digest is cut to the order's size, and put where the TPM looks for that number:
 * zeros in front do not change it, and what stands behind is cut off again. */
static CK_RV sign_ecdsa(const struct tpm_use *use, struct view digest, struct bytes *ret_signature)
{
    size_t order = public_key_coordinate_size(use->public_key);
    if (!digest.size || digest.size > HASH_MAX_SIZE)
        return CKR_DATA_LEN_RANGE;
    struct tpm_key_abilities abilities = tpm_key_abilities(use->tpm_key);
    size_t kept = digest.size < order ? digest.size : order;
    enum hash hash = abilities.fixed ? abilities.fixed_hash : HASH_SHA256;
    while (!abilities.fixed && hash_size(hash) < kept && hash < HASH_SHA512)
        hash++;
    size_t size = hash_size(hash);
    size_t width = size < order ? size : order;
    if (kept > width)
        return CKR_DATA_LEN_RANGE;
    uint8_t padded[HASH_MAX_SIZE] = {0};
    memcpy(padded + width - kept, digest.data, kept);
    return tpm_key_sign(use->tpm_key, use->auth, SCHEME_ECDSA, hash, view_of(padded, size),
                        ret_signature);
}

static CK_RV sign_raw(const struct tpm_use *use, struct view input, struct bytes *ret_signature)
{
    const struct bytes *modulus = &use->public_key->modulus;
    struct bytes block CLEANUP(bytes_free) = {0};
    CK_RV rv = crypto_pad_raw(input, modulus->size, &block);
    if (rv != CKR_OK)
        return rv;
    if (memcmp(block.data, modulus->data, modulus->size) >= 0)
        return CKR_DATA_INVALID;
    return raw(use, bytes_view(&block), ret_signature);
}

CK_RV tpm_use_sign(const struct tpm_use *use, const struct scheme *scheme, struct view input,
                   struct bytes *ret_signature)
{
    switch (scheme->kind) {
    case SCHEME_RSA_PKCS1:
        return sign_pkcs1(use, input, ret_signature);
    case SCHEME_RSA_PSS:
        return sign_pss(use, scheme, input, ret_signature);
    case SCHEME_RSA_RAW:
        return sign_raw(use, input, ret_signature);
    case SCHEME_ECDSA:
        return sign_ecdsa(use, input, ret_signature);
    default:
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    }
}

/* A TPM's OAEP label ends in a NUL and its mask uses the same hash; others are
 * taken apart here. */
static CK_RV decrypt_oaep(const struct tpm_use *use, const struct scheme *scheme,
                          struct view cipher, struct bytes *ret_plain)
{
    bool common = scheme->hash == HASH_SHA1 || scheme->hash == HASH_SHA256;
    bool by_tpm = common && scheme->mgf_hash == scheme->hash && scheme->label.size == 0;
    if (by_tpm || !can_raw(tpm_key_abilities(use->tpm_key)))
        return scheme->label.size ? CKR_MECHANISM_PARAM_INVALID
                                  : tpm_key_decrypt(use->tpm_key, use->auth, SCHEME_RSA_OAEP,
                                                    scheme->hash, cipher, ret_plain);
    struct bytes block CLEANUP(bytes_free) = {0};
    CK_RV rv = raw(use, cipher, &block);
    return rv != CKR_OK ? rv : crypto_unpad_oaep(scheme, bytes_view(&block), ret_plain);
}

CK_RV tpm_use_decrypt(const struct tpm_use *use, const struct scheme *scheme, struct view cipher,
                      struct bytes *ret_plain)
{
    CK_RV rv =
        scheme->kind == SCHEME_RSA_OAEP
            ? decrypt_oaep(use, scheme, cipher, ret_plain)
            : tpm_key_decrypt(use->tpm_key, use->auth, scheme->kind, HASH_NONE, cipher, ret_plain);
    if (rv == CKR_DATA_INVALID || rv == CKR_DATA_LEN_RANGE)
        return CKR_ENCRYPTED_DATA_INVALID;
    return rv;
}
