#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/backlog.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static struct backlog backlog_of(uint32_t capacity, uint64_t rate_milli, uint64_t drop_age_ns)
{
    struct backlog backlog;
    assert_true(backlog_init(&backlog, capacity));
    backlog_set(&backlog, rate_milli, drop_age_ns, 0);
    return backlog;
}

static void push(struct backlog *backlog, uint64_t due_ns)
{
    assert_true(backlog_push(backlog, &(struct waiting){.due_ns = due_ns}));
}

static void the_oldest_comes_first_round_and_round(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(3, 1000, S);

    for (uint64_t i = 1; i <= 10; i++) {
        push(&backlog, 2 * i);
        push(&backlog, 2 * i + 1);
        assert_int_equal(backlog_pop(&backlog).due_ns, 2 * i);
        assert_int_equal(backlog_pop(&backlog).due_ns, 2 * i + 1);
    }

    assert_int_equal(backlog_judge(&backlog, S), BACKLOG_EMPTY);
    backlog_done(&backlog);
}

static void a_full_one_takes_no_more(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(2, 1000, S);
    push(&backlog, 1);
    push(&backlog, 2);

    assert_false(backlog_push(&backlog, &(struct waiting){.due_ns = 3}));

    assert_int_equal(backlog_pop(&backlog).due_ns, 1);
    push(&backlog, 3);
    assert_int_equal(backlog_pop(&backlog).due_ns, 2);
    assert_int_equal(backlog_pop(&backlog).due_ns, 3);
    backlog_done(&backlog);
}

static void what_we_took_late_ourselves_is_counted_while_it_waits(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(4, 1000, S);
    assert_true(backlog_push(&backlog, &(struct waiting){.due_ns = 1, .own_late = true}));
    push(&backlog, 2);

    assert_int_equal(backlog.own_late_count, 1);
    backlog_pop(&backlog);
    assert_int_equal(backlog.own_late_count, 0);
    backlog_done(&backlog);
}

static void too_old_is_dropped_one_step_beyond_the_age(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(4, 1000 * 1000, 100 * MS);
    push(&backlog, S);

    assert_int_equal(backlog_judge(&backlog, S + 100 * MS), BACKLOG_START);
    assert_int_equal(backlog_judge(&backlog, S + 100 * MS + 1), BACKLOG_DROP);
    backlog_done(&backlog);
}

static void at_a_low_rate_two_intervals_are_waited(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(4, 1000, 100 * MS); /* 1/s */
    push(&backlog, S);

    assert_int_equal(backlog_judge(&backlog, 3 * S), BACKLOG_START);
    assert_int_equal(backlog_judge(&backlog, 3 * S + 1), BACKLOG_DROP);
    backlog_done(&backlog);
}

static const struct waiting due_long_ago = {.due_ns = 0};

static void a_request_in_time_passes_a_shut_gate(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(4, 100 * 1000, S);
    for (int i = 0; i < 50; i++)
        backlog_started(&backlog, &due_long_ago, S);
    push(&backlog, S);

    assert_int_equal(backlog_judge(&backlog, S + BACKLOG_LATE_NS), BACKLOG_START);
    assert_int_equal(backlog_judge(&backlog, S + BACKLOG_LATE_NS + 1), BACKLOG_HOLD);
    backlog_done(&backlog);
}

static void requests_in_time_do_not_shut_the_gate(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(4, 100 * 1000, S);
    struct waiting in_time = {.due_ns = S};
    for (int i = 0; i < 50; i++)
        backlog_started(&backlog, &in_time, S + BACKLOG_LATE_NS);
    push(&backlog, S);

    assert_int_equal(backlog_judge(&backlog, S + BACKLOG_LATE_NS + 1), BACKLOG_START);
    backlog_done(&backlog);
}

/* How many of a long line of late requests start within `span_ns`. */
static uint32_t started_within(uint64_t rate_milli, uint64_t span_ns)
{
    struct backlog backlog = backlog_of(100000, rate_milli, 1000 * S);
    for (uint32_t i = 0; i < 100000; i++)
        push(&backlog, S);
    uint32_t started = 0;
    uint64_t now_ns = 10 * S;
    while (now_ns <= 10 * S + span_ns) {
        if (backlog_judge(&backlog, now_ns) == BACKLOG_START) {
            struct waiting request = backlog_pop(&backlog);
            backlog_started(&backlog, &request, now_ns);
            started++;
        } else {
            assert_true(backlog_opens(&backlog) > now_ns);
            now_ns = backlog_opens(&backlog);
        }
    }
    backlog_done(&backlog);
    return started;
}

static void catching_up_is_a_tenth_above_the_rate_and_a_burst_of_ten(void **state)
{
    (void)state;
    static const uint64_t rates_per_s[] = {5, 50, 1000, 5000};

    for (size_t i = 0; i < sizeof rates_per_s / sizeof rates_per_s[0]; i++) {
        uint32_t started = started_within(rates_per_s[i] * 1000, 10 * S);
        assert_in_range(started, rates_per_s[i] * 11 + 8, rates_per_s[i] * 11 + 13);
    }
}

static void a_pause_of_the_rate_leaves_the_gate_as_it_was(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(4, 1000 * 1000, S);

    backlog_set(&backlog, 0, 2 * S, 0);

    assert_int_equal(backlog.rate_milli, 1000 * 1000);
    assert_int_equal(backlog.drop_age_ns, 2 * S);
    backlog_done(&backlog);
}

/* In whole ms from the change of rate: when late requests start again after `count` started just
 * before.
 */
static uint64_t opens_after(uint32_t count, uint64_t before_milli, uint64_t after_milli)
{
    struct backlog backlog = backlog_of(4, before_milli, S);
    for (uint32_t i = 0; i < count; i++)
        backlog_started(&backlog, &due_long_ago, S);
    backlog_set(&backlog, after_milli, S, S);
    uint64_t opens_ns = backlog_opens(&backlog);
    backlog_done(&backlog);
    return opens_ns > S ? (opens_ns - S + MS / 2) / MS : 0;
}

static void the_gate_counts_requests_at_the_rate_of_now(void **state)
{
    (void)state;

    assert_int_equal(opens_after(1, 1000, 1000 * 1000), 0);
    assert_int_equal(opens_after(22, 1000, 1000 * 1000), 10);
    assert_int_equal(opens_after(22, 1000 * 1000, 1000 * 1000), 10);
    assert_int_equal(opens_after(22, 1000 * 1000, 1000), 10000);
    assert_int_equal(opens_after(1, 1, (uint64_t)1e10), 0);
}

static void those_without_an_index_wait_behind_and_get_theirs_in_order(void **state)
{
    (void)state;
    struct backlog backlog = backlog_of(3, 1000, S);
    push(&backlog, 1);
    backlog_pop(&backlog);
    push(&backlog, 2); /* so that the line goes round the end of its ring */
    assert_true(backlog_push(&backlog, &(struct waiting){.due_ns = 3, .unnumbered = true}));
    assert_true(backlog_push(&backlog, &(struct waiting){.due_ns = 4, .unnumbered = true}));

    assert_int_equal(backlog_waiting(&backlog), 1);
    assert_int_equal(backlog_pop(&backlog).due_ns, 2);
    assert_int_equal(backlog_judge(&backlog, 5), BACKLOG_UNNUMBERED);
    assert_int_equal(backlog_judge(&backlog, 3 * S), BACKLOG_DROP);
    assert_int_equal(backlog_unnumbered(&backlog)->due_ns, 3);
    backlog_number(&backlog, 77, true);
    assert_int_equal(backlog_unnumbered(&backlog)->due_ns, 4);
    assert_int_equal(backlog.own_late_count, 1);
    assert_int_equal(backlog_judge(&backlog, 5), BACKLOG_START);
    assert_int_equal(backlog_pop(&backlog).index, 77);
    assert_int_equal(backlog.own_late_count, 0);
    assert_int_equal(backlog_waiting(&backlog), 0);
    backlog_pop(&backlog);
    assert_null(backlog_unnumbered(&backlog));
    backlog_done(&backlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_comes_first_round_and_round),
        cmocka_unit_test(a_full_one_takes_no_more),
        cmocka_unit_test(those_without_an_index_wait_behind_and_get_theirs_in_order),
        cmocka_unit_test(what_we_took_late_ourselves_is_counted_while_it_waits),
        cmocka_unit_test(too_old_is_dropped_one_step_beyond_the_age),
        cmocka_unit_test(at_a_low_rate_two_intervals_are_waited),
        cmocka_unit_test(a_request_in_time_passes_a_shut_gate),
        cmocka_unit_test(requests_in_time_do_not_shut_the_gate),
        cmocka_unit_test(catching_up_is_a_tenth_above_the_rate_and_a_burst_of_ten),
        cmocka_unit_test(a_pause_of_the_rate_leaves_the_gate_as_it_was),
        cmocka_unit_test(the_gate_counts_requests_at_the_rate_of_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
