#include "agent/mix.h"

#include "common/base/check.h"

#define SKIPPED_MAX 997u /* picks: enough to set lanes apart, done in no time */

void mix_init(struct mix *mix, const uint32_t *weights, uint32_t count, uint64_t seed)
{
    CHECK(count >= 1);
    CHECK(count <= REQUEST_NAMES_MAX);
    *mix = (struct mix){.count = count};
    for (uint32_t i = 0; i < count; i++) {
        CHECK(weights[i] >= 1);
        CHECK(weights[i] <= WEIGHT_MAX);
        mix->weights[i] = weights[i];
        mix->total += weights[i];
    }
    for (uint64_t skip = seed % SKIPPED_MAX; skip > 0; skip--)
        mix_next(mix);
}

uint32_t mix_next(struct mix *mix)
{
    if (mix->count == 1)
        return 0;
    uint32_t best = 0;
    for (uint32_t i = 0; i < mix->count; i++) {
        mix->credit[i] += mix->weights[i];
        if (mix->credit[i] > mix->credit[best])
            best = i;
    }
    mix->credit[best] -= mix->total;
    return best;
}
