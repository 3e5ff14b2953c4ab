#include "coordinator/report.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/json.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static char latency_text[] = "latency.p(99) < 250ms";
static char errors_text[] = "errors.rate < 0.1%";

static struct plan *example_plan(void)
{
    static char name[] = "checkout", target[] = "http://127.0.0.1:8080", request[] = "get";
    static char text[] = "version: 1\n";
    static struct plan plan;
    plan = (struct plan){
        .name = name,
        .target = target,
        .text = text,
        .goal = GOAL_HOLD,
        .tolerance = 0.01,
        .schedule = {.value = 5000, .duration_ns = 60000 * MS, .warmup_ns = 5000 * MS},
        .request_count = 1,
        .requests = {{.name = request}},
        .threshold_count = 2,
        .thresholds = {
            {.text = latency_text,
             .metric = METRIC_LATENCY_QUANTILE,
             .quantile = 0.99,
             .below = true,
             .bound = 250e6},
            {.text = errors_text, .metric = METRIC_ERRORS_RATE, .below = true, .bound = 0.001}}};
    return &plan;
}

static struct report *example_report(void)
{
    struct report *report = calloc(1, sizeof *report);
    CHECK(report != NULL);
    report->plan = example_plan();
    snprintf(report->run_id, sizeof report->run_id, "%032d", 7);
    report->duration_ns = 60000 * MS;
    report->warmup_ns = 5000 * MS;
    report->agents_peak = 4;
    report->outcome = OUTCOME_MET;
    snprintf(report->sentence, sizeof report->sentence,
             "met; agents at 38 %% CPU or less, send lag p99 0.2ms");
    report->control = (struct report_control){.settled = true,
                                              .settle_ns = 800 * MS,
                                              .overshoot = 0.006,
                                              .concurrency_final = 57,
                                              .concurrency_p95 = 64};
    report->goal_mean = 5000;
    report->throughput_per_s = 4999.6;
    report->ledger = (struct counters){.planned = 300000,
                                       .not_started = 5,
                                       .started = 299995,
                                       .ok = 299833,
                                       .failed = {[FAILURE_STATUS] = 154},
                                       .timed_out = 8};
    report->balanced = true;
    report->counters = report->ledger;
    report->status_count = 2;
    report->statuses[0] = (struct status_count){.status = 200, .count = 299833};
    report->statuses[1] = (struct status_count){.status = 503, .count = 154, .failed = 154};
    for (int i = 0; i < 100; i++) {
        histogram_record(&report->kinds[SAMPLE_RESPONSE], 10 * MS);
        histogram_record(&report->kinds[SAMPLE_SERVICE], 10 * MS);
    }
    report->threshold_count = 2;
    report->thresholds[0] = (struct report_threshold){latency_text, 23.1e6, true};
    report->thresholds[1] = (struct report_threshold){errors_text, 0.00054, true};
    return report;
}

static char *shown(const struct report *report, bool color)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    CHECK(stream != NULL);
    report_text(report, "runs/checkout-1", "{result.json, run.jsonl}", color, stream);
    fclose(stream);
    return text;
}

static void assert_shows(const struct report *report, const char *line)
{
    char *text = shown(report, false);
    if (strstr(text, line) == NULL)
        fail_msg("not there: %s\nin:\n%s", line, text);
    free(text);
}

static void the_last_screen_is_the_contracts(void **state)
{
    (void)state;
    static const char wanted[] =
        "checkout  hold 5000/s  4 agents  60.0s (5.0s warm-up excluded)                            "
        "       PASS\n"
        "  throughput   4999.6/s  (99.99 % of goal)      concurrency found 57 (p95 64)   settled "
        "in 0.8s, overshoot 0.6 %\n"
        "  verdict      met; agents at 38 % CPU or less, send lag p99 0.2ms\n"
        "  latency         p50      p90      p99    p99.9      max\n"
        "    response   10.0ms   10.0ms   10.0ms   10.0ms   10.0ms\n"
        "    service    10.0ms   10.0ms   10.0ms   10.0ms   10.0ms\n"
        "  requests     300000 planned = 299995 started + 5 not started                            "
        " whole run\n"
        "               299995 started = 299833 ok + 154 failed + 8 timed out + 0 in flight        "
        " balanced\n"
        "  errors       0.054 %   http_503 154   timeout 8\n"
        "  thresholds   ok  latency.p(99) < 250ms  (23.1ms)     ok  errors.rate < 0.1%  (0.054 %)\n"
        "  files        runs/checkout-1/{result.json, run.jsonl}\n";
    struct report *report = example_report();

    char *text = shown(report, false);

    assert_string_equal(text, wanted);
    free(text);
    free(report);
}

/* Of a search under a bound on latency, with an answer and two points of its curve. */
static struct report *example_search(void)
{
    static char bound[] = "latency.p(99) < 20ms";
    struct report *report = example_report();
    struct plan *plan = example_plan();
    plan->goal = GOAL_MAXIMIZE_WHILE;
    plan->bound_count = 1;
    plan->bounds[0] = (struct threshold){
        .text = bound, .metric = METRIC_LATENCY_QUANTILE, .quantile = 0.99, .below = true};
    report->answer.found = (struct answer_found){.found = true,
                                                 .throughput_per_s = 41200.4,
                                                 .half_per_s = 600.2,
                                                 .workers = 212.3,
                                                 .converged_ns = 4100 * MS};
    report->control.interval_low_per_s = 40600;
    report->control.interval_high_per_s = 41800;
    report->control.concurrency_p95 = 218;
    report->curve_count = 2;
    report->curve[0] = (struct curve_point){
        .concurrency = 1, .throughput_per_s = 200, .latency_ns_mean = 5e6, .seconds = 0.2};
    report->curve[1] = (struct curve_point){.concurrency = 212,
                                            .throughput_per_s = 41200,
                                            .latency_ns_mean = 5.1e6,
                                            .latency_ns_quantile = 19e6,
                                            .seconds = 50};
    return report;
}

static void a_search_shows_its_answer(void **state)
{
    (void)state;
    struct report *report = example_search();
    assert_shows(report,
                 "checkout  maximize throughput while latency.p(99) < 20ms  4 agents  60.0s");
    assert_shows(report, "  throughput   41200/s \u00b1 600 (95 %)             concurrency found "
                         "212 (p95 218)  converged in 4.1s\n");
    report->answer.found.half_per_s = NAN;
    assert_shows(report, "  throughput   41200/s                          concurrency found 212");
    report->answer.found.found = false;
    assert_shows(report, "  throughput   4999.6/s                         concurrency was 57 "
                         "(p95 218)    never converged\n");
    free(report);
}

static void the_result_of_a_search_has_its_answer_and_its_curve(void **state)
{
    (void)state;
    struct report *report = example_search();

    json_t *result = json_report(report);

    json_t *goal = json_object_get(result, "goal");
    assert_string_equal(json_string_value(json_object_get(goal, "kind")), "maximize_while");
    assert_true(json_is_null(json_object_get(goal, "value_per_s")));
    json_t *control = json_object_get(result, "control");
    json_t *answer = json_object_get(control, "answer");
    assert_int_equal(json_integer_value(json_object_get(answer, "converged_ns")), 4100 * MS);
    assert_true(json_number_value(json_object_get(answer, "concurrency")) == 212.3);
    json_t *interval = json_object_get(answer, "interval_95_per_s");
    assert_true(json_number_value(json_array_get(interval, 1)) == 41800.0);
    json_t *curve = json_object_get(control, "curve");
    assert_int_equal(json_array_size(curve), 2);
    json_t *point = json_array_get(curve, 1);
    assert_true(json_number_value(json_object_get(point, "latency_quantile_ns")) == 19e6);
    assert_true(json_number_value(json_object_get(point, "seconds")) == 50.0);
    json_decref(result);

    example_plan()->goal = GOAL_HOLD; /* which has neither, nor a bound */
    report->answer.found.found = false;
    result = json_report(report);
    control = json_object_get(result, "control");
    assert_true(json_is_null(json_object_get(control, "answer")));
    point = json_array_get(json_object_get(control, "curve"), 1);
    assert_true(json_is_null(json_object_get(point, "latency_quantile_ns")));
    json_decref(result);
    free(report);
}

static void a_concurrency_is_shown_as_fine_as_it_matters(void **state)
{
    (void)state;
    char text[UNITS_TEXT_BYTES];
    assert_string_equal(report_workers(212.3, text), "212 workers");
    assert_string_equal(report_workers(2.5, text), "2.5 workers");
    assert_string_equal(report_workers(0.97, text), "1 worker");
    assert_string_equal(report_workers(0.031, text), "0.031 workers");
    assert_string_equal(report_concurrency(8.0, text), "8");
}

static void what_is_to_be_said_is_said_and_no_more(void **state)
{
    (void)state;
    struct report *report = example_report();
    char *quiet = shown(report, false);
    assert_null(strstr(quiet, "events"));
    assert_null(strstr(quiet, "lost"));
    assert_null(strstr(quiet, "plaintext"));
    free(quiet);

    struct report_event events[6] = {{.at_ns = 61500 * MS, .sentence = "agent a3 lost"}};
    report->events = events;
    report->event_count = 6;
    report->lost_max = 127;
    report->longest_timed_out = true;
    report->plaintext = true;

    assert_shows(report, "  events       01:01.5 agent a3 lost\n");
    assert_shows(report, "               and 2 more\n");
    assert_shows(report, "               at most 127 more were lost\n");
    assert_shows(report, "  \u226510.0ms\n");
    assert_shows(report, "plaintext");
    free(report);
}

static void what_did_not_go_well_is_shown_first(void **state)
{
    (void)state;
    static const struct {
        enum exit_code code;
        const char *word;
    } cases[] = {{EXIT_MISSED, " FAIL\n"},
                 {EXIT_BROKEN_OFF, " BROKEN OFF\n"},
                 {EXIT_NOT_TRUSTED, " NOT TO BE TRUSTED (exit 4)\n"},
                 {EXIT_INTERRUPTED, " INTERRUPTED\n"}};
    struct report *report = example_report();
    for (size_t i = 0; i < COUNT(cases); i++) {
        report->exit_code = cases[i].code;
        assert_shows(report, cases[i].word);
    }
    report->balanced = false;
    snprintf(report->imbalance, sizeof report->imbalance, "started is 3 above its sum");
    assert_shows(report, "DOES NOT BALANCE\n               started is 3 above its sum\n");
    free(report);
}

static void color_only_repeats_what_a_word_says(void **state)
{
    (void)state;
    struct report *report = example_report();

    char *text = shown(report, true);

    assert_non_null(strstr(text, "\033[32mPASS\033[0m"));
    free(text);
    free(report);
}

static void escapes_from_outside_do_not_reach_the_terminal(void **state)
{
    (void)state;
    static char hostile[] = "\033[2Jname";
    struct report *report = example_report();
    example_plan()->name = hostile;
    struct report_event event = {.sentence = "agent \033]0;x\007 lost"};
    report->events = &event;
    report->event_count = 1;

    char *text = shown(report, false);

    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\007'));
    free(text);
    free(report);
}

static void the_result_carries_the_ledger_and_the_verdict(void **state)
{
    (void)state;
    struct report *report = example_report();

    json_t *result = json_report(report);

    json_t *ledger = json_object_get(result, "ledger");
    assert_int_equal(json_integer_value(json_object_get(result, "schema")), 1);
    assert_int_equal(json_integer_value(json_object_get(ledger, "planned")), 300000);
    assert_int_equal(json_integer_value(json_object_get(ledger, "failed")), 154);
    assert_true(json_is_true(json_object_get(ledger, "balanced")));
    json_t *errors = json_object_get(result, "errors");
    assert_int_equal(json_integer_value(json_object_get(errors, "http_503")), 154);
    assert_int_equal(json_integer_value(json_object_get(errors, "timeout")), 8);
    json_t *verdict = json_object_get(result, "verdict");
    assert_string_equal(json_string_value(json_object_get(verdict, "outcome")), "met");
    assert_true(json_is_null(json_object_get(verdict, "limited_by")));
    json_t *response = json_object_get(json_object_get(result, "latency"), "response");
    assert_int_equal(json_integer_value(json_object_get(response, "p99_ns")), 10 * MS);
    json_decref(result);
    free(report);
}

/* Agents say what they like, and an integer of JSON ends at 2^63. */
static void a_count_beyond_what_json_holds_is_written_as_a_number(void **state)
{
    (void)state;
    struct report *report = example_report();
    report->counters.bytes_sent = UINT64_MAX;
    histogram_record(&report->kinds[SAMPLE_SERVICE], UINT64_MAX);

    json_t *result = json_report(report);

    json_t *sent = json_object_get(json_object_get(result, "bytes"), "sent");
    assert_true(json_number_value(sent) == (double)UINT64_MAX);
    json_t *service = json_object_get(json_object_get(result, "latency"), "service");
    assert_true(json_number_value(json_object_get(service, "max_ns")) == (double)UINT64_MAX);
    json_decref(result);
    free(report);
}

static void percentiles_are_written_up_to_the_longest(void **state)
{
    (void)state;
    struct report *report = example_report();
    histogram_record(&report->kinds[SAMPLE_RESPONSE], 500 * MS);
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    report_hgrm(&report->kinds[SAMPLE_RESPONSE], stream);
    fclose(stream);

    assert_non_null(strstr(text, "1/(1-Percentile)"));
    assert_non_null(strstr(text, "     500.000 1.000000000000        101            inf\n"));
    assert_non_null(strstr(text, "Total count    =          101]"));
    free(text);
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_screen_is_the_contracts),
        cmocka_unit_test(a_search_shows_its_answer),
        cmocka_unit_test(the_result_of_a_search_has_its_answer_and_its_curve),
        cmocka_unit_test(a_concurrency_is_shown_as_fine_as_it_matters),
        cmocka_unit_test(what_is_to_be_said_is_said_and_no_more),
        cmocka_unit_test(what_did_not_go_well_is_shown_first),
        cmocka_unit_test(color_only_repeats_what_a_word_says),
        cmocka_unit_test(escapes_from_outside_do_not_reach_the_terminal),
        cmocka_unit_test(the_result_carries_the_ledger_and_the_verdict),
        cmocka_unit_test(a_count_beyond_what_json_holds_is_written_as_a_number),
        cmocka_unit_test(percentiles_are_written_up_to_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
