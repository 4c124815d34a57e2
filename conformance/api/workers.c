#include "conformance/api/workers.h"

#include <time.h>

static CK_RV find_labelled_slot(const char *label, CK_SLOT_ID *ret_slot)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS;
    CK_RV rv = p11->C_GetSlotList(CK_TRUE, slots, &count);
    size_t length = strlen(label);

    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++) {
        CK_TOKEN_INFO info;

        rv = p11->C_GetTokenInfo(slots[i], &info);
        if (rv != CKR_OK || length > sizeof(info.label) || memcmp(info.label, label, length) ||
            (length < sizeof(info.label) && info.label[length] != ' '))
            continue;
        *ret_slot = slots[i];
        return CKR_OK;
    }
    return rv == CKR_OK ? CKR_SLOT_ID_INVALID : rv;
}

static CK_RV login_where_needed(struct signer *signer)
{
    const char *pin = getenv("PKCS11_PIN");
    CK_TOKEN_INFO info;
    CK_RV rv = p11->C_GetTokenInfo(signer->slot, &info);

    if (rv != CKR_OK || !(info.flags & CKF_LOGIN_REQUIRED) || !pin)
        return rv;
    rv = login(signer->session, pin);
    return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

static CK_RV find_first(struct signer *signer, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret_object)
{
    CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof(class)};
    CK_ULONG count = 0;
    CK_RV rv = p11->C_FindObjectsInit(signer->session, &template, 1);

    if (rv != CKR_OK)
        return rv;
    rv = p11->C_FindObjects(signer->session, ret_object, 1, &count);
    if (rv == CKR_OK)
        rv = p11->C_FindObjectsFinal(signer->session);
    return rv == CKR_OK && count == 0 ? CKR_OBJECT_HANDLE_INVALID : rv;
}

static CK_RV choose_mechanism(struct signer *signer)
{
    CK_KEY_TYPE type = POISON_ULONG;
    CK_ATTRIBUTE attribute = {CKA_KEY_TYPE, &type, sizeof(type)};
    CK_RV rv = p11->C_GetAttributeValue(signer->session, signer->public_key, &attribute, 1);

    signer->mechanism = (CK_MECHANISM){type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
    return rv;
}

CK_RV signer_open(const char *label, struct signer *ret_signer)
{
    CK_RV rv = find_labelled_slot(label, &ret_signer->slot);

    if (rv == CKR_OK)
        rv = p11->C_OpenSession(ret_signer->slot, CKF_SERIAL_SESSION, NULL, NULL,
                                &ret_signer->session);
    if (rv == CKR_OK)
        rv = login_where_needed(ret_signer);
    if (rv == CKR_OK)
        rv = find_first(ret_signer, CKO_PRIVATE_KEY, &ret_signer->private_key);
    if (rv == CKR_OK)
        rv = find_first(ret_signer, CKO_PUBLIC_KEY, &ret_signer->public_key);
    return rv == CKR_OK ? choose_mechanism(ret_signer) : rv;
}

CK_RV signer_sign(struct signer *signer)
{
    unsigned char data[32] = "data of a thread or a child", signature[1024];
    CK_ULONG length = sizeof(signature);
    CK_RV rv = p11->C_SignInit(signer->session, &signer->mechanism, signer->private_key);

    if (rv == CKR_OK)
        rv = p11->C_Sign(signer->session, data, sizeof(data), signature, &length);
    if (rv == CKR_OK)
        rv = p11->C_VerifyInit(signer->session, &signer->mechanism, signer->public_key);
    if (rv == CKR_OK)
        rv = p11->C_Verify(signer->session, data, sizeof(data), signature, length);
    return rv;
}

CK_RV signer_find(struct signer *signer)
{
    CK_OBJECT_HANDLE objects[16];
    CK_ULONG count = 0;
    CK_RV rv = p11->C_FindObjectsInit(signer->session, NULL, 0);

    if (rv == CKR_OK)
        rv = p11->C_FindObjects(signer->session, objects, COUNT_OF(objects), &count);
    if (rv == CKR_OK)
        rv = p11->C_FindObjectsFinal(signer->session);
    return rv == CKR_OK && count == 0 ? CKR_GENERAL_ERROR : rv;
}

CK_RV signer_close(struct signer *signer)
{
    return p11->C_CloseSession(signer->session);
}

CK_RV sign_once(const char *label)
{
    struct signer signer;
    CK_RV rv = signer_open(label, &signer);

    if (rv == CKR_OK)
        rv = signer_sign(&signer);
    return rv == CKR_OK ? signer_close(&signer) : rv;
}

const char *any_label_or_skip(void)
{
    const char *label = getenv("PKCS11_TOKEN_EC");

    if (!label)
        label = getenv("PKCS11_TOKEN_RSA");
    if (!label)
        skip_because("neither PKCS11_TOKEN_EC nor PKCS11_TOKEN_RSA is set");
    return label;
}

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
