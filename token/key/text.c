/* Keys and certificates as the PEM of entry files and of files dropped in. */
#include <stdlib.h>
#include <string.h>

#include "token/crypto/decode.h"
#include "token/crypto/pem.h"
#include "token/crypto/public.h"
#include "token/key/make.h"
#include "token/key/openssl_key.h"
#include "token/key/sealed_key.h"
#include "token/key/secret_key.h"
#include "token/key/tpm_key.h"
#include "token/key/vault_inside.h"

static CK_RV refuse(struct reason *reason, const char *why)
{
    reason_set(reason, "%s", why);
    return CKR_DATA_INVALID;
}

/* What is our own: at most one block of either label. */
struct encrypted {
    bool key;
    bool secret;
    struct bytes cipher;
};

static void encrypted_clear(struct encrypted *encrypted)
{
    bytes_free(&encrypted->cipher);
}

static CK_RV add_encrypted(struct encrypted *encrypted, const struct pem_block *block,
                           struct reason *reason)
{
    struct pem_encryption none;
    struct bytes content CLEANUP(bytes_free) = {0};
    bool key = view_equal(block->label, view_string(SEALED_KEY_LABEL));
    bool secret = view_equal(block->label, view_string(SECRET_KEY_LABEL));
    if (!key && !secret)
        return CKR_OK;
    if (encrypted->key || encrypted->secret) {
        reason_set(reason, "holds a second sealed key at line %u", block->line);
        return CKR_DATA_INVALID;
    }
    CK_RV rv = pem_decode(block, &content, &none, reason);
    if (rv != CKR_OK)
        return rv;
    encrypted->key = key;
    encrypted->secret = secret;
    encrypted->cipher = content;
    content = (struct bytes){0};
    return CKR_OK;
}

static CK_RV find_encrypted(struct view text, struct encrypted *encrypted, struct reason *reason)
{
    struct pem_reader reader = pem_reader_of(text);
    for (;;) {
        struct pem_block block;
        CK_RV rv = pem_next(&reader, &block, reason);
        if (rv == CKR_OK && !block.label.data)
            return CKR_OK;
        if (rv == CKR_OK)
            rv = add_encrypted(encrypted, &block, reason);
        if (rv != CKR_OK)
            return rv;
    }
}

/* DER has no blocks: a text that is none holds nothing of ours. */
static bool may_hold_encrypted(struct view text)
{
    static const char word[] = "-----BEGIN SIGNET ";
    return text.size && memmem(text.data, text.size, word, sizeof(word) - 1);
}

/* All that is in a text, decoded. */
struct parsed {
    struct decoded decoded;
    struct encrypted encrypted;
};

static void parsed_clear(struct parsed *parsed)
{
    decoded_clear(&parsed->decoded);
    encrypted_clear(&parsed->encrypted);
}

static CK_RV parse(struct view text, struct parsed *parsed, struct reason *reason)
{
    CK_RV rv = CKR_OK;
    if (may_hold_encrypted(text))
        rv = find_encrypted(text, &parsed->encrypted, reason);
    if (rv == CKR_OK && !parsed->encrypted.secret)
        rv = crypto_decode(text, (struct view){0}, &parsed->decoded, reason);
    const struct decoded *decoded = &parsed->decoded;
    if (rv == CKR_OK && parsed->encrypted.key &&
        (decoded->tpm_key || decoded->private_key || decoded->encrypted))
        return refuse(reason, "holds another private key beside the sealed one");
    return rv;
}

static CK_RV read_tpm(struct vault *vault, enum key_origin origin, struct decoded *decoded,
                      struct view unique, struct key **ret_key, struct reason *reason)
{
    struct tpm_key_file *file = decoded->tpm_key;
    CK_RV rv = tpm_key_check_file(file, reason);
    if (rv != CKR_OK)
        return rv;
    if (origin == KEY_DROPPED_IN && !file->empty_auth)
        return refuse(reason, "its authorisation is not this token's: it was not made here");
    return tpm_key_of_vault(vault, file, unique, ret_key, reason);
}

static CK_RV read_encrypted(struct vault *vault, enum key_origin origin,
                            const struct parsed *parsed, struct view unique, struct key **ret_key,
                            struct reason *reason)
{
    const struct view cipher = bytes_view(&parsed->encrypted.cipher);
    if (origin == KEY_DROPPED_IN)
        return refuse(reason, "a sealed key is of use only in the entry file that it was written "
                              "in");
    if (parsed->encrypted.secret)
        return secret_key_read(vault, cipher, unique, ret_key);
    if (!parsed->decoded.public_key)
        return refuse(reason, "holds a sealed key without its public key");
    return sealed_key_new(vault, parsed->decoded.public_key, cipher, unique, ret_key);
}

CK_RV key_read(struct vault *vault, enum key_origin origin, struct view pem, struct view unique,
               struct key **ret_key, struct reason *reason)
{
    struct parsed parsed CLEANUP(parsed_clear) = {0};
    CK_RV rv = parse(pem, &parsed, reason);
    if (rv != CKR_OK)
        return rv;
    struct decoded *decoded = &parsed.decoded;
    if (parsed.encrypted.key || parsed.encrypted.secret)
        return read_encrypted(vault, origin, &parsed, unique, ret_key, reason);
    if (decoded->tpm_key)
        return read_tpm(vault, origin, decoded, unique, ret_key, reason);
    if (decoded->private_key) {
        struct crypto_key *private_key = decoded->private_key;
        decoded->private_key = NULL;
        return software_key_new(private_key, ret_key);
    }
    return refuse(reason, decoded->encrypted ? "it is encrypted with a password of its own, which "
                                               "a token directory has no use for"
                                             : "holds no private key");
}

static CK_RV inspect_public(const struct parsed *parsed, struct public_key *ret_key,
                            struct reason *reason)
{
    const struct decoded *decoded = &parsed->decoded;
    if (decoded->tpm_key) {
        CK_RV rv = tpm_key_check_file(decoded->tpm_key, reason);
        if (rv == CKR_OK)
            rv = tpm_key_public_read(bytes_view(&decoded->tpm_key->public), ret_key, reason);
        return rv == CKR_OK ? crypto_public_spki(ret_key) : rv;
    }
    if (decoded->private_key)
        return crypto_key_public(decoded->private_key, ret_key);
    if (decoded->public_key)
        return public_key_copy(ret_key, decoded->public_key);
    return parsed->encrypted.key ? refuse(reason, "holds a sealed key without its public key")
                                 : CKR_OK;
}

CK_RV key_inspect(struct view text, struct key_contents *ret_contents, struct reason *reason)
{
    struct parsed parsed CLEANUP(parsed_clear) = {0};
    struct key_contents contents CLEANUP(key_contents_clear) = {0};
    struct decoded *decoded = &parsed.decoded;
    CK_RV rv = parse(text, &parsed, reason);
    if (rv == CKR_OK)
        rv = inspect_public(&parsed, &contents.public_key, reason);
    if (rv != CKR_OK)
        return rv;
    contents.private_key = decoded->tpm_key || decoded->private_key || parsed.encrypted.key;
    contents.secret_key = parsed.encrypted.secret;
    contents.certificates = decoded->certificates;
    contents.certificate_count = decoded->certificate_count;
    decoded->certificates = NULL;
    decoded->certificate_count = 0;
    if (decoded->encrypted && !contents.private_key && !contents.certificate_count)
        return refuse(reason, "it is encrypted with a password of its own, which a token directory "
                              "has no use for");
    *ret_contents = contents;
    contents = (struct key_contents){0};
    return CKR_OK;
}

void key_contents_clear(struct key_contents *contents)
{
    public_key_clear(&contents->public_key);
    for (size_t i = 0; i < contents->certificate_count; i++)
        certificate_clear(&contents->certificates[i]);
    free(contents->certificates);
    *contents = (struct key_contents){0};
}

static CK_RV write_block(const char *label, struct view content, struct bytes *ret_pem)
{
    struct bytes pem CLEANUP(bytes_free) = {0};
    CK_RV rv = pem_write(&pem, label, content);
    if (rv != CKR_OK)
        return rv;
    *ret_pem = pem;
    pem = (struct bytes){0};
    return CKR_OK;
}

CK_RV key_write_public(const struct public_key *public_key, struct bytes *ret_pem)
{
    struct public_key whole CLEANUP(public_key_clear) = {0};
    if (public_key->spki.size)
        return write_block("PUBLIC KEY", bytes_view(&public_key->spki), ret_pem);
    CK_RV rv = public_key_copy(&whole, public_key);
    if (rv == CKR_OK)
        rv = crypto_public_complete(&whole);
    return rv != CKR_OK ? rv : write_block("PUBLIC KEY", bytes_view(&whole.spki), ret_pem);
}

CK_RV key_write_certificate(struct view der, struct bytes *ret_pem)
{
    return write_block("CERTIFICATE", der, ret_pem);
}
