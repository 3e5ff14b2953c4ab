/* Real threads, and work that really takes time. What a pool reaches is waited for, and nothing is
 * asserted of how soon: the machine may be busy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clobber/pool.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "tests/unit/near.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#define PATIENCE_NS (60 * NS_PER_S) /* only a failing test ever waits so long */

/* The linker sends the pool here for its threads: --wrap=pthread_create. */
static atomic_int threads_refused;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *context);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *context)
{
    if (atomic_load(&threads_refused) > 0 && atomic_fetch_sub(&threads_refused, 1) > 0)
        return EAGAIN;
    return __real_pthread_create(thread, attributes, main, context);
}

/* An idle thread ends after ten seconds, for which no test can wait: long waits are made short. */
int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *until);

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *until)
{
    struct timespec soon = clock_deadline(100 * NS_PER_MS);
    bool is_long = until->tv_sec > soon.tv_sec + 5;
    return __real_pthread_cond_timedwait(condition, lock, is_long ? &soon : until);
}

static unsigned threads_alive(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* A service: `servers` at once, each for `service_ns`, then the answer. */
struct service {
    sem_t servers;
    atomic_uint_fast64_t service_ns;
    int answer;
    atomic_int inside, inside_most;
    atomic_uint_fast64_t begun, ended;
};

static struct service *service_open(struct service *service, unsigned servers, uint64_t service_ns)
{
    *service = (struct service){0};
    atomic_store(&service->service_ns, service_ns);
    assert_int_equal(sem_init(&service->servers, 0, servers), 0);
    return service;
}

static void pass_time(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    while (ns > 0 && nanosleep(&left, &left) != 0)
        ;
}

static int serve(void *context)
{
    struct service *service = context;
    int inside = atomic_fetch_add(&service->inside, 1) + 1;
    for (int most = atomic_load(&service->inside_most); inside > most;)
        atomic_compare_exchange_weak(&service->inside_most, &most, inside);
    atomic_fetch_add(&service->begun, 1);
    while (sem_wait(&service->servers) != 0)
        ;
    pass_time(atomic_load(&service->service_ns));
    sem_post(&service->servers);
    atomic_fetch_add(&service->ended, 1);
    atomic_fetch_sub(&service->inside, 1);
    return service->answer;
}

static struct clobber_options hold(double target_per_s)
{
    return (struct clobber_options){.bytes = sizeof(struct clobber_options),
                                    .goal = CLOBBER_HOLD,
                                    .target_per_s = target_per_s,
                                    .concurrency_max = 64,
                                    .interval_ns = 20 * NS_PER_MS};
}

static struct clobber_pool *started(const struct clobber_options *options, struct service *service)
{
    char message[256];
    struct clobber_pool *pool =
        clobber_pool_start(options, serve, service, message, sizeof message);
    if (pool == NULL)
        fail_msg("refused: %s", message);
    return pool;
}

static struct clobber_pool_view look(struct clobber_pool *pool)
{
    struct clobber_pool_view view = {.bytes = sizeof view};
    clobber_pool_look(pool, &view);
    return view;
}

typedef bool condition(const struct clobber_pool_view *view);

/* Whether it came true in time, and the view in which it did. */
static bool comes_true(struct clobber_pool *pool, condition *holds, uint64_t patience_ns,
                       struct clobber_pool_view *view)
{
    uint64_t end_ns = clock_now_ns() + patience_ns;
    for (;;) {
        *view = look(pool);
        if (holds(view))
            return true;
        if (clock_now_ns() > end_ns)
            return false;
        pass_time(5 * NS_PER_MS);
    }
}

/* The view in which it came true. */
static struct clobber_pool_view wait_until(struct clobber_pool *pool, condition *holds)
{
    struct clobber_pool_view view;
    if (!comes_true(pool, holds, PATIENCE_NS, &view))
        fail_msg("still %g at once, %g/s, %llu ended, status %d", view.concurrency,
                 view.throughput_per_s, (unsigned long long)(view.completed + view.failed),
                 (int)view.status);
    return view;
}

static bool hundreds_completed(const struct clobber_pool_view *view)
{
    return view->completed >= 300;
}

static bool hundreds_failed(const struct clobber_pool_view *view)
{
    return view->failed >= 300;
}

static bool holds_500(const struct clobber_pool_view *view)
{
    return view->status == CLOBBER_STEADY && view->completed >= 300 &&
           fabs(view->throughput_per_s - 500) < 50;
}

/* The maximum may be reached before the service is known to be what gives no more. */
static bool gives_no_more(const struct clobber_pool_view *view)
{
    return view->status == CLOBBER_SATURATED || view->status == CLOBBER_AT_MAXIMUM;
}

static bool is_found(const struct clobber_pool_view *view)
{
    return view->status == CLOBBER_SATURATED;
}

static bool is_bounded(const struct clobber_pool_view *view)
{
    return view->status == CLOBBER_BOUNDED;
}

static void threads_that_loop_hold_a_rate(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(500);
    struct clobber_pool *pool = started(&options, service_open(&service, 1000, 4 * NS_PER_MS));

    struct clobber_pool_view view = wait_until(pool, holds_500);
    clobber_pool_stop(pool);

    assert_true(view.concurrency < 64);
    assert_int_equal(view.failed, 0);
    assert_int_equal(view.not_started, 0);
}

static void a_part_of_a_worker_holds_a_rate_below_what_one_gives(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(500);
    struct clobber_pool *pool = started(&options, service_open(&service, 1000, NS_PER_MS / 2));

    wait_until(pool, holds_500);
    clobber_pool_stop(pool);
}

static void threads_that_take_what_is_due_hold_a_rate(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(500);
    options.arrivals = CLOBBER_OPEN;
    options.elastic = true;
    uint64_t began_ns = clock_now_ns();
    struct clobber_pool *pool = started(&options, service_open(&service, 1000, 4 * NS_PER_MS));

    wait_until(pool, holds_500);
    clobber_pool_stop(pool);

    double elapsed_s = (double)(clock_now_ns() - began_ns) / 1e9;
    assert_true((double)atomic_load(&service.ended) <= 500 * elapsed_s); /* none before it is due */
}

static void workers_that_do_not_grow_hold_an_open_rate_too(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(500);
    options.arrivals = CLOBBER_OPEN;
    struct clobber_pool *pool = started(&options, service_open(&service, 1000, 4 * NS_PER_MS));

    wait_until(pool, holds_500);
    clobber_pool_stop(pool);
}

static void a_rate_that_the_service_does_not_give_is_called_so(void **state)
{
    (void)state;
    const enum clobber_arrivals arrivals[] = {CLOBBER_CLOSED, CLOBBER_OPEN};
    for (size_t i = 0; i < COUNT(arrivals); i++) {
        static struct service service;
        struct clobber_options options = hold(4000);
        options.arrivals = arrivals[i];
        options.elastic = arrivals[i] == CLOBBER_OPEN;
        options.concurrency_max = 200;
        struct clobber_pool *pool = started(&options, service_open(&service, 4, 4 * NS_PER_MS));

        wait_until(pool, gives_no_more);
        clobber_pool_stop(pool);

        assert_true(atomic_load(&service.inside_most) <= 200);
    }
}

static void the_most_that_a_service_gives_is_found(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(0);
    options.goal = CLOBBER_MAXIMIZE;
    options.error_share_max = 1;
    struct clobber_pool_view view;
    bool found = false;

    /* A machine that takes the threads' CPU away in the middle of a search can mislead it. */
    for (int tries = 0; tries < 5 && !found; tries++) {
        struct clobber_pool *pool = started(&options, service_open(&service, 5, 5 * NS_PER_MS));
        found = comes_true(pool, is_found, PATIENCE_NS / 3, &view) && view.concurrency >= 3 &&
                view.concurrency <= 20;
        clobber_pool_stop(pool);
    }

    if (!found)
        fail_msg("5 servers, and %g workers, status %d", view.concurrency, (int)view.status);
}

static void a_latency_bound_is_measured_and_kept(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(0);
    options.goal = CLOBBER_MAXIMIZE;
    options.error_share_max = 1;
    options.concurrency_min = 1;
    options.latency_quantile = 0.9;
    options.latency_bound_ns = 2 * NS_PER_MS; /* which nobody can keep */
    struct clobber_pool *pool = started(&options, service_open(&service, 5, 5 * NS_PER_MS));

    wait_until(pool, is_bounded);
    clobber_pool_stop(pool);
}

static void what_waits_for_too_long_is_not_started_and_counted(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(2000);
    options.arrivals = CLOBBER_OPEN;
    options.concurrency_max = 2; /* which give 500/s */
    struct clobber_pool *pool = started(&options, service_open(&service, 1000, 4 * NS_PER_MS));
    uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
    struct clobber_pool_view view = {0};

    while (view.not_started < 100 && clock_now_ns() < end_ns) {
        pass_time(5 * NS_PER_MS);
        view = look(pool);
    }
    clobber_pool_stop(pool);

    assert_true(view.not_started >= 100);
    assert_int_equal(atomic_load(&service.inside_most), 2);
}

static void threads_without_work_end_and_others_come_when_there_is_more(void **state)
{
    (void)state;
    const enum clobber_arrivals arrivals[] = {CLOBBER_CLOSED, CLOBBER_OPEN};
    for (size_t i = 0; i < COUNT(arrivals); i++) {
        static struct service service;
        struct clobber_options options = hold(200);
        options.arrivals = arrivals[i];
        options.elastic = arrivals[i] == CLOBBER_OPEN;
        options.concurrency_start = 40;
        struct clobber_pool *pool = started(&options, service_open(&service, 64, 4 * NS_PER_MS));
        uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
        unsigned most = 0;

        for (; most < 40 && clock_now_ns() < end_ns; most = threads_alive())
            pass_time(NS_PER_MS);
        while (threads_alive() > 30 && clock_now_ns() < end_ns)
            pass_time(NS_PER_MS);
        assert_true(most >= 40);
        assert_true(threads_alive() <= 30);
        atomic_store(&service.service_ns, 180 * NS_PER_MS); /* takes 36 workers */
        while (threads_alive() < 36 && clock_now_ns() < end_ns)
            pass_time(NS_PER_MS);
        assert_true(threads_alive() >= 36);

        clobber_pool_stop(pool);
    }
}

static void never_more_run_than_the_maximum(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(5000);
    options.concurrency_max = 2.5;
    struct clobber_pool *pool = started(&options, service_open(&service, 1000, NS_PER_MS));

    struct clobber_pool_view view = wait_until(pool, hundreds_completed);
    clobber_pool_stop(pool);

    assert_true(view.concurrency <= 2.5);
    assert_true(atomic_load(&service.inside_most) <= 3); /* the third is paced */
}

static void stop_waits_for_what_is_in_flight(void **state)
{
    (void)state;
    const enum clobber_arrivals arrivals[] = {CLOBBER_CLOSED, CLOBBER_OPEN};
    for (size_t i = 0; i < COUNT(arrivals); i++) {
        static struct service service;
        struct clobber_options options = hold(1000);
        options.arrivals = arrivals[i];
        options.concurrency_start = 8;
        struct clobber_pool *pool = started(&options, service_open(&service, 8, 100 * NS_PER_MS));
        while (atomic_load(&service.inside) < 4)
            pass_time(NS_PER_MS);

        clobber_pool_stop(pool);

        assert_int_equal(atomic_load(&service.inside), 0);
        assert_int_equal(atomic_load(&service.begun), atomic_load(&service.ended));
        assert_true(atomic_load(&service.ended) >= 4);
    }
}

static void a_pool_may_be_stopped_before_it_has_done_anything(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(1);
    options.arrivals = CLOBBER_OPEN;

    clobber_pool_stop(started(&options, service_open(&service, 1, 0)));
    clobber_pool_stop(NULL);

    assert_int_equal(atomic_load(&service.begun), 0);
}

static void work_that_fails_is_counted_apart(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(2000);
    service_open(&service, 1000, NS_PER_MS)->answer = -1;
    struct clobber_pool *pool = started(&options, &service);

    struct clobber_pool_view view = wait_until(pool, hundreds_failed);
    clobber_pool_stop(pool);

    assert_int_equal(view.completed, 0);
    assert_true(view.failed <= atomic_load(&service.begun));
}

static void work_that_takes_no_time_is_no_trouble(void **state)
{
    (void)state;
    const enum clobber_arrivals arrivals[] = {CLOBBER_CLOSED, CLOBBER_OPEN};
    for (size_t i = 0; i < COUNT(arrivals); i++) {
        static struct service service;
        struct clobber_options options = hold(500);
        options.arrivals = arrivals[i];
        struct clobber_pool *pool = started(&options, service_open(&service, 1000, 0));

        wait_until(pool, hundreds_completed);
        clobber_pool_stop(pool);

        assert_int_equal(atomic_load(&service.begun), atomic_load(&service.ended));
    }
}

static void threads_that_cannot_be_started_are_tried_again(void **state)
{
    (void)state;
    const enum clobber_arrivals arrivals[] = {CLOBBER_CLOSED, CLOBBER_OPEN};
    for (size_t i = 0; i < COUNT(arrivals); i++) {
        static struct service service;
        struct clobber_options options = hold(500);
        options.arrivals = arrivals[i];
        service_open(&service, 1000, 4 * NS_PER_MS);
        struct clobber_pool *pool = started(&options, &service);
        atomic_store(&threads_refused, 5);

        wait_until(pool, hundreds_completed);
        clobber_pool_stop(pool);
        atomic_store(&threads_refused, 0);
    }
}

static void a_pool_without_its_first_thread_is_refused(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(500);
    char message[256];
    service_open(&service, 1, 0);
    atomic_store(&threads_refused, 1);

    assert_null(clobber_pool_start(&options, serve, &service, message, sizeof message));

    assert_string_equal(message, "cannot start a thread: Resource temporarily unavailable");
}

static void what_no_pool_can_be_is_refused_with_a_sentence(void **state)
{
    (void)state;
    char message[256];
    struct clobber_options options = hold(-1);
    assert_null(clobber_pool_start(&options, serve, NULL, message, sizeof message));
    assert_string_equal(message, "target_per_s is -1; give a rate above 0 and at most 1e+12");

    options = hold(500);
    assert_null(clobber_pool_start(&options, NULL, NULL, message, sizeof message));
    assert_string_equal(message, "work is NULL; give the function to call");

    options.concurrency_max = 8193;
    assert_null(clobber_pool_start(&options, serve, NULL, message, sizeof message));
    assert_string_equal(message, "concurrency_max is 8193; a pool has at most 8192 threads");

    options = hold(500);
    options.parts = 2;
    assert_null(clobber_pool_start(&options, serve, NULL, message, sizeof message));
    assert_string_equal(message, "parts is 2; a pool is one part, give 0 or 1");
}

static void a_view_of_no_size_is_left_alone(void **state)
{
    (void)state;
    static struct service service;
    struct clobber_options options = hold(1);
    struct clobber_pool *pool = started(&options, service_open(&service, 1, 0));
    struct clobber_pool_view view = {.bytes = 8, .concurrency = 7};

    clobber_pool_look(pool, &view);
    clobber_pool_look(pool, NULL);
    clobber_pool_stop(pool);

    assert_near(view.concurrency, 7, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_loop_hold_a_rate),
        cmocka_unit_test(a_part_of_a_worker_holds_a_rate_below_what_one_gives),
        cmocka_unit_test(threads_that_take_what_is_due_hold_a_rate),
        cmocka_unit_test(workers_that_do_not_grow_hold_an_open_rate_too),
        cmocka_unit_test(a_rate_that_the_service_does_not_give_is_called_so),
        cmocka_unit_test(the_most_that_a_service_gives_is_found),
        cmocka_unit_test(a_latency_bound_is_measured_and_kept),
        cmocka_unit_test(what_waits_for_too_long_is_not_started_and_counted),
        cmocka_unit_test(threads_without_work_end_and_others_come_when_there_is_more),
        cmocka_unit_test(never_more_run_than_the_maximum),
        cmocka_unit_test(stop_waits_for_what_is_in_flight),
        cmocka_unit_test(a_pool_may_be_stopped_before_it_has_done_anything),
        cmocka_unit_test(work_that_fails_is_counted_apart),
        cmocka_unit_test(work_that_takes_no_time_is_no_trouble),
        cmocka_unit_test(threads_that_cannot_be_started_are_tried_again),
        cmocka_unit_test(a_pool_without_its_first_thread_is_refused),
        cmocka_unit_test(what_no_pool_can_be_is_refused_with_a_sentence),
        cmocka_unit_test(a_view_of_no_size_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
