/** The target's latency, learned from one noisy sample a tick: it follows a true step at once and a
 * pause of one or two ticks not at all. Pure. docs/control.md, "The estimate". */
#ifndef CLOBBER_CONTROL_ESTIMATOR_H
#define CLOBBER_CONTROL_ESTIMATOR_H

#include <stdbool.h>
#include <stdint.h>

#define ESTIMATOR_RECENT 5

/** Plain data; a zeroed one knows nothing. All values are natural logarithms of seconds, in which a
 * step of x1.2 is the same distance at 1 ms and at 1 s. */
struct estimator {
    double level;
    double variance;                 /* of a sample's noise */
    double recent[ESTIMATOR_RECENT]; /* the newest first */
    uint32_t count; /* samples since the start or the last step; stops growing at 1000 */
};

/** One sample, the mean of `completions` requests (above 0). Returns whether the level jumped. */
bool estimator_add(struct estimator *estimator, double log_latency, double completions);

/** In seconds; 0 as long as nothing is known. */
double estimator_latency_s(const struct estimator *estimator);

#endif
