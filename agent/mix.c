#include "agent/mix.h"

#include "common/base/check.h"
#include "common/control/random.h"

/* The product of two places in a cycle stays far below 2^64. */
static_assert((uint64_t)REQUEST_NAMES_MAX * WEIGHT_MAX < UINT64_C(1) << 31, "a cycle is short");

#define SKIPPED_MAX 997u               /* picks: enough to set lanes apart, done in no time */
#define GOLDEN      0.6180339887498949 /* the golden ratio's fraction */
#define STEPS_TRIED 32u /* among so many, one has no quotient above 5 (of 100 mixes by lot) */

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

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The largest partial quotient of `step` / `cycle`; UINT64_MAX: they have a common divisor. */
static uint64_t roughness(uint64_t step, uint64_t cycle)
{
    uint64_t largest = 0;
    while (step != 0) {
        uint64_t quotient = cycle / step;
        uint64_t rest = cycle % step;
        largest = quotient > largest ? quotient : largest;
        cycle = step;
        step = rest;
    }
    return cycle == 1 ? largest : UINT64_MAX;
}

/* A step that shares no divisor with the cycle visits each place in it once. One near the golden
 * section, whose partial quotients are small, spreads any run of visits evenly (Kuipers and
 * Niederreiter, "Uniform Distribution of Sequences", 1974, 2.3), so that no kind comes in a bunch.
 */
static uint64_t even_step(uint64_t cycle)
{
    uint64_t golden = (uint64_t)(GOLDEN * (double)cycle);
    uint64_t best = 1;
    uint64_t least = UINT64_MAX;
    for (uint64_t step = golden > 0 ? golden : 1; step < golden + STEPS_TRIED; step++) {
        uint64_t rough = roughness(step, cycle);
        if (rough < least) {
            least = rough;
            best = step;
        }
    }
    return best;
}

void mix_number(struct mix *mix, uint64_t seed)
{
    uint64_t unit = 0;
    for (uint32_t i = 0; i < mix->count; i++)
        unit = common_divisor((uint64_t)mix->weights[i], unit);
    mix->cycle = 0;
    for (uint32_t i = 0; i < mix->count; i++)
        mix->ends[i] = mix->cycle += (uint64_t)mix->weights[i] / unit;
    struct random random = {.state = seed};
    mix->first = random_next(&random) % mix->cycle;
    mix->step = even_step(mix->cycle);
}

uint32_t mix_at(const struct mix *mix, uint64_t index)
{
    uint64_t place = (mix->first + index % mix->cycle * mix->step) % mix->cycle;
    uint32_t kind = 0;
    while (place >= mix->ends[kind])
        kind++;
    return kind;
}
