#ifndef EMULATOR_BEHAVIOUR_PCAP_H
#define EMULATOR_BEHAVIOUR_PCAP_H

#include "emulator/behaviour/observation.h"

#include <tss2/tss2_common.h>

/* A pcapng file of all commands and answers, which Wireshark and tshark take
 * apart as TPM 2.0. It holds the bytes as they are, AUTHORIZATIONS AND SECRETS
 * INCLUDED. A message is a TCP segment to or from port 2321, where Wireshark
 * expects the commands of a simulator; the client's address is 10.a.b.c for the
 * process a * 65536 + b * 256 + c, its port 10000 + the number of its connection.
 * Times are nanoseconds. Any number of processes may append. (Wireshark 4.0 calls
 * each TPM2_NV_Read malformed: it knows one of its two handles.) */
struct pcap;

/* Goes on with a file that was begun here; refuses any other, and leaves it as it
 * is. Failures have an error text. */
TSS2_RC pcap_open(const char *path, struct pcap **ret);
void pcap_close(struct pcap *pcap);

/* Appends the command and, if there is one, the answer: both or nothing. */
void pcap_note(struct pcap *pcap, const struct observation *seen);

#endif
