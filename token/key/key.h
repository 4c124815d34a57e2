/* A private key, wherever it is kept: in a TPM, in a file, behind an OpenSSL
 * provider. Opaque to the rooms above; shared by reference. */
#ifndef SIGNET_KEY_KEY_H
#define SIGNET_KEY_KEY_H

#include "token/base/block_mode.h"
#include "token/base/public_key.h"
#include "token/base/scheme.h"

struct key;

enum key_use { KEY_USE_SIGN, KEY_USE_DECRYPT, KEY_USE_DERIVE, KEY_USE_MAC };

struct key *key_ref(struct key *key);

/* NULL is fine; the last one frees the key and what it holds in a TPM. */
void key_unref(struct key *key);

/* Borrowed; algorithm NONE while it is not known, which is only before the login
 * that opens an encrypted file without certificate. */
const struct public_key *key_public(const struct key *key);

/* Certificates that an encrypted file gave away at login. Borrowed. */
const struct certificate *key_certificates(const struct key *key, size_t *ret_count);

/* False for keys with empty authorisation and files in clear, and for those of a token
 * directory, which work while their vault is open (else CKR_USER_NOT_LOGGED_IN). */
bool key_needs_login(const struct key *key);

/* Where the key is used; a TPM's kind is decided without touching it. */
enum key_place { KEY_IN_SOFTWARE, KEY_IN_DEVICE, KEY_IN_SWTPM, KEY_IN_EMBEDDED, KEY_IN_OTHER_TPM };

enum key_place key_place(const struct key *key);

/* True if the key never leaves a TPM. */
bool key_in_tpm(const struct key *key);

/* True if the key can do this; `scheme` is ignored for KEY_USE_DERIVE, and for KEY_USE_MAC
 * (HMAC) its hash alone counts. Answered without touching a TPM. */
bool key_can(const struct key *key, enum key_use use, const struct scheme *scheme);

/* Checks the PIN where the key is, and keeps what later operations need.
 * CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_DEVICE_ERROR, …; a failure leaves the
 * key logged out. Logging out wipes it. */
CHECKED CK_RV key_login(struct key *key, struct view pin);
void key_logout(struct key *key);

/* The operations; input as scheme.h says. What a key cannot do at all is
 * CKR_KEY_FUNCTION_NOT_PERMITTED. The caller frees the results. */
CHECKED CK_RV key_sign(struct key *key, const struct scheme *scheme, struct view input,
                       struct bytes *ret_signature);
CHECKED CK_RV key_decrypt(struct key *key, const struct scheme *scheme, struct view cipher,
                          struct bytes *ret_plain);
CHECKED CK_RV key_derive(struct key *key, struct view point, struct bytes *ret_secret);

/* A secret key that keeps its value, as one in a TPM does: it makes codes and ciphers
 * itself, and key_secret_value has nothing. */
bool key_keeps_value(const struct key *key);

/* What such a key does. key_mac: the whole HMAC over the data. key_cipher: AES over whole
 * blocks; `chain` (not used for ECB) is the block that the first is chained to, or the
 * counter; afterwards that of the next. `out` has the input's size, and may be the input. */
CHECKED CK_RV key_mac(struct key *key, enum hash hash, struct view data, struct bytes *ret_code);
CHECKED CK_RV key_cipher(struct key *key, enum block_mode mode, bool encrypt,
                         uint8_t chain[BLOCK_MODE_SIZE], struct view in, uint8_t *out);

#endif
