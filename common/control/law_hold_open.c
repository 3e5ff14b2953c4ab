#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/law_hold.h"

#include <math.h>

#define STAFFING        2.4 /* Halfin and Whitt 1981: one request in a hundred finds no idle worker */
#define LATENCY_GUESS_S 0.010 /* for the workers that connect before the first request */
#define STALL_S         0.25  /* a pause of the target through which requests still start on time */
#define CAP_SHARE       4.0   /* room for a latency step of x4 */
#define DEMAND_HIGH     1.2   /* of the floor: below it, growth is the noise of arrivals */
#define DEMAND_GROWTH   0.01  /* of what arrived in the tick */
#define RISING_TICKS    8.0   /* ... */
#define LEAST_DRIFT                                                                                \
    0.02 /* a share of the way a tick: a latency without a queue may rise for good */
#define EASY_TICKS     3u
#define GENERATOR_BUSY 0.9

/** Workers for `load` busy ones on average: square-root staffing, each stream on its own, for a
 * request does not change over to another stream's idle worker; and one for each stream. */
static double staffing(double load, double generators)
{
    return load + STAFFING * sqrt(load * generators) + generators;
}

void law_hold_open_start(struct law_hold_open *law, double rate_per_s, uint32_t generators)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(generators >= 1);
    *law = (struct law_hold_open){.load = rate_per_s * LATENCY_GUESS_S};
    law->floor = staffing(law->load, generators);
    law->cap = fmax(2.0 * generators, rate_per_s * STALL_S);
}

static void learn_latency(struct law_hold_open *law, const struct observation *seen)
{
    double ended = (double)(seen->completed + seen->failed);
    if (ended <= 0.0 || seen->latency_ns_mean <= 0.0)
        return;
    estimator_add(&law->latency, log(seen->latency_ns_mean / 1e9), ended);
}

/** Demand grows by exactly what arrives less what is answered. A latency step lets it grow for one
 * new latency, a pause for as long as it lasts; only a target that gives less than the rate lets it
 * grow on and on. */
static bool is_rising(const struct law_hold_open *law, double rate_per_s, double floor,
                      double interval_s, const struct observation *seen)
{
    double demand = seen->in_flight_end + seen->backlog;
    if (demand <= DEMAND_HIGH * floor || seen->generator_load > GENERATOR_BUSY ||
        law->latency.count < 3)
        return false;
    bool grows = demand > law->demand_before + DEMAND_GROWTH * rate_per_s * interval_s;
    bool stuck = seen->backlog > 0.0 && seen->in_flight_end >= 0.95 * law->cap;
    return grows || stuck;
}

static void step_normal(struct law_hold_open *law, double rate_per_s, double generators,
                        const struct observation *seen, bool generator_bound)
{
    double interval_s = (double)seen->interval_ns / 1e9;
    bool rising = is_rising(law, rate_per_s, staffing(law->load, generators), interval_s, seen);
    if (rising)
        law->rising_ticks++;
    else
        law->rising_ticks -= law->rising_ticks < 2 ? law->rising_ticks : 2;
    if (law->rising_ticks == 0) { /* else a queue would be learned as the target's own latency */
        learn_latency(law, seen);
        double latency_s = estimator_latency_s(&law->latency);
        if (law->latency_least_s <= 0.0 || latency_s < law->latency_least_s)
            law->latency_least_s = latency_s;
        law->latency_least_s += LEAST_DRIFT * (latency_s - law->latency_least_s);
    }
    double latency_s = estimator_latency_s(&law->latency);
    law->load = rate_per_s * (law->latency.count > 0 ? latency_s : LATENCY_GUESS_S);
    law->floor = staffing(law->load, generators);
    double cap = fmax(CAP_SHARE * law->floor, rate_per_s * STALL_S);
    law->cap = generator_bound ? fmin(law->cap, cap) : cap;

    if (law->rising_ticks >= RISING_TICKS + 2.0 * latency_s / interval_s) {
        law->saturated = true;
        law->easy_ticks = 0;
        knee_start(&law->knee, seen->throughput_per_s, law->latency_least_s);
        law->cap = law->knee.concurrency;
        law->floor = 0.0;
    }
}

static void step_saturated(struct law_hold_open *law, double rate_per_s, double generators,
                           const struct observation *seen)
{
    learn_latency(law, seen);
    if (seen->latency_ns_mean > 0.0)
        knee_step(&law->knee, seen);
    law->cap = fmax(law->knee.concurrency, generators);
    bool easy = seen->backlog < 0.02 * rate_per_s && seen->throughput_per_s > 0.97 * rate_per_s;
    law->easy_ticks = easy ? law->easy_ticks + 1 : 0;
    if (law->easy_ticks >= EASY_TICKS) {
        law->saturated = false;
        law->rising_ticks = 0;
    }
}

void law_hold_open_step(struct law_hold_open *law, double rate_per_s, uint32_t generators,
                        const struct observation *seen, bool generator_bound)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(generators >= 1);
    CHECK(seen->interval_ns > 0);
    if (generator_bound && law->saturated) {
        law->saturated = false;
        law->rising_ticks = 0;
    }
    if (law->saturated)
        step_saturated(law, rate_per_s, generators, seen);
    else
        step_normal(law, rate_per_s, generators, seen, generator_bound);
    law->demand_before = seen->in_flight_end + seen->backlog;
    CHECK(isfinite(law->cap) && isfinite(law->floor));
}
