/** How sure one can be of the mean of values that lean on their neighbours: the circular block
 *  bootstrap. Pure: the same values and seed, the same answer on any machine.
 *
 *  Seconds of a run follow each other as a queue and a controller let them, so they are drawn again
 *  in blocks that keep what neighbours have in common.
 *  Source: Politis and Romano, "A circular block-resampling procedure for stationary data", 1992.
 */
#ifndef CLOBBER_COORDINATOR_BOOTSTRAP_H
#define CLOBBER_COORDINATOR_BOOTSTRAP_H

#include "coordinator/series.h"

#include <stdint.h>

#define BOOTSTRAP_VALUES_MAX SERIES_BINS_MAX
#define BOOTSTRAP_BLOCKS_MIN 4u /* fewer blocks do not tell how they differ */

struct bootstrap_mean {
    double mean;
    double variance; /* of the mean */
    uint32_t block;  /* values in each */
    uint32_t blocks; /* that the values make: one less are the degrees of freedom of `variance` */
};

/** How long blocks of `values[count]` should be: Carlstein's rule, which weighs what long blocks
 * scatter against what short ones cut, for values that remember the one before them; at least
 * BOOTSTRAP_BLOCKS_MIN blocks.
 *  Source: Carlstein, "The use of subseries values for estimating the variance of a general
 * statistic from a stationary sequence", 1986. */
uint32_t bootstrap_block(const double *values, uint32_t count);

/** Of `values[count]`, BOOTSTRAP_BLOCKS_MIN to BOOTSTRAP_VALUES_MAX of them, finite, from `draws`
 * (2 or more) rows drawn again. */
struct bootstrap_mean bootstrap_mean(const double *values, uint32_t count, uint32_t draws,
                                     uint64_t seed);

#endif
