/* The library's face: options and samples of strangers are judged here, so that the laws behind it
 * meet nothing that cannot be. */
#include "clobber/clobber.h"

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/control/controller.h"
#include "common/sized.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What each struct ended with in its first version. */
#define FIRST_BYTES(type, last) (offsetof(struct type, last) + sizeof(((struct type *)0)->last))
#define OPTIONS_BYTES           FIRST_BYTES(clobber_options, interval_ns)
#define SAMPLE_BYTES            FIRST_BYTES(clobber_sample, parts_reported)
#define ADVICE_BYTES            FIRST_BYTES(clobber_advice, ceiling_concurrency)

#define LATENCY_NS_LEAST 1.0  /* a clock too coarse for the work says 0 */
#define IN_FLIGHT_LEAST  1e-9 /* the same, for workers that ended something */

struct clobber_tuner {
    struct clobber_options options;
    struct controller_config config;
    struct controller controller;
    double goal;      /* what controller_step() is to hold */
    uint32_t streams; /* that pace a share of the rate each */
    bool started;
};

static const enum clobber_status statuses[] = {
    [CONTROL_RAMPING] = CLOBBER_RAMPING,
    [CONTROL_STEADY] = CLOBBER_STEADY,
    [CONTROL_SATURATED] = CLOBBER_SATURATED,
    [CONTROL_BOUNDED] = CLOBBER_BOUNDED,
    [CONTROL_GENERATOR_BOUND] = CLOBBER_GENERATOR_BOUND,
    [CONTROL_AT_MAXIMUM] = CLOBBER_AT_MAXIMUM,
    [CONTROL_NO_DATA] = CLOBBER_NO_DATA,
};

static const enum clobber_bound bounds[] = {
    [CONTROL_UNBOUND] = CLOBBER_UNBOUND,
    [CONTROL_BY_LATENCY] = CLOBBER_BY_LATENCY,
    [CONTROL_BY_ERRORS] = CLOBBER_BY_ERRORS,
};

/** Where a sentence goes that says why not. */
struct refusal {
    char *message; /* [message_bytes], or NULL */
    size_t message_bytes;
};

/** Always false, so that refusing is one line. */
__attribute__((format(printf, 2, 3))) static bool refuse(const struct refusal *refusal,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (refusal->message != NULL && refusal->message_bytes > 0)
        vsnprintf(refusal->message, refusal->message_bytes, format, arguments);
    va_end(arguments);
    return false;
}

/* Ranges are written so that NaN is outside of them. */

static bool check_hold(const struct clobber_options *options, const struct refusal *refusal)
{
    if (options->arrivals != CLOBBER_CLOSED && options->arrivals != CLOBBER_OPEN)
        return refuse(refusal, "arrivals is %d; give CLOBBER_CLOSED or CLOBBER_OPEN",
                      (int)options->arrivals);
    if (!(options->target_per_s > 0.0 && options->target_per_s <= TUNER_RATE_PER_S_MAX))
        return refuse(refusal, "target_per_s is %g; give a rate above 0 and at most %g",
                      options->target_per_s, TUNER_RATE_PER_S_MAX);
    if (!(options->latency_quantile == 0.0 && options->latency_bound_ns == 0))
        return refuse(refusal, "a latency bound is given, but CLOBBER_HOLD has none; leave "
                               "latency_quantile and latency_bound_ns 0, or give CLOBBER_MAXIMIZE");
    if (!(options->error_share_max == 0.0 || options->error_share_max == 1.0))
        return refuse(refusal,
                      "error_share_max is %g, but CLOBBER_HOLD has no bound on errors; leave it 0",
                      options->error_share_max);
    if (options->elastic && options->arrivals != CLOBBER_OPEN)
        return refuse(refusal,
                      "elastic is true, which is for CLOBBER_OPEN arrivals; leave it false");
    return true;
}

static bool check_maximize(const struct clobber_options *options, const struct refusal *refusal)
{
    if (options->arrivals != CLOBBER_CLOSED)
        return refuse(refusal,
                      "arrivals is %d, but CLOBBER_MAXIMIZE paces nothing; give "
                      "CLOBBER_CLOSED",
                      (int)options->arrivals);
    if (!(options->target_per_s == 0.0))
        return refuse(refusal, "target_per_s is %g, but CLOBBER_MAXIMIZE has no target; leave it 0",
                      options->target_per_s);
    if (!(options->latency_quantile >= 0.0 && options->latency_quantile < 1.0))
        return refuse(refusal,
                      "latency_quantile is %g; give one above 0 and below 1, as 0.99, or "
                      "0 for no bound",
                      options->latency_quantile);
    if (options->latency_bound_ns > TUNER_INTERVAL_NS_MAX)
        return refuse(refusal,
                      "latency_bound_ns is %llu; give at most an hour, %llu, or 0 for no "
                      "bound",
                      (unsigned long long)options->latency_bound_ns,
                      (unsigned long long)TUNER_INTERVAL_NS_MAX);
    if ((options->latency_quantile > 0.0) != (options->latency_bound_ns > 0))
        return refuse(refusal,
                      "latency_quantile is %g and latency_bound_ns is %llu; give both, or "
                      "0 for both",
                      options->latency_quantile, (unsigned long long)options->latency_bound_ns);
    if (!(options->error_share_max >= 0.0 && options->error_share_max <= 1.0))
        return refuse(refusal, "error_share_max is %g; give a share from 0 to 1, which is no bound",
                      options->error_share_max);
    if (options->elastic)
        return refuse(refusal,
                      "elastic is true, which is for CLOBBER_OPEN arrivals; leave it false");
    return true;
}

static bool check_concurrency(const struct clobber_options *options, const struct refusal *refusal)
{
    if (!(options->concurrency_max > 0.0 && options->concurrency_max <= TUNER_CONCURRENCY_MAX))
        return refuse(refusal,
                      "concurrency_max is %g; give the most that may run at once, above 0 "
                      "and at most %g",
                      options->concurrency_max, TUNER_CONCURRENCY_MAX);
    if (!(options->concurrency_min >= 0.0 && options->concurrency_min <= options->concurrency_max))
        return refuse(refusal, "concurrency_min is %g; give 0 to concurrency_max, which is %g",
                      options->concurrency_min, options->concurrency_max);
    if (!(options->concurrency_start == 0.0 ||
          (options->concurrency_start >= options->concurrency_min &&
           options->concurrency_start <= options->concurrency_max)))
        return refuse(
            refusal, "concurrency_start is %g; give %g to %g, or 0 for the tuner's choice",
            options->concurrency_start, options->concurrency_min, options->concurrency_max);
    return true;
}

static bool check(const struct clobber_options *options, const struct refusal *refusal)
{
    if (options->goal != CLOBBER_HOLD && options->goal != CLOBBER_MAXIMIZE)
        return refuse(refusal, "goal is %d; give CLOBBER_HOLD or CLOBBER_MAXIMIZE",
                      (int)options->goal);
    if (!(options->goal == CLOBBER_HOLD ? check_hold(options, refusal)
                                        : check_maximize(options, refusal)))
        return false;
    if (!check_concurrency(options, refusal))
        return false;
    if (options->parts > TUNER_PARTS_MAX)
        return refuse(refusal, "parts is %u; give at most %u, or 0 for one", options->parts,
                      TUNER_PARTS_MAX);
    if (!(options->interval_ns >= TUNER_INTERVAL_NS_MIN &&
          options->interval_ns <= TUNER_INTERVAL_NS_MAX))
        return refuse(refusal, "interval_ns is %llu; give the time between two steps, %llu to %llu",
                      (unsigned long long)options->interval_ns,
                      (unsigned long long)TUNER_INTERVAL_NS_MIN,
                      (unsigned long long)TUNER_INTERVAL_NS_MAX);
    return true;
}

static enum goal_kind kind_of(const struct clobber_options *options)
{
    if (options->goal == CLOBBER_HOLD)
        return GOAL_HOLD;
    bool bounded = options->latency_bound_ns > 0 || options->error_share_max < 1.0;
    return bounded ? GOAL_MAXIMIZE_WHILE : GOAL_MAXIMIZE;
}

static struct controller_config configure(const struct clobber_options *options)
{
    return (struct controller_config){
        .goal = kind_of(options),
        .arrivals = options->arrivals == CLOBBER_OPEN ? ARRIVALS_OPEN : ARRIVALS_CLOSED,
        .interval_ns = options->interval_ns,
        .concurrency_min = options->concurrency_min,
        .concurrency_max = options->concurrency_max,
        .concurrency_start = options->concurrency_start,
        .rigid = options->arrivals == CLOBBER_OPEN && !options->elastic,
        .latency_bound_ns = (double)options->latency_bound_ns,
        .error_share_max = options->error_share_max,
    };
}

struct clobber_tuner *clobber_tuner_create(const struct clobber_options *options, char *message,
                                           size_t message_bytes)
{
    struct refusal refusal = {.message = message, .message_bytes = message_bytes};
    struct clobber_options read;
    refuse(&refusal, "%s", ""); /* nothing to say so far */
    if (!sized_fits(options, OPTIONS_BYTES)) {
        refuse(&refusal, "bytes is %zu; give sizeof(struct clobber_options), which is %zu",
               options == NULL ? (size_t)0 : options->bytes, sizeof *options);
        return NULL;
    }
    if (!sized_take(&read, sizeof read, options)) {
        refuse(&refusal, "options newer than this library are set: it knows %zu of %zu bytes",
               sizeof read, options->bytes);
        return NULL;
    }
    if (!check(&read, &refusal))
        return NULL;
    struct clobber_tuner *tuner = calloc(1, sizeof *tuner);
    if (tuner == NULL) {
        refuse(&refusal, "no memory for a tuner of %zu bytes", sizeof *tuner);
        return NULL;
    }
    tuner->options = read;
    tuner->config = configure(&read);
    tuner->goal = read.target_per_s;
    tuner->streams = read.parts > 0 ? read.parts : 1;
    return tuner;
}

static bool is_amount(double value, double most)
{
    return value >= 0.0 && value <= most;
}

static bool can_be(const struct clobber_sample *sample)
{
    if (sample->interval_ns == 0 || sample->interval_ns > TUNER_INTERVAL_NS_MAX)
        return false;
    double ended_max = TUNER_RATE_PER_S_MAX * (double)sample->interval_ns / 1e9;
    return (double)sample->completed + (double)sample->failed <= ended_max &&
           is_amount(sample->in_flight_mean, TUNER_COUNT_MAX) &&
           is_amount(sample->latency_ns_mean, (double)TUNER_LATENCY_NS_MAX) &&
           is_amount(sample->latency_ns_at_quantile, (double)TUNER_LATENCY_NS_MAX) &&
           is_amount(sample->in_flight_end, TUNER_COUNT_MAX) &&
           is_amount(sample->backlog, TUNER_COUNT_MAX) &&
           is_amount(sample->demand_peak, TUNER_COUNT_MAX);
}

/** Where requests ended, there was a worker, and they took time; each is reckoned from the other by
 *  Little's law where it is missing. */
static void complete(struct observation *seen)
{
    double ended = (double)(seen->completed + seen->failed);
    double interval_ns = (double)seen->interval_ns;
    if (ended <= 0.0)
        return;
    if (seen->latency_ns_mean <= 0.0)
        seen->latency_ns_mean = seen->in_flight_mean * interval_ns / ended;
    seen->latency_ns_mean =
        fmin(fmax(seen->latency_ns_mean, LATENCY_NS_LEAST), (double)TUNER_LATENCY_NS_MAX);
    if (seen->in_flight_mean <= 0.0)
        seen->in_flight_mean = ended * seen->latency_ns_mean / interval_ns;
    seen->in_flight_mean = fmin(fmax(seen->in_flight_mean, IN_FLIGHT_LEAST), TUNER_COUNT_MAX);
}

static struct observation observe(const struct clobber_tuner *tuner,
                                  const struct clobber_sample *sample)
{
    struct observation seen = {.interval_ns = tuner->options.interval_ns,
                               .parts_expected = 1,
                               .generators = tuner->streams,
                               .generator_load = -1.0};
    if (sample == NULL || !can_be(sample))
        return seen;
    bool counted = sample->parts_expected > 0;
    seen.interval_ns = sample->interval_ns;
    seen.parts_expected = counted ? sample->parts_expected : 1;
    seen.parts_reported = counted ? sample->parts_reported : 1;
    seen.completed = sample->completed;
    seen.failed = sample->failed;
    seen.throughput_per_s =
        (double)(sample->completed + sample->failed) / ((double)sample->interval_ns / 1e9);
    seen.in_flight_mean = sample->in_flight_mean;
    seen.latency_ns_mean = sample->latency_ns_mean;
    seen.latency_ns_quantile = sample->latency_ns_at_quantile;
    if (sample->generator_load >= 0.0)
        seen.generator_load = fmin(sample->generator_load, 1.0);
    complete(&seen);
    /* Only who paces requests is asked for these. */
    bool open = tuner->options.arrivals == CLOBBER_OPEN;
    seen.in_flight_end = open ? sample->in_flight_end : seen.in_flight_mean;
    seen.backlog = open ? sample->backlog : 0.0;
    seen.demand_peak = open ? sample->demand_peak : 0.0;
    return seen;
}

static double finite_or_0(double value)
{
    return isfinite(value) ? value : 0.0;
}

/** The promise of the header is kept here, whatever the laws say: fmax and fmin drop a NaN. */
static struct clobber_advice translate(const struct clobber_tuner *tuner,
                                       const struct control_advice *advice)
{
    const struct clobber_options *options = &tuner->options;
    double concurrency =
        fmin(fmax(advice->concurrency, options->concurrency_min), options->concurrency_max);
    double floor = fmin(fmax(advice->floor, 0.0), concurrency);
    CHECK((size_t)advice->status < COUNT(statuses));
    CHECK((size_t)advice->bound < COUNT(bounds));
    return (struct clobber_advice){
        .concurrency = concurrency,
        .concurrency_floor = options->elastic ? floor : concurrency,
        .status = statuses[advice->status],
        .bound = bounds[advice->bound],
        .ceiling_per_s = finite_or_0(advice->ceiling_per_s),
        .ceiling_concurrency = finite_or_0(advice->ceiling_concurrency),
    };
}

void clobber_tuner_step(struct clobber_tuner *tuner, const struct clobber_sample *sample,
                        struct clobber_advice *advice)
{
    struct control_advice found = {0};
    struct clobber_sample read;
    bool given = sized_fits(sample, SAMPLE_BYTES);
    bool first = !tuner->started;
    if (given)
        sized_take(&read, sizeof read, sample);
    if (first)
        found =
            controller_step(&tuner->config, &tuner->controller, tuner->goal, tuner->streams, NULL);
    if (given || !first) {
        struct observation seen = observe(tuner, given ? &read : NULL);
        found =
            controller_step(&tuner->config, &tuner->controller, tuner->goal, tuner->streams, &seen);
    }
    tuner->started = true;
    if (sized_fits(advice, ADVICE_BYTES)) {
        struct clobber_advice told = translate(tuner, &found);
        sized_give(advice, &told, sizeof told);
    }
}

void clobber_tuner_retarget(struct clobber_tuner *tuner, double target_per_s)
{
    if (tuner->options.goal == CLOBBER_HOLD && target_per_s >= 0.0 &&
        target_per_s <= TUNER_RATE_PER_S_MAX)
        tuner->goal = target_per_s;
}

void clobber_tuner_destroy(struct clobber_tuner *tuner)
{
    free(tuner);
}
