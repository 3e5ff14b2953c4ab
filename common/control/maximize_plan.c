#include "common/control/maximize_plan.h"

#include "common/base/check.h"

#include <math.h>

/* The knee: the fewest workers with 98 % of the best throughput; aimed at from a little above. */
#define LOSS  0.0125 /* of ln X */
#define SPARE 0.04   /* of ln N above what Little's law allows at the least */
#define SOFT  0.7    /* of the way between the two bounds: from above, for less is lost there */
#define PLATEAU                                                                                    \
    0.25 /* of ln N above the knee, without that loss made good, show that there is no more */

#define DOUBLE      0.693 /* ln 2, while latency stays, ... */
#define STEADILY    0.405 /* ln 1.5, when it begins to grow */
#define RESTART     0.336 /* ln 1.4: after a change; more workers cost no throughput */
#define QUEUE_SEEN  0.05  /* of ln W above the latency without a queue */
#define SLOPE_LEAST 0.15  /* for extrapolation; noise may show less than there is */
#define JUMP_MOST   0.92  /* ln 2.5 down at once, on Little's word */

#define DECIDED 0.4 /* of the precision: a standard error so small will do */
#define DOUBT   1.5 /* standard errors, within which a level may be on the other side */
#define BENEFIT 0.5 /* of the standard error: of the doubt whether a level falls short */

static double clamp(double value, double least, double most)
{
    return fmin(fmax(value, least), most);
}

static struct maximize_plan climb(const struct maximize_table *table)
{
    const struct maximize_level *top = table_top(table);
    double step = table->again ? RESTART : DOUBLE;
    if (table->count > 1) {
        bool queue = table_has_queue(table, top, QUEUE_SEEN);
        step = level_slope(top - 1, top) >= SLOPE_FREE && !queue ? DOUBLE : STEADILY;
    }
    return (struct maximize_plan){PLAN_CLIMB, top->in_flight + step};
}

/** The fewest workers known to be enough: from the best downwards, the last that reaches `target`.
 */
static uint32_t find_enough(const struct maximize_table *table, uint32_t best, double target)
{
    uint32_t enough = best;
    for (; enough > 0; enough--) {
        const struct maximize_level *below = &table->levels[enough - 1];
        double error = table_error(table, below, &table->levels[best]);
        if (below->throughput + fmin(BENEFIT * error, LOSS) < target)
            break;
    }
    return enough;
}

/** No level falls short yet: go down, to where Little's law sees the knee, or step by step. */
static struct maximize_plan look_below(const struct maximize_table *table, double target,
                                       double walk)
{
    double enough = table->levels[0].in_flight;
    if (!table->latency_known)
        return (struct maximize_plan){PLAN_TRY, enough - walk};
    double least = target + table->latency;
    if (enough - least <= PLAN_NEAR)
        return (struct maximize_plan){PLAN_DONE, enough};
    return (struct maximize_plan){PLAN_TRY, fmax(least + SPARE, enough - JUMP_MOST)};
}

/** Between `low`, which falls short, and `enough`. Concave: beyond `low` the slope is at most what
 * it was before it, and the curve is nowhere below the chord. */
static struct maximize_plan close_in(const struct maximize_table *table,
                                     const struct maximize_level *low,
                                     const struct maximize_level *enough, double target)
{
    bool low_is_first = low == table->levels;
    double before = low_is_first ? 1.0 : clamp(level_slope(low - 1, low), SLOPE_LEAST, 1.0);
    double missing = target - low->throughput;
    double least = low->in_flight + missing / before;
    if (low->samples < 1.0 && before >= SLOPE_FREE && table->latency_known)
        least = target + table->latency; /* what was only passed is known less well */
    least = fmin(least, enough->in_flight);
    double most = low->in_flight + missing / level_slope(low, enough);
    if (enough->in_flight - least <= PLAN_NEAR || enough->in_flight - low->in_flight <= PLAN_NEAR)
        return (struct maximize_plan){PLAN_DONE, fmax(least + SPARE, most)};
    double next = before >= SLOPE_FREE ? least + SPARE : least + SOFT * (most - least);
    return (struct maximize_plan){PLAN_TRY, clamp(next, low->in_flight + 2.0 * LEVEL_SAME,
                                                  enough->in_flight - 2.0 * LEVEL_SAME)};
}

/** Whether `level` may be on the other side of `target` than it seems, and more samples would help.
 */
static bool is_doubtful(const struct maximize_table *table, const struct maximize_level *level,
                        const struct maximize_level *best, double target, double precision)
{
    double error = table_error(table, level, best);
    return level != best && level->samples < PLAN_SAMPLES_MAX && error > DECIDED * precision &&
           fabs(level->throughput - target) < DOUBT * error;
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
static bool may_hide_a_peak(const struct maximize_table *table, const struct maximize_level *low,
                            const struct maximize_level *high)
{
    bool queue = table_has_queue(table, low, 2.0 * QUEUE_SEEN);
    bool fall = high->throughput < low->throughput - 0.5 * LOSS;
    return high->in_flight - low->in_flight > PLATEAU + 2.0 * LEVEL_SAME && (queue || fall);
}

struct maximize_plan maximize_plan_next(const struct maximize_table *table, double most,
                                        double walk, double precision)
{
    CHECK(table->count > 0);
    const struct maximize_level *levels = table->levels;
    uint32_t top = table->count - 1;
    uint32_t best = table_best(table);
    bool can_climb = levels[top].in_flight < most - LEVEL_SAME;
    if (can_climb &&
        (top == 0 || (best == top && level_slope(&levels[top - 1], &levels[top]) >= SLOPE_CLIMB)))
        return climb(table);
    double target = levels[best].throughput - LOSS;
    uint32_t enough = find_enough(table, best, target);
    for (uint32_t i = enough > 0 ? enough - 1 : 0; i <= enough; i++) {
        if (is_doubtful(table, &levels[i], &levels[best], target, precision))
            return look_again(&levels[i], &levels[best]);
    }
    for (uint32_t i = enough; i <= best && i < top; i++) {
        if (may_hide_a_peak(table, &levels[i], &levels[i + 1]))
            return (struct maximize_plan){PLAN_TRY,
                                          0.5 * (levels[i].in_flight + levels[i + 1].in_flight)};
    }
    struct maximize_plan plan = enough == 0
                                    ? look_below(table, target, walk)
                                    : close_in(table, &levels[enough - 1], &levels[enough], target);
    if (plan.step == PLAN_DONE && can_climb &&
        levels[top].in_flight - levels[enough].in_flight < PLATEAU)
        return (struct maximize_plan){PLAN_CLIMB, levels[enough].in_flight + PLATEAU + LEVEL_SAME};
    return plan;
}
