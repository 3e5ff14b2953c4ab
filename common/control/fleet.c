#include "common/control/fleet.h"

#include "common/base/check.h"
#include "common/control/heap.h"
#include "common/control/random.h"

#include <math.h>
#include <stdlib.h>

#define WORKERS_MAX    65536u /* of one lane */
#define WAITING_MAX    65536u
#define PEAK_TICKS     30u
#define LATE_S         0.010
#define CATCH_UP       1.1  /* a backlog drains at so many times the rate ... */
#define BURST          10.0 /* ... after so many requests at once */
#define MISSES_MAX     3u
#define FRACTION_LEAST 0.02
#define LATENCIES_MAX  65536u /* of one tick that are looked at for the quantile */

/** A line of moments that come in order. */
struct line {
    double *items;
    uint32_t head, count;
};

struct lane {
    bool present;
    uint32_t misses; /* ticks in a row without a report */
    /* Pacing: the next request falls due when the integral of the rate has grown by `to_go`. */
    double rate_per_s, to_go, paced_s;
    struct line waiting;    /* due times */
    struct line connecting; /* when each will be ready */
    struct heap busy;
    uint32_t idle, paced_busy;
    double arrival_s; /* the theoretical arrival time of the catch-up gate (GCRA) */
    uint32_t cap;
    double floor, fraction,
        rested_s; /* closed: the part of a worker, and when it may start again */
    double peaks[PEAK_TICKS], peak;
    double cpu_free_s;
    /* Of this tick: */
    double worker_s, counted_s, latency_s, ended, started;
};

struct fleet {
    const struct fleet_config *config;
    struct random random;
    struct plant *plant;
    struct lane lanes[FLEET_LANES_MAX];
    double now_s, drop_age_s;
    uint64_t ticks;
    struct fleet_tick *tick; /* the one that runs */
    double *latencies_s;     /* of this tick, in no order; NULL: nobody asks */
    uint32_t latency_count;
};

static double line_first(const struct line *line)
{
    return line->count > 0 ? line->items[line->head] : INFINITY;
}

static void line_push(struct line *line, double at_s)
{
    CHECK(line->count < WAITING_MAX);
    line->items[(line->head + line->count++) % WAITING_MAX] = at_s;
}

static void line_drop(struct line *line)
{
    CHECK(line->count > 0);
    line->head = (line->head + 1) % WAITING_MAX;
    line->count--;
}

struct fleet *fleet_create(const struct fleet_config *config, uint64_t seed)
{
    CHECK(config->lanes >= 1 && config->lanes <= FLEET_LANES_MAX);
    struct fleet *fleet = calloc(1, sizeof *fleet);
    CHECK(fleet != NULL);
    fleet->config = config;
    fleet->random.state = seed;
    fleet->plant = plant_create(&config->plant, random_next(&fleet->random));
    if (config->closed && config->quantile > 0.0) {
        fleet->latencies_s = calloc(LATENCIES_MAX, sizeof(double));
        CHECK(fleet->latencies_s != NULL);
    }
    for (uint32_t i = 0; i < config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        lane->present = true;
        lane->to_go =
            config->poisson ? random_exponential(&fleet->random) : (i + 0.5) / config->lanes;
        lane->waiting.items = calloc(WAITING_MAX, sizeof(double));
        lane->connecting.items = calloc(WAITING_MAX, sizeof(double));
        lane->busy.items = calloc(WORKERS_MAX, sizeof(struct span));
        lane->busy.count_max = WORKERS_MAX;
        CHECK(lane->waiting.items && lane->connecting.items && lane->busy.items);
    }
    return fleet;
}

void fleet_destroy(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        free(fleet->lanes[i].waiting.items);
        free(fleet->lanes[i].connecting.items);
        free(fleet->lanes[i].busy.items);
    }
    plant_destroy(fleet->plant);
    free(fleet->latencies_s);
    free(fleet);
}

uint32_t fleet_lanes(const struct fleet *fleet)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet->config->lanes; i++)
        count += fleet->lanes[i].misses < MISSES_MAX;
    return count > 0 ? count : 1;
}

static uint32_t lane_workers(const struct lane *lane)
{
    return lane->busy.count - lane->paced_busy + lane->idle + lane->connecting.count;
}

static void lane_count_time(struct lane *lane, double at_s)
{
    lane->worker_s += lane->busy.count * (at_s - lane->counted_s);
    lane->counted_s = at_s;
}

static void lane_connect(const struct fleet *fleet, struct lane *lane, double at_s)
{
    if (lane->connecting.count >
        0) { /* one delay, so the line stays in order whatever the jitter */
        uint32_t last = (lane->connecting.head + lane->connecting.count - 1) % WAITING_MAX;
        at_s = fmax(at_s, lane->connecting.items[last] - fleet->config->connect_s);
    }
    line_push(&lane->connecting, at_s + fleet->config->connect_s);
}

static void lane_note_demand(struct lane *lane)
{
    lane->peak = fmax(lane->peak, lane->busy.count + lane->waiting.count);
}

static void lane_start(struct fleet *fleet, struct lane *lane, double at_s, bool paced)
{
    double end_s = plant_serve(fleet->plant, at_s);
    heap_push(&lane->busy, (struct span){.start_s = at_s, .end_s = end_s, .paced = paced});
    lane->started++;
    if (fleet->config->lane_starts_per_s > 0.0)
        lane->cpu_free_s = at_s + 1.0 / fleet->config->lane_starts_per_s;
    lane->paced_busy += paced;
    if (paced)
        lane->rested_s = at_s + (end_s - at_s) / lane->fraction;
}

/** When this lane's next due request may start, given an idle worker. */
static double open_start_time(const struct fleet *fleet, const struct lane *lane)
{
    if (lane->waiting.count == 0 || lane->idle == 0)
        return INFINITY;
    double at_s = fmax(fleet->now_s, lane->cpu_free_s);
    if (at_s - line_first(&lane->waiting) > LATE_S && lane->rate_per_s > 0.0)
        at_s = fmax(at_s, lane->arrival_s - BURST / lane->rate_per_s);
    return at_s;
}

static double closed_start_time(const struct fleet *fleet, const struct lane *lane)
{
    double at_s = lane->idle > 0 ? fleet->now_s : INFINITY;
    if (lane->fraction >= FRACTION_LEAST && lane->paced_busy == 0)
        at_s = fmin(at_s, fmax(fleet->now_s, lane->rested_s));
    return fmax(at_s, lane->cpu_free_s);
}

static double lane_next_due(const struct fleet *fleet, const struct lane *lane)
{
    if (fleet->config->closed || lane->rate_per_s <= 0.0)
        return INFINITY;
    return lane->paced_s + lane->to_go / lane->rate_per_s;
}

static void lane_drop_old(struct fleet *fleet, struct lane *lane)
{
    double age_s = fmax(fleet->drop_age_s, 2.0 / fmax(lane->rate_per_s, 1e-9));
    while (lane->waiting.count > 0 && fleet->now_s - line_first(&lane->waiting) > age_s) {
        line_drop(&lane->waiting);
        fleet->tick->not_started++;
        fleet->tick->late++;
    }
}

static void lane_fall_due(struct fleet *fleet, struct lane *lane)
{
    lane->paced_s = fleet->now_s;
    lane->to_go = fleet->config->poisson ? random_exponential(&fleet->random) : 1.0;
    line_push(&lane->waiting, fleet->now_s);
    fleet->tick->due++;
    if (lane->idle + lane->connecting.count < lane->waiting.count && lane_workers(lane) < lane->cap)
        lane_connect(fleet, lane, fleet->now_s);
    lane_note_demand(lane);
}

static void lane_end_request(struct fleet *fleet, struct lane *lane)
{
    struct span done = heap_pop(&lane->busy);
    lane->ended++;
    lane->latency_s += done.end_s - done.start_s;
    if (fleet->latencies_s != NULL && fleet->latency_count < LATENCIES_MAX)
        fleet->latencies_s[fleet->latency_count++] = done.end_s - done.start_s;
    if (done.paced)
        lane->paced_busy--;
    else if (lane_workers(lane) < lane->cap)
        lane->idle++;
}

static void lane_start_next(struct fleet *fleet, struct lane *lane)
{
    if (fleet->config->closed) {
        bool paced = lane->idle == 0;
        if (!paced)
            lane->idle--;
        lane_start(fleet, lane, fleet->now_s, paced);
        return;
    }
    double due_s = line_first(&lane->waiting);
    line_drop(&lane->waiting);
    if (fleet->now_s - due_s > LATE_S)
        fleet->tick->late++;
    lane->idle--;
    lane->arrival_s = fmax(lane->arrival_s, fleet->now_s) + 1.0 / (CATCH_UP * lane->rate_per_s);
    lane_start(fleet, lane, fleet->now_s, false);
}

enum moment { MOMENT_END, MOMENT_CONNECTED, MOMENT_DUE, MOMENT_START, MOMENT_KINDS };

static double lane_moment(const struct fleet *fleet, const struct lane *lane, enum moment kind)
{
    switch (kind) {
    case MOMENT_END:
        return lane->busy.count > 0 ? lane->busy.items[0].end_s : INFINITY;
    case MOMENT_CONNECTED:
        return line_first(&lane->connecting);
    case MOMENT_DUE:
        return lane_next_due(fleet, lane);
    default:
        return fleet->config->closed ? closed_start_time(fleet, lane)
                                     : open_start_time(fleet, lane);
    }
}

static void lane_act(struct fleet *fleet, struct lane *lane, enum moment kind)
{
    lane_count_time(lane, fleet->now_s);
    switch (kind) {
    case MOMENT_END:
        lane_end_request(fleet, lane);
        break;
    case MOMENT_CONNECTED:
        line_drop(&lane->connecting);
        lane->idle++;
        break;
    case MOMENT_DUE:
        lane_fall_due(fleet, lane);
        break;
    default:
        lane_start_next(fleet, lane);
        break;
    }
    lane_drop_old(fleet, lane);
}

/** The earliest moment of all lanes before `end_s` happens. Returns whether there was one. */
static bool fleet_advance(struct fleet *fleet, double end_s)
{
    struct lane *first = NULL;
    enum moment kind = MOMENT_END;
    double at_s = end_s;
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        for (enum moment k = 0; lane->present && k < MOMENT_KINDS; k++) {
            double moment_s = lane_moment(fleet, lane, k);
            if (moment_s < at_s) {
                at_s = moment_s;
                first = lane;
                kind = k;
            }
        }
    }
    if (first == NULL)
        return false;
    fleet->now_s = fmax(fleet->now_s, at_s);
    lane_act(fleet, first, kind);
    return true;
}

/** Idle workers beyond what the last three seconds needed go; missing ones up to the floor connect.
 */
static void lane_resize(const struct fleet *fleet, struct lane *lane)
{
    double keep = fmin(fmax(lane->floor, 1.0), lane->cap);
    for (uint32_t i = 0; i < PEAK_TICKS && !fleet->config->closed; i++)
        keep = fmax(keep, fmin(lane->peaks[i], lane->cap));
    if (fleet->config->closed)
        keep = lane->floor;
    while (lane->idle > 0 && lane_workers(lane) > (uint32_t)ceil(keep))
        lane->idle--;
    while (lane_workers(lane) < (uint32_t)ceil(fmin(lane->floor, lane->cap)))
        lane_connect(fleet, lane, fleet->now_s);
}

static void lane_set(struct fleet *fleet, struct lane *lane, double rate_per_s, double floor,
                     double concurrency, uint32_t cap)
{
    lane->to_go -= (fleet->now_s - lane->paced_s) * lane->rate_per_s;
    lane->paced_s = fleet->now_s;
    lane->rate_per_s = rate_per_s;
    lane->cap = cap;
    lane->floor = floor;
    if (fleet->config->closed) { /* whole workers, and one that rests for the rest of the time */
        lane->cap = (uint32_t)concurrency;
        lane->floor = lane->cap;
        lane->fraction = concurrency - lane->cap;
        lane->rested_s = fmin(lane->rested_s, fleet->now_s + 1.0);
    }
    lane_resize(fleet, lane);
    lane_drop_old(fleet, lane);
}

static void lane_lose(struct fleet *fleet, struct lane *lane)
{
    lane->present = false;
    fleet->tick->late += lane->waiting.count;
    lane->busy.count = lane->paced_busy = lane->idle = 0;
    lane->waiting.count = lane->connecting.count = 0;
    lane->rate_per_s = lane->peak = 0.0;
}

/** Who is there, and who is known to be away after three missing reports. */
static void fleet_attend(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        bool away = i == 0 && fleet->now_s >= fleet->config->lost_from_s - 1e-9 &&
                    fleet->now_s < fleet->config->lost_to_s - 1e-9;
        if (away && lane->present)
            lane_lose(fleet, lane);
        lane->present = !away;
        lane->misses = away ? lane->misses + 1 : 0;
        lane->worker_s = lane->latency_s = lane->ended = lane->started = 0.0;
        lane->counted_s = fleet->now_s;
        lane->peak = lane->busy.count + lane->waiting.count;
    }
}

static void fleet_set(struct fleet *fleet, double rate_per_s, const struct control_advice *advice)
{
    uint32_t lanes = fleet_lanes(fleet);
    uint32_t cap = (uint32_t)advice->concurrency;
    fleet->drop_age_s = (double)advice->drop_age_ns / 1e9;
    uint32_t index = 0;
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        if (!lane->present) /* what falls due for a lane that nobody misses yet does not start */
            fleet->tick->late +=
                lane->misses < MISSES_MAX ? rate_per_s * FLEET_TICK_S / lanes : 0.0;
        if (!lane->present || lane->misses >= MISSES_MAX)
            continue;
        uint32_t lane_cap = cap / lanes + (index++ < cap % lanes ? 1 : 0);
        lane_set(fleet, lane, rate_per_s / lanes, advice->floor / lanes,
                 advice->concurrency / lanes, lane_cap > 0 ? lane_cap : 1);
    }
}

/** The `index`-th smallest of values[count], which it leaves in another order: Hoare, "Algorithm
 * 65: Find", 1961. */
static double find_nth(double *values, uint32_t count, uint32_t index)
{
    CHECK(index < count);
    uint32_t low = 0;
    uint32_t high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        uint32_t i = low;
        uint32_t j = high;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            double swapped = values[i];
            values[i++] = values[j];
            values[j--] = swapped;
        }
        /* All up to j are at most the pivot, all behind it at least. */
        if (index <= j)
            high = j;
        else
            low = j + 1;
    }
    return values[index];
}

/** The nearest rank. 0 when nothing ended. */
static double latency_quantile(struct fleet *fleet)
{
    if (fleet->latency_count == 0)
        return 0.0;
    uint32_t rank = (uint32_t)ceil(fleet->config->quantile * fleet->latency_count);
    return find_nth(fleet->latencies_s, fleet->latency_count, rank > 0 ? rank - 1 : 0);
}

static void fleet_observe(struct fleet *fleet)
{
    struct observation seen = {.interval_ns = (uint64_t)(FLEET_TICK_S * 1e9),
                               .generators = fleet_lanes(fleet),
                               .parts_expected = fleet_lanes(fleet),
                               .generator_load = -1.0};
    double latency_s = 0.0;
    double started = 0.0;
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        if (!lane->present)
            continue;
        lane_count_time(lane, fleet->now_s);
        seen.parts_reported++;
        seen.completed += (uint64_t)lane->ended;
        latency_s += lane->latency_s;
        started += lane->started;
        seen.in_flight_mean += lane->worker_s / FLEET_TICK_S;
        seen.in_flight_end += lane->busy.count;
        seen.backlog += lane->waiting.count;
        seen.demand_peak += lane->peak;
        seen.workers += lane_workers(lane);
        if (fleet->config->lane_starts_per_s > 0.0)
            seen.generator_load =
                fmax(seen.generator_load,
                     lane->started / (fleet->config->lane_starts_per_s * FLEET_TICK_S));
        lane->peaks[fleet->ticks % PEAK_TICKS] = lane->peak;
    }
    double noise = 1.0 + fleet->config->noise * random_normal(&fleet->random);
    seen.throughput_per_s = (double)seen.completed / FLEET_TICK_S * noise;
    if (seen.completed > 0)
        seen.latency_ns_mean = latency_s / (double)seen.completed * 1e9 * noise;
    seen.latency_ns_quantile = latency_quantile(fleet) * 1e9;
    fleet->tick->seen = seen;
    fleet->tick->sent_per_s = started / FLEET_TICK_S;
    fleet->tick->workers = seen.workers;
}

void fleet_run(struct fleet *fleet, double rate_per_s, const struct control_advice *advice,
               struct fleet_tick *tick)
{
    *tick = (struct fleet_tick){.concurrency = advice->concurrency};
    fleet->tick = tick;
    fleet->latency_count = 0;
    fleet_attend(fleet);
    fleet_set(fleet, rate_per_s, advice);
    if (fleet->ticks == 0) { /* the floor is connected before the first request */
        for (uint32_t i = 0; i < fleet->config->lanes; i++) {
            struct lane *lane = &fleet->lanes[i];
            lane->idle += lane->connecting.count;
            lane->connecting.count = 0;
        }
    }
    double end_s = FLEET_TICK_S * (double)(fleet->ticks + 1);
    while (fleet_advance(fleet, end_s))
        continue;
    fleet->now_s = end_s;
    fleet_observe(fleet);
    fleet->ticks++;
}
