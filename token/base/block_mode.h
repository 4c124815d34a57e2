/* The modes of AES that a key which keeps its value can do itself (NIST SP 800-38A). */
#ifndef SIGNET_BASE_BLOCK_MODE_H
#define SIGNET_BASE_BLOCK_MODE_H

enum block_mode { BLOCK_MODE_ECB, BLOCK_MODE_CBC, BLOCK_MODE_CTR };

#define BLOCK_MODE_SIZE 16 /* bytes in a block of AES, and in an initial one */

#endif
