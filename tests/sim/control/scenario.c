#include "tests/sim/control/scenario.h"

#include "common/base/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKS_MAX 700
#define GRACE_TICKS                                                                                \
    20 /* after the capacity has come back, in which a backlog may still be late                   \
        */

/** All ticks of one run, and how the law stood in each. */
struct record {
    const struct scenario *scenario;
    int tick_count;
    struct fleet_tick ticks[TICKS_MAX];
    enum control_status status[TICKS_MAX];
    bool saturated[TICKS_MAX];
};

static double goal_at(const struct scenario *scenario, int tick)
{
    uint64_t interval_ns = (uint64_t)(FLEET_TICK_S * 1e9);
    return schedule_mean(&scenario->goal, (uint64_t)tick * interval_ns,
                         (uint64_t)(tick + 1) * interval_ns);
}

static int piece_count(const struct scenario *scenario)
{
    int count = 1;
    while (count < SCENARIO_PIECES_MAX && scenario->pieces[count].ideal > 0.0)
        count++;
    return count;
}

static int piece_from(const struct record *record, int index)
{
    if (index >= piece_count(record->scenario))
        return record->tick_count;
    return (int)lround(record->scenario->pieces[index].from_s / FLEET_TICK_S);
}

static void print_tick(int k, const struct fleet_tick *tick, const struct controller *state,
                       const struct control_advice *advice)
{
    const struct observation *seen = &tick->seen;
    printf("%3d due %5.0f sent %6.0f/s x %6.0f/s w %7.2f ms in flight %6.1f end %5.0f backlog "
           "%5.0f workers "
           "%5.0f late %4.0f dropped %4.0f | %-10s advice %7.1f floor %6.1f evidence %u least %.2f "
           "knee %.0f %.2f ms%s\n",
           k, tick->due, tick->sent_per_s, seen->throughput_per_s, seen->latency_ns_mean / 1e6,
           seen->in_flight_mean, seen->in_flight_end, seen->backlog, tick->workers, tick->late,
           tick->not_started, control_status_word(advice->status), advice->concurrency,
           advice->floor, state->open.evidence, state->open.latency_least_s * 1e3,
           state->open.saturated ? state->open.knee.throughput_per_s
                                 : state->closed.knee.throughput_per_s,
           1e3 *
               (state->open.saturated ? state->open.knee.latency_s : state->closed.knee.latency_s),
           state->open.knee.probing || state->closed.knee.probing ? " probing" : "");
}

/** The loop, with one tick on the way from the agents to the law and back. */
static void run(struct record *record, const struct scenario *scenario, uint64_t seed, bool trace)
{
    struct fleet *fleet = fleet_create(&scenario->fleet, seed);
    struct controller_config config = {
        .goal = scenario->kind,
        .arrivals = scenario->fleet.closed ? ARRIVALS_CLOSED : ARRIVALS_OPEN,
        .interval_ns = (uint64_t)(FLEET_TICK_S * 1e9),
        .concurrency_max = scenario->maximum > 0.0 ? scenario->maximum : 50000.0,
        .latency_bound_ns = 1e9 * scenario->latency_bound_s,
        .error_share_max = scenario->error_share_max > 0.0 ? scenario->error_share_max : 1.0};
    struct controller state = {0};
    struct control_advice advice =
        controller_step(&config, &state, goal_at(scenario, 0), fleet_lanes(fleet), NULL);
    record->scenario = scenario;
    record->tick_count = (int)lround(scenario->duration_s / FLEET_TICK_S);
    CHECK(record->tick_count <= TICKS_MAX);
    for (int k = 0; k < record->tick_count; k++) {
        struct fleet_tick *tick = &record->ticks[k];
        fleet_run(fleet, goal_at(scenario, k), &advice, tick);
        if (k > 0)
            advice = controller_step(&config, &state, goal_at(scenario, k), fleet_lanes(fleet),
                                     &record->ticks[k - 1].seen);
        record->status[k] = advice.status;
        record->saturated[k] =
            scenario->fleet.closed ? state.closed.saturated : state.open.saturated;
        if (trace)
            print_tick(k, tick, &state, &advice);
    }
    fleet_destroy(fleet);
}

static double sent_over_three(const struct record *record, int k)
{
    return (record->ticks[k - 1].sent_per_s + record->ticks[k].sent_per_s +
            record->ticks[k + 1].sent_per_s) /
           3.0;
}

/** Mean throughput around tick `k`. */
static double smoothed(const struct record *record, int k)
{
    int reach = record->scenario->tolerance > 0.02 ? 5 : 2;
    double sum = 0.0;
    int count = 0;
    for (int j = k - reach; j <= k + reach; j++) {
        if (j >= 0 && j < record->tick_count) {
            sum += (double)record->ticks[j].seen.completed / FLEET_TICK_S;
            count++;
        }
    }
    return sum / count;
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

static bool closed_is_settled(const struct record *record, int k, int to)
{
    int good = 0;
    int count = 0;
    for (int j = k; j < k + 20 && j < to; j++) {
        double error = smoothed(record, j) / goal_at(record->scenario, j) - 1.0;
        bool near = fabs(error) <= record->scenario->tolerance;
        if (j == k && !near)
            return false;
        good += near;
        count++;
    }
    return good >= 0.9 * count;
}

/** How many ticks after `from` all is well again. */
static double settle_ticks(const struct record *record, int from, int to)
{
    bool closed = record->scenario->fleet.closed;
    for (int k = from; k + 10 <= to; k++) {
        if (closed ? closed_is_settled(record, k, to) : open_is_settled(record, k))
            return k - from;
    }
    return to - from;
}

struct sums {
    double due, late, not_started, ratio, saturated_ratio, saturated_share;
    int ratio_ticks, saturated_ratio_ticks, saturated_ticks;
};

/** How many workers it runs: of elastic pools, those that exist; closed, those that were commanded.
 */
static double workers(const struct record *record, int k)
{
    return record->scenario->fleet.closed ? record->ticks[k].concurrency : record->ticks[k].workers;
}

static void sum_saturated(const struct record *record, int k, int from, int to,
                          const struct piece *piece, struct sums *sums, struct outcome *outcome)
{
    if (record->saturated[k] && outcome->detect_ticks < 0.0)
        outcome->detect_ticks = k - from;
    if (k >= from + 20) {
        double share =
            (double)record->ticks[k].seen.completed / FLEET_TICK_S / piece->capacity_per_s;
        sums->saturated_share += share;
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
    outcome->false_saturated_ticks += record->saturated[k];
    sums->due += record->ticks[k].due;
    sums->late += record->ticks[k].late;
    sums->not_started += record->ticks[k].not_started;
    if (k >= 10) {
        sums->ratio += workers(record, k) / piece->ideal;
        sums->ratio_ticks++;
    }
}

static void judge_end(const struct record *record, struct outcome *outcome)
{
    int count = record->tick_count;
    double error = 0.0;
    double mean = 0.0;
    double square = 0.0;
    for (int k = count - 50; k < count; k++) {
        const struct fleet_tick *tick = &record->ticks[k];
        error += (double)tick->seen.completed / FLEET_TICK_S / goal_at(record->scenario, k) - 1.0;
        mean += tick->concurrency / 50.0;
        square += tick->concurrency * tick->concurrency / 50.0;
        if (k >= count - 20)
            outcome->final_in_flight += tick->seen.in_flight_mean / 20.0;
    }
    for (int k = count - 100; k < count; k++)
        outcome->workers_max_late = fmax(outcome->workers_max_late, record->ticks[k].workers);
    outcome->error_percent = 100.0 * fabs(error) / 50.0;
    outcome->chatter_percent = 100.0 * sqrt(fmax(0.0, square - mean * mean)) / mean;
    outcome->final_status = record->status[count - 1];
}

static struct outcome judge(const struct record *record)
{
    const struct scenario *scenario = record->scenario;
    struct outcome outcome = {.detect_ticks = -1.0};
    struct sums sums = {0};
    double ideal_max = 0.0;
    int returned = -GRACE_TICKS; /* when the capacity last came back */
    for (int i = 0; i < piece_count(scenario); i++) {
        const struct piece *piece = &scenario->pieces[i];
        int from = piece_from(record, i);
        int to = piece_from(record, i + 1);
        ideal_max = fmax(ideal_max, piece->ideal);
        for (int k = from; k < to; k++) {
            if (piece->capacity_per_s > 0.0)
                sum_saturated(record, k, from, to, piece, &sums, &outcome);
            else if (k - returned >= GRACE_TICKS)
                sum_reachable(record, k, piece, &sums, &outcome);
        }
        if (piece->capacity_per_s > 0.0)
            returned = to;
        if (piece->step && piece->capacity_per_s <= 0.0) {
            int until = to;
            for (int j = i + 1; j < piece_count(scenario) && !scenario->pieces[j].step; j++)
                until = piece_from(record, j + 1);
            double ticks = settle_ticks(record, from, until);
            if (i == 0)
                outcome.settle_ticks = ticks;
            else
                outcome.recovery_ticks = fmax(outcome.recovery_ticks, ticks);
        }
    }
    for (int k = 0; k < record->tick_count; k++) {
        outcome.peak_ratio = fmax(outcome.peak_ratio, workers(record, k) / ideal_max);
        double goal = goal_at(scenario, k);
        if (k >= 5 && k + 1 < record->tick_count && goal > 100.0)
            outcome.overshoot_percent =
                fmax(outcome.overshoot_percent, 100.0 * (sent_over_three(record, k) / goal - 1.0));
    }
    if (sums.due > 0.0) {
        outcome.late_percent = 100.0 * sums.late / sums.due;
        outcome.not_started_percent = 100.0 * sums.not_started / sums.due;
    }
    if (sums.ratio_ticks > 0)
        outcome.workers_ratio = sums.ratio / sums.ratio_ticks;
    if (sums.saturated_ticks > 0)
        outcome.saturated_percent = 100.0 * sums.saturated_share / sums.saturated_ticks;
    if (sums.saturated_ratio_ticks > 0)
        outcome.saturated_ratio = sums.saturated_ratio / sums.saturated_ratio_ticks;
    judge_end(record, &outcome);
    return outcome;
}

static struct outcome run_and_judge(const struct scenario *scenario, uint64_t seed, bool trace)
{
    struct record *record = calloc(1, sizeof *record);
    CHECK(record != NULL);
    run(record, scenario, seed, trace);
    struct outcome outcome = judge(record);
    free(record);
    return outcome;
}

struct outcome scenario_run(const struct scenario *scenario, uint64_t seed)
{
    return run_and_judge(scenario, seed, false);
}

struct outcome scenario_trace(const struct scenario *scenario, uint64_t seed)
{
    return run_and_judge(scenario, seed, true);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

#define SEEDS_MAX 64

struct outcome scenario_median(const struct scenario *scenario, uint64_t seeds)
{
    CHECK(seeds >= 1 && seeds <= SEEDS_MAX);
    static const size_t figures[] = {offsetof(struct outcome, late_percent),
                                     offsetof(struct outcome, not_started_percent),
                                     offsetof(struct outcome, workers_ratio),
                                     offsetof(struct outcome, settle_ticks),
                                     offsetof(struct outcome, recovery_ticks),
                                     offsetof(struct outcome, detect_ticks),
                                     offsetof(struct outcome, false_saturated_ticks),
                                     offsetof(struct outcome, saturated_ratio),
                                     offsetof(struct outcome, saturated_percent),
                                     offsetof(struct outcome, peak_ratio),
                                     offsetof(struct outcome, overshoot_percent),
                                     offsetof(struct outcome, error_percent),
                                     offsetof(struct outcome, chatter_percent),
                                     offsetof(struct outcome, final_in_flight),
                                     offsetof(struct outcome, workers_max_late)};
    struct outcome outcomes[SEEDS_MAX];
    for (uint64_t seed = 1; seed <= seeds; seed++)
        outcomes[seed - 1] = scenario_run(scenario, seed);
    struct outcome median = outcomes[0];
    for (size_t f = 0; f < COUNT(figures); f++) {
        double values[SEEDS_MAX];
        for (uint64_t i = 0; i < seeds; i++)
            memcpy(&values[i], (const char *)&outcomes[i] + figures[f], sizeof(double));
        qsort(values, seeds, sizeof(double), compare_doubles);
        memcpy((char *)&median + figures[f], &values[seeds / 2], sizeof(double));
    }
    return median;
}

const struct scenario *scenario_at(size_t index)
{
    static const struct scenario_set *const sets[] = {&scenarios_open, &scenarios_closed};
    for (size_t i = 0; i < COUNT(sets); i++) {
        if (index < sets[i]->count)
            return &sets[i]->scenarios[index];
        index -= sets[i]->count;
    }
    return NULL;
}

const struct scenario *scenario_find(const char *name)
{
    const struct scenario *scenario = scenario_at(0);
    for (size_t i = 0; scenario != NULL && strcmp(scenario->name, name) != 0; i++)
        scenario = scenario_at(i + 1);
    return scenario;
}
