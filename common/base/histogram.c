#include "common/base/histogram.h"

#include "common/base/check.h"

/* By how many bits the values of cell `index` are wider than one: the inverse of histogram_cell().
 */
static uint32_t cell_octave(uint32_t index)
{
    return index < 256 ? 0 : index / 128 - 1;
}

uint64_t histogram_cell_low(uint32_t index)
{
    CHECK(index < HISTOGRAM_CELLS);
    uint32_t octave = cell_octave(index);
    return (uint64_t)(index - octave * 128) << octave;
}

uint64_t histogram_cell_high(uint32_t index)
{
    return histogram_cell_low(index) + (UINT64_C(1) << cell_octave(index)) - 1;
}

void histogram_add(struct histogram *histogram, const struct histogram *other)
{
    if (other->total == 0)
        return;
    if (histogram->total == 0 || other->min_ns < histogram->min_ns)
        histogram->min_ns = other->min_ns;
    if (other->max_ns > histogram->max_ns)
        histogram->max_ns = other->max_ns;
    histogram->total += other->total;
    histogram->sum_ns += other->sum_ns;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++)
        histogram->cells[i] += other->cells[i];
}

/* How many of `total` values lie at or under `quantile`: rounded up, at least one. */
static uint64_t quantile_rank(uint64_t total, double quantile)
{
    /* 0.07 x 100 is 7.000000000000001 in binary, and must not become the eighth value. */
    double wanted = quantile * (double)total * (1.0 - 1e-15);
    uint64_t rank = (uint64_t)wanted;
    if ((double)rank < wanted || rank == 0)
        rank++;
    return rank < total ? rank : total;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    CHECK(quantile >= 0.0);
    CHECK(quantile <= 1.0);
    if (histogram->total == 0)
        return 0;

    uint64_t rank = quantile_rank(histogram->total, quantile);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS - 1; i++) {
        seen += histogram->cells[i];
        if (seen >= rank) {
            uint64_t high = histogram_cell_high(i);
            return high < histogram->max_ns ? high : histogram->max_ns;
        }
    }
    return histogram->max_ns; /* the last cell has no upper end: it counts what was clipped too */
}

double histogram_mean(const struct histogram *histogram)
{
    if (histogram->total == 0)
        return 0.0;
    return (double)histogram->sum_ns / (double)histogram->total;
}
