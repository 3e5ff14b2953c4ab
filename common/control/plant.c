#include "common/control/plant.h"

#include "common/base/check.h"
#include "common/control/heap.h"
#include "common/control/random.h"

#include <math.h>
#include <stdlib.h>

#define DELAY_SPREAD   0.05 /* of the delay, upwards alone: networks have a least latency */
#define WARM_UP_STEP_S 0.01 /* the speed of a warm-up is renewed so often */
#define NOBODY         UINT32_MAX

struct request {
    double start_s;
    double work; /* 1 on average */
    uint32_t tag;
    uint32_t next; /* in the line, or among the free; NOBODY: it is the last */
    bool ok;
};

struct pause {
    double from_s, to_s;
};

/* Service is counted by a clock of its own that runs at `rate_per_s`: how much work each request in
 * service has been given since the start. It stands in pauses, runs slower in a system that many
 * share, and a request ends when it has advanced by the request's work. So all that is in service
 * stays in order whatever happens to the rate. */
struct plant {
    const struct plant_config *config;
    struct random random, pause_random;
    struct request *requests;
    uint32_t request_count, request_count_max, free;
    struct heap arriving;   /* in their delay, by when it is over */
    struct heap in_service; /* by the work given at which they end */
    uint32_t line_first, line_last, line_count;
    double now_s, work_given, rate_per_s;
    double speed;   /* of all changes, until `turn_s` ... */
    double servers; /* ... and how many */
    double turn_s;
    struct plant_change changes[PLANT_CHANGES_MAX]; /* at their times of this clock */
    struct pause pauses[PLANT_CHANGES_MAX];         /* the present or next one of each */
};

/** The product of all changes of `kind` at `at_s`. */
static double factor(const struct plant *plant, enum plant_change_kind kind, double at_s)
{
    double product = 1.0;
    for (uint32_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        const struct plant_change *change = &plant->changes[i];
        if (change->kind != kind || at_s < change->from_s || at_s >= change->to_s)
            continue;
        double passed = (at_s - change->from_s) / (change->to_s - change->from_s);
        product *= kind == PLANT_WARM_UP ? change->factor + (1.0 - change->factor) * passed
                                         : change->factor;
    }
    return product;
}

static bool shared(const struct plant *plant)
{
    return plant->config->usl_per_s > 0.0;
}

/** How fast each request in service is given work now. */
static void set_rate(struct plant *plant)
{
    const struct plant_config *config = plant->config;
    if (!shared(plant)) {
        plant->rate_per_s = plant->speed / config->service_s;
        return;
    }
    double others = fmax(0.0, (double)plant->in_service.count - 1.0);
    double cost = 1.0 + config->usl_contention * others +
                  config->usl_coherency * others * (double)plant->in_service.count;
    plant->rate_per_s = plant->speed * plant->servers * config->usl_per_s / cost;
}

static void sooner(const struct plant *plant, double *turn_s, double at_s)
{
    if (at_s > plant->now_s && at_s < *turn_s)
        *turn_s = at_s;
}

static double pause_s(const struct plant_change *change)
{
    return change->kind == PLANT_SPELLS ? 0.5 * change->every_s : change->factor;
}

/** A pause that has passed gives way to its next, from which the pauses of a run do not depend on
 *  its load. Returns whether service stands, or is in a slow spell. */
static bool pause_now(struct plant *plant, uint32_t index, double *turn_s)
{
    const struct plant_change *change = &plant->changes[index];
    struct pause *pause = &plant->pauses[index];
    while (pause->to_s <= plant->now_s && pause->from_s < change->to_s) {
        pause->from_s += change->every_s * (0.6 + 0.8 * random_uniform(&plant->pause_random));
        pause->to_s = pause->from_s + pause_s(change);
    }
    if (pause->from_s >= change->to_s)
        return false;
    sooner(plant, turn_s, pause->from_s);
    sooner(plant, turn_s, pause->to_s);
    return plant->now_s >= pause->from_s && plant->now_s < pause->to_s;
}

/** How it is from now on, and until when. */
static void turn(struct plant *plant)
{
    const struct plant_config *config = plant->config;
    double turn_s = INFINITY;
    double speed = 1.0;
    for (uint32_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        const struct plant_change *change = &plant->changes[i];
        if (change->kind == PLANT_SAME)
            continue;
        sooner(plant, &turn_s, change->from_s);
        sooner(plant, &turn_s, change->to_s);
        if (change->kind == PLANT_PAUSES && pause_now(plant, i, &turn_s))
            speed = 0.0;
        if (change->kind == PLANT_SPELLS && pause_now(plant, i, &turn_s))
            speed *= change->factor;
        if (change->kind == PLANT_WARM_UP && plant->now_s >= change->from_s &&
            plant->now_s < change->to_s)
            sooner(plant, &turn_s, plant->now_s + WARM_UP_STEP_S);
    }
    speed *= factor(plant, PLANT_SPEED, plant->now_s) * factor(plant, PLANT_WARM_UP, plant->now_s);
    double servers = factor(plant, PLANT_SERVERS, plant->now_s);
    plant->speed = speed;
    plant->servers = shared(plant) ? servers : round(servers * config->servers);
    plant->turn_s = turn_s;
    set_rate(plant);
}

/** The changes as configured, from `at_s` on. */
static void begin_changes(struct plant *plant, double at_s)
{
    for (uint32_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        struct plant_change *change = &plant->changes[i];
        *change = plant->config->changes[i];
        CHECK(change->kind == PLANT_SAME || change->to_s > change->from_s);
        change->from_s += at_s;
        change->to_s += at_s;
        if (change->kind != PLANT_PAUSES && change->kind != PLANT_SPELLS)
            continue;
        CHECK(change->every_s > 0.0);
        double first_s = change->every_s * random_uniform(&plant->pause_random);
        plant->pauses[i].from_s = change->from_s + first_s;
        plant->pauses[i].to_s = plant->pauses[i].from_s + pause_s(change);
    }
    turn(plant);
}

struct plant *plant_create(const struct plant_config *config, uint64_t seed)
{
    CHECK(config->usl_per_s > 0.0 || (config->servers >= 1 && config->service_s > 0.0));
    struct plant *plant = calloc(1, sizeof *plant);
    CHECK(plant != NULL);
    plant->config = config;
    plant->random.state = seed;
    plant->pause_random.state = random_next(&plant->random);
    plant->free = plant->line_first = plant->line_last = NOBODY;
    begin_changes(plant, 0.0);
    return plant;
}

void plant_destroy(struct plant *plant)
{
    if (plant == NULL)
        return;
    free(plant->arriving.items);
    free(plant->in_service.items);
    free(plant->requests);
    free(plant);
}

static void pass_time(struct plant *plant, double at_s)
{
    CHECK(at_s >= plant->now_s);
    plant->work_given += plant->rate_per_s * (at_s - plant->now_s);
    plant->now_s = at_s;
}

void plant_start_changes(struct plant *plant, double at_s)
{
    pass_time(plant, at_s);
    begin_changes(plant, at_s);
}

static uint32_t take_request(struct plant *plant)
{
    uint32_t index = plant->free;
    if (index != NOBODY) {
        plant->free = plant->requests[index].next;
        return index;
    }
    if (plant->request_count == plant->request_count_max) {
        plant->request_count_max =
            plant->request_count_max > 0 ? 2 * plant->request_count_max : 256;
        plant->requests =
            realloc(plant->requests, plant->request_count_max * sizeof *plant->requests);
        CHECK(plant->requests != NULL);
    }
    return plant->request_count++;
}

void plant_begin(struct plant *plant, double at_s, double delay_factor, uint32_t tag)
{
    CHECK(at_s >= plant->now_s);
    const struct plant_config *config = plant->config;
    double delay_s = delay_factor * config->delay_s * factor(plant, PLANT_LATENCY, at_s);
    double arrival_s = at_s + delay_s * (1.0 + DELAY_SPREAD * fabs(random_normal(&plant->random)));
    double spread = config->spread;
    double work = exp(spread * random_normal(&plant->random) - 0.5 * spread * spread);
    bool fails = config->error_share > 0.0 && random_uniform(&plant->random) < config->error_share;
    uint32_t index = take_request(plant);
    plant->requests[index] =
        (struct request){.start_s = at_s, .work = work, .tag = tag, .ok = !fails};
    heap_push(&plant->arriving, arrival_s, index);
}

static void end_request(struct plant *plant, uint32_t index, struct plant_end *end)
{
    struct request *request = &plant->requests[index];
    *end = (struct plant_end){
        .start_s = request->start_s, .end_s = plant->now_s, .tag = request->tag, .ok = request->ok};
    request->next = plant->free;
    plant->free = index;
}

static void serve(struct plant *plant, uint32_t index)
{
    heap_push(&plant->in_service, plant->work_given + plant->requests[index].work, index);
}

/** Servers that are free take who waits. */
static void serve_line(struct plant *plant)
{
    while (plant->line_count > 0 && plant->in_service.count < plant->servers) {
        uint32_t index = plant->line_first;
        plant->line_first = plant->requests[index].next;
        plant->line_count--;
        serve(plant, index);
    }
}

static void wait_in_line(struct plant *plant, uint32_t index)
{
    plant->requests[index].next = NOBODY;
    if (plant->line_count++ == 0)
        plant->line_first = index;
    else
        plant->requests[plant->line_last].next = index;
    plant->line_last = index;
}

/** Returns whether that was the end of it. */
static bool arrive(struct plant *plant, uint32_t index, struct plant_end *end)
{
    bool waits = !shared(plant) && plant->in_service.count >= plant->servers;
    uint32_t found = waits ? plant->line_count : shared(plant) ? plant->in_service.count : 0;
    if (plant->config->line_max > 0 && found >= plant->config->line_max) {
        plant->requests[index].ok = false;
        end_request(plant, index, end);
        return true;
    }
    if (waits)
        wait_in_line(plant, index);
    else
        serve(plant, index);
    return false;
}

/** When the first of those in service is through, at the present rate. */
static double service_end_s(const struct plant *plant)
{
    if (plant->in_service.count == 0 || plant->rate_per_s <= 0.0)
        return INFINITY;
    double left = fmax(0.0, heap_first(&plant->in_service) - plant->work_given);
    return plant->now_s + left / plant->rate_per_s;
}

double plant_next_s(const struct plant *plant)
{
    return fmin(plant->turn_s, fmin(service_end_s(plant), heap_first(&plant->arriving)));
}

bool plant_advance(struct plant *plant, struct plant_end *end)
{
    double arrival_s = heap_first(&plant->arriving);
    double service_s = service_end_s(plant);
    double at_s = fmin(plant->turn_s, fmin(service_s, arrival_s));
    CHECK(at_s < INFINITY);
    pass_time(plant, at_s);
    bool ended = false;
    if (at_s == plant->turn_s) {
        turn(plant);
    } else if (at_s == service_s) {
        struct heap_item item = heap_pop(&plant->in_service);
        plant->work_given = item.key; /* not what rounding made of it */
        end_request(plant, item.index, end);
        ended = true;
    } else {
        ended = arrive(plant, heap_pop(&plant->arriving).index, end);
    }
    if (!shared(plant))
        serve_line(plant);
    set_rate(plant);
    return ended;
}
