#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/control/split.h"
#include "tests/unit/near.h"

#include <stdbool.h>
#include <stdlib.h>

#define TAKERS_MAX 4

struct split_case {
    const char *name;
    uint64_t total;
    size_t count;
    double weights[TAKERS_MAX];
    uint64_t limits[TAKERS_MAX], shares[TAKERS_MAX];
};

static const struct split_case cases[] = {
    {"split_gives_all_to_one", 7, 1, {3}, {100}, {7}},
    {"split_gives_by_weight", 100, 3, {1, 2, 1}, {1000, 1000, 1000}, {25, 50, 25}},
    {"split_gives_equal_parts_without_weights", 90, 3, {0, 0, 0}, {99, 99, 99}, {30, 30, 30}},
    {"split_gives_the_rest_to_the_largest_fraction", 10, 3, {1, 1, 2}, {99, 99, 99}, {3, 2, 5}},
    {"split_gives_ties_to_the_lower_index", 11, 4, {1, 1, 1, 1}, {99, 99, 99, 99}, {3, 3, 3, 2}},
    {"split_gives_nothing_to_a_taker_without_weight", 10, 2, {1, 0}, {99, 99}, {10, 0}},
    {"split_gives_what_one_cannot_take_to_others", 100, 3, {2, 1, 1}, {10, 99, 99}, {10, 45, 45}},
    {"split_fills_one_after_the_other", 100, 3, {4, 2, 1}, {10, 20, 99}, {10, 20, 70}},
    {"split_gives_no_more_than_the_limits", 100, 2, {1, 1}, {10, 20}, {10, 20}},
    {"split_keeps_limits_of_others_out_of_it", 100, 2, {1, 0}, {10, 90}, {10, 0}},
    {"split_gives_nothing_of_nothing", 0, 2, {1, 1}, {10, 10}, {0, 0}},
    {"split_gives_nothing_to_limits_of_zero", 5, 2, {1, 1}, {0, 0}, {0, 0}},
    {"split_gives_exactly_up_to_the_limit", 20, 2, {1, 1}, {10, 10}, {10, 10}},
    {"split_gives_one_among_many", 1, 4, {1, 1, 1, 1}, {9, 9, 9, 9}, {1, 0, 0, 0}},
    {"split_gives_nothing_to_nobody", 5, 0, {0}, {0}, {0}},
};

static void split_gives(void **state)
{
    const struct split_case *c = *state;
    uint64_t shares[TAKERS_MAX] = {0};

    uint64_t given = split_shares(c->total, c->weights, c->limits, c->count, shares);

    uint64_t sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        assert_int_equal(shares[i], c->shares[i]);
        sum += shares[i];
    }
    assert_int_equal(given, sum);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/** A fleet of the largest size, weights over nine orders of magnitude. */
static void split_sums_exactly_whatever_comes(void **state)
{
    (void)state;
    double *weights = calloc(AGENTS_MAX, sizeof *weights);
    uint64_t *limits = calloc(AGENTS_MAX, sizeof *limits);
    uint64_t *shares = calloc(AGENTS_MAX, sizeof *shares);
    assert_true(weights != NULL && limits != NULL && shares != NULL);
    unsigned short seed[3] = {1, 2, 3};
    for (int run = 0; run < 200; run++) {
        size_t count = run % 50 == 0 ? AGENTS_MAX : 1 + (size_t)(nrand48(seed) % 40);
        uint64_t possible = 0;
        uint64_t all = 0;
        bool weighted = false;
        for (size_t i = 0; i < count; i++) {
            weights[i] = nrand48(seed) % 5 == 0 ? 0.0 : erand48(seed) * (i % 7 == 0 ? 1e9 : 1.0);
            limits[i] = (uint64_t)nrand48(seed) % (1000u * (uint64_t)CONCURRENCY_MAX);
            weighted = weighted || weights[i] > 0.0;
            possible += weights[i] > 0.0 ? limits[i] : 0;
            all += limits[i];
        }
        uint64_t total = (uint64_t)(erand48(seed) * 1.5 * (double)all);

        uint64_t given = split_shares(total, weights, limits, count, shares);

        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            assert_true(shares[i] <= limits[i]);
            assert_true(!weighted || weights[i] > 0.0 || shares[i] == 0);
            sum += shares[i];
        }
        assert_int_equal(sum, given);
        assert_int_equal(given, least(total, weighted ? possible : all));
    }
    free(weights);
    free(limits);
    free(shares);
}

static void split_learns_requests_per_worker_second(void **state)
{
    (void)state;
    struct split_weight weight = {0};

    split_learn(&weight, 1000, 10, -1);
    assert_near(weight.weight, 100, 1e-9);
    split_learn(&weight, 2000, 10, -1);
    assert_near(weight.weight, 150, 1e-9);
}

/** The machine stays what it is, and single ticks of few workers are noisy. */
static void split_forgets_a_weight_within_seconds_not_ticks(void **state)
{
    (void)state;
    struct split_weight weight = {0};
    for (int tick = 0; tick < 100; tick++)
        split_learn(&weight, 1000, 10, -1);

    split_learn(&weight, 2000, 10, -1);
    assert_near(weight.weight, 102, 1e-9);
    for (int tick = 0; tick < 200; tick++)
        split_learn(&weight, 2000, 10, -1);
    assert_near(weight.weight, 200, 2);
}

static void split_learns_nothing_from_an_idle_agent(void **state)
{
    (void)state;
    struct split_weight weight = {.weight = 50};

    split_learn(&weight, 1000, 0.1, -1);
    split_learn(&weight, 0, 10, -1);

    assert_near(weight.weight, 50, 0);
}

static void split_calls_an_agent_full_after_five_ticks_and_not_before(void **state)
{
    (void)state;
    struct split_weight weight = {0};
    for (int tick = 0; tick < 4; tick++)
        split_learn(&weight, 1000, 10, 0.95);
    assert_false(split_is_full(&weight));

    split_learn(&weight, 1000, 12, 0.95);
    assert_true(split_is_full(&weight));
    split_learn(&weight, 1000, 20, 0.95);
    assert_near(weight.full_concurrency, 12, 0);

    split_learn(&weight, 1000, 10, 0.85);
    assert_true(split_is_full(&weight));
    split_learn(&weight, 1000, 10, 0.79);
    assert_false(split_is_full(&weight));
}

int main(void)
{
    struct CMUnitTest table[COUNT(cases)];
    for (size_t i = 0; i < COUNT(cases); i++)
        table[i] = (struct CMUnitTest){.name = cases[i].name,
                                       .test_func = split_gives,
                                       .initial_state = (void *)(uintptr_t)&cases[i]};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_sums_exactly_whatever_comes),
        cmocka_unit_test(split_learns_requests_per_worker_second),
        cmocka_unit_test(split_forgets_a_weight_within_seconds_not_ticks),
        cmocka_unit_test(split_learns_nothing_from_an_idle_agent),
        cmocka_unit_test(split_calls_an_agent_full_after_five_ticks_and_not_before),
    };
    return cmocka_run_group_tests_name("split", table, NULL, NULL) +
           cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}
