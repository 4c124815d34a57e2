#include "token/key/make.h"

#include <stdio.h>
#include <string.h>

#include "token/base/log.h"
#include "token/crypto/curve.h"
#include "token/crypto/digest.h"
#include "token/crypto/mac.h"
#include "token/crypto/software_key.h"
#include "token/key/openssl_key.h"
#include "token/key/sealed_key.h"
#include "token/key/secret_key.h"
#include "token/key/tpm_key.h"
#include "token/key/vault_inside.h"
#include "token/tpm/secret.h"

static void drop(struct crypto_key **key)
{
    crypto_key_free(*key);
    *key = NULL;
}

/* What tells whether a TPM could hold a key. */
struct kind {
    enum key_algorithm algorithm;
    unsigned bits;
    struct view curve;
    struct view exponent;
};

static struct kind kind_of_spec(const struct key_spec *spec)
{
    return (struct kind){spec->algorithm, spec->bits, bytes_view(&spec->curve),
                         bytes_view(&spec->exponent)};
}

static struct kind kind_of_public(const struct public_key *key)
{
    return (struct kind){key->algorithm, key->bits, bytes_view(&key->curve),
                         bytes_view(&key->exponent)};
}

static bool usual_exponent(const struct kind *kind)
{
    static const uint8_t usual[] = {0x01, 0x00, 0x01};
    return !kind->exponent.size || view_equal(kind->exponent, view_of(usual, sizeof(usual)));
}

/* Sizes and curves of the TCG's profiles (PC Client Platform TPM Profile 1.05, 4.6);
 * whether this TPM has them, it says itself. */
static bool tpm_may_hold(const struct kind *kind)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    if (kind->algorithm == KEY_ALGORITHM_RSA)
        return (kind->bits == 2048 || kind->bits == 3072) && usual_exponent(kind);
    if (kind->algorithm != KEY_ALGORITHM_EC)
        return false;
    const struct curve *curve = curve_by_parameters(kind->algorithm, kind->curve);
    for (size_t i = 0; curve && i < ARRAY_SIZE(curves); i++)
        if (curve == curve_by_name(curves[i]))
            return true;
    return false;
}

static CK_RV lacking(const struct kind *kind)
{
    return kind->algorithm == KEY_ALGORITHM_RSA ? CKR_KEY_SIZE_RANGE : CKR_CURVE_NOT_SUPPORTED;
}

static bool is_lacking(CK_RV rv)
{
    return rv == CKR_KEY_SIZE_RANGE || rv == CKR_CURVE_NOT_SUPPORTED;
}

/* Says how to have such a key all the same. */
static CK_RV refuse(const struct kind *kind, CK_RV rv)
{
    char what[80] = "keys on that curve";
    const struct curve *curve = curve_by_parameters(kind->algorithm, kind->curve);
    if (kind->algorithm == KEY_ALGORITHM_RSA && usual_exponent(kind))
        snprintf(what, sizeof(what), "RSA keys of %u bits", kind->bits);
    else if (kind->algorithm == KEY_ALGORITHM_RSA)
        snprintf(what, sizeof(what), "RSA keys with a public exponent other than 65537");
    else if (curve)
        snprintf(what, sizeof(what), "keys on the curve %s", curve->name);
    log_line(LOG_LEVEL_ERROR, "key",
             "this TPM has no %s; 'sealed keys = yes' in the section lets the module keep it "
             "encrypted under a key sealed by the TPM",
             what);
    return rv;
}

/* The authorisation of a key that is being made: empty in a token without PIN. */
struct authorization {
    uint8_t value[HASH_MAX_SIZE];
    size_t size;
};

static void authorization_wipe(struct authorization *authorization)
{
    explicit_bzero(authorization, sizeof(*authorization));
}

static CK_RV authorize(struct vault *vault, struct view unique, struct authorization *authorization)
{
    if (vault_makes_open_keys(vault))
        return vault_ensure_open(vault);
    authorization->size = VAULT_AUTH_SIZE;
    return vault_key_auth(vault, unique, authorization->value);
}

static CK_RV keep_created(struct vault *vault, struct tpm_created *created, bool empty_auth,
                          struct view unique, struct key **ret_key)
{
    struct reason reason = {0};
    struct tpm_key_file file = {
        .type = TPM_KEY_LOADABLE,
        .empty_auth = empty_auth,
        .rsa_parent = created->rsa_parent,
        .parent = created->parent,
        .public = created->public,
        .private = created->private,
    };
    *created = (struct tpm_created){0};
    CK_RV rv = tpm_key_of_vault(vault, &file, unique, ret_key, &reason);
    if (rv == CKR_DATA_INVALID) {
        log_line(LOG_LEVEL_ERROR, "key", "the TPM made a key that cannot be used: %s", reason.text);
        rv = CKR_DEVICE_ERROR;
    }
    tpm_key_file_clear(&file);
    return rv;
}

/* With the curve as an OID: PKCS#11 has other forms for it, a TPM's tables have not. */
static CK_RV normal_spec(const struct key_spec *spec, struct key_spec *ret_normal)
{
    const struct curve *curve = curve_by_parameters(spec->algorithm, bytes_view(&spec->curve));
    ret_normal->algorithm = spec->algorithm;
    ret_normal->bits = spec->bits;
    return curve ? bytes_copy(&ret_normal->curve, curve_oid(curve)) : CKR_OK;
}

static CK_RV generate_in_tpm(struct vault *vault, const struct key_spec *spec, struct view unique,
                             struct key **ret_key)
{
    struct key_spec normal CLEANUP(key_spec_clear) = {0};
    struct authorization auth CLEANUP(authorization_wipe) = {{0}, 0};
    struct tpm_created created CLEANUP(tpm_created_clear) = {0};
    CK_RV rv = authorize(vault, unique, &auth);
    if (rv == CKR_OK)
        rv = normal_spec(spec, &normal);
    if (rv == CKR_OK)
        rv = tpm_key_create(vault->tpm, &normal, view_of(auth.value, auth.size), vault->protection,
                            &created);
    return rv != CKR_OK ? rv : keep_created(vault, &created, auth.size == 0, unique, ret_key);
}

CK_RV key_secret_in_tpm(struct vault *vault, const struct key_spec *spec, enum hash hash,
                        struct view value, struct view unique, struct key **ret_key)
{
    const struct tpm_secret secret = {spec->algorithm, spec->bits, hash, value};
    struct authorization auth CLEANUP(authorization_wipe) = {{0}, 0};
    struct tpm_created created CLEANUP(tpm_created_clear) = {0};
    CK_RV rv = authorize(vault, unique, &auth);
    if (rv == CKR_OK)
        rv = tpm_secret_create(vault->tpm, &secret, view_of(auth.value, auth.size),
                               vault->protection, &created);
    return rv != CKR_OK ? rv : keep_created(vault, &created, auth.size == 0, unique, ret_key);
}

bool key_secret_known_in_tpm(const struct vault *vault, enum hash hash)
{
    return tpm_secret_known(vault->tpm, hash);
}

static CK_RV generate_sealed(struct vault *vault, const struct key_spec *spec, struct view unique,
                             struct key **ret_key)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    CK_RV rv = vault_ensure_open(vault);
    if (rv == CKR_OK)
        rv = crypto_key_generate(spec, &private_key);
    return rv != CKR_OK ? rv : sealed_key_make(vault, private_key, unique, ret_key);
}

static bool is_secret(enum key_algorithm algorithm)
{
    return algorithm == KEY_ALGORITHM_AES || algorithm == KEY_ALGORITHM_SECRET;
}

CK_RV key_generate(struct vault *vault, const struct key_spec *spec, struct view unique,
                   enum key_sealing sealing, struct key **ret_key)
{
    const struct kind kind = kind_of_spec(spec);
    if (is_secret(spec->algorithm))
        return secret_key_generate(vault, spec, unique, ret_key);
    if (sealing == KEY_SEALING_ONLY)
        return generate_sealed(vault, spec, unique, ret_key);
    CK_RV rv = tpm_may_hold(&kind) ? generate_in_tpm(vault, spec, unique, ret_key) : lacking(&kind);
    if (!is_lacking(rv))
        return rv;
    return sealing == KEY_SEALING_ALLOWED ? generate_sealed(vault, spec, unique, ret_key)
                                          : refuse(&kind, rv);
}

/* TPM 2.0 Part 1, 16: the name algorithm and its hash of the public area. */
static CK_RV name_of(struct view public, struct bytes *ret_name)
{
    uint8_t name[2 + HASH_MAX_SIZE] = {0x00, 0x0b};
    if (public.size < 2)
        return CKR_GENERAL_ERROR;
    CK_RV rv = crypto_hash(HASH_SHA256, view_of(public.data + 2, public.size - 2), name + 2);
    return rv != CKR_OK ? rv : bytes_copy(ret_name, view_of(name, 2 + hash_size(HASH_SHA256)));
}

/* The root's public half encrypts the duplicate here; the TPM unwraps it. */
static CK_RV import_in_tpm(struct vault *vault, const struct private_parts *parts,
                           struct view unique, struct key **ret_key)
{
    struct authorization auth CLEANUP(authorization_wipe) = {{0}, 0};
    struct tpm_root root CLEANUP(tpm_root_clear) = {0};
    struct tpm_created created CLEANUP(tpm_created_clear) = {0};
    struct bytes public CLEANUP(bytes_free) = {0};
    struct bytes name CLEANUP(bytes_free) = {0};
    struct bytes sensitive CLEANUP(bytes_free) = {0};
    struct bytes duplicate CLEANUP(bytes_free) = {0};
    struct bytes secret CLEANUP(bytes_free) = {0};
    CK_RV rv = authorize(vault, unique, &auth);
    if (rv == CKR_OK)
        rv = tpm_import_structures(parts, view_of(auth.value, auth.size), &public, &sensitive);
    if (rv == CKR_OK)
        rv = name_of(bytes_view(&public), &name);
    if (rv == CKR_OK)
        rv = tpm_root_read(vault->tpm, &root);
    if (rv == CKR_OK)
        rv = crypto_tpm_duplicate(&root.public_key, bytes_view(&name), bytes_view(&sensitive),
                                  &duplicate, &secret);
    if (rv == CKR_OK)
        rv = tpm_key_import(vault->tpm, bytes_view(&public), bytes_view(&duplicate),
                            bytes_view(&secret), &created);
    return rv != CKR_OK ? rv : keep_created(vault, &created, auth.size == 0, unique, ret_key);
}

/* What is missing in the parts is computed first: a TPM wants an RSA key's prime. */
CK_RV key_import(struct vault *vault, const struct private_parts *parts, struct view unique,
                 enum key_sealing sealing, struct key **ret_key)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    struct public_key public_key CLEANUP(public_key_clear) = {0};
    struct private_parts whole CLEANUP(private_parts_clear) = {0};
    CK_RV rv = crypto_key_from_parts(parts, &private_key);
    if (rv == CKR_OK)
        rv = crypto_key_public(private_key, &public_key);
    if (rv != CKR_OK)
        return rv;
    if (sealing == KEY_SEALING_ONLY)
        return sealed_key_make(vault, private_key, unique, ret_key);
    const struct kind kind = kind_of_public(&public_key);
    rv = lacking(&kind);
    if (tpm_may_hold(&kind)) {
        rv = crypto_key_to_parts(private_key, &whole);
        if (rv == CKR_OK)
            rv = import_in_tpm(vault, &whole, unique, ret_key);
    }
    if (!is_lacking(rv))
        return rv;
    return sealing == KEY_SEALING_ALLOWED ? sealed_key_make(vault, private_key, unique, ret_key)
                                          : refuse(&kind, rv);
}

CK_RV key_generate_software(const struct key_spec *spec, struct key **ret_key)
{
    struct crypto_key *private_key = NULL;
    if (is_secret(spec->algorithm))
        return secret_key_generate(NULL, spec, (struct view){0}, ret_key);
    CK_RV rv = crypto_key_generate(spec, &private_key);
    return rv != CKR_OK ? rv : software_key_new(private_key, ret_key);
}

CK_RV key_import_software(const struct private_parts *parts, struct key **ret_key)
{
    struct crypto_key *private_key = NULL;
    CK_RV rv = crypto_key_from_parts(parts, &private_key);
    return rv != CKR_OK ? rv : software_key_new(private_key, ret_key);
}

CK_RV key_parts_to_pkcs8(const struct private_parts *parts, struct bytes *ret_der)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    CK_RV rv = crypto_key_from_parts(parts, &private_key);
    return rv != CKR_OK ? rv : crypto_key_to_pkcs8(private_key, ret_der);
}

CK_RV key_parts_from_pkcs8(struct view der, struct private_parts *ret_parts)
{
    struct crypto_key *private_key CLEANUP(drop) = NULL;
    struct reason reason = {0};
    CK_RV rv = software_key_decode(SOFTWARE_KEY_PKCS8, der, &private_key, &reason);
    if (rv == CKR_DATA_INVALID)
        log_line(LOG_LEVEL_ERROR, "key", "the PKCS #8 key cannot be used: %s", reason.text);
    return rv != CKR_OK ? rv : crypto_key_to_parts(private_key, ret_parts);
}
