#ifndef EMULATOR_IDENTITY_SUMMARY_H
#define EMULATOR_IDENTITY_SUMMARY_H

#include "emulator/bytes.h"

#include <stdbool.h>

#define SUMMARY_TEXT_MAX 512

/* An endorsement certificate in words. Longer texts are cut. */
struct certificate_summary {
    char key[64];
    char subject[SUMMARY_TEXT_MAX]; /* the directory name among the alternative ones, if empty */
    char issuer[SUMMARY_TEXT_MAX];
    char serial[64];
    char fingerprint[2 * 32 + 1]; /* SHA-256 of the certificate */
};

/* Of a DER certificate; bytes behind it are left out of account, as NV indexes
 * may be longer. False if it is none; *ret is then undefined. */
bool certificate_summarise(const struct blob *der, struct certificate_summary *ret);

#endif
