#include "token/object/schema_table.h"

const struct schema_word schema_classes[] = {
    {CKO_DATA, "data", ON_DATA},
    {CKO_CERTIFICATE, "certificate", ON_CERTIFICATE},
    {CKO_PUBLIC_KEY, "public key", ON_PUBLIC},
    {CKO_PRIVATE_KEY, "private key", ON_PRIVATE},
    {CKO_SECRET_KEY, "secret key", ON_SECRET},
    {CKO_PROFILE, "profile", ON_PROFILE},
    {0, NULL, 0},
};

const struct schema_word schema_key_types[] = {
    {CKK_RSA, "rsa", FOR_RSA},
    {CKK_EC, "ec", FOR_EC},
    {CKK_EC_EDWARDS, "ec edwards", FOR_EDWARDS},
    {CKK_EC_MONTGOMERY, "ec montgomery", FOR_MONTGOMERY},
    {CKK_AES, "aes", FOR_AES},
    {CKK_GENERIC_SECRET, "generic secret", FOR_GENERIC},
    {CKK_SHA_1_HMAC, "sha-1 hmac", FOR_HMAC},
    {CKK_SHA224_HMAC, "sha-224 hmac", FOR_HMAC},
    {CKK_SHA256_HMAC, "sha-256 hmac", FOR_HMAC},
    {CKK_SHA384_HMAC, "sha-384 hmac", FOR_HMAC},
    {CKK_SHA512_HMAC, "sha-512 hmac", FOR_HMAC},
    {CKK_SHA3_224_HMAC, "sha3-224 hmac", FOR_HMAC},
    {CKK_SHA3_256_HMAC, "sha3-256 hmac", FOR_HMAC},
    {CKK_SHA3_384_HMAC, "sha3-384 hmac", FOR_HMAC},
    {CKK_SHA3_512_HMAC, "sha3-512 hmac", FOR_HMAC},
    {CKK_HKDF, "hkdf", FOR_HKDF},
    {0, NULL, 0},
};

const struct schema_word schema_certificate_types[] = {
    {CKC_X_509, "x.509", 0},
    {0, NULL, 0},
};

#define ROW(type, ...)                                                                             \
    {                                                                                              \
        CKA_##type, __VA_ARGS__                                                                    \
    }

/* PKCS#11 3.1: 4.2 common, 4.4 storage, 4.5 data, 4.6 certificates, 4.7 keys,
 * 4.8 public, 4.9 private, 4.10 secret, 4.14 profile; 6.1 RSA, 6.3 EC, 6.7 generic
 * secret, 6.10 AES. */
const struct schema_row schema_rows[] = {
    ROW(CLASS, "class", ON_ALL, KIND_CLASS, REQUIRED, FILL_NOTHING),
    ROW(TOKEN, "token", ON_ALL, KIND_BOOL, CHANGEABLE_ON_COPY, FILL_FALSE),
    ROW(PRIVATE, "private", ON_ALL, KIND_BOOL, CHANGEABLE_ON_COPY | ONLY_TO_TRUE, FILL_PRIVATE),
    ROW(MODIFIABLE, "modifiable", ON_ALL, KIND_BOOL, CHANGEABLE_ON_COPY, FILL_TRUE),
    ROW(COPYABLE, "copyable", ON_ALL, KIND_BOOL, CHANGEABLE | ONLY_TO_FALSE, FILL_TRUE),
    ROW(DESTROYABLE, "destroyable", ON_ALL, KIND_BOOL, CHANGEABLE, FILL_TRUE),
    ROW(LABEL, "label", ON_ALL, KIND_BYTES, CHANGEABLE, FILL_EMPTY),
    ROW(UNIQUE_ID, "unique id", ON_ALL, KIND_BYTES, SET_BY_MODULE, FILL_NOTHING),
    ROW(PROFILE_ID, "profile id", ON_PROFILE, KIND_ULONG, 0, FILL_NOTHING),

    ROW(APPLICATION, "application", ON_DATA, KIND_BYTES, CHANGEABLE, FILL_EMPTY),
    ROW(OBJECT_ID, "object id", ON_DATA, KIND_BYTES, CHANGEABLE, FILL_EMPTY),
    ROW(VALUE, "value", ON_DATA, KIND_BYTES, CHANGEABLE | NOT_ON_DERIVE, FILL_EMPTY),

    ROW(CERTIFICATE_TYPE, "certificate type", ON_CERTIFICATE, KIND_CERTIFICATE_TYPE, REQUIRED,
        FILL_NOTHING),
    ROW(TRUSTED, "trusted", ON_CERTIFICATE | ON_PUBLIC | ON_SECRET, KIND_BOOL,
        CHANGEABLE | ONLY_BY_SO, FILL_FALSE),
    ROW(CERTIFICATE_CATEGORY, "certificate category", ON_CERTIFICATE, KIND_ULONG, 0, FILL_ZERO),
    ROW(CHECK_VALUE, "check value", ON_CERTIFICATE | ON_SECRET, KIND_BYTES, 0, FILL_NOTHING),
    ROW(START_DATE, "start date", ON_CERTIFICATE, KIND_DATE, 0, FILL_EMPTY),
    ROW(END_DATE, "end date", ON_CERTIFICATE, KIND_DATE, 0, FILL_EMPTY),
    ROW(SUBJECT, "subject", ON_CERTIFICATE, KIND_BYTES, REQUIRED_ON_CREATE, FILL_NOTHING),
    ROW(ISSUER, "issuer", ON_CERTIFICATE, KIND_BYTES, CHANGEABLE, FILL_EMPTY),
    ROW(SERIAL_NUMBER, "serial number", ON_CERTIFICATE, KIND_BYTES, CHANGEABLE, FILL_EMPTY),
    ROW(VALUE, "value", ON_CERTIFICATE, KIND_BYTES, REQUIRED_ON_CREATE | NOT_EMPTY, FILL_NOTHING),
    ROW(URL, "url", ON_CERTIFICATE, KIND_BYTES, 0, FILL_EMPTY),
    ROW(HASH_OF_SUBJECT_PUBLIC_KEY, "hash of subject public key", ON_CERTIFICATE, KIND_BYTES, 0,
        FILL_EMPTY),
    ROW(HASH_OF_ISSUER_PUBLIC_KEY, "hash of issuer public key", ON_CERTIFICATE, KIND_BYTES, 0,
        FILL_EMPTY),
    ROW(NAME_HASH_ALGORITHM, "name hash algorithm", ON_CERTIFICATE, KIND_MECHANISM, 0, FILL_SHA1),
    ROW(JAVA_MIDP_SECURITY_DOMAIN, "java midp security domain", ON_CERTIFICATE, KIND_ULONG, 0,
        FILL_ZERO),
    ROW(PUBLIC_KEY_INFO, "public key info", ON_CERTIFICATE | ON_PAIR, KIND_BYTES, FROM_MECHANISM,
        FILL_EMPTY),
    /* Of no standard, but NSS gives it to each certificate with a mail address. */
    ROW(NSS_EMAIL, "nss email", ON_CERTIFICATE, KIND_BYTES, 0, FILL_NOTHING),

    ROW(ID, "id", ON_CERTIFICATE | ON_KEYS, KIND_BYTES, CHANGEABLE, FILL_EMPTY),
    ROW(KEY_TYPE, "key type", ON_KEYS, KIND_KEY_TYPE, REQUIRED, FILL_NOTHING),
    ROW(START_DATE, "start date", ON_KEYS, KIND_DATE, CHANGEABLE, FILL_EMPTY),
    ROW(END_DATE, "end date", ON_KEYS, KIND_DATE, CHANGEABLE, FILL_EMPTY),
    ROW(DERIVE, "derive", ON_KEYS, KIND_BOOL, CHANGEABLE, FILL_FALSE),
    ROW(LOCAL, "local", ON_KEYS, KIND_BOOL, SET_BY_MODULE, FILL_FALSE),
    ROW(KEY_GEN_MECHANISM, "key gen mechanism", ON_KEYS, KIND_MECHANISM, SET_BY_MODULE,
        FILL_UNAVAILABLE),
    ROW(ALLOWED_MECHANISMS, "allowed mechanisms", ON_KEYS, KIND_MECHANISMS, 0, FILL_NOTHING),
    ROW(SUBJECT, "subject", ON_PAIR, KIND_BYTES, CHANGEABLE, FILL_EMPTY),

    ROW(ENCRYPT, "encrypt", ON_PUBLIC | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(VERIFY, "verify", ON_PUBLIC | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(VERIFY_RECOVER, "verify recover", ON_PUBLIC, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(WRAP, "wrap", ON_PUBLIC | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(ENCAPSULATE, "encapsulate", ON_PUBLIC, KIND_BOOL, CHANGEABLE, FILL_FALSE),
    ROW(DECRYPT, "decrypt", ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(SIGN, "sign", ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(SIGN_RECOVER, "sign recover", ON_PRIVATE, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(UNWRAP, "unwrap", ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE, FILL_USE),
    ROW(DECAPSULATE, "decapsulate", ON_PRIVATE, KIND_BOOL, CHANGEABLE, FILL_FALSE),

    ROW(SENSITIVE, "sensitive", ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE | ONLY_TO_TRUE,
        FILL_SENSITIVE),
    ROW(EXTRACTABLE, "extractable", ON_PRIVATE | ON_SECRET, KIND_BOOL, CHANGEABLE | ONLY_TO_FALSE,
        FILL_EXTRACTABLE),
    ROW(ALWAYS_SENSITIVE, "always sensitive", ON_PRIVATE | ON_SECRET, KIND_BOOL, SET_BY_MODULE,
        FILL_FALSE),
    ROW(NEVER_EXTRACTABLE, "never extractable", ON_PRIVATE | ON_SECRET, KIND_BOOL, SET_BY_MODULE,
        FILL_FALSE),
    ROW(WRAP_WITH_TRUSTED, "wrap with trusted", ON_PRIVATE | ON_SECRET, KIND_BOOL,
        CHANGEABLE | ONLY_TO_TRUE, FILL_FALSE),
    ROW(ALWAYS_AUTHENTICATE, "always authenticate", ON_PRIVATE, KIND_BOOL, 0, FILL_FALSE),

    ROW(VALUE, "value", ON_SECRET, KIND_BYTES,
        REQUIRED_ON_CREATE | FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),
    ROW(VALUE_LEN, "value len", ON_SECRET | FOR_AES | FOR_GENERIC | FOR_HKDF, KIND_ULONG,
        NOT_ON_CREATE | REQUIRED_ON_GENERATE, FILL_VALUE_LEN),
    /* Generated with the size of their digest. */
    ROW(VALUE_LEN, "value len", ON_SECRET | FOR_HMAC, KIND_ULONG, NOT_ON_CREATE, FILL_VALUE_LEN),

    ROW(MODULUS, "modulus", ON_PAIR | FOR_RSA, KIND_BYTES,
        REQUIRED_ON_CREATE | FROM_MECHANISM | NOT_EMPTY, FILL_NOTHING),
    ROW(MODULUS_BITS, "modulus bits", ON_PUBLIC | FOR_RSA, KIND_ULONG,
        NOT_ON_CREATE | REQUIRED_ON_GENERATE, FILL_NOTHING),
    ROW(PUBLIC_EXPONENT, "public exponent", ON_PUBLIC | FOR_RSA, KIND_BYTES,
        REQUIRED_ON_CREATE | NOT_EMPTY, FILL_EXPONENT),
    ROW(PUBLIC_EXPONENT, "public exponent", ON_PRIVATE | FOR_RSA, KIND_BYTES,
        REQUIRED_ON_CREATE | FROM_MECHANISM | NOT_EMPTY, FILL_NOTHING),
    /* One of the first three is enough to create a key: see check_whole. */
    ROW(PRIVATE_EXPONENT, "private exponent", ON_PRIVATE | FOR_RSA, KIND_BYTES,
        FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),
    ROW(PRIME_1, "prime 1", ON_PRIVATE | FOR_RSA, KIND_BYTES,
        FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),
    ROW(PRIME_2, "prime 2", ON_PRIVATE | FOR_RSA, KIND_BYTES,
        FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),
    ROW(EXPONENT_1, "exponent 1", ON_PRIVATE | FOR_RSA, KIND_BYTES,
        FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),
    ROW(EXPONENT_2, "exponent 2", ON_PRIVATE | FOR_RSA, KIND_BYTES,
        FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),
    ROW(COEFFICIENT, "coefficient", ON_PRIVATE | FOR_RSA, KIND_BYTES,
        FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),

    ROW(EC_PARAMS, "ec params", ON_PUBLIC | FOR_CURVES, KIND_CURVE,
        REQUIRED_ON_CREATE | REQUIRED_ON_GENERATE, FILL_NOTHING),
    ROW(EC_PARAMS, "ec params", ON_PRIVATE | FOR_CURVES, KIND_CURVE,
        REQUIRED_ON_CREATE | FROM_MECHANISM, FILL_NOTHING),
    ROW(EC_POINT, "ec point", ON_PUBLIC | FOR_CURVES, KIND_BYTES,
        REQUIRED_ON_CREATE | FROM_MECHANISM | NOT_EMPTY, FILL_NOTHING),
    /* Not in the specification for private keys, but several clients ask. */
    ROW(EC_POINT, "ec point", ON_PRIVATE | FOR_CURVES, KIND_BYTES, FROM_MECHANISM | NOT_EMPTY,
        FILL_NOTHING),
    ROW(VALUE, "value", ON_PRIVATE | FOR_CURVES, KIND_BYTES,
        REQUIRED_ON_CREATE | FROM_MECHANISM | HIDDEN_IF_SENSITIVE | NOT_EMPTY, FILL_NOTHING),
};

const size_t schema_row_count = ARRAY_SIZE(schema_rows);

const struct schema_word *schema_word(const struct schema_word *words, CK_ULONG number)
{
    for (; words->name; words++)
        if (words->number == number)
            return words;
    return NULL;
}

unsigned schema_bits(const struct attributes *attributes)
{
    CK_ULONG class = attributes_ulong(attributes, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
    CK_ULONG type = attributes_ulong(attributes, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    const struct schema_word *word = schema_word(schema_classes, class);
    unsigned bits = word ? word->bit : 0;
    word = bits & ON_KEYS ? schema_word(schema_key_types, type) : NULL;
    unsigned types = bits & ON_SECRET ? FOR_SECRET : FOR_PAIR;
    return bits | (word ? word->bit & types : 0);
}

bool schema_applies(const struct schema_row *row, unsigned bits)
{
    return (row->objects & bits & ON_ALL) &&
           (!(row->objects & FOR_ANY) || row->objects & bits & FOR_ANY);
}

const struct schema_row *schema_find(CK_ATTRIBUTE_TYPE type, unsigned bits)
{
    for (size_t i = 0; i < schema_row_count; i++)
        if (schema_rows[i].type == type && schema_applies(&schema_rows[i], bits))
            return &schema_rows[i];
    return NULL;
}

const struct schema_row *schema_any(CK_ATTRIBUTE_TYPE type)
{
    return schema_find(type, ON_ALL | FOR_ANY);
}

bool schema_may_hide(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_VALUE || (type >= CKA_PRIVATE_EXPONENT && type <= CKA_COEFFICIENT);
}

bool schema_is_date(struct view value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    return value.size == 0 || value.size == sizeof(CK_DATE);
}

bool schema_is_list(struct view value)
{
    return value.size % sizeof(CK_ULONG) == 0 && value.size / sizeof(CK_ULONG) <= SCHEMA_MAX_LIST;
}
