/** A mean, and how sure one can be of it. Pure. */
#ifndef CLOBBER_CONTROL_STATS_H
#define CLOBBER_CONTROL_STATS_H

#include <stdint.h>

/** Student's t, two-sided 95 %, for `freedom` degrees (1 or more). */
double student_95(uint32_t freedom);
/** The same for any `confidence` above 0 and below 1: so much lies between -t and t. Slower, and
 * exact. */
double student(uint32_t freedom, double confidence);

/** A mean and half of its 95 % interval. */
struct mean_95 {
    double mean; /* 0: of nothing */
    double half; /* NaN: too few values to tell */
};

/** Of `values[count]`, which stand in the order of their times and may lean on their neighbours: a
 * controller remembers, and so do queues. What leans on its neighbour by a correlation r tells only
 * as much as n (1 - r) / (1 + r) values that do not.
 *  Sources: Zwiers and von Storch, "Taking serial correlation into account in tests of the mean",
 *  1995, for that number; Marriott and Pope, "Bias in the estimation of autocorrelations", 1954,
 * for what a short row hides of r. */
struct mean_95 stats_mean_95(const double *values, uint32_t count);

#endif
