#include "tests/sim/load.h"

#include "agent/numbers.h"
#include "common/base/check.h"
#include "common/control/random.h"

#include <stdlib.h>

#define NEVER UINT64_MAX
#define CREDIT_ONE                                                                                 \
    UINT64_C(1000000000000) /* one request: a thousandth a second for 1000 x 1e9 ns */
#define WAITING_MAX 4096u
#define FLIGHTS_MAX 4096u

/* Shares of all requests. */
#define SHARE_UNWRITTEN 0.02
#define SHARE_FAILED    0.03
#define SHARE_TIMED_OUT 0.01

#define STATUS_OK     200u
#define STATUS_FAILED 503u

struct request {
    uint64_t due_ns, start_ns, end_ns;
    uint32_t phase;
    bool unnumbered; /* it waits for its index first */
};

/* Oldest first. */
struct line {
    struct request *items; /* [size] */
    uint32_t first, count, size;
};

struct load {
    struct meters *meters;
    struct random random;
    struct load_plan plan;
    struct numbers numbers;
    uint32_t unnumbered_count; /* of those that wait, the youngest */
    uint64_t born_ns, now_ns;
    struct pool_setpoint level;
    bool stopped; /* nothing falls due and nothing starts */
    bool draining;
    uint64_t deadline_ns;
    uint64_t credit; /* towards the next request that falls due */
    struct line waiting, flying;
    uint32_t demand_peak; /* since the last reading */
    uint64_t reached, last_start_ns;
};

static void line_push(struct line *line, const struct request *request)
{
    CHECK(line->count < line->size);
    line->items[(line->first + line->count++) % line->size] = *request;
}

static struct request line_pop(struct line *line)
{
    CHECK(line->count > 0);
    struct request request = line->items[line->first];
    line->first = (line->first + 1) % line->size;
    line->count--;
    return request;
}

static const struct request *line_first(const struct line *line)
{
    return line->count > 0 ? &line->items[line->first] : NULL;
}

static bool line_init(struct line *line, uint32_t size)
{
    line->size = size;
    line->items = reallocarray(NULL, size, sizeof *line->items);
    return line->items != NULL;
}

struct load *load_create(const struct load_plan *plan, uint64_t now_ns)
{
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL)
        return NULL;
    load->plan = *plan;
    load->random.state = plan->seed;
    load->born_ns = load->now_ns = now_ns;
    load->stopped = true;
    load->meters = meters_create(plan->phases, 1, false);
    if (load->meters == NULL || !line_init(&load->waiting, WAITING_MAX) ||
        !line_init(&load->flying, FLIGHTS_MAX)) {
        load_destroy(load);
        return NULL;
    }
    return load;
}

void load_destroy(struct load *load)
{
    if (load == NULL)
        return;
    meters_destroy(load->meters);
    free(load->waiting.items);
    free(load->flying.items);
    free(load);
}

static struct counters *counters_of(struct load *load, uint32_t phase)
{
    return &load->meters->phases[phase].counters;
}

/* How requests end. */

static struct phase_meter *measure(struct load *load, const struct request *request)
{
    struct phase_meter *meter = &load->meters->phases[request->phase];
    uint64_t response_ns = load->now_ns - request->due_ns;
    uint64_t service_ns = load->now_ns - request->start_ns;
    histogram_record(&meter->kinds[SAMPLE_RESPONSE], response_ns);
    histogram_record(&meter->request_histograms[0], response_ns);
    histogram_record(&meter->kinds[SAMPLE_SERVICE], service_ns);
    meter->counters.latency_sum_ns += service_ns;
    meter->counters.in_flight_ns += service_ns;
    return meter;
}

static void fail(struct load *load, const struct request *request, enum failure failure)
{
    struct phase_meter *meter = measure(load, request);
    meter->counters.failed[failure]++;
    meter->requests[0].failed++;
    if (failure != FAILURE_STATUS)
        return;
    meter->statuses[STATUS_FAILED - STATUS_MIN]++;
    meter->statuses_failed[STATUS_FAILED - STATUS_MIN]++;
}

static void time_out(struct load *load, const struct request *request)
{
    struct phase_meter *meter = measure(load, request);
    meter->counters.timed_out++;
    meter->requests[0].failed++;
}

static void succeed(struct load *load, const struct request *request)
{
    struct phase_meter *meter = measure(load, request);
    meter->counters.ok++;
    meter->requests[0].ok++;
    meter->statuses[STATUS_OK - STATUS_MIN]++;
}

static void end_flights(struct load *load)
{
    const struct request *first;
    while ((first = line_first(&load->flying)) != NULL && first->end_ns <= load->now_ns) {
        struct request request = line_pop(&load->flying);
        double chance = random_uniform(&load->random);
        if (chance < SHARE_FAILED)
            fail(load, &request, FAILURE_STATUS);
        else if (chance < SHARE_FAILED + SHARE_TIMED_OUT)
            time_out(load, &request);
        else
            succeed(load, &request);
    }
}

static void cut_flights(struct load *load)
{
    while (load->flying.count > 0) {
        struct request request = line_pop(&load->flying);
        time_out(load, &request);
    }
}

/* How they begin. */

static void start_one(struct load *load)
{
    struct request request = line_pop(&load->waiting);
    struct counters *counters = counters_of(load, request.phase);
    CHECK(!load->stopped);
    CHECK(load->now_ns < load->level.lease_end_ns);
    request.start_ns = load->last_start_ns = load->now_ns;
    request.end_ns = load->now_ns + load->plan.service_ns;
    counters->started++;
    counters->send_lag_sum_ns += load->now_ns - request.due_ns;
    histogram_record(&load->meters->phases[request.phase].kinds[SAMPLE_SEND_LAG],
                     load->now_ns - request.due_ns);
    if (random_uniform(&load->random) < SHARE_UNWRITTEN) {
        counters->unwritten++;
        fail(load, &request, FAILURE_CONNECT_REFUSED);
        return;
    }
    load->reached++;
    line_push(&load->flying, &request);
}

/* As agent/foreman.c: what is counted out and never got its index falls due elsewhere. */
static void give_up(struct load *load, const struct request *request)
{
    struct counters *counters = counters_of(load, request->phase);
    if (request->unnumbered && load->plan.counted)
        return;
    counters->planned += request->unnumbered;
    counters->not_started++;
}

static void give_up_one(struct load *load)
{
    struct request request = line_pop(&load->waiting);
    load->unnumbered_count -= request.unnumbered;
    give_up(load, &request);
}

static void note_number(struct load_numbers *numbers, uint64_t index)
{
    numbers->used++;
    if (index >= numbers->size) {
        numbers->out_of_range = true;
        return;
    }
    numbers->twice |= numbers->taken[index];
    numbers->taken[index] = true;
}

/* False: there is no index for it now. */
static bool number(struct load *load, struct request *request)
{
    struct load_numbers *numbers = load->plan.numbers;
    uint64_t index;
    if (numbers != NULL && !numbers_take(&load->numbers, &index))
        return false;
    if (numbers != NULL)
        note_number(numbers, index);
    counters_of(load, request->phase)->planned++;
    request->unnumbered = false;
    return true;
}

static void number_waiting(struct load *load)
{
    struct line *line = &load->waiting;
    while (load->unnumbered_count > 0) {
        uint32_t place = line->first + line->count - load->unnumbered_count;
        if (!number(load, &line->items[place % line->size]))
            return;
        load->unnumbered_count--;
    }
}

static uint32_t workers_max(const struct load *load)
{
    uint64_t workers = load->level.concurrency_milli / 1000u;
    return workers == 0 && load->level.concurrency_milli > 0 ? 1 : (uint32_t)workers;
}

static void serve(struct load *load)
{
    const struct request *first;
    while ((first = line_first(&load->waiting)) != NULL) {
        if (load->now_ns - first->due_ns > load->level.drop_age_ns)
            give_up_one(load);
        else if (!first->unnumbered && load->flying.count < workers_max(load))
            start_one(load);
        else
            break;
    }
}

static void see_demand(struct load *load)
{
    uint32_t demand = load->waiting.count - load->unnumbered_count + load->flying.count;
    if (demand > load->demand_peak)
        load->demand_peak = demand;
}

static void stop(struct load *load)
{
    load->stopped = true;
    while (load->waiting.count > 0)
        give_up_one(load);
}

/* Time. */

static void move_to(struct load *load, uint64_t at_ns)
{
    CHECK(at_ns >= load->now_ns);
    if (!load->stopped)
        load->credit += load->level.rate_milli * (at_ns - load->now_ns);
    load->now_ns = at_ns;
}

static uint64_t next_due_ns(const struct load *load)
{
    uint64_t rate_milli = load->level.rate_milli;
    if (load->stopped || rate_milli == 0)
        return NEVER;
    uint64_t missing = load->credit < CREDIT_ONE ? CREDIT_ONE - load->credit : 0;
    return load->now_ns + (missing + rate_milli - 1) / rate_milli;
}

/* Takes the credit of what is due now. */
static void fall_due(struct load *load)
{
    for (; load->credit >= CREDIT_ONE; load->credit -= CREDIT_ONE) {
        struct request request = {.due_ns = load->now_ns, .phase = load->level.phase};
        request.unnumbered = load->unnumbered_count > 0 || !number(load, &request);
        if (load->waiting.count == WAITING_MAX) {
            give_up(load, &request);
            continue;
        }
        line_push(&load->waiting, &request);
        load->unnumbered_count += request.unnumbered;
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_moment_ns(const struct load *load)
{
    const struct request *first = line_first(&load->flying);
    uint64_t at_ns = sooner(next_due_ns(load), first != NULL ? first->end_ns : NEVER);
    if (!load->stopped)
        at_ns = sooner(at_ns, load->level.lease_end_ns);
    if (load->draining && load->flying.count > 0)
        at_ns = sooner(at_ns, load->deadline_ns);
    return at_ns;
}

/* All that is so at this moment. */
static void settle(struct load *load)
{
    end_flights(load);
    if (!load->stopped && load->now_ns >= load->level.lease_end_ns)
        stop(load);
    if (!load->stopped)
        serve(load);
    if (load->draining && load->now_ns >= load->deadline_ns)
        cut_flights(load);
    see_demand(load);
}

void load_advance(struct load *load, uint64_t now_ns)
{
    uint64_t at_ns;
    while ((at_ns = next_moment_ns(load)) <= now_ns) {
        move_to(load, at_ns > load->now_ns ? at_ns : load->now_ns);
        fall_due(load);
        settle(load);
    }
    move_to(load, now_ns);
}

void load_wake(struct load *load, uint64_t now_ns)
{
    uint64_t until_ns = sooner(now_ns, load->level.lease_end_ns);
    uint64_t due_ns;
    while ((due_ns = next_due_ns(load)) <= until_ns) {
        move_to(load, due_ns);
        fall_due(load);
    }
    if (now_ns >= load->level.lease_end_ns)
        stop(load);
    move_to(load, now_ns);
    settle(load);
}

/* Orders. */

static void enter_phase(struct load *load, uint32_t phase)
{
    struct phase_meter *phases = load->meters->phases;
    uint32_t before = load->level.phase;
    CHECK(phase < load->meters->phase_count);
    if (phases[phase].t_from != 0 && phase == before)
        return;
    if (phases[before].t_from != 0)
        phases[before].t_to = load->now_ns;
    if (phases[phase].t_from == 0)
        phases[phase].t_from = load->now_ns;
}

void load_set(struct load *load, const struct pool_setpoint *setpoint)
{
    if (load->draining)
        return;
    enter_phase(load, setpoint->phase);
    load->level = *setpoint;
    numbers_grant(&load->numbers, setpoint->index_block, setpoint->index_from,
                  setpoint->index_count);
    load->stopped = setpoint->lease_end_ns <= load->now_ns;
    if (load->stopped)
        stop(load);
    number_waiting(load);
    settle(load);
}

void load_drain(struct load *load, uint64_t deadline_ns)
{
    struct phase_meter *meter = &load->meters->phases[load->level.phase];
    if (!load->draining && meter->t_from != 0)
        meter->t_to = load->now_ns;
    stop(load);
    load->deadline_ns = load->draining ? sooner(load->deadline_ns, deadline_ns) : deadline_ns;
    load->draining = true;
    settle(load);
}

/* Readings. */

const struct meters *load_read(struct load *load)
{
    struct meters *meters = load->meters;
    uint32_t workers = (uint32_t)(load->level.floor_milli / 1000u);
    meters->t_agent = load->now_ns;
    meters->cpu_ns = (load->now_ns - load->born_ns) / 4;
    meters->workers = workers > load->flying.count ? workers : load->flying.count;
    meters->in_flight = load->flying.count;
    meters->backlog = load->waiting.count - load->unnumbered_count;
    meters->index_block = numbers_account(&load->numbers).block;
    meters->index_used = numbers_account(&load->numbers).used;
    meters->lanes = 1;
    meters->lane_load_permille = 300;
    meters->idle = load->draining && load->flying.count == 0;
    meters->demand_peak = load->demand_peak;
    load->demand_peak = load->flying.count + meters->backlog;
    return meters;
}

const struct meters *load_meters(const struct load *load)
{
    return load->meters;
}

struct meters *load_recorded(const struct load *load)
{
    struct meters *meters = meters_create(load->plan.phases, 1, false);
    if (meters == NULL)
        return NULL;
    meters_copy(meters, load->meters, true);
    meters->t_agent = load->now_ns;
    for (uint32_t i = 0; i < meters->phase_count; i++) {
        struct counters *counters = &meters->phases[i].counters;
        counters->not_started = counters->planned - counters->started;
    }
    return meters;
}

void load_running(const struct load *load, uint64_t now_ns, uint64_t *rate_milli,
                  uint64_t *concurrency_milli)
{
    bool runs = !load->stopped && now_ns < load->level.lease_end_ns;
    *rate_milli = runs ? load->level.rate_milli : 0;
    *concurrency_milli = runs ? load->level.concurrency_milli : 0;
}

uint64_t load_lease_end_ns(const struct load *load)
{
    return load->level.lease_end_ns;
}

uint64_t load_reached(const struct load *load)
{
    return load->reached;
}

uint64_t load_last_start_ns(const struct load *load)
{
    return load->last_start_ns;
}
