#include <stdio.h>
#include <string.h>

#include "token/session/life.h"
#include "token/session/token.h"
#include "token/session/version.h"
#include "token/session/writable.h"

void token_fill_field(unsigned char *field, size_t room, struct view text)
{
    memset(field, ' ', room);
    size_t size = text.size < room ? text.size : room;
    while (size && size < text.size && (text.data[size] & 0xc0) == 0x80)
        size--;
    if (size)
        memcpy(field, text.data, size);
}

enum key_place token_place(const struct token *token)
{
    if (token->writable)
        return vault_place(token->writable->vault);
    return token->material.key ? key_place(token->material.key) : KEY_IN_SOFTWARE;
}

static CK_VERSION tpm_version(const struct token *token)
{
    return token_place(token) != KEY_IN_SOFTWARE ? (CK_VERSION){.major = 2, .minor = 0}
                                                 : (CK_VERSION){0};
}

/* The TPM's own, as far as it fits into PKCS#11's two bytes; otherwise the module's. */
static CK_VERSION firmware_version(const struct token *token)
{
    unsigned major = 0, minor = 0;
    if (!token->writable ||
        sscanf(token->writable->file.tpm.firmware, "%5u.%5u", &major, &minor) != 2 || major > 255 ||
        minor > 255)
        return version_library();
    return (CK_VERSION){.major = (CK_BYTE)major, .minor = (CK_BYTE)minor};
}

void token_slot_info(const struct token *token, CK_SLOT_INFO *ret_info)
{
    *ret_info = (CK_SLOT_INFO){
        .flags = CKF_TOKEN_PRESENT | (token_place(token) == KEY_IN_DEVICE ? CKF_HW_SLOT : 0),
        .hardwareVersion = tpm_version(token),
        .firmwareVersion = firmware_version(token),
    };
    token_fill_field(ret_info->slotDescription, sizeof(ret_info->slotDescription),
                     view_string(token->description));
    token_fill_field(ret_info->manufacturerID, sizeof(ret_info->manufacturerID),
                     view_string(token->manufacturer));
}

static CK_FLAGS exported_flags(const struct token *token)
{
    CK_FLAGS login = CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | token->pin_flags;
    return CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED | (token_needs_login(token) ? login : 0);
}

void token_info(struct token *token, CK_TOKEN_INFO *ret_info)
{
    CK_FLAGS flags = token->writable ? life_flags(token) : exported_flags(token);
    if (pin_source_is_protected(&token->pin_source) && flags & CKF_LOGIN_REQUIRED)
        flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    *ret_info = (CK_TOKEN_INFO){
        .flags = CKF_RNG | CKF_DUAL_CRYPTO_OPERATIONS | flags,
        .ulMaxSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulSessionCount = token->session_count,
        .ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulRwSessionCount = token->rw_session_count,
        .ulMaxPinLen = TOKEN_MAX_PIN_SIZE,
        .ulMinPinLen = 0,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .hardwareVersion = tpm_version(token),
        .firmwareVersion = firmware_version(token),
    };
    token_fill_field(ret_info->label, sizeof(ret_info->label), bytes_view(&token->label));
    token_fill_field(ret_info->manufacturerID, sizeof(ret_info->manufacturerID),
                     view_string(token->manufacturer));
    token_fill_field(ret_info->model, sizeof(ret_info->model), view_string(token->model));
    token_fill_field(ret_info->serialNumber, sizeof(ret_info->serialNumber),
                     view_string(token->serial));
    token_fill_field(ret_info->utcTime, sizeof(ret_info->utcTime), (struct view){0});
}
