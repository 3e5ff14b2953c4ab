#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/units.h"
#include "coordinator/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hold of 100/s for 20 s; each tick is a second of it. */
static const struct plan plan = {.goal = GOAL_HOLD,
                                 .schedule = {.value = 100.0, .duration_ns = 20 * NS_PER_S}};

struct drawing {
    struct plot *plot;
    struct sink sink;
    char *text;
    size_t bytes;
};

static void begin(struct drawing *drawing)
{
    *drawing = (struct drawing){0};
    drawing->plot = plot_create(&plan, &drawing->sink);
}

static void tick(struct drawing *drawing, uint64_t second, double rate, double workers,
                 uint64_t latency_ms, enum control_status status)
{
    struct error error = {0};
    struct tick shown = {.at_ns = second * NS_PER_S,
                         .state = SESSION_RUNNING,
                         .throughput_per_s = rate,
                         .workers = workers,
                         .latency_ns_mean = (double)(latency_ms * NS_PER_MS),
                         .status = status};
    assert_true(drawing->sink.tick(drawing->sink.state, &shown, &error));
}

static void event(struct drawing *drawing, uint64_t second, const char *sentence)
{
    struct error error = {0};
    struct report_event happened = {.at_ns = second * NS_PER_S};
    snprintf(happened.sentence, sizeof happened.sentence, "%s", sentence);
    assert_true(drawing->sink.event(drawing->sink.state, &happened, &error));
}

static void assert_drawn(struct drawing *drawing, struct plot_look look, const char *wanted)
{
    FILE *stream = open_memstream(&drawing->text, &drawing->bytes);
    plot_draw(drawing->plot, &look, stream);
    fclose(stream);
    plot_destroy(drawing->plot);

    assert_string_equal(drawing->text, wanted);
    free(drawing->text);
}

static void a_run_is_drawn_to_the_eighth_of_a_cell(void **state)
{
    (void)state;
    struct drawing drawing;
    begin(&drawing);
    for (uint64_t second = 0; second <= 20; second++) {
        bool slow = second > 10 && second <= 15;
        tick(&drawing, second, slow ? 50.0 : 100.0, slow ? 40.0 : 10.0, slow ? 80 : 10,
             CONTROL_STEADY);
        if (second == 10)
            event(&drawing, second, "latency rose 8.0x");
        if (second == 15)
            event(&drawing, second, "latency fell 8.0x");
    }

    assert_drawn(&drawing, (struct plot_look){.columns = 40},
                 "throughput, requests per second; hold 100/s\n"
                 "     100 ▏██████████     █████\n"
                 "         ▏██████████     █████\n"
                 "         ▏██████████▄▄▄▄▄█████\n"
                 "         ▏████████████████████\n"
                 "       0 ▏████████████████████\n"
                 "         └─────────┴─────────┴\n"
                 "         0s        10s       20s\n"
                 "\n"
                 "concurrency, workers\n"
                 "      40 ▏          █████\n"
                 "         ▏          █████\n"
                 "         ▏          █████\n"
                 "       0 ▏████████████████████\n"
                 "         └─────────┴─────────┴\n"
                 "         0s        10s       20s\n"
                 "\n"
                 "service latency, means of ticks, the largest\n"
                 "  80.0ms ▏          █████\n"
                 "         ▏          █████\n"
                 "         ▏          █████\n"
                 "       0 ▏▄▄▄▄▄▄▄▄▄▄█████▄▄▄▄▄\n"
                 "         └─────────┴─────────┴\n"
                 "         0s        10s       20s\n"
                 "\n"
                 " at       workers    lowest   highest  what\n"
                 " 00:01.0       10     100/s     100/s  steady\n"
                 " 00:10.0       34      50/s     100/s  latency rose 8.0x\n"
                 " 00:15.0       15      50/s     100/s  latency fell 8.0x\n");
}

static void without_utf8_and_at_its_end_a_broken_run_is_drawn_too(void **state)
{
    (void)state;
    struct drawing drawing;
    begin(&drawing);
    for (uint64_t second = 1; second <= 3; second++)
        tick(&drawing, second, 120.0 + (double)second, 0.0, 0, CONTROL_RAMPING);

    assert_drawn(&drawing, (struct plot_look){.columns = 1, .ascii = true},
                 "throughput, requests per second; hold 100/s\n"
                 "     150 | ..\n"
                 "     100 |@@@\n"
                 "         |@@@\n"
                 "         |@@@\n"
                 "       0 |@@@\n"
                 "         +---------+---------+\n"
                 "         0s        10s       20s\n"
                 "\n"
                 "concurrency, workers: none\n"
                 "\n"
                 "service latency, means of ticks, the largest: none\n"
                 "\n");
}

static void without_load_there_is_nothing_to_draw(void **state)
{
    (void)state;
    struct drawing drawing;
    begin(&drawing);

    assert_drawn(&drawing, (struct plot_look){.columns = 80},
                 "no load ran: there is nothing to plot\n");
}

static void what_came_from_outside_is_shown_as_such(void **state)
{
    (void)state;
    struct drawing drawing;
    begin(&drawing);
    tick(&drawing, 1, 100.0, 10.0, 10, CONTROL_STEADY);
    event(&drawing, 1, "agent \x1b[31m was lost");
    FILE *stream = open_memstream(&drawing.text, &drawing.bytes);

    plot_draw(drawing.plot, &(struct plot_look){.columns = 80}, stream);
    fclose(stream);
    plot_destroy(drawing.plot);

    assert_null(strchr(drawing.text, '\x1b'));
    assert_non_null(strstr(drawing.text, "agent \\x1B[31m was lost"));
    free(drawing.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_drawn_to_the_eighth_of_a_cell),
        cmocka_unit_test(without_utf8_and_at_its_end_a_broken_run_is_drawn_too),
        cmocka_unit_test(without_load_there_is_nothing_to_draw),
        cmocka_unit_test(what_came_from_outside_is_shown_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
