#include "common/control/fleet.h"

#include "common/base/check.h"
#include "common/control/heap.h"
#include "common/control/pace.h"
#include "common/control/random.h"
#include "common/control/split.h"
#include "common/control/staffing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LATE_S         0.010
#define CATCH_UP       1.1  /* a backlog drains at so many times the rate ... */
#define BURST          10.0 /* ... after so many requests at once */
#define MISSES_MAX     3u
#define FRACTION_LEAST 0.001
#define NOBODY         UINT32_MAX

/** What comes in the order of its moments. */
struct line {
    struct heap_item *items; /* [size], a ring */
    uint32_t head, count, size;
};

/** Times in any order, as many as come. */
struct values {
    double *items;
    uint32_t count, count_max;
};

/** A request that the plant has; its index is the plant's tag. */
struct sent {
    uint32_t lane, life; /* of the lane, which may have been lost meanwhile */
    bool paced;          /* by the worker that rests between its requests */
    bool over;           /* for its lane; the plant may still be at it */
    double due_s, start_s;
    uint32_t next; /* free */
};

enum moment { MOMENT_CONNECTED, MOMENT_DUE, MOMENT_START, MOMENT_HIRE, MOMENT_KINDS };

struct lane {
    bool present;
    uint32_t life;
    uint32_t misses; /* ticks in a row without a report */
    /* Pacing: the next request falls due when the integral of the rate has grown by `to_go`. */
    double rate_per_s, to_go, paced_s;
    double drop_age_s;
    struct line waiting;    /* due times */
    struct line connecting; /* when each will be ready */
    uint32_t busy, idle, paced_busy;
    double arrival_s; /* the theoretical arrival time of the catch-up gate (GCRA) */
    uint32_t cap;
    double floor, fraction,
        rested_s; /* closed: the part of a worker, and when it may start again */
    struct staffing staffing;
    uint32_t peak;
    double cpu_free_s;
    double next_s; /* what it does next, and when */
    enum moment next;
    /* Since the start, up to `counted_s`: */
    double counted_s, in_flight_s, latency_s;
    uint64_t started, ok, failed;
    struct fleet_lane tick_from; /* the sums when this tick began, ... */
    struct fleet_lane reported;  /* ... when it was last heard, ... */
    double reported_s;           /* ... and when that was */
    struct values responses;     /* since then */
    struct split_weight weight;
};

struct fleet {
    const struct fleet_config *config;
    struct random random;
    struct plant *plant;
    struct lane lanes[FLEET_LANES_MAX];
    struct sent *sent;
    uint32_t sent_count, sent_count_max, sent_free;
    struct line timeouts; /* of `sent`; some are over */
    double now_s;
    uint64_t ticks;
    struct observation on_the_way[FLEET_TRANSPORT_MAX + 1];
    struct values responses;  /* of all lanes */
    struct fleet_tick totals; /* due, late and not started so far */
};

static uint64_t nanoseconds(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

static double line_first(const struct line *line)
{
    return line->count > 0 ? line->items[line->head].key : INFINITY;
}

static double line_last(const struct line *line)
{
    return line->count > 0 ? line->items[(line->head + line->count - 1) % line->size].key
                           : -INFINITY;
}

static void line_push(struct line *line, double at_s, uint32_t index)
{
    if (line->count == line->size) {
        uint32_t size = line->size > 0 ? 2 * line->size : 64;
        struct heap_item *items = malloc(size * sizeof *items);
        CHECK(items != NULL);
        for (uint32_t i = 0; i < line->count; i++)
            items[i] = line->items[(line->head + i) % line->size];
        free(line->items);
        *line = (struct line){.items = items, .count = line->count, .size = size};
    }
    line->items[(line->head + line->count++) % line->size] =
        (struct heap_item){.key = at_s, .index = index};
}

static void line_drop(struct line *line)
{
    CHECK(line->count > 0);
    line->head = (line->head + 1) % line->size;
    line->count--;
}

static void values_push(struct values *values, double value)
{
    if (values->count == values->count_max) {
        values->count_max = values->count_max > 0 ? 2 * values->count_max : 256;
        values->items = realloc(values->items, values->count_max * sizeof *values->items);
        CHECK(values->items != NULL);
    }
    values->items[values->count++] = value;
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

/** The nearest rank. 0 without any. */
static double values_quantile(struct values *values, double quantile)
{
    if (values->count == 0)
        return 0.0;
    uint32_t rank = (uint32_t)ceil(quantile * values->count);
    return find_nth(values->items, values->count, rank > 0 ? rank - 1 : 0);
}

static uint32_t take_sent(struct fleet *fleet)
{
    uint32_t index = fleet->sent_free;
    if (index != NOBODY) {
        fleet->sent_free = fleet->sent[index].next;
        return index;
    }
    if (fleet->sent_count == fleet->sent_count_max) {
        fleet->sent_count_max = fleet->sent_count_max > 0 ? 2 * fleet->sent_count_max : 256;
        fleet->sent = realloc(fleet->sent, fleet->sent_count_max * sizeof *fleet->sent);
        CHECK(fleet->sent != NULL);
    }
    return fleet->sent_count++;
}

static uint32_t lane_index(const struct fleet *fleet, const struct lane *lane)
{
    return (uint32_t)(lane - fleet->lanes);
}

static void tell(const struct fleet *fleet, const struct lane *lane, struct fleet_event event)
{
    if (fleet->config->watch == NULL)
        return;
    event.lane = lane_index(fleet, lane);
    fleet->config->watch(fleet->config->watch_context, &event);
}

static uint32_t lane_workers(const struct lane *lane)
{
    return lane->busy - lane->paced_busy + lane->idle + lane->connecting.count;
}

static double lane_starts_per_s(const struct fleet *fleet, const struct lane *lane)
{
    double own = fleet->config->lane_starts_per_s_of[lane_index(fleet, lane)];
    return own > 0.0 ? own : fleet->config->lane_starts_per_s;
}

static void lane_count_time(struct lane *lane, double at_s)
{
    lane->in_flight_s += lane->busy * (at_s - lane->counted_s);
    lane->counted_s = at_s;
}

/* One delay, so the line stays in order whatever the jitter. */
static void lane_connect(const struct fleet *fleet, struct lane *lane, double at_s)
{
    double ready_s = fmax(at_s + fleet->config->connect_s, line_last(&lane->connecting));
    line_push(&lane->connecting, ready_s, 0);
}

/** `lane` as its pool sees it. */
static struct staffing_lane lane_staff(const struct lane *lane)
{
    return (struct staffing_lane){
        .rate_per_s = lane->rate_per_s,
        .floor = (uint32_t)ceil(lane->floor),
        .cap = lane->cap,
        .in_flight = lane->busy,
        .idle = lane->idle,
        .connecting = lane->connecting.count,
        .waiting = lane->waiting.count,
        .due_ns = lane->waiting.count > 0 ? nanoseconds(line_first(&lane->waiting)) : 0,
    };
}

static void lane_note_demand(const struct fleet *fleet, struct lane *lane)
{
    uint32_t demand = lane->busy + lane->waiting.count;
    if (lane->peak < demand)
        lane->peak = demand;
    struct staffing_lane staff = lane_staff(lane);
    staffing_see(&lane->staffing, nanoseconds(fleet->now_s), &staff);
}

static void lane_start(struct fleet *fleet, struct lane *lane, double due_s, bool paced)
{
    double at_s = fleet->now_s;
    uint32_t index = take_sent(fleet);
    uint32_t number = lane_index(fleet, lane);
    fleet->sent[index] = (struct sent){
        .lane = number, .life = lane->life, .paced = paced, .due_s = due_s, .start_s = at_s};
    double factor = fleet->config->lane_latency_factor[number];
    plant_begin(fleet->plant, at_s, factor > 0.0 ? factor : 1.0, index);
    if (fleet->config->timeout_s > 0.0)
        line_push(&fleet->timeouts, at_s + fleet->config->timeout_s, index);
    staffing_started(&lane->staffing, nanoseconds(at_s), lane->busy);
    lane->busy++;
    lane->paced_busy += paced;
    lane->started++;
    double starts_per_s = lane_starts_per_s(fleet, lane);
    if (starts_per_s > 0.0)
        lane->cpu_free_s = at_s + 1.0 / starts_per_s;
    tell(fleet, lane, (struct fleet_event){.kind = FLEET_STARTED, .due_s = due_s, .start_s = at_s});
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
    if (lane->rate_per_s > 0.0)
        at_s = fmax(at_s, lane->arrival_s - PACE_BURST / lane->rate_per_s);
    return fmax(at_s, lane->cpu_free_s);
}

static double lane_next_due(const struct fleet *fleet, const struct lane *lane)
{
    if (fleet->config->closed || lane->rate_per_s <= 0.0)
        return INFINITY;
    return lane->paced_s + lane->to_go / lane->rate_per_s;
}

/** When this lane's next worker connects. */
static double hire_time(const struct fleet *fleet, const struct lane *lane)
{
    struct staffing_lane staff = lane_staff(lane);
    if (fleet->config->eager) {
        bool wanted = staff.idle + staff.connecting < staff.waiting;
        bool allowed = staff.in_flight + staff.idle + staff.connecting < staff.cap;
        return wanted && allowed ? fleet->now_s : INFINITY;
    }
    uint64_t at_ns = staffing_hires_ns(&lane->staffing, &staff);
    return at_ns == STAFFING_NEVER ? INFINITY : fmax(fleet->now_s, (double)at_ns / 1e9);
}

/** Works out what `lane` does next. To be called whenever it has changed. */
static void lane_plan(const struct fleet *fleet, struct lane *lane)
{
    double start_s =
        fleet->config->closed ? closed_start_time(fleet, lane) : open_start_time(fleet, lane);
    double moments_s[MOMENT_KINDS] = {
        [MOMENT_CONNECTED] = line_first(&lane->connecting),
        [MOMENT_DUE] = lane_next_due(fleet, lane),
        [MOMENT_START] = start_s,
        [MOMENT_HIRE] = fleet->config->closed ? INFINITY : hire_time(fleet, lane)};
    lane->next_s = INFINITY;
    for (enum moment kind = 0; lane->present && kind < MOMENT_KINDS; kind++) {
        if (moments_s[kind] < lane->next_s) {
            lane->next_s = moments_s[kind];
            lane->next = kind;
        }
    }
}

static void lane_give_up_first(struct fleet *fleet, struct lane *lane)
{
    double due_s = line_first(&lane->waiting);
    line_drop(&lane->waiting);
    fleet->totals.not_started++;
    fleet->totals.late++;
    tell(fleet, lane, (struct fleet_event){.kind = FLEET_NOT_STARTED, .due_s = due_s});
}

static void lane_drop_old(struct fleet *fleet, struct lane *lane)
{
    double age_s = fmax(lane->drop_age_s, 2.0 / fmax(lane->rate_per_s, 1e-9));
    while (lane->waiting.count > 0 && fleet->now_s - line_first(&lane->waiting) > age_s)
        lane_give_up_first(fleet, lane);
}

static void lane_fall_due(struct fleet *fleet, struct lane *lane)
{
    lane->paced_s = fleet->now_s;
    lane->to_go = fleet->config->poisson ? random_exponential(&fleet->random) : 1.0;
    line_push(&lane->waiting, fleet->now_s, 0);
    fleet->totals.due++;
    lane_note_demand(fleet, lane);
    tell(fleet, lane, (struct fleet_event){.kind = FLEET_DUE, .due_s = fleet->now_s});
}

static void lane_start_next(struct fleet *fleet, struct lane *lane)
{
    if (fleet->config->closed) {
        bool paced = lane->idle == 0;
        if (!paced)
            lane->idle--;
        if (lane->rate_per_s > 0.0)
            lane->arrival_s = fmax(lane->arrival_s, fleet->now_s) + 1.0 / lane->rate_per_s;
        lane_start(fleet, lane, fleet->now_s, paced);
        return;
    }
    double due_s = line_first(&lane->waiting);
    line_drop(&lane->waiting);
    if (fleet->now_s - due_s > LATE_S) {
        fleet->totals.late++;
        lane->arrival_s = fmax(lane->arrival_s, fleet->now_s) + 1.0 / (CATCH_UP * lane->rate_per_s);
    }
    lane->idle--;
    lane_start(fleet, lane, due_s, false);
}

static void lane_act(struct fleet *fleet, struct lane *lane)
{
    lane_count_time(lane, fleet->now_s);
    switch (lane->next) {
    case MOMENT_CONNECTED:
        line_drop(&lane->connecting);
        staffing_connected(&lane->staffing, nanoseconds(fleet->config->connect_s));
        lane->idle++;
        break;
    case MOMENT_HIRE:
        lane_connect(fleet, lane, fleet->now_s);
        break;
    case MOMENT_DUE:
        lane_fall_due(fleet, lane);
        break;
    default:
        lane_start_next(fleet, lane);
        break;
    }
    lane_drop_old(fleet, lane);
    lane_plan(fleet, lane);
}

/** `sent` is over for its lane, now. */
static void lane_end_request(struct fleet *fleet, struct lane *lane, struct sent *sent, bool ok,
                             bool timed_out)
{
    double latency_s = fleet->now_s - sent->start_s;
    lane_count_time(lane, fleet->now_s);
    sent->over = true;
    lane->busy--;
    lane->ok += ok;
    lane->failed += !ok;
    lane->latency_s += latency_s;
    if (!timed_out)
        staffing_answered(&lane->staffing, nanoseconds(fleet->now_s), nanoseconds(latency_s));
    if (fleet->config->quantile > 0.0)
        values_push(&lane->responses, fleet->now_s - sent->due_s);
    if (sent->paced) {
        lane->paced_busy--;
        lane->rested_s = sent->start_s + latency_s / fmax(lane->fraction, FRACTION_LEAST);
    } else if (lane_workers(lane) < lane->cap) {
        lane->idle++;
    }
    tell(fleet, lane,
         (struct fleet_event){.kind = FLEET_ENDED,
                              .due_s = sent->due_s,
                              .start_s = sent->start_s,
                              .end_s = fleet->now_s,
                              .ok = ok,
                              .timed_out = timed_out});
    lane_drop_old(fleet, lane);
    lane_plan(fleet, lane);
}

static bool is_over(const struct fleet *fleet, const struct sent *sent)
{
    return sent->over || fleet->lanes[sent->lane].life != sent->life;
}

static void plant_act(struct fleet *fleet)
{
    struct plant_end end;
    if (!plant_advance(fleet->plant, &end))
        return;
    struct sent *sent = &fleet->sent[end.tag];
    if (!is_over(fleet, sent))
        lane_end_request(fleet, &fleet->lanes[sent->lane], sent, end.ok, false);
    sent->over = true;
    sent->next = fleet->sent_free;
    fleet->sent_free = end.tag;
}

/** When the first request that still runs is out of time. */
static double next_timeout_s(struct fleet *fleet)
{
    struct line *timeouts = &fleet->timeouts;
    while (timeouts->count > 0) {
        double at_s = line_first(timeouts);
        const struct sent *sent = &fleet->sent[timeouts->items[timeouts->head].index];
        /* Its place may have been taken by a later request. */
        if (!is_over(fleet, sent) && sent->start_s + fleet->config->timeout_s == at_s)
            return at_s;
        line_drop(timeouts);
    }
    return INFINITY;
}

static void timeout_act(struct fleet *fleet)
{
    struct sent *sent = &fleet->sent[fleet->timeouts.items[fleet->timeouts.head].index];
    line_drop(&fleet->timeouts);
    lane_end_request(fleet, &fleet->lanes[sent->lane], sent, false, true);
}

void fleet_advance(struct fleet *fleet, double end_s)
{
    for (;;) {
        struct lane *first = &fleet->lanes[0];
        for (uint32_t i = 1; i < fleet->config->lanes; i++) {
            if (fleet->lanes[i].next_s < first->next_s)
                first = &fleet->lanes[i];
        }
        double plant_s = plant_next_s(fleet->plant);
        double timeout_s = next_timeout_s(fleet);
        double at_s = fmin(fmin(plant_s, timeout_s), first->next_s);
        if (at_s >= end_s)
            break;
        fleet->now_s = fmax(fleet->now_s, at_s);
        if (plant_s == at_s)
            plant_act(fleet);
        else if (timeout_s == at_s)
            timeout_act(fleet);
        else
            lane_act(fleet, first);
    }
    fleet->now_s = end_s;
}

void fleet_start_changes(struct fleet *fleet)
{
    plant_start_changes(fleet->plant, fleet->now_s);
}

/** Idle workers beyond what the last three seconds needed go; missing ones up to the floor connect.
 */
static void lane_resize(const struct fleet *fleet, struct lane *lane)
{
    uint32_t floor = (uint32_t)ceil(fmin(lane->floor, lane->cap));
    uint32_t keep = floor;
    if (!fleet->config->closed)
        keep = staffing_pool(&lane->staffing, floor > 0 ? floor : 1, lane->cap);
    while (lane->idle > 0 && lane_workers(lane) > keep)
        lane->idle--;
    while (lane_workers(lane) < floor)
        lane_connect(fleet, lane, fleet->now_s);
}

void fleet_order(struct fleet *fleet, uint32_t index, const struct fleet_order *order)
{
    CHECK(index < fleet->config->lanes);
    struct lane *lane = &fleet->lanes[index];
    lane->to_go -= (fleet->now_s - lane->paced_s) * lane->rate_per_s;
    lane->paced_s = fleet->now_s;
    lane->rate_per_s = order->rate_per_s;
    lane->drop_age_s = order->drop_age_s;
    lane->cap = (uint32_t)order->concurrency;
    lane->floor = order->floor;
    if (fleet->config->closed) { /* whole workers, and one that rests for the rest of the time */
        lane->floor = lane->cap;
        lane->fraction = order->concurrency - lane->cap;
        lane->rested_s = fmin(lane->rested_s, fleet->now_s + 1.0);
    }
    lane_resize(fleet, lane);
    lane_drop_old(fleet, lane);
    lane_plan(fleet, lane);
}

void fleet_stop(struct fleet *fleet, uint32_t index)
{
    CHECK(index < fleet->config->lanes);
    struct lane *lane = &fleet->lanes[index];
    fleet_order(fleet, index, &(struct fleet_order){.drop_age_s = lane->drop_age_s});
    while (lane->waiting.count > 0)
        lane_give_up_first(fleet, lane);
    lane_plan(fleet, lane);
}

void fleet_lose(struct fleet *fleet, uint32_t index)
{
    CHECK(index < fleet->config->lanes);
    struct lane *lane = &fleet->lanes[index];
    lane_count_time(lane, fleet->now_s);
    lane->present = false;
    lane->life++;
    fleet->totals.late += lane->waiting.count;
    lane->busy = lane->paced_busy = lane->idle = 0;
    lane->waiting.count = lane->connecting.count = 0;
    lane->rate_per_s = 0.0;
    lane->peak = 0;
    lane->staffing = (struct staffing){0};
    lane_plan(fleet, lane);
}

void fleet_return(struct fleet *fleet, uint32_t index)
{
    CHECK(index < fleet->config->lanes);
    struct lane *lane = &fleet->lanes[index];
    lane->present = true;
    lane_plan(fleet, lane);
}

void fleet_staff(struct fleet *fleet, uint32_t index)
{
    CHECK(index < fleet->config->lanes);
    struct lane *lane = &fleet->lanes[index];
    staffing_tick(&lane->staffing, lane->rate_per_s, lane->cap);
    lane->peak = lane->busy + lane->waiting.count;
}

struct fleet_lane fleet_look(const struct fleet *fleet, uint32_t index)
{
    CHECK(index < fleet->config->lanes);
    const struct lane *lane = &fleet->lanes[index];
    return (struct fleet_lane){.started = lane->started,
                               .ok = lane->ok,
                               .failed = lane->failed,
                               .in_flight_s = lane->in_flight_s +
                                              lane->busy * (fleet->now_s - lane->counted_s),
                               .latency_s = lane->latency_s,
                               .workers = lane_workers(lane),
                               .in_flight = lane->busy,
                               .backlog = lane->waiting.count,
                               .demand_peak = lane->peak};
}

struct fleet *fleet_create(const struct fleet_config *config, uint64_t seed)
{
    CHECK(config->lanes >= 1 && config->lanes <= FLEET_LANES_MAX);
    CHECK(config->transport_ticks <= FLEET_TRANSPORT_MAX);
    struct fleet *fleet = calloc(1, sizeof *fleet);
    CHECK(fleet != NULL);
    fleet->config = config;
    fleet->random.state = seed;
    fleet->sent_free = NOBODY;
    fleet->plant = plant_create(&config->plant, random_next(&fleet->random));
    for (uint32_t i = 0; i < config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        lane->present = true;
        lane->next_s = INFINITY;
        lane->to_go =
            config->poisson ? random_exponential(&fleet->random) : (i + 0.5) / config->lanes;
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
        free(fleet->lanes[i].responses.items);
    }
    free(fleet->responses.items);
    free(fleet->timeouts.items);
    free(fleet->sent);
    plant_destroy(fleet->plant);
    free(fleet);
}

uint32_t fleet_lanes(const struct fleet *fleet)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fleet->config->lanes; i++)
        count += fleet->lanes[i].misses < MISSES_MAX;
    return count > 0 ? count : 1;
}

/** Who is there, and who is known to be away after three missing reports. */
static void attend(struct fleet *fleet)
{
    const struct fleet_config *config = fleet->config;
    uint32_t lost = config->lost_lanes > 0 ? config->lost_lanes : 1;
    for (uint32_t i = 0; i < config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        bool away = i < lost && fleet->now_s >= config->lost_from_s - 1e-9 &&
                    fleet->now_s < config->lost_to_s - 1e-9;
        if (away && lane->present)
            fleet_lose(fleet, i);
        if (!away && !lane->present)
            fleet_return(fleet, i);
        lane->misses = away ? lane->misses + 1 : 0;
        lane->tick_from = fleet_look(fleet, i);
        if (away) { /* who returns reports what it does from then on */
            lane->reported = lane->tick_from;
            lane->reported_s = fleet->now_s;
            lane->responses.count = 0;
        }
    }
}

/** Closed arrivals: as the coordinator does, workers by what each lane makes of one, those it is
 * full with at most; and of the rate as much as they should make of it. */
static void share_out(const struct fleet *fleet, double rate_per_s, double concurrency,
                      struct fleet_order *orders)
{
    double weights[FLEET_LANES_MAX];
    uint64_t limits[FLEET_LANES_MAX];
    uint64_t shares[FLEET_LANES_MAX];
    double weight_sum = 0.0;
    uint32_t known = 0;
    bool all_full = true;
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        const struct lane *lane = &fleet->lanes[i];
        bool carries = lane->misses < MISSES_MAX;
        weights[i] = lane->weight.weight;
        weight_sum += carries ? weights[i] : 0.0;
        known += carries && weights[i] > 0.0;
        all_full = all_full && (!carries || split_is_full(&lane->weight));
    }
    double made = 0.0;
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        const struct lane *lane = &fleet->lanes[i];
        if (weights[i] <= 0.0)
            weights[i] = known > 0 ? weight_sum / known : 1.0;
        limits[i] = lane->misses < MISSES_MAX ? UINT64_C(1000000000) : 0;
        if (limits[i] > 0 && split_is_full(&lane->weight) && !all_full)
            limits[i] = (uint64_t)llround(1000.0 * lane->weight.full_concurrency);
    }
    split_shares((uint64_t)llround(1000.0 * concurrency), weights, limits, fleet->config->lanes,
                 shares);
    for (uint32_t i = 0; i < fleet->config->lanes; i++)
        made += weights[i] * (double)shares[i];
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        orders[i].concurrency = (double)shares[i] / 1000.0;
        if (made > 0.0)
            orders[i].rate_per_s = PACE_ABOVE * rate_per_s * weights[i] * (double)shares[i] / made;
    }
}

static void command(struct fleet *fleet, double rate_per_s, const struct control_advice *advice)
{
    uint32_t lanes = fleet_lanes(fleet);
    uint32_t cap = (uint32_t)advice->concurrency;
    uint32_t index = 0;
    struct fleet_order orders[FLEET_LANES_MAX] = {0};
    if (fleet->config->closed)
        share_out(fleet, rate_per_s, advice->concurrency, orders);
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        if (!lane->present) /* what falls due for a lane that nobody misses yet does not start */
            fleet->totals.late +=
                lane->misses < MISSES_MAX ? rate_per_s * FLEET_TICK_S / lanes : 0.0;
        if (!lane->present || lane->misses >= MISSES_MAX)
            continue;
        uint32_t whole = cap / lanes + (index++ < cap % lanes ? 1 : 0);
        if (!fleet->config->closed)
            orders[i] = (struct fleet_order){.rate_per_s = rate_per_s / lanes,
                                             .floor = advice->floor / lanes,
                                             .concurrency = fmax(whole, 1.0),
                                             .drop_age_s = (double)advice->drop_age_ns / 1e9};
        fleet_order(fleet, i, &orders[i]);
    }
}

static void observe_gauges(struct observation *seen, const struct fleet_lane *lane)
{
    seen->in_flight_end += lane->in_flight;
    seen->backlog += lane->backlog;
    seen->demand_peak += lane->demand_peak;
    seen->workers += lane->workers;
}

/** `lane` reports what it did since it was last heard. */
static void observe_lane(struct fleet *fleet, struct lane *lane, struct observation *seen)
{
    struct fleet_lane now = fleet_look(fleet, lane_index(fleet, lane));
    const struct fleet_lane *before = &lane->reported;
    double interval_s = fleet->now_s - lane->reported_s;
    uint64_t ok = now.ok - before->ok;
    uint64_t failed = now.failed - before->failed;
    seen->parts_reported++;
    seen->completed += ok;
    seen->failed += failed;
    seen->throughput_per_s += (double)(ok + failed) / interval_s;
    seen->in_flight_mean += (now.in_flight_s - before->in_flight_s) / interval_s;
    seen->latency_ns_mean += (now.latency_s - before->latency_s) * 1e9; /* a sum until all are in */
    double starts_per_s = lane_starts_per_s(fleet, lane);
    double load = -1.0;
    if (starts_per_s > 0.0)
        load = (double)(now.started - before->started) / interval_s / starts_per_s;
    seen->generator_load = fmax(seen->generator_load, load);
    split_learn(&lane->weight, (double)(ok + failed) / interval_s,
                (now.in_flight_s - before->in_flight_s) / interval_s, load);
    for (uint32_t i = 0; i < lane->responses.count; i++)
        values_push(&fleet->responses, lane->responses.items[i]);
    lane->responses.count = 0;
    lane->reported = now;
    lane->reported_s = fleet->now_s;
}

static struct observation nothing_seen(const struct fleet *fleet)
{
    return (struct observation){.interval_ns = (uint64_t)(FLEET_TICK_S * 1e9),
                                .generators = fleet_lanes(fleet),
                                .parts_expected = fleet_lanes(fleet),
                                .generator_load = -1.0};
}

static struct observation observe(struct fleet *fleet)
{
    const struct fleet_config *config = fleet->config;
    struct observation seen = nothing_seen(fleet);
    fleet->responses.count = 0;
    for (uint32_t i = 0; i < config->lanes; i++) {
        struct lane *lane = &fleet->lanes[i];
        if (!lane->present)
            continue;
        bool arrives =
            config->report_loss <= 0.0 || random_uniform(&fleet->random) >= config->report_loss;
        if (arrives)
            observe_lane(fleet, lane, &seen);
        observe_gauges(&seen, &lane->reported); /* of those not heard, the last that is known */
    }
    double noise = 1.0 + config->noise * random_normal(&fleet->random);
    uint64_t ended = seen.completed + seen.failed;
    seen.throughput_per_s *= noise;
    if (ended > 0)
        seen.latency_ns_mean *= noise / (double)ended;
    seen.latency_ns_quantile = values_quantile(&fleet->responses, config->quantile) * 1e9 * noise;
    return seen;
}

/** What really happened in the tick, and what arrives of what was measured. */
static void sum_up(struct fleet *fleet, struct fleet_tick *tick)
{
    uint64_t started = 0;
    for (uint32_t i = 0; i < fleet->config->lanes; i++) {
        const struct lane *lane = &fleet->lanes[i];
        struct fleet_lane now = fleet_look(fleet, i);
        tick->completed += (double)(now.ok - lane->tick_from.ok);
        tick->failed += (double)(now.failed - lane->tick_from.failed);
        tick->workers += lane->present ? now.workers : 0;
        started += now.started - lane->tick_from.started;
    }
    tick->sent_per_s = (double)started / FLEET_TICK_S;
    tick->due = fleet->totals.due;
    tick->late = fleet->totals.late;
    tick->not_started = fleet->totals.not_started;
    fleet->totals = (struct fleet_tick){0};
    struct observation *on_the_way = fleet->on_the_way;
    uint32_t delay = fleet->config->transport_ticks;
    on_the_way[0] = observe(fleet);
    tick->seen = fleet->ticks >= delay ? on_the_way[delay] : nothing_seen(fleet);
    memmove(on_the_way + 1, on_the_way, FLEET_TRANSPORT_MAX * sizeof *on_the_way);
}

void fleet_run(struct fleet *fleet, double rate_per_s, const struct control_advice *advice,
               struct fleet_tick *tick)
{
    *tick = (struct fleet_tick){.concurrency = advice->concurrency};
    attend(fleet);
    command(fleet, rate_per_s, advice);
    if (fleet->ticks == 0) { /* the floor is connected before the first request */
        for (uint32_t i = 0; i < fleet->config->lanes; i++) {
            struct lane *lane = &fleet->lanes[i];
            lane->idle += lane->connecting.count;
            lane->connecting.count = 0;
            lane_plan(fleet, lane);
        }
    }
    fleet_advance(fleet, FLEET_TICK_S * (double)(fleet->ticks + 1));
    sum_up(fleet, tick);
    for (uint32_t i = 0; i < fleet->config->lanes; i++)
        fleet_staff(fleet, i);
    fleet->ticks++;
}
