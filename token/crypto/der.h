/* A small reader and writer of DER (X.690). Definite, minimal lengths and tags
 * below 31 only: all that keys and certificates are made of. */
#ifndef SIGNET_CRYPTO_DER_H
#define SIGNET_CRYPTO_DER_H

#include "token/base/bytes.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_T61_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_UNIVERSAL_STRING = 0x1c,
    DER_BMP_STRING = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

/* Context-specific: constructed (explicit tagging), and primitive. */
#define DER_CONTEXT(number) (0xa0u | (number))
#define DER_CONTEXT_PRIMITIVE(number) (0x80u | (number))

/* One element: its tag, its content, and all of its bytes. */
struct der {
    unsigned tag;
    struct view content;
    struct view whole;
};

/* The element at the front of `in`, which moves behind it. False, with `in` as
 * it was, at the end or at what is no complete DER element. */
bool der_next(struct view *in, struct der *ret_element);

/* The tag at the front, or 0 at the end. */
unsigned der_peek(struct view in);

/* The content of the element at the front if it has this tag. */
bool der_take(struct view *in, unsigned tag, struct view *ret_content);

/* `whole` is exactly one element with this tag. */
bool der_only(struct view whole, unsigned tag, struct view *ret_content);

/* The magnitude of an INTEGER >= 0, without leading zeros. */
bool der_take_unsigned(struct view *in, struct view *ret_magnitude);

/* The octets of a BIT STRING without unused bits. */
bool der_take_bits(struct view *in, struct view *ret_octets);

/* Bytes that the element at the front needs, 0 if that cannot be told. */
size_t der_size_needed(struct view in);

/* Appends an element, or an INTEGER of this magnitude. */
CHECKED CK_RV der_append(struct bytes *out, unsigned tag, struct view content);
CHECKED CK_RV der_append_unsigned(struct bytes *out, struct view magnitude);

/* `value` without leading zeros. */
struct view der_strip_zeros(struct view value);

#endif
