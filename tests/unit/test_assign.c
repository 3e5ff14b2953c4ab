#include "coordinator/assign.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/version.h"
#include "proto/assignment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD      "version: 1\ntarget: http://127.0.0.1:8080\ngoal: {hold: 5000/s}\nduration: 60s\n"
#define USER      "User-Agent: clobber/" CLOBBER_VERSION "\r\n"
#define HOST_LINE "Host: 127.0.0.1:8080\r\n"

static uint8_t bytes[ASSIGNMENT_BYTES_MAX];
static char texts[ASSIGNMENT_TEXT_BYTES];

static struct plan *read_plan(const char *text)
{
    static struct plan_errors errors;
    errors = (struct plan_errors){0};
    struct plan *plan = plan_read("p.yaml", text, strlen(text), &errors);
    if (plan == NULL)
        fail_msg("%s", errors.items[0].message);
    return plan;
}

/* What an agent finds in the bytes. */
static struct assignment assign(const char *text)
{
    struct plan *plan = read_plan(text);
    struct error error = {0};
    size_t byte_count = 0;
    struct assignment assignment = {0};
    if (!assign_from_plan(plan, bytes, &byte_count, &error))
        fail_msg("%s", error.message);
    plan_destroy(plan); /* nothing of it is needed any more */
    if (!assignment_decode(bytes, byte_count, texts, &assignment, &error))
        fail_msg("%s", error.message);
    return assignment;
}

static void assert_bytes(const struct assignment *assignment, uint32_t index, const char *wanted)
{
    char sent[2048];
    const struct assignment_request *request = &assignment->requests[index];
    CHECK(request->byte_count < sizeof sent);
    memcpy(sent, request->bytes, request->byte_count);
    sent[request->byte_count] = '\0';
    assert_string_equal(sent, wanted);
    assert_int_equal(request->byte_count, strlen(wanted));
}

static void assignment_says_all_that_an_agent_needs(void **state)
{
    (void)state;
    struct assignment assignment =
        assign(HOLD "seed: 7\nlimits: {concurrency: 99}\nhttp: {timeout: 2s}\n"
                    "requests: [{name: a, weight: 3, head: /x, expect: {status: 204}}]\n");

    assert_string_equal(assignment.workload, "http1");
    assert_string_equal(assignment.host, "127.0.0.1");
    assert_int_equal(assignment.port, 8080);
    assert_true(assignment.open_arrivals);
    assert_true(assignment.keep_alive);
    assert_int_equal(assignment.seed, 7);
    assert_int_equal(assignment.timeout_ns, 2 * NS_PER_S);
    assert_int_equal(assignment.phases, 2);
    assert_int_equal(assignment.duration_ns, 60 * NS_PER_S);
    assert_int_equal(assignment.concurrency_max, 99);
    assert_true(assignment.rate_max_per_s == 5000.0);
    assert_int_equal(assignment.request_count, 1);
    assert_string_equal(assignment.requests[0].name, "a");
    assert_int_equal(assignment.requests[0].weight, 3);
    assert_true(assignment.requests[0].head);
    assert_int_equal(assignment.requests[0].expect_status, 204);
}

static void tls_is_asked_for_by_the_scheme_and_travels_with_its_options(void **state)
{
    (void)state;
    struct assignment plain = assign(HOLD);
    assert_false(plain.tls.used);

    struct assignment assignment =
        assign("version: 1\ntarget: https://a.example\ngoal: {hold: 1/s}\nduration: 60s\n"
               "http: {tls: {server_name: b.example, resumption: false}}\n");

    assert_true(assignment.tls.used);
    assert_true(assignment.tls.verify);
    assert_false(assignment.tls.resumption);
    assert_int_equal(assignment.tls.server_name.count, 9);
    assert_memory_equal(assignment.tls.server_name.bytes, "b.example", 9);
    assert_int_equal(assignment.tls.key.count, 0);
    assert_int_equal(assignment.port, 443);
    assert_bytes(&assignment, 0, "GET / HTTP/1.1\r\nHost: a.example\r\n" USER "\r\n");
}

static void expectations_travel_one_by_one(void **state)
{
    (void)state;
    struct assignment assignment =
        assign(HOLD "http: {follow_redirects: 3, cookies: true}\n"
                    "requests: [{get: /a}, {get: /b, expect: {status: [204, 2xx], header: {A: b}, "
                    "body_contains: ab, body_size: '< 9'}}]\n");

    assert_int_equal(assignment.http.redirects_max, 3);
    assert_true(assignment.http.cookies);
    assert_int_equal(assignment.requests[1].expect_status, 0);
    const struct assignment_expectation *seen = assignment.expectations;
    assert_int_equal(assignment.expectation_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(seen[i].request, 1);
    assert_int_equal(seen[0].kind, EXPECT_STATUS_CLASS);
    assert_int_equal(seen[0].most, 204);
    assert_int_equal(seen[1].least, 200);
    assert_int_equal(seen[1].most, 299);
    assert_int_equal(seen[2].kind, EXPECT_HEADER);
    assert_memory_equal(seen[2].name.bytes, "A", seen[2].name.count);
    assert_memory_equal(seen[2].text.bytes, "b", seen[2].text.count);
    assert_int_equal(seen[3].kind, EXPECT_BODY);
    assert_memory_equal(seen[3].text.bytes, "ab", seen[3].text.count);
    assert_int_equal(seen[4].kind, EXPECT_BODY_BYTES);
    assert_int_equal(seen[4].least, 0);
    assert_int_equal(seen[4].most, 8);
}

static void arrivals_are_open_for_an_open_hold_alone(void **state)
{
    (void)state;
    struct assignment closed = assign("version: 1\ntarget: http://h\nduration: 9s\n"
                                      "goal: {hold: 1/s, arrivals: closed}\n");
    struct assignment fixed =
        assign("version: 1\ntarget: http://h\nduration: 9s\ngoal: {concurrency: 64}\n");

    struct assignment scattered = assign("version: 1\ntarget: http://h\nduration: 9s\n"
                                         "goal: {hold: 1/s, spacing: poisson}\n");

    assert_false(closed.open_arrivals);
    assert_false(closed.scatter.used);
    assert_false(fixed.open_arrivals);
    assert_true(scattered.open_arrivals);
    assert_true(scattered.scatter.used);
    assert_true(fixed.rate_max_per_s == 0.0);
}

static void stages_make_phases_and_the_largest_rate(void **state)
{
    (void)state;
    struct assignment assignment =
        assign("version: 1\ntarget: http://h\ngoal: {hold: stages}\n"
               "stages: [{duration: 9s, to: 5/s}, {duration: 1s, to: 2/s}]\n");

    assert_int_equal(assignment.phases, 3);
    assert_int_equal(assignment.duration_ns, 10 * NS_PER_S);
    assert_true(assignment.rate_max_per_s == 5.0);
}

/* Requests as they go over the wire. */
static const struct http_case {
    const char *name, *text, *sent;
} http_cases[] = {
    {"a_get_has_host_and_agent", HOLD, "GET / HTTP/1.1\r\n" HOST_LINE USER "\r\n"},
    {"port_80_is_not_named",
     "version: 1\ntarget: http://h:80/a?b\ngoal: {concurrency: 1}\nduration: 9s\n",
     "GET /a?b HTTP/1.1\r\nHost: h\r\n" USER "\r\n"},
    {"an_ipv6_host_stands_in_brackets",
     "version: 1\ntarget: \"http://[::1]:81\"\ngoal: {concurrency: 1}\nduration: 9s\n",
     "GET / HTTP/1.1\r\nHost: [::1]:81\r\n" USER "\r\n"},
    {"the_plans_headers_follow",
     HOLD "http: {headers: {A: b}}\nrequests: [{get: /, headers: {C: d}}]\n",
     "GET / HTTP/1.1\r\n" HOST_LINE USER "A: b\r\nC: d\r\n\r\n"},
    {"the_plans_host_and_agent_take_the_place_of_ours",
     HOLD "http: {headers: {host: shop, USER-AGENT: me}}\n",
     "GET / HTTP/1.1\r\nhost: shop\r\nUSER-AGENT: me\r\n\r\n"},
    {"a_body_is_counted_in_bytes", HOLD "requests: [{post: /, body: \"\xC3\xA4\\r\\n\"}]\n",
     "POST / HTTP/1.1\r\n" HOST_LINE USER "Content-Length: 4\r\n\r\n\xC3\xA4\r\n"},
    {"a_post_without_a_body_says_so", HOLD "requests: [{post: /}]\n",
     "POST / HTTP/1.1\r\n" HOST_LINE USER "Content-Length: 0\r\n\r\n"},
    {"a_get_may_have_a_body", HOLD "requests: [{get: /, body: x}]\n",
     "GET / HTTP/1.1\r\n" HOST_LINE USER "Content-Length: 1\r\n\r\nx"},
    {"without_keep_alive_the_connection_closes", HOLD "http: {keep_alive: false}\n",
     "GET / HTTP/1.1\r\n" HOST_LINE USER "Connection: close\r\n\r\n"},
};

static void http_is_written(void **state)
{
    const struct http_case *wanted = *state;

    struct assignment assignment = assign(wanted->text);

    assert_bytes(&assignment, 0, wanted->sent);
}

static void a_search_has_three_phases_and_a_bound_on_latency_asks_for_digests(void **state)
{
    (void)state;
    static const char head[] = "version: 1\ntarget: http://h\nduration: 9s\ngoal: ";
    char text[256];
    static const struct {
        const char *goal;
        bool digest;
    } rows[] = {{"{maximize: throughput}", false},
                {"{maximize: throughput, while: [errors.rate < 1%]}", false},
                {"{maximize: throughput, while: [latency.p(99) < 20ms]}", true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof text, "%s%s\n", head, rows[i].goal);
        struct assignment assignment = assign(text);
        assert_int_equal(assignment.phases, 3);
        assert_false(assignment.open_arrivals);
        assert_int_equal(assignment.latency_digest, rows[i].digest);
        assert_true(assignment.rate_max_per_s == 0.0);
    }
}

static void tcp_sends_its_payload_as_it_is(void **state)
{
    (void)state;
    struct assignment assignment =
        assign("version: 1\ntarget: tcp://h:1\ngoal: {concurrency: 1}\nduration: 9s\n"
               "requests:\n"
               "  - {send: \"PING\\r\\n\", expect: {prefix: +PONG}}\n"
               "  - {reconnect: true}\n");

    assert_string_equal(assignment.workload, "tcp");
    assert_bytes(&assignment, 0, "PING\r\n");
    assert_int_equal(assignment.requests[0].expect_prefix_count, 5);
    assert_memory_equal(assignment.requests[0].expect_prefix, "+PONG", 5);
    assert_false(assignment.requests[0].reconnect);
    assert_bytes(&assignment, 1, "");
    assert_true(assignment.requests[1].reconnect);
}

/* A plan that is good can be sent: the fullest mix of requests that plan_read() takes fits the
 * bytes. */
static void whatever_a_plan_may_hold_fits(void **state)
{
    (void)state;
    static char text[2 * ASSIGNMENT_BYTES_MAX];
    char *end = text + sprintf(text, HOLD "http: {keep_alive: false}\nrequests:\n");
    for (unsigned i = 0; i < REQUEST_NAMES_MAX; i++) {
        end += sprintf(end, "- {name: '%0255u', options: /, body: '", i);
        memset(end, 'x', 734);
        end = stpcpy(end + 734, "'}\n");
    }
    static struct plan_errors errors;
    struct error error = {0};
    size_t byte_count = 0;

    struct plan *plan = plan_read("p.yaml", text, strlen(text), &errors);
    assert_non_null(plan);
    assert_true(assign_from_plan(plan, bytes, &byte_count, &error));
    plan_destroy(plan);

    assert_true(byte_count <= ASSIGNMENT_BYTES_MAX);
}

static void limits_of_connections_travel_in_their_section(void **state)
{
    (void)state;
    struct assignment plain = assign(HOLD);
    struct assignment limited =
        assign(HOLD "http: {connect_timeout: 250ms, first_byte_timeout: 1s, resolve: {every: 30s}, "
                    "connection: {requests: 1000, age: 5m}}\n");

    assert_false(plain.connection.used);
    assert_true(limited.connection.used);
    assert_int_equal(limited.connection.connect_timeout_ns, 250 * NS_PER_MS);
    assert_int_equal(limited.connection.first_byte_timeout_ns, NS_PER_S);
    assert_int_equal(limited.connection.resolve_every_ns, 30 * NS_PER_S);
    assert_int_equal(limited.connection.requests_max, 1000);
    assert_int_equal(limited.connection.lifetime_ns, 300 * NS_PER_S);
}

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(limits_of_connections_travel_in_their_section),
        cmocka_unit_test(assignment_says_all_that_an_agent_needs),
        cmocka_unit_test(tls_is_asked_for_by_the_scheme_and_travels_with_its_options),
        cmocka_unit_test(expectations_travel_one_by_one),
        cmocka_unit_test(arrivals_are_open_for_an_open_hold_alone),
        cmocka_unit_test(stages_make_phases_and_the_largest_rate),
        cmocka_unit_test(a_search_has_three_phases_and_a_bound_on_latency_asks_for_digests),
        cmocka_unit_test(tcp_sends_its_payload_as_it_is),
        cmocka_unit_test(whatever_a_plan_may_hold_fits),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(http_cases)];
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(http_cases); i++)
        tests[COUNT(plain) + i] =
            (struct CMUnitTest){.name = http_cases[i].name,
                                .test_func = http_is_written,
                                .initial_state = (void *)(uintptr_t)&http_cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
