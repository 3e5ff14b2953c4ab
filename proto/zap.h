/** The frames of a ZAP request (ZeroMQ RFC 27: may this client come in?) to a verdict. Pure. */
#ifndef CLOBBER_PROTO_ZAP_H
#define CLOBBER_PROTO_ZAP_H

#include "proto/keyring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZAP_DOMAIN          "clobber"
#define ZAP_FRAMES          7u   /* version, id, domain, address, routing id, mechanism, a key */
#define ZAP_FRAME_BYTES_MAX 255u /* of each: all of them are short */
#define ZAP_ADDRESS_BYTES   48u  /* an IPv6 address in numbers, and its scope */

/** Borrowed. */
struct zap_frame {
    const uint8_t *bytes;
    size_t count;
};

/** Plain data. */
struct zap_verdict {
    bool accepted;
    char key[KEY_TEXT_BYTES];        /* whose; "" when the request tells none */
    char address[ZAP_ADDRESS_BYTES]; /* of the client */
    const char *status;              /* for the reply: "200", "400" or "500" */
    const char *reason;
};

/** Judges a request of `frames[count]`: the client is accepted when it speaks CURVE with a key that
 *  `keyring` lists at `now_s`. What breaks the rules of ZAP is refused as "500". */
struct zap_verdict zap_judge(const struct zap_frame *frames, size_t count,
                             const struct keyring *keyring, uint64_t now_s);

#endif
