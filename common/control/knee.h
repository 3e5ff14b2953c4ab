/** Holds a saturated target a little above its knee: the fewest requests in flight that get all it
 * can give.
 *
 *  That number is its throughput times its latency without a queue (Little 1961). Both cannot be
 * seen at once: the throughput needs a queue, the latency needs none. So it cruises a quarter
 * above, and now and then probes below: as BBR does for a network path (Cardwell et al., "BBR",
 * 2016). Pure. */
#ifndef CLOBBER_CONTROL_KNEE_H
#define CLOBBER_CONTROL_KNEE_H

#include <stdbool.h>
#include <stdint.h>

struct observation;

/** Plain data; knee_start() first. */
struct knee {
    double latency_s;        /* without a queue, as last probed */
    double throughput_per_s; /* what the target gives */
    double concurrency;      /* to run now */
    bool probing;            /* below the knee on purpose, to see the latency */
    double probe_share;      /* of the supposed knee */
    uint32_t age_ticks;      /* of this cruise or probe */
    uint32_t drained_ticks;  /* of this probe: since what was in flight came down to it, ... */
    double drained_per_s;    /* ... and the mean throughput in those */
};

/** Begins with a probe from a guess of both; the guess of the latency may be many times too high.
 */
void knee_start(struct knee *knee, double throughput_per_s, double latency_s);

/** One whole tick in which something ended. `knee->concurrency` is what to run next. */
void knee_step(struct knee *knee, const struct observation *seen);

#endif
