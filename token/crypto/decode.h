/* What key and certificate files hold: PEM or DER, PKCS #8, PKCS #1, SEC 1,
 * PKCS #12, X.509, and TSS2 PRIVATE KEY (draft-bottomley-tpm2-keys). */
#ifndef SIGNET_CRYPTO_DECODE_H
#define SIGNET_CRYPTO_DECODE_H

#include "token/base/public_key.h"
#include "token/base/reason.h"
#include "token/crypto/private.h"

#define DECODE_MAX_FILE_SIZE (1024 * 1024)
#define DECODE_MAX_CERTIFICATES 32

enum tpm_key_file_type { TPM_KEY_LOADABLE, TPM_KEY_IMPORTABLE, TPM_KEY_SEALED };

/* A TSS2 PRIVATE KEY (old guard: TSS2 KEY BLOB), its TPM structures still
 * marshalled: public is a TPM2B_PUBLIC, private a TPM2B_PRIVATE, secret a
 * TPM2B_ENCRYPTED_SECRET (importable keys only, else empty). */
struct tpm_key_file {
    enum tpm_key_file_type type;
    bool empty_auth;
    bool rsa_parent;
    bool has_policy; /* a policy or authPolicy that is not empty */
    uint32_t parent;
    struct bytes public;
    struct bytes private;
    struct bytes secret;
};

/* Everything found in one file, in its order. `encrypted` is set when a private
 * key (or a whole PKCS #12) could not be opened for want of the right password:
 * without password that is no error, the rest is still returned. */
struct decoded {
    struct tpm_key_file *tpm_key;
    struct crypto_key *private_key;
    struct public_key *public_key; /* of a PUBLIC KEY block */
    struct certificate *certificates;
    size_t certificate_count;
    bool encrypted;
};

/* Decodes a file's content. password.data NULL means none was given; one of
 * size 0 is the empty password. CKR_PIN_INCORRECT when a password was given and
 * is wrong; CKR_DATA_INVALID with the reason for anything malformed, of an
 * unknown kind, or without any known content. The caller clears ret_decoded. */
CHECKED CK_RV crypto_decode(struct view file, struct view password, struct decoded *ret_decoded,
                            struct reason *reason);

/* Frees the contents, not the struct; NULL pointers inside are fine. */
void decoded_clear(struct decoded *decoded);

#endif
