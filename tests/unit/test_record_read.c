#include "coordinator/record_read.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/json.h"
#include "coordinator/record_lines.h"
#include "coordinator/report_formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START "{\"line\":\"start\",\"name\":\"n\",\"goal\":{\"text\":\"hold 10/s\"}}\n"
#define TICK(at, state, ok, more)                                                                  \
    "{\"line\":\"tick\",\"at_ns\":" at ",\"state\":\"" state                                       \
    "\",\"throughput_per_s\":10,\"workers\":2,\"goal\":10,\"total\":{\"started\":90,\"ok\":" ok    \
    ",\"timed_out\":0}" more "}\n"
#define RESULT "{\"line\":\"result\",\"result\":{\"schema\":1,\"name\":\"n\"}}\n"

static struct run_record *read_bytes(const char *text, size_t text_bytes, struct error *error)
{
    FILE *stream = fmemopen((char *)(uintptr_t)text, text_bytes, "r");
    CHECK(stream != NULL);
    struct run_record *record = run_record_read(stream, "folder", error);
    fclose(stream);
    return record;
}

static struct run_record *read_text(const char *text)
{
    struct error error = {0};
    struct run_record *record = read_bytes(text, strlen(text), &error);
    assert_string_equal(error.message, "");
    assert_non_null(record);
    return record;
}

static void a_finished_run_has_its_result_and_its_ticks(void **state)
{
    (void)state;
    struct run_record *record = read_text(START TICK("100000000", "warming", "1", "")
                                              TICK("200000000", "running", "3", "") RESULT);

    assert_false(record->broken_off);
    assert_string_equal(json_get_text(record->result, "name"), "n");
    assert_int_equal(record->load_ns, 200 * NS_PER_MS);
    assert_int_equal(record->series.bins[0].ok, 3);
    assert_int_equal(record->series.bins[0].ticks, 2);
    assert_int_equal(record->moment_count, 1);
    assert_int_equal(record->moments[0].tick_count, 2);
    run_record_destroy(record);
}

static void a_run_that_was_broken_off_tells_what_its_ticks_tell(void **state)
{
    (void)state;
    struct run_record *record = read_text(START TICK("100000000", "running", "1", "") TICK(
        "200000000", "running", "3", "") "{\"line\":\"tick\",\"at_ns\":3000");

    assert_true(record->broken_off);
    assert_int_equal(record->lines_skipped, 0); /* a line that was cut is nothing odd */
    assert_true(json_get_truth(record->result, "partial"));
    assert_true(json_get_number(record->result, "throughput_per_s") == 15.0);
    const struct json_t *ledger = json_get(record->result, "ledger");
    assert_int_equal(json_get_count(ledger, "ok"), 3);
    assert_int_equal(json_get_count(ledger, "in_flight_at_end"), 87);
    assert_non_null(strstr(json_get_text(json_get(record->result, "verdict"), "sentence"),
                           "ends without a result"));
    run_record_destroy(record);
}

static void errors_come_by_class_and_by_status(void **state)
{
    (void)state;
    struct run_record *record = read_text(
        START TICK("100000000", "running", "1", ",\"failed\":{\"reset\":2,\"status\":5}")
            TICK("200000000", "running", "1",
                 ",\"failed\":{\"reset\":3,\"status\":9},\"failed_statuses\":{\"503\":9}") RESULT);

    assert_int_equal(record->series.class_count, 2);
    assert_string_equal(record->series.classes[0], "reset");
    assert_int_equal(record->series.bins[0].errors[0], 3);
    assert_string_equal(record->series.classes[1], "http_503");
    assert_int_equal(record->series.bins[0].errors[1], 9);
    run_record_destroy(record);
}

static void a_sample_belongs_to_the_second_that_it_is_of(void **state)
{
    (void)state;
    const char *latency = ",\"service\":{\"p99_ns\":7},\"response\":{\"p99_ns\":9}";
    char text[2048];
    snprintf(text, sizeof text, START "%s{\"line\":\"tick\",\"at_ns\":3900000000%s}\n" RESULT,
             TICK("4000000000", "running", "1", ""), latency);
    struct run_record *record = read_text(text);

    assert_true(record->series.bins[2].measured);
    assert_int_equal(record->series.bins[2].service.p99_ns, 7);
    assert_int_equal(record->series.bins[2].response.p99_ns, 9);
    assert_false(record->series.bins[3].measured);
    run_record_destroy(record);
}

static void an_event_has_the_ticks_around_it(void **state)
{
    (void)state;
    char text[65536] = START;
    for (int i = 1; i <= 100; i++) {
        char tick[512];
        snprintf(tick, sizeof tick,
                 "{\"line\":\"tick\",\"at_ns\":%d00000000,\"state\":\"running\",\"workers\":%d}\n",
                 i, i);
        strcat(text, tick);
        if (i == 50)
            strcat(text, "{\"line\":\"event\",\"at_ns\":5000000000,\"kind\":\"agent_lost\","
                         "\"sentence\":\"gone\"}\n");
    }
    struct run_record *record = read_text(text);

    assert_int_equal(record->moment_count, 2);
    const struct record_moment *moment = &record->moments[1];
    assert_int_equal(moment->event, 0);
    assert_int_equal(moment->tick_count, 75); /* 35 of them were before it */
    assert_true(moment->ticks[0].workers == 16.0);
    assert_true(moment->ticks[74].workers == 90.0);
    run_record_destroy(record);
}

static void a_histogram_comes_back_cell_by_cell(void **state)
{
    (void)state;
    struct run_record *record =
        read_text(START "{\"line\":\"histogram\",\"of\":\"service\",\"sum_ns\":700,\"min_ns\":100,"
                        "\"max_ns\":300,\"cells\":[[100,4],[301,1]]}\n" RESULT);

    const struct histogram *histogram = &record->histograms[SAMPLE_SERVICE];
    assert_int_equal(histogram->total, 5);
    assert_int_equal(histogram_quantile(histogram, 0.5), 100);
    assert_int_equal(histogram_quantile(histogram, 1.0), 300);
    run_record_destroy(record);
}

static void a_line_that_makes_no_sense_is_skipped_and_counted(void **state)
{
    (void)state;
    struct run_record *record = read_text(
        START "nonsense\n[1]\n{\"line\":\"tomorrow\"}\n{\"line\":\"result\",\"result\":7}\n"
              "{\"line\":\"tick\",\"at_ns\":9000000000000000000,\"state\":\"running\"}\n" RESULT);

    assert_int_equal(record->lines_skipped, 3); /* of a kind from tomorrow, or none: passed over */
    assert_non_null(strstr(record->skipped_why, "line 2: "));
    assert_int_equal(record->series.count, 0);
    run_record_destroy(record);
}

static void a_line_longer_than_any_is_skipped_whatever_its_length(void **state)
{
    (void)state;
    size_t length = RECORD_LINE_BYTES_MAX + 2u;
    char *text = malloc(length + 200);
    assert_non_null(text);
    strcpy(text, START);
    memset(text + strlen(START), ' ', length);
    strcpy(text + strlen(START) + length, "\n" RESULT);
    struct run_record *record = read_text(text);

    assert_int_equal(record->lines_skipped, 1);
    assert_non_null(strstr(record->skipped_why, "longer than any"));
    assert_false(record->broken_off);
    run_record_destroy(record);
    free(text);
}

/* clang-format off */
static const struct refusal {
    const char *name, *text, *sentence;
} refusals[] = {
    {"a_plan_is_no_record", "version: 1\n", "its first line is not the start of a run: no record"},
    {"a_record_without_its_start_is_none", RESULT, "its first line is not the start of a run: no record"},
    {"nothing_but_a_blank_is_no_record", " ", "its first line is not the start of a run: no record"},
    {"a_start_that_was_cut_is_no_record", "{\"line\":\"sta", "its first line is not the start of a run: no record"},
};
/* clang-format on */

static void is_refused(void **state)
{
    const struct refusal *row = *state;
    struct error error = {0};

    struct run_record *record = read_bytes(row->text, strlen(row->text), &error);

    assert_null(record);
    assert_int_equal(error.kind, ERROR_PLAN);
    assert_string_equal(error.message, row->sentence);
}

static void a_screen_is_shown_as_it_was_but_for_what_a_terminal_would_obey(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    struct run_record *record = read_text(
        START
        "{\"line\":\"screen\",\"text\":\"one  PASS\\n  two \\u001b[31m \\u202e\\n\"}\n" RESULT);
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);

    assert_true(report_as_text(record, stream, NULL));

    fclose(stream);
    assert_null(strchr(text, '\033'));
    assert_memory_equal(text, "one  PASS\n  two \\x1B[31m ", 25);
    free(text);
    run_record_destroy(record);
}

int main(void)
{
    struct CMUnitTest tests[32] = {
        cmocka_unit_test(a_finished_run_has_its_result_and_its_ticks),
        cmocka_unit_test(a_run_that_was_broken_off_tells_what_its_ticks_tell),
        cmocka_unit_test(errors_come_by_class_and_by_status),
        cmocka_unit_test(a_sample_belongs_to_the_second_that_it_is_of),
        cmocka_unit_test(an_event_has_the_ticks_around_it),
        cmocka_unit_test(a_histogram_comes_back_cell_by_cell),
        cmocka_unit_test(a_line_that_makes_no_sense_is_skipped_and_counted),
        cmocka_unit_test(a_line_longer_than_any_is_skipped_whatever_its_length),
        cmocka_unit_test(a_screen_is_shown_as_it_was_but_for_what_a_terminal_would_obey),
    };
    size_t count = 9;
    for (size_t i = 0; i < COUNT(refusals); i++)
        tests[count++] = (struct CMUnitTest){.name = refusals[i].name,
                                             .test_func = is_refused,
                                             .initial_state = (void *)(uintptr_t)&refusals[i]};
    return _cmocka_run_group_tests("record_read", tests, count, NULL, NULL);
}
