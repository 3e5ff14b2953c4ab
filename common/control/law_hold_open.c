#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/law_hold.h"

#include <math.h>

#define LATENCY_GUESS_S 0.003 /* for the workers that connect before the first request */
#define STAFFING        2.4   /* Halfin and Whitt 1981: 1 % of requests find no idle worker */
#define STALL_S         0.25  /* a pause through which requests still start on time */
#define START_S         5.0   /* the same before the first answer: nothing speaks for a queue yet */
#define CAP_SHARE       4.0   /* of the floor: room for a latency step of x4 */
#define LEAST_DRIFT     0.02  /* of the way, a tick: a latency without a queue may rise for good */
#define GENERATOR_BUSY  0.9   /* above this nothing is said about the target */

/* What counts as evidence for saturation: */
#define DEMAND_HIGH   1.2  /* of the floor: below it, growth is the noise of arrivals */
#define DEMAND_GROWTH 0.01 /* of what arrived in the tick */
#define ANSWERS_SURE  5.0  /* a tick: fewer do not stand still, whatever they do */
#define FLAT_SHARE    0.1  /* of the throughput; and noise of two sigmas */
#define FLAT_SIGMAS   2.0
#define QUEUE_SHARE   1.5 /* of the least latency: so long is a queue, even at the ceiling */

/* How much is enough: three ticks that stand still, and one more for each tick of latency, for a
 * step makes demand grow so long. */
#define EVIDENCE_ENOUGH 5.0
#define EVIDENCE_DECAY  2u  /* for each tick without */
#define EVIDENCE_QUEUE  2u  /* from here on a latency is the queue's, not to be learned */
#define BOUND_CAP_SHARE 2.0 /* of the floor, where the load generators are the limit */

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
    *law = (struct law_hold_open){.load = rate_per_s * LATENCY_GUESS_S, .throughput_before = -1.0};
    law->floor = staffing(law->load, generators);
    law->cap = fmax(2.0 * generators, rate_per_s * START_S);
}

static void note_latency(struct law_hold_open *law, double latency_s)
{
    if (latency_s > 0.0 && (law->latency_least_s <= 0.0 || latency_s < law->latency_least_s))
        law->latency_least_s = latency_s;
}

static void learn_latency(struct law_hold_open *law, const struct observation *seen)
{
    double ended = (double)(seen->completed + seen->failed);
    if (ended <= 0.0 || seen->latency_ns_mean <= 0.0)
        return;
    estimator_add(&law->latency, log(seen->latency_ns_mean / 1e9), ended);
    double level_s = estimator_latency_s(&law->latency);
    note_latency(law, level_s);
    law->latency_least_s += LEAST_DRIFT * (level_s - law->latency_least_s);
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

/** Without a queue, as far as is known; before anything is learned, the least mean of a tick. */
static double latency_s(const struct law_hold_open *law)
{
    return law->latency.count > 0 ? estimator_latency_s(&law->latency) : law->latency_least_s;
}

/** Whether the throughput stands still, clearly below the rate. In the first tick of all that is
 * less than the rate since the first answer can have come. */
static bool stands_still(const struct law_hold_open *law, double rate_per_s, double interval_s,
                         const struct observation *seen)
{
    double throughput_per_s = seen->throughput_per_s;
    double noise = FLAT_SIGMAS * sqrt(throughput_per_s / interval_s); /* as if at random */
    if (law->throughput_before < 0.0)
        return throughput_per_s + noise <
               rate_per_s * (1.0 - seen->latency_ns_mean / 1e9 / interval_s);
    return throughput_per_s + noise < rate_per_s && throughput_per_s * interval_s >= ANSWERS_SURE &&
           fabs(throughput_per_s - law->throughput_before) < FLAT_SHARE * throughput_per_s + noise;
}

/** Demand grows by exactly what arrives less what is answered. A latency step lets it grow for one
 * new latency, a pause for as long as it lasts, and both without an answer; only a target that
 * gives less than the rate answers and lets it grow on and on. Returns how much this tick says for
 * that: 0, 1, or 2 when the throughput stands still below the rate. */
static uint32_t evidence(const struct law_hold_open *law, double rate_per_s, double generators,
                         double concurrency_max, const struct observation *seen)
{
    double interval_s = (double)seen->interval_ns / 1e9;
    double bare = law->latency.count > 0 ? rate_per_s * law->latency_least_s : law->load;
    if (seen->generator_load > GENERATOR_BUSY || seen->completed + seen->failed == 0 ||
        !is_rising(law, rate_per_s * interval_s, staffing(bare, generators), seen))
        return 0;
    /* At the ceiling demand grows for want of workers, which says nothing about the target. */
    bool queue =
        law->latency.count > 0 && seen->latency_ns_mean / 1e9 >= QUEUE_SHARE * law->latency_least_s;
    if (seen->in_flight_end >= 0.95 * concurrency_max && !queue)
        return 0;
    return stands_still(law, rate_per_s, interval_s, seen) ? 2 : 1;
}

static void saturate(struct law_hold_open *law, double generators, const struct observation *seen)
{
    law->saturated = true;
    law->easy_ticks = 0;
    law->evidence = 0;
    knee_start(&law->knee, seen->throughput_per_s, law->latency_least_s);
    law->cap = fmax(law->knee.concurrency, generators);
    law->floor = law->cap;
}

static void staff(struct law_hold_open *law, double rate_per_s, double generators)
{
    double guess_s = LATENCY_GUESS_S;
    if (law->latency.count > 0)
        guess_s = estimator_latency_s(&law->latency);
    law->load = rate_per_s * guess_s;
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
    if (law->evidence < EVIDENCE_QUEUE)
        learn_latency(law, seen); /* else a queue would be learned as the target's own latency */
    else if (law->latency.count == 0)
        note_latency(law, seen->latency_ns_mean / 1e9);
    staff(law, rate_per_s, generators);
    double ride_s = law->latency.count > 0 ? STALL_S : START_S;
    law->cap = fmax(CAP_SHARE * law->floor, rate_per_s * ride_s);
    if (generator_bound) /* more workers would wait for our own CPU */
        law->cap = fmin(law->cap, fmax(BOUND_CAP_SHARE * law->floor, seen->in_flight_end));
    /* A step is followed up to x4: what seems longer than that may be a queue that was learned. */
    double step_s = fmin(latency_s(law), CAP_SHARE * law->latency_least_s);
    double latency_ticks = step_s * 1e9 / (double)seen->interval_ns;
    if (law->latency_least_s > 0.0 && found > 0 &&
        law->evidence >= EVIDENCE_ENOUGH + 2.0 * latency_ticks)
        saturate(law, generators, seen);
}

static void step_saturated(struct law_hold_open *law, double rate_per_s, double generators,
                           const struct observation *seen)
{
    learn_latency(law, seen);
    if (seen->latency_ns_mean > 0.0)
        knee_step(&law->knee, seen);
    law->cap = fmax(law->knee.concurrency, generators);
    law->floor = law->cap;
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
