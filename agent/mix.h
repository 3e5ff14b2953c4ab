/** Which kind of request comes next: by weight, in an order that is the same for the same seed.
 * Pure.
 *
 *  Smooth weighted round-robin, as nginx picks its upstreams: after any n picks each kind has had
 * its share to within one pick, which chance would not give. The seed says where in the order to
 * begin, so that lanes do not ask for the same kind in step.
 *
 *  Where requests are numbered the kind follows from the number alone, so that however many agents
 * and lanes there are, they make the same requests. */
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
    /* Numbered: a cycle holds each kind as often as its weight says, in lowest terms. */
    uint64_t cycle, step, first;
    uint64_t ends[REQUEST_NAMES_MAX]; /* [count]: where its part of the cycle ends */
};

/** `weights[count]`, 1 to WEIGHT_MAX each. `seed`: of the order of mix_next(), each lane's own. */
void mix_init(struct mix *mix, const uint32_t *weights, uint32_t count, uint64_t seed);
/** Prepares mix_at(). `seed`: the run's. */
void mix_number(struct mix *mix, uint64_t seed);
/** Index of the next kind. */
uint32_t mix_next(struct mix *mix);
/** Index of the kind of request number `index`. In each `cycle` of them from 0 on every kind has
 * exactly its share, and in between nearly so. */
uint32_t mix_at(const struct mix *mix, uint64_t index);

#endif
