/* Work for threads and forked children: it never uses the checks of the test
 * framework, which belong to the main thread of the first process. */
#ifndef CONFORMANCE_API_WORKERS_H
#define CONFORMANCE_API_WORKERS_H

#include "conformance/api/client.h"

/* The key of a token, found anew in whatever process asks. */
struct signer {
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE private_key;
    CK_OBJECT_HANDLE public_key;
    CK_MECHANISM mechanism;
};

/* Opens a session of the token with this label, logs in where needed (a login
 * by another thread is as good) and finds its keys. */
CK_RV signer_open(const char *label, struct signer *ret_signer);
/* One raw signature, verified by C_Verify. */
CK_RV signer_sign(struct signer *signer);
/* Finds all objects of the session; CKR_GENERAL_ERROR when there are none. */
CK_RV signer_find(struct signer *signer);
CK_RV signer_close(struct signer *signer);
/* Open, sign, close. */
CK_RV sign_once(const char *label);

/* The label of PKCS11_TOKEN_EC, else of PKCS11_TOKEN_RSA, or skip. */
const char *any_label_or_skip(void);

double seconds_now(void);

#endif
