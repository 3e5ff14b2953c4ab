#include "coordinator/steering.h"

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/control/pace.h"
#include "coordinator/grants.h"

#include <math.h>

#define TICK_NS        (TICK_MS * UINT64_C(1000000))
#define BLOCK_NS       UINT64_C(1000000000)
#define GRANTED_ENOUGH 0.995 /* of what is asked for; the rest is rounding and hand-over */

bool steering_open_arrivals(const struct plan *plan)
{
    return plan->goal == GOAL_HOLD && plan->arrivals == ARRIVALS_OPEN;
}

/* What the law of a search must know of the plan. */
static void set_bounds(struct controller_config *config, const struct plan *plan)
{
    const struct threshold *latency = plan_bound(plan, METRIC_LATENCY_QUANTILE);
    const struct threshold *errors = plan_bound(plan, METRIC_ERRORS_RATE);
    config->latency_bound_ns = latency != NULL ? latency->bound : 0.0;
    config->error_share_max = errors != NULL ? errors->bound : 1.0;
    config->precision = plan->precision;
}

void steering_init(struct steering *steering, const struct plan *plan, uint32_t lease_ms)
{
    *steering = (struct steering){
        .plan = plan,
        .lease_ms = lease_ms,
        .config = {.goal = plan->goal,
                   .arrivals = plan->arrivals,
                   .interval_ns = TICK_NS,
                   .concurrency_max = plan->concurrency_max},
    };
    set_bounds(&steering->config, plan);
    settling_init(&steering->settling, plan->goal == GOAL_HOLD ? plan->tolerance : 0.0,
                  plan->goal != GOAL_CONCURRENCY);
}

/* An order stands for a tick, so it aims at the middle of what the schedule asks for until then. */
static double goal_at(const struct plan *plan, uint64_t at_ns)
{
    uint64_t until_ns = at_ns + TICK_NS;
    if (until_ns > plan->schedule.duration_ns && at_ns < plan->schedule.duration_ns)
        until_ns = plan->schedule.duration_ns;
    return schedule_mean(&plan->schedule, at_ns, until_ns);
}

/* The plan's ceiling, or the owners' together when that is lower; a law needs room for one worker.
 */
static void set_ceiling(struct steering *steering, const struct roster *roster)
{
    double plan_max = steering->plan->concurrency_max;
    double owners_max = (double)roster_concurrency_max(roster);
    steering->config.concurrency_max = fmax(1.0, fmin(plan_max, owners_max));
}

void steering_begin(struct steering *steering, const struct roster *roster, uint64_t at_ns)
{
    set_ceiling(steering, roster);
    steering->goal = goal_at(steering->plan, at_ns);
    steering->advice = controller_step(&steering->config, &steering->controller, steering->goal,
                                       roster_lanes(roster), NULL);
}

static bool is_whole(const struct observation *seen)
{
    return seen->parts_expected > 0 && seen->parts_reported == seen->parts_expected;
}

/* Less is ordered than the goal or the law asks for: an owner's ceiling, or a share that a lost
 * agent still holds. */
static bool is_undergranted(const struct steering *steering, const struct roster *roster)
{
    struct order total = grants_total(roster);
    if (steering_open_arrivals(steering->plan))
        return (double)total.rate_milli < GRANTED_ENOUGH * 1000.0 * steering->goal;
    double asked = fmin(steering->plan->goal == GOAL_CONCURRENCY ? steering->goal
                                                                 : steering->advice.concurrency,
                        steering->plan->concurrency_max);
    /* Orders are whole thousandths, which is much of the least that a search may run. */
    return (double)total.concurrency_milli + roster->count < GRANTED_ENOUGH * 1000.0 * asked;
}

/* A search that has no answer yet, or one that is not the target's. */
static bool is_unanswered(const struct control_advice *advice)
{
    return !advice->converged || advice->status == CONTROL_GENERATOR_BOUND ||
           advice->status == CONTROL_AT_MAXIMUM || advice->status == CONTROL_NO_DATA;
}

static void take_evidence(struct steering *steering, const struct observation *seen,
                          const struct roster *roster)
{
    const struct settling *settling = &steering->settling;
    struct evidence_tick tick = {
        .goal = settling_goal_mean(settling),
        .value = settling_value_mean(settling),
        .tolerance = steering->plan->tolerance,
        .undergranted = is_undergranted(steering, roster),
        .owners_bind =
            (double)roster_concurrency_max(roster) < (double)steering->plan->concurrency_max,
        .unanswered = plan_searches(steering->plan) && is_unanswered(&steering->advice),
        .status = steering->advice.status,
        .load = seen->generator_load,
        .throughput_per_s = seen->throughput_per_s,
        .workers = seen->workers,
    };
    if (steering->plan->goal == GOAL_CONCURRENCY)
        tick.tolerance = 1.0; /* what ran is no shortfall, only what was not ordered */
    evidence_take(&steering->evidence, &tick);
}

/* Seconds in which more than half failed, in a row; one in which nothing ended changes nothing. */
static bool is_failing(struct steering *steering, const struct observation *seen)
{
    steering->block_bad += seen->failed;
    steering->block_ended += seen->completed + seen->failed;
    steering->block_ns += seen->interval_ns;
    if (steering->block_ns < BLOCK_NS)
        return false;
    bool bad = 2 * steering->block_bad > steering->block_ended;
    if (bad)
        steering->failing_ns += steering->block_ns;
    else if (steering->block_ended > 0)
        steering->failing_ns = 0;
    steering->block_bad = 0;
    steering->block_ended = 0;
    steering->block_ns = 0;
    uint64_t stop_after_ns = steering->plan->stop_after_ns;
    return stop_after_ns > 0 && steering->failing_ns >= stop_after_ns;
}

static void settle(struct steering *steering, uint64_t at_ns, const struct observation *seen,
                   struct steering_news *news)
{
    bool rate = steering->plan->goal != GOAL_CONCURRENCY;
    struct settling_tick tick = {
        .at_ns = at_ns,
        .measured = at_ns >= steering->plan->schedule.warmup_ns,
        .goal = steering->goal,
        .value = rate ? seen->throughput_per_s : seen->workers,
        .throughput_per_s = seen->throughput_per_s,
        .workers = seen->workers,
        .ended = seen->completed + seen->failed,
        .latency_ns_mean = seen->latency_ns_mean,
    };
    news->settled = settling_take(&steering->settling, &tick);
    /* A search changes the latency itself, by what it tries. */
    news->latency_changed = !plan_searches(steering->plan) &&
                            settling_latency_changed(&steering->settling, &news->change);
}

static void take_answer(struct steering *steering, uint64_t at_ns, const struct observation *seen)
{
    struct answer_tick tick = {
        .from_ns = steering->at_ns,
        .measured = at_ns > steering->plan->schedule.warmup_ns,
        .converged = !is_unanswered(&steering->advice),
        .throughput_per_s = seen->throughput_per_s,
        .workers = fmin(steering->advice.concurrency, seen->workers), /* one may be a part of one */
    };
    answer_take(&steering->answer, &tick);
}

/* A second without an answer is a new search; less is a moment's doubt, and not told. */
static void judge_search(struct steering *steering, struct steering_news *news)
{
    if (!is_unanswered(&steering->advice)) {
        news->converged = !steering->converged_said;
        steering->converged_said = steering->answered = true;
        steering->searching_ticks = 0;
    } else if (steering->converged_said && ++steering->searching_ticks >= SETTLING_TICKS) {
        news->searching = true;
        steering->converged_said = false;
    }
}

/* A status may flutter; it is told once it has been so for a second, and again only when it was not
 * for another. */
static bool is_newly_saturated(struct steering *steering)
{
    if (steering->advice.status != CONTROL_SATURATED) {
        if (steering->saturated_ticks > 0 && --steering->saturated_ticks == 0)
            steering->saturated_said = false;
        return false;
    }
    if (steering->saturated_ticks < SETTLING_TICKS)
        steering->saturated_ticks++;
    bool news = steering->saturated_ticks == SETTLING_TICKS && !steering->saturated_said;
    steering->saturated_said = steering->saturated_said || news;
    return news;
}

struct steering_news steering_step(struct steering *steering, uint64_t at_ns,
                                   const struct observation *seen, const struct roster *roster)
{
    struct steering_news news = {0};
    /* What was seen ran under the goal of the tick before. */
    if (is_whole(seen)) {
        settle(steering, at_ns, seen, &news);
        if (plan_searches(steering->plan))
            take_answer(steering, at_ns, seen);
        if (at_ns >= steering->plan->schedule.warmup_ns)
            take_evidence(steering, seen, roster);
    }
    news.failing = is_failing(steering, seen);

    set_ceiling(steering, roster);
    steering->goal = goal_at(steering->plan, at_ns);
    steering->advice = controller_step(&steering->config, &steering->controller, steering->goal,
                                       seen->generators, seen);
    news.saturated = is_newly_saturated(steering);
    if (plan_searches(steering->plan))
        judge_search(steering, &news);
    steering->at_ns = at_ns;
    return news;
}

void steering_pass(struct steering *steering, uint64_t at_ns)
{
    steering->goal = goal_at(steering->plan, at_ns);
    steering->at_ns = at_ns;
}

uint32_t steering_phase(const struct steering *steering, uint64_t at_ns)
{
    const struct schedule *schedule = &steering->plan->schedule;
    if (!plan_searches(steering->plan))
        return schedule_phase(schedule, at_ns);
    if (at_ns < schedule->warmup_ns)
        return PHASE_WARMUP;
    return steering->answered ? PHASE_ANSWER : PHASE_SEARCH;
}

/* Who is given a part of the rate and no worker would start nothing of it: with a target so quick
 * that fewer workers than agents are advised, each still gets one. */
static double concurrency_of(const struct steering *steering, const struct roster *roster)
{
    uint32_t sharing = 0;
    for (uint32_t i = 0; i < roster->count; i++)
        sharing += agent_may_carry(roster->agents[i]);
    bool open = steering_open_arrivals(steering->plan);
    double least = open ? fmin(sharing, steering->plan->concurrency_max) : 0.0;
    return fmax(steering->advice.concurrency, least);
}

void steering_order(const struct steering *steering, struct roster *roster, uint64_t now_ns,
                    bool paced)
{
    bool open = steering_open_arrivals(steering->plan);
    bool closed = !open && steering->plan->goal == GOAL_HOLD;
    double ceiling_per_s = fmin(PACE_ABOVE * steering->goal, RATE_PER_S_MAX);
    struct grants grants = {
        .concurrency = concurrency_of(steering, roster),
        .floor = steering->advice.floor,
        .rate_per_s = !paced   ? 0.0
                      : open   ? steering->goal
                      : closed ? ceiling_per_s
                               : 0.0,
        .workers_make_rate = closed,
        .whole = open || steering->plan->goal == GOAL_CONCURRENCY,
        .by_weight = !open && steering->plan->goal != GOAL_CONCURRENCY,
        .keep_lost = steering->plan->on_loss == ON_LOSS_HOLD,
    };
    grants_share(&grants, roster, steering->lease_ms, now_ns);
}
