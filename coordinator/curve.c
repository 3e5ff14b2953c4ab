#include "coordinator/curve.h"

#include "common/base/check.h"

#include <math.h>
#include <stdlib.h>

bool curve_init(struct curve *curve, bool digests)
{
    *curve = (struct curve){0};
    if (digests)
        curve->digests = calloc(CURVE_BINS, sizeof *curve->digests);
    return !digests || curve->digests != NULL;
}

void curve_done(struct curve *curve)
{
    free(curve->digests);
    curve->digests = NULL;
}

static uint32_t bin_of(double in_flight)
{
    double steps = log(in_flight / CURVE_LEAST) / log(CURVE_STEP);
    return (uint32_t)fmax(0.0, fmin(steps, CURVE_BINS - 1.0));
}

void curve_take(struct curve *curve, const struct observation *seen, const struct digest *digest)
{
    if (!(seen->in_flight_mean > 0.0))
        return;
    uint32_t index = bin_of(seen->in_flight_mean);
    struct curve_bin *bin = &curve->bins[index];
    double seconds = (double)seen->interval_ns / 1e9;
    uint64_t ended = seen->completed + seen->failed;
    bin->seconds += seconds;
    bin->in_flight += seen->in_flight_mean * seconds;
    bin->answers += seen->throughput_per_s * seconds;
    bin->latency_ns += seen->latency_ns_mean * (double)ended;
    bin->ended += ended;
    if (curve->digests != NULL && digest != NULL)
        digest_add(&curve->digests[index], digest);
}

/* Bins are joined by 2^joins neighbours to a group. */
static uint32_t count_groups(const struct curve *curve, uint32_t joins)
{
    uint32_t count = 0;
    for (uint32_t i = 0, before = UINT32_MAX; i < CURVE_BINS; i++) {
        if (curve->bins[i].seconds > 0.0 && i >> joins != before) {
            count++;
            before = i >> joins;
        }
    }
    return count;
}

static void add_bin(struct curve_bin *sum, const struct curve_bin *bin)
{
    sum->seconds += bin->seconds;
    sum->in_flight += bin->in_flight;
    sum->answers += bin->answers;
    sum->latency_ns += bin->latency_ns;
    sum->ended += bin->ended;
}

static struct curve_point point_of(const struct curve_bin *sum, const struct digest *digest,
                                   double quantile)
{
    return (struct curve_point){
        .concurrency = sum->in_flight / sum->seconds,
        .throughput_per_s = sum->answers / sum->seconds,
        .latency_ns_mean = sum->ended > 0 ? sum->latency_ns / (double)sum->ended : 0.0,
        .latency_ns_quantile = digest_quantile(digest, quantile),
        .seconds = sum->seconds,
    };
}

uint32_t curve_points(const struct curve *curve, double quantile, struct curve_point *points)
{
    uint32_t joins = 0;
    while (count_groups(curve, joins) > CURVE_POINTS_MAX)
        joins++;
    uint32_t count = 0;
    for (uint32_t first = 0; first < CURVE_BINS; first += 1u << joins) {
        struct curve_bin sum = {0};
        struct digest digest = {0};
        for (uint32_t i = first; i < first + (1u << joins) && i < CURVE_BINS; i++) {
            add_bin(&sum, &curve->bins[i]);
            if (curve->digests != NULL)
                digest_add(&digest, &curve->digests[i]);
        }
        if (sum.seconds > 0.0)
            points[count++] = point_of(&sum, &digest, quantile);
    }
    CHECK(count <= CURVE_POINTS_MAX);
    return count;
}
