#include "tests/sim/control/anchors.h"

#include "common/base/check.h"

#include <math.h>

const struct regulator *const anchors[] = {&anchor_pid,      &anchor_aimd, &anchor_vegas,
                                           &anchor_gradient, &anchor_hill, &anchor_search,
                                           &anchor_grow,     NULL};

struct control_advice anchor_advice(const struct controller_config *config, double workers)
{
    workers = fmax(1.0, fmin(workers, config->concurrency_max));
    return (struct control_advice){
        .concurrency = workers, .floor = workers, .drop_age_ns = UINT64_C(1000000000)};
}

bool anchor_can_learn(const struct observation *seen)
{
    return seen->parts_reported > 0 && seen->parts_reported >= seen->parts_expected &&
           seen->completed + seen->failed > 0;
}

static double error_share(const struct observation *seen)
{
    return (double)seen->failed / (double)(seen->completed + seen->failed);
}

bool anchor_is_violated(const struct controller_config *config, const struct observation *seen)
{
    if (config->goal != GOAL_MAXIMIZE_WHILE)
        return false;
    return (config->latency_bound_ns > 0.0 &&
            seen->latency_ns_quantile > config->latency_bound_ns) ||
           error_share(seen) > config->error_share_max;
}

static double seconds(const struct observation *seen)
{
    return (double)seen->interval_ns / 1e9;
}

#define AIMD_CUT       0.9 /* Netflix's AIMDLimit; TCP's half is made for many who share one line */
#define AIMD_LATENCY   2.0 /* times the least: half of it is a queue */
#define AIMD_ERRORS    0.01 /* a share */
#define AIMD_CUT_TICKS 3    /* one cut for each time round the loop, as TCP's for a round trip */

struct aimd {
    double workers;
    double latency_least_ns;
    bool congested_once; /* until then it doubles: slow start */
    int cut_ticks;
};

static bool aimd_is_congested(const struct controller_config *config, struct aimd *aimd,
                              double goal, const struct observation *seen)
{
    if (config->goal == GOAL_HOLD)
        return seen->throughput_per_s > goal;
    if (config->goal == GOAL_MAXIMIZE_WHILE)
        return anchor_is_violated(config, seen);
    if (aimd->latency_least_ns <= 0.0 || seen->latency_ns_mean < aimd->latency_least_ns)
        aimd->latency_least_ns = seen->latency_ns_mean;
    return seen->latency_ns_mean > AIMD_LATENCY * aimd->latency_least_ns ||
           error_share(seen) > AIMD_ERRORS;
}

static struct control_advice aimd_step(const struct controller_config *config, void *state,
                                       double goal, uint32_t generators,
                                       const struct observation *seen)
{
    struct aimd *aimd = state;
    if (seen == NULL) {
        aimd->workers = generators;
    } else if (anchor_can_learn(seen)) {
        bool congested = aimd_is_congested(config, aimd, goal, seen);
        aimd->cut_ticks--;
        if (congested && aimd->cut_ticks < 0) {
            /* What slow start did too much was done since what is seen was sent. */
            aimd->workers *= aimd->congested_once ? AIMD_CUT : 0.5;
            aimd->congested_once = true;
            aimd->cut_ticks = AIMD_CUT_TICKS;
        } else if (!congested && !aimd->congested_once) {
            aimd->workers *= 2.0;
        } else if (!congested) { /* one for each round trip, but at least one for each look */
            aimd->workers += fmax(1.0, seconds(seen) * 1e9 / seen->latency_ns_mean);
        }
        aimd->workers = fmax(1.0, fmin(aimd->workers, config->concurrency_max));
    }
    return anchor_advice(config, aimd->workers);
}

const struct regulator anchor_aimd = {
    .name = "AIMD",
    .goals = 1u << GOAL_HOLD | 1u << GOAL_MAXIMIZE | 1u << GOAL_MAXIMIZE_WHILE,
    .arrivals = 1u << ARRIVALS_CLOSED,
    .state_bytes = sizeof(struct aimd),
    .step = aimd_step,
};

#define LIMIT_START 20.0 /* of both of Netflix's */
#define VEGAS_ALPHA 3.0  /* the least queue, times log10 of the limit, ... */
#define VEGAS_BETA  6.0  /* ... and the largest */
#define VEGAS_SMOOTHING                                                                            \
    0.3 /* theirs is 1: none; but one of our looks is one sample, not a thousand */
#define VEGAS_WINDOW_TICKS 100u /* the base latency is the least of ten to twenty seconds */

struct vegas {
    double workers;
    double latency_least_ns, latency_least_before_ns; /* of this window and the last; 0: none */
    uint32_t age_ticks;
    double latency_ns; /* smoothed */
};

/** TCP Vegas keeps the least for ever, and starves when the path becomes longer (La, Walrand and
 *  Anantharam, "Issues in TCP Vegas", 1999). A window is the usual remedy. */
static double vegas_base_ns(struct vegas *vegas, double latency_ns)
{
    if (vegas->age_ticks++ % VEGAS_WINDOW_TICKS == 0) {
        vegas->latency_least_before_ns =
            vegas->latency_least_ns > 0.0 ? vegas->latency_least_ns : latency_ns;
        vegas->latency_least_ns = latency_ns;
    }
    vegas->latency_least_ns = fmin(vegas->latency_least_ns, latency_ns);
    return fmin(vegas->latency_least_ns, vegas->latency_least_before_ns);
}

static struct control_advice vegas_step(const struct controller_config *config, void *state,
                                        double goal, uint32_t generators,
                                        const struct observation *seen)
{
    (void)goal;
    (void)generators;
    struct vegas *vegas = state;
    if (seen == NULL) {
        vegas->workers = LIMIT_START;
    } else if (anchor_can_learn(seen) && seen->in_flight_mean * 2.0 >= vegas->workers) {
        vegas->latency_ns += (vegas->latency_ns > 0.0 ? VEGAS_SMOOTHING : 1.0) *
                             (seen->latency_ns_mean - vegas->latency_ns);
        double base_ns = vegas_base_ns(vegas, vegas->latency_ns);
        double queue = ceil(vegas->workers * (1.0 - base_ns / vegas->latency_ns));
        double step = fmax(1.0, log10(vegas->workers));
        if (anchor_is_violated(config, seen) || queue > VEGAS_BETA * step)
            vegas->workers -= step;
        else if (queue <= step)
            vegas->workers += VEGAS_BETA * step;
        else if (queue < VEGAS_ALPHA * step)
            vegas->workers += step;
        vegas->workers = fmax(1.0, fmin(vegas->workers, config->concurrency_max));
    }
    return anchor_advice(config, vegas->workers);
}

const struct regulator anchor_vegas = {
    .name = "Vegas",
    .goals = 1u << GOAL_MAXIMIZE | 1u << GOAL_MAXIMIZE_WHILE,
    .state_bytes = sizeof(struct vegas),
    .step = vegas_step,
};

#define GRADIENT_TOLERANCE 1.5    /* latency may be so many times the long-term one */
#define GRADIENT_WINDOW    6000.0 /* theirs: 600 windows of a second */
#define GRADIENT_WARM_UP   10u
#define GRADIENT_QUEUE     4.0
#define GRADIENT_SMOOTHING 0.2

struct gradient {
    double workers;
    double long_ns, warm_up_ns;
    uint32_t count;
};

static void gradient_average(struct gradient *gradient, double latency_ns)
{
    if (++gradient->count <= GRADIENT_WARM_UP) {
        gradient->warm_up_ns += latency_ns;
        gradient->long_ns = gradient->warm_up_ns / gradient->count;
    } else {
        gradient->long_ns += 2.0 / (GRADIENT_WINDOW + 1.0) * (latency_ns - gradient->long_ns);
    }
    if (gradient->long_ns > 2.0 * latency_ns) /* after an overload */
        gradient->long_ns *= 0.95;
}

static struct control_advice gradient_step(const struct controller_config *config, void *state,
                                           double goal, uint32_t generators,
                                           const struct observation *seen)
{
    (void)goal;
    (void)generators;
    struct gradient *gradient = state;
    if (seen == NULL) {
        gradient->workers = LIMIT_START;
    } else if (anchor_can_learn(seen)) {
        gradient_average(gradient, seen->latency_ns_mean);
        if (seen->in_flight_mean * 2.0 >= gradient->workers) {
            double slope = GRADIENT_TOLERANCE * gradient->long_ns / seen->latency_ns_mean;
            slope = fmax(0.5, fmin(slope, 1.0));
            double limit = gradient->workers * slope + GRADIENT_QUEUE;
            gradient->workers += GRADIENT_SMOOTHING * (limit - gradient->workers);
            gradient->workers = fmax(LIMIT_START, fmin(gradient->workers, config->concurrency_max));
        }
    }
    return anchor_advice(config, gradient->workers);
}

const struct regulator anchor_gradient = {
    .name = "Gradient2",
    .goals = 1u << GOAL_MAXIMIZE | 1u << GOAL_MAXIMIZE_WHILE,
    .state_bytes = sizeof(struct gradient),
    .step = gradient_step,
};

#define SEARCH_SKIP_TICKS 5u  /* of those at each number, until it runs alone */
#define SEARCH_TICKS      20u /* two seconds each */
#define SEARCH_GROWTH     1.05
#define SEARCH_BEST       0.98
#define SEARCH_PRECISION  0.01
#define SEARCH_STEPS_MAX  20u

enum search_phase {
    SEARCH_DOUBLE,
    SEARCH_FOR_GOAL,
    SEARCH_FOR_BEST,
    SEARCH_FOR_BOUND,
    SEARCH_DONE
};

struct search {
    enum search_phase phase;
    double workers, low, high;
    uint32_t ticks;
    double throughput_per_s, latency_ns, errors, backlog; /* means of what is held now */
    uint32_t count;
    double tried_per_s[SEARCH_STEPS_MAX]; /* while doubling */
    uint32_t tried;
    double best_per_s;
};

static bool search_has_goal(const struct controller_config *config, const struct search *search,
                            double goal)
{
    return config->goal == GOAL_HOLD && search->throughput_per_s >= SEARCH_BEST * goal &&
           search->backlog <= 0.01 * goal;
}

static bool search_is_forbidden(const struct controller_config *config, const struct search *search)
{
    return config->goal == GOAL_MAXIMIZE_WHILE &&
           ((config->latency_bound_ns > 0.0 && search->latency_ns > config->latency_bound_ns) ||
            search->errors > config->error_share_max);
}

/** Doubling is over: between which two of the numbers tried is the fewest that gives the best? */
static void search_bracket_best(struct search *search)
{
    search->high = search->workers;
    for (uint32_t back = 1; back < search->tried && search->tried_per_s[search->tried - 1 - back] >=
                                                        SEARCH_BEST * search->best_per_s;
         back++)
        search->high *= 0.5;
    search->low = 0.5 * search->high;
    search->phase = SEARCH_FOR_BEST;
}

static void search_double(const struct controller_config *config, struct search *search,
                          double goal)
{
    double before_per_s = search->best_per_s;
    search->best_per_s = fmax(before_per_s, search->throughput_per_s);
    search->tried_per_s[search->tried++] = search->throughput_per_s;
    search->low = 0.5 * search->workers;
    search->high = search->workers;
    if (search_has_goal(config, search, goal))
        search->phase = SEARCH_FOR_GOAL;
    else if (search_is_forbidden(config, search))
        search->phase = SEARCH_FOR_BOUND;
    else if (search->throughput_per_s < SEARCH_GROWTH * before_per_s)
        search_bracket_best(search);
    else if (search->workers >= config->concurrency_max || search->tried == SEARCH_STEPS_MAX)
        search->phase = SEARCH_DONE;
}

/** One number was held long enough: which is next? */
static void search_next(const struct controller_config *config, struct search *search, double goal)
{
    bool lower = false;
    if (search->phase == SEARCH_DOUBLE) {
        search_double(config, search, goal);
        if (search->phase == SEARCH_DONE)
            return;
        if (search->phase == SEARCH_DOUBLE) {
            search->workers = fmin(2.0 * search->workers, config->concurrency_max);
            return;
        }
    } else {
        lower = search->phase == SEARCH_FOR_GOAL ? search_has_goal(config, search, goal)
                : search->phase == SEARCH_FOR_BEST
                    ? search->throughput_per_s >= SEARCH_BEST * search->best_per_s
                    : search_is_forbidden(config, search);
        *(lower ? &search->high : &search->low) = search->workers;
    }
    search->workers = 0.5 * (search->low + search->high);
    if (search->high - search->low <= fmax(1.0, SEARCH_PRECISION * search->high)) {
        search->workers = search->phase == SEARCH_FOR_BOUND ? search->low : search->high;
        search->phase = SEARCH_DONE;
    }
}

static void search_note(struct search *search, const struct observation *seen)
{
    double share = 1.0 / ++search->count;
    search->throughput_per_s += share * (seen->throughput_per_s - search->throughput_per_s);
    search->latency_ns += share * (seen->latency_ns_quantile - search->latency_ns);
    search->errors += share * (error_share(seen) - search->errors);
    search->backlog += share * (seen->backlog - search->backlog);
}

static struct control_advice search_step(const struct controller_config *config, void *state,
                                         double goal, uint32_t generators,
                                         const struct observation *seen)
{
    struct search *search = state;
    if (seen == NULL) {
        search->workers = generators;
    } else if (search->phase != SEARCH_DONE) {
        if (++search->ticks > SEARCH_SKIP_TICKS && anchor_can_learn(seen))
            search_note(search, seen);
        if (search->ticks == SEARCH_TICKS) {
            search_next(config, search, goal);
            search->ticks = search->count = 0;
        }
    }
    struct control_advice advice = anchor_advice(config, search->workers);
    advice.converged = search->phase == SEARCH_DONE;
    return advice;
}

const struct regulator anchor_search = {
    .name = "exponential, binary",
    .goals = 1u << GOAL_HOLD | 1u << GOAL_MAXIMIZE | 1u << GOAL_MAXIMIZE_WHILE,
    .arrivals = 1u << ARRIVALS_OPEN | 1u << ARRIVALS_CLOSED,
    .state_bytes = sizeof(struct search),
    .step = search_step,
};

#define GROW_LATENCY_S 0.01 /* a guess for the workers that are there before the first request */

struct grow {
    double workers;
};

/** A request that finds no free worker is dropped, and a worker is made for those to come. */
static struct control_advice grow_step(const struct controller_config *config, void *state,
                                       double goal, uint32_t generators,
                                       const struct observation *seen)
{
    struct grow *grow = state;
    if (seen == NULL)
        grow->workers = fmax(generators, GROW_LATENCY_S * goal);
    else
        grow->workers = fmax(grow->workers, seen->workers);
    struct control_advice advice = anchor_advice(config, grow->workers);
    advice.concurrency = config->concurrency_max;
    advice.drop_age_ns = 0;
    return advice;
}

const struct regulator anchor_grow = {
    .name = "add a worker",
    .goals = 1u << GOAL_HOLD,
    .arrivals = 1u << ARRIVALS_OPEN,
    .eager = true,
    .state_bytes = sizeof(struct grow),
    .step = grow_step,
};
