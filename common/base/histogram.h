/** Latency counts, log-linear, fixed size, mergeable.
 *
 *  The cells are those of HdrHistogram with a lowest value of 1 ns and 2 significant digits: exact
 *  below 256 ns, then 128 cells an octave, so a cell is at most 1/128 (0.8 %) of its value wide.
 *  Values above HISTOGRAM_NS_MAX (73 minutes) are counted in the last cell; `max_ns` is exact
 *  all the same.
 *  Source of the layout: Gil Tene's HdrHistogram, so that its tools read our files. */
#ifndef CLOBBER_BASE_HISTOGRAM_H
#define CLOBBER_BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_NS_MAX ((UINT64_C(1) << 42) - 1)
#define HISTOGRAM_CELLS  4608u /* 256 + 34 octaves x 128 */
#define HISTOGRAM_DIGITS 2u

/** Plain data; a zeroed one is empty. */
struct histogram {
    uint64_t total;  /* sum of all cells */
    uint64_t sum_ns; /* of the exact values; the mean's numerator */
    uint64_t min_ns; /* exact; meaningless while total is 0 */
    uint64_t max_ns; /* exact */
    uint64_t cells[HISTOGRAM_CELLS];
};

/** The index of the cell that counts `value_ns`: 0 to HISTOGRAM_CELLS - 1. */
static inline uint32_t histogram_cell(uint64_t value_ns)
{
    if (value_ns > HISTOGRAM_NS_MAX)
        value_ns = HISTOGRAM_NS_MAX;
    uint32_t octave = (uint32_t)(63 - __builtin_clzll(value_ns | 255u)) - 7u; /* 0 below 256 */
    return octave * 128u + (uint32_t)(value_ns >> octave);
}

/** Counts one value. O(1), no branch on the data but the clip. */
static inline void histogram_record(struct histogram *histogram, uint64_t value_ns)
{
    if (value_ns < histogram->min_ns || histogram->total == 0)
        histogram->min_ns = value_ns;
    if (value_ns > histogram->max_ns)
        histogram->max_ns = value_ns;
    histogram->total++;
    histogram->sum_ns += value_ns;
    histogram->cells[histogram_cell(value_ns)]++;
}

/** The smallest and largest value in ns that cell `index` counts. */
uint64_t histogram_cell_low(uint32_t index);
uint64_t histogram_cell_high(uint32_t index);

/** Adds all of `other`. */
void histogram_add(struct histogram *histogram, const struct histogram *other);

/** The value at or under which `quantile` (0 to 1) of the counts lie: the upper end of its cell,
 *  but never above max_ns; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/** Mean in ns of the exact values; 0 when empty. */
double histogram_mean(const struct histogram *histogram);

#endif
