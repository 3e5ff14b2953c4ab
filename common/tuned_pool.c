/* One lock guards who is there, who is idle and what is due; what a call adds up goes into its
 * thread's own tally. The conductor's thread keeps the time: each interval it sums up the tallies,
 * asks the tuner, and starts threads; with open arrivals it also calls somebody when a request
 * falls due and nobody is about to look. */
#include "clobber/pool.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/due.h"
#include "common/sized.h"
#include "common/tally.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_NS               (10 * NS_PER_S) /* a thread without work ends; longer than most lulls */
#define DROP_AGE_NS           NS_PER_S        /* as controller.c advises the agents */
#define DROP_AGE_SATURATED_NS (100 * NS_PER_MS)
#define SMOOTH_NS             1e9   /* the time constant of the throughput that is shown */
#define SHARE_LEAST           0.001 /* of a worker; less of one is none */
#define STARTS_MAX            256u  /* threads a look, so that a look stays short: 5 ms of them */

/* What a view ended with in its first version. */
#define VIEW_BYTES (offsetof(struct clobber_pool_view, status) + sizeof(enum clobber_status))

struct worker {
    /* Its thread writes it all the time, so no neighbour shares its cache line. */
    alignas(64) struct tally tally;
    struct clobber_pool *pool;
    uint32_t index;
    double overslept_ns; /* its own: when it last rested */
    pthread_t thread;
    pthread_cond_t wake;
    bool started; /* for the conductor: to be joined */
    bool ended;   /* its thread has nothing left to do but to return */
    bool called;  /* OPEN: from among the idle, to take a request */
};

struct clobber_pool {
    struct clobber_options options;
    int (*work)(void *context);
    void *context;
    struct clobber_tuner *tuner; /* the conductor's, and all that follows */
    struct tally_sums before;    /* sums at the last look */
    uint64_t before_ns, next_ns;
    uint32_t *cells_before, *cells_now; /* [TALLY_CELLS] where a latency is bounded, else NULL */
    pthread_t conductor;

    _Atomic double concurrency; /* set under the lock */
    atomic_bool stopping;       /* set under the lock */

    pthread_mutex_t lock; /* for all that follows, and workers' `ended` and `called` */
    pthread_cond_t conduct;
    struct clobber_pool_view view;
    struct due due;       /* OPEN */
    uint32_t kept;        /* threads that stay although idle */
    uint32_t used;        /* workers that ever were: all beyond are zeroed */
    uint32_t alive;       /* threads */
    uint32_t running;     /* OPEN: calls */
    uint32_t coming;      /* OPEN: threads started or called, and not yet looking at what is due */
    double demand_peak;   /* OPEN: most running and waiting since the last look */
    bool look_again;      /* for the conductor, before its time */
    bool due_is_timed;    /* OPEN: the conductor wakes when the next may be taken */
    bool start_failed;    /* no thread could be had; not tried again before the next look */
    uint32_t idle_count;  /* OPEN */
    struct worker **idle; /* [worker_count], the one idle last is called first */
    uint32_t worker_count;
    struct worker workers[]; /* [worker_count] */
};

static bool is_open(const struct clobber_pool *pool)
{
    return pool->options.arrivals == CLOBBER_OPEN;
}

/** Waits for at most `wait_ns`, with the lock; false when that time is over. */
static bool wait_for(struct clobber_pool *pool, pthread_cond_t *condition, uint64_t wait_ns)
{
    struct timespec until = clock_deadline(wait_ns);
    int result = pthread_cond_timedwait(condition, &pool->lock, &until);
    CHECK(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

/** One call; how long it took. */
static uint64_t call(struct worker *worker)
{
    uint64_t began_ns = clock_now_ns();
    tally_begin(&worker->tally, began_ns);
    bool well = worker->pool->work(worker->pool->context) == 0;
    uint64_t ended_ns = clock_now_ns();
    tally_end(&worker->tally, ended_ns, well);
    return ended_ns - began_ns;
}

/* With the lock: its thread is about to return. */
static void end_worker(struct worker *worker)
{
    worker->ended = true;
    worker->pool->alive--;
}

/* Closed arrivals: worker k runs while the advice is above k. */

/** 1 for a whole worker, less for one that rests between calls, 0 for none. */
static double share(struct worker *worker)
{
    double left = atomic_load_explicit(&worker->pool->concurrency, memory_order_relaxed) -
                  (double)worker->index;
    return left >= SHARE_LEAST ? fmin(left, 1.0) : 0.0;
}

static bool is_stopping(struct clobber_pool *pool)
{
    return atomic_load_explicit(&pool->stopping, memory_order_relaxed);
}

/** So that of the time it is busy for its share, which may change meanwhile. A sleep that took too
 * long is taken off the next one, or the share would always be a little less than asked for. */
static void rest(struct worker *worker, uint64_t call_ns)
{
    struct clobber_pool *pool = worker->pool;
    uint64_t ended_ns = clock_now_ns();
    double rested_ns = worker->overslept_ns;
    double rest_ns = 0.0;
    pthread_mutex_lock(&pool->lock);
    for (double part = share(worker); !is_stopping(pool) && part > 0.0; part = share(worker)) {
        rest_ns = (double)call_ns * (1.0 / part - 1.0);
        if (rested_ns >= rest_ns)
            break;
        wait_for(pool, &worker->wake, (uint64_t)(rest_ns - rested_ns) + 1);
        rested_ns = worker->overslept_ns + (double)(clock_now_ns() - ended_ns);
    }
    pthread_mutex_unlock(&pool->lock);
    worker->overslept_ns = fmin(fmax(rested_ns - rest_ns, 0.0), rest_ns);
}

/** Waits until it has a share. False when its thread shall end. */
static bool park(struct worker *worker)
{
    struct clobber_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    bool in_time = true;
    while (in_time && !is_stopping(pool) && share(worker) <= 0.0)
        in_time = wait_for(pool, &worker->wake, IDLE_NS);
    bool ends = is_stopping(pool) || share(worker) <= 0.0;
    if (ends)
        end_worker(worker);
    pthread_mutex_unlock(&pool->lock);
    return !ends;
}

static void *work_closed(void *context)
{
    struct worker *worker = context;
    for (;;) {
        if ((is_stopping(worker->pool) || share(worker) <= 0.0) && !park(worker))
            return NULL;
        uint64_t call_ns = call(worker);
        if (share(worker) < 1.0)
            rest(worker, call_ns);
    }
}

/* Open arrivals: whoever is idle takes what is due. All with the lock. */

static uint32_t calls_at_most(struct clobber_pool *pool)
{
    double concurrency = atomic_load_explicit(&pool->concurrency, memory_order_relaxed);
    return concurrency < 1.0 ? concurrency > 0.0 : (uint32_t)concurrency;
}

static void poke_conductor(struct clobber_pool *pool)
{
    pool->look_again = true;
    pthread_cond_signal(&pool->conduct);
}

static bool may_take(struct clobber_pool *pool, uint64_t now_ns)
{
    return pool->running < calls_at_most(pool) && due_wait_ns(&pool->due, now_ns) == 0;
}

/** Has one more worker come, if there is something for it; who comes has the next one come. */
static void invite(struct clobber_pool *pool, uint64_t now_ns)
{
    if (pool->coming > 0 || !may_take(pool, now_ns))
        return;
    if (pool->idle_count == 0) {
        if (pool->alive < calls_at_most(pool) && !pool->start_failed)
            poke_conductor(pool); /* who starts threads */
        return;
    }
    struct worker *worker = pool->idle[--pool->idle_count];
    worker->called = true;
    pool->coming++;
    pthread_cond_signal(&worker->wake);
}

static void note_demand(struct clobber_pool *pool, uint64_t now_ns)
{
    double waiting = (double)due_waiting(&pool->due, now_ns);
    pool->demand_peak = fmax(pool->demand_peak, (double)pool->running + waiting);
}

static void leave_idle(struct worker *worker)
{
    struct clobber_pool *pool = worker->pool;
    uint32_t at = 0;
    while (pool->idle[at] != worker)
        at++;
    pool->idle_count--;
    memmove(&pool->idle[at], &pool->idle[at + 1], (pool->idle_count - at) * sizeof pool->idle[0]);
}

/** Waits until it is called. False when its thread shall end. */
static bool idle(struct worker *worker)
{
    struct clobber_pool *pool = worker->pool;
    worker->called = false;
    pool->idle[pool->idle_count++] = worker;
    if (!pool->due_is_timed)
        poke_conductor(pool); /* who waits for the next one now */
    bool in_time = true;
    while (!worker->called && !is_stopping(pool) && (in_time || pool->alive <= pool->kept))
        in_time = wait_for(pool, &worker->wake, IDLE_NS);
    if (worker->called) {
        pool->coming--;
        return true;
    }
    leave_idle(worker);
    return false;
}

static void *work_open(void *context)
{
    struct worker *worker = context;
    struct clobber_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    pool->coming--; /* it is here */
    for (bool stays = true; stays && !is_stopping(pool);) {
        uint64_t now_ns = clock_now_ns();
        if (!may_take(pool, now_ns)) {
            stays = idle(worker);
            continue;
        }
        CHECK(due_take(&pool->due, now_ns));
        pool->running++;
        invite(pool, now_ns);
        pthread_mutex_unlock(&pool->lock);
        call(worker);
        pthread_mutex_lock(&pool->lock);
        note_demand(pool, clock_now_ns());
        pool->running--;
    }
    end_worker(worker);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* The conductor. All with the lock. */

static void create_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(condition, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
}

/** False when there is no memory for it. */
static bool prepare(struct clobber_pool *pool, uint32_t index)
{
    struct worker *worker = &pool->workers[index];
    if (worker->pool != NULL)
        return true; /* it was there before */
    if (pool->cells_now != NULL) {
        worker->tally.cells = calloc(TALLY_CELLS, sizeof worker->tally.cells[0]);
        if (worker->tally.cells == NULL)
            return false;
    }
    create_condition(&worker->wake);
    worker->pool = pool;
    worker->index = index;
    return true;
}

/** False when there is no memory or no thread for it. */
static bool start_worker(struct clobber_pool *pool, uint32_t index)
{
    struct worker *worker = &pool->workers[index];
    if (!prepare(pool, index))
        return false;
    pool->used = index >= pool->used ? index + 1 : pool->used;
    if (pthread_create(&worker->thread, NULL, is_open(pool) ? work_open : work_closed, worker) != 0)
        return false;
    worker->started = true;
    worker->ended = false;
    pool->alive++;
    pool->coming += is_open(pool);
    return true;
}

static void reap(struct clobber_pool *pool)
{
    for (uint32_t i = 0; i < pool->used; i++) {
        struct worker *worker = &pool->workers[i];
        if (!worker->started || !worker->ended)
            continue;
        CHECK(pthread_join(worker->thread, NULL) == 0); /* it holds no lock any more */
        worker->started = false;
    }
}

static bool wants_worker(struct clobber_pool *pool, uint32_t index, uint64_t now_ns)
{
    if (!is_open(pool))
        return index < pool->kept;
    return pool->alive < pool->kept ||
           (pool->idle_count == 0 && pool->coming == 0 && pool->alive < calls_at_most(pool) &&
            may_take(pool, now_ns));
}

static void start_workers(struct clobber_pool *pool, uint64_t now_ns)
{
    uint32_t started = 0;
    for (uint32_t i = 0; i < pool->worker_count && started < STARTS_MAX; i++) {
        if (pool->start_failed || !wants_worker(pool, i, now_ns))
            return;
        if (pool->workers[i].started)
            continue;
        pool->start_failed = !start_worker(pool, i); /* until the next look */
        started++;
    }
}

static void follow(struct clobber_pool *pool, const struct clobber_advice *advice)
{
    double before = atomic_load_explicit(&pool->concurrency, memory_order_relaxed);
    atomic_store_explicit(&pool->concurrency, advice->concurrency, memory_order_relaxed);
    pool->kept = (uint32_t)ceil(advice->concurrency_floor);
    pool->view.concurrency = advice->concurrency;
    pool->view.status = advice->status;
    if (is_open(pool))
        return;
    /* Those whose share is another now may be parked or at rest. */
    uint32_t from = (uint32_t)fmin(before, advice->concurrency);
    uint32_t to = (uint32_t)fmax(before, advice->concurrency);
    for (uint32_t i = from; i <= to && i < pool->used; i++)
        pthread_cond_signal(&pool->workers[i].wake);
}

static struct tally_sums sum_up(struct clobber_pool *pool, uint64_t now_ns)
{
    struct tally_sums sums = {0};
    for (uint32_t i = 0; i < pool->used; i++)
        tally_add(&pool->workers[i].tally, now_ns, &sums);
    return sums;
}

static double bounded_latency_ns(struct clobber_pool *pool)
{
    if (pool->cells_now == NULL)
        return 0.0;
    uint32_t *before = pool->cells_now;
    pool->cells_now = pool->cells_before;
    pool->cells_before = before;
    memset(pool->cells_now, 0, TALLY_CELLS * sizeof pool->cells_now[0]);
    for (uint32_t i = 0; i < pool->used; i++)
        tally_add_cells(&pool->workers[i].tally, pool->cells_now);
    return (double)tally_quantile(before, pool->cells_now, pool->options.latency_quantile);
}

static struct clobber_sample measure(struct clobber_pool *pool, uint64_t now_ns)
{
    const struct tally_sums *before = &pool->before;
    struct tally_sums sums = sum_up(pool, now_ns);
    double interval_ns = (double)(now_ns - pool->before_ns);
    struct clobber_sample sample = {
        .bytes = sizeof sample,
        .interval_ns = now_ns - pool->before_ns,
        .completed = sums.completed - before->completed,
        .failed = sums.failed - before->failed,
        /* What ended while it was being read may be missing here by as much as that took. */
        .in_flight_mean = fmax((double)sums.busy_ns - (double)before->busy_ns, 0.0) / interval_ns,
        .latency_ns_at_quantile = bounded_latency_ns(pool),
        .in_flight_end = pool->running,
        .generator_load = -1.0, /* how much CPU the caller's work is, and how much waiting? */
    };
    if (sample.completed > 0)
        sample.latency_ns_mean =
            (double)(sums.completed_ns - before->completed_ns) / (double)sample.completed;
    if (is_open(pool)) {
        note_demand(pool, now_ns);
        sample.backlog = (double)due_waiting(&pool->due, now_ns);
        sample.demand_peak = pool->demand_peak;
        pool->demand_peak = 0.0;
    }
    pool->before = sums;
    pool->before_ns = now_ns;
    return sample;
}

/** An interval is over. */
static void look(struct clobber_pool *pool, uint64_t now_ns)
{
    struct clobber_sample sample = measure(pool, now_ns);
    struct clobber_advice advice = {.bytes = sizeof advice};
    double interval_ns = (double)sample.interval_ns;
    double rate_per_s = (double)(sample.completed + sample.failed) / interval_ns * 1e9;
    clobber_tuner_step(pool->tuner, &sample, &advice);
    pool->view.throughput_per_s +=
        (1.0 - exp(-interval_ns / SMOOTH_NS)) * (rate_per_s - pool->view.throughput_per_s);
    reap(pool);
    follow(pool, &advice);
    pool->start_failed = false;
    pool->next_ns += pool->options.interval_ns;
    if (pool->next_ns <= now_ns) /* the machine stood still: not twice in a row */
        pool->next_ns = now_ns + pool->options.interval_ns;
}

/** How long the conductor has nothing to do. */
static uint64_t leisure_ns(struct clobber_pool *pool, uint64_t now_ns)
{
    uint64_t wait_ns = pool->next_ns - now_ns;
    if (!is_open(pool))
        return wait_ns;
    uint64_t due_ns = due_wait_ns(&pool->due, now_ns);
    pool->due_is_timed = due_ns > 0; /* else whoever takes it, or cannot, goes on */
    return due_ns > 0 && due_ns < wait_ns ? due_ns : wait_ns;
}

static void serve_due(struct clobber_pool *pool, uint64_t now_ns)
{
    bool saturated = pool->view.status == CLOBBER_SATURATED;
    due_drop(&pool->due, now_ns, saturated ? DROP_AGE_SATURATED_NS : DROP_AGE_NS);
    invite(pool, now_ns);
}

static void *conduct(void *context)
{
    struct clobber_pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    while (!is_stopping(pool)) {
        uint64_t now_ns = clock_now_ns();
        pool->look_again = false;
        if (now_ns >= pool->next_ns)
            look(pool, now_ns);
        if (is_open(pool))
            serve_due(pool, now_ns);
        start_workers(pool, now_ns);
        if (!pool->look_again)
            wait_for(pool, &pool->conduct, leisure_ns(pool, now_ns));
    }
    for (uint32_t i = 0; i < pool->used; i++)
        pthread_cond_signal(&pool->workers[i].wake);
    uint32_t used = pool->used;
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < used; i++) {
        if (pool->workers[i].started)
            CHECK(pthread_join(pool->workers[i].thread, NULL) == 0);
    }
    return NULL;
}

/* The caller's side. */

static void destroy(struct clobber_pool *pool)
{
    for (uint32_t i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].pool != NULL)
            pthread_cond_destroy(&pool->workers[i].wake);
        free(pool->workers[i].tally.cells);
    }
    pthread_cond_destroy(&pool->conduct);
    pthread_mutex_destroy(&pool->lock);
    clobber_tuner_destroy(pool->tuner);
    free(pool->idle);
    free(pool->cells_before);
    free(pool->cells_now);
    free(pool);
}

/** What needs no thread yet. NULL when there is no memory. */
static struct clobber_pool *create(const struct clobber_options *options)
{
    uint32_t count = (uint32_t)ceil(options->concurrency_max);
    size_t bytes = sizeof(struct clobber_pool) + count * sizeof(struct worker);
    struct clobber_pool *pool = aligned_alloc(alignof(struct clobber_pool), bytes);
    if (pool == NULL)
        return NULL;
    memset(pool, 0, bytes);
    pool->options = *options;
    pool->worker_count = count;
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    create_condition(&pool->conduct);
    pool->idle = calloc(count, sizeof(struct worker *));
    bool bounded = options->latency_bound_ns > 0;
    if (bounded) {
        pool->cells_before = calloc(TALLY_CELLS, sizeof pool->cells_before[0]);
        pool->cells_now = calloc(TALLY_CELLS, sizeof pool->cells_now[0]);
    }
    if (pool->idle == NULL ||
        (bounded && (pool->cells_before == NULL || pool->cells_now == NULL))) {
        destroy(pool);
        return NULL;
    }
    return pool;
}

static void begin(struct clobber_pool *pool, uint64_t now_ns)
{
    struct clobber_advice advice = {.bytes = sizeof advice};
    clobber_tuner_step(pool->tuner, NULL, &advice);
    follow(pool, &advice);
    pool->before_ns = now_ns;
    pool->next_ns = now_ns + pool->options.interval_ns;
    if (is_open(pool))
        pool->due = due_start(pool->options.target_per_s, now_ns);
}

/** 0, or why there is no thread. Its children inherit that all signals are blocked. */
static int start_conductor(struct clobber_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int result = pthread_create(&pool->conductor, NULL, conduct, pool);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return result;
}

/** Always NULL, so that refusing is one line. */
__attribute__((format(printf, 3, 4))) static struct clobber_pool *refuse(char *message,
                                                                         size_t message_bytes,
                                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (message != NULL && message_bytes > 0)
        vsnprintf(message, message_bytes, format, arguments);
    va_end(arguments);
    return NULL;
}

struct clobber_pool *clobber_pool_start(const struct clobber_options *options,
                                        int (*work)(void *context), void *context, char *message,
                                        size_t message_bytes)
{
    struct clobber_options read;
    struct clobber_tuner *tuner = clobber_tuner_create(options, message, message_bytes);
    if (tuner == NULL)
        return NULL;
    sized_take(&read, sizeof read, options); /* as the tuner did */
    struct clobber_pool *pool = NULL;
    int result = 0;
    if (work == NULL)
        refuse(message, message_bytes, "work is NULL; give the function to call");
    else if (read.concurrency_max > POOL_THREADS_MAX)
        refuse(message, message_bytes, "concurrency_max is %g; a pool has at most %u threads",
               read.concurrency_max, POOL_THREADS_MAX);
    else if (read.parts > 1)
        refuse(message, message_bytes, "parts is %u; a pool is one part, give 0 or 1", read.parts);
    else if ((pool = create(&read)) == NULL)
        refuse(message, message_bytes, "no memory for a pool of %g threads", read.concurrency_max);
    if (pool == NULL) {
        clobber_tuner_destroy(tuner);
        return NULL;
    }
    pool->work = work;
    pool->context = context;
    pool->tuner = tuner;
    begin(pool, clock_now_ns());
    result = start_conductor(pool);
    if (result != 0) {
        destroy(pool);
        return refuse(message, message_bytes, "cannot start a thread: %s", strerror(result));
    }
    return pool;
}

void clobber_pool_look(struct clobber_pool *pool, struct clobber_pool_view *view)
{
    if (!sized_fits(view, VIEW_BYTES))
        return;
    pthread_mutex_lock(&pool->lock);
    struct clobber_pool_view seen = pool->view;
    struct tally_sums sums = sum_up(pool, clock_now_ns());
    seen.completed = sums.completed;
    seen.failed = sums.failed;
    seen.not_started = pool->due.not_started;
    pthread_mutex_unlock(&pool->lock);
    sized_give(view, &seen, sizeof seen);
}

void clobber_pool_stop(struct clobber_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    atomic_store_explicit(&pool->stopping, true, memory_order_relaxed);
    pthread_cond_signal(&pool->conduct);
    pthread_mutex_unlock(&pool->lock);
    CHECK(pthread_join(pool->conductor, NULL) == 0);
    destroy(pool);
}
