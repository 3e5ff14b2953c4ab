#include "common/control/knee.h"

#include "common/base/check.h"
#include "common/control/controller.h"

#include <math.h>

#define CRUISE_SHARE 1.25 /* 1.1 sees capacity return later, 1.5 loses up to 8 % of the answers */
#define CRUISE_TICKS 100u /* 10 s, BBR's own interval: probing costs 1 % of the answers */
#define QUEUE_GREW   1.6  /* cruising gives 1.25 of the latency; beyond this, probe at once */
#define GAIN_DOWN    0.3  /* of a fall of the throughput; a rise is believed at once */

#define PROBE_SHARE       0.85 /* 0.95 of a knee learned too high never finds the queue */
#define PROBE_SHARE_LEAST 0.5
#define PROBE_TICKS_MAX   20u /* and four latencies: a drain that takes longer will not end */
#define DRAINED_TICKS     2.0 /* and one latency: what ends then began at this level */
#define ANSWERS_KEPT      0.93
#define QUEUE_FOUND       0.93 /* latency that falls with the level, beyond noise, was a queue */

/** A level for this share of the knee, and one worker more for the time between two requests of one
 * worker. */
static double level(const struct knee *knee, double share)
{
    return share * knee->throughput_per_s * knee->latency_s + (share > 1.0 ? 1.0 : 0.0);
}

static void probe(struct knee *knee, double share)
{
    knee->probing = true;
    knee->probe_share = share;
    knee->age_ticks = 0;
    knee->drained_ticks = 0;
    knee->drained_per_s = 0.0;
    knee->concurrency = level(knee, share);
}

static void cruise(struct knee *knee)
{
    knee->probing = false;
    knee->age_ticks = 0;
    knee->concurrency = level(knee, CRUISE_SHARE);
}

void knee_start(struct knee *knee, double throughput_per_s, double latency_s)
{
    CHECK(throughput_per_s >= 0.0);
    CHECK(latency_s > 0.0);
    *knee = (struct knee){.throughput_per_s = throughput_per_s, .latency_s = latency_s};
    probe(knee, PROBE_SHARE);
}

static void probe_step(struct knee *knee, const struct observation *seen, double latency_s,
                       double latency_ticks)
{
    if (seen->in_flight_end <= 1.1 * knee->concurrency + 1.0) {
        knee->drained_ticks++;
        knee->drained_per_s += (seen->throughput_per_s - knee->drained_per_s) / knee->drained_ticks;
    }
    bool drained = knee->drained_ticks > DRAINED_TICKS + latency_ticks;
    if (!drained && knee->age_ticks < PROBE_TICKS_MAX + 4.0 * latency_ticks)
        return;
    double answers_per_s = knee->drained_ticks > 0 ? knee->drained_per_s : seen->throughput_per_s;
    /* Where answers were lost with the level, the target itself became faster meanwhile. */
    bool queue_found = latency_s < QUEUE_FOUND * knee->latency_s &&
                       answers_per_s > ANSWERS_KEPT * knee->throughput_per_s;
    bool all_queue = latency_s < knee->probe_share * knee->latency_s;
    knee->latency_s = latency_s;
    if (queue_found) { /* so even this level gets all there is: dig on, and deeper if it was nothing
                          but queue */
        knee->throughput_per_s = answers_per_s;
        double deeper = fmax(knee->probe_share * knee->probe_share, PROBE_SHARE_LEAST);
        probe(knee, all_queue ? deeper : PROBE_SHARE);
    } else {
        cruise(knee);
    }
}

static void cruise_step(struct knee *knee, const struct observation *seen, double latency_s,
                        double latency_ticks)
{
    if (knee->age_ticks <= 2.0 + latency_ticks)
        return; /* this throughput is still the probe's */
    double difference = seen->throughput_per_s - knee->throughput_per_s;
    knee->throughput_per_s += difference > 0.0 ? difference : GAIN_DOWN * difference;
    knee->concurrency = level(knee, CRUISE_SHARE);
    if (knee->age_ticks >= CRUISE_TICKS || latency_s > QUEUE_GREW * knee->latency_s)
        probe(knee, PROBE_SHARE);
}

void knee_step(struct knee *knee, const struct observation *seen)
{
    CHECK(seen->latency_ns_mean > 0.0);
    double latency_s = seen->latency_ns_mean / 1e9;
    double latency_ticks = seen->latency_ns_mean / (double)seen->interval_ns;
    knee->age_ticks++;
    if (knee->probing)
        probe_step(knee, seen, latency_s, latency_ticks);
    else
        cruise_step(knee, seen, latency_s, latency_ticks);
}
