#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/law_hold.h"

#include <math.h>
#include <string.h>

#define LATENCY_GUESS_S 0.010  /* for the workers of the first tick */
#define WORKERS_LEAST   0.01   /* one worker that rests 99 % of the time */
#define LEAST_DRIFT     0.0005 /* of the way, a tick: three minutes to forget a lucky one */
#define GENERATOR_BUSY  0.9    /* above this nothing is said about the target */
#define IDLE_TICKS      30u    /* in which nothing ended; from then on the workers fade away, ... */
#define IDLE_FADE       0.98   /* ... to the half in 3.5 s */

/* A sample of the latency: below 80 requests/s a single tick holds too few and is biased. */
#define SAMPLE_ENDED 8.0  /* requests, or ... */
#define SAMPLE_S     2.0  /* ... so long */
#define GROWTH_MAX   0.05 /* of ln N over one latency: beyond it a first-order correction fails */

/* The way to the number that is wanted. */
#define UNSURE_SAMPLES 4u  /* fewer: what was seen came from a few workers, ... */
#define UNSURE_SHARE   0.5 /* ... so go half of the way, and see the next sample on it */
#define FEW_WORKERS    2.0 /* are no crowd, whatever is known */
#define UP_MOST        4.0 /* times what is in flight: a stall must not call up thousands */
#define DOWN_MOST      0.5 /* of the command, a tick */
#define QUEUE_SHARE    1.1 /* a latency that grew so with the workers may be their queue, ... */
#define QUEUE_GROWTH   1.1 /* ... so go on carefully: each latency by just enough to see more */

/* What the rate lacks once all should be well: workers between two requests are not in flight. */
#define TRIM_GAIN  0.02 /* a tick: slower than the estimate, which has to come first */
#define TRIM_NEAR  0.1  /* of the goal: further away it is not the trim's to mend */
#define TRIM_ERROR 0.05 /* the most one tick may claim, and ... */
#define TRIM_MOST  0.05 /* ... all of them */

/* Saturation: the workers grew and the answers did not. */
#define FLAT_GROWTH     0.15 /* of ln N: a smaller step cannot tell */
#define CHANCE_SIGMAS   2.5  /* nor one within the noise of as many answers at random */
#define FLAT_ELASTICITY 0.25 /* dlnX/dlnN below it: more workers hardly bring more answers */
#define TALL_QUEUE      4.0 /* times the latency before the workers grew: there, as by Gunther's law */
#define TALL_ELASTICITY 0.5  /* the elasticity is down to 1/4, so that a half is flat enough */
#define FLAT_TICKS      3u   /* for so long, with the workers held */
#define PRESENT_SHARE   0.9  /* of those ordered; fewer: others connect or wait for their turn */
#define STEADY_SHARE    0.05 /* N within so much of itself: nothing was changed from here */
#define STEADY_TICKS    4u   /* and two latencies */

/* Its end: the rate is there or within reach on two ticks, or no queue is left on eight. */
#define EASY_TICKS     2u
#define UNQUEUED_TICKS 8u
#define UNQUEUED_SHARE 1.07 /* of the latency without a queue; cruising gives 1.25 */

void law_hold_closed_start(struct law_hold_closed *law, double rate_per_s, uint32_t generators)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(generators >= 1);
    double command = fmin(fmax(rate_per_s * LATENCY_GUESS_S, WORKERS_LEAST), generators);
    *law = (struct law_hold_closed){.command = command, .command_before = command};
}

void law_hold_closed_miss(struct law_hold_closed *law)
{
    law->gap = true;
    law->command_before = law->command; /* it was held */
}

static void forget_history(struct law_hold_closed *law)
{
    law->history_count = 0;
    law->flat_ticks = 0;
    law->for_history = (struct law_hold_sums){0};
}

/** Whether the workers have not been moved for so long that what changes now is the target's. */
static bool is_steady(const struct law_hold_closed *law, double interval_s)
{
    double latency_ticks = ceil(estimator_latency_s(&law->latency) / interval_s);
    return law->steady_ticks >= STEADY_TICKS + 2.0 * latency_ticks;
}

static void follow_steadiness(struct law_hold_closed *law, double in_flight)
{
    if (law->steady_level > 0.0 && fabs(log(in_flight / law->steady_level)) <= STEADY_SHARE) {
        law->steady_ticks++;
    } else {
        law->steady_ticks = 0;
        law->steady_level = in_flight;
    }
}

/** `gap`: a report was missing, so counts are of more than this tick, while rates are not. */
static void gather(struct law_hold_sums *sums, const struct observation *seen, bool gap)
{
    double interval_s = (double)seen->interval_ns / 1e9;
    double answers = seen->throughput_per_s * interval_s;
    double ended = gap ? answers : (double)(seen->completed + seen->failed);
    sums->time_s += interval_s;
    sums->worker_s += seen->in_flight_mean * interval_s;
    sums->answers += answers;
    sums->latency_s += seen->latency_ns_mean / 1e9 * ended;
    sums->ended += ended;
}

/** Little's law, N/X, has less noise than the mean of what ended. But it needs latencies within the
 * tick, and while the number of workers changes fast it lags; then the mean is taken. Both count
 * worker-time per answer, so a time-out costs its workers as it should. */
static double log_latency(const struct law_hold_closed *law, double in_flight_mean,
                          double interval_s)
{
    const struct law_hold_sums *sums = &law->for_latency;
    double direct_s = sums->latency_s / sums->answers;
    if (law->in_flight_then <= 0.0 || direct_s > interval_s)
        return log(direct_s);
    double growth = log(in_flight_mean / law->in_flight_then) / sums->time_s * direct_s;
    growth = law->gap ? 0.0 : growth; /* nobody knows since when */
    if (fabs(growth) > GROWTH_MAX)
        return log(direct_s);
    /* Workers that began within the last latency have not yet had the time to answer. */
    return log(sums->worker_s / sums->answers) - 0.5 * growth;
}

/** Feeds the estimator once enough has ended. */
static void learn_latency(struct law_hold_closed *law, const struct observation *seen)
{
    const struct law_hold_sums *sums = &law->for_latency;
    if (sums->answers <= 0.0 || sums->worker_s <= 0.0 || sums->latency_s <= 0.0 ||
        (sums->ended < SAMPLE_ENDED && sums->time_s < SAMPLE_S))
        return;
    double interval_s = (double)seen->interval_ns / 1e9;
    bool steady = is_steady(law, interval_s);
    bool jumped = estimator_add(&law->latency, log_latency(law, seen->in_flight_mean, interval_s),
                                sums->ended);
    /* A step while nothing was changed here came from outside; it must not be taken for saturation.
     */
    if (jumped && steady)
        forget_history(law);
    law->for_latency = (struct law_hold_sums){0};
    law->in_flight_then = seen->in_flight_mean;
    law->gap = false;
}

/** Adds an entry once a latency has passed: in a shorter time, workers that began together answer
 * together, and throughput swings. A queue's latency is not waited for. Returns how many ticks the
 * entry took, 0 when there is none yet. */
static uint32_t remember(struct law_hold_closed *law, double interval_s)
{
    const struct law_hold_sums *sums = &law->for_history;
    if (sums->answers <= 0.0 || sums->worker_s <= 0.0 ||
        sums->time_s < law->latency_before_s - 0.5 * interval_s ||
        (sums->ended < SAMPLE_ENDED && sums->time_s < SAMPLE_S))
        return 0;
    size_t older = sizeof law->log_command - sizeof law->log_command[0];
    memmove(&law->log_command[1], &law->log_command[0], older);
    memmove(&law->log_most[1], &law->log_most[0], older);
    memmove(&law->log_throughput[1], &law->log_throughput[0], older);
    law->log_command[0] = log(law->command_before);
    law->log_most[0] = log(fmax(law->command_before, sums->worker_s / sums->time_s));
    law->log_throughput[0] = log(sums->answers / sums->time_s);
    if (law->history_count < LAW_HOLD_HISTORY)
        law->history_count++;
    law->entry_ended = sums->ended;
    uint32_t ticks = (uint32_t)fmax(1.0, round(sums->time_s / interval_s));
    law->for_history = (struct law_hold_sums){0};
    return ticks;
}

/** Whether any entry before `newer` had clearly fewer workers, and hardly fewer answers than now.
 */
static bool is_flat(const struct law_hold_closed *law, uint32_t newer)
{
    double chance = CHANCE_SIGMAS * sqrt(2.0 / law->entry_ended);
    bool tall = estimator_latency_s(&law->latency) > TALL_QUEUE * law->latency_before_s;
    double elasticity = tall ? TALL_ELASTICITY : FLAT_ELASTICITY;
    for (uint32_t i = newer + 1; i < law->history_count; i++) {
        /* How long an order takes to arrive is not known: what was in flight tells that it has. */
        double more_workers = law->log_command[newer] - law->log_most[i];
        double more_answers = law->log_throughput[0] - law->log_throughput[i];
        if (law->log_command[i] >= 0.0 && /* a part of a worker answers by chance */
            more_workers > fmax(FLAT_GROWTH, chance) && more_answers < elasticity * more_workers)
            return true;
    }
    return false;
}

/** More workers and no more answers: counted while still more are wanted. An entry of `ticks` ticks
 * counts as many. */
static void judge(struct law_hold_closed *law, uint32_t ticks, double rate_per_s, double wanted,
                  const struct observation *seen)
{
    /* Workers of a slow target had no time yet to answer: look at those of the entry before. */
    bool slow = law->latency_before_s * 1e9 > 0.5 * (double)seen->interval_ns;
    bool present = seen->in_flight_mean > PRESENT_SHARE * law->command_before;
    if (!is_flat(law, slow ? 1 : 0) || exp(law->log_throughput[0]) >= 0.97 * rate_per_s)
        law->flat_ticks = 0;
    else if (present && wanted > 1.03 * seen->in_flight_mean)
        law->flat_ticks += ticks;
}

static void saturate(struct law_hold_closed *law, const struct observation *seen)
{
    law->saturated = true;
    law->easy_ticks = 0;
    knee_start(&law->knee, seen->throughput_per_s, law->latency_least_s);
    forget_history(law);
}

/** How many there may be next. */
static double most(const struct law_hold_closed *law, double wanted, const struct observation *seen)
{
    double command = law->command;
    if (law->flat_ticks > 0)
        return command; /* seems saturated: hold, and see it again */
    double up = fmax(command, UP_MOST * (seen->in_flight_mean + FEW_WORKERS));
    if (law->latency.count < UNSURE_SAMPLES)
        up = command + fmax(UNSURE_SHARE * (wanted - command), FEW_WORKERS);
    if (seen->latency_ns_mean > QUEUE_SHARE * 1e9 * law->latency_before_s) {
        double latency_ticks = law->latency_before_s * 1e9 / (double)seen->interval_ns;
        up = fmin(up, pow(QUEUE_GROWTH, 1.0 / fmax(1.0, latency_ticks)) * command);
    }
    return up;
}

static double step_normal(const struct law_hold_closed *law, double wanted,
                          const struct observation *seen)
{
    return fmax(fmin(wanted, most(law, wanted, seen)), DOWN_MOST * law->command);
}

static double step_saturated(struct law_hold_closed *law, double rate_per_s, double wanted,
                             const struct observation *seen)
{
    knee_step(&law->knee, seen);
    double held = law->knee.concurrency;
    bool enough = wanted <= held || seen->throughput_per_s > 0.985 * rate_per_s;
    bool unqueued = !law->knee.probing &&
                    estimator_latency_s(&law->latency) < UNQUEUED_SHARE * law->knee.latency_s;
    law->easy_ticks = enough || unqueued ? law->easy_ticks + 1 : 0;
    if (law->easy_ticks >= (enough ? EASY_TICKS : UNQUEUED_TICKS)) {
        law->saturated = false;
        forget_history(law);
    }
    return fmin(held, wanted);
}

static void follow_latency(struct law_hold_closed *law, double interval_s, double latency_s)
{
    if (law->latency_least_s <= 0.0 || latency_s < law->latency_least_s)
        law->latency_least_s = latency_s;
    law->latency_least_s += LEAST_DRIFT * (latency_s - law->latency_least_s);
    if (law->latency_before_s <= 0.0 || is_steady(law, interval_s))
        law->latency_before_s = estimator_latency_s(&law->latency);
}

static double bounded(double value, double most)
{
    return fmin(fmax(value, -most), most);
}

/** Little's law counts the workers in flight. Those that read, wait for their turn or connect again
 * are needed too; their share shows as a rate that stays a little below the goal. */
static void follow_trim(struct law_hold_closed *law, double error)
{
    if (fabs(error) < TRIM_NEAR)
        law->trim = bounded(law->trim + TRIM_GAIN * bounded(error, TRIM_ERROR), TRIM_MOST);
}

void law_hold_closed_step(struct law_hold_closed *law, double rate_per_s, double concurrency_max,
                          const struct observation *seen, bool generator_bound)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(seen->interval_ns > 0);
    if (rate_per_s <= 0.0)
        return;
    gather(&law->for_latency, seen, law->gap);
    gather(&law->for_history, seen, law->gap);
    if (seen->completed + seen->failed == 0 || seen->in_flight_mean <= 0.0) {
        if (++law->idle_ticks > IDLE_TICKS)
            law->command = fmax(WORKERS_LEAST, IDLE_FADE * law->command);
        return;
    }
    law->idle_ticks = 0;
    follow_steadiness(law, seen->in_flight_mean);
    learn_latency(law, seen);
    double interval_s = (double)seen->interval_ns / 1e9;
    uint32_t fresh_ticks = remember(law, interval_s);
    if (law->latency.count == 0)
        return;
    follow_latency(law, interval_s, seen->latency_ns_mean / 1e9);
    if (!law->saturated)
        follow_trim(law, 1.0 - seen->throughput_per_s / rate_per_s);

    double before = law->command;
    double wanted = rate_per_s * estimator_latency_s(&law->latency) * (1.0 + law->trim);
    if (generator_bound || seen->generator_load > GENERATOR_BUSY) {
        law->saturated = false;
        forget_history(law);
    } else if (fresh_ticks > 0 && !law->saturated) {
        judge(law, fresh_ticks, rate_per_s, wanted, seen);
        if (law->flat_ticks >= FLAT_TICKS)
            saturate(law, seen);
    }
    double next = law->saturated ? step_saturated(law, rate_per_s, wanted, seen)
                                 : step_normal(law, wanted, seen);
    if (generator_bound)
        next = fmin(next, before);
    law->command_before = before;
    law->command = fmin(fmax(next, WORKERS_LEAST), fmax(concurrency_max, WORKERS_LEAST));
    CHECK(isfinite(law->command));
}
