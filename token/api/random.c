/* PKCS#11 5.19: random number generation functions. Software: nothing of a TPM
 * is wanted when an application starts (NSS asks for 32 bytes then). */
#include "token/api/call.h"
#include "token/api/guard.h"

CK_RV C_SeedRandom(CK_SESSION_HANDLE session, unsigned char *seed, unsigned long seed_len)
{
    CK_RV rv = call_without_mechanism(session, CKR_OK);
    if (rv != CKR_OK)
        return rv;
    return !seed && seed_len ? CKR_ARGUMENTS_BAD : module_random_seed(view_of(seed, seed_len));
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE session, unsigned char *random_data,
                       unsigned long random_len)
{
    CK_RV rv = call_without_mechanism(session, CKR_OK);
    if (rv != CKR_OK)
        return rv;
    return !random_data && random_len ? CKR_ARGUMENTS_BAD : module_random(random_data, random_len);
}
