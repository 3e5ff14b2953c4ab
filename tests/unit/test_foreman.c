/* A foreman and its crew on an engine that does nothing: what the engine tells, and when, is the
 * test's to say. The lease and the time-outs are far away, so no clock decides anything here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/foreman.h"
#include "common/base/clock.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
#define ANSWER  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

struct engine {
    const struct engine_listener *listener;
    void *context;
};

static struct engine *fake_create(const struct engine_driver *self,
                                  const struct engine_listener *listener, void *context,
                                  struct error *error)
{
    (void)self;
    (void)error;
    static struct engine engine;
    engine = (struct engine){listener, context};
    return &engine;
}

static void fake_destroy(struct engine *engine)
{
    (void)engine;
}

static bool fake_connect(struct engine *engine, struct connection *connection,
                         const struct route *route, int *error)
{
    (void)engine;
    (void)route;
    (void)error;
    *connection = (struct connection){.open = true};
    return true;
}

static ssize_t fake_send(struct engine *engine, struct connection *connection, const uint8_t *bytes,
                         size_t count)
{
    (void)engine;
    (void)connection;
    (void)bytes;
    return (ssize_t)count;
}

static void fake_close(struct engine *engine, struct connection *connection)
{
    (void)engine;
    *connection = (struct connection){0};
}

static bool fake_tell(struct engine *engine)
{
    (void)engine;
    return true;
}

static const struct engine_driver fake_driver = {
    .create = fake_create,
    .destroy = fake_destroy,
    .connect = fake_connect,
    .send = fake_send,
    .close = fake_close,
    .tell = fake_tell,
};

static const struct assignment assignment = {
    .keep_alive = true,
    .open_arrivals = true,
    .timeout_ns = 600 * NS_PER_S,
    .phases = 1,
    .request_count = 1,
    .requests = {{.name = "only",
                  .weight = 1,
                  .bytes = (const uint8_t *)REQUEST,
                  .byte_count = sizeof REQUEST - 1}},
};

static struct pool_setpoint level_of(const struct foreman *foreman, uint32_t workers)
{
    return (struct pool_setpoint){
        .floor_milli = UINT64_C(1000) * workers,
        .concurrency_milli = UINT64_C(1000) * workers,
        .rate_milli = 1000 * 1000,
        .drop_age_ns = 600 * NS_PER_S,
        .lease_end_ns = foreman->now_ns + 600 * NS_PER_S,
    };
}

/* A foreman that is to have `workers`, all of them connecting or about to. */
static void set_up_numbered(struct foreman *foreman, void **configuration,
                            const struct assignment *asked, struct numbers *numbers,
                            uint32_t workers)
{
    struct error error = {0};
    *configuration = workload_http1.configure(asked, &error);
    const struct reach nowhere = {0};
    const struct crew_plan plan = {
        .assignment = asked,
        .reach = &nowhere,
        .workload = &workload_http1,
        .configuration = *configuration,
        .driver = &fake_driver,
        .capacity = workers,
        .numbers = numbers,
    };
    assert_true(foreman_init(foreman, &plan, 0.0, &error));
    foreman_tell(foreman);
    const struct pool_setpoint setpoint = level_of(foreman, workers);
    foreman->granted_ns = setpoint.lease_end_ns;
    foreman_set(foreman, &setpoint, foreman->now_ns);
}

static void set_up_crew(struct foreman *foreman, void **configuration, uint32_t workers)
{
    set_up_numbered(foreman, configuration, &assignment, NULL, workers);
}

/* The first worker that is connecting is connected now, and idle. */
static struct worker *connect_one(struct foreman *foreman)
{
    struct worker *worker = foreman->crew.lists[WORKER_CONNECTING].first;
    assert_non_null(worker);
    struct engine *engine = foreman->crew.engine;
    engine->listener->connected(engine->context, &worker->connection, 0);
    return worker;
}

/* A foreman with one worker, which is connected and idle. */
static struct worker *set_up(struct foreman *foreman, void **configuration)
{
    set_up_crew(foreman, configuration, 1);
    struct worker *worker = connect_one(foreman);
    assert_int_equal(worker->state, WORKER_IDLE);
    return worker;
}

static void tear_down(struct foreman *foreman, void *configuration)
{
    foreman_done(foreman);
    workload_http1.release(configuration);
}

/* The target speaks unasked; in the same look, but before these bytes are read, another
 * connection's answer gives this worker its next request. */
static void bytes_that_came_before_the_request_began_took_no_time(void **state)
{
    (void)state;
    struct foreman foreman;
    void *configuration;
    struct worker *worker = set_up(&foreman, &configuration);
    struct engine *engine = foreman.crew.engine;
    uint64_t read_ns = foreman.crew.read_ns;

    crew_start(&foreman.crew, worker, &(struct waiting){.due_ns = read_ns + 500}, read_ns + 1000);
    engine->listener->received(engine->context, &worker->connection, (const uint8_t *)ANSWER,
                               sizeof ANSWER - 1);

    const struct histogram *kinds = foreman.crew.meters->phases[0].kinds;
    assert_int_equal(kinds[SAMPLE_FIRST_BYTE].total, 1);
    assert_int_equal(kinds[SAMPLE_FIRST_BYTE].max_ns, 0);
    assert_int_equal(kinds[SAMPLE_SERVICE].max_ns, 0);
    assert_int_equal(kinds[SAMPLE_RESPONSE].max_ns, 500);
    tear_down(&foreman, configuration);
}

/* Ten thousand connects in one go take longer than a lease, and nothing is heard meanwhile. */
static void many_workers_are_hired_over_several_turns_without_a_pause(void **state)
{
    (void)state;
    struct foreman foreman;
    void *configuration;

    set_up_crew(&foreman, &configuration, 1000);

    uint32_t turns = 1;
    while (crew_count(&foreman.crew) < 1000) {
        uint32_t before = crew_count(&foreman.crew);
        assert_in_range(before, 1, 999);
        assert_true(foreman_next(&foreman) <= foreman.now_ns);
        foreman_tell(&foreman);
        foreman_look(&foreman);
        assert_true(crew_count(&foreman.crew) > before);
        turns++;
    }
    assert_in_range(turns, 4, 20);
    foreman_tell(&foreman);
    foreman_look(&foreman);
    assert_true(foreman_next(&foreman) > foreman.now_ns);
    tear_down(&foreman, configuration);
}

/* Ten requests fall due at 1000/s, and there is no index for them until four come. */
static void arrivals_wait(bool counted, uint64_t planned, uint64_t not_started)
{
    struct assignment asked = assignment;
    asked.numbering = (struct assignment_numbering){.used = true, .total = counted ? 100 : 0};
    struct numbers numbers = {0};
    struct foreman foreman;
    void *configuration;
    set_up_numbered(&foreman, &configuration, &asked, &numbers, 1);
    const struct worker *worker = connect_one(&foreman);
    const struct counters *counters = &foreman.crew.meters->phases[0].counters;
    struct pool_setpoint level = level_of(&foreman, 1);
    uint64_t at_ns = foreman.now_ns + 10 * NS_PER_MS;

    foreman_set(&foreman, &level, at_ns);
    assert_int_equal(counters->planned, 0);
    assert_int_equal(counters->started, 0);
    assert_int_equal(foreman.backlog.unnumbered_count, 10);

    numbers_grant(&numbers, 1, 40, 4);
    foreman_set(&foreman, &level, at_ns);
    assert_int_equal(counters->planned, 4);
    assert_int_equal(counters->started, 1);
    assert_true(worker->has_request);
    assert_int_equal(worker->index, 40);
    assert_true(worker->due_ns <= at_ns - 9 * NS_PER_MS + 1); /* its own, as it fell due */
    assert_int_equal(backlog_waiting(&foreman.backlog), 3);

    foreman_drain(&foreman, at_ns, at_ns);
    assert_int_equal(counters->planned, planned);
    assert_int_equal(counters->not_started, not_started);
    assert_int_equal(counters->started, 1);
    tear_down(&foreman, configuration);
}

static void arrivals_without_an_index_wait_and_are_missed_at_the_end(void **state)
{
    (void)state;
    arrivals_wait(false, 10, 9);
}

static void arrivals_without_an_index_are_none_where_indexes_are_counted_out(void **state)
{
    (void)state;
    arrivals_wait(true, 4, 3);
}

static void a_worker_that_loops_is_idle_while_there_is_no_index(void **state)
{
    (void)state;
    struct assignment asked = assignment;
    asked.open_arrivals = false;
    asked.numbering = (struct assignment_numbering){.used = true, .total = 100};
    struct numbers numbers = {0};
    struct foreman foreman;
    void *configuration;
    set_up_numbered(&foreman, &configuration, &asked, &numbers, 1);
    struct pool_setpoint level = level_of(&foreman, 1);
    level.rate_milli = 0;
    foreman_set(&foreman, &level, foreman.now_ns);
    struct worker *worker = connect_one(&foreman);
    struct engine *engine = foreman.crew.engine;
    const struct counters *counters = &foreman.crew.meters->phases[0].counters;
    assert_int_equal(worker->state, WORKER_IDLE);
    assert_int_equal(counters->planned, 0);

    numbers_grant(&numbers, 1, 7, 2);
    foreman_set(&foreman, &level, foreman.now_ns);
    for (uint64_t index = 7; index <= 8; index++) {
        assert_int_equal(worker->state, WORKER_BUSY);
        assert_int_equal(worker->index, index);
        engine->listener->received(engine->context, &worker->connection, (const uint8_t *)ANSWER,
                                   sizeof ANSWER - 1);
    }

    assert_int_equal(worker->state, WORKER_IDLE);
    assert_int_equal(counters->planned, 2);
    assert_int_equal(counters->ok, 2);
    uint64_t done_ns = foreman.crew.done_ns;
    foreman_drain(&foreman, foreman.now_ns + NS_PER_S, foreman.now_ns + NS_PER_S);
    assert_int_equal(foreman.crew.meters->phases[0].t_to, done_ns); /* it was done by then */
    tear_down(&foreman, configuration);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_came_before_the_request_began_took_no_time),
        cmocka_unit_test(arrivals_without_an_index_wait_and_are_missed_at_the_end),
        cmocka_unit_test(arrivals_without_an_index_are_none_where_indexes_are_counted_out),
        cmocka_unit_test(a_worker_that_loops_is_idle_while_there_is_no_index),
        cmocka_unit_test(many_workers_are_hired_over_several_turns_without_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
