/* What the library says of itself. */
#ifndef SIGNET_SESSION_VERSION_H
#define SIGNET_SESSION_VERSION_H

#include "token/base/pkcs11.h"

#define SIGNET_VERSION_MAJOR 0
#define SIGNET_VERSION_MINOR 1

static inline CK_VERSION version_library(void)
{
    return (CK_VERSION){.major = SIGNET_VERSION_MAJOR, .minor = SIGNET_VERSION_MINOR};
}

#endif
