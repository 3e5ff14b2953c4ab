#include "coordinator/sink.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STALLED_S 5u /* only a failing test ever waits so long: SIGALRM ends it */

/* The console's stderr is a pipe that the test holds by its other end. */
struct fixture {
    struct plan plan;
    struct sink sink;
    int reader, before;
};

static int stderr_piped(void **state)
{
    static char name[] = "soak", target[] = "http://127.0.0.1:1/";
    struct fixture *fixture = calloc(1, sizeof *fixture);
    CHECK(fixture != NULL);
    fixture->plan = (struct plan){.name = name, .target = target, .goal = GOAL_HOLD};
    int ends[2];
    fixture->before = dup(STDERR_FILENO);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    fixture->reader = ends[0];
    struct sink_start start = {.plan = &fixture->plan};
    CHECK(sink_console_open(&fixture->sink, &start, false, NULL));
    *state = fixture;
    return 0;
}

static int stderr_restored(void **state)
{
    struct fixture *fixture = *state;
    fixture->sink.close(fixture->sink.state);
    CHECK(dup2(fixture->before, STDERR_FILENO) == STDERR_FILENO);
    close(fixture->before);
    close(fixture->reader);
    free(fixture);
    return 0;
}

static void say(struct fixture *fixture, const char *sentence)
{
    struct report_event event = {.at_ns = 62100000000};
    snprintf(event.sentence, sizeof event.sentence, "%s", sentence);
    assert_true(fixture->sink.event(fixture->sink.state, &event, NULL));
}

static void an_event_is_a_line_with_its_time(void **state)
{
    struct fixture *fixture = *state;
    char text[1024] = "";

    say(fixture, "agent a\033[2J was lost");

    assert_true(read(fixture->reader, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "soak: hold"));
    assert_non_null(strstr(text, "\n01:02.1  agent a\\x1B[2J was lost\n"));
}

static void tick(struct fixture *fixture, uint64_t at_ns, struct tick tick)
{
    tick.at_ns = at_ns;
    tick.state = SESSION_RUNNING;
    tick.agents_ready = 1;
    assert_true(fixture->sink.tick(fixture->sink.state, &tick, NULL));
}

static void a_line_says_where_a_search_stands(void **state)
{
    static char bound[] = "latency.p(99) < 20ms";
    static const struct {
        struct tick tick;
        const char *says;
    } rows[] = {
        {{.status = CONTROL_RAMPING}, "CPU  searching\n"},
        {{.status = CONTROL_SATURATED, .converged = true}, "CPU  converged\n"},
        {{.status = CONTROL_BOUNDED, .bound = CONTROL_BY_LATENCY, .converged = true},
         "CPU  bounded by latency.p(99) < 20ms\n"},
        {{.status = CONTROL_GENERATOR_BOUND}, "CPU  generator_bound\n"},
    };
    struct fixture *fixture = *state;
    fixture->plan.goal = GOAL_MAXIMIZE_WHILE;
    fixture->plan.bound_count = 1;
    fixture->plan.bounds[0] = (struct threshold){.text = bound, .metric = METRIC_LATENCY_QUANTILE};
    char text[2048];
    for (size_t i = 0; i < COUNT(rows); i++) {
        tick(fixture, (10 * i + 1) * NS_PER_S, rows[i].tick);
        tick(fixture, (10 * i + 6) * NS_PER_S, rows[i].tick);
        ssize_t count = read(fixture->reader, text, sizeof text - 1);
        assert_true(count > 0);
        text[count] = '\0';
        if (strstr(text, rows[i].says) == NULL)
            fail_msg("not there: %s in: %s", rows[i].says, text);
    }
}

static void a_line_tells_how_many_of_the_agents_are_left(void **state)
{
    struct fixture *fixture = *state;
    char text[2048] = "";

    tick(fixture, 1 * NS_PER_S, (struct tick){.agents_lost = 2});
    tick(fixture, 6 * NS_PER_S, (struct tick){.agents_lost = 2});

    assert_true(read(fixture->reader, text, sizeof text - 1) > 0);
    if (strstr(text, "  1 of 3 agents ") == NULL)
        fail_msg("1 is here and 2 are lost, and it says: %s", text);
}

/* As with Ctrl-S, or a pager at its first page. */
static void a_reader_that_takes_nothing_stalls_nobody(void **state)
{
    struct fixture *fixture = *state;

    alarm(STALLED_S);
    for (int i = 0; i < 4000; i++)
        say(fixture, "one of more lines than a pipe holds");

    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_a_line_with_its_time, stderr_piped,
                                        stderr_restored),
        cmocka_unit_test_setup_teardown(a_line_says_where_a_search_stands, stderr_piped,
                                        stderr_restored),
        cmocka_unit_test_setup_teardown(a_line_tells_how_many_of_the_agents_are_left, stderr_piped,
                                        stderr_restored),
        cmocka_unit_test_setup_teardown(a_reader_that_takes_nothing_stalls_nobody, stderr_piped,
                                        stderr_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
