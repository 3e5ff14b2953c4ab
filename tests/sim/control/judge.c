#include "tests/sim/control/judge.h"

#include "common/base/check.h"

#include <math.h>

/* After the capacity has come back, in which a backlog may still be late. */
#define GRACE_TICKS 20
/* After a change, in which a command may still be what was right before: three ticks to see it, and
 * as many to act four times. */
#define CHANGE_TICKS 15
#define STAY_TICKS   20  /* what has settled is still there so long after ... */
#define STAY_SHARE   0.9 /* ... in so many of the ticks: one pause is no relapse */

double goal_at(const struct scenario *scenario, int tick)
{
    uint64_t interval_ns = (uint64_t)(FLEET_TICK_S * 1e9);
    return schedule_mean(&scenario->goal, (uint64_t)tick * interval_ns,
                         (uint64_t)(tick + 1) * interval_ns);
}

static int piece_count(const struct record *record)
{
    return (int)scenario_piece_count(record->scenario);
}

static int piece_from(const struct record *record, int index)
{
    if (index >= piece_count(record))
        return record->tick_count;
    return (int)lround(record->scenario->pieces[index].from_s / FLEET_TICK_S);
}

static double throughput(const struct record *record, int k)
{
    return record->ticks[k].completed / FLEET_TICK_S;
}

/** Mean throughput around tick `k`. */
static double smoothed(const struct record *record, int k)
{
    double noisy = record->scenario->kind == GOAL_HOLD ? 0.02 : 0.03;
    int reach = record->scenario->tolerance > noisy ? 5 : 2;
    double sum = 0.0;
    int count = 0;
    for (int j = k - reach; j <= k + reach; j++) {
        if (j >= 0 && j < record->tick_count) {
            sum += throughput(record, j);
            count++;
        }
    }
    return sum / count;
}

/** How many workers it runs: of elastic pools, those that exist; closed, those that were commanded.
 */
static double workers(const struct record *record, int k)
{
    return record->scenario->fleet.closed ? record->ticks[k].concurrency : record->ticks[k].workers;
}

static bool open_is_settled(const struct record *record, int k)
{
    double due = 0.0;
    double late = 0.0;
    for (int j = k; j < k + 10; j++) {
        due += record->ticks[j].due;
        late += record->ticks[j].late;
    }
    return late <= 0.02 * due && record->ticks[k].late <= 0.1 * record->ticks[k].due;
}

static bool closed_is_near(const struct record *record, int k, double best_per_s)
{
    const struct scenario *scenario = record->scenario;
    if (scenario->kind != GOAL_HOLD)
        return smoothed(record, k) >= (1.0 - scenario->tolerance) * best_per_s;
    return fabs(smoothed(record, k) / goal_at(scenario, k) - 1.0) <= scenario->tolerance;
}

static bool closed_is_settled(const struct record *record, int k, int to, double best_per_s)
{
    int good = 0;
    int count = 0;
    for (int j = k; j < k + STAY_TICKS && j < to; j++) {
        good += closed_is_near(record, j, best_per_s);
        count++;
    }
    return closed_is_near(record, k, best_per_s) && good >= STAY_SHARE * count;
}

/** How many ticks after `from` all is well again. */
static double settle_ticks(const struct record *record, int from, int to, double best_per_s)
{
    for (int k = from; k + 10 <= to; k++) {
        if (record->scenario->fleet.closed ? closed_is_settled(record, k, to, best_per_s)
                                           : open_is_settled(record, k))
            return k - from;
    }
    return to - from;
}

/** Piece `index` begins with a change: how long until it was followed. */
static void judge_step(const struct record *record, int index, struct outcome *outcome)
{
    const struct piece *pieces = record->scenario->pieces;
    int from = piece_from(record, index);
    int last = index; /* gentle changes go on after it */
    while (last + 1 < piece_count(record) && !pieces[last + 1].step)
        last++;
    double ticks =
        settle_ticks(record, from, piece_from(record, last + 1), pieces[last].capacity_per_s);
    if (index == 0)
        outcome->settle_ticks = ticks;
    else
        outcome->recovery_ticks = fmax(outcome->recovery_ticks, ticks);
}

struct sums {
    double due, late, not_started, ratio, saturated_ratio, saturated_share;
    int ratio_ticks, saturated_ratio_ticks, saturated_ticks;
};

static void sum_saturated(const struct record *record, int k, int from, int to,
                          const struct piece *piece, struct sums *sums, struct outcome *outcome)
{
    if (record->status[k] == CONTROL_SATURATED && isinf(outcome->detect_ticks))
        outcome->detect_ticks = k - from;
    if (k >= from + 20) {
        sums->saturated_share += throughput(record, k) / piece->capacity_per_s;
        sums->saturated_ticks++;
    }
    if (k >= (from + to) / 2) {
        sums->saturated_ratio += workers(record, k) / piece->ideal;
        sums->saturated_ratio_ticks++;
    }
}

static void sum_reachable(const struct record *record, int k, const struct piece *piece,
                          struct sums *sums, struct outcome *outcome)
{
    outcome->false_saturated_ticks += record->status[k] == CONTROL_SATURATED;
    sums->due += record->ticks[k].due;
    sums->late += record->ticks[k].late;
    sums->not_started += record->ticks[k].not_started;
    if (k >= 10) {
        sums->ratio += workers(record, k) / piece->ideal;
        sums->ratio_ticks++;
    }
}

static void judge_sums(const struct sums *sums, struct outcome *outcome)
{
    if (sums->due > 0.0) {
        outcome->late_percent = 100.0 * sums->late / sums->due;
        outcome->not_started_percent = 100.0 * sums->not_started / sums->due;
    }
    if (sums->ratio_ticks > 0)
        outcome->workers_ratio = sums->ratio / sums->ratio_ticks;
    if (sums->saturated_ticks > 0)
        outcome->saturated_percent = 100.0 * sums->saturated_share / sums->saturated_ticks;
    if (sums->saturated_ratio_ticks > 0)
        outcome->saturated_ratio = sums->saturated_ratio / sums->saturated_ratio_ticks;
}

static void judge_hold(const struct record *record, struct outcome *outcome)
{
    const struct scenario *scenario = record->scenario;
    struct sums sums = {0};
    double ideal_max = 0.0;
    int returned = -GRACE_TICKS; /* when the capacity last came back */
    outcome->false_saturated_ticks = outcome->peak_ratio = 0.0;
    for (int i = 0; i < piece_count(record); i++) {
        const struct piece *piece = &scenario->pieces[i];
        bool short_of = piece->capacity_per_s > 0.0;
        int from = piece_from(record, i);
        int to = piece_from(record, i + 1);
        ideal_max = fmax(ideal_max, piece->ideal);
        if (short_of && isnan(outcome->detect_ticks))
            outcome->detect_ticks = INFINITY;
        for (int k = from; k < to; k++) {
            if (short_of)
                sum_saturated(record, k, from, to, piece, &sums, outcome);
            else if (k - returned >= GRACE_TICKS)
                sum_reachable(record, k, piece, &sums, outcome);
        }
        if (short_of)
            returned = to;
        else if (piece->step)
            judge_step(record, i, outcome);
    }
    judge_sums(&sums, outcome);
    for (int k = 0; k < record->tick_count; k++) {
        outcome->peak_ratio = fmax(outcome->peak_ratio, workers(record, k) / ideal_max);
        double goal = goal_at(scenario, k);
        if (k < 5 || k + 1 >= record->tick_count || goal <= 100.0)
            continue;
        if (goal_at(scenario, k - 1) > goal) /* what was sent for the old goal is not above */
            continue;
        double sent_per_s = (record->ticks[k - 1].sent_per_s + record->ticks[k].sent_per_s +
                             record->ticks[k + 1].sent_per_s) /
                            3.0;
        double above_percent = 100.0 * fmax(0.0, sent_per_s / goal - 1.0);
        outcome->overshoot_percent = fmax(outcome->overshoot_percent, above_percent);
    }
}

/** Over three ticks, for one alone is noise. */
static bool is_violated(const struct record *record, int k)
{
    const struct scenario *scenario = record->scenario;
    double latency_s = 0.0;
    double completed = 0.0;
    double failed = 0.0;
    int count = 0;
    for (int j = k - 1; j <= k + 1; j++) {
        if (j < 0 || j >= record->tick_count)
            continue;
        const struct fleet_tick *tick = &record->ticks[j];
        latency_s += tick->seen.latency_ns_quantile / 1e9;
        completed += tick->completed;
        failed += tick->failed;
        count++;
    }
    return (scenario->latency_bound_s > 0.0 && latency_s > scenario->latency_bound_s * count) ||
           (scenario->error_share_max > 0.0 &&
            failed > scenario->error_share_max * (completed + failed));
}

static void judge_converged(const struct record *record, struct outcome *outcome)
{
    outcome->converged_ticks = INFINITY;
    outcome->reopened = 0.0;
    for (int i = 0; i < piece_count(record); i++) {
        for (int k = piece_from(record, i); k < piece_from(record, i + 1); k++) {
            if (record->converged[k])
                outcome->converged_ticks = fmin(outcome->converged_ticks, k);
            bool lost = k > 0 && record->converged[k - 1] && !record->converged[k];
            /* A change is taken for one within a few seconds, or not at all. */
            if (lost && (i == 0 || k > piece_from(record, i) + 2 * CHANGE_TICKS))
                outcome->reopened++;
        }
    }
}

static void judge_maximize(const struct record *record, struct outcome *outcome)
{
    double violated = 0.0;
    double violated_settled = 0.0;
    int settled = 0;
    outcome->workers_ratio = outcome->best_percent = 0.0;
    outcome->false_saturated_ticks = outcome->peak_ratio = 0.0;
    for (int i = 0; i < piece_count(record); i++) {
        const struct piece *piece = &record->scenario->pieces[i];
        int from = piece_from(record, i);
        int to = piece_from(record, i + 1);
        if (piece->step)
            judge_step(record, i, outcome);
        for (int k = from; k < to; k++) {
            outcome->false_saturated_ticks += record->status[k] == CONTROL_SATURATED;
            bool bad = is_violated(record, k);
            violated += bad;
            double ratio = record->ticks[k].concurrency / piece->ideal;
            if (i == 0 || k >= from + CHANGE_TICKS)
                outcome->peak_ratio = fmax(outcome->peak_ratio, ratio);
            if (k < (from + to) / 2)
                continue;
            outcome->workers_ratio += ratio;
            outcome->best_percent += 100.0 * throughput(record, k) / piece->capacity_per_s;
            violated_settled += bad;
            settled++;
        }
    }
    outcome->workers_ratio /= settled;
    outcome->best_percent /= settled;
    if (record->scenario->kind == GOAL_MAXIMIZE_WHILE) {
        outcome->violated_percent = 100.0 * violated / record->tick_count;
        outcome->violated_settled_percent = 100.0 * violated_settled / settled;
    }
    judge_converged(record, outcome);
}

static void judge_end(const struct record *record, struct outcome *outcome)
{
    int count = record->tick_count;
    bool hold = record->scenario->kind == GOAL_HOLD;
    outcome->final_in_flight = outcome->workers_max_late = 0.0;
    double error = 0.0;
    double mean = 0.0;
    double square = 0.0;
    for (int k = count - 50; k < count; k++) {
        const struct fleet_tick *tick = &record->ticks[k];
        if (hold)
            error += throughput(record, k) / goal_at(record->scenario, k) - 1.0;
        mean += tick->concurrency / 50.0;
        square += tick->concurrency * tick->concurrency / 50.0;
        if (k >= count - 20)
            outcome->final_in_flight += tick->seen.in_flight_mean / 20.0;
    }
    for (int k = count - 100; k < count; k++)
        outcome->workers_max_late = fmax(outcome->workers_max_late, record->ticks[k].workers);
    if (hold)
        outcome->error_percent = 100.0 * fabs(error) / 50.0;
    outcome->chatter_percent = 100.0 * sqrt(fmax(0.0, square - mean * mean)) / mean;
    outcome->final_status = record->status[count - 1];
}

struct outcome judge(const struct record *record)
{
    CHECK(record->tick_count >= 100);
    struct outcome outcome = {0};
    for (size_t i = 0; i < OUTCOME_FIGURES; i++)
        outcome_set(&outcome, i, NAN);
    if (record->scenario->kind == GOAL_HOLD)
        judge_hold(record, &outcome);
    else
        judge_maximize(record, &outcome);
    judge_end(record, &outcome);
    return outcome;
}
