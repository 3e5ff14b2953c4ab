/* The real pool, its threads and its engine, against small servers of one habit each on loopback.
 * Nothing here sleeps for a while and hopes: await() reads the meters until a condition holds, and
 * at every reading the ledger must balance to the last request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine.h"
#include "agent/pool.h"
#include "agent/reach.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "proto/beat.h"
#include "tests/support/habits.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define AWAIT_NS   (60 * NS_PER_S) /* only a failing test ever waits so long */
#define TIMEOUT_NS (200 * NS_PER_MS)
#define REQUEST    "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

/* A pool, the server it loads, and what both are made from. */
struct rig {
    struct habits *server; /* NULL: nobody listens */
    int nobody;
    struct reach reach;
    struct assignment assignment;
    struct pool *pool;
    const struct meters *meters; /* the last reading */
    struct counters seen;        /* its sum */
};

static struct assignment http_assignment(bool open_arrivals)
{
    struct assignment assignment = {
        .workload = "http1",
        .open_arrivals = open_arrivals,
        .keep_alive = true,
        .seed = 42,
        .timeout_ns = 10 * NS_PER_S,
        .phases = 3,
        .concurrency_max = 200,
        .request_count = 1,
        .requests = {{.name = "only",
                      .weight = 1,
                      .bytes = (const uint8_t *)REQUEST,
                      .byte_count = strlen(REQUEST)}},
    };
    return assignment;
}

static struct assignment tcp_assignment(bool open_arrivals, const char *bytes)
{
    struct assignment assignment = http_assignment(open_arrivals);
    strcpy(assignment.workload, "tcp");
    assignment.requests[0].bytes = (const uint8_t *)bytes;
    assignment.requests[0].byte_count = strlen(bytes);
    return assignment;
}

/* Every test runs on each engine that works here. */
static const struct engine_driver *driver;

/* `server` is taken. */
static struct rig *rig_up(struct habits *server, struct assignment assignment, uint32_t lanes)
{
    struct rig *rig = calloc(1, sizeof *rig);
    CHECK(rig != NULL);
    rig->server = server;
    rig->reach.address = server != NULL ? habits_address(server) : habits_nobody(&rig->nobody);
    rig->assignment = assignment;
    struct error error = {0};
    rig->pool = pool_create(&rig->assignment, &rig->reach, lanes, driver, NULL, &error);
    assert_string_equal(error.message, "");
    assert_non_null(rig->pool);
    return rig;
}

static void rig_down(struct rig *rig)
{
    pool_destroy(rig->pool);
    if (rig->server != NULL)
        habits_stop(rig->server);
    else
        close(rig->nobody);
    free(rig);
}

static uint64_t ended(const struct counters *counters)
{
    return counters->ok + counters_failed(counters) + counters->timed_out;
}

/* The identities of docs/contract: exact in every reading, not only at the end. */
static void check_ledger(const struct rig *rig)
{
    const struct meters *meters = rig->meters;
    const struct counters *seen = &rig->seen;
    assert_int_equal(seen->planned, seen->started + seen->not_started + meters->backlog);
    if (!meters->idle)
        assert_int_equal(seen->started, ended(seen) + meters->in_flight);
    assert_true(seen->unwritten <= ended(seen));
}

static void check_histograms(const struct rig *rig)
{
    for (uint32_t i = 0; i < rig->meters->phase_count; i++) {
        const struct phase_meter *phase = &rig->meters->phases[i];
        uint64_t over = ended(&phase->counters);
        assert_int_equal(phase->kinds[SAMPLE_RESPONSE].total, over);
        assert_int_equal(phase->kinds[SAMPLE_SERVICE].total, over);
        assert_int_equal(phase->kinds[SAMPLE_SERVICE].sum_ns, phase->counters.latency_sum_ns);
        assert_int_equal(phase->kinds[SAMPLE_SEND_LAG].total, phase->counters.started);
        assert_int_equal(phase->kinds[SAMPLE_CONNECT].total, phase->counters.connections_opened);
        uint64_t named = 0, histograms = 0;
        for (uint32_t k = 0; k < rig->meters->request_count; k++) {
            named += phase->requests[k].ok + phase->requests[k].failed;
            histograms += phase->request_histograms[k].total;
        }
        assert_int_equal(named, over);
        assert_int_equal(histograms, over);
    }
}

/* What a coordinator believes no agent without. */
static void check_growth(const struct rig *rig, const struct counters *before)
{
    assert_true(counters_monotone(&rig->seen, before));
    assert_true(rig->seen.in_flight_ns <= INT64_MAX); /* above: below 0 */
}

static void look(struct rig *rig)
{
    struct counters before = rig->seen;
    rig->meters = pool_read(rig->pool, true);
    rig->seen = meters_total(rig->meters);
    check_growth(rig, &before);
    check_ledger(rig);
    check_histograms(rig);
}

typedef bool rig_condition(const struct rig *rig, uint64_t value);

/* Reads until the condition holds; fails the test when it does not in time. */
static void await(struct rig *rig, rig_condition *condition, uint64_t value)
{
    uint64_t end_ns = clock_now_ns() + AWAIT_NS;
    look(rig);
    while (!condition(rig, value)) {
        if (clock_now_ns() > end_ns)
            fail_msg(
                "not within %u s: planned %llu started %llu ok %llu failed %llu timed out %llu "
                "in flight %u workers %u",
                (unsigned)(AWAIT_NS / NS_PER_S), (unsigned long long)rig->seen.planned,
                (unsigned long long)rig->seen.started, (unsigned long long)rig->seen.ok,
                (unsigned long long)counters_failed(&rig->seen),
                (unsigned long long)rig->seen.timed_out, rig->meters->in_flight,
                rig->meters->workers);
        poll(NULL, 0, 1);
        look(rig);
    }
}

static bool over(const struct rig *rig, uint64_t count)
{
    return ended(&rig->seen) >= count;
}

static bool timed_out(const struct rig *rig, uint64_t count)
{
    return rig->seen.timed_out >= count;
}

static bool in_flight(const struct rig *rig, uint64_t count)
{
    return rig->meters->in_flight == count;
}

static bool staffed(const struct rig *rig, uint64_t count)
{
    return rig->meters->workers == count;
}

static bool connected(const struct rig *rig, uint64_t count)
{
    return rig->seen.connections_opened >= count;
}

static bool served(const struct rig *rig, uint64_t count)
{
    return habits_requests(rig->server) >= count;
}

static bool guests(const struct rig *rig, uint64_t count)
{
    return habits_open(rig->server) == count;
}

static bool given_up(const struct rig *rig, uint64_t count)
{
    return rig->seen.not_started >= count;
}

static bool waiting(const struct rig *rig, uint64_t count)
{
    return rig->meters->backlog >= count;
}

static bool flagged(const struct rig *rig, uint64_t flag)
{
    return (rig->meters->flags & flag) != 0;
}

/* Half of all that ended took `most_ns` at most: sooner or later, on a busy machine too. */
static bool punctual(const struct rig *rig, uint64_t most_ns)
{
    return histogram_quantile(&rig->meters->phases[0].kinds[SAMPLE_SERVICE], 0.5) <= most_ns;
}

/* Busy for about half of the lane's time: a pause of the machine passes out of the mean. */
static bool half_busy(const struct rig *rig, uint64_t unused)
{
    (void)unused;
    double elapsed_ns = (double)(rig->meters->t_agent - rig->meters->phases[0].t_from);
    double occupied = (double)rig->seen.in_flight_ns / elapsed_ns;
    return occupied > 0.35 && occupied < 0.65;
}

static bool idle(const struct rig *rig, uint64_t unused)
{
    (void)unused;
    return rig->meters->idle;
}

static struct pool_setpoint level(uint64_t concurrency, uint64_t rate_per_s)
{
    return (struct pool_setpoint){
        .floor_milli = concurrency * 1000,
        .concurrency_milli = concurrency * 1000,
        .rate_milli = rate_per_s * 1000,
        .drop_age_ns = NS_PER_S,
        .lease_end_ns = clock_now_ns() + 600 * NS_PER_S,
        .burst = 1,
    };
}

static void set(struct rig *rig, struct pool_setpoint setpoint)
{
    pool_set(rig->pool, &setpoint);
}

/* Drains with all the time in the world. */
static void finish(struct rig *rig)
{
    pool_drain(rig->pool, clock_now_ns() + 600 * NS_PER_S);
    await(rig, idle, 0);
    assert_int_equal(rig->seen.started, ended(&rig->seen));
    assert_int_equal(rig->meters->backlog, 0);
}

/* How each habit of a target ends in the ledger: arrivals open, rate 200/s, up to 4 workers. */

struct habit_case {
    const char *name;
    enum habit habit;
    enum failure failure; /* FAILURE_COUNT: all are ok */
    enum failure other;   /* which class may come beside it; FAILURE_COUNT: none */
};

static const struct habit_case habit_cases[] = {
    {"answers_are_counted_ok", HABIT_ANSWER, FAILURE_COUNT, FAILURE_COUNT},
    {"a_close_instead_of_an_answer_is_closed", HABIT_CLOSE, FAILURE_CLOSED, FAILURE_COUNT},
    {"half_an_answer_is_closed", HABIT_HALF, FAILURE_CLOSED, FAILURE_COUNT},
    {"a_reset_is_reset", HABIT_RESET, FAILURE_RESET, FAILURE_COUNT},
    {"more_than_an_answer_is_unexpected", HABIT_TOO_MUCH, FAILURE_UNEXPECTED, FAILURE_COUNT},
    {"rubbish_is_malformed", HABIT_GARBAGE, FAILURE_MALFORMED, FAILURE_COUNT},
    {"a_503_is_a_status", HABIT_UNAVAILABLE, FAILURE_STATUS, FAILURE_COUNT},
    /* Whether the close is read before or after the next request is written, is the wire's to say.
     */
    {"a_target_that_closes_after_each_answer_is_met_again", HABIT_ANSWER_CLOSE, FAILURE_COUNT,
     FAILURE_CLOSED},
};

static void a_habit_ends_in_its_class(void **state)
{
    const struct habit_case *row = *state;
    struct rig *rig = rig_up(habits_start(row->habit), http_assignment(true), 2);

    set(rig, level(4, 200));
    await(rig, over, 40);
    finish(rig);

    uint64_t expected =
        row->failure == FAILURE_COUNT ? rig->seen.ok : rig->seen.failed[row->failure];
    uint64_t beside = row->other == FAILURE_COUNT
                          ? 0
                          : rig->seen.failed[row->other] + rig->seen.failed[FAILURE_RESET];
    assert_int_equal(expected + beside, rig->seen.started);
    assert_true(expected >= 40 / 2);
    assert_int_equal(rig->seen.unwritten, 0);
    /* Two ledgers that know nothing of each other; what was written to a connection that the target
     * had closed, the target never read. */
    assert_int_equal(habits_requests(rig->server), rig->seen.started - beside);
    rig_down(rig);
}

static void a_status_is_counted_by_its_number(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_UNAVAILABLE), http_assignment(false), 1);

    set(rig, level(2, 0));
    await(rig, over, 10);
    finish(rig);

    assert_int_equal(rig->meters->phases[0].statuses[503 - STATUS_MIN], rig->seen.started);
    assert_int_equal(rig->meters->phases[0].statuses_failed[503 - STATUS_MIN], rig->seen.started);
    rig_down(rig);
}

static void a_refused_port_fails_what_falls_due(void **state)
{
    (void)state;
    struct rig *rig = rig_up(NULL, http_assignment(true), 1);

    set(rig, level(4, 200));
    await(rig, over, 40);
    finish(rig);

    assert_int_equal(rig->seen.failed[FAILURE_CONNECT_REFUSED], rig->seen.started);
    assert_int_equal(rig->seen.unwritten, rig->seen.started);
    assert_int_equal(rig->seen.bytes_sent, 0);
    rig_down(rig);
}

/* Each of `workers` knocks after 0, 100, 300, 700, 1500, 2500 ms, ... of the lane's own time. */
static uint64_t knocks_at_most(const struct rig *rig, uint64_t workers)
{
    uint64_t elapsed_ns = rig->meters->t_agent - rig->meters->phases[0].t_from;
    uint64_t knocks = 1, rest_ns = 100 * NS_PER_MS;
    for (uint64_t at_ns = rest_ns; at_ns <= elapsed_ns; at_ns += rest_ns) {
        knocks++;
        rest_ns = 2 * rest_ns < NS_PER_S ? 2 * rest_ns : NS_PER_S;
    }
    return workers * knocks;
}

static void a_refused_port_is_tried_gently_by_closed_arrivals(void **state)
{
    (void)state;
    struct assignment assignments[] = {http_assignment(false), tcp_assignment(false, "")};

    for (size_t i = 0; i < COUNT(assignments); i++) {
        struct rig *rig = rig_up(NULL, assignments[i], 1);
        set(rig, level(2, 0));
        await(rig, over, 6);
        finish(rig);

        assert_int_equal(rig->seen.failed[FAILURE_CONNECT_REFUSED], rig->seen.started);
        assert_true(rig->seen.started <= knocks_at_most(rig, 2));
        rig_down(rig);
    }
}

static void a_want_of_descriptors_is_not_the_targets_fault(void **state)
{
    (void)state;
    struct rig *rig = rig_up(NULL, http_assignment(false), 1);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    set(rig, level(2, 0));
    await(rig, flagged, BEAT_FD_LIMIT);
    finish(rig);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);

    assert_int_equal(rig->seen.failed[FAILURE_FD_LIMIT], rig->seen.started);
    assert_int_equal(rig->seen.unwritten, rig->seen.started);
    rig_down(rig);
}

static void silence_times_out_in_time(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(false);
    assignment.timeout_ns = TIMEOUT_NS;
    struct rig *rig = rig_up(habits_start(HABIT_SILENCE), assignment, 1);

    set(rig, level(4, 0));
    await(rig, timed_out, 12);
    await(rig, punctual, TIMEOUT_NS + 50 * NS_PER_MS);

    const struct histogram *service = &rig->meters->phases[0].kinds[SAMPLE_SERVICE];
    assert_int_equal(rig->seen.timed_out, ended(&rig->seen));
    assert_true(service->min_ns >= TIMEOUT_NS);
    /* Its connection carries no other request. */
    assert_int_equal(rig->seen.connections_reused, 0);
    rig_down(rig);
}

static bool impatient(const struct rig *rig, uint64_t count)
{
    return rig->seen.timed_out_connect + rig->seen.timed_out_first_byte >= count;
}

static void a_first_byte_that_does_not_come_ends_the_wait_early(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(false);
    assignment.connection.first_byte_timeout_ns = TIMEOUT_NS;
    struct rig *rig = rig_up(habits_start(HABIT_SILENCE), assignment, 1);

    set(rig, level(4, 0));
    await(rig, impatient, 12);
    await(rig, punctual, TIMEOUT_NS + 50 * NS_PER_MS);

    assert_int_equal(rig->seen.timed_out_first_byte, rig->seen.timed_out);
    assert_int_equal(rig->seen.timed_out, ended(&rig->seen));
    assert_true(rig->meters->phases[0].kinds[SAMPLE_SERVICE].min_ns >= TIMEOUT_NS);
    assert_int_equal(rig->seen.unwritten, 0);
    rig_down(rig);
}

static void answers_in_time_are_not_ended_by_limits(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(false);
    assignment.connection.first_byte_timeout_ns = 9 * NS_PER_S;
    assignment.connection.connect_timeout_ns = 9 * NS_PER_S;
    struct rig *rig = rig_up(habits_start(HABIT_SLOW), assignment, 1);

    set(rig, level(4, 0));
    await(rig, over, 100);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    rig_down(rig);
}

/* A listener whose queue is full: the kernel drops what would connect (tcp(7)). */
static int full_house(struct address *address, int *guests, size_t guest_count)
{
    uint32_t count;
    struct address addresses[ADDRESSES_MAX];
    struct error error = {0};
    CHECK(net_resolve("127.0.0.1", 0, addresses, &count, &error));
    int listener = net_listen(&addresses[0], false, 0, &error);
    CHECK(listener >= 0);
    CHECK(net_resolve("127.0.0.1", net_port(listener), addresses, &count, &error));
    *address = addresses[0];
    for (size_t i = 0; i < guest_count; i++) {
        bool connected;
        guests[i] = net_connect(&(struct route){.to = *address}, &connected);
        CHECK(guests[i] >= 0);
    }
    return listener;
}

static void a_connect_that_does_not_come_ends_the_wait_early(void **state)
{
    (void)state;
    struct assignment ahead = http_assignment(true), each = http_assignment(false);
    each.keep_alive = false;
    ahead.connection.connect_timeout_ns = each.connection.connect_timeout_ns = TIMEOUT_NS;
    const struct assignment *both[] = {&ahead, &each};
    for (size_t i = 0; i < COUNT(both); i++) {
        struct rig *rig = rig_up(NULL, *both[i], 1);
        int guests[4];
        int listener = full_house(&rig->reach.address, guests, COUNT(guests));
        pool_destroy(rig->pool);
        struct error error = {0};
        rig->pool = pool_create(&rig->assignment, &rig->reach, 1, driver, NULL, &error);
        assert_non_null(rig->pool);

        set(rig, level(4, 50));
        await(rig, impatient, 8);

        assert_int_equal(rig->seen.timed_out_connect, rig->seen.timed_out);
        assert_int_equal(rig->seen.timed_out, ended(&rig->seen));
        assert_int_equal(rig->seen.unwritten, rig->seen.timed_out);
        assert_true(rig->meters->phases[0].kinds[SAMPLE_SERVICE].min_ns >= TIMEOUT_NS);
        for (size_t k = 0; k < COUNT(guests); k++)
            close(guests[k]);
        close(listener);
        rig_down(rig);
    }
}

static void a_connection_carries_no_more_than_it_may(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(false);
    assignment.connection.requests_max = 5;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), assignment, 1);

    set(rig, level(2, 0));
    await(rig, over, 100);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    /* Five each, but for the last one of each worker. */
    uint64_t least = (rig->seen.started + 4) / 5;
    assert_in_range(habits_connections(rig->server), least, least + 4);
    rig_down(rig);
}

static void an_old_connection_carries_no_other_request(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(true);
    assignment.connection.lifetime_ns = 1; /* older than that when its answer has come */
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), assignment, 1);

    set(rig, level(2, 100));
    await(rig, over, 20);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    assert_int_equal(rig->seen.connections_reused, 0);
    rig_down(rig);
}

static void connections_come_from_the_owners_addresses_in_turns(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(false);
    assignment.keep_alive = false;
    struct rig *rig = rig_up(NULL, assignment, 1);
    int guests[1];
    int listener = full_house(&rig->reach.address, guests, 0);
    struct sources sources = {0};
    struct error error = {0};
    assert_true(sources_add(&sources, "127.0.0.11-127.0.0.13", &error));
    rig->reach.sources = &sources;
    pool_destroy(rig->pool);
    rig->pool = pool_create(&rig->assignment, &rig->reach, 1, driver, NULL, &error);
    assert_non_null(rig->pool);

    set(rig, level(1, 0));
    uint32_t seen[3] = {0};
    for (int i = 0; i < 6; i++) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        struct address peer = {.bytes = sizeof peer.as};
        CHECK(poll(&ready, 1, 10000) == 1);
        int descriptor = accept(listener, &peer.as.any, &peer.bytes);
        CHECK(descriptor >= 0);
        uint32_t last = ntohl(peer.as.v4.sin_addr.s_addr) & 0xff;
        assert_in_range(last, 11, 13);
        seen[last - 11]++;
        close(descriptor);
    }

    for (size_t i = 0; i < COUNT(seen); i++)
        assert_int_equal(seen[i], 2);
    close(listener);
    rig_down(rig);
}

static void a_target_that_moved_is_followed_by_new_connections(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(false);
    assignment.connection.requests_max = 3;
    struct habits *other = habits_start(HABIT_ANSWER);
    struct address moved = habits_address(other);
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), assignment, 2);
    set(rig, level(2, 0));
    await(rig, over, 10);

    pool_move(rig->pool, &moved);
    await(rig, over, rig->seen.started + 30);
    finish(rig);

    assert_true(habits_requests(other) > 0);
    assert_int_equal(habits_requests(rig->server) + habits_requests(other), rig->seen.ok);
    assert_int_equal(rig->seen.ok, rig->seen.started);
    rig_down(rig);
    habits_stop(other);
}

static void a_connection_that_is_closed_while_idle_loses_no_request(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(true), 1);
    set(rig, level(3, 20));
    await(rig, over, 2);
    set(rig, level(3, 0));
    await(rig, in_flight, 0);

    habits_drop(rig->server);
    await(rig, connected, 6);
    set(rig, level(3, 20));
    await(rig, over, 4);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    rig_down(rig);
}

static void bytes_before_any_request_are_no_request(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_GREET), http_assignment(true), 1);

    set(rig, level(2, 0));
    await(rig, connected, 4);

    assert_int_equal(rig->seen.started, 0);
    rig_down(rig);
}

static void a_door_that_shuts_at_once_is_knocked_at_gently(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_SHUT_DOOR), http_assignment(true), 1);

    uint64_t from_ns = clock_now_ns();
    set(rig, level(2, 0));
    await(rig, connected, 6);

    assert_true(clock_now_ns() - from_ns >= 250 * NS_PER_MS); /* after 0, 100, 300 ms */
    assert_int_equal(rig->seen.started, 0);
    rig_down(rig);
}

/* Workloads */

static void a_connection_for_each_request_is_made_and_closed(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(true);
    assignment.keep_alive = false;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), assignment, 1);

    set(rig, level(4, 200));
    await(rig, over, 40);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    assert_int_equal(rig->seen.connections_opened, rig->seen.started);
    assert_int_equal(rig->seen.connections_reused, 0);
    assert_int_equal(habits_connections(rig->server), rig->seen.started);
    rig_down(rig);
}

static void connecting_and_closing_is_a_request(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ECHO), tcp_assignment(false, ""), 1);

    set(rig, level(4, 0));
    await(rig, over, 40);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    assert_int_equal(rig->seen.unwritten, 0);
    assert_int_equal(rig->seen.connections_opened, rig->seen.started);
    rig_down(rig);
}

static void connecting_in_vain_is_a_failed_request(void **state)
{
    (void)state;
    struct rig *rig = rig_up(NULL, tcp_assignment(true, ""), 1);

    set(rig, level(4, 200));
    await(rig, over, 40);
    finish(rig);

    assert_int_equal(rig->seen.failed[FAILURE_CONNECT_REFUSED], rig->seen.started);
    assert_int_equal(rig->seen.unwritten, rig->seen.started);
    rig_down(rig);
}

static void an_echo_is_an_answer(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ECHO), tcp_assignment(false, "hello"), 1);

    set(rig, level(4, 0));
    await(rig, over, 100);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    assert_int_equal(rig->seen.bytes_received, 5 * rig->seen.started);
    assert_int_equal(rig->seen.connections_opened, 4);
    assert_int_equal(rig->seen.connections_reused, rig->seen.started - 4);
    rig_down(rig);
}

static void kinds_come_by_their_weights(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(false);
    assignment.request_count = 2;
    assignment.requests[0].weight = 3;
    assignment.requests[1] = assignment.requests[0];
    assignment.requests[1].weight = 1;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), assignment, 1);

    set(rig, level(2, 0));
    await(rig, over, 100);
    finish(rig);

    int64_t first = (int64_t)rig->meters->phases[0].requests[0].ok;
    int64_t second = (int64_t)rig->meters->phases[0].requests[1].ok;
    assert_true(llabs(first - 3 * second) <= 6);
    rig_down(rig);
}

/* Levels */

static void sixty_four_workers_are_sixty_four_requests_in_flight(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(false), 2);

    set(rig, level(64, 0));
    await(rig, in_flight, 64);
    await(rig, served, 64);
    habits_release(rig->server);
    await(rig, over, 2000);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    assert_int_equal(habits_requests(rig->server), rig->seen.started);
    assert_true(habits_open_most(rig->server) <= 64);
    rig_down(rig);
}

static void growing_starts_at_once_and_shrinking_cuts_nothing(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(false), 1);
    set(rig, level(2, 0));
    await(rig, in_flight, 2);

    set(rig, level(8, 0));
    await(rig, in_flight, 8);
    set(rig, level(3, 0));
    look(rig);
    assert_int_equal(rig->meters->in_flight, 8);
    habits_release(rig->server);
    await(rig, staffed, 3);
    await(rig, guests, 3);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    rig_down(rig);
}

static void open_arrivals_grow_to_the_cap_and_no_further(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(true), 1);
    struct pool_setpoint setpoint = level(20, 1000);
    setpoint.floor_milli = 2000;
    setpoint.drop_age_ns = 20 * NS_PER_MS;

    set(rig, setpoint);
    await(rig, in_flight, 20);
    await(rig, given_up, 10);

    assert_int_equal(rig->meters->workers, 20);
    assert_true(rig->meters->demand_peak >= 20);
    habits_release(rig->server);
    finish(rig);
    assert_int_equal(rig->seen.ok, rig->seen.started);
    assert_true(habits_open_most(rig->server) <= 20);
    rig_down(rig);
}

static void a_pool_that_is_not_needed_shrinks_to_its_floor(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(true), 1);
    struct pool_setpoint setpoint = level(30, 0);
    set(rig, setpoint);
    await(rig, staffed, 30);

    setpoint.floor_milli = 4500;
    set(rig, setpoint);

    await(rig, staffed, 5); /* a floor is rounded up */
    await(rig, guests, 5);
    rig_down(rig);
}

static void half_a_worker_works_half_the_time(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_SLOW), http_assignment(false), 1);
    struct pool_setpoint setpoint = level(0, 0);
    setpoint.concurrency_milli = setpoint.floor_milli = 500;

    set(rig, setpoint);
    await(rig, over, 40);
    await(rig, half_busy, 0);

    assert_int_equal(rig->meters->workers, 1);

    setpoint.concurrency_milli = setpoint.floor_milli = 0;
    set(rig, setpoint);
    await(rig, staffed, 0);
    rig_down(rig);
}

static void a_request_belongs_to_the_phase_in_which_it_fell_due(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(false), 1);
    struct pool_setpoint setpoint = level(4, 0);
    set(rig, setpoint);
    await(rig, in_flight, 4);

    setpoint.phase = 2;
    set(rig, setpoint);
    look(rig); /* the lane reads its mail before it answers */
    habits_release(rig->server);
    await(rig, over, 50);
    finish(rig);

    const struct phase_meter *phases = rig->meters->phases;
    assert_int_equal(phases[0].counters.started, 4);
    assert_int_equal(phases[0].counters.ok, 4);
    assert_int_equal(phases[1].t_from, 0);
    assert_int_equal(phases[2].counters.started, rig->seen.started - 4);
    assert_int_equal(phases[0].t_to, phases[2].t_from);
    assert_true(phases[2].t_to > phases[2].t_from);
    rig_down(rig);
}

static void a_phase_that_comes_again_has_not_ended(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(false), 1);
    struct pool_setpoint setpoint = level(1, 0);
    set(rig, setpoint);
    look(rig);
    uint64_t from_ns = rig->meters->phases[0].t_from;
    setpoint.phase = 1;
    set(rig, setpoint);
    look(rig);
    assert_true(rig->meters->phases[0].t_to > from_ns);

    setpoint.phase = 0;
    set(rig, setpoint);
    look(rig);

    assert_int_equal(rig->meters->phases[0].t_from, from_ns);
    assert_int_equal(rig->meters->phases[0].t_to, 0);
    assert_true(rig->meters->phases[1].t_to > from_ns);
    finish(rig);
    rig_down(rig);
}

static void what_waits_from_a_phase_before_is_counted_in_it(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(true), 1);
    struct pool_setpoint setpoint = level(0, 200);
    setpoint.drop_age_ns = 600 * NS_PER_S;
    set(rig, setpoint);
    await(rig, waiting, 10);

    setpoint.rate_milli = 0;
    setpoint.phase = 1;
    set(rig, setpoint);
    look(rig); /* nothing of phase 0 runs, and ten requests of it wait, or more by now */
    setpoint.concurrency_milli = setpoint.floor_milli = 4000;
    set(rig, setpoint);
    await(rig, over, rig->seen.planned);
    finish(rig);

    assert_int_equal(rig->meters->phases[0].counters.ok, rig->seen.planned);
    assert_int_equal(rig->meters->phases[1].counters.planned, 0);
    rig_down(rig);
}

static void closed_arrivals_keep_to_a_rate(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(false), 1);

    set(rig, level(4, 100));
    await(rig, over, 30);
    set(rig, level(4, 200));
    await(rig, over, 60);
    finish(rig);

    const struct phase_meter *phase = &rig->meters->phases[0];
    double elapsed_s = (double)(phase->t_to - phase->t_from) / 1e9;
    assert_true((double)rig->seen.started <= elapsed_s * 200.0 + 1.0);
    assert_true(elapsed_s >= 0.29 + 0.14);
    assert_int_equal(rig->seen.planned, rig->seen.started);
    assert_int_equal(rig->seen.ok, rig->seen.started);
    rig_down(rig);
}

/* A hundred turns pass while the four workers wait for their answers; twenty are kept. */
static void closed_arrivals_make_up_for_no_more_than_a_burst(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(false), 1);
    struct pool_setpoint setpoint = level(4, 1000);
    setpoint.burst = 20;
    set(rig, setpoint);
    await(rig, in_flight, 4);
    uint64_t held_ns = clock_now_ns();
    while (clock_now_ns() < held_ns + 100 * NS_PER_MS)
        look(rig);

    habits_release(rig->server);
    uint64_t free_ns = clock_now_ns();
    await(rig, over, 60);
    double elapsed_s = (double)(clock_now_ns() - free_ns) / 1e9;
    finish(rig);

    assert_true(elapsed_s >= (60.0 - 4.0 - 20.0 - 1.0) / 1000.0);
    rig_down(rig);
}

/* Ends */

static void what_waits_when_the_lease_is_cut_is_given_up(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(true), 1);
    struct pool_setpoint setpoint = level(1, 500);
    setpoint.drop_age_ns = 600 * NS_PER_S;
    set(rig, setpoint);
    await(rig, waiting, 10);

    setpoint.lease_end_ns = 0;
    set(rig, setpoint);
    look(rig);
    assert_int_equal(rig->meters->backlog, 0);
    habits_release(rig->server);
    finish(rig);

    assert_int_equal(rig->seen.started, 1);
    assert_int_equal(rig->seen.planned, rig->seen.started + rig->seen.not_started);
    rig_down(rig);
}

static void nothing_starts_after_the_lease(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(true), 1);
    struct pool_setpoint setpoint = level(4, 500);
    setpoint.lease_end_ns = clock_now_ns() + 100 * NS_PER_MS;

    set(rig, setpoint);
    await(rig, flagged, BEAT_LEASE_EXPIRED);
    await(rig, in_flight, 0);
    uint64_t started = rig->seen.started;
    assert_int_equal(rig->meters->backlog, 0);
    assert_true(rig->seen.planned <= 51); /* 500/s for 100 ms at most, and the first */
    set(rig, level(4, 500));
    await(rig, over, started + 10);
    finish(rig);

    assert_int_equal(rig->seen.ok, rig->seen.started);
    assert_int_equal(habits_requests(rig->server), rig->seen.started);
    rig_down(rig);
}

static void closed_arrivals_stop_at_the_lease_and_go_on_with_the_next(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(false), 1);
    struct pool_setpoint setpoint = level(4, 0);
    setpoint.lease_end_ns = clock_now_ns() + 50 * NS_PER_MS;

    set(rig, setpoint);
    await(rig, flagged, BEAT_LEASE_EXPIRED);
    await(rig, in_flight, 0);
    uint64_t started = rig->seen.started;
    look(rig);
    assert_int_equal(rig->seen.started, started);
    set(rig, level(4, 0));
    await(rig, over, started + 10);
    finish(rig);

    assert_int_equal(habits_requests(rig->server), rig->seen.started);
    rig_down(rig);
}

static void a_drain_waits_for_what_is_in_flight(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(true), 1);
    struct pool_setpoint setpoint = level(4, 500);
    set(rig, setpoint);
    await(rig, in_flight, 4);

    pool_drain(rig->pool, clock_now_ns() + 600 * NS_PER_S);
    look(rig);
    assert_false(rig->meters->idle);
    assert_int_equal(rig->meters->in_flight, 4);
    assert_int_equal(rig->meters->backlog, 0);
    habits_release(rig->server);
    await(rig, idle, 0);

    assert_int_equal(rig->seen.ok, 4);
    assert_int_equal(rig->seen.started, 4);
    rig_down(rig);
}

static void an_abort_leaves_what_it_cuts_in_flight(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(false), 1);
    set(rig, level(4, 0));
    await(rig, in_flight, 4);
    await(rig, served, 4);

    pool_abort(rig->pool);
    await(rig, idle, 0);

    assert_int_equal(rig->seen.started, 4);
    assert_int_equal(counters_in_flight(&rig->seen), 4);
    assert_int_equal(rig->meters->workers, 0);
    await(rig, guests, 0);
    rig_down(rig);
}

static void a_drain_can_be_cut_short_and_obeys_no_setpoint(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_HOLD), http_assignment(false), 1);
    set(rig, level(2, 0));
    await(rig, in_flight, 2);

    pool_drain(rig->pool, clock_now_ns() + 600 * NS_PER_S);
    set(rig, level(8, 0));
    look(rig);
    assert_int_equal(rig->meters->in_flight, 2);
    pool_abort(rig->pool);
    await(rig, idle, 0);

    assert_int_equal(rig->seen.started, 2);
    rig_down(rig);
}

static void a_pool_that_never_ran_drains_at_once(void **state)
{
    (void)state;
    struct rig *rig = rig_up(habits_start(HABIT_ANSWER), http_assignment(true), 2);

    finish(rig);

    assert_int_equal(rig->seen.planned, 0);
    rig_down(rig);
}

static void a_workload_that_is_not_known_is_refused(void **state)
{
    (void)state;
    struct assignment assignment = http_assignment(true);
    strcpy(assignment.workload, "gopher");
    struct reach nowhere = {0};
    struct error error = {0};

    assert_null(pool_create(&assignment, &nowhere, 1, driver, NULL, &error));
    assert_int_equal(error.kind, ERROR_PLAN);
    assert_null(pool_create(&assignment, &nowhere, 0, driver, NULL, &error));
    assert_int_equal(error.kind, ERROR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(a_status_is_counted_by_its_number),
        cmocka_unit_test(a_refused_port_fails_what_falls_due),
        cmocka_unit_test(a_refused_port_is_tried_gently_by_closed_arrivals),
        cmocka_unit_test(a_want_of_descriptors_is_not_the_targets_fault),
        cmocka_unit_test(silence_times_out_in_time),
        cmocka_unit_test(a_first_byte_that_does_not_come_ends_the_wait_early),
        cmocka_unit_test(answers_in_time_are_not_ended_by_limits),
        cmocka_unit_test(a_connect_that_does_not_come_ends_the_wait_early),
        cmocka_unit_test(a_connection_carries_no_more_than_it_may),
        cmocka_unit_test(a_target_that_moved_is_followed_by_new_connections),
        cmocka_unit_test(an_old_connection_carries_no_other_request),
        cmocka_unit_test(connections_come_from_the_owners_addresses_in_turns),
        cmocka_unit_test(a_connection_that_is_closed_while_idle_loses_no_request),
        cmocka_unit_test(bytes_before_any_request_are_no_request),
        cmocka_unit_test(a_door_that_shuts_at_once_is_knocked_at_gently),
        cmocka_unit_test(a_connection_for_each_request_is_made_and_closed),
        cmocka_unit_test(connecting_and_closing_is_a_request),
        cmocka_unit_test(connecting_in_vain_is_a_failed_request),
        cmocka_unit_test(an_echo_is_an_answer),
        cmocka_unit_test(kinds_come_by_their_weights),
        cmocka_unit_test(sixty_four_workers_are_sixty_four_requests_in_flight),
        cmocka_unit_test(growing_starts_at_once_and_shrinking_cuts_nothing),
        cmocka_unit_test(open_arrivals_grow_to_the_cap_and_no_further),
        cmocka_unit_test(a_pool_that_is_not_needed_shrinks_to_its_floor),
        cmocka_unit_test(half_a_worker_works_half_the_time),
        cmocka_unit_test(a_request_belongs_to_the_phase_in_which_it_fell_due),
        cmocka_unit_test(a_phase_that_comes_again_has_not_ended),
        cmocka_unit_test(what_waits_from_a_phase_before_is_counted_in_it),
        cmocka_unit_test(closed_arrivals_keep_to_a_rate),
        cmocka_unit_test(closed_arrivals_make_up_for_no_more_than_a_burst),
        cmocka_unit_test(what_waits_when_the_lease_is_cut_is_given_up),
        cmocka_unit_test(nothing_starts_after_the_lease),
        cmocka_unit_test(closed_arrivals_stop_at_the_lease_and_go_on_with_the_next),
        cmocka_unit_test(a_drain_waits_for_what_is_in_flight),
        cmocka_unit_test(an_abort_leaves_what_it_cuts_in_flight),
        cmocka_unit_test(a_drain_can_be_cut_short_and_obeys_no_setpoint),
        cmocka_unit_test(a_pool_that_never_ran_drains_at_once),
        cmocka_unit_test(a_workload_that_is_not_known_is_refused),
    };
    struct CMUnitTest tests[COUNT(habit_cases) + COUNT(plain)];
    for (size_t i = 0; i < COUNT(habit_cases); i++)
        tests[i] = (struct CMUnitTest){.name = habit_cases[i].name,
                                       .test_func = a_habit_ends_in_its_class,
                                       .initial_state = (void *)(uintptr_t)&habit_cases[i]};
    memcpy(tests + COUNT(habit_cases), plain, sizeof plain);
    driver = &engine_epoll;
    int failures = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
    struct error why = {0};
    driver = engine_choose(ENGINE_URING, &why);
    if (driver == NULL)
        print_message("not on io_uring: %s\n", why.message);
    else
        failures += cmocka_run_group_tests_name("uring", tests, NULL, NULL);
    return failures;
}
