#include "coordinator/plan.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "coordinator/plan_table.h"
#include "tests/support/guard.h"
#include "tests/unit/shelf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "version: 1\ntarget: http://127.0.0.1:8080\n"
#define HOLD HEAD "goal: {hold: 5000/s}\nduration: 60s\n"

static struct plan_errors errors;
static struct shelf_file shelf[] = {
    {"users.csv", "id,name\n1,ann\n2,bob\n"},
    {"payload.json", "{\"id\": {{ users.id }}}\n"},
    {"ca.pem", "-----BEGIN CERTIFICATE-----\n"},
    {"ours.pem", "-----BEGIN CERTIFICATE-----\n"},
    {"ours.key", "-----BEGIN PRIVATE KEY-----\nsecret\n"},
    {NULL, NULL},
};

static void print_errors(void)
{
    char text[ERROR_MESSAGE_BYTES + 64];
    for (uint32_t i = 0; i < errors.count; i++)
        print_message("%s\n", error_text(&errors.items[i], text, sizeof text));
}

/* A plan without mistakes; what lies behind its text may not be touched. */
static struct plan *read_plan(const char *text)
{
    struct guard guard = guard_open(strlen(text));
    errors = (struct plan_errors){0};
    struct plan_files files = {.context = shelf, .load = shelf_load, .secret = shelf_secret};
    struct plan *plan =
        plan_read_with("dir/soak.yaml", (const char *)guard_copy(&guard, text, strlen(text)),
                       strlen(text), &files, &errors);
    guard_close(&guard);
    print_errors();
    assert_non_null(plan);
    assert_int_equal(errors.count, 0);
    return plan;
}

static void plan_fills_in_every_default(void **state)
{
    (void)state;
    struct plan *plan = read_plan(HOLD);

    assert_string_equal(plan->path, "dir/soak.yaml");
    assert_string_equal(plan->text, HOLD);
    assert_string_equal(plan->name, "soak");
    assert_int_equal(plan->scheme, SCHEME_HTTP);
    assert_string_equal(plan->host, "127.0.0.1");
    assert_int_equal(plan->port, 8080);
    assert_string_equal(plan->target_path, "/");
    assert_int_equal(plan->goal, GOAL_HOLD);
    assert_int_equal(plan->arrivals, ARRIVALS_OPEN);
    assert_true(plan->tolerance == 0.01);
    assert_true(plan->schedule.value == 5000.0);
    assert_int_equal(plan->schedule.duration_ns, 60 * NS_PER_S);
    assert_int_equal(plan->schedule.warmup_ns, 0);
    assert_int_equal(plan->seed, 1);
    assert_int_equal(plan->concurrency_max, 20000);
    assert_int_equal(plan->stop_after_ns, 10 * NS_PER_S);
    assert_int_equal(plan->agents_expect, 1);
    assert_false(plan->agents_expect_given);
    assert_int_equal(plan->agents_min, 1);
    assert_int_equal(plan->agents_wait_ns, 60 * NS_PER_S);
    assert_int_equal(plan->on_loss, ON_LOSS_REDISTRIBUTE);
    assert_int_equal(plan->timeout_ns, 5 * NS_PER_S);
    assert_true(plan->keep_alive);
    assert_string_equal(plan->headers, "");
    assert_int_equal(plan->threshold_count, 0);
    plan_destroy(plan);
}

static void plan_without_requests_gets_the_path_of_its_target(void **state)
{
    (void)state;
    struct plan *plan = read_plan("version: 1\ntarget: http://web:81/shop?q=1\n"
                                  "goal: {concurrency: 64}\nduration: 1m\n");

    assert_int_equal(plan->request_count, 1);
    assert_string_equal(plan->requests[0].name, "GET /shop?q=1");
    assert_string_equal(plan->requests[0].method, "GET");
    assert_string_equal(plan->requests[0].path, "/shop?q=1");
    assert_int_equal(plan->requests[0].weight, 1);
    assert_int_equal(plan->goal, GOAL_CONCURRENCY);
    assert_true(plan->schedule.value == 64.0);
    plan_destroy(plan);
}

static void plan_takes_everything_the_contract_shows(void **state)
{
    (void)state;
    struct plan *plan = read_plan(
        "version: 1\n"
        "name: checkout\n"
        "target: http://127.0.0.1:8080\n"
        "goal: {hold: 10k/s, tolerance: 0.5%, arrivals: closed}\n"
        "duration: 1h30m\n"
        "warmup: 5s\n"
        "seed: 42\n"
        "limits: {concurrency: 300, stop_after: 0}\n"
        "agents: {expect: 4, min: 3, wait: 90s, on_loss: abort}\n"
        "http: {headers: {Accept: application/json, X-Run: 7}, timeout: 250ms, keep_alive: false}\n"
        "requests:\n"
        "  - {name: browse, weight: 9, get: /p, expect: {status: 200}}\n"
        "  - name: buy\n"
        "    post: /buy\n"
        "    headers: {accept: '*/*', Content-Type: application/json}\n"
        "    body: '{\"user\": 1}'\n"
        "thresholds:\n"
        "  - latency.p(99)<250ms\n"
        "  - errors.rate  <=  0.1 %\n"
        "  - throughput > 4900/s\n");

    assert_string_equal(plan->name, "checkout");
    assert_true(plan->schedule.value == 10000.0);
    assert_true(plan->tolerance == 0.005);
    assert_int_equal(plan->arrivals, ARRIVALS_CLOSED);
    assert_int_equal(plan->schedule.duration_ns, 5400 * NS_PER_S);
    assert_int_equal(plan->schedule.warmup_ns, 5 * NS_PER_S);
    assert_int_equal(plan->seed, 42);
    assert_int_equal(plan->concurrency_max, 300);
    assert_int_equal(plan->stop_after_ns, 0);
    assert_int_equal(plan->agents_expect, 4);
    assert_true(plan->agents_expect_given);
    assert_int_equal(plan->agents_min, 3);
    assert_int_equal(plan->agents_wait_ns, 90 * NS_PER_S);
    assert_int_equal(plan->on_loss, ON_LOSS_ABORT);
    assert_int_equal(plan->timeout_ns, 250 * NS_PER_MS);
    assert_false(plan->keep_alive);
    assert_int_equal(plan->request_count, 2);
    assert_int_equal(plan->requests[0].weight, 9);
    assert_int_equal(plan->requests[0].expect_statuses.items[0].least, 200);
    assert_string_equal(plan->requests[0].headers, "Accept: application/json\r\nX-Run: 7\r\n");
    assert_string_equal(plan->requests[1].method, "POST");
    assert_string_equal(plan->requests[1].headers,
                        "X-Run: 7\r\naccept: */*\r\nContent-Type: application/json\r\n");
    assert_int_equal(plan->requests[1].body_bytes, strlen("{\"user\": 1}"));
    assert_int_equal(plan->threshold_count, 3);
    plan_destroy(plan);
}

static void plan_of_tcp_sends_and_expects(void **state)
{
    (void)state;
    struct plan *plan = read_plan("version: 1\ntarget: tcp://[::1]:6379\n"
                                  "goal: {hold: 90/min}\nduration: 10s\n"
                                  "http: {timeout: 1s}\n"
                                  "requests:\n"
                                  "  - {send: \"PING\\r\\n\\0\", expect: {prefix: +PONG}}\n"
                                  "  - {reconnect: true}\n");

    assert_int_equal(plan->scheme, SCHEME_TCP);
    assert_string_equal(plan->host, "::1");
    assert_int_equal(plan->port, 6379);
    assert_true(plan->schedule.value == 1.5);
    assert_string_equal(plan->requests[0].name, "request 1");
    assert_int_equal(plan->requests[0].send_bytes, 7);
    assert_memory_equal(plan->requests[0].send, "PING\r\n\0", 7);
    assert_int_equal(plan->requests[0].expect_prefix_bytes, 5);
    assert_false(plan->requests[0].reconnect);
    assert_string_equal(plan->requests[1].name, "request 2");
    assert_int_equal(plan->requests[1].send_bytes, 0);
    assert_true(plan->requests[1].reconnect);
    plan_destroy(plan);
}

static void plan_of_redis_has_commands(void **state)
{
    (void)state;
    struct plan *plan = read_plan("version: 1\ntarget: redis://cache\n"
                                  "goal: {hold: 90/min}\nduration: 10s\n"
                                  "requests:\n"
                                  "  - command: SET key 'a \"b\" c'  \n"
                                  "  - command: [GET, k, \"\", \"x\\r\\ny\", 7]\n"
                                  "    reconnect: true\n"
                                  "  - {command: 'ECHO \"\\r\\n\\\"\"', expect: {prefix: $3}}\n");

    assert_int_equal(plan->scheme, SCHEME_REDIS);
    assert_int_equal(plan->port, 6379);
    assert_string_equal(plan->requests[0].send,
                        "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$7\r\na \"b\" c\r\n");
    assert_string_equal(plan->requests[0].name, "SET key a \"b\" c");
    assert_string_equal(plan->requests[1].send,
                        "*5\r\n$3\r\nGET\r\n$1\r\nk\r\n$0\r\n\r\n$4\r\nx\r\ny\r\n$1\r\n7\r\n");
    assert_string_equal(plan->requests[1].name, "GET k");
    assert_true(plan->requests[1].reconnect);
    assert_string_equal(plan->requests[2].send, "*2\r\n$4\r\nECHO\r\n$3\r\n\r\n\"\r\n");
    assert_int_equal(plan->requests[2].expect_prefix_bytes, 2);
    plan_destroy(plan);
}

static void plan_of_redis_without_requests_pings(void **state)
{
    (void)state;
    struct plan *plan = read_plan("version: 1\ntarget: redis://[::1]:7000\n"
                                  "goal: {hold: 90/min}\nduration: 10s\n");

    assert_int_equal(plan->port, 7000);
    assert_int_equal(plan->request_count, 1);
    assert_string_equal(plan->requests[0].name, "PING");
    assert_string_equal(plan->requests[0].send, "*1\r\n$4\r\nPING\r\n");
    plan_destroy(plan);
}

static void plan_of_stages_takes_their_sum(void **state)
{
    (void)state;
    struct plan *plan = read_plan(HEAD "goal: {hold: stages}\n"
                                       "warmup: 29s\n"
                                       "stages:\n"
                                       "  - {duration: 30s, to: 2500/s}\n"
                                       "  - {duration: 0, to: 0/s}\n"
                                       "  - {duration: 5m, to: 5000/s}\n");

    assert_int_equal(plan->schedule.stage_count, 3);
    assert_int_equal(plan->schedule.duration_ns, 330 * NS_PER_S);
    assert_true(plan->schedule.stages[0].to == 2500.0);
    assert_int_equal(plan->schedule.stages[1].duration_ns, 0);
    assert_true(plan->schedule.stages[2].to == 5000.0);
    plan_destroy(plan);
}

static void stages_of_a_concurrency_are_workers(void **state)
{
    (void)state;
    struct plan *plan = read_plan(HEAD "goal: {concurrency: stages}\n"
                                       "stages: [{duration: 30s, to: 64}]\n");
    char text[64];

    assert_int_equal(plan->goal, GOAL_CONCURRENCY);
    assert_true(plan->schedule.stages[0].to == 64.0);
    assert_string_equal(plan_goal_text(plan, text, sizeof text), "concurrency 0 to 64 in 1 stage");
    plan_destroy(plan);
}

/* What a line means, and how it is kept. */
struct threshold_case {
    const char *name, *line, *text;
    enum threshold_metric metric;
    double quantile;
    bool below, inclusive;
    double bound;
};

static const struct threshold_case threshold_cases[] = {
    {"threshold_of_a_quantile", "latency.p(99) < 250ms", "latency.p(99) < 250ms",
     METRIC_LATENCY_QUANTILE, 0.99, true, false, 250e6},
    {"threshold_of_a_fine_quantile", "latency.p(99.99)<=1.5s", "latency.p(99.99) <= 1.5s",
     METRIC_LATENCY_QUANTILE, 0.9999, true, true, 1.5e9},
    {"threshold_of_the_largest_quantile", "service.p(100) < 1s", "service.p(100) < 1s",
     METRIC_SERVICE_QUANTILE, 1.0, true, false, 1e9},
    {"threshold_of_the_mean", "latency.mean > 1us", "latency.mean > 1us", METRIC_LATENCY_MEAN, 0.0,
     false, false, 1e3},
    {"threshold_of_the_longest", " latency.max\t<\t 2m", "latency.max < 2m", METRIC_LATENCY_MAX,
     0.0, true, false, 120e9},
    {"threshold_of_errors_as_the_screen_shows_them", "errors.rate < 0.1 %", "errors.rate < 0.1%",
     METRIC_ERRORS_RATE, 0.0, true, false, 0.001},
    {"threshold_of_no_errors_at_all", "errors.rate <= 0", "errors.rate <= 0", METRIC_ERRORS_RATE,
     0.0, true, true, 0.0},
    {"threshold_of_a_throughput", "throughput >= 6k/min", "throughput >= 6k/min", METRIC_THROUGHPUT,
     0.0, false, true, 100.0},
};

static void threshold_is_read(void **state)
{
    const struct threshold_case *wanted = *state;
    char text[256];
    snprintf(text, sizeof text, HOLD "thresholds: [\"%s\"]\n", wanted->line);

    struct plan *plan = read_plan(text);

    assert_int_equal(plan->threshold_count, 1);
    const struct threshold *threshold = &plan->thresholds[0];
    assert_string_equal(threshold->text, wanted->text);
    assert_int_equal(threshold->metric, wanted->metric);
    assert_true(fabs(threshold->quantile - wanted->quantile) < 1e-12);
    assert_int_equal(threshold->below, wanted->below);
    assert_int_equal(threshold->inclusive, wanted->inclusive);
    assert_true(threshold->bound == wanted->bound);
    plan_destroy(plan);
}

struct target_case {
    const char *name, *url, *host;
    uint16_t port;
    const char *path;
    const char *unix_path; /* NULL: none */
};

static const struct target_case target_cases[] = {
    {"target_has_port_80_unless_told", "http://example.org", "example.org", 80, "/", NULL},
    {"target_may_be_ipv6", "http://[::1]:8080/x", "::1", 8080, "/x", NULL},
    {"target_may_be_ipv6_without_a_port", "http://[fe80::1]", "fe80::1", 80, "/", NULL},
    {"target_keeps_its_query", "http://a_b-c.d:1/p?q={1}", "a_b-c.d", 1, "/p?q={1}", NULL},
    {"target_has_a_scheme_in_any_letters", "HTTP://h:65535/", "h", 65535, "/", NULL},
    {"target_may_be_tcp", "tcp://10.0.0.1:6379", "10.0.0.1", 6379, "/", NULL},
    {"target_may_be_a_unix_socket", "http+unix://%2frun%2Fa-b.sock/p?q=1", "localhost", 80,
     "/p?q=1", "/run/a-b.sock"},
    {"target_may_be_a_unix_socket_without_a_path", "HTTP+Unix://%2Fx", "localhost", 80, "/", "/x"},
    {"target_may_be_tcp_over_a_unix_socket", "tcp+unix://%2Fx", "localhost", 0, "/", "/x"},
};

static void target_is_read(void **state)
{
    const struct target_case *wanted = *state;
    char text[256];
    snprintf(text, sizeof text, "version: 1\ntarget: \"%s\"\ngoal: {hold: 5000/s}\nduration: 60s\n",
             wanted->url);

    struct plan *plan = read_plan(text);

    assert_string_equal(plan->target, wanted->url);
    assert_string_equal(plan->host, wanted->host);
    assert_int_equal(plan->port, wanted->port);
    assert_string_equal(plan->target_path, wanted->path);
    assert_string_equal(plan->unix_path, wanted->unix_path != NULL ? wanted->unix_path : "");
    plan_destroy(plan);
}

static void assert_same_request(const struct plan_request *a, const struct plan_request *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->weight, b->weight);
    assert_string_equal(a->method, b->method);
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->headers, b->headers);
    assert_int_equal(a->body_bytes, b->body_bytes);
    assert_memory_equal(a->body, b->body, a->body_bytes);
    assert_memory_equal(&a->expect_statuses, &b->expect_statuses, sizeof a->expect_statuses);
    assert_string_equal(a->expect_headers, b->expect_headers);
    assert_string_equal(a->expect_body, b->expect_body);
    assert_int_equal(a->expect_sizes.given, b->expect_sizes.given);
    assert_int_equal(a->expect_sizes.least, b->expect_sizes.least);
    assert_int_equal(a->expect_sizes.most, b->expect_sizes.most);
    assert_int_equal(a->send_bytes, b->send_bytes);
    assert_memory_equal(a->send, b->send, a->send_bytes);
    assert_int_equal(a->expect_prefix_bytes, b->expect_prefix_bytes);
    assert_memory_equal(a->expect_prefix, b->expect_prefix, a->expect_prefix_bytes);
    assert_int_equal(a->reconnect, b->reconnect);
    assert_string_equal(a->payload_file, b->payload_file);
}

static void assert_same_schedule(const struct schedule *a, const struct schedule *b)
{
    assert_true(a->value == b->value);
    assert_int_equal(a->duration_ns, b->duration_ns);
    assert_int_equal(a->warmup_ns, b->warmup_ns);
    assert_int_equal(a->stage_count, b->stage_count);
    for (uint32_t i = 0; i < a->stage_count; i++) {
        assert_int_equal(a->stages[i].duration_ns, b->stages[i].duration_ns);
        assert_true(a->stages[i].to == b->stages[i].to);
    }
}

static void assert_same_thresholds(const struct threshold *a, uint32_t a_count,
                                   const struct threshold *b, uint32_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (uint32_t i = 0; i < a_count; i++) {
        assert_string_equal(a[i].text, b[i].text);
        assert_int_equal(a[i].metric, b[i].metric);
        assert_int_equal(a[i].inclusive, b[i].inclusive);
        assert_true(a[i].quantile == b[i].quantile);
        assert_true(a[i].bound == b[i].bound);
    }
}

/* All but where they were read from. */
static void assert_same_plan(const struct plan *a, const struct plan *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->target, b->target);
    assert_int_equal(a->scheme, b->scheme);
    assert_string_equal(a->host, b->host);
    assert_int_equal(a->port, b->port);
    assert_string_equal(a->target_path, b->target_path);
    assert_int_equal(a->goal, b->goal);
    assert_int_equal(a->arrivals, b->arrivals);
    assert_int_equal(a->spacing, b->spacing);
    assert_true(a->tolerance == b->tolerance);
    assert_same_schedule(&a->schedule, &b->schedule);
    assert_int_equal(a->seed, b->seed);
    assert_int_equal(a->concurrency_max, b->concurrency_max);
    assert_int_equal(a->stop_after_ns, b->stop_after_ns);
    assert_int_equal(a->agents_expect, b->agents_expect);
    assert_int_equal(a->agents_min, b->agents_min);
    assert_int_equal(a->agents_wait_ns, b->agents_wait_ns);
    assert_int_equal(a->on_loss, b->on_loss);
    assert_int_equal(a->timeout_ns, b->timeout_ns);
    assert_int_equal(a->connect_timeout_ns, b->connect_timeout_ns);
    assert_int_equal(a->first_byte_timeout_ns, b->first_byte_timeout_ns);
    assert_int_equal(a->connection_age_ns, b->connection_age_ns);
    assert_int_equal(a->connection_requests, b->connection_requests);
    assert_int_equal(a->resolve_every_ns, b->resolve_every_ns);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_int_equal(a->tls, b->tls);
    assert_int_equal(a->tls_options.verify, b->tls_options.verify);
    assert_int_equal(a->tls_options.resumption, b->tls_options.resumption);
    assert_string_equal(a->tls_options.server_name, b->tls_options.server_name);
    assert_string_equal(a->tls_options.authority, b->tls_options.authority);
    assert_string_equal(a->tls_options.certificate, b->tls_options.certificate);
    assert_string_equal(a->tls_options.key, b->tls_options.key);
    assert_int_equal(a->redirects_max, b->redirects_max);
    assert_int_equal(a->cookies, b->cookies);
    assert_memory_equal(&a->think, &b->think, sizeof a->think);
    assert_int_equal(a->variable_count, b->variable_count);
    for (uint32_t i = 0; i < a->variable_count; i++) {
        assert_string_equal(a->variables[i].name, b->variables[i].name);
        assert_string_equal(a->variables[i].value, b->variables[i].value);
    }
    assert_int_equal(a->data_count, b->data_count);
    for (uint32_t i = 0; i < a->data_count; i++) {
        assert_string_equal(a->data[i].name, b->data[i].name);
        assert_string_equal(a->data[i].file, b->data[i].file);
        assert_int_equal(a->data[i].order, b->data[i].order);
    }
    assert_int_equal(a->slot_count, b->slot_count);
    assert_string_equal(a->headers, b->headers);
    assert_int_equal(a->request_count, b->request_count);
    for (uint32_t i = 0; i < a->request_count; i++)
        assert_same_request(&a->requests[i], &b->requests[i]);
    assert_same_thresholds(a->thresholds, a->threshold_count, b->thresholds, b->threshold_count);
    assert_same_thresholds(a->bounds, a->bound_count, b->bounds, b->bound_count);
    assert_true(a->precision == b->precision);
}

static char *print_plan(const struct plan *plan)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *stream = open_memstream(&text, &text_bytes);
    CHECK(stream != NULL);
    plan_print(plan, stream);
    fclose(stream);
    return text;
}

static void assert_reads_back(const struct plan *plan)
{
    char *text = print_plan(plan);
    struct plan *again = read_plan(text);
    char *text_again = print_plan(again);

    assert_same_plan(plan, again);
    assert_string_equal(text, text_again);
    plan_destroy(again);
    free(text_again);
    free(text);
}

static const struct {
    const char *name, *text;
} printed[] = {
    {"printed_plan_of_defaults_reads_back", HOLD},
    {"printed_plan_with_tls_reads_back",
     "version: 1\ntarget: https://a.example/x\ngoal: {hold: 1/s}\nduration: 60s\n"
     "http: {tls: {ca: ca.pem, certificate: ours.pem, key: ours.key, server_name: b.example, "
     "resumption: false}}\n"},
    {"printed_plan_with_common_headers_reads_back",
     HOLD "http: {headers: {A: '1', B: ''}, keep_alive: false}\n"
          "requests: [{get: /, headers: {b: x, C: \"d: e\"}}, {put: /y, body: ''}]\n"},
    {"printed_plan_with_every_odd_character_reads_back",
     HOLD "name: \"a: b # \\\"c\\\" \\\\ \\xE4 \\u2028\"\n"
          "requests: [{post: \"/?q='[]{}\", body: \"\\0\\t\\r\\n\\x7F\\x85\\x9F\\u2028\\uFEFF"
          "\\U0001F600 - x: [\"}]\n"},
    {"printed_plan_with_words_that_yaml_has_plans_for_reads_back",
     HOLD "name: \"null\"\nrequests: [{get: /, name: \"~\"}, {get: /, name: \"true\"},"
          " {get: /, name: \"1\"}]\n"},
    {"printed_plan_of_stages_reads_back",
     HEAD "goal: {hold: stages, tolerance: 3.7%}\nwarmup: 1ns\n"
          "stages: [{duration: 1.5s, to: 100/min}, {duration: 0, to: 1/h}]\n"},
    {"printed_plan_of_stages_of_workers_reads_back",
     HEAD "goal: {concurrency: stages}\nstages: [{duration: 90m, to: 64}]\n"},
    {"printed_plan_of_a_search_reads_back",
     HEAD "goal: {maximize: throughput, precision: 1.5%}\nduration: 30s\nwarmup: 3s\n"},
    {"printed_plan_of_a_search_with_bounds_reads_back",
     HEAD "goal: {maximize: throughput, while: [latency.p(99.9)<=20ms, 'errors.rate < 0.5%']}\n"
          "duration: 30s\n"},
    {"printed_plan_of_http_2_reads_back", HOLD "http: {version: 2, streams: 7}\n"},
    {"printed_plan_of_a_plugin_reads_back",
     "version: 1\ntarget: tcp://h:1\ngoal: {hold: 5/s}\nduration: 10s\n"
     "plugin: {name: memcached, options: 'keys: 7'}\n"},
    {"printed_plan_of_a_pipeline_reads_back",
     "version: 1\ntarget: redis://h\ngoal: {hold: 5/s}\nduration: 10s\nredis: {pipeline: 7}\n"},
    {"printed_plan_of_redis_reads_back",
     "version: 1\ntarget: redis://h\ngoal: {hold: 5/s}\nduration: 10s\n"
     "requests: [{command: 'SET a \"b\\n\\\" é\"'}, {command: [GET, \"\", \"\\0\", null, true, "
     "7]}]\n"},
    {"printed_plan_of_tcp_reads_back",
     "version: 1\ntarget: tcp://h:1\ngoal: {concurrency: 7}\nduration: 25h\n"
     "http: {timeout: 123456us}\n"
     "requests: [{send: \"\\x01\\r\\n\", expect: {prefix: \"+\"}, reconnect: true}, {weight: "
     "3}]\n"},
    {"printed_plan_with_data_reads_back", HOLD
     "vars: {a: \"x\\n\", b: '1', c: ''}\ndata: {users: {file: users.csv, order: unique}}\n"
     "requests: [{post: '/{{ a }}', body: {file: payload.json}}, {put: /, body: '{{ b }}'}]\n"},
    {"printed_plan_with_limits_of_connections_reads_back",
     HOLD "http: {connect_timeout: 250ms, first_byte_timeout: 1s, resolve: {every: 30s},\n"
          "       connection: {requests: 1000, age: 5m}}\n"},
    {"printed_plan_with_expectations_reads_back",
     HOLD "http: {follow_redirects: 3, cookies: true}\n"
          "requests:\n"
          "  - {get: /a, expect: {status: 2xx, header: {ETag: \"\", content-type: 'text/'}}}\n"
          "  - {get: /b, expect: {status: [200, 404, 3xx], body_contains: \"a\\r\\n\"}}\n"
          "  - {get: /c, expect: {body_size: 64KiB}}\n"
          "  - {get: /d, expect: {body_size: '<64KiB'}}\n"
          "  - {get: /e, expect: {body_size: '> 0'}}\n"},
    {"printed_plan_with_thinking_reads_back",
     HEAD "goal: {concurrency: 3}\nduration: 9s\nhttp: {think: [0, 1.5s]}\n"},
    {"printed_plan_with_thresholds_reads_back",
     HOLD "thresholds: [latency.p(99.9) < 1m30s, errors.rate <= 0.001, throughput > 1k/s]\n"},
};

static void printed_plan_reads_back(void **state)
{
    const char *text = *state;
    struct plan *plan = read_plan(text);

    assert_reads_back(plan);

    plan_destroy(plan);
}

static void printed_plan_is_in_full_with_its_defaults(void **state)
{
    (void)state;
    struct plan *plan = read_plan(HOLD);

    char *text = print_plan(plan);

    assert_string_equal(text, "version: 1\n"
                              "name: soak\n"
                              "target: \"http://127.0.0.1:8080\"\n"
                              "goal:\n"
                              "  hold: 5000/s\n"
                              "  tolerance: 1%\n"
                              "  arrivals: open\n"
                              "  spacing: uniform\n"
                              "duration: 60s\n"
                              "warmup: 0\n"
                              "seed: 1\n"
                              "limits:\n"
                              "  concurrency: 20000\n"
                              "  stop_after: 10s\n"
                              "agents:\n"
                              "  expect: 1\n"
                              "  min: 1\n"
                              "  wait: 60s\n"
                              "  on_loss: redistribute\n"
                              "http:\n"
                              "  timeout: 5s\n"
                              "  connect_timeout: 0\n"
                              "  first_byte_timeout: 0\n"
                              "  connection:\n"
                              "    age: 0\n"
                              "  resolve:\n"
                              "    every: 0\n"
                              "  keep_alive: true\n"
                              "  version: 1.1\n"
                              "  follow_redirects: 0\n"
                              "  cookies: false\n"
                              "requests:\n"
                              "  - name: \"GET /\"\n"
                              "    weight: 1\n"
                              "    get: /\n");
    free(text);
    plan_destroy(plan);
}

/* xorshift64 (Marsaglia 2003): the same numbers everywhere. */
static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void printed_rates_and_times_read_back_whatever_they_are(void **state)
{
    (void)state;
    static const char *const units[] = {"s", "min", "h"};
    uint64_t random = 20260101;
    for (int i = 0; i < 2000; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 HEAD "goal: {hold: %u.%03u/%s, tolerance: 0.%04u}\nduration: %u.%09us\n",
                 (unsigned)(draw(&random) % 100000) + 36, (unsigned)(draw(&random) % 1000),
                 units[draw(&random) % 3], (unsigned)(draw(&random) % 4999) + 1,
                 (unsigned)(draw(&random) % 100000) + 1, (unsigned)(draw(&random) % 1000000000));
        struct plan *plan = read_plan(text);
        assert_reads_back(plan);
        plan_destroy(plan);
    }
}

static void goal_in_words_is_short(void **state)
{
    (void)state;
    char text[64];
    struct plan *plan = read_plan(HOLD);
    assert_string_equal(plan_goal_text(plan, text, sizeof text), "hold 5000/s");
    plan_destroy(plan);
    plan = read_plan(HEAD "goal: {hold: stages}\n"
                          "stages: [{duration: 1s, to: 9/s}, {duration: 1s, to: 1/s}]\n");
    assert_string_equal(plan_goal_text(plan, text, sizeof text), "hold 0 to 9/s in 2 stages");
    plan_destroy(plan);
}

/* What flags make. */
static struct plan *from_flags(const struct plan_flags *flags)
{
    errors = (struct plan_errors){0};
    struct plan *plan = plan_from_flags(flags, &errors);
    print_errors();
    return plan;
}

static void flags_hold_a_rate_for_30_s_with_3_s_warmup(void **state)
{
    (void)state;
    struct plan *plan =
        from_flags(&(struct plan_flags){.url = "http://shop:8080/p?q=1", .rate_per_s = 5000});

    assert_non_null(plan);
    assert_string_equal(plan->path, "http://shop:8080/p?q=1");
    assert_string_equal(plan->text, "");
    assert_string_equal(plan->name, "shop");
    assert_int_equal(plan->goal, GOAL_HOLD);
    assert_true(plan->schedule.value == 5000.0);
    assert_int_equal(plan->schedule.duration_ns, 30 * NS_PER_S);
    assert_int_equal(plan->schedule.warmup_ns, 3 * NS_PER_S);
    assert_true(plan->tolerance == 0.01);
    assert_int_equal(plan->concurrency_max, 20000);
    assert_string_equal(plan->requests[0].method, "GET");
    assert_string_equal(plan->requests[0].path, "/p?q=1");
    assert_reads_back(plan);
    plan_destroy(plan);
}

static void flags_fix_the_concurrency_and_lift_its_ceiling(void **state)
{
    (void)state;
    struct plan *plan = from_flags(&(struct plan_flags){
        .url = "http://h", .concurrency = 30000, .duration_ns = 2 * NS_PER_S, .name = "n"});

    assert_non_null(plan);
    assert_int_equal(plan->goal, GOAL_CONCURRENCY);
    assert_true(plan->schedule.value == 30000.0);
    assert_int_equal(plan->concurrency_max, 30000);
    assert_int_equal(plan->schedule.warmup_ns, NS_PER_S);
    assert_string_equal(plan->name, "n");
    assert_reads_back(plan);
    plan_destroy(plan);
}

static void flags_without_a_goal_search_for_the_most(void **state)
{
    (void)state;
    struct plan *plan = from_flags(&(struct plan_flags){.url = "http://h"});

    assert_non_null(plan);
    assert_int_equal(plan->goal, GOAL_MAXIMIZE);
    assert_int_equal(plan->bound_count, 0);
    assert_true(plan->precision == 0.02);
    assert_int_equal(plan->schedule.duration_ns, 30 * NS_PER_S);
    assert_int_equal(plan->schedule.warmup_ns, 3 * NS_PER_S);
    assert_reads_back(plan);
    plan_destroy(plan);
}

static void flags_bound_a_search_in_short_and_in_full(void **state)
{
    (void)state;
    static const char *const bounds[] = {"p(99)<20ms, errors.rate < 0.5%"};
    struct plan *plan = from_flags(
        &(struct plan_flags){.url = "http://h", .bounds = bounds, .bound_given_count = 1});
    char text[128];

    assert_non_null(plan);
    assert_int_equal(plan->goal, GOAL_MAXIMIZE_WHILE);
    assert_string_equal(plan_goal_text(plan, text, sizeof text),
                        "maximize throughput while latency.p(99) < 20ms and errors.rate < 0.5%");
    assert_true(plan_bound(plan, METRIC_LATENCY_QUANTILE)->bound == 20e6);
    assert_true(plan_bound(plan, METRIC_LATENCY_QUANTILE)->quantile == 0.99);
    assert_true(plan_bound(plan, METRIC_ERRORS_RATE)->bound == 0.005);
    assert_null(plan_bound(plan, METRIC_THROUGHPUT));
    assert_reads_back(plan);
    plan_destroy(plan);
}

static void flags_shape_the_request(void **state)
{
    (void)state;
    static const char *const headers[] = {"Accept: */*", "X-A:b"};
    struct plan *plan = from_flags(&(struct plan_flags){.url = "http://h/x",
                                                        .rate_per_s = 1,
                                                        .method = "put",
                                                        .headers = headers,
                                                        .header_count = COUNT(headers),
                                                        .body = "hi",
                                                        .timeout_ns = NS_PER_S});

    assert_non_null(plan);
    assert_string_equal(plan->requests[0].method, "PUT");
    assert_string_equal(plan->requests[0].headers, "Accept: */*\r\nX-A: b\r\n");
    assert_int_equal(plan->requests[0].body_bytes, 2);
    assert_int_equal(plan->timeout_ns, NS_PER_S);
    assert_reads_back(plan);
    plan_destroy(plan);
}

static void a_body_alone_makes_a_post(void **state)
{
    (void)state;
    struct plan *plan =
        from_flags(&(struct plan_flags){.url = "http://h", .rate_per_s = 1, .body = "x"});

    assert_non_null(plan);
    assert_string_equal(plan->requests[0].method, "POST");
    plan_destroy(plan);
}

static void plan_of_a_missing_file_says_so(void **state)
{
    (void)state;
    char text[ERROR_MESSAGE_BYTES + 64];
    errors = (struct plan_errors){0};

    assert_null(plan_load("/nonexistent/plan.yaml", &errors));

    assert_int_equal(errors.count, 1);
    assert_string_equal(error_text(&errors.items[0], text, sizeof text),
                        "/nonexistent/plan.yaml: No such file or directory; give a plan file");
}

static void plan_is_loaded_from_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/clobber-plan-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, HOLD, strlen(HOLD)), strlen(HOLD));
    close(descriptor);
    errors = (struct plan_errors){0};

    struct plan *plan = plan_load(path, &errors);

    unlink(path);
    assert_non_null(plan);
    assert_string_equal(plan->path, path);
    assert_string_equal(plan->text, HOLD);
    plan_destroy(plan);
}

static void every_key_of_the_table_stands_below_its_section(void **state)
{
    (void)state;
    size_t count;
    const struct plan_key *keys = plan_keys(&count);
    for (size_t i = 0; i < count; i++) {
        char section[64];
        snprintf(section, sizeof section, "%s", keys[i].path);
        assert_non_null(keys[i].doc);
        assert_ptr_equal(plan_key_find(keys[i].path), &keys[i]);
        char *dot = strrchr(section, '.');
        if (dot == NULL)
            continue;
        *dot = '\0';
        const struct plan_key *parent = plan_key_find(section);
        assert_non_null(parent);
        assert_true(parent < &keys[i]);
        assert_true(parent->type == PLAN_MAP || parent->type == PLAN_LIST ||
                    parent->type == PLAN_NAMED);
    }
}

/* docs/plan.md, read once. */
#define PLAN_PAGE CLOBBER_SOURCE_DIR "/docs/plan.md"
#define HTTP_PAGE CLOBBER_SOURCE_DIR "/docs/http.md"

static char *page(const char *path)
{
    static char text[256 * 1024];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* What lies between the two markers is what the table says. */
static void reference_is_up_to_date(void **state)
{
    (void)state;
    static const char begins[] = "<!-- reference begins -->\n";
    char *begin = strstr(page(PLAN_PAGE), begins);
    assert_non_null(begin);
    begin += strlen(begins);
    char *end = strstr(begin, "<!-- reference ends -->\n");
    assert_non_null(end);
    *end = '\0';
    char *reference = NULL;
    size_t reference_bytes = 0;
    FILE *stream = open_memstream(&reference, &reference_bytes);
    assert_non_null(stream);

    plan_print_reference(stream);

    fclose(stream);
    assert_string_equal(begin, reference);
    free(reference);
}

/* How many there are on the page. */
static int read_examples(const char *path)
{
    static const char fence[] = "```yaml\n";
    int count = 0;
    for (char *begin = page(path); (begin = strstr(begin, fence)) != NULL; count++) {
        begin += strlen(fence);
        char *end = strstr(begin, "```");
        assert_non_null(end);
        *end = '\0';
        plan_destroy(read_plan(begin));
        begin = end + 1;
    }
    return count;
}

static void examples_of_the_pages_are_good_plans(void **state)
{
    (void)state;
    assert_int_equal(read_examples(PLAN_PAGE), 9);
    assert_int_equal(read_examples(HTTP_PAGE), 1);
}

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(plan_fills_in_every_default),
        cmocka_unit_test(plan_without_requests_gets_the_path_of_its_target),
        cmocka_unit_test(plan_takes_everything_the_contract_shows),
        cmocka_unit_test(plan_of_tcp_sends_and_expects),
        cmocka_unit_test(plan_of_redis_has_commands),
        cmocka_unit_test(plan_of_redis_without_requests_pings),
        cmocka_unit_test(plan_of_stages_takes_their_sum),
        cmocka_unit_test(stages_of_a_concurrency_are_workers),
        cmocka_unit_test(printed_plan_is_in_full_with_its_defaults),
        cmocka_unit_test(printed_rates_and_times_read_back_whatever_they_are),
        cmocka_unit_test(goal_in_words_is_short),
        cmocka_unit_test(flags_hold_a_rate_for_30_s_with_3_s_warmup),
        cmocka_unit_test(flags_fix_the_concurrency_and_lift_its_ceiling),
        cmocka_unit_test(flags_without_a_goal_search_for_the_most),
        cmocka_unit_test(flags_bound_a_search_in_short_and_in_full),
        cmocka_unit_test(flags_shape_the_request),
        cmocka_unit_test(a_body_alone_makes_a_post),
        cmocka_unit_test(plan_of_a_missing_file_says_so),
        cmocka_unit_test(plan_is_loaded_from_a_file),
        cmocka_unit_test(every_key_of_the_table_stands_below_its_section),
        cmocka_unit_test(reference_is_up_to_date),
        cmocka_unit_test(examples_of_the_pages_are_good_plans),
    };
    struct CMUnitTest
        tests[COUNT(plain) + COUNT(threshold_cases) + COUNT(target_cases) + COUNT(printed)];
    size_t count = COUNT(plain);
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(threshold_cases); i++)
        tests[count++] =
            (struct CMUnitTest){.name = threshold_cases[i].name,
                                .test_func = threshold_is_read,
                                .initial_state = (void *)(uintptr_t)&threshold_cases[i]};
    for (size_t i = 0; i < COUNT(target_cases); i++)
        tests[count++] = (struct CMUnitTest){.name = target_cases[i].name,
                                             .test_func = target_is_read,
                                             .initial_state = (void *)(uintptr_t)&target_cases[i]};
    for (size_t i = 0; i < COUNT(printed); i++)
        tests[count++] = (struct CMUnitTest){.name = printed[i].name,
                                             .test_func = printed_plan_reads_back,
                                             .initial_state = (void *)(uintptr_t)printed[i].text};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
