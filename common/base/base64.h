/** Bytes as text, RFC 4648 with padding. Pure. */
#ifndef CLOBBER_BASE_BASE64_H
#define CLOBBER_BASE_BASE64_H

#include <stddef.h>

/** What `count` bytes take, the end included. */
#define BASE64_BYTES(count) (((count) + 2u) / 3u * 4u + 1u)

/** Writes `bytes[count]` into `text[BASE64_BYTES(count)]`; returns `text`. */
char *base64_encode(const void *bytes, size_t count, char *text);

#endif
