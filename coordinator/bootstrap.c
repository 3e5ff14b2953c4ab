#include "coordinator/bootstrap.h"

#include "common/base/check.h"
#include "common/control/random.h"

#include <math.h>

/* What one value has in common with the next, without what so short a row hides of it, at most what
 * leaves BOOTSTRAP_BLOCKS_MIN blocks anyway. What lies below 0 is not trusted.
 * Source: Marriott and Pope, "Bias in the estimation of autocorrelations", 1954. */
#define CORRELATION_MAX 0.95

static double mean_of(const double *values, uint32_t count)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++)
        sum += values[i];
    return sum / count;
}

static double correlation(const double *values, uint32_t count)
{
    double mean = mean_of(values, count);
    double squares = 0.0;
    double products = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
        if (i > 0)
            products += (values[i] - mean) * (values[i - 1] - mean);
    }
    if (!(squares > 0.0) || count <= BOOTSTRAP_BLOCKS_MIN)
        return 0.0;
    double seen = (count * products / squares + 1.0) / (count - 4.0);
    return fmax(0.0, fmin(seen, CORRELATION_MAX));
}

uint32_t bootstrap_block(const double *values, uint32_t count)
{
    CHECK(count >= BOOTSTRAP_BLOCKS_MIN);
    double r = correlation(values, count);
    double wanted = ceil(cbrt(1.5 * count) * pow(2.0 * r / (1.0 - r * r), 2.0 / 3.0));
    uint32_t longest = count / BOOTSTRAP_BLOCKS_MIN;
    return (uint32_t)fmax(1.0, fmin(wanted, longest));
}

/* 0 to count - 1; the bias of so few in 2^32 is nothing.
 * Source: Lemire, "Fast random integer generation in an interval", 2019. */
static uint32_t pick(struct random *random, uint32_t count)
{
    return (uint32_t)(((random_next(random) >> 32) * count) >> 32);
}

struct bootstrap_mean bootstrap_mean(const double *values, uint32_t count, uint32_t draws,
                                     uint64_t seed)
{
    CHECK(count <= BOOTSTRAP_VALUES_MAX);
    CHECK(draws >= 2);
    struct bootstrap_mean result = {.mean = mean_of(values, count),
                                    .block = bootstrap_block(values, count)};
    result.blocks = count / result.block;
    CHECK(result.blocks >= BOOTSTRAP_BLOCKS_MIN);

    /* Sums up to each value, twice around the circle: a block is the difference of two. */
    double sums[2 * BOOTSTRAP_VALUES_MAX + 1];
    sums[0] = 0.0;
    for (uint32_t i = 0; i < 2 * count; i++)
        sums[i + 1] = sums[i] + values[i % count] - result.mean;

    struct random random = {seed};
    double squares = 0.0;
    for (uint32_t draw = 0; draw < draws; draw++) {
        double sum = 0.0;
        for (uint32_t i = 0; i < result.blocks; i++) {
            uint32_t from = pick(&random, count);
            sum += sums[from + result.block] - sums[from];
        }
        squares += sum * sum;
    }
    /* Drawn around the mean of what was seen, which lies nearer to it than the truth does: so the
     * last factor. A row drawn may be some values shorter than what was seen: its sum's variance
     * grows with its length. */
    double drawn = (double)result.blocks * result.block;
    result.variance = squares / draws / (drawn * count) * result.blocks / (result.blocks - 1.0);
    return result;
}
