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

/* A foreman that is to have `workers`, all of them connecting or about to. */
static void set_up_crew(struct foreman *foreman, void **configuration, uint32_t workers)
{
    struct error error = {0};
    *configuration = workload_http1.configure(&assignment, &error);
    const struct reach nowhere = {0};
    const struct crew_plan plan = {
        .assignment = &assignment,
        .reach = &nowhere,
        .workload = &workload_http1,
        .configuration = *configuration,
        .driver = &fake_driver,
        .capacity = workers,
    };
    assert_true(foreman_init(foreman, &plan, 0.0, &error));
    foreman_tell(foreman);
    const struct pool_setpoint setpoint = {
        .floor_milli = UINT64_C(1000) * workers,
        .concurrency_milli = UINT64_C(1000) * workers,
        .rate_milli = 1000 * 1000,
        .drop_age_ns = 600 * NS_PER_S,
        .lease_end_ns = foreman->now_ns + 600 * NS_PER_S,
    };
    foreman->granted_ns = setpoint.lease_end_ns;
    foreman_set(foreman, &setpoint, foreman->now_ns);
}

/* A foreman with one worker, which is connected and idle. */
static struct worker *set_up(struct foreman *foreman, void **configuration)
{
    set_up_crew(foreman, configuration, 1);
    struct worker *worker = foreman->crew.lists[WORKER_CONNECTING].first;
    assert_non_null(worker);
    struct engine *engine = foreman->crew.engine;
    engine->listener->connected(engine->context, &worker->connection, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_came_before_the_request_began_took_no_time),
        cmocka_unit_test(many_workers_are_hired_over_several_turns_without_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
