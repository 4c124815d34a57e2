#include "token/tpm/template.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#include "token/tpm/create.h"
#include "token/tpm/public.h"

#define RSA_LEAST_BITS 2048

/* The area's name algorithm is SHA-256: no authorisation is longer. */
#define AUTH_MAX_SIZE 32

/* Any scheme, so that one key serves every mechanism; noDA, as the authorisation is
 * no PIN but derived from a random secret. */
#define ATTRIBUTES                                                                                 \
    (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT)
#define ATTRIBUTES_OF_CREATED                                                                      \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN)

static struct view without_zeros(struct view number)
{
    while (number.size && !number.data[0])
        number = view_of(number.data + 1, number.size - 1);
    return number;
}

/* TPM 2.0 Part 2, 12.2.3.5: 0 stands for 65537, and not every TPM takes another. */
static CK_RV exponent_of(struct view bytes, UINT32 *ret_exponent)
{
    struct view number = without_zeros(bytes);
    UINT32 exponent = 0;
    if (number.size > sizeof(exponent))
        return CKR_KEY_SIZE_RANGE;
    for (size_t i = 0; i < number.size; i++)
        exponent = exponent << 8 | number.data[i];
    if (bytes.size && (exponent < 3 || exponent % 2 == 0))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *ret_exponent = exponent == 65537 ? 0 : exponent;
    return CKR_OK;
}

static CK_RV rsa_area(size_t bits, struct view exponent, TPMT_PUBLIC *ret_area)
{
    TPMT_PUBLIC area = {.type = TPM2_ALG_RSA,
                        .nameAlg = TPM2_ALG_SHA256,
                        .objectAttributes = ATTRIBUTES,
                        .parameters.rsaDetail = {.symmetric.algorithm = TPM2_ALG_NULL,
                                                 .scheme.scheme = TPM2_ALG_NULL,
                                                 .keyBits = (TPMI_RSA_KEY_BITS)bits}};
    if (bits < RSA_LEAST_BITS || bits % 8 || bits > 8 * sizeof(area.unique.rsa.buffer))
        return CKR_KEY_SIZE_RANGE;
    CK_RV rv = exponent_of(exponent, &area.parameters.rsaDetail.exponent);
    if (rv == CKR_OK)
        *ret_area = area;
    return rv;
}

static CK_RV ec_area(struct view curve, size_t *ret_coordinate, TPMT_PUBLIC *ret_area)
{
    TPM2_ECC_CURVE id = tpm_public_curve(curve, ret_coordinate);
    if (id == TPM2_ECC_NONE)
        return CKR_CURVE_NOT_SUPPORTED;
    *ret_area = (TPMT_PUBLIC){.type = TPM2_ALG_ECC,
                              .nameAlg = TPM2_ALG_SHA256,
                              .objectAttributes = ATTRIBUTES,
                              .parameters.eccDetail = {.symmetric.algorithm = TPM2_ALG_NULL,
                                                       .scheme.scheme = TPM2_ALG_NULL,
                                                       .curveID = id,
                                                       .kdf.scheme = TPM2_ALG_NULL}};
    return CKR_OK;
}

CK_RV template_of_spec(const struct key_spec *spec, TPMT_PUBLIC *ret_area)
{
    size_t coordinate = 0;
    CK_RV rv = CKR_ATTRIBUTE_VALUE_INVALID;
    TPMT_PUBLIC area;
    if (spec->algorithm == KEY_ALGORITHM_RSA)
        rv = rsa_area(spec->bits, bytes_view(&spec->exponent), &area);
    else if (spec->algorithm == KEY_ALGORITHM_EC)
        rv = ec_area(bytes_view(&spec->curve), &coordinate, &area);
    else if (spec->algorithm == KEY_ALGORITHM_EDWARDS ||
             spec->algorithm == KEY_ALGORITHM_MONTGOMERY)
        rv = CKR_CURVE_NOT_SUPPORTED;
    if (rv != CKR_OK)
        return rv;
    area.objectAttributes |= ATTRIBUTES_OF_CREATED;
    *ret_area = area;
    return CKR_OK;
}

/* TPM 2.0 Part 2, 12.2.3.3 and 12.2.3.4. A keyedhash for signing and decrypting has no
 * scheme: each command names its hash. So does a cipher its mode. */
CK_RV template_of_secret(enum key_algorithm algorithm, unsigned bits, bool made_by_tpm,
                         TPMT_PUBLIC *ret_area)
{
    TPMT_PUBLIC area = {.nameAlg = TPM2_ALG_SHA256,
                        .objectAttributes = ATTRIBUTES | ATTRIBUTES_OF_CREATED};
    if (!made_by_tpm)
        area.objectAttributes &= ~TPMA_OBJECT_SENSITIVEDATAORIGIN;
    if (algorithm == KEY_ALGORITHM_SECRET) {
        area.type = TPM2_ALG_KEYEDHASH;
        area.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
    } else if (algorithm == KEY_ALGORITHM_AES) {
        if (bits != 128 && bits != 192 && bits != 256)
            return CKR_KEY_SIZE_RANGE;
        area.type = TPM2_ALG_SYMCIPHER;
        area.parameters.symDetail.sym = (TPMT_SYM_DEF_OBJECT){
            .algorithm = TPM2_ALG_AES, .keyBits.aes = (UINT16)bits, .mode.aes = TPM2_ALG_NULL};
    } else {
        return CKR_ARGUMENTS_BAD;
    }
    *ret_area = area;
    return CKR_OK;
}

CK_RV template_auth(struct view auth, TPM2B_AUTH *ret_auth)
{
    if (auth.size > AUTH_MAX_SIZE)
        return CKR_PIN_LEN_RANGE;
    *ret_auth = (TPM2B_AUTH){.size = (UINT16)auth.size};
    if (auth.size)
        memcpy(ret_auth->buffer, auth.data, auth.size);
    return CKR_OK;
}

CK_RV template_duplicate(struct view duplicate, struct view encrypted_secret,
                         TPM2B_PRIVATE *ret_duplicate, TPM2B_ENCRYPTED_SECRET *ret_secret)
{
    TPM2B_PRIVATE private = {0};
    TPM2B_ENCRYPTED_SECRET secret = {0};
    size_t offset = 0;
    if (!duplicate.size || !encrypted_secret.size ||
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(duplicate.data, duplicate.size, &offset, &private) !=
            TSS2_RC_SUCCESS ||
        offset != duplicate.size)
        return CKR_DATA_INVALID;
    offset = 0;
    if (Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(encrypted_secret.data, encrypted_secret.size,
                                                 &offset, &secret) != TSS2_RC_SUCCESS ||
        offset != encrypted_secret.size)
        return CKR_DATA_INVALID;
    *ret_duplicate = private;
    *ret_secret = secret;
    return CKR_OK;
}

/* Into a zeroed field, behind as many zeros as the number lacks. */
static bool fill(struct view number, size_t size, UINT16 *ret_size, uint8_t *buffer,
                 size_t buffer_size)
{
    number = without_zeros(number);
    if (!number.size || number.size > size || size > buffer_size)
        return false;
    memcpy(buffer + size - number.size, number.data, number.size);
    *ret_size = (UINT16)size;
    return true;
}

#define FILL(number, length, sized)                                                                \
    fill(number, length, &(sized).size, (sized).buffer, sizeof((sized).buffer))

static CK_RV rsa_structures(const struct private_parts *parts, TPMT_PUBLIC *area,
                            TPMT_SENSITIVE *sensitive)
{
    struct view modulus = without_zeros(bytes_view(&parts->modulus));
    CK_RV rv = rsa_area(modulus.size * 8, bytes_view(&parts->public_exponent), area);
    if (rv != CKR_OK)
        return rv;
    /* A TPM's two primes have half the modulus's size each. */
    struct view prime = without_zeros(bytes_view(&parts->prime_1));
    if (!parts->public_exponent.size || !(modulus.data[0] & 0x80) ||
        prime.size != modulus.size / 2 || !FILL(modulus, modulus.size, area->unique.rsa) ||
        !FILL(prime, modulus.size / 2, sensitive->sensitive.rsa))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return CKR_OK;
}

static CK_RV ec_structures(const struct private_parts *parts, TPMT_PUBLIC *area,
                           TPMT_SENSITIVE *sensitive)
{
    size_t size = 0;
    CK_RV rv = ec_area(bytes_view(&parts->curve), &size, area);
    if (rv != CKR_OK)
        return rv;
    const struct bytes *point = &parts->point;
    TPMS_ECC_POINT *unique = &area->unique.ecc;
    if (point->size != 1 + 2 * size || point->data[0] != 4 ||
        !FILL(view_of(point->data + 1, size), size, unique->x) ||
        !FILL(view_of(point->data + 1 + size, size), size, unique->y) ||
        !FILL(bytes_view(&parts->value), size, sensitive->sensitive.ecc))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    return CKR_OK;
}

static CK_RV marshal(const TPM2B_PUBLIC *public, const TPMT_SENSITIVE *sensitive,
                     struct bytes *ret_public, struct bytes *ret_sensitive)
{
    uint8_t buffer[sizeof(TPM2B_PUBLIC) + sizeof(TPMT_SENSITIVE)];
    struct bytes marshalled = {0};
    size_t middle = 0;
    size_t size = 0;
    CK_RV rv = CKR_FUNCTION_FAILED;
    if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, buffer, sizeof(buffer), &middle) == TSS2_RC_SUCCESS) {
        size = middle;
        if (Tss2_MU_TPMT_SENSITIVE_Marshal(sensitive, buffer, sizeof(buffer), &size) ==
            TSS2_RC_SUCCESS)
            rv = bytes_copy(&marshalled, view_of(buffer, middle));
    }
    if (rv == CKR_OK)
        rv = bytes_copy(ret_sensitive, view_of(buffer + middle, size - middle));
    explicit_bzero(buffer, sizeof(buffer));
    if (rv != CKR_OK) {
        bytes_free(&marshalled);
        return rv;
    }
    bytes_free(ret_public);
    *ret_public = marshalled;
    return CKR_OK;
}

CK_RV tpm_import_structures(const struct private_parts *parts, struct view auth,
                            struct bytes *ret_public, struct bytes *ret_sensitive)
{
    TPM2B_PUBLIC public = {0};
    TPMT_SENSITIVE sensitive = {0};
    CK_RV rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (parts->algorithm == KEY_ALGORITHM_RSA)
        rv = rsa_structures(parts, &public.publicArea, &sensitive);
    else if (parts->algorithm == KEY_ALGORITHM_EC)
        rv = ec_structures(parts, &public.publicArea, &sensitive);
    else if (parts->algorithm == KEY_ALGORITHM_EDWARDS ||
             parts->algorithm == KEY_ALGORITHM_MONTGOMERY)
        rv = CKR_CURVE_NOT_SUPPORTED;
    if (rv == CKR_OK)
        rv = template_auth(auth, &sensitive.authValue);
    sensitive.sensitiveType = public.publicArea.type;
    if (rv == CKR_OK)
        rv = marshal(&public, &sensitive, ret_public, ret_sensitive);
    explicit_bzero(&sensitive, sizeof(sensitive));
    return rv;
}
