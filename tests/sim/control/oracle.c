#include "tests/sim/control/oracle.h"

#include "common/base/check.h"

#include <math.h>
#include <stdlib.h>

#define ORACLE_SEED   991 /* none that a regulator is measured with */
#define FOREVER_S     1e9
#define ON_TIME_SHARE 0.99
#define BEST_SHARE    0.98
#define AGREE_SHARE   0.03
#define SWEEP_FACTOR  1.15
#define SWEEP_WORKERS 20000.0

/** The plant for good as it is at `at_s`. Pauses and spells go on, for they are how it is. */
static struct fleet_config frozen(const struct fleet_config *fleet, double at_s)
{
    struct fleet_config still = *fleet;
    double servers = fleet->plant.servers;
    still.lost_from_s = still.lost_to_s = 0.0;
    still.report_loss = 0.0; /* of the measurement, not of the plant */
    for (size_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        struct plant_change change = fleet->plant.changes[i];
        still.plant.changes[i] = (struct plant_change){0};
        if (at_s < change.from_s || at_s >= change.to_s)
            continue;
        double passed = (at_s - change.from_s) / (change.to_s - change.from_s);
        switch (change.kind) {
        case PLANT_SAME:
            break;
        case PLANT_LATENCY:
            still.plant.delay_s *= change.factor;
            break;
        case PLANT_SERVERS:
            servers *= change.factor;
            still.plant.usl_per_s *= change.factor;
            break;
        case PLANT_SPEED:
            still.plant.service_s /= change.factor;
            still.plant.usl_per_s *= change.factor;
            break;
        case PLANT_WARM_UP: {
            double speed = change.factor + (1.0 - change.factor) * passed;
            still.plant.service_s /= speed;
            still.plant.usl_per_s *= speed;
            break;
        }
        case PLANT_PAUSES:
        case PLANT_SPELLS:
            change.from_s = 0.0;
            change.to_s = FOREVER_S;
            still.plant.changes[i] = change;
            break;
        }
    }
    still.plant.servers = (uint32_t)lround(servers);
    return still;
}

static bool has_pauses(const struct fleet_config *fleet)
{
    for (size_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        enum plant_change_kind kind = fleet->plant.changes[i].kind;
        if (kind == PLANT_PAUSES || kind == PLANT_SPELLS)
            return true;
    }
    return false;
}

/** Ten pauses; few requests: enough of them for one in a hundred; else as long as four seconds tell
 *  1 % of anything, or many latencies. */
static double measure_s(const struct fleet_config *fleet, double rate_per_s)
{
    if (has_pauses(fleet))
        return 24.0;
    if (rate_per_s > 0.0 && rate_per_s < 100.0)
        return 60.0;
    return fmax(4.0, 8.0 * (fleet->plant.delay_s + fleet->plant.service_s));
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double rate_at(const struct scenario *scenario, double at_s)
{
    return schedule_value(&scenario->goal, (uint64_t)(at_s * 1e9));
}

struct fixed_run oracle_fixed(const struct scenario *scenario, double at_s, double workers)
{
    struct fleet_config config = frozen(&scenario->fleet, at_s);
    double rate_per_s = rate_at(scenario, at_s);
    /* Whole workers, and requests that wait as long as it takes. */
    struct control_advice advice = {
        .concurrency = workers, .floor = workers, .drop_age_ns = UINT64_C(3600000000000)};
    int measured = (int)(measure_s(&config, rate_per_s) / FLEET_TICK_S);
    int settling =
        (int)(10.0 + 20.0 * (config.plant.delay_s + config.plant.service_s) / FLEET_TICK_S);
    double *quantiles = calloc((size_t)measured, sizeof *quantiles);
    CHECK(quantiles != NULL);
    struct fleet *fleet = fleet_create(&config, ORACLE_SEED);
    struct fleet_tick tick = {0};
    struct fixed_run run = {0};
    double due = 0.0;
    double completed = 0.0;
    double failed = 0.0;
    for (int k = 0; k < settling + measured; k++) {
        fleet_run(fleet, rate_per_s, &advice, &tick);
        if (k < settling)
            continue;
        due += tick.due;
        run.late_share += tick.late;
        completed += tick.completed;
        failed += tick.failed;
        quantiles[k - settling] = tick.seen.latency_ns_quantile / 1e9;
    }
    run.late_share = due > 0.0 ? (run.late_share + tick.seen.backlog) / due : 0.0;
    run.throughput_per_s = completed / (measured * FLEET_TICK_S);
    run.error_share = completed + failed > 0.0 ? failed / (completed + failed) : 0.0;
    qsort(quantiles, (size_t)measured, sizeof *quantiles, compare_doubles);
    run.quantile_s = quantiles[measured / 2];
    free(quantiles);
    fleet_destroy(fleet);
    return run;
}

double oracle_moment(const struct scenario *scenario, size_t index)
{
    double to_s = index + 1 < scenario_piece_count(scenario) ? scenario->pieces[index + 1].from_s
                                                             : scenario->duration_s;
    return 0.5 * (scenario->pieces[index].from_s + to_s);
}

bool oracle_is_enough(const struct scenario *scenario, const struct piece *piece, double at_s,
                      const struct fixed_run *run)
{
    if (piece->capacity_per_s > 0.0)
        return run->throughput_per_s >= BEST_SHARE * piece->capacity_per_s;
    if (scenario->fleet.closed)
        return run->throughput_per_s >= rate_at(scenario, at_s);
    return run->late_share <= 1.0 - ON_TIME_SHARE;
}

bool oracle_is_allowed(const struct scenario *scenario, const struct fixed_run *run)
{
    return (scenario->latency_bound_s <= 0.0 || run->quantile_s <= scenario->latency_bound_s) &&
           (scenario->error_share_max <= 0.0 || run->error_share <= scenario->error_share_max);
}

/** The best throughput of any allowed number: upwards until it is forbidden, falls, or has not
 * grown while the workers doubled; then once more, finer, about the border of what is allowed. */
static double best_throughput(const struct scenario *scenario, double at_s)
{
    double best_per_s = 0.0;
    double best_workers = 0.0;
    double allowed = 0.0;
    double forbidden = 0.0;
    double lanes = scenario->fleet.lanes;
    for (double n = lanes; n < SWEEP_WORKERS && forbidden <= 0.0; n = ceil(n * SWEEP_FACTOR)) {
        struct fixed_run run = oracle_fixed(scenario, at_s, n);
        if (!oracle_is_allowed(scenario, &run)) {
            forbidden = n;
            break;
        }
        allowed = n;
        if (run.throughput_per_s > best_per_s * 1.002 || best_workers <= 0.0)
            best_workers = n;
        best_per_s = fmax(best_per_s, run.throughput_per_s);
        if (n > 2.0 * best_workers)
            break;
    }
    while (forbidden - allowed > 1.0 && forbidden > allowed * 1.005) {
        double n = floor(0.5 * (allowed + forbidden));
        struct fixed_run run = oracle_fixed(scenario, at_s, n);
        if (oracle_is_allowed(scenario, &run)) {
            allowed = n;
            best_per_s = fmax(best_per_s, run.throughput_per_s);
        } else {
            forbidden = n;
        }
    }
    return best_per_s;
}

struct piece oracle_search(const struct scenario *scenario, size_t index)
{
    CHECK(index < scenario_piece_count(scenario));
    struct piece piece = scenario->pieces[index];
    double at_s = oracle_moment(scenario, index);
    if (scenario->kind != GOAL_HOLD)
        piece.capacity_per_s = best_throughput(scenario, at_s);
    /* Open arrivals wait at lanes of their own; each gets as many. */
    double step = scenario->fleet.closed ? 1.0 : scenario->fleet.lanes;
    double few = 0.0;
    double many = step;
    for (;;) {
        struct fixed_run run = oracle_fixed(scenario, at_s, many);
        if (oracle_is_enough(scenario, &piece, at_s, &run) || many > SWEEP_WORKERS)
            break;
        few = many;
        many = step * ceil(1.5 * many / step);
    }
    while (many - few > step) {
        double n = step * floor(0.5 * (few + many) / step);
        struct fixed_run run = oracle_fixed(scenario, at_s, n);
        if (oracle_is_enough(scenario, &piece, at_s, &run))
            many = n;
        else
            few = n;
    }
    piece.ideal = many;
    return piece;
}

static bool is_near(double one, double other, double slack)
{
    return fabs(one - other) <= fmax(slack, AGREE_SHARE * fmax(one, other));
}

bool oracle_agrees(const struct scenario *scenario, const struct piece *one,
                   const struct piece *other)
{
    return is_near(one->ideal, other->ideal, scenario->fleet.lanes) &&
           is_near(one->capacity_per_s, other->capacity_per_s, 1.0);
}

bool oracle_confirms(const struct scenario *scenario, size_t index)
{
    const struct piece *piece = &scenario->pieces[index];
    double at_s = oracle_moment(scenario, index);
    double lanes = scenario->fleet.lanes;
    double slack = fmax(lanes, ceil(AGREE_SHARE * piece->ideal));
    struct fixed_run many = oracle_fixed(scenario, at_s, piece->ideal + slack);
    bool enough = oracle_is_enough(scenario, piece, at_s, &many);
    double less = piece->ideal - slack - lanes;
    if (less >= lanes) {
        struct fixed_run few = oracle_fixed(scenario, at_s, less);
        enough = enough && !oracle_is_enough(scenario, piece, at_s, &few);
    }
    if (!enough || scenario->kind == GOAL_HOLD)
        return enough;
    /* Nor is there more to be had with more workers. */
    struct fixed_run half_more = oracle_fixed(scenario, at_s, ceil(1.5 * piece->ideal));
    return !oracle_is_allowed(scenario, &half_more) ||
           half_more.throughput_per_s <= (1.0 + AGREE_SHARE / 2.0) * piece->capacity_per_s;
}
