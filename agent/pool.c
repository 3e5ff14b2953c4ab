#include "agent/pool.h"

#include "agent/lane.h"
#include "agent/layers.h"
#include "agent/numbers.h"
#include "agent/recording.h"
#include "agent/share.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/loop.h"
#include "common/base/net.h"
#include "proto/beat.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_READ_NS       (50 * NS_PER_MS) /* half a tick: a lane that is later counts as it was */
#define POOL_BUSY_PERMILLE 600u             /* a lane above this for long gets help */
#define POOL_BUSY_READINGS 3u               /* so long: one busy reading may be a burst */
#define POOL_DESCRIPTORS   64u /* beside connections: epoll, eventfds, the channel, files */

struct pool {
    const struct assignment *assignment;
    const struct workload *workload;
    void *configuration;
    struct layers layers;
    int answered; /* an eventfd, signalled by lanes */
    struct meters *total;
    bool set, draining;
    struct pool_setpoint setpoint; /* the last one */
    struct numbers numbers;
    uint32_t busy_readings;
    uint32_t lane_count;
    /* Each generator of its own needs spare workers of its own (docs/control.md, 3), so a second
     * lane begins only when the first can not carry the load alone; none is taken back. */
    uint32_t active;
    struct share shares[LANES_MAX]; /* [active] */
    struct lane *lanes[LANES_MAX];  /* [lane_count] */
};

/* Sharing */

/* Open arrivals: equal shares. Closed: what a lane's workers make, when all workers make the rate.
 */
static uint64_t rate_of(const struct pool *pool, uint32_t i, uint32_t carrying)
{
    uint64_t rate_milli = pool->setpoint.rate_milli;
    if (pool->assignment->open_arrivals || rate_milli == 0)
        return i < carrying ? share_rate(rate_milli, carrying, i) : 0;
    uint64_t granted_milli = 0;
    for (uint32_t j = 0; j < pool->active; j++)
        granted_milli += pool->shares[j].granted_milli;
    if (granted_milli == 0)
        return 1; /* none would be no pacing */
    double share = (double)pool->shares[i].granted_milli / (double)granted_milli;
    return (uint64_t)fmax(1.0, share * (double)rate_milli);
}

static void share_out(struct pool *pool)
{
    uint64_t now_ns = clock_now_ns();
    share_grant(pool->shares, pool->active, pool->setpoint.concurrency_milli);
    uint32_t carrying = share_carrying(pool->shares, pool->active);
    for (uint32_t i = 0; i < pool->active; i++) {
        struct pool_setpoint part = pool->setpoint;
        part.concurrency_milli = pool->shares[i].granted_milli;
        part.floor_milli =
            i < carrying ? share_workers(pool->setpoint.floor_milli, carrying, i) : 0;
        part.rate_milli = rate_of(pool, i, carrying);
        lane_set(pool->lanes[i], &part, now_ns);
    }
}

static void call_another_lane(struct pool *pool)
{
    bool busy = pool->total->lane_load_permille > POOL_BUSY_PERMILLE;
    pool->busy_readings = busy ? pool->busy_readings + 1 : 0;
    if (pool->busy_readings < POOL_BUSY_READINGS || pool->active == pool->lane_count)
        return;
    pool->busy_readings = 0;
    pool->active++;
}

/* Life */

/* 0 to 1: spread over the lanes, and another beginning for each agent, which the plan cannot give.
 */
static double stagger_of(uint32_t index, uint32_t lanes, uint64_t born_ns)
{
    double beginning = (double)(born_ns % 1000000u) / 1e6;
    double stagger = beginning + (double)index / lanes;
    return stagger < 1.0 ? stagger : stagger - 1.0;
}

static bool create_lanes(struct pool *pool, const struct reach *reach, uint32_t lanes,
                         struct recording *recording, struct error *error)
{
    uint32_t capacity = pool->assignment->concurrency_max;
    capacity = capacity < 1 ? 1 : capacity > CONCURRENCY_MAX ? CONCURRENCY_MAX : capacity;
    net_raise_descriptors((uint64_t)capacity + UINT64_C(2) * lanes + POOL_DESCRIPTORS);
    uint64_t born_ns = clock_now_ns();
    for (uint32_t i = 0; i < lanes; i++) {
        const struct lane_plan plan = {
            .assignment = pool->assignment,
            .reach = reach,
            .workload = pool->workload,
            .configuration = pool->configuration,
            .driver = pool->layers.top,
            .numbers = pool->assignment->numbering.used ? &pool->numbers : NULL,
            .index = i,
            .capacity = capacity,
            .stagger = stagger_of(i, lanes, born_ns),
            .answered = pool->answered,
            .meters = recording != NULL ? recording_lane(recording, i) : NULL,
        };
        pool->lanes[i] = lane_create(&plan, error);
        if (pool->lanes[i] == NULL)
            return false;
        pool->lane_count++;
    }
    return true;
}

static bool fill(struct pool *pool, const struct reach *reach, uint32_t lanes,
                 const struct engine_driver *driver, struct recording *recording,
                 struct error *error)
{
    const struct assignment *assignment = pool->assignment;
    pool->workload = workload_find(assignment->workload);
    if (pool->workload == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "this agent knows no workload '%s'",
                         assignment->workload);
    pool->configuration = pool->workload->configure(assignment, error);
    if (pool->configuration == NULL)
        return false;
    pool->total =
        meters_create(assignment->phases, assignment->request_count, assignment->latency_digest);
    if (pool->total == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the meters of a pool");
    pool->answered = loop_wakeup_create(error);
    return pool->answered >= 0 && layers_init(&pool->layers, assignment, driver, error) &&
           create_lanes(pool, reach, lanes, recording, error);
}

struct pool *pool_create(const struct assignment *assignment, const struct reach *reach,
                         uint32_t lanes, const struct engine_driver *driver,
                         struct recording *recording, struct error *error)
{
    if (lanes < 1 || lanes > LANES_MAX) {
        error_set(error, ERROR_LIMIT, PLACE_NONE, "%u lanes; give 1 to %u", lanes, LANES_MAX);
        return NULL;
    }
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a pool");
        return NULL;
    }
    pool->assignment = assignment;
    pool->answered = -1;
    pool->active = 1;
    if (!fill(pool, reach, lanes, driver, recording, error)) {
        pool_destroy(pool);
        return NULL;
    }
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL)
        return;
    for (uint32_t i = 0; i < pool->lane_count; i++)
        lane_destroy(pool->lanes[i]);
    layers_done(&pool->layers);
    if (pool->answered >= 0)
        close(pool->answered);
    meters_destroy(pool->total);
    if (pool->configuration != NULL)
        pool->workload->release(pool->configuration);
    free(pool);
}

/* Orders */

void pool_set(struct pool *pool, const struct pool_setpoint *setpoint)
{
    CHECK(setpoint->phase < pool->assignment->phases);
    if (pool->draining)
        return;
    pool->set = true;
    pool->setpoint = *setpoint;
    numbers_grant(&pool->numbers, setpoint->index_block, setpoint->index_from,
                  setpoint->index_count);
    share_out(pool);
}

void pool_move(struct pool *pool, const struct address *address)
{
    for (uint32_t i = 0; i < pool->lane_count; i++)
        lane_move(pool->lanes[i], address);
}

void pool_drain(struct pool *pool, uint64_t deadline_ns)
{
    pool->draining = true;
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < pool->active; i++)
        lane_drain(pool->lanes[i], now_ns, deadline_ns);
}

void pool_abort(struct pool *pool)
{
    pool_drain(pool, 0);
}

/* Readings */

static bool all_answered(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->active; i++) {
        if (!lane_answered(pool->lanes[i]))
            return false;
    }
    return true;
}

static void await_answers(struct pool *pool)
{
    uint64_t end_ns = clock_now_ns() + POOL_READ_NS;
    struct pollfd wakeup = {.fd = pool->answered, .events = POLLIN};
    while (!all_answered(pool)) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= end_ns)
            return;
        /* In whole ms, rounded up: a wait of 0 would spin. */
        poll(&wakeup, 1, (int)((end_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS));
        loop_wakeup_clear(pool->answered);
    }
}

static void gather(struct pool *pool, bool histograms)
{
    struct meters *total = pool->total;
    for (uint32_t i = 0; i < pool->active; i++) {
        bool answered = lane_answered(pool->lanes[i]);
        uint32_t others = i == 0 ? 0 : total->in_flight;
        lane_take(pool->lanes[i], total, i == 0, histograms);
        if (answered)
            share_seen(&pool->shares[i], total->in_flight - others);
        else
            total->flags |= BEAT_STOOD_STILL;
    }
    total->lanes = pool->active;
    struct numbers_account account = numbers_account(&pool->numbers);
    total->index_block = account.block;
    total->index_used = account.used;
}

const struct meters *pool_read(struct pool *pool, bool histograms)
{
    for (uint32_t i = 0; i < pool->active; i++)
        lane_ask(pool->lanes[i], histograms);
    await_answers(pool);
    gather(pool, histograms);
    if (pool->set && !pool->draining) {
        call_another_lane(pool);
        if (!share_complete(pool->shares, pool->active, pool->setpoint.concurrency_milli))
            share_out(pool);
    }
    return pool->total;
}
