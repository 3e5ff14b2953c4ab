#include "common/control/controller.h"

#include "common/base/check.h"

#include <math.h>
#include <stddef.h>

#define SILENT_TICKS    3u   /* without a report: what was known is too old */
#define IDLE_TICKS      30u  /* in which nothing ended, ... */
#define IDLE_EXPECTED   3.0  /* ... while so many should have */
#define GENERATOR_FULL  0.90 /* of a lane's CPU: no time is left to be punctual */
#define GENERATOR_CLEAR 0.80
#define GENERATOR_TICKS 5u
#define THROUGHPUT_GAIN 0.2  /* a memory of five ticks */
#define STEADY_SHARE    0.03 /* of the goal, ... */
#define STEADY_SIGMAS   3.0  /* ... and the noise of answers at random, smoothed as above */
#define WORKERS_LEAST   0.02 /* of the searching laws: one worker that rests 98 % of the time */
#define PRECISION       0.02 /* of an answer, where the plan does not say */
#define BOUND_SHARE     0.97 /* of the cap of `while`: so near, it is what holds us */
#define BOUNDED_TICKS   30u  /* at the bound without a search: three seconds are an answer */
#define HOPELESS_TICKS  50u  /* beyond a bound with the fewest workers: it will not be met */

/* Catching up at +10 %, a second drains a tenth of a second's backlog, and a second is what an
 * overload that has ended may go on for; a pause may be caught up with for longer. */
#define DROP_AGE_NS           UINT64_C(1000000000)
#define DROP_AGE_SATURATED_NS UINT64_C(20000000)

static const char *const status_words[] = {
    [CONTROL_RAMPING] = "ramping",
    [CONTROL_STEADY] = "steady",
    [CONTROL_SATURATED] = "saturated",
    [CONTROL_BOUNDED] = "bounded",
    [CONTROL_GENERATOR_BOUND] = "generator_bound",
    [CONTROL_AT_MAXIMUM] = "at_maximum",
    [CONTROL_NO_DATA] = "no_data",
};

const char *control_status_word(enum control_status status)
{
    CHECK((size_t)status < COUNT(status_words));
    return status_words[status];
}

static bool is_open(const struct controller_config *config)
{
    return config->goal == GOAL_HOLD && config->arrivals == ARRIVALS_OPEN;
}

static bool is_closed(const struct controller_config *config)
{
    return config->goal == GOAL_HOLD && config->arrivals == ARRIVALS_CLOSED;
}

static bool is_search(const struct controller_config *config)
{
    return config->goal == GOAL_MAXIMIZE || config->goal == GOAL_MAXIMIZE_WHILE;
}

static double search_least(const struct controller_config *config)
{
    return fmin(fmax(config->concurrency_min, WORKERS_LEAST), config->concurrency_max);
}

/** Up to where the search may go now. */
static double search_most(const struct controller_config *config, const struct controller *state)
{
    if (config->goal == GOAL_MAXIMIZE)
        return config->concurrency_max;
    return law_while_cap(&state->bounds, search_least(config), config->concurrency_max);
}

static double precision(const struct controller_config *config)
{
    return config->precision > 0.0 ? config->precision : PRECISION;
}

static bool generator_is_bound(const struct controller *state)
{
    return state->generator_ticks >= GENERATOR_TICKS;
}

static void watch_generator(struct controller *state, double load)
{
    if (load > GENERATOR_FULL && state->generator_ticks < GENERATOR_TICKS)
        state->generator_ticks++;
    else if (load < GENERATOR_CLEAR && state->generator_ticks > 0)
        state->generator_ticks--;
}

static void watch_throughput(struct controller *state, const struct controller_config *config,
                             double goal, const struct observation *seen)
{
    state->throughput_per_s += THROUGHPUT_GAIN * (seen->throughput_per_s - state->throughput_per_s);
    double expected = 1.0; /* in this tick */
    if (config->goal == GOAL_HOLD)
        expected = goal * (double)seen->interval_ns / 1e9;
    bool idle = seen->completed + seen->failed == 0 && (goal > 0.0 || is_search(config));
    state->idle_ticks = idle ? state->idle_ticks + 1 : 0;
    state->missed_expected = idle ? state->missed_expected + expected : 0.0;
}

/** A generator that gives no more ends the search: what is seen is its limit, not the target's. */
static void search_step(const struct controller_config *config, struct controller *state,
                        const struct observation *seen)
{
    struct law_maximize *law = &state->maximize;
    if (generator_is_bound(state)) {
        law_maximize_start(law, law->command);
        return;
    }
    if (config->goal == GOAL_MAXIMIZE_WHILE)
        law_while_step(&state->bounds,
                       (struct while_bounds){.latency_s = config->latency_bound_ns / 1e9,
                                             .error_share_max = config->error_share_max},
                       search_least(config), law->climbing, seen);
    double most = search_most(config, state);
    struct maximize_range range = {
        .least = search_least(config), .most = most, .precision = precision(config)};
    law_maximize_step(law, &range, seen);
    bool bounded = most < config->concurrency_max && law->phase == MAXIMIZE_HOLD &&
                   law->command >= BOUND_SHARE * most;
    if (bounded)
        state->bounded_ticks++;
    else if (law->phase != MAXIMIZE_PROBE)
        state->bounded_ticks = 0;
}

/** One whole tick goes into what is known. */
static void learn(const struct controller_config *config, struct controller *state, double goal,
                  uint32_t generators, const struct observation *seen)
{
    watch_generator(state, seen->generator_load);
    watch_throughput(state, config, goal, seen);
    state->in_flight_mean = seen->in_flight_mean;
    if (is_open(config)) {
        law_hold_open_step(&state->open, goal, generators, config->concurrency_max, seen,
                           generator_is_bound(state));
        rigid_pool_step(&state->rigid, state->open.floor, state->open.cap, generators, seen);
    } else if (is_closed(config)) {
        law_hold_closed_step(&state->closed, goal, config->concurrency_max, seen,
                             generator_is_bound(state));
    } else if (is_search(config)) {
        search_step(config, state, seen);
    }
}

/** What the law would run if nobody set a ceiling. */
static struct control_advice advise(const struct controller_config *config,
                                    const struct controller *state, double goal)
{
    struct control_advice advice = {.drop_age_ns = DROP_AGE_NS};
    if (is_open(config)) {
        advice.concurrency = config->rigid ? state->rigid.workers : state->open.cap;
        advice.floor = config->rigid ? state->rigid.workers : state->open.floor;
        if (state->open.saturated)
            advice.drop_age_ns = DROP_AGE_SATURATED_NS;
    } else {
        advice.concurrency = goal;
        if (is_closed(config))
            advice.concurrency = goal > 0.0 ? state->closed.command : 0.0;
        if (is_search(config))
            advice.concurrency = state->maximize.command;
        advice.floor = advice.concurrency;
    }
    return advice;
}

/** A hold that needs just as much as there is may want more; a fixed number that fits, fits. */
static bool is_at_maximum(const struct controller_config *config, double concurrency)
{
    return config->goal == GOAL_CONCURRENCY ? concurrency > config->concurrency_max
                                            : concurrency >= config->concurrency_max;
}

/** Whether the rate is where the goal is, as far as noise lets one tell. */
static bool is_met(const struct controller_config *config, const struct controller *state,
                   double goal)
{
    if (config->goal == GOAL_CONCURRENCY)
        return true;
    double interval_s = (double)config->interval_ns / 1e9;
    double noise = sqrt(goal / interval_s * THROUGHPUT_GAIN / (2.0 - THROUGHPUT_GAIN));
    return fabs(state->throughput_per_s - goal) <= STEADY_SHARE * goal + STEADY_SIGMAS * noise;
}

static enum control_status judge_search(const struct controller_config *config,
                                        const struct controller *state)
{
    const struct law_maximize *law = &state->maximize;
    if (state->bounded_ticks > 0 || state->bounds.violated_ticks >= HOPELESS_TICKS)
        return CONTROL_BOUNDED;
    if (law->phase != MAXIMIZE_SEARCH && law->stopped_short)
        return CONTROL_AT_MAXIMUM;
    return law_maximize_converged(law, precision(config)) ? CONTROL_SATURATED : CONTROL_RAMPING;
}

/** The first that is true, from what makes all else meaningless down to what is all right. */
static enum control_status judge(const struct controller_config *config,
                                 const struct controller *state, double goal, uint32_t generators,
                                 bool at_maximum)
{
    bool saturated = is_open(config) ? state->open.saturated : state->closed.saturated;
    bool met = is_met(config, state, goal);
    if (state->silent_ticks >= SILENT_TICKS ||
        (state->idle_ticks >= IDLE_TICKS && state->missed_expected >= IDLE_EXPECTED))
        return CONTROL_NO_DATA;
    /* With closed arrivals, others carry what a full generator cannot: while the rate is there,
     * they do. */
    bool carried = is_closed(config) && generators > 1 && met;
    if (generator_is_bound(state) && !carried)
        return CONTROL_GENERATOR_BOUND;
    if (is_search(config))
        return judge_search(config, state);
    if (at_maximum && (config->goal == GOAL_CONCURRENCY || !met))
        return CONTROL_AT_MAXIMUM;
    if (saturated)
        return CONTROL_SATURATED;
    return met ? CONTROL_STEADY : CONTROL_RAMPING;
}

/** The answer of a search, and what set it. */
static void name_answer(const struct controller_config *config, const struct controller *state,
                        struct control_advice *advice)
{
    const struct law_maximize *law = &state->maximize;
    if (advice->status == CONTROL_BOUNDED) {
        advice->bound =
            law_while_is_by_errors(&state->bounds) ? CONTROL_BY_ERRORS : CONTROL_BY_LATENCY;
        advice->converged = state->bounded_ticks >= BOUNDED_TICKS;
        advice->ceiling_per_s = state->throughput_per_s;
        advice->ceiling_concurrency = state->in_flight_mean;
    } else if (advice->status == CONTROL_SATURATED) {
        advice->converged = true;
        advice->ceiling_per_s = exp(law->held.throughput);
        advice->ceiling_concurrency = law->answer;
    } else if (advice->status == CONTROL_AT_MAXIMUM) {
        advice->converged = law_maximize_converged(law, precision(config));
    }
}

static void name_ceiling(const struct controller_config *config, const struct controller *state,
                         struct control_advice *advice)
{
    if (is_search(config) && advice->status != CONTROL_GENERATOR_BOUND) {
        name_answer(config, state, advice);
    } else if (advice->status == CONTROL_SATURATED) {
        const struct knee *knee = is_open(config) ? &state->open.knee : &state->closed.knee;
        advice->ceiling_per_s = knee->throughput_per_s;
        advice->ceiling_concurrency = knee->concurrency;
    } else if (advice->status == CONTROL_GENERATOR_BOUND) {
        advice->ceiling_per_s = state->throughput_per_s;
        advice->ceiling_concurrency = state->in_flight_mean;
    }
}

/** The caller knows better where to start than the laws, who know nothing yet. */
static void start_at(struct controller *state, double concurrency)
{
    state->open.floor = concurrency;
    state->open.cap = fmax(state->open.cap, concurrency);
    state->closed.command = concurrency;
    law_maximize_start(&state->maximize, concurrency);
}

struct control_advice controller_step(const struct controller_config *config,
                                      struct controller *state, double goal, uint32_t generators,
                                      const struct observation *seen)
{
    CHECK(config->interval_ns > 0);
    CHECK(config->concurrency_max > 0.0);
    CHECK(goal >= 0.0 && isfinite(goal));
    CHECK(generators >= 1);

    if (seen == NULL) {
        *state = (struct controller){0};
        law_hold_open_start(&state->open, goal, generators);
        law_hold_closed_start(&state->closed, goal, generators);
        law_maximize_start(&state->maximize, generators);
        if (config->concurrency_start > 0.0)
            start_at(state, config->concurrency_start);
        rigid_pool_start(&state->rigid, state->open.floor);
    } else {
        CHECK(seen->interval_ns > 0);
        state->silent_ticks = seen->parts_reported > 0 ? 0 : state->silent_ticks + 1;
        /* A sum over some of the agents is no measurement of all: hold, and look again at the next
         * tick. */
        if (seen->parts_reported > 0 && seen->parts_reported >= seen->parts_expected)
            learn(config, state, goal, generators, seen);
        else
            law_hold_closed_miss(&state->closed);
    }
    struct control_advice advice = advise(config, state, goal);
    bool at_maximum = is_at_maximum(config, advice.concurrency);
    advice.concurrency =
        fmin(fmax(advice.concurrency, config->concurrency_min), config->concurrency_max);
    advice.floor = fmax(advice.floor, config->concurrency_min);
    advice.floor = fmin(advice.floor, advice.concurrency);
    advice.status =
        seen == NULL ? CONTROL_RAMPING : judge(config, state, goal, generators, at_maximum);
    state->status = advice.status;
    name_ceiling(config, state, &advice);
    CHECK(advice.floor >= 0.0 && advice.concurrency >= advice.floor);
    return advice;
}
