#ifndef EMULATOR_IDENTITY_PUBLIC_KEY_H
#define EMULATOR_IDENTITY_PUBLIC_KEY_H

#include "emulator/build.h"

#include <openssl/types.h>
#include <tss2/tss2_common.h>

/* The key of a TPMT_PUBLIC, of a restricted decryption key: RSA, or ECC on
 * P-256. TPM 2.0 Library part 2, section 12.2.4. In OpenSSL's private context;
 * freed by the caller. Failures have an error text. */
TSS2_RC public_key_read(struct answer area, EVP_PKEY **ret);

#endif
