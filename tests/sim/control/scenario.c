#include "tests/sim/control/scenario.h"

#include "common/base/check.h"
#include "tests/sim/control/judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a plan may ask for where nothing is said: far above every ideal, and little enough that
 * those who know no end do not take all the time there is. */
#define WORKERS_MAX 10000.0

static struct control_advice ours_step(const struct controller_config *config, void *state,
                                       double goal, uint32_t generators,
                                       const struct observation *seen)
{
    return controller_step(config, state, goal, generators, seen);
}

static void ours_explain(const void *state)
{
    const struct controller *ours = state;
    const struct knee *knee = ours->open.saturated ? &ours->open.knee : &ours->closed.knee;
    printf(" evidence %u least %.2f knee %.0f %.2f ms%s", ours->open.evidence,
           ours->open.latency_least_s * 1e3, knee->throughput_per_s, knee->latency_s * 1e3,
           knee->probing ? " probing" : "");
    const struct law_maximize *maximize = &ours->maximize;
    printf(" phase %d levels %u samples %.0f noise %.3f", (int)maximize->phase,
           maximize->table.count, maximize->here.samples, sqrt(maximize->table.noise));
}

const struct regulator regulator_ours = {
    .name = "clobber",
    .goals = 1u << GOAL_HOLD | 1u << GOAL_MAXIMIZE | 1u << GOAL_MAXIMIZE_WHILE,
    .arrivals = 1u << ARRIVALS_OPEN | 1u << ARRIVALS_CLOSED,
    .paced = true,
    .state_bytes = sizeof(struct controller),
    .step = ours_step,
    .explain = ours_explain,
};

const struct scenario_set *const scenario_sets[] = {&scenarios_open, &scenarios_closed,
                                                    &scenarios_maximize, &scenarios_while, NULL};

const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; scenario_sets[i] != NULL; i++) {
        for (size_t j = 0; j < scenario_sets[i]->count; j++) {
            if (strcmp(scenario_sets[i]->scenarios[j].name, name) == 0)
                return &scenario_sets[i]->scenarios[j];
        }
    }
    return NULL;
}

static enum arrivals scenario_arrivals(const struct scenario *scenario)
{
    return scenario->fleet.closed ? ARRIVALS_CLOSED : ARRIVALS_OPEN;
}

struct controller_config scenario_controller(const struct scenario *scenario)
{
    return (struct controller_config){
        .goal = scenario->kind,
        .arrivals = scenario_arrivals(scenario),
        .interval_ns = (uint64_t)(FLEET_TICK_S * 1e9),
        .concurrency_max = scenario->maximum > 0.0 ? scenario->maximum : WORKERS_MAX,
        .latency_bound_ns = 1e9 * scenario->latency_bound_s,
        .error_share_max = scenario->error_share_max > 0.0 ? scenario->error_share_max : 1.0};
}

bool regulator_suits(const struct regulator *regulator, const struct scenario *scenario)
{
    return (regulator->goals >> scenario->kind & 1u) != 0 &&
           (scenario->kind != GOAL_HOLD ||
            (regulator->arrivals >> scenario_arrivals(scenario) & 1u) != 0);
}

size_t scenario_piece_count(const struct scenario *scenario)
{
    size_t count = 1;
    while (count < SCENARIO_PIECES_MAX && scenario->pieces[count].ideal > 0.0)
        count++;
    return count;
}

static void print_tick(int k, const struct fleet_tick *tick, const struct control_advice *advice)
{
    const struct observation *seen = &tick->seen;
    printf("%3d due %5.0f sent %6.0f/s x %6.0f/s w %7.2f q %7.2f ms in flight %6.1f end %5.0f "
           "backlog %5.0f workers %5.0f late %4.0f dropped %4.0f failed %3.0f | %-10s advice %7.1f "
           "floor %6.1f%s",
           k, tick->due, tick->sent_per_s, seen->throughput_per_s, seen->latency_ns_mean / 1e6,
           seen->latency_ns_quantile / 1e6, seen->in_flight_mean, seen->in_flight_end,
           seen->backlog, tick->workers, tick->late, tick->not_started, (double)seen->failed,
           control_status_word(advice->status), advice->concurrency, advice->floor,
           advice->converged ? " converged" : "");
}

/** The loop, with one tick on the way from the agents to the regulator and back. */
static void run(struct record *record, const struct scenario *scenario,
                const struct regulator *regulator, uint64_t seed, bool trace)
{
    CHECK(regulator_suits(regulator, scenario));
    struct controller_config config = scenario_controller(scenario);
    struct fleet_config generators = scenario->fleet;
    generators.eager = regulator->eager;
    bool paced = !generators.closed || regulator->paced;
    struct fleet *fleet = fleet_create(&generators, seed);
    void *state = calloc(1, regulator->state_bytes);
    CHECK(state != NULL);
    struct control_advice advice =
        regulator->step(&config, state, goal_at(scenario, 0), fleet_lanes(fleet), NULL);
    record->scenario = scenario;
    record->tick_count = (int)lround(scenario->duration_s / FLEET_TICK_S);
    CHECK(record->tick_count <= TICKS_MAX);
    for (int k = 0; k < record->tick_count; k++) {
        struct fleet_tick *tick = &record->ticks[k];
        double goal = goal_at(scenario, k);
        fleet_run(fleet, paced ? goal : 0.0, &advice, tick);
        if (k > 0)
            advice = regulator->step(&config, state, goal, fleet_lanes(fleet),
                                     &record->ticks[k - 1].seen);
        record->status[k] = advice.status;
        record->converged[k] = advice.converged;
        if (trace) {
            print_tick(k, tick, &advice);
            if (regulator->explain != NULL)
                regulator->explain(state);
            putchar('\n');
        }
    }
    free(state);
    fleet_destroy(fleet);
}

static struct outcome run_and_judge(const struct scenario *scenario,
                                    const struct regulator *regulator, uint64_t seed, bool trace)
{
    struct record *record = calloc(1, sizeof *record);
    CHECK(record != NULL);
    run(record, scenario, regulator, seed, trace);
    struct outcome outcome = judge(record);
    free(record);
    return outcome;
}

struct outcome scenario_run(const struct scenario *scenario, const struct regulator *regulator,
                            uint64_t seed)
{
    return run_and_judge(scenario, regulator, seed, false);
}

struct outcome scenario_trace(const struct scenario *scenario, const struct regulator *regulator,
                              uint64_t seed)
{
    return run_and_judge(scenario, regulator, seed, true);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/** Figures that are better when they are higher; all others are worse. */
static bool higher_is_better(size_t figure)
{
    return figure == OUTCOME_FIGURE(saturated_percent) || figure == OUTCOME_FIGURE(best_percent);
}

struct summary scenario_summary(const struct scenario *scenario, const struct regulator *regulator,
                                uint64_t seeds)
{
    CHECK(seeds >= 1 && seeds <= SCENARIO_SEEDS_MAX);
    struct outcome outcomes[SCENARIO_SEEDS_MAX];
    for (uint64_t seed = 1; seed <= seeds; seed++)
        outcomes[seed - 1] = scenario_run(scenario, regulator, seed);
    struct summary summary = {outcomes[0], outcomes[0], outcomes[0]};
    uint64_t last = seeds - 1;
    uint64_t ninth = (9 * seeds + 9) / 10 - 1; /* in ten, rounded up */
    for (size_t figure = 0; figure < OUTCOME_FIGURES; figure++) {
        double values[SCENARIO_SEEDS_MAX];
        for (uint64_t i = 0; i < seeds; i++)
            values[i] = outcome_get(&outcomes[i], figure);
        qsort(values, seeds, sizeof(double), compare_doubles);
        bool higher = higher_is_better(figure);
        outcome_set(&summary.median, figure, values[seeds / 2]);
        outcome_set(&summary.p90, figure, values[higher ? last - ninth : ninth]);
        outcome_set(&summary.worst, figure, values[higher ? 0 : last]);
    }
    return summary;
}
