/* The specification as a table: one row per attribute and kind of object that has
 * it. Inside the room only; schema.c and text.c interpret it. */
#ifndef SIGNET_OBJECT_SCHEMA_TABLE_H
#define SIGNET_OBJECT_SCHEMA_TABLE_H

#include "token/object/attributes.h"

/* Of NSS, in p11-kit's header of extensions. */
#ifndef CKA_NSS_EMAIL
#define CKA_NSS_EMAIL 0xce534352UL
#endif

enum schema_kind {
    KIND_BOOL,
    KIND_ULONG,
    KIND_CLASS,
    KIND_KEY_TYPE,
    KIND_CERTIFICATE_TYPE,
    KIND_MECHANISM,
    KIND_MECHANISMS, /* an array of them */
    KIND_BYTES,
    KIND_DATE,
    KIND_CURVE, /* DER of ECParameters */
};

/* Which objects have it: classes, and if it is for some key types only, these. */
enum {
    ON_DATA = 1 << 0,
    ON_CERTIFICATE = 1 << 1,
    ON_PUBLIC = 1 << 2,
    ON_PRIVATE = 1 << 3,
    ON_SECRET = 1 << 4,
    ON_PROFILE = 1 << 5,
    ON_PAIR = ON_PUBLIC | ON_PRIVATE,
    ON_KEYS = ON_PAIR | ON_SECRET,
    ON_STORED = ON_DATA | ON_CERTIFICATE | ON_KEYS,
    ON_ALL = ON_STORED | ON_PROFILE,
    FOR_RSA = 1 << 8,
    FOR_EC = 1 << 9,
    FOR_EDWARDS = 1 << 10,
    FOR_MONTGOMERY = 1 << 11,
    FOR_AES = 1 << 12,
    FOR_GENERIC = 1 << 13,
    FOR_HMAC = 1 << 14,
    FOR_HKDF = 1 << 15,
    FOR_CURVES = FOR_EC | FOR_EDWARDS | FOR_MONTGOMERY,
    FOR_PAIR = FOR_RSA | FOR_CURVES,
    FOR_SECRET = FOR_AES | FOR_GENERIC | FOR_HMAC | FOR_HKDF,
    FOR_ANY = FOR_PAIR | FOR_SECRET,
};

/* Who may give it, and what may be done with it. */
enum {
    REQUIRED = 1 << 0, /* says what the object is: always */
    REQUIRED_ON_CREATE = 1 << 1,
    REQUIRED_ON_GENERATE = 1 << 2,
    SET_BY_MODULE = 1 << 3, /* read-only in every template */
    NOT_ON_CREATE = 1 << 4, /* follows from what is given */
    NOT_ON_GENERATE = 1 << 5,
    NOT_ON_UNWRAP = 1 << 6,
    NOT_ON_DERIVE = 1 << 7,
    CHANGEABLE = 1 << 8, /* by C_SetAttributeValue and C_CopyObject */
    CHANGEABLE_ON_COPY = 1 << 9,
    ONLY_TO_TRUE = 1 << 10,
    ONLY_TO_FALSE = 1 << 11,
    ONLY_BY_SO = 1 << 12,
    HIDDEN_IF_SENSITIVE = 1 << 13,
    NOT_EMPTY = 1 << 14,
    /* A number or value of the key itself, that the mechanism brings. */
    FROM_MECHANISM = NOT_ON_GENERATE | NOT_ON_UNWRAP | NOT_ON_DERIVE,
};

/* What it is if the template does not say; those behind FILL_COMPUTED depend on
 * other attributes: see default_of in schema.c. */
enum schema_fill {
    FILL_NOTHING,
    FILL_FALSE,
    FILL_TRUE,
    FILL_EMPTY,
    FILL_ZERO,
    FILL_UNAVAILABLE,
    FILL_SHA1,
    FILL_COMPUTED,
    FILL_PRIVATE = FILL_COMPUTED,
    FILL_SENSITIVE,
    FILL_EXTRACTABLE,
    FILL_USE,
    FILL_EXPONENT,
    FILL_VALUE_LEN,
};

struct schema_row {
    CK_ATTRIBUTE_TYPE type;
    const char *name; /* the same in all rows of a type, as is the kind */
    unsigned objects;
    enum schema_kind kind;
    unsigned rules;
    enum schema_fill fill;
};

extern const struct schema_row schema_rows[];
extern const size_t schema_row_count;

/* A number, its word in entry files, and its bit above. */
struct schema_word {
    CK_ULONG number;
    const char *name;
    unsigned bit;
};

/* The classes, key types and certificate types that there can be; ended by a row
 * without name. */
extern const struct schema_word schema_classes[];
extern const struct schema_word schema_key_types[];
extern const struct schema_word schema_certificate_types[];

const struct schema_word *schema_word(const struct schema_word *words, CK_ULONG number);

/* What an object is: bits of its class and key type. */
unsigned schema_bits(const struct attributes *attributes);

/* The row for this attribute on such an object; NULL if it has none. */
const struct schema_row *schema_find(CK_ATTRIBUTE_TYPE type, unsigned bits);
bool schema_applies(const struct schema_row *row, unsigned bits);

/* Values of the two kinds: eight digits or nothing; at most so many numbers. */
#define SCHEMA_MAX_LIST 256
bool schema_is_date(struct view value);
bool schema_is_list(struct view value);

/* Has the attribute a row with HIDDEN_IF_SENSITIVE? Quick: every comparison asks. */
bool schema_may_hide(CK_ATTRIBUTE_TYPE type);

/* Any row of the attribute. */
const struct schema_row *schema_any(CK_ATTRIBUTE_TYPE type);

#endif
