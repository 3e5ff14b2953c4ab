/** CRC-32C (Castagnoli): guards a final word, on the wire and in the recorder. */
#ifndef CLOBBER_PROTO_CRC32C_H
#define CLOBBER_PROTO_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** Of `bytes[byte_count]`, as RFC 3720 (iSCSI) and SSE 4.2 define it: "123456789" gives 0xe3069283.
 */
uint32_t crc32c(const void *bytes, size_t byte_count);

#endif
