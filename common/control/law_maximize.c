#include "common/control/law_maximize.h"

#include "common/base/check.h"
#include "common/control/controller.h"

#include <math.h>
#include <string.h>

/* The knee: the fewest workers with 98 % of the best throughput; aimed at from a little above. */
#define LOSS    0.0175 /* of ln X */
#define NEAR    0.08   /* of ln N: a bracket so narrow holds the answer */
#define SPARE   0.05   /* of ln N above what Little's law allows at the least */
#define SAME    0.02   /* of ln N: two levels so near are one */
#define PLATEAU 0.30   /* of ln N above the knee, without 2 % more, show that there is no more */

/* Climbing: */
#define DOUBLE         0.693 /* ln 2, while X follows N, */
#define STEADILY       0.405 /* ln 1.5, when it begins not to, or ... */
#define QUEUE_SEEN     0.06  /* ... when latency has grown by so much of ln W */
#define SLOPE_FREE     0.85  /* dlnX/dlnN: no queue */
#define SLOPE_CLIMB    0.5   /* below it the knee has been passed */
#define SLOPE_LEAST    0.15  /* for extrapolation; noise may show less than there is */
#define RESTART        0.336 /* ln 1.4: after a change; more workers cost no throughput */
#define WALK_FIRST     0.16  /* ln of a step down, doubled each time ... */
#define WALK_MOST      0.7
#define JUMP_DOWN_MOST 0.92 /* ln 2.5 at once, on Little's word */

/* Samples: */
#define SAMPLE_ENDED  8.0 /* requests, or ... */
#define SAMPLE_S      2.0 /* ... so long */
#define SAMPLES_MAX   40.0
#define NOISE_GAIN    0.08
#define NOISE_COUNT   1000.0
#define NOISE_LEAST   1e-6
#define NOISE_JUMP    9.0 /* times the variance: the most that one pair of samples may claim */
#define NOISE_GREW    0.3 /* of ln X, from one level to the next */
#define NOISE_RELEARN 3.0 /* pairs that the old noise then counts for */
#define ODD_SIGMAS    4.0
#define ODD_LEAST     0.10
#define ODD_MAX       3u
#define SETTLE_TICKS  2u
#define SETTLE_STEADY 5u /* ticks after which workers that stand still are taken as they are */
#define CLIMB_NEAR    0.15
#define LEVEL_NEAR    0.03
#define PERIOD_LEASTS 4.0

/* While held: */
#define HOLD_SAMPLES      80.0
#define PROBE_STEP        0.10
#define PROBE_FLAT        0.010 /* of ln X for the step: no knee here any more */
#define PROBE_STEEP       0.090 /* of ln X for the step: far below the knee */
#define PROBE_SAMPLES_MAX 12.0
#define FOLLOW_SAMPLES    20.0 /* at a ceiling that moves */
#define FOLLOW_MOST       1.25 /* of where the ceiling was: search on */
#define CHANGE_DRIFT      1.0
#define CHANGE_LIMIT      8.5
#define CHANGE_CLIP       4.0
#define CHANGE_SIGMA      0.012

static double clamp(double value, double least, double most)
{
    return fmin(fmax(value, least), most);
}

static double slope(const struct maximize_level *low, const struct maximize_level *high)
{
    return (high->throughput - low->throughput) / (high->in_flight - low->in_flight);
}

static double variance(const struct law_maximize *law, const struct maximize_level *level)
{
    return law->noise / fmax(level->samples, 1.0);
}

/** Runs `in_flight` (ln) from now on. */
static void go(struct law_maximize *law, double in_flight, double least, double most)
{
    law->command = clamp(exp(in_flight) * law->ratio, least, most);
    law->here = (struct maximize_level){0};
    law->age_ticks = 0;
    law->odd = 0;
    law->time_s = law->worker_s = law->answers = law->latency_s = law->ended = 0.0;
}

void law_maximize_start(struct law_maximize *law, double concurrency)
{
    CHECK(concurrency > 0.0);
    *law = (struct law_maximize){
        .command = concurrency, .ratio = 1.0, .walk = WALK_FIRST, .climbing = true};
}

/* Samples ------------------------------------------------------------------ */

/** Whether the workers of `command` are all there, and what ends now began with them. */
static bool is_settled(struct law_maximize *law, const struct observation *seen)
{
    double in_flight = seen->in_flight_mean;
    double reach = law->climbing ? CLIMB_NEAR : LEVEL_NEAR;
    bool near = fabs(in_flight * law->ratio - law->command) <= fmax(reach * law->command, 0.1);
    bool still = fabs(in_flight - law->in_flight_before) <= fmax(0.02 * in_flight, 0.1);
    law->in_flight_before = in_flight;
    double latency_ticks = seen->latency_ns_mean / (double)seen->interval_ns;
    double wait = latency_ticks > 1.0 ? ceil(latency_ticks) : 0.0;
    return law->age_ticks >= SETTLE_TICKS + wait &&
           (near || (still && law->age_ticks >= SETTLE_STEADY + wait));
}

static void gather(struct law_maximize *law, const struct observation *seen)
{
    double interval_s = (double)seen->interval_ns / 1e9;
    double ended = (double)(seen->completed + seen->failed);
    law->time_s += interval_s;
    law->worker_s += seen->in_flight_mean * interval_s;
    law->answers += seen->throughput_per_s * interval_s;
    law->latency_s += seen->latency_ns_mean / 1e9 * ended;
    law->ended += ended;
}

/** A sample takes one latency at least, for workers that began together answer together. */
static bool sample_is_whole(const struct law_maximize *law, double interval_s)
{
    if (law->answers <= 0.0 || law->worker_s <= 0.0)
        return false;
    double period_s = law->latency_s / fmax(law->ended, 1.0);
    if (law->latency_known)
        period_s = fmin(period_s, PERIOD_LEASTS * exp(law->latency));
    return law->time_s >= period_s - 0.5 * interval_s &&
           (law->ended >= SAMPLE_ENDED || law->time_s >= SAMPLE_S);
}

/** As neighbours differ; before any do, as if answers came at random. Where far more answers come
 * than before, they are less noisy by as much, until neighbours tell. */
static void learn_noise(struct law_maximize *law, double throughput)
{
    if (law->noise_count < 1.0)
        law->noise = 0.5 / fmax(law->ended, 1.0);
    if (law->here.samples >= 1.0) {
        double difference = throughput - law->before;
        double seen = fmin(0.5 * difference * difference, NOISE_JUMP * law->noise);
        law->noise_count = fmin(law->noise_count + 1.0, NOISE_COUNT);
        law->noise += fmax(1.0 / (law->noise_count + 1.0), NOISE_GAIN) * (seen - law->noise);
    } else if (law->noise_count >= 1.0 && throughput > law->before + NOISE_GREW) {
        law->noise *= exp(law->before - throughput);
        law->noise_count = fmin(law->noise_count, NOISE_RELEARN);
    }
    law->noise = fmax(law->noise, NOISE_LEAST);
    law->before = throughput;
}

static void level_add(struct maximize_level *level, double in_flight, double throughput)
{
    level->samples += 1.0;
    level->in_flight += (in_flight - level->in_flight) / level->samples;
    level->throughput += (throughput - level->throughput) / level->samples;
}

/** Adds a sample to `here`. A pause of the target makes one odd sample, and is ignored; several in
 * a row are how things are now. Returns false when that contradicts the table. */
static bool measure(struct law_maximize *law, double in_flight, double throughput)
{
    struct maximize_level *here = &law->here;
    double off = throughput - here->throughput;
    bool odd = here->samples >= 1.0 && fabs(off) > fmax(ODD_SIGMAS * sqrt(law->noise), ODD_LEAST);
    if (odd && here->samples < 2.0 && off > 0.0) { /* the first one was the pause */
        *here = (struct maximize_level){0};
        odd = false;
    }
    law->odd = odd ? law->odd + 1 : 0;
    if (odd && law->odd < ODD_MAX)
        return true;
    if (odd)
        *here = (struct maximize_level){0};
    level_add(here, in_flight, throughput);
    return !odd;
}

/* The table ---------------------------------------------------------------- */

static void table_put(struct law_maximize *law, struct maximize_level level)
{
    uint32_t at = 0;
    while (at < law->level_count && law->levels[at].in_flight < level.in_flight - SAME)
        at++;
    if (at < law->level_count && fabs(law->levels[at].in_flight - level.in_flight) <= SAME) {
        struct maximize_level *old = &law->levels[at];
        double share = level.samples / (level.samples + old->samples);
        old->in_flight += share * (level.in_flight - old->in_flight);
        old->throughput += share * (level.throughput - old->throughput);
        old->samples += level.samples;
        return;
    }
    CHECK(law->level_count < MAXIMIZE_LEVELS_MAX);
    memmove(&law->levels[at + 1], &law->levels[at],
            (law->level_count - at) * sizeof law->levels[0]);
    law->levels[at] = level;
    law->level_count++;
}

static uint32_t table_best(const struct law_maximize *law)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < law->level_count; i++) {
        if (law->levels[i].throughput > law->levels[best].throughput)
            best = i;
    }
    return best;
}

/** The fewest workers known to be enough: from the best downwards, the last that reaches `target`.
 */
static uint32_t table_enough(const struct law_maximize *law, double target)
{
    uint32_t enough = table_best(law);
    while (enough > 0 && law->levels[enough - 1].throughput >= target)
        enough--;
    return enough;
}

/** What to do next, as the table tells. */
struct maximize_plan {
    enum { PLAN_CLIMB, PLAN_TRY, PLAN_DONE } what;
    double in_flight; /* ln: to climb to, to try, or the answer */
};

static struct maximize_plan climb(const struct law_maximize *law)
{
    const struct maximize_level *top = &law->levels[law->level_count - 1];
    double step = RESTART;
    if (law->level_count > 1) {
        bool queue =
            law->latency_known && top->in_flight - top->throughput > law->latency + QUEUE_SEEN;
        step = slope(top - 1, top) >= SLOPE_FREE && !queue ? DOUBLE : STEADILY;
    } else if (!law->latency_known) {
        step = DOUBLE;
    }
    return (struct maximize_plan){PLAN_CLIMB, top->in_flight + step};
}

/** No level falls short yet: go down, to where Little's law sees the knee, or step by step. */
static struct maximize_plan look_below(const struct law_maximize *law, double enough, double target)
{
    if (!law->latency_known)
        return (struct maximize_plan){PLAN_TRY, enough - law->walk};
    double least = target + law->latency;
    if (enough - least <= NEAR)
        return (struct maximize_plan){PLAN_DONE, enough};
    return (struct maximize_plan){PLAN_TRY, fmax(least + SPARE, enough - JUMP_DOWN_MOST)};
}

/** Between `low`, which falls short, and `enough`. Concave: beyond `low` the slope is at most what
 * it was before it, and the curve is nowhere below the chord. */
static struct maximize_plan close_in(const struct maximize_level *low, bool low_is_first,
                                     const struct maximize_level *enough, double target)
{
    double before = low_is_first ? 1.0 : clamp(slope(low - 1, low), SLOPE_LEAST, 1.0);
    double missing = target - low->throughput;
    double least = fmin(low->in_flight + missing / before, enough->in_flight);
    double most = low->in_flight + missing / slope(low, enough);
    if (enough->in_flight - least <= NEAR || enough->in_flight - low->in_flight <= NEAR)
        return (struct maximize_plan){PLAN_DONE, fmax(least + SPARE, most)};
    double next = before >= SLOPE_FREE ? least + SPARE : 0.5 * (least + most);
    return (struct maximize_plan){
        PLAN_TRY, clamp(next, low->in_flight + 2.0 * SAME, enough->in_flight - 2.0 * SAME)};
}

static struct maximize_plan plan_next(const struct law_maximize *law, double most)
{
    CHECK(law->level_count > 0);
    const struct maximize_level *levels = law->levels;
    uint32_t top = law->level_count - 1;
    uint32_t best = table_best(law);
    bool can_climb = levels[top].in_flight + log(law->ratio) < log(most) - SAME;
    if (can_climb &&
        (top == 0 || (best == top && slope(&levels[top - 1], &levels[top]) >= SLOPE_CLIMB)))
        return climb(law);
    double target = levels[best].throughput - LOSS;
    uint32_t enough = table_enough(law, target);
    struct maximize_plan plan =
        enough == 0 ? look_below(law, levels[0].in_flight, target)
                    : close_in(&levels[enough - 1], enough == 1, &levels[enough], target);
    if (plan.what == PLAN_DONE && can_climb &&
        levels[top].in_flight - levels[enough].in_flight < PLATEAU)
        return (struct maximize_plan){PLAN_CLIMB, levels[enough].in_flight + PLATEAU + SAME};
    return plan;
}

/* Search ------------------------------------------------------------------- */

static void hold(struct law_maximize *law, double in_flight, double least, double most)
{
    law->phase = MAXIMIZE_HOLD;
    law->climbing = false;
    law->rise = law->fall = 0.0;
    go(law, in_flight, least, most);
    law->answer = law->command;
}

static void act_on_table(struct law_maximize *law, double least, double most)
{
    struct maximize_plan plan = {PLAN_DONE, law->levels[table_best(law)].in_flight};
    if (law->level_count < MAXIMIZE_LEVELS_MAX)
        plan = plan_next(law, most);
    law->climbing = plan.what == PLAN_CLIMB;
    const struct maximize_level *top = &law->levels[law->level_count - 1];
    law->stopped_short = plan.what == PLAN_DONE && top->in_flight - plan.in_flight < SAME;
    if (plan.what == PLAN_DONE || plan.in_flight + log(law->ratio) < log(least)) {
        hold(law, plan.in_flight, least, most);
        law->held = (struct maximize_level){0};
        return;
    }
    if (plan.what == PLAN_TRY && !law->latency_known)
        law->walk = fmin(2.0 * law->walk, WALK_MOST);
    law->phase = MAXIMIZE_SEARCH;
    go(law, plan.in_flight, least, most);
}

/** All that was known is of the past, but for this. */
static void restart(struct law_maximize *law, struct maximize_level level, double least,
                    double most)
{
    law->level_count = 0;
    law->walk = WALK_FIRST;
    law->phase = MAXIMIZE_SEARCH;
    table_put(law, level);
    act_on_table(law, least, most);
}

/** Whether `here` is known well enough for the next step. */
static bool is_decided(const struct law_maximize *law, double precision)
{
    const struct maximize_level *here = &law->here;
    if (here->samples >= SAMPLES_MAX || law->level_count == 0)
        return true;
    if (law->climbing) {
        const struct maximize_level *top = &law->levels[law->level_count - 1];
        double step = here->in_flight - top->in_flight;
        if (step < SAME)
            return true; /* the workers did not come */
        double error = sqrt(variance(law, here) + variance(law, top)) / step;
        return error < 0.15 || fabs(slope(top, here) - SLOPE_CLIMB) > 2.0 * error;
    }
    if (here->samples < 2.0)
        return false;
    const struct maximize_level *best = &law->levels[table_best(law)];
    double error = sqrt(variance(law, here) + variance(law, best));
    return error <= 0.5 * precision ||
           fabs(here->throughput - best->throughput + LOSS) > 2.0 * error;
}

static void search_step(struct law_maximize *law, double least, double most, double precision)
{
    if (!is_decided(law, precision)) {
        const struct maximize_level *best = &law->levels[table_best(law)];
        if (!law->climbing && law->here.samples >= 3.0 &&
            law->here.samples > 2.0 * best->samples) { /* the best one is what is known least */
            double in_flight = best->in_flight;
            table_put(law, law->here);
            go(law, in_flight, least, most);
        }
        return;
    }
    struct maximize_level here = law->here;
    if (law->climbing && law->level_count > 0) {
        const struct maximize_level *top = &law->levels[law->level_count - 1];
        if (here.in_flight > top->in_flight + SAME && slope(top, &here) >= SLOPE_FREE) {
            law->latency = here.in_flight - here.throughput;
            law->latency_known = true;
        }
    }
    if (law->latency_known)
        law->latency = fmin(law->latency, here.in_flight - here.throughput);
    table_put(law, here);
    act_on_table(law, least, most);
}

/* Hold --------------------------------------------------------------------- */

/** Page 1954. Returns whether throughput has changed for good. */
static bool has_changed(struct law_maximize *law, double throughput)
{
    double sigma = fmax(sqrt(law->noise), CHANGE_SIGMA);
    double off = clamp((throughput - law->held.throughput) / sigma, -CHANGE_CLIP, CHANGE_CLIP);
    law->rise = fmax(0.0, law->rise + off - CHANGE_DRIFT);
    law->fall = fmax(0.0, law->fall - off - CHANGE_DRIFT);
    return fmax(law->rise, law->fall) > CHANGE_LIMIT;
}

/** At a ceiling that moves there is no throughput to compare with; a ceiling that has gone far up
 * is a reason to search on. */
static void follow_step(struct law_maximize *law, struct maximize_level sample, double least,
                        double most)
{
    law->held.samples = fmin(law->held.samples, FOLLOW_SAMPLES);
    level_add(&law->held, sample.in_flight, sample.throughput);
    if (law->stopped_short && law->command > FOLLOW_MOST * law->answer)
        restart(law, sample, least, most);
}

static void watch_step(struct law_maximize *law, struct maximize_level sample, double least,
                       double most)
{
    if (law->held.samples >= 3.0 && has_changed(law, sample.throughput)) {
        restart(law, sample, least, most);
        return;
    }
    double off = fabs(sample.throughput - law->held.throughput);
    if (law->held.samples < 3.0 || off <= fmax(ODD_SIGMAS * sqrt(law->noise), ODD_LEAST))
        level_add(&law->held, sample.in_flight, sample.throughput);
}

static void hold_step(struct law_maximize *law, struct maximize_level sample, double least,
                      double most)
{
    law->here.samples += 1.0;
    if (law->stopped_short || law->answer > most)
        follow_step(law, sample, least, most);
    else
        watch_step(law, sample, least, most);
    if (law->phase != MAXIMIZE_HOLD || law->here.samples < HOLD_SAMPLES ||
        law->command <= least * 1.01)
        return;
    law->phase = MAXIMIZE_PROBE;
    go(law, log(law->command / law->ratio) - PROBE_STEP, least, most);
}

static void probe_step(struct law_maximize *law, double least, double most)
{
    double error = sqrt(variance(law, &law->here) + variance(law, &law->held));
    double fall = law->held.throughput - law->here.throughput;
    bool clear = fabs(fall - PROBE_FLAT) > 2.0 * error && fabs(fall - PROBE_STEEP) > 2.0 * error;
    if (law->here.samples < 2.0 || (!clear && law->here.samples < PROBE_SAMPLES_MAX))
        return;
    if (fall > PROBE_STEEP + 2.0 * error) {
        restart(law, law->here, least, most);
    } else if (fall + 0.5 * error < PROBE_FLAT) {
        struct maximize_level here = law->here;
        law->level_count = 0;
        law->latency_known = false;
        law->walk = WALK_FIRST;
        table_put(law, here);
        table_put(law, law->held);
        act_on_table(law, least, most);
    } else {
        hold(law, log(law->answer / law->ratio), least, most);
    }
}

bool law_maximize_converged(const struct law_maximize *law, double precision)
{
    return law->phase != MAXIMIZE_SEARCH && law->held.samples >= 3.0 &&
           1.96 * sqrt(variance(law, &law->held)) <= precision;
}

void law_maximize_step(struct law_maximize *law, double least, double most, double precision,
                       const struct observation *seen)
{
    CHECK(least > 0.0 && most >= least);
    CHECK(precision > 0.0);
    CHECK(seen->interval_ns > 0);
    law->age_ticks++;
    if (law->phase == MAXIMIZE_HOLD)
        law->command = law->stopped_short ? most : law->answer;
    law->command = clamp(law->command, least, most);
    if (!is_settled(law, seen))
        return;
    gather(law, seen);
    if (!sample_is_whole(law, (double)seen->interval_ns / 1e9))
        return;
    struct maximize_level sample = {.in_flight = log(law->worker_s / law->time_s),
                                    .throughput = log(law->answers / law->time_s),
                                    .samples = 1.0};
    learn_noise(law, sample.throughput);
    law->ratio = clamp(law->command / exp(sample.in_flight), 1.0, 2.0);
    law->time_s = law->worker_s = law->answers = law->latency_s = law->ended = 0.0;
    if (law->phase == MAXIMIZE_HOLD) {
        hold_step(law, sample, least, most);
    } else if (!measure(law, sample.in_flight, sample.throughput)) {
        restart(law, law->here, least, most);
    } else if (law->phase == MAXIMIZE_PROBE) {
        probe_step(law, least, most);
    } else {
        search_step(law, least, most, precision);
    }
    CHECK(isfinite(law->command));
}
