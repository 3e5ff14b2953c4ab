#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/law_hold.h"

#include <math.h>

#define LATENCY_GUESS_S 0.010 /* for the workers that connect before the first request */
#define STAFFING        2.4   /* Halfin and Whitt 1981: 1 % of requests find no idle worker */
#define STALL_S         0.25  /* a pause through which requests still start on time */
#define CAP_SHARE       4.0   /* of the floor: room for a latency step of x4 */
#define LEAST_DRIFT     0.02  /* of the way, a tick: a latency without a queue may rise for good */
#define GENERATOR_BUSY  0.9   /* above this nothing is said about the target */

/* What counts as evidence for saturation: */
#define DEMAND_HIGH   1.2  /* of the floor: below it, growth is the noise of arrivals */
#define DEMAND_GROWTH 0.01 /* of what arrived in the tick */
#define ANSWERS_LEAST 0.2  /* of the rate: with fewer, it is a pause or a step */
#define FLAT_SHARE    0.1  /* of the throughput; and noise of two sigmas */
#define FLAT_SIGMAS   2.0
#define QUEUE_SHARE   1.5 /* of the least latency: so long is a queue, even at the ceiling */

/* How much is enough: 8, and 2 for each tick of latency, for a step makes demand grow so long. */
#define EVIDENCE_ENOUGH 8.0
#define EVIDENCE_DECAY  2u  /* for each tick without */
#define EVIDENCE_DOUBT  3u  /* from here on pools grow no further while answers stand still, ... */
#define DOUBT_CAP_SHARE 2.0 /* ... beyond this share of the floor */

/* When it is over: nothing waits and the rate is there, on three ticks in a row. */
#define EASY_TICKS     3u
#define EASY_BACKLOG_S 0.02
#define EASY_SHARE     0.97

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
    double latency_s = estimator_latency_s(&law->latency);
    if (law->latency_least_s <= 0.0 || latency_s < law->latency_least_s)
        law->latency_least_s = latency_s;
    law->latency_least_s += LEAST_DRIFT * (latency_s - law->latency_least_s);
}

/** Whether demand is above what the floor is for, and goes on growing. */
static bool is_rising(const struct law_hold_open *law, double arrived, double floor,
                      const struct observation *seen)
{
    double demand = seen->in_flight_end + seen->backlog;
    bool grows = demand > law->demand_before + DEMAND_GROWTH * arrived;
    bool stuck = seen->backlog > 0.0 && seen->in_flight_end >= 0.95 * law->cap;
    return demand > DEMAND_HIGH * floor && (grows || stuck);
}

/** Demand grows by exactly what arrives less what is answered. A latency step lets it grow for one
 * new latency, a pause for as long as it lasts, and both with hardly an answer; only a target that
 * gives less than the rate answers and lets it grow on and on. Returns how much this tick says for
 * that: 0, 1, or 2 when the throughput stands still below the rate. */
static uint32_t evidence(const struct law_hold_open *law, double rate_per_s, double generators,
                         double concurrency_max, const struct observation *seen)
{
    double interval_s = (double)seen->interval_ns / 1e9;
    if (seen->generator_load > GENERATOR_BUSY ||
        seen->throughput_per_s < ANSWERS_LEAST * rate_per_s ||
        !is_rising(law, rate_per_s * interval_s, staffing(law->load, generators), seen))
        return 0;
    /* At the ceiling demand grows for want of workers, which says nothing about the target. */
    if (seen->in_flight_end >= 0.95 * concurrency_max &&
        seen->latency_ns_mean / 1e9 < QUEUE_SHARE * law->latency_least_s)
        return 0;
    double noise = FLAT_SIGMAS * sqrt(rate_per_s / interval_s); /* as if answers came at random */
    bool flat = fabs(seen->throughput_per_s - law->throughput_before) <
                FLAT_SHARE * seen->throughput_per_s + noise;
    bool less = seen->throughput_per_s + noise < rate_per_s;
    return flat && less ? 2 : 1;
}

static void saturate(struct law_hold_open *law, double generators, const struct observation *seen)
{
    law->saturated = true;
    law->easy_ticks = 0;
    law->evidence = 0;
    knee_start(&law->knee, seen->throughput_per_s, law->latency_least_s);
    law->cap = fmax(law->knee.concurrency, generators);
    law->floor = 0.0;
}

static void staff(struct law_hold_open *law, double rate_per_s, double generators)
{
    double latency_s = LATENCY_GUESS_S;
    if (law->latency.count > 0)
        latency_s = estimator_latency_s(&law->latency);
    law->load = rate_per_s * latency_s;
    law->floor = staffing(law->load, generators);
}

static void step_normal(struct law_hold_open *law, double rate_per_s, double generators,
                        double concurrency_max, const struct observation *seen,
                        bool generator_bound)
{
    uint32_t found = evidence(law, rate_per_s, generators, concurrency_max, seen);
    if (found > 0)
        law->evidence += found;
    else
        law->evidence -= law->evidence < EVIDENCE_DECAY ? law->evidence : EVIDENCE_DECAY;
    if (law->evidence == 0 || law->latency.count == 0)
        learn_latency(law, seen); /* else a queue would be learned as the target's own latency */
    staff(law, rate_per_s, generators);
    law->cap = fmax(CAP_SHARE * law->floor, rate_per_s * STALL_S);
    bool doubt = found > 1 && law->evidence >= EVIDENCE_DOUBT;
    if (doubt || generator_bound) /* more workers would wait for the target, or for our own CPU */
        law->cap = fmin(law->cap, fmax(DOUBT_CAP_SHARE * law->floor, seen->in_flight_end));
    double latency_ticks = estimator_latency_s(&law->latency) * 1e9 / (double)seen->interval_ns;
    if (law->latency.count > 0 && law->evidence >= EVIDENCE_ENOUGH + 2.0 * latency_ticks)
        saturate(law, generators, seen);
}

static void step_saturated(struct law_hold_open *law, double rate_per_s, double generators,
                           const struct observation *seen)
{
    learn_latency(law, seen);
    if (seen->latency_ns_mean > 0.0)
        knee_step(&law->knee, seen);
    law->cap = fmax(law->knee.concurrency, generators);
    bool easy = seen->backlog <= EASY_BACKLOG_S * rate_per_s &&
                seen->throughput_per_s >= EASY_SHARE * rate_per_s;
    law->easy_ticks = easy ? law->easy_ticks + 1 : 0;
    if (law->easy_ticks >= EASY_TICKS)
        law->saturated = false;
}

void law_hold_open_step(struct law_hold_open *law, double rate_per_s, uint32_t generators,
                        double concurrency_max, const struct observation *seen,
                        bool generator_bound)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(generators >= 1);
    CHECK(seen->interval_ns > 0);
    if (generator_bound)
        law->saturated = false;
    if (law->saturated)
        step_saturated(law, rate_per_s, generators, seen);
    else
        step_normal(law, rate_per_s, generators, concurrency_max, seen, generator_bound);
    law->demand_before = seen->in_flight_end + seen->backlog;
    law->throughput_before = seen->throughput_per_s;
    CHECK(isfinite(law->cap) && isfinite(law->floor));
}
