/* RSA encodings of PKCS #1 v2.2 (RFC 8017) around a raw private operation. */
#ifndef SIGNET_CRYPTO_PADDING_H
#define SIGNET_CRYPTO_PADDING_H

#include "token/base/bytes.h"
#include "token/base/scheme.h"

/* DigestInfo (9.2, note 1) of a digest: built, or taken apart. Parsing answers
 * false for anything that is not exactly the DER of a known hash. */
CHECKED CK_RV crypto_digest_info(enum hash hash, struct view digest, struct bytes *ret_info);
bool crypto_digest_info_parse(struct view info, enum hash *ret_hash, struct view *ret_digest);

/* EMSA-PKCS1-v1_5 block type 1 (9.2), EMSA-PSS (9.1.1) with scheme->salt_size
 * random salt bytes, and zeros in front; `size` and `bits` are the modulus's.
 * CKR_DATA_LEN_RANGE when the input does not fit; CKR_MECHANISM_PARAM_INVALID
 * when hash and salt do not. */
CHECKED CK_RV crypto_pad_pkcs1(struct view input, size_t size, struct bytes *ret_block);
CHECKED CK_RV crypto_pad_pss(const struct scheme *scheme, struct view digest, unsigned bits,
                             struct bytes *ret_block);
CHECKED CK_RV crypto_pad_raw(struct view input, size_t size, struct bytes *ret_block);

/* EME-OAEP decoding (7.1.2) of a whole block in constant time; any fault is
 * CKR_ENCRYPTED_DATA_INVALID. */
CHECKED CK_RV crypto_unpad_oaep(const struct scheme *scheme, struct view block,
                                struct bytes *ret_plain);

#endif
