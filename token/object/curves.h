/* CKA_EC_PARAMS and CKA_EC_POINT as clients write them. Inside the room only. */
#ifndef SIGNET_OBJECT_CURVES_H
#define SIGNET_OBJECT_CURVES_H

#include "token/base/bytes.h"

/* The DER of the curve's OID for what a template gives: that OID, another that the
 * curve had, or its name in a PrintableString (PKCS#11 3.1, 6.3.3). It lives as long
 * as `given`. CKR_DOMAIN_PARAMS_INVALID for what is malformed,
 * CKR_CURVE_NOT_SUPPORTED for explicit parameters, unknown names, and curves that are
 * not of this key type. */
CHECKED CK_RV curve_normalise(CK_KEY_TYPE type, struct view given, struct view *ret_oid);

/* Bytes of a public key on an Edwards or Montgomery curve; 0 for others. */
size_t curve_raw_size(struct view oid);

/* Takes the OCTET STRING off a point, if there is one of exactly that length. */
struct view curve_unwrap_point(CK_KEY_TYPE type, struct view oid, struct view point);

/* A DER OCTET STRING around a point of at most 255 bytes, as CKA_EC_POINT wants it. */
CHECKED CK_RV curve_wrap_point(struct view point, struct bytes *ret_der);

#endif
