#include "token/crypto/certificate.h"

#include <stdio.h>

#include "token/crypto/der.h"
#include "token/crypto/public.h"

#define COMMON_NAME_MAX_SIZE 4096

static const uint8_t common_name_oid[] = {0x55, 0x04, 0x03};
static const uint8_t basic_constraints_oid[] = {0x55, 0x1d, 0x13};

static CK_RV malformed(struct reason *reason, const char *part)
{
    reason_set(reason, "its %s is malformed", part);
    return CKR_DATA_INVALID;
}

static size_t put_utf8(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(leads[size] | c);
    return size;
}

/* Text of fixed-size characters: one byte (Latin-1), two (BMP) or four. */
static CK_RV copy_wide(struct view text, size_t width, struct bytes *ret_text)
{
    CLEANUP(bytes_free) struct bytes room = {0};
    CK_RV rv = bytes_alloc(&room, text.size / width * 4);
    if (rv != CKR_OK)
        return rv;
    size_t used = 0;
    for (size_t i = 0; i + width <= text.size; i += width) {
        uint32_t c = 0;
        for (size_t j = 0; j < width; j++)
            c = c << 8 | text.data[i + j];
        if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return CKR_OK;
        used += put_utf8(c, room.data + used);
    }
    return bytes_copy(ret_text, view_of(room.data, used));
}

/* No overlong forms, surrogates or zeros (RFC 3629). */
static bool is_utf8(struct view text)
{
    for (size_t i = 0; i < text.size;) {
        uint8_t lead = text.data[i], again[4];
        size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (lead == 0 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || size > text.size - i)
            return false;
        uint32_t c = size == 1 ? lead : lead & (0x7fu >> size);
        for (size_t j = 1; j < size; j++) {
            if ((text.data[i + j] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (text.data[i + j] & 0x3f);
        }
        if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || put_utf8(c, again) != size)
            return false;
        i += size;
    }
    return true;
}

/* Turns any of the string types of names into UTF-8; none if it is malformed. */
static CK_RV copy_text(const struct der *value, struct bytes *ret_text)
{
    if (value->content.size > COMMON_NAME_MAX_SIZE)
        return CKR_OK;
    switch (value->tag) {
    case DER_UTF8_STRING:
    case DER_PRINTABLE_STRING:
    case DER_IA5_STRING:
        return is_utf8(value->content) ? bytes_copy(ret_text, value->content) : CKR_OK;
    case DER_T61_STRING:
        return copy_wide(value->content, 1, ret_text);
    case DER_BMP_STRING:
        return copy_wide(value->content, 2, ret_text);
    case DER_UNIVERSAL_STRING:
        return copy_wide(value->content, 4, ret_text);
    default:
        return CKR_OK;
    }
}

/* Name ::= SEQUENCE OF SET OF SEQUENCE { type, value } */
static CK_RV find_common_name(struct view name, struct bytes *ret_text, struct reason *reason)
{
    struct der last = {0};
    while (name.size) {
        struct view set, pair, oid;
        struct der value;
        if (!der_take(&name, DER_SET, &set) || set.size == 0)
            return malformed(reason, "subject");
        while (set.size) {
            if (!der_take(&set, DER_SEQUENCE, &pair) || !der_take(&pair, DER_OID, &oid) ||
                !der_next(&pair, &value) || pair.size)
                return malformed(reason, "subject");
            if (view_equal(oid, view_of(common_name_oid, sizeof(common_name_oid))))
                last = value;
        }
    }
    return last.tag ? copy_text(&last, ret_text) : CKR_OK;
}

static bool all_digits(struct view text, size_t count)
{
    if (text.size < count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* The day of a UTCTime (RFC 5280, 4.1.2.5.1) or GeneralizedTime. */
static bool take_date(struct view *in, char ret_date[9])
{
    struct der time;
    if (!der_next(in, &time))
        return false;
    if (time.tag == DER_UTC_TIME && all_digits(time.content, 6)) {
        const char *century = time.content.data[0] >= '5' ? "19" : "20";
        snprintf(ret_date, 9, "%s%.6s", century, (const char *)time.content.data);
        return true;
    }
    if (time.tag != DER_GENERALIZED_TIME || !all_digits(time.content, 8))
        return false;
    snprintf(ret_date, 9, "%.8s", (const char *)time.content.data);
    return true;
}

static bool take_validity(struct view *in, struct certificate *certificate)
{
    struct view validity;
    return der_take(in, DER_SEQUENCE, &validity) && take_date(&validity, certificate->start_date) &&
           take_date(&validity, certificate->end_date) && validity.size == 0;
}

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, ... } */
static bool read_basic_constraints(struct view value, bool *ret_authority)
{
    struct view inner, flag;
    if (!der_only(value, DER_SEQUENCE, &inner))
        return false;
    *ret_authority = der_take(&inner, DER_BOOLEAN, &flag) && flag.size == 1 && flag.data[0] != 0;
    return true;
}

/* Skips the unique identifiers, then reads [3] SEQUENCE OF Extension. */
static bool read_extensions(struct view rest, struct certificate *certificate)
{
    struct view wrapped, list, extension, oid, critical, value;
    struct der skipped;
    while (rest.size && der_peek(rest) != DER_CONTEXT(3))
        if (!der_next(&rest, &skipped))
            return false;
    if (rest.size == 0)
        return true;
    if (!der_take(&rest, DER_CONTEXT(3), &wrapped) || rest.size ||
        !der_only(wrapped, DER_SEQUENCE, &list))
        return false;
    while (list.size) {
        if (!der_take(&list, DER_SEQUENCE, &extension) || !der_take(&extension, DER_OID, &oid))
            return false;
        (void)der_take(&extension, DER_BOOLEAN, &critical);
        if (!der_take(&extension, DER_OCTET_STRING, &value) || extension.size)
            return false;
        if (view_equal(oid, view_of(basic_constraints_oid, sizeof(basic_constraints_oid))) &&
            !read_basic_constraints(value, &certificate->authority))
            return false;
    }
    return true;
}

/* A key of another algorithm is kept as its bytes alone. */
static CK_RV read_public_key(struct view spki, struct public_key *ret_key, struct reason *reason)
{
    CK_RV rv = crypto_public_decode(spki, ret_key);
    if (rv == CKR_KEY_TYPE_INCONSISTENT)
        return bytes_copy(&ret_key->spki, spki);
    return rv == CKR_DATA_INVALID ? malformed(reason, "public key") : rv;
}

static bool take_name(struct view *in, struct view *ret_whole, struct view *ret_content)
{
    struct der name;
    if (!der_next(in, &name) || name.tag != DER_SEQUENCE)
        return false;
    *ret_whole = name.whole;
    *ret_content = name.content;
    return true;
}

static CK_RV read_body(struct view body, struct certificate *certificate, struct reason *reason)
{
    struct view version, algorithm, issuer, subject, name, spki, content;
    struct der serial;
    if (der_peek(body) == DER_CONTEXT(0) && !der_take(&body, DER_CONTEXT(0), &version))
        return malformed(reason, "version");
    if (!der_next(&body, &serial) || serial.tag != DER_INTEGER || serial.content.size == 0)
        return malformed(reason, "serial number");
    if (!der_take(&body, DER_SEQUENCE, &algorithm))
        return malformed(reason, "signature algorithm");
    if (!take_name(&body, &issuer, &content))
        return malformed(reason, "issuer");
    if (!take_validity(&body, certificate))
        return malformed(reason, "validity");
    if (!take_name(&body, &subject, &name))
        return malformed(reason, "subject");
    if (!take_name(&body, &spki, &content))
        return malformed(reason, "public key");
    if (!read_extensions(body, certificate))
        return malformed(reason, "list of extensions");
    CK_RV rv = bytes_copy(&certificate->serial, serial.whole);
    if (rv == CKR_OK)
        rv = bytes_copy(&certificate->issuer, issuer);
    if (rv == CKR_OK)
        rv = bytes_copy(&certificate->subject, subject);
    if (rv == CKR_OK)
        rv = find_common_name(name, &certificate->common_name, reason);
    if (rv == CKR_OK)
        rv = read_public_key(spki, &certificate->public_key, reason);
    return rv;
}

CK_RV certificate_decode(struct view der, struct certificate *ret_certificate,
                         struct reason *reason)
{
    struct view outer, body, algorithm, signature;
    if (!der_only(der, DER_SEQUENCE, &outer) || !der_take(&outer, DER_SEQUENCE, &body) ||
        !der_take(&outer, DER_SEQUENCE, &algorithm) ||
        !der_take(&outer, DER_BIT_STRING, &signature) || outer.size)
        return malformed(reason, "outer structure");
    CLEANUP(certificate_clear) struct certificate certificate = {0};
    CK_RV rv = read_body(body, &certificate, reason);
    if (rv == CKR_OK)
        rv = bytes_copy(&certificate.der, der);
    if (rv != CKR_OK)
        return rv;
    *ret_certificate = certificate;
    certificate = (struct certificate){0};
    return CKR_OK;
}
