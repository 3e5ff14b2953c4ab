/** Shares a total by weight and capacity; the shares always sum to what could be given. Pure. */
#ifndef CLOBBER_CONTROL_SPLIT_H
#define CLOBBER_CONTROL_SPLIT_H

#include <stddef.h>
#include <stdint.h>

/** Gives `total_milli` to `count` takers in proportion to `weights[count]` (0 or more; all 0:
 * equal), none above `limits_milli[count]`; what one cannot take goes to the others. By largest
 * remainder, ties to the lower index, so the sum of `shares_milli[count]` is exactly min(total, sum
 * of limits over takers with a weight above 0, or over all when all are 0). Returns that sum.
 * O(count^2) at worst. */
uint64_t split_shares(uint64_t total_milli, const double *weights, const uint64_t *limits_milli,
                      size_t count, uint64_t *shares_milli);

/** What one agent can carry, learned from its own reports: control.md, section 7. Zeroed: nothing
 * known. */
struct split_weight {
    double weight; /* requests per worker-second, EWMA; 0: unknown */
    uint32_t samples;
    uint32_t full_ticks;     /* ticks in a row above 90 % CPU, 5: full */
    double full_concurrency; /* what it ran when it became full; meaningless unless full */
};

/** One tick's report of one agent goes in. `load`: its busiest lane's CPU, 0 to 1; below 0:
 * unknown. */
void split_learn(struct split_weight *weight, double throughput_per_s, double in_flight_mean,
                 double load);
/** Whether this agent's CPU is the limit now. */
int split_is_full(const struct split_weight *weight);

#endif
