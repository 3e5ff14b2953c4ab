/** Which kind of request comes next: by weight, in an order that is the same for the same seed.
 * Pure.
 *
 *  Smooth weighted round-robin, as nginx picks its upstreams: after any n picks each kind has had
 * its share to within one pick, which chance would not give. The seed says where in the order to
 * begin, so that lanes do not ask for the same kind in step. */
#ifndef CLOBBER_AGENT_MIX_H
#define CLOBBER_AGENT_MIX_H

#include "common/base/limits.h"

#include <stdint.h>

/** Plain data; mix_init() first. */
struct mix {
    uint32_t count;
    int64_t total;
    int64_t weights[REQUEST_NAMES_MAX];
    int64_t credit[REQUEST_NAMES_MAX];
};

/** `weights[count]`, 1 to WEIGHT_MAX each. */
void mix_init(struct mix *mix, const uint32_t *weights, uint32_t count, uint64_t seed);
/** Index of the next kind. */
uint32_t mix_next(struct mix *mix);

#endif
