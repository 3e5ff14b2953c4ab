/** SHA-256 (FIPS 180-4): tells an assignment and an allow-list apart from any other. */
#ifndef CLOBBER_PROTO_SHA256_H
#define CLOBBER_PROTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u

/** The digest of `bytes[byte_count]` into `digest[SHA256_BYTES]`. */
void sha256(const void *bytes, size_t byte_count, uint8_t *digest);

#endif
