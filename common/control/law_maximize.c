#include "common/control/law_maximize.h"

#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/maximize_plan.h"

#include <math.h>
#include <stddef.h>

/* Climbing: */
#define CLIMB_SAMPLES 2.0   /* a slope says that the knee is passed if a second sample does, ... */
#define CLIMB_ENDED   100.0 /* ... of so many requests, for fewer are too noisy, ... */
#define CLIMB_MOST    8.0   /* ... or after so many samples */
#define LATENCY_NEAR  0.02  /* of ln W: of levels with the same latency, ... */
#define LATENCY_NOISE 0.5   /* ... and a request's standard deviation from their mean */
#define LITTLE_FITS   0.2   /* of ln X, by which what was counted may lag while workers begin */
#define WALK_FIRST    0.16  /* ln of a step down, doubled each time ... */
#define WALK_MOST     0.7   /* ln 2 */
#define TRIES_MAX     40u   /* visits to levels in one search; a dozen are usual */

/* Samples: */
#define TRY_SAMPLES   3.0    /* of a level at first; then twice as many, where that leaves doubt */
#define REVISIT_LEAST 0.06   /* of ln X between two visits: more is no slow spell */
#define PERIOD_LEASTS 4.0    /* a sample takes a latency, at most so many of the least */
#define NOISE_FEW     5.0    /* pairs: with fewer it is not known */
#define NOISE_GAIN    0.08   /* a memory of a dozen pairs */
#define NOISE_COUNT   1000.0 /* stops growing */
#define NOISE_LEAST   1e-6   /* 0.1 %, for a variance of 0 would make everything certain */
#define NOISE_JUMP    9.0    /* times the variance: the most that one pair of samples may claim */
#define NOISE_GREW    0.3    /* of ln X, from one level to the next */
#define NOISE_RELEARN 3.0    /* pairs that the old noise then counts for */
#define ODD_SIGMAS    4.0    /* one in 16 000; ... */
#define ODD_LEAST     0.10   /* ... and of ln X. A level's odd samples are a pause, ... */
#define ODD_MAX       3u     /* ... until there are so many in a row */

/* While held: */
#define HOLD_SAMPLES    80.0  /* eight seconds: probing costs half a percent of the answers */
#define HELD_FEW        3.0   /* samples without which there is nothing to compare with */
#define PROBE_STEP      0.10  /* of ln N: 2.5 times what is spare, so that a sharp knee shows */
#define PROBE_FLAT      0.010 /* of ln X for the step: no knee here any more */
#define PROBE_STEEP     0.090 /* of ln X for the step: far below the knee */
#define PROBE_MOST      12.0  /* samples */
#define CHANGE_DRIFT    0.5   /* sigmas: changes of one sigma and more are followed, ... */
#define CHANGE_LIMIT    10.0  /* ... large ones after three samples; by chance once in 140 000 */
#define CHANGE_CLIP     4.0   /* sigmas that one sample may claim: a pause of two is no change */
#define CHANGE_SIGMA    0.012 /* of ln X at least: smaller changes are none */
#define CHANGE_SLIGHT   0.10  /* of ln X: what others on the machine may take, now and then; ... */
#define CHANGE_QUEUE    0.12  /* of ln W: ... with so long a queue, a rise needs no more workers */
#define OUTDATED_SIGMAS 4.0   /* an answer above all that the search saw was seen too late, ... */
#define OUTDATED_LEAST  0.03  /* ... clearly, ... */
#define OUTDATED_UNTIL  20.0  /* ... if it is so from the first samples on */
#define CHANGE_YOUNG    8.0   /* a reference of few samples is as uncertain as they are */
#define FOLLOW_MOST     1.25  /* at a ceiling that moves: of where it was, search on */
#define FOLLOW_MEMORY   20.0  /* samples */
#define RANGE_MOVED     0.06  /* of the command, by a ceiling */

static double clamp(double value, double least, double most)
{
    return fmin(fmax(value, least), most);
}

/** ln of the workers in flight for so many commanded. */
static double in_flight_of(const struct law_maximize *law, double workers)
{
    return log(workers / law->sampler.ratio);
}

static void begin_level(struct law_maximize *law)
{
    law->here = (struct maximize_level){0};
    law->here_ended = 0.0;
    law->odd = 0;
    sampler_begin(&law->sampler);
}

/** Runs `in_flight` (ln) from now on. */
static void go(struct law_maximize *law, double in_flight, const struct maximize_range *range)
{
    law->wanted = exp(in_flight) * law->sampler.ratio;
    law->command = clamp(law->wanted, range->least, range->most);
    begin_level(law);
}

void law_maximize_start(struct law_maximize *law, double concurrency)
{
    CHECK(concurrency > 0.0);
    *law = (struct law_maximize){
        .command = concurrency, .wanted = concurrency, .walk = WALK_FIRST, .climbing = true};
    sampler_start(&law->sampler);
}

/* Samples ------------------------------------------------------------------ */

/** As neighbours differ; before any do, as if answers came at random. Where far more answers come
 * than before, they are less noisy by as much, until neighbours tell. */
static void learn_noise(struct law_maximize *law, double throughput, double ended)
{
    if (law->table.noise_pairs < 1.0)
        law->table.noise = 0.5 / fmax(ended, 1.0);
    if (law->here.samples >= 1.0) {
        double difference = throughput - law->before;
        double seen = fmin(0.5 * difference * difference, NOISE_JUMP * law->table.noise);
        law->table.noise_pairs = fmin(law->table.noise_pairs + 1.0, NOISE_COUNT);
        law->table.noise +=
            fmax(1.0 / (law->table.noise_pairs + 1.0), NOISE_GAIN) * (seen - law->table.noise);
    } else if (law->table.noise_pairs >= 1.0 && throughput > law->before + NOISE_GREW) {
        law->table.noise *= exp(law->before - throughput);
        law->table.noise_pairs = fmin(law->table.noise_pairs, NOISE_RELEARN);
    }
    law->table.noise = fmax(law->table.noise, NOISE_LEAST);
    law->before = throughput;
}

static struct maximize_level level_of(struct maximize_sample sample)
{
    return (struct maximize_level){sample.in_flight, sample.throughput, LEVEL_GLIMPSED};
}

/** Adds a sample to `here`. A pause of the target makes one odd sample, and is ignored; several in
 * a row are how things are now. Returns false when that contradicts the table. */
static bool measure(struct law_maximize *law, struct maximize_sample sample)
{
    struct maximize_level *here = &law->here;
    double off = sample.throughput - here->throughput;
    bool odd =
        here->samples >= 1.0 && fabs(off) > fmax(ODD_SIGMAS * sqrt(law->table.noise), ODD_LEAST);
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

/* Search ------------------------------------------------------------------- */

static void hold(struct law_maximize *law, double in_flight, const struct maximize_range *range)
{
    law->phase = MAXIMIZE_HOLD;
    law->climbing = false;
    law->rise = law->fall = 0.0;
    law->recent = (struct maximize_level){0};
    go(law, in_flight, range);
    law->answer = law->command;
}

static void act_on_table(struct law_maximize *law, const struct maximize_range *range)
{
    double least = in_flight_of(law, range->least);
    double most = in_flight_of(law, range->most);
    struct maximize_plan plan = {PLAN_DONE, law->table.levels[table_best(&law->table)].in_flight};
    if (++law->tries <= TRIES_MAX)
        plan = maximize_plan_next(&law->table, most, law->walk, range->precision);
    law->climbing = plan.step == PLAN_CLIMB;
    double top = table_top(&law->table)->in_flight;
    law->stopped_short =
        plan.step == PLAN_DONE && top >= most - LEVEL_SAME && top - plan.in_flight < PLAN_NEAR;
    if (plan.step == PLAN_DONE || plan.in_flight < least) {
        hold(law, plan.in_flight, range);
        law->held = (struct maximize_level){0};
        law->best = law->table.levels[table_best(&law->table)];
        law->found = -INFINITY;
        return;
    }
    if (plan.step == PLAN_TRY && !law->table.latency_known)
        law->walk = fmin(2.0 * law->walk, WALK_MOST);
    law->phase = MAXIMIZE_SEARCH;
    go(law, plan.in_flight, range);
}

static void forget_levels(struct law_maximize *law)
{
    table_forget(&law->table);
    law->tries = 0;
    law->walk = WALK_FIRST;
}

/** All that was known is of the past, but for this. */
static void restart(struct law_maximize *law, struct maximize_level level,
                    const struct maximize_range *range)
{
    forget_levels(law);
    table_put(&law->table, level);
    act_on_table(law, range);
}

/** Without a queue: a mean over all such levels, so that the largest, with the most answers, counts
 * most. */
static void learn_latency(struct law_maximize *law, struct maximize_sample sample)
{
    double noise = LATENCY_NOISE / sqrt(fmax(law->table.latency_ended, 1.0));
    if (law->table.latency_ended > 0.0 &&
        sample.latency > law->table.latency + LATENCY_NEAR + noise)
        return; /* the first of a queue, or workers that came all at once */
    law->table.latency_ended += sample.ended;
    if (!law->table.latency_known || law->table.latency_ended <= sample.ended)
        law->table.latency = sample.latency;
    law->table.latency +=
        sample.ended / law->table.latency_ended * (sample.latency - law->table.latency);
    law->table.latency_known = true;
}

/** Whether throughput follows the workers from `low` to `high`, and no noise only says so. */
static bool is_free(const struct law_maximize *law, const struct maximize_level *low,
                    const struct maximize_level *high)
{
    double error = 0.0; /* as long as nothing is known */
    if (law->table.noise_pairs >= NOISE_FEW)
        error = sqrt(2.0 * law->table.noise) / (high->in_flight - low->in_flight);
    return level_slope(low, high) >= fmax(SLOPE_FREE, SLOPE_CLIMB + 2.0 * error);
}

/** One sample of a climb. Little's N/W with the latency of what ended has less noise than what was
 * counted, and does not lag. Where it shows no queue it is believed at once. */
static void climb_step(struct law_maximize *law, struct maximize_sample sample,
                       const struct maximize_range *range)
{
    double in_flight = sample.settling ? in_flight_of(law, law->command) : sample.in_flight;
    struct maximize_level free = {in_flight, in_flight - sample.latency, LEVEL_GLIMPSED};
    const struct maximize_level *top = table_top(&law->table);
    bool higher = top == NULL || in_flight > top->in_flight + LEVEL_SAME;
    bool fits = free.throughput - sample.throughput <= LITTLE_FITS;
    bool unqueued = higher && fits && (top == NULL || is_free(law, top, &free));
    if (unqueued) {
        if (top != NULL) /* a first level may be far above the knee */
            learn_latency(law, sample);
        table_put(&law->table, free);
        act_on_table(law, range);
        return;
    }
    if (sample.settling)
        return;
    bool passed = top != NULL && higher && level_slope(top, &law->here) < SLOPE_CLIMB;
    bool sure_of_it = law->here.samples >= CLIMB_SAMPLES && law->here_ended >= CLIMB_ENDED;
    if (passed && !sure_of_it && law->here.samples < CLIMB_MOST)
        return;
    table_put(&law->table, law->here);
    act_on_table(law, range);
}

/** Whether a level gives clearly more or less than on the visit before: the table is of the past.
 */
static bool is_another_target(const struct law_maximize *law, const struct maximize_level *before)
{
    double off = fabs(law->here.throughput - before->throughput);
    return law->here.samples >= HELD_FEW && before->samples >= HELD_FEW && off > REVISIT_LEAST &&
           off > ODD_SIGMAS * table_error(&law->table, &law->here, before);
}

/** One sample of a level below the highest one: three, or once more twice as many as before. */
static void try_step(struct law_maximize *law, const struct maximize_range *range)
{
    double before = 0.0;
    for (uint32_t i = 0; i < law->table.count; i++) {
        const struct maximize_level *level = &law->table.levels[i];
        if (fabs(level->in_flight - law->here.in_flight) > LEVEL_SAME)
            continue;
        if (is_another_target(law, level)) {
            restart(law, law->here, range);
            return;
        }
        before = fmax(before, level->samples);
    }
    double enough = fmin(fmax(TRY_SAMPLES, 2.0 * before), PLAN_SAMPLES_MAX);
    if (law->here.samples < enough)
        return;
    if (law->table.latency_known)
        law->table.latency = fmin(law->table.latency, law->here.in_flight - law->here.throughput);
    table_put(&law->table, law->here);
    act_on_table(law, range);
}

/* Hold --------------------------------------------------------------------- */

static double cusum(double sum, double sigmas)
{
    return fmax(0.0, sum + clamp(sigmas, -CHANGE_CLIP, CHANGE_CLIP) - CHANGE_DRIFT);
}

/** Page 1954: whether throughput has changed for good; then `recent` is what it is now. */
static bool has_changed(struct law_maximize *law, struct maximize_sample sample)
{
    double sigma = fmax(sqrt(law->table.noise), CHANGE_SIGMA);
    sigma *= sqrt(1.0 + CHANGE_YOUNG / law->held.samples);
    double off = (sample.throughput - law->held.throughput) / sigma;
    law->rise = cusum(law->rise, off);
    law->fall = cusum(law->fall, -off);
    if (law->rise == 0.0 && law->fall == 0.0)
        law->recent = (struct maximize_level){0};
    else
        level_add(&law->recent, sample.in_flight, sample.throughput);
    return fmax(law->rise, law->fall) > CHANGE_LIMIT;
}

/** Whether the answer stands, though the target became a little slower, or faster while there is a
 * queue that feeds it, or as fast again as it was. On a machine that others use that happens every
 * few seconds, and a search among levels that are seen at different speeds goes astray. */
static bool answer_stands(const struct law_maximize *law)
{
    double off = law->recent.throughput - law->held.throughput;
    return fabs(off) < CHANGE_SLIGHT &&
           (off < 0.0 || law->recent.throughput < law->found + CHANGE_SIGMA ||
            table_has_queue(&law->table, &law->recent, CHANGE_QUEUE));
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

/** Whether the answer gives more than the best level of the search did: then the target became
 * faster in the middle of it, and no change will be seen any more. */
static bool is_outdated(const struct law_maximize *law)
{
    double more = law->held.throughput - law->best.throughput;
    return law->held.samples >= HELD_FEW && law->held.samples <= OUTDATED_UNTIL &&
           more > OUTDATED_LEAST &&
           more > OUTDATED_SIGMAS * table_error(&law->table, &law->held, &law->best) &&
           (more >= CHANGE_SLIGHT || !table_has_queue(&law->table, &law->held, CHANGE_QUEUE));
}

static void watch_step(struct law_maximize *law, struct maximize_sample sample,
                       const struct maximize_range *range)
{
    if (law->held.samples >= HELD_FEW && has_changed(law, sample)) {
        if (!answer_stands(law)) {
            restart(law, level_of(sample), range);
            return;
        }
        law->found = fmax(law->found, law->held.throughput);
        law->held = law->recent;
        law->rise = law->fall = 0.0;
    }
    double off = fabs(sample.throughput - law->held.throughput);
    if (law->held.samples < HELD_FEW || off <= fmax(ODD_SIGMAS * sqrt(law->table.noise), ODD_LEAST))
        level_add(&law->held, sample.in_flight, sample.throughput);
    if (is_outdated(law))
        restart(law, law->held, range);
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
    go(law, in_flight_of(law, law->command) - PROBE_STEP, range);
}

static void probe_step(struct law_maximize *law, const struct maximize_range *range)
{
    double error = table_error(&law->table, &law->here, &law->held);
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
        law->table.latency_known = false;
        table_put(&law->table, here);
        table_put(&law->table, law->held);
        act_on_table(law, range);
    } else {
        hold(law, in_flight_of(law, law->answer), range);
    }
}

bool law_maximize_converged(const struct law_maximize *law, double precision)
{
    return law->phase != MAXIMIZE_SEARCH && law->held.samples >= HELD_FEW &&
           1.96 * sqrt(table_variance(&law->table, &law->held)) <= precision;
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
        hold(law, in_flight_of(law, law->answer), range);
}

void law_maximize_step(struct law_maximize *law, const struct maximize_range *range,
                       const struct observation *seen)
{
    CHECK(range->least > 0.0 && range->most >= range->least);
    CHECK(range->precision > 0.0);
    CHECK(seen->interval_ns > 0);
    law->sampler.age_ticks++;
    follow_range(law, range);
    double period_s_most = INFINITY;
    if (law->table.latency_known)
        period_s_most = PERIOD_LEASTS * exp(law->table.latency);
    struct maximize_sample sample;
    if (!sampler_add(&law->sampler, seen, law->command, law->climbing, period_s_most, &sample))
        return;
    act_on_sample(law, sample, range);
    CHECK(isfinite(law->command));
}
