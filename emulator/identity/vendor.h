#ifndef EMULATOR_IDENTITY_VENDOR_H
#define EMULATOR_IDENTITY_VENDOR_H

/* What the vendor strings of this TPM say (TPM_PT_VENDOR_STRING_1 to _4, four
 * letters each), and its certificates of its model: it is no chip. */
#define VENDOR_NAME "Signet embedded"

#endif
