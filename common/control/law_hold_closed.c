#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/law_hold.h"

#include <math.h>
#include <string.h>

#define LATENCY_GUESS_S 0.010  /* for the workers of the first tick */
#define WORKERS_LEAST   0.01   /* one worker that rests 99 % of the time */
#define DOWN_MOST       0.5    /* of the command, a tick; up it may double */
#define LEAST_DRIFT     0.0005 /* of the way, a tick: three minutes to forget a lucky one */
#define GENERATOR_BUSY  0.9    /* above this nothing is said about the target */
#define IDLE_TICKS      30u    /* in which nothing ended; from then on the workers fade away, ... */
#define IDLE_FADE       0.98   /* ... to the half in 3.5 s */

/* A sample of the latency: below 80 requests/s a single tick holds too few and is biased. */
#define SAMPLE_ENDED 8.0 /* requests, or ... */
#define SAMPLE_S     2.0 /* ... so long */
#define GROWTH_MAX   0.3 /* of ln N over one latency: beyond it a first-order correction fails */

/* Saturation: over five entries of the history N grew and X did not, twice. */
#define FLAT_GROWTH     0.10 /* of ln N: a smaller step cannot tell */
#define FLAT_ELASTICITY 0.25 /* dlnX/dlnN below it: more workers hardly bring more answers */
#define FLAT_HITS       2u
#define PERIOD_LEASTS   4.0  /* an entry takes a latency, at most so many of the least seen */
#define STEADY_SHARE    0.05 /* N within so much of itself: nothing was changed from here */

/* Its end: the rate is there or within reach on two ticks, or no queue is left on eight. */
#define EASY_TICKS     2u
#define UNQUEUED_TICKS 8u
#define UNQUEUED_SHARE 1.07 /* of the latency without a queue; cruising gives 1.25 */

void law_hold_closed_start(struct law_hold_closed *law, double rate_per_s, uint32_t generators)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(generators >= 1);
    *law = (struct law_hold_closed){
        .command = fmin(fmax(rate_per_s * LATENCY_GUESS_S, WORKERS_LEAST), generators)};
}

void law_hold_closed_miss(struct law_hold_closed *law)
{
    law->gap = true;
}

static void forget_history(struct law_hold_closed *law)
{
    law->history_count = 0;
    law->flat_hits = 0;
    law->for_history = (struct law_hold_sums){0};
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

static void gather(struct law_hold_sums *sums, const struct observation *seen)
{
    double interval_s = (double)seen->interval_ns / 1e9;
    double ended = (double)(seen->completed + seen->failed);
    sums->time_s += interval_s;
    sums->worker_s += seen->in_flight_mean * interval_s;
    sums->answers += seen->throughput_per_s * interval_s;
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
    if (law->gap || law->in_flight_then <= 0.0 || direct_s > interval_s)
        return log(direct_s);
    double growth = log(in_flight_mean / law->in_flight_then) / sums->time_s * direct_s;
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
    double before_ticks = ceil(estimator_latency_s(&law->latency) / interval_s);
    bool jumped = estimator_add(&law->latency, log_latency(law, seen->in_flight_mean, interval_s),
                                sums->ended);
    /* A step while nothing was changed here came from outside; it must not be taken for saturation.
     */
    if (jumped && law->steady_ticks >= 4.0 + 2.0 * before_ticks)
        forget_history(law);
    law->for_latency = (struct law_hold_sums){0};
    law->in_flight_then = seen->in_flight_mean;
    law->gap = false;
}

/** Adds an entry once a latency has passed: in a shorter time, workers that began together answer
 * together, and throughput swings. A queue's latency is not waited for; a true one of up to four
 * times the least is. Returns whether it did. */
static bool remember(struct law_hold_closed *law, double interval_s)
{
    const struct law_hold_sums *sums = &law->for_history;
    double period_s =
        fmin(estimator_latency_s(&law->latency), PERIOD_LEASTS * law->latency_least_s);
    if (sums->answers <= 0.0 || sums->worker_s <= 0.0 ||
        sums->time_s < period_s - 0.5 * interval_s ||
        (sums->ended < SAMPLE_ENDED && sums->time_s < SAMPLE_S))
        return false;
    size_t older = sizeof law->log_in_flight - sizeof law->log_in_flight[0];
    memmove(&law->log_in_flight[1], &law->log_in_flight[0], older);
    memmove(&law->log_throughput[1], &law->log_throughput[0], older);
    law->log_in_flight[0] = log(sums->worker_s / sums->time_s);
    law->log_throughput[0] = log(sums->answers / sums->time_s);
    if (law->history_count < LAW_HOLD_HISTORY)
        law->history_count++;
    law->for_history = (struct law_hold_sums){0};
    return true;
}

/** More workers and no more answers: counted when an entry shows it and still more are wanted,
 * uncounted when one shows otherwise. While the estimate waits for its third sample of a longer
 * latency, neither: it did not work to uncount then, the count went up and down while the workers
 * doubled and doubled. */
static void judge(struct law_hold_closed *law, double rate_per_s, double wanted, double in_flight)
{
    if (law->history_count < LAW_HOLD_HISTORY)
        return;
    size_t oldest = LAW_HOLD_HISTORY - 1;
    double more_workers = law->log_in_flight[0] - law->log_in_flight[oldest];
    double more_answers = law->log_throughput[0] - law->log_throughput[oldest];
    double noise = sqrt(0.5 * law->latency.variance);
    bool flat = more_workers > FLAT_GROWTH && more_answers < FLAT_ELASTICITY * more_workers + noise;
    if (!flat || exp(law->log_throughput[0]) >= 0.97 * rate_per_s)
        law->flat_hits -= law->flat_hits > 0;
    else if (wanted > 1.03 * in_flight)
        law->flat_hits++;
}

static void saturate(struct law_hold_closed *law, const struct observation *seen)
{
    law->saturated = true;
    law->easy_ticks = 0;
    knee_start(&law->knee, seen->throughput_per_s, law->latency_least_s);
    forget_history(law);
}

static double step_normal(struct law_hold_closed *law, double wanted,
                          const struct observation *seen)
{
    double up = fmin(2.0 * law->command + 2.0, 6.0 * seen->in_flight_mean + 8.0);
    double latency_s = seen->latency_ns_mean / 1e9;
    /* The workers of the last command are not all there yet, and requests have become long: wait
     * for both. */
    if (seen->in_flight_mean < 0.8 * law->command &&
        latency_s > 1.3 * estimator_latency_s(&law->latency))
        up = law->command;
    return fmax(fmin(wanted, up), DOWN_MOST * law->command);
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

void law_hold_closed_step(struct law_hold_closed *law, double rate_per_s, double concurrency_max,
                          const struct observation *seen, bool generator_bound)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(seen->interval_ns > 0);
    if (rate_per_s <= 0.0)
        return;
    gather(&law->for_latency, seen);
    gather(&law->for_history, seen);
    if (seen->completed + seen->failed == 0 || seen->in_flight_mean <= 0.0) {
        if (++law->idle_ticks > IDLE_TICKS)
            law->command = fmax(WORKERS_LEAST, IDLE_FADE * law->command);
        return;
    }
    law->idle_ticks = 0;
    follow_steadiness(law, seen->in_flight_mean);
    learn_latency(law, seen);
    bool fresh = remember(law, (double)seen->interval_ns / 1e9);
    if (law->latency.count == 0)
        return;
    double latency_s = seen->latency_ns_mean / 1e9;
    if (law->latency_least_s <= 0.0 || latency_s < law->latency_least_s)
        law->latency_least_s = latency_s;
    law->latency_least_s += LEAST_DRIFT * (latency_s - law->latency_least_s);

    double before = law->command;
    double wanted = rate_per_s * estimator_latency_s(&law->latency);
    if (generator_bound || seen->generator_load > GENERATOR_BUSY) {
        law->saturated = false;
        forget_history(law);
    } else if (fresh && !law->saturated) {
        judge(law, rate_per_s, wanted, seen->in_flight_mean);
        if (law->flat_hits >= FLAT_HITS)
            saturate(law, seen);
    }
    double next = law->saturated ? step_saturated(law, rate_per_s, wanted, seen)
                                 : step_normal(law, wanted, seen);
    if (generator_bound)
        next = fmin(next, before);
    law->command = fmin(fmax(next, WORKERS_LEAST), fmax(concurrency_max, WORKERS_LEAST));
    CHECK(isfinite(law->command));
}
