#include "common/control/law_maximize.h"

#include "common/base/check.h"
#include "common/control/controller.h"

#include <math.h>
#include <string.h>

/* The knee: the fewest workers with 98 % of the best throughput; aimed at from a little above. */
#define LOSS  0.0125 /* of ln X */
#define NEAR  0.08   /* of ln N: a bracket so narrow holds the answer */
#define SPARE 0.04   /* of ln N above what Little's law allows at the least */
#define SOFT  0.7    /* of the way between the two bounds: from above, for less is lost there */
#define SAME  0.02   /* of ln N: two levels so near are one */
#define PLATEAU                                                                                    \
    0.25 /* of ln N above the knee, without that loss made good, show that there is no more */

/* Climbing: */
#define DOUBLE        0.693 /* ln 2, while latency stays, ... */
#define STEADILY      0.405 /* ln 1.5, when it begins to grow */
#define SLOPE_FREE    0.85  /* dlnX/dlnN: no queue */
#define SLOPE_CLIMB   0.7   /* below it the knee has been passed, ... */
#define CLIMB_SAMPLES 2.0   /* ... if a second sample says so too, and it is made of so many ... */
#define CLIMB_ENDED   100.0 /* ... requests, for a mean of fewer is too noisy, ... */
#define CLIMB_MOST    8.0   /* ... or after so many samples */
#define LATENCY_NEAR  0.02  /* of ln W: of levels with the same latency, ... */
#define LATENCY_NOISE 0.5   /* ... and a request's standard deviation from their mean */
#define LITTLE_FITS   0.2   /* of ln X, by which what was counted may lag while workers begin */
#define FREE_SAMPLES  0.1   /* that a level counts for which was only passed */
#define QUEUE_SEEN    0.05  /* of ln W above the latency without a queue */
#define SLOPE_LEAST   0.15  /* for extrapolation; noise may show less than there is */
#define RESTART       0.336 /* ln 1.4: after a change; more workers cost no throughput */
#define WALK_FIRST    0.16  /* ln of a step down, doubled each time ... */
#define WALK_MOST     0.7   /* ln 2 */
#define JUMP_MOST     0.92  /* ln 2.5 down at once, on Little's word */
#define TRIES_MAX     40u   /* visits to levels in one search; a dozen are usual */

/* Samples: */
#define SAMPLE_ENDED 8.0 /* requests, or ... */
#define SAMPLE_S     2.0 /* ... so long */
#define DECIDED      0.4 /* of the precision: a standard error so small will do */
#define BENEFIT      0.5 /* of the standard error: of the doubt whether a level falls short */
#define TRY_SAMPLES                                                                                \
    3.0 /* of a level at first; twice as many as there are, where that leaves doubt */
#define SAMPLES_MAX   40.0   /* for one level: so well 4 % noise is known to 0.6 % */
#define PERIOD_LEASTS 4.0    /* a sample takes a latency, at most so many of the least */
#define NOISE_FEW     5.0    /* pairs: with fewer it is not known */
#define NOISE_GAIN    0.08   /* a memory of a dozen pairs */
#define NOISE_COUNT   1000.0 /* stops growing */
#define NOISE_LEAST   1e-6   /* 0.1 %, for a variance of 0 would make everything certain */
#define NOISE_JUMP    9.0    /* times the variance: the most that one pair of samples may claim */
#define NOISE_GREW    0.3    /* of ln X, from one level to the next */
#define NOISE_RELEARN 3.0    /* pairs that the old noise then counts for */
#define ODD_SIGMAS    4.0    /* one in 16 000; ... */
#define ODD_LEAST                                                                                  \
    0.10 /* ... and of ln X: less does not matter. A level's odd samples are a pause, ... */
#define ODD_MAX 3u /* ... until there are so many in a row */

/* Settling, in ticks after a command; one is its way to the agents and back: */
#define SETTLE_TICKS 2.0  /* the command's way to the agents, and the tick that tells of it */
#define SETTLE_STILL 5.0  /* then workers that stand still are taken as they are */
#define CLIMB_NEAR   0.15 /* of the command, while climbing without a queue */
#define LEVEL_NEAR   0.03 /* of the command, otherwise */
#define NEAR_WORKERS 0.1  /* a part of one worker is no difference */
#define STILL        0.02 /* of what is in flight, from tick to tick */
#define RANGE_MOVED  0.06 /* of the command, by a ceiling */
#define RATIO_MAX    2.0  /* workers commanded to those in flight */

/* While held: */
#define HOLD_SAMPLES                                                                               \
    80.0             /* eight seconds at 100 ms: probing costs half a percent of the answers       \
                      */
#define HELD_FEW 3.0 /* samples without which there is nothing to compare with */
#define PROBE_STEP                                                                                 \
    0.10 /* of ln N: two and a half times what is spare, so that a sharp knee shows */
#define PROBE_FLAT   0.010 /* of ln X for the step: no knee here any more */
#define PROBE_STEEP  0.090 /* of ln X for the step: far below the knee */
#define PROBE_MOST   12.0  /* samples */
#define CHANGE_DRIFT 0.5   /* sigmas: changes of one sigma and more are followed, ... */
#define CHANGE_LIMIT                                                                               \
    10.0 /* ... large ones after three samples; by chance once in 140 000 (Page 1954) */
#define CHANGE_CLIP                                                                                \
    4.0 /* sigmas: what one sample may claim, so that a pause of two is no change                  \
         */
#define CHANGE_SIGMA  0.012 /* of ln X at least: smaller changes are none */
#define CHANGE_YOUNG  8.0   /* a reference of few samples is as uncertain as they are */
#define FOLLOW_MOST   1.25  /* at a ceiling that moves: of where it was, search on */
#define FOLLOW_MEMORY 20.0  /* samples */

/** What a few ticks gave together. Natural logarithms. */
struct maximize_sample {
    double in_flight, throughput, latency, ended;
    bool settling; /* the workers were not all there yet */
};

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
    return law->noise / fmax(level->samples, FREE_SAMPLES);
}

static void forget_sums(struct law_maximize *law)
{
    law->time_s = law->worker_s = law->answers = law->latency_s = law->ended = 0.0;
    law->settling = false;
}

static void begin_level(struct law_maximize *law)
{
    law->here = (struct maximize_level){0};
    law->here_ended = 0.0;
    law->age_ticks = 0;
    law->odd = 0;
    forget_sums(law);
}

/** Runs `in_flight` (ln) from now on. */
static void go(struct law_maximize *law, double in_flight, const struct maximize_range *range)
{
    law->wanted = exp(in_flight) * law->ratio;
    law->command = clamp(law->wanted, range->least, range->most);
    begin_level(law);
}

void law_maximize_start(struct law_maximize *law, double concurrency)
{
    CHECK(concurrency > 0.0);
    *law = (struct law_maximize){.command = concurrency,
                                 .wanted = concurrency,
                                 .ratio = 1.0,
                                 .walk = WALK_FIRST,
                                 .climbing = true};
}

/* Samples ------------------------------------------------------------------ */

/** Whether what ends now began with the workers of `command`; while climbing without a queue it is
 * enough that most of them are there. */
static bool is_settled(struct law_maximize *law, const struct observation *seen)
{
    double in_flight = seen->in_flight_mean;
    double off = fabs(in_flight * law->ratio - law->command);
    bool near = off <= fmax(LEVEL_NEAR * law->command, NEAR_WORKERS);
    bool still = fabs(in_flight - law->in_flight_before) <= fmax(STILL * in_flight, NEAR_WORKERS);
    double latency_ticks = seen->latency_ns_mean / (double)seen->interval_ns;
    double waited = law->age_ticks - (latency_ticks > 1.0 ? ceil(latency_ticks) : 0.0);
    law->in_flight_before = in_flight;
    if (waited < SETTLE_TICKS)
        return false;
    bool settled = near || (still && waited >= SETTLE_STILL);
    if (settled && still && in_flight > 0.0)
        law->ratio = clamp(law->command / in_flight, 1.0, RATIO_MAX);
    law->settling |= !settled;
    return settled || (law->climbing && off <= CLIMB_NEAR * law->command);
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
static void learn_noise(struct law_maximize *law, double throughput, double ended)
{
    if (law->noise_count < 1.0)
        law->noise = 0.5 / fmax(ended, 1.0);
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

static struct maximize_level level_of(struct maximize_sample sample)
{
    return (struct maximize_level){sample.in_flight, sample.throughput, FREE_SAMPLES};
}

static void level_add(struct maximize_level *level, double in_flight, double throughput)
{
    level->samples += 1.0;
    level->in_flight += (in_flight - level->in_flight) / level->samples;
    level->throughput += (throughput - level->throughput) / level->samples;
}

/** Adds a sample to `here`. A pause of the target makes one odd sample, and is ignored; several in
 * a row are how things are now. Returns false when that contradicts the table. */
static bool measure(struct law_maximize *law, struct maximize_sample sample)
{
    struct maximize_level *here = &law->here;
    double off = sample.throughput - here->throughput;
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
    level_add(here, sample.in_flight, sample.throughput);
    law->here_ended += sample.ended;
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
    if (law->level_count == MAXIMIZE_LEVELS_MAX) { /* the fewest workers are the farthest away */
        at -= at > 0;
        law->level_count--;
        memmove(&law->levels[0], &law->levels[1], law->level_count * sizeof law->levels[0]);
    }
    memmove(&law->levels[at + 1], &law->levels[at],
            (law->level_count - at) * sizeof law->levels[0]);
    law->levels[at] = level;
    law->level_count++;
}

static double sure(const struct law_maximize *law, const struct maximize_level *level)
{
    return level->throughput - sqrt(variance(law, level));
}

/** The level with most throughput; of lucky ones, known by few samples, one sigma is not believed.
 */
static uint32_t table_best(const struct law_maximize *law)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < law->level_count; i++) {
        if (sure(law, &law->levels[i]) > sure(law, &law->levels[best]))
            best = i;
    }
    return best;
}

/** The fewest workers known to be enough: from the best downwards, the last that reaches `target`.
 */
static uint32_t table_enough(const struct law_maximize *law, double target)
{
    uint32_t best = table_best(law);
    uint32_t enough = best;
    for (; enough > 0; enough--) {
        const struct maximize_level *below = &law->levels[enough - 1];
        double error = sqrt(variance(law, below) + variance(law, &law->levels[best]));
        if (below->throughput + fmin(BENEFIT * error, LOSS) < target)
            break;
    }
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
    double step = law->latency_known ? RESTART : DOUBLE;
    if (law->level_count > 1) {
        bool queue =
            law->latency_known && top->in_flight - top->throughput > law->latency + QUEUE_SEEN;
        step = slope(top - 1, top) >= SLOPE_FREE && !queue ? DOUBLE : STEADILY;
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
    return (struct maximize_plan){PLAN_TRY, fmax(least + SPARE, enough - JUMP_MOST)};
}

/** Between `low`, which falls short, and `enough`. Concave: beyond `low` the slope is at most what
 * it was before it, and the curve is nowhere below the chord. */
static struct maximize_plan close_in(const struct law_maximize *law,
                                     const struct maximize_level *low,
                                     const struct maximize_level *enough, double target)
{
    bool low_is_first = low == law->levels;
    double before = low_is_first ? 1.0 : clamp(slope(low - 1, low), SLOPE_LEAST, 1.0);
    double missing = target - low->throughput;
    double least = low->in_flight + missing / before;
    if (low->samples < 1.0 && before >= SLOPE_FREE && law->latency_known)
        least = target + law->latency; /* what was only passed is known less well */
    least = fmin(least, enough->in_flight);
    double most = low->in_flight + missing / slope(low, enough);
    if (enough->in_flight - least <= NEAR || enough->in_flight - low->in_flight <= NEAR)
        return (struct maximize_plan){PLAN_DONE, fmax(least + SPARE, most)};
    double next = before >= SLOPE_FREE ? least + SPARE : least + SOFT * (most - least);
    return (struct maximize_plan){
        PLAN_TRY, clamp(next, low->in_flight + 2.0 * SAME, enough->in_flight - 2.0 * SAME)};
}

/** Whether `level` may be on the other side of `target` than it seems, and more samples would help.
 */
static bool is_doubtful(const struct law_maximize *law, const struct maximize_level *level,
                        const struct maximize_level *best, double target, double precision)
{
    double error = sqrt(variance(law, level) + variance(law, best));
    return level != best && level->samples < SAMPLES_MAX && error > DECIDED * precision &&
           fabs(level->throughput - target) < 1.5 * error;
}

/** Measures a doubtful level again, or the best one, whichever is known less. */
static struct maximize_plan look_again(const struct maximize_level *level,
                                       const struct maximize_level *best)
{
    bool best_is_less = best->samples < level->samples;
    return (struct maximize_plan){PLAN_TRY, best_is_less ? best->in_flight : level->in_flight};
}

/** Whether a retrograde target may have its peak between `low` and `high`: so far apart, and there
 * is a queue before, or a fall behind. */
static bool may_hide_a_peak(const struct law_maximize *law, const struct maximize_level *low,
                            const struct maximize_level *high)
{
    bool queue =
        law->latency_known && low->in_flight - low->throughput > law->latency + 2.0 * QUEUE_SEEN;
    bool fall = high->throughput < low->throughput - 0.5 * LOSS;
    return high->in_flight - low->in_flight > PLATEAU + 2.0 * SAME && (queue || fall);
}

static struct maximize_plan plan_next(const struct law_maximize *law,
                                      const struct maximize_range *range)
{
    CHECK(law->level_count > 0);
    const struct maximize_level *levels = law->levels;
    uint32_t top = law->level_count - 1;
    uint32_t best = table_best(law);
    bool can_climb = levels[top].in_flight + log(law->ratio) < log(range->most) - SAME;
    if (can_climb &&
        (top == 0 || (best == top && slope(&levels[top - 1], &levels[top]) >= SLOPE_CLIMB)))
        return climb(law);
    double target = levels[best].throughput - LOSS;
    uint32_t enough = table_enough(law, target);
    for (uint32_t i = enough > 0 ? enough - 1 : 0; i <= enough; i++) {
        if (is_doubtful(law, &levels[i], &levels[best], target, range->precision))
            return look_again(&levels[i], &levels[best]);
    }
    for (uint32_t i = enough; i <= best && i < top; i++) {
        if (may_hide_a_peak(law, &levels[i], &levels[i + 1]))
            return (struct maximize_plan){PLAN_TRY,
                                          0.5 * (levels[i].in_flight + levels[i + 1].in_flight)};
    }
    struct maximize_plan plan = enough == 0
                                    ? look_below(law, levels[0].in_flight, target)
                                    : close_in(law, &levels[enough - 1], &levels[enough], target);
    if (plan.what == PLAN_DONE && can_climb &&
        levels[top].in_flight - levels[enough].in_flight < PLATEAU)
        return (struct maximize_plan){PLAN_CLIMB, levels[enough].in_flight + PLATEAU + SAME};
    return plan;
}

/* Search ------------------------------------------------------------------- */

static void hold(struct law_maximize *law, double in_flight, const struct maximize_range *range)
{
    law->phase = MAXIMIZE_HOLD;
    law->climbing = false;
    law->rise = law->fall = 0.0;
    go(law, in_flight, range);
    law->answer = law->command;
}

static void act_on_table(struct law_maximize *law, const struct maximize_range *range)
{
    struct maximize_plan plan = {PLAN_DONE, law->levels[table_best(law)].in_flight};
    if (++law->tries <= TRIES_MAX)
        plan = plan_next(law, range);
    law->climbing = plan.what == PLAN_CLIMB;
    const struct maximize_level *top = &law->levels[law->level_count - 1];
    bool at_ceiling = top->in_flight + log(law->ratio) >= log(range->most) - SAME;
    law->stopped_short =
        plan.what == PLAN_DONE && at_ceiling && top->in_flight - plan.in_flight < NEAR;
    if (plan.what == PLAN_DONE || plan.in_flight + log(law->ratio) < log(range->least)) {
        hold(law, plan.in_flight, range);
        law->held = (struct maximize_level){0};
        return;
    }
    if (plan.what == PLAN_TRY && !law->latency_known)
        law->walk = fmin(2.0 * law->walk, WALK_MOST);
    law->phase = MAXIMIZE_SEARCH;
    go(law, plan.in_flight, range);
}

static void forget_levels(struct law_maximize *law)
{
    law->level_count = 0;
    law->tries = 0;
    law->walk = WALK_FIRST;
    law->latency_ended = 0.0; /* kept as a guess, until a climb tells */
}

/** All that was known is of the past, but for this. */
static void restart(struct law_maximize *law, struct maximize_level level,
                    const struct maximize_range *range)
{
    forget_levels(law);
    table_put(law, level);
    act_on_table(law, range);
}

/** Without a queue: a mean over all such levels, so that the largest, with the most answers, counts
 * most. */
static void learn_latency(struct law_maximize *law, struct maximize_sample sample)
{
    double noise = LATENCY_NOISE / sqrt(fmax(law->latency_ended, 1.0));
    if (law->latency_ended > 0.0 && sample.latency > law->latency + LATENCY_NEAR + noise)
        return; /* the first of a queue, or workers that came all at once */
    law->latency_ended += sample.ended;
    if (!law->latency_known || law->latency_ended <= sample.ended)
        law->latency = sample.latency;
    law->latency += sample.ended / law->latency_ended * (sample.latency - law->latency);
    law->latency_known = true;
}

/** Whether throughput follows the workers from `low` to `high`, and no noise only says so. */
static bool is_free(const struct law_maximize *law, const struct maximize_level *low,
                    const struct maximize_level *high)
{
    double error = 0.0; /* as long as nothing is known */
    if (law->noise_count >= NOISE_FEW)
        error = sqrt(2.0 * law->noise) / (high->in_flight - low->in_flight);
    return slope(low, high) >= fmax(SLOPE_FREE, SLOPE_CLIMB + 2.0 * error);
}

/** One sample of a climb. Little's N/W with the latency of what ended has less noise than what was
 * counted, and does not lag. Where it shows no queue it is believed at once. */
static void climb_step(struct law_maximize *law, struct maximize_sample sample,
                       const struct maximize_range *range)
{
    double in_flight = sample.settling ? log(law->command / law->ratio) : sample.in_flight;
    struct maximize_level free = {in_flight, in_flight - sample.latency, FREE_SAMPLES};
    const struct maximize_level *top = NULL;
    if (law->level_count > 0)
        top = &law->levels[law->level_count - 1];
    bool higher = top == NULL || in_flight > top->in_flight + SAME;
    bool fits = free.throughput - sample.throughput <= LITTLE_FITS;
    bool unqueued = higher && fits && (top == NULL || is_free(law, top, &free));
    if (unqueued) {
        if (top != NULL) /* a first level may be far above the knee */
            learn_latency(law, sample);
        table_put(law, free);
        act_on_table(law, range);
        return;
    }
    if (sample.settling)
        return;
    bool passed = top != NULL && higher && slope(top, &law->here) < SLOPE_CLIMB;
    bool sure_of_it = law->here.samples >= CLIMB_SAMPLES && law->here_ended >= CLIMB_ENDED;
    if (passed && !sure_of_it && law->here.samples < CLIMB_MOST)
        return;
    table_put(law, law->here);
    act_on_table(law, range);
}

/** One sample of a level below the highest one: three, or once more twice as many as before. */
static void try_step(struct law_maximize *law, const struct maximize_range *range)
{
    double before = 0.0;
    for (uint32_t i = 0; i < law->level_count; i++) {
        if (fabs(law->levels[i].in_flight - law->here.in_flight) <= SAME)
            before = fmax(before, law->levels[i].samples);
    }
    double enough = fmin(fmax(TRY_SAMPLES, 2.0 * before), SAMPLES_MAX);
    if (law->here.samples < enough)
        return;
    if (law->latency_known)
        law->latency = fmin(law->latency, law->here.in_flight - law->here.throughput);
    table_put(law, law->here);
    act_on_table(law, range);
}

/* Hold --------------------------------------------------------------------- */

/** Page 1954. Returns whether throughput has changed for good. */
static bool has_changed(struct law_maximize *law, double throughput)
{
    double sigma = fmax(sqrt(law->noise), CHANGE_SIGMA);
    sigma *= sqrt(1.0 + CHANGE_YOUNG / law->held.samples);
    double off = clamp((throughput - law->held.throughput) / sigma, -CHANGE_CLIP, CHANGE_CLIP);
    law->rise = fmax(0.0, law->rise + off - CHANGE_DRIFT);
    law->fall = fmax(0.0, law->fall - off - CHANGE_DRIFT);
    return fmax(law->rise, law->fall) > CHANGE_LIMIT;
}

/** At a ceiling that moves there is no throughput to compare with; a ceiling that has gone far up
 * is a reason to search on. */
static void follow_step(struct law_maximize *law, struct maximize_sample sample,
                        const struct maximize_range *range)
{
    law->held.samples = fmin(law->held.samples, FOLLOW_MEMORY);
    level_add(&law->held, sample.in_flight, sample.throughput);
    if (law->stopped_short && law->command > FOLLOW_MOST * law->answer)
        restart(law, level_of(sample), range);
}

static void watch_step(struct law_maximize *law, struct maximize_sample sample,
                       const struct maximize_range *range)
{
    if (law->held.samples >= HELD_FEW && has_changed(law, sample.throughput)) {
        restart(law, level_of(sample), range);
        return;
    }
    double off = fabs(sample.throughput - law->held.throughput);
    if (law->held.samples < HELD_FEW || off <= fmax(ODD_SIGMAS * sqrt(law->noise), ODD_LEAST))
        level_add(&law->held, sample.in_flight, sample.throughput);
}

static void hold_step(struct law_maximize *law, struct maximize_sample sample,
                      const struct maximize_range *range)
{
    law->here.samples += 1.0;
    if (law->stopped_short || law->answer > range->most)
        follow_step(law, sample, range);
    else
        watch_step(law, sample, range);
    if (law->phase != MAXIMIZE_HOLD || law->here.samples < HOLD_SAMPLES ||
        law->command <= range->least * 1.01)
        return;
    law->phase = MAXIMIZE_PROBE;
    go(law, log(law->command / law->ratio) - PROBE_STEP, range);
}

static void probe_step(struct law_maximize *law, const struct maximize_range *range)
{
    double error = sqrt(variance(law, &law->here) + variance(law, &law->held));
    double fall = law->held.throughput - law->here.throughput;
    bool clear = fabs(fall - PROBE_FLAT) > 2.0 * error && fabs(fall - PROBE_STEEP) > 2.0 * error;
    if (law->here.samples < 2.0 || (!clear && law->here.samples < PROBE_MOST))
        return;
    bool steep = fall > PROBE_STEEP + 0.5 * error;
    if (steep && !law->stopped_short) { /* else it is: the ceiling is below the knee */
        restart(law, law->here, range);
    } else if (fall + error < PROBE_FLAT) {
        struct maximize_level here = law->here;
        forget_levels(law);
        law->latency_known = false;
        table_put(law, here);
        table_put(law, law->held);
        act_on_table(law, range);
    } else {
        hold(law, log(law->answer / law->ratio), range);
    }
}

bool law_maximize_converged(const struct law_maximize *law, double precision)
{
    return law->phase != MAXIMIZE_SEARCH && law->held.samples >= HELD_FEW &&
           1.96 * sqrt(variance(law, &law->held)) <= precision;
}

static void act_on_sample(struct law_maximize *law, struct maximize_sample sample,
                          const struct maximize_range *range)
{
    if (!sample.settling)
        learn_noise(law, sample.throughput, sample.ended);
    if (law->phase == MAXIMIZE_HOLD) {
        hold_step(law, sample, range);
        return;
    }
    if (!sample.settling && !measure(law, sample)) {
        restart(law, law->here, range);
        return;
    }
    if (law->phase == MAXIMIZE_PROBE)
        probe_step(law, range);
    else if (law->climbing)
        climb_step(law, sample, range);
    else
        try_step(law, range);
}

/** A ceiling may come down in the middle of a level, and go up again: what was seen of it is mixed.
 */
static void follow_range(struct law_maximize *law, const struct maximize_range *range)
{
    double before = law->command;
    double wanted = law->wanted;
    if (law->phase == MAXIMIZE_HOLD)
        wanted = law->stopped_short ? range->most : law->answer;
    law->command = clamp(wanted, range->least, range->most);
    if (law->climbing) /* to the ceiling of this moment, and then once more */
        law->wanted = law->command;
    if (law->phase != MAXIMIZE_HOLD && fabs(law->command - before) > RANGE_MOVED * before)
        begin_level(law);
    if (law->phase == MAXIMIZE_PROBE && law->command < (1.0 - RANGE_MOVED) * wanted)
        hold(law, log(law->answer / law->ratio), range);
}

void law_maximize_step(struct law_maximize *law, const struct maximize_range *range,
                       const struct observation *seen)
{
    CHECK(range->least > 0.0 && range->most >= range->least);
    CHECK(range->precision > 0.0);
    CHECK(seen->interval_ns > 0);
    law->age_ticks++;
    follow_range(law, range);
    if (!is_settled(law, seen))
        return;
    gather(law, seen);
    if (!sample_is_whole(law, (double)seen->interval_ns / 1e9))
        return;
    struct maximize_sample sample = {.in_flight = log(law->worker_s / law->time_s),
                                     .throughput = log(law->answers / law->time_s),
                                     .latency = log(law->latency_s / law->ended),
                                     .ended = law->ended,
                                     .settling = law->settling};
    forget_sums(law);
    act_on_sample(law, sample, range);
    CHECK(isfinite(law->command));
}
