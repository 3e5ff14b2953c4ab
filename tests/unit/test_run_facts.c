#include "coordinator/run_facts.h"

#include "common/base/check.h"
#include "coordinator/report_formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define THIN  "\u202f"
#define NB    "\u00a0"
#define START "{\"line\":\"start\",\"name\":\"n\",\"duration_ns\":60000000000}\n"
#define HOLD                                                                                       \
    "\"goal\":{\"kind\":\"hold\",\"tolerance\":0.02,\"text\":\"hold "                              \
    "5000/s\",\"value_per_s\":5000}"
#define VERDICT(outcome, limit, sentence, exit)                                                    \
    "\"verdict\":{\"outcome\":\"" outcome "\",\"limited_by\":" limit ",\"sentence\":\"" sentence   \
    "\",\"exit_code\":" exit "}"
#define RESULT(fields) START "{\"line\":\"result\",\"result\":{\"schema\":1," fields "}}\n"
#define WORKERS        "\"control\":{\"concurrency_final\":98}"

/* clang-format off */
static const struct verdict_case {
    const char *name, *record, *word, *sentence;
} verdict_cases[] = {
    {"a_held_rate_is_told_with_its_workers",
     RESULT(HOLD "," WORKERS "," VERDICT("met", "null", "met; x", "0")),
     "PASS", "Held 5" THIN "000/s within 2" NB "% with 98 workers. Nothing was the limit."},
    {"a_failed_threshold_is_told_after_the_goal",
     RESULT(HOLD "," WORKERS "," VERDICT("met", "null", "met", "1")
            ",\"thresholds\":[{\"text\":\"latency.p(99) < 250ms\",\"value\":312000000,\"passed\":false,\"unit\":\"ns\"}]"),
     "FAIL", "Held 5" THIN "000/s within 2" NB "% with 98 workers, but latency.p(99) < 250ms was not kept: it was 312" NB "ms."},
    {"a_missed_rate_names_the_limit",
     RESULT(HOLD "," VERDICT("missed", "\"target\"", "missed", "1") ",\"throughput_per_s\":3810"),
     "FAIL", "Reached 3" THIN "810/s of 5" THIN "000/s: the target was the limit."},
    {"what_the_generator_limited_is_a_lower_bound",
     RESULT(HOLD "," VERDICT("missed", "\"agents\"", "missed", "4") ",\"throughput_per_s\":3810"),
     "NOT TO BE TRUSTED", "At least 3" THIN "810/s of 5" THIN "000/s: the agents were the limit, not the target."},
    {"a_ledger_that_is_off_comes_before_all_else",
     RESULT(HOLD "," VERDICT("met", "null", "met", "4") ",\"ledger\":{\"balanced\":false,\"imbalance\":\"412 started\"}"),
     "NOT TO BE TRUSTED", "The ledger does not balance: 412 started."},
    {"an_answer_carries_its_interval",
     RESULT("\"goal\":{\"kind\":\"maximize\",\"text\":\"maximize throughput\"},"
            "\"control\":{\"answer\":{\"throughput_per_s\":13770,\"interval_95_per_s\":[13640,13900],\"concurrency\":84}},"
            VERDICT("met", "null", "met", "0")),
     "PASS", "The target gives 13" THIN "770/s ± 130 (95" NB "%) with 84 workers. More workers only wait."},
    {"a_bounded_answer_tells_its_bound",
     RESULT("\"goal\":{\"kind\":\"maximize_while\",\"text\":\"maximize throughput while latency.p(99) < 20ms\"},"
            "\"control\":{\"answer\":{\"throughput_per_s\":11200,\"interval_95_per_s\":[11050,11350],\"concurrency\":71}},"
            VERDICT("met", "null", "met", "0")),
     "PASS", "11" THIN "200/s ± 150 is the most while latency.p(99) < 20ms: 71 workers."},
    {"an_aborted_run_tells_why",
     RESULT(HOLD "," VERDICT("aborted", "null", "aborted; 3 of 4 agents were lost", "3")),
     "BROKEN OFF", "3 of 4 agents were lost."},
    {"an_interrupted_run_says_so",
     RESULT(HOLD "," VERDICT("aborted", "null", "aborted; interrupted", "130")),
     "INTERRUPTED", "Interrupted."},
    {"a_record_without_a_result_is_broken_off", START,
     "BROKEN OFF", "The record ends without a result, so figures cover what its ticks tell."},
    {"a_result_that_says_nothing_is_no_pass", RESULT("\"verdict\":[]"), "FAIL", "."},
};
/* clang-format on */

static struct run_record *read_text(const char *text)
{
    FILE *stream = fmemopen((char *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(stream);
    struct run_record *record = run_record_read(stream, ".", NULL);
    fclose(stream);
    assert_non_null(record);
    return record;
}

static void verdict_is_told(void **state)
{
    const struct verdict_case *row = *state;
    static struct run_facts facts;
    struct run_record *record = read_text(row->record);

    run_facts_fill(record, &facts);

    assert_string_equal(facts.word, row->word);
    assert_string_equal(facts.sentence, row->sentence);
    run_record_destroy(record);
}

static void the_weightiest_nine_events_are_numbered_in_their_order(void **state)
{
    (void)state;
    char text[8192] = START;
    static struct run_facts facts;
    for (int i = 1; i <= 12; i++)
        sprintf(text + strlen(text),
                "{\"line\":\"event\",\"at_ns\":%d000000000,\"kind\":\"%s\",\"sentence\":\"\"}\n", i,
                i == 12  ? "agent_lost"
                : i == 2 ? "stood_still"
                         : "odd");
    struct run_record *record = read_text(text);

    run_facts_fill(record, &facts);

    assert_int_equal(facts.numbers[0], 1);
    assert_int_equal(facts.numbers[1], 0);
    assert_int_equal(facts.numbers[2], 2);
    assert_int_equal(facts.numbers[8], 8);
    assert_int_equal(facts.numbers[9], 0);
    assert_int_equal(facts.numbers[11], 9);
    run_record_destroy(record);
}

static void a_change_of_latency_began_where_it_crossed_half_the_way(void **state)
{
    (void)state;
    char text[16384] = START;
    static struct run_facts facts;
    for (int i = 1; i <= 60; i++)
        sprintf(text + strlen(text),
                "{\"line\":\"tick\",\"at_ns\":%d00000000,\"state\":\"running\",\"latency_mean_ns\":"
                "%d}\n",
                i, i <= 35 ? 5000000 : 20000000);
    strcat(text, "{\"line\":\"event\",\"at_ns\":6000000000,\"kind\":\"latency_changed\","
                 "\"sentence\":\"\"}\n");
    struct run_record *record = read_text(text);

    run_facts_fill(record, &facts);

    assert_int_equal(facts.began_ns[0], 3500000000);
    run_record_destroy(record);
}

static void a_page_holds_no_text_of_a_stranger_as_markup(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    struct run_record *record = read_text(
        START
        "{\"line\":\"event\",\"at_ns\":1,\"kind\":\"x\",\"sentence\":\"<script>alert(1)</"
        "script>\"}\n"
        "{\"line\":\"result\",\"result\":{\"name\":\"</title><img src=x onerror=alert(1)>\","
        "\"plan\":\"</script><script>alert(1)</script>\",\"verdict\":{\"sentence\":\"<b>\"}}}\n");
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);

    assert_true(report_as_html(record, stream, NULL));

    fclose(stream);
    assert_null(strstr(text, "<script>alert"));
    assert_null(strstr(text, "<img"));
    assert_null(strstr(text, "{{verdict}}"));
    assert_non_null(strstr(text, "&lt;script&gt;alert(1)"));
    assert_non_null(strstr(text, "script-src 'sha256-"));
    free(text);
    run_record_destroy(record);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(verdict_cases) + 3] = {
        cmocka_unit_test(the_weightiest_nine_events_are_numbered_in_their_order),
        cmocka_unit_test(a_change_of_latency_began_where_it_crossed_half_the_way),
        cmocka_unit_test(a_page_holds_no_text_of_a_stranger_as_markup),
    };
    for (size_t i = 0; i < COUNT(verdict_cases); i++)
        tests[i + 3] = (struct CMUnitTest){.name = verdict_cases[i].name,
                                           .test_func = verdict_is_told,
                                           .initial_state = (void *)(uintptr_t)&verdict_cases[i]};
    return cmocka_run_group_tests_name("run_facts", tests, NULL, NULL);
}
