/** What one worker did: written by its thread, read by another without stopping it.
 *
 *  A sequence number says whether a reading was torn (the seqlock of Linux): it is odd while its
 *  owner writes. So a request is never counted without its time, nor its time without it. */
#ifndef CLOBBER_TALLY_H
#define CLOBBER_TALLY_H

#include "common/base/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Four of the histogram's cells each: 3 % wide, and 4.5 KiB a thread instead of 36. */
#define TALLY_CELL_SHARE 4u
#define TALLY_CELLS      (HISTOGRAM_CELLS / TALLY_CELL_SHARE)

/** A zeroed one has done nothing. */
struct tally {
    atomic_uint_fast64_t sequence;
    atomic_uint_fast64_t completed, failed;
    atomic_uint_fast64_t completed_ns; /* the time of those completed, summed */
    atomic_uint_fast64_t ended_ns;     /* the time of all that ended, summed */
    atomic_uint_fast64_t since_ns;     /* of the one in flight; 0: none */
    atomic_uint_least32_t *cells;      /* [TALLY_CELLS] latencies of those completed; or NULL */
};

/** Sums over tallies. A zeroed one is empty. */
struct tally_sums {
    uint64_t completed, failed, completed_ns;
    uint64_t busy_ns; /* with a request in flight, from the beginning to now */
};

/** For the owner: a request begins, ends. `now_ns` above 0. */
void tally_begin(struct tally *tally, uint64_t now_ns);
void tally_end(struct tally *tally, uint64_t now_ns, bool well);

/** For anyone: adds what was done up to `now_ns`. */
void tally_add(struct tally *tally, uint64_t now_ns, struct tally_sums *sums);

/** For anyone: adds its latencies to `cells[TALLY_CELLS]`, whose counts may wrap. */
void tally_add_cells(struct tally *tally, uint32_t *cells);

/** The latency that `quantile` of the counts in `after` but not in `before` do not exceed: the
 *  upper end of its cell. 0 when there are none. */
uint64_t tally_quantile(const uint32_t *before, const uint32_t *after, double quantile);

#endif
