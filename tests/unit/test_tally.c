#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/tally.h"

#include <pthread.h>

#define CALLS   100000u
#define CALL_NS 7u

static void what_ended_is_counted_with_its_time(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct tally_sums sums = {0};
    tally_begin(&tally, 100);
    tally_end(&tally, 150, true);
    tally_begin(&tally, 200);
    tally_end(&tally, 230, false);

    tally_add(&tally, 1000, &sums);

    assert_int_equal(sums.completed, 1);
    assert_int_equal(sums.failed, 1);
    assert_int_equal(sums.completed_ns, 50);
    assert_int_equal(sums.busy_ns, 80);
}

static void what_is_in_flight_counts_up_to_now(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct tally_sums sums = {0};
    tally_begin(&tally, 100);

    tally_add(&tally, 130, &sums);
    assert_int_equal(sums.busy_ns, 30);
    tally_add(&tally, 90, &sums); /* it began after the clock was read */

    assert_int_equal(sums.busy_ns, 30);
    assert_int_equal(sums.completed, 0);
}

static void sums_go_over_many(void **state)
{
    (void)state;
    struct tally tallies[2] = {0};
    struct tally_sums sums = {0};
    for (size_t i = 0; i < COUNT(tallies); i++) {
        tally_begin(&tallies[i], 10);
        tally_end(&tallies[i], 20, true);
        tally_add(&tallies[i], 30, &sums);
    }
    assert_int_equal(sums.completed, 2);
    assert_int_equal(sums.busy_ns, 20);
}

/* Quantiles. */

static void count(atomic_uint_least32_t *cells, uint64_t latency_ns, uint32_t times)
{
    struct tally tally = {.cells = cells};
    for (uint32_t i = 0; i < times; i++) {
        tally_begin(&tally, 1);
        tally_end(&tally, 1 + latency_ns, true);
    }
}

static void a_quantile_is_of_what_came_between(void **state)
{
    (void)state;
    static atomic_uint_least32_t cells[TALLY_CELLS];
    static uint32_t before[TALLY_CELLS], after[TALLY_CELLS];
    struct tally tally = {.cells = cells};
    count(cells, 500000000, 100);
    tally_add_cells(&tally, before);
    count(cells, 1000000, 980);
    count(cells, 40000000, 20);
    tally_add_cells(&tally, after);

    assert_in_range(tally_quantile(before, after, 0.5), 1000000, 1032000);
    assert_in_range(tally_quantile(before, after, 0.98), 1000000, 1032000);
    assert_in_range(tally_quantile(before, after, 0.99), 40000000, 41280000);
    assert_int_equal(tally_quantile(after, after, 0.99), 0);
}

static void counts_that_wrap_still_tell_the_difference(void **state)
{
    (void)state;
    static uint32_t before[TALLY_CELLS], after[TALLY_CELLS];
    before[10] = UINT32_MAX;
    after[10] = 1;

    assert_in_range(tally_quantile(before, after, 0.99), 40, 43);
}

static void failures_have_no_latency(void **state)
{
    (void)state;
    static atomic_uint_least32_t cells[TALLY_CELLS];
    static uint32_t before[TALLY_CELLS], after[TALLY_CELLS];
    struct tally tally = {.cells = cells};
    tally_begin(&tally, 1);
    tally_end(&tally, 1000, false);
    tally_add_cells(&tally, after);

    assert_int_equal(tally_quantile(before, after, 0.5), 0);
}

/* Two threads. */

static void *work(void *context)
{
    for (unsigned i = 0; i < CALLS; i++) {
        tally_begin(context, 1);
        tally_end(context, 1 + CALL_NS, true);
    }
    return NULL;
}

static void a_reading_is_never_torn(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct tally_sums sums = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, &tally), 0);

    while (sums.completed < CALLS) {
        sums = (struct tally_sums){0};
        tally_add(&tally, 1, &sums);
        assert_int_equal(sums.completed_ns, sums.completed * CALL_NS);
        assert_int_equal(sums.busy_ns, sums.completed_ns);
    }

    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ended_is_counted_with_its_time),
        cmocka_unit_test(what_is_in_flight_counts_up_to_now),
        cmocka_unit_test(sums_go_over_many),
        cmocka_unit_test(a_quantile_is_of_what_came_between),
        cmocka_unit_test(counts_that_wrap_still_tell_the_difference),
        cmocka_unit_test(failures_have_no_latency),
        cmocka_unit_test(a_reading_is_never_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
