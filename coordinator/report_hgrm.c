#include "coordinator/report.h"

#include <math.h>

#define TICKS_PER_HALF_DISTANCE 5 /* as HdrHistogram's own tools write it */

/* Percentile steps that halve their distance to 100 % every five lines.
 * Source: HdrHistogram's percentile output, which its plotter reads. */
void report_hgrm(const struct histogram *histogram, FILE *stream)
{
    fprintf(stream, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    double percentile = 0.0;
    while (histogram->total > 0) {
        double wanted = percentile / 100.0 * (double)histogram->total;
        uint64_t value_ns = histogram_quantile(histogram, percentile / 100.0);
        uint64_t counted = 0;
        uint32_t last = histogram_cell(value_ns);
        for (uint32_t i = 0; i <= last; i++)
            counted += histogram->cells[i];
        if (counted >= histogram->total || wanted >= (double)histogram->total)
            break;
        fprintf(stream, "%12.3f %2.12f %10llu %14.2f\n", (double)value_ns / 1e6, percentile / 100.0,
                (unsigned long long)counted, 1.0 / (1.0 - percentile / 100.0));
        double halvings = floor(log2(100.0 / (100.0 - percentile))) + 1.0;
        percentile += 100.0 / (TICKS_PER_HALF_DISTANCE * exp2(halvings));
    }
    if (histogram->total > 0)
        fprintf(stream, "%12.3f %2.12f %10llu %14s\n", (double)histogram->max_ns / 1e6, 1.0,
                (unsigned long long)histogram->total, "inf");
    double mean = histogram_mean(histogram);
    double square = 0.0;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        if (histogram->cells[i] == 0)
            continue;
        double middle = ((double)histogram_cell_low(i) + (double)histogram_cell_high(i)) / 2.0;
        square += (double)histogram->cells[i] * (middle - mean) * (middle - mean);
    }
    double deviation = histogram->total > 0 ? sqrt(square / (double)histogram->total) : 0.0;
    fprintf(stream, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / 1e6, deviation / 1e6);
    fprintf(stream, "#[Max     = %12.3f, Total count    = %12llu]\n",
            (double)histogram->max_ns / 1e6, (unsigned long long)histogram->total);
    fprintf(stream, "#[Buckets = %12u, SubBuckets     = %12u]\n", 35u, 256u);
}
