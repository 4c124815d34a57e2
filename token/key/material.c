#include "token/key/material.h"

#include <stdlib.h>
#include <string.h>

#include "token/crypto/decode.h"
#include "token/crypto/digest.h"
#include "token/key/openssl_key.h"
#include "token/key/tpm_key.h"
#include "token/tpm/tpm.h"

/* What has been decoded so far; `key_file` is the private key's. */
struct opening {
    const struct key_description *description;
    struct key_material material;
    struct decoded key_file;
    struct reason *reason;
};

static CK_RV decode(const struct key_file *file, struct decoded *ret_decoded, struct reason *reason)
{
    struct reason inner = {0};
    reason->line = file->line;
    CK_RV rv = crypto_decode(file->content, (struct view){0}, ret_decoded, &inner);
    if (rv != CKR_OK)
        reason_set(reason, "%s: %s", file->path, inner.text);
    return rv;
}

static CK_RV add_certificates(struct key_material *material, struct decoded *from)
{
    if (!from->certificate_count)
        return CKR_OK;
    size_t count = material->certificate_count + from->certificate_count;
    if (count > DECODE_MAX_CERTIFICATES)
        return CKR_DATA_LEN_RANGE;
    struct certificate *all = realloc(material->certificates, count * sizeof(*all));
    if (!all)
        return CKR_HOST_MEMORY;
    memcpy(all + material->certificate_count, from->certificates,
           from->certificate_count * sizeof(*all));
    free(from->certificates);
    from->certificates = NULL;
    from->certificate_count = 0;
    material->certificates = all;
    material->certificate_count = count;
    return CKR_OK;
}

static CK_RV read_certificates(struct opening *opening)
{
    const struct key_description *description = opening->description;
    for (size_t i = 0; i < description->certificate_count; i++) {
        const struct key_file *file = &description->certificates[i];
        struct decoded decoded CLEANUP(decoded_clear) = {0};
        CK_RV rv = decode(file, &decoded, opening->reason);
        if (rv != CKR_OK)
            return rv;
        if (!decoded.certificate_count) {
            reason_set(opening->reason, "%s: holds no certificate", file->path);
            return CKR_DATA_INVALID;
        }
        rv = add_certificates(&opening->material, &decoded);
        if (rv == CKR_DATA_LEN_RANGE)
            reason_set(opening->reason, "%s: more than %d certificates for one key", file->path,
                       DECODE_MAX_CERTIFICATES);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

static CK_RV read_public_key(struct opening *opening)
{
    const struct key_file *file = &opening->description->public_key;
    if (!file->path)
        return CKR_OK;
    struct decoded decoded CLEANUP(decoded_clear) = {0};
    CK_RV rv = decode(file, &decoded, opening->reason);
    if (rv != CKR_OK)
        return rv;
    const struct public_key *found = decoded.public_key;
    if (!found && decoded.certificate_count)
        found = &decoded.certificates[0].public_key;
    if (found && found->algorithm != KEY_ALGORITHM_NONE)
        return public_key_copy(&opening->material.public_key, found);
    reason_set(opening->reason, "%s: holds no RSA or EC public key", file->path);
    return CKR_DATA_INVALID;
}

/* The key file's own certificates count where the configuration names none. */
static CK_RV read_private_key(struct opening *opening)
{
    const struct key_description *description = opening->description;
    const struct key_file *file = &description->private_key;
    if (!file->path || description->handle)
        return CKR_OK;
    if (!file->content.data && (description->provider || description->engine))
        return CKR_OK;
    CK_RV rv = decode(file, &opening->key_file, opening->reason);
    /* What we cannot read, the provider may. */
    if (rv == CKR_DATA_INVALID && (description->provider || description->engine))
        return CKR_OK;
    if (rv != CKR_OK)
        return rv;
    if (description->certificate_count == 0)
        return add_certificates(&opening->material, &opening->key_file);
    return CKR_OK;
}

/* What is known of the public half before the private key is made: the public
 * key file, or else the first certificate. */
static const struct public_key *promised(const struct opening *opening)
{
    const struct key_material *material = &opening->material;
    if (material->public_key.algorithm != KEY_ALGORITHM_NONE)
        return &material->public_key;
    for (size_t i = 0; i < material->certificate_count; i++)
        if (material->certificates[i].public_key.algorithm != KEY_ALGORITHM_NONE)
            return &material->certificates[i].public_key;
    return NULL;
}

static CK_RV needs_public(struct opening *opening, const char *what)
{
    reason_set(opening->reason,
               "%s: %s: name its 'certificate' or 'public key' too, because listing must not open "
               "it",
               opening->description->private_key.path, what);
    return CKR_DATA_INVALID;
}

static CK_RV open_tpm_file(struct opening *opening)
{
    struct tpm *tpm = NULL;
    CK_RV rv = tpm_acquire(opening->description->tpm, &tpm);
    if (rv != CKR_OK)
        return rv;
    struct reason inner = {0};
    rv = tpm_key_from_file(tpm, opening->key_file.tpm_key,
                           tpm_key_protection(opening->description->protection),
                           &opening->material.key, &inner);
    tpm_release(tpm);
    if (rv != CKR_OK)
        reason_set(opening->reason, "%s: %s", opening->description->private_key.path, inner.text);
    return rv;
}

static CK_RV open_tpm_handle(struct opening *opening)
{
    const struct public_key *public_key = promised(opening);
    if (!public_key)
        return needs_public(opening, "a persistent handle");
    struct tpm *tpm = NULL;
    CK_RV rv = tpm_acquire(opening->description->tpm, &tpm);
    if (rv != CKR_OK)
        return rv;
    rv = tpm_key_from_handle(tpm, opening->description->handle,
                             tpm_key_protection(opening->description->protection), public_key,
                             &opening->material.key, opening->reason);
    tpm_release(tpm);
    return rv;
}

static CK_RV open_provider(struct opening *opening, const char *name, bool engine)
{
    const struct public_key *public_key = promised(opening);
    if (!public_key)
        return needs_public(opening, engine ? "a key of an engine" : "a key of a provider");
    return provider_key_new(name, engine, opening->description->private_key.path, public_key,
                            &opening->material.key);
}

/* A TPM's key file is ours, unless another provider was named for it, or the tpm2
 * provider for one that we do not serve. */
static bool served_here(const struct key_description *description, const struct tpm_key_file *file)
{
    const char *other = description->provider ? description->provider : description->engine;
    if (!other)
        return true;
    return strcmp(other, "tpm2") == 0 && file->type == TPM_KEY_LOADABLE && !file->has_policy;
}

static CK_RV open_key(struct opening *opening)
{
    const struct key_description *description = opening->description;
    struct decoded *file = &opening->key_file;
    if (!description->private_key.path)
        return CKR_OK;
    opening->reason->line = description->private_key.line;
    if (description->handle)
        return open_tpm_handle(opening);
    if (file->tpm_key && served_here(description, file->tpm_key))
        return open_tpm_file(opening);
    if (description->provider)
        return open_provider(opening, description->provider, false);
    bool software = file->private_key || file->encrypted;
    if (description->engine && (strcmp(description->engine, "tpm2") != 0 || !software))
        return open_provider(opening, description->engine, true);
    if (file->tpm_key)
        return open_tpm_file(opening);
    if (file->private_key) {
        struct crypto_key *private_key = file->private_key;
        file->private_key = NULL;
        return software_key_new(private_key, &opening->material.key);
    }
    if (file->encrypted)
        return software_key_encrypted(description->private_key.content, promised(opening),
                                      &opening->material.key);
    reason_set(opening->reason, "%s: holds no private key", description->private_key.path);
    return CKR_DATA_INVALID;
}

/* Puts the certificate of `public_key` first; false if there is none. */
static bool leaf_first(struct key_material *material)
{
    for (size_t i = 0; i < material->certificate_count; i++) {
        if (!public_key_equal(&material->certificates[i].public_key, &material->public_key))
            continue;
        struct certificate leaf = material->certificates[i];
        memmove(material->certificates + 1, material->certificates, i * sizeof(leaf));
        material->certificates[0] = leaf;
        return true;
    }
    return false;
}

static CK_RV match(struct opening *opening)
{
    struct key_material *material = &opening->material;
    const struct public_key *of_key = material->key ? key_public(material->key) : NULL;
    if (of_key && of_key->algorithm != KEY_ALGORITHM_NONE) {
        if (material->public_key.algorithm != KEY_ALGORITHM_NONE &&
            !public_key_equal(of_key, &material->public_key)) {
            opening->reason->line = opening->description->public_key.line;
            reason_set(opening->reason, "%s: is not the public half of %s",
                       opening->description->public_key.path,
                       opening->description->private_key.path);
            return CKR_DATA_INVALID;
        }
        CK_RV rv = public_key_copy(&material->public_key, of_key);
        if (rv != CKR_OK)
            return rv;
    } else if (!material->key) {
        const struct public_key *public_key = promised(opening);
        CK_RV rv = public_key && public_key != &material->public_key
                       ? public_key_copy(&material->public_key, public_key)
                       : CKR_OK;
        if (rv != CKR_OK)
            return rv;
    }
    bool known = material->public_key.algorithm != KEY_ALGORITHM_NONE;
    if (!known || !material->certificate_count || leaf_first(material))
        return CKR_OK;
    const struct key_description *description = opening->description;
    if (description->certificate_count)
        opening->reason->line = description->certificates[0].line;
    reason_set(opening->reason, "%s: is not the certificate of %s",
               description->certificate_count ? description->certificates[0].path
                                              : description->private_key.path,
               description->private_key.path ? description->private_key.path
                                             : description->public_key.path);
    return CKR_DATA_INVALID;
}

/* Who else knows whether there is a PIN: a file in clear or encrypted tells. */
static CK_RV override_pin(struct opening *opening)
{
    struct key *key = opening->material.key;
    bool required = opening->description->pin == KEY_PIN_REQUIRED;
    bool file =
        !key_in_tpm(key) && !opening->description->provider && !opening->description->engine;
    if (file && required != key->needs_login) {
        reason_set(opening->reason, "%s: %s", opening->description->private_key.path,
                   required ? "'pin = required', but the file is not encrypted: no PIN protects it"
                            : "'pin = none', but the file is encrypted");
        return CKR_DATA_INVALID;
    }
    key->needs_login = required;
    return CKR_OK;
}

CK_RV key_material_open(const struct key_description *description,
                        struct key_material *ret_material, struct reason *reason)
{
    struct opening opening = {.description = description, .reason = reason};
    CK_RV rv = read_certificates(&opening);
    if (rv == CKR_OK)
        rv = read_public_key(&opening);
    if (rv == CKR_OK)
        rv = read_private_key(&opening);
    if (rv == CKR_OK)
        rv = open_key(&opening);
    if (rv == CKR_OK)
        rv = match(&opening);
    if (rv == CKR_OK && opening.material.key && description->pin != KEY_PIN_AS_FOUND)
        rv = override_pin(&opening);
    decoded_clear(&opening.key_file);
    if (rv != CKR_OK) {
        key_material_clear(&opening.material);
        return rv;
    }
    *ret_material = opening.material;
    return CKR_OK;
}

void key_material_clear(struct key_material *material)
{
    key_unref(material->key);
    public_key_clear(&material->public_key);
    for (size_t i = 0; i < material->certificate_count; i++)
        certificate_clear(&material->certificates[i]);
    free(material->certificates);
    *material = (struct key_material){0};
}

CK_RV key_material_id(const struct public_key *public_key, struct bytes *ret_id)
{
    uint8_t digest[HASH_MAX_SIZE];
    const struct bytes *bits = public_key->algorithm == KEY_ALGORITHM_EC    ? &public_key->point
                               : public_key->algorithm == KEY_ALGORITHM_RSA ? &public_key->modulus
                                                                            : &public_key->spki;
    CK_RV rv = crypto_hash(HASH_SHA1, bytes_view(bits), digest);
    return rv != CKR_OK ? rv : bytes_copy(ret_id, view_of(digest, hash_size(HASH_SHA1)));
}

void key_process_start(void)
{
    tpm_quiet();
}

void key_process_abandon(void)
{
    tpm_abandon_all();
}
