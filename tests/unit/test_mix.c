#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/mix.h"

static void each_kind_has_its_share_to_within_one_pick(void **state)
{
    (void)state;
    static const uint32_t weights[] = {9, 1, 5};
    struct mix mix;
    mix_init(&mix, weights, 3, 0);

    uint32_t picks[3] = {0};
    for (uint32_t n = 1; n <= 15000; n++) {
        picks[mix_next(&mix)]++;
        for (uint32_t i = 0; i < 3; i++) {
            double share = (double)n * weights[i] / 15.0;
            assert_true(picks[i] > share - 1.0 - 1e-9 && picks[i] < share + 1.0 + 1e-9);
        }
    }
}

static void the_same_seed_gives_the_same_order(void **state)
{
    (void)state;
    static const uint32_t weights[] = {3, 2};
    struct mix first, second, other;
    mix_init(&first, weights, 2, 41);
    mix_init(&second, weights, 2, 41);
    mix_init(&other, weights, 2, 42);

    uint32_t different = 0;
    for (uint32_t n = 0; n < 100; n++) {
        uint32_t kind = mix_next(&first);
        assert_int_equal(kind, mix_next(&second));
        different += kind != mix_next(&other);
    }
    assert_true(different > 0);
}

static void a_rare_kind_comes_once_in_its_turn(void **state)
{
    (void)state;
    static const uint32_t weights[] = {WEIGHT_MAX - 1, 1};
    struct mix mix;
    mix_init(&mix, weights, 2, 7);

    uint32_t rare = 0;
    for (uint32_t n = 0; n < 2 * WEIGHT_MAX; n++)
        rare += mix_next(&mix);

    assert_int_equal(rare, 2);
}

static void one_kind_is_always_that_one(void **state)
{
    (void)state;
    struct mix mix;
    mix_init(&mix, &(uint32_t){5}, 1, 99);

    for (uint32_t n = 0; n < 10; n++)
        assert_int_equal(mix_next(&mix), 0);
}

static void numbered_kinds_have_exactly_their_shares_in_each_cycle(void **state)
{
    (void)state;
    static const uint32_t weights[] = {900, 100, 500};
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct mix mix;
        mix_init(&mix, weights, 3, 0);
        mix_number(&mix, seed);

        for (uint64_t cycle = 0; cycle < 4; cycle++) {
            uint32_t picks[3] = {0};
            for (uint64_t i = 0; i < 15; i++)
                picks[mix_at(&mix, 15 * cycle + i)]++;
            assert_int_equal(picks[0], 9);
            assert_int_equal(picks[1], 1);
            assert_int_equal(picks[2], 5);
        }
    }
}

static void numbered_kinds_come_in_no_bunches(void **state)
{
    (void)state;
    static const uint32_t mixes[][3] = {{1, 1, 1},
                                        {372186, 145002, 1},
                                        {7, 993, 12345},
                                        {WEIGHT_MAX, 1, WEIGHT_MAX - 1},
                                        {3, 64, 94}};
    for (size_t m = 0; m < sizeof mixes / sizeof mixes[0]; m++) {
        const uint32_t *weights = mixes[m];
        double sum = (double)weights[0] + weights[1] + weights[2];
        struct mix mix;
        mix_init(&mix, weights, 3, 0);
        mix_number(&mix, m);

        uint32_t picks[3] = {0};
        for (uint64_t n = 1; n <= 20000; n++) {
            picks[mix_at(&mix, n - 1)]++;
            for (uint32_t i = 0; i < 3; i++)
                assert_true(fabs(picks[i] - (double)n * weights[i] / sum) < 4.0);
        }
    }
}

static void a_numbered_kind_follows_from_seed_and_index_alone(void **state)
{
    (void)state;
    static const uint32_t weights[] = {3, 2, 8};
    struct mix lane, other_lane, other_run;
    mix_init(&lane, weights, 3, 41);
    mix_init(&other_lane, weights, 3, 42);
    mix_init(&other_run, weights, 3, 41);
    mix_number(&lane, 5);
    mix_number(&other_lane, 5);
    mix_number(&other_run, 6);
    mix_next(&other_lane);

    uint32_t different = 0;
    for (uint64_t n = 0; n < 100; n++) {
        assert_int_equal(mix_at(&lane, n), mix_at(&other_lane, n));
        different += mix_at(&lane, n) != mix_at(&other_run, n);
    }
    assert_true(different > 0);
}

static void the_largest_weights_and_the_last_index_are_no_border(void **state)
{
    (void)state;
    uint32_t weights[REQUEST_NAMES_MAX];
    for (uint32_t i = 0; i < REQUEST_NAMES_MAX; i++)
        weights[i] = WEIGHT_MAX - i;
    struct mix mix;
    mix_init(&mix, weights, REQUEST_NAMES_MAX, 0);
    mix_number(&mix, UINT64_MAX);

    assert_true(mix_at(&mix, UINT64_MAX) < REQUEST_NAMES_MAX);
    mix_init(&mix, weights, 1, 0);
    mix_number(&mix, 1);
    assert_int_equal(mix_at(&mix, UINT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_share_to_within_one_pick),
        cmocka_unit_test(the_same_seed_gives_the_same_order),
        cmocka_unit_test(a_rare_kind_comes_once_in_its_turn),
        cmocka_unit_test(one_kind_is_always_that_one),
        cmocka_unit_test(numbered_kinds_have_exactly_their_shares_in_each_cycle),
        cmocka_unit_test(numbered_kinds_come_in_no_bunches),
        cmocka_unit_test(a_numbered_kind_follows_from_seed_and_index_alone),
        cmocka_unit_test(the_largest_weights_and_the_last_index_are_no_border),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
