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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_share_to_within_one_pick),
        cmocka_unit_test(the_same_seed_gives_the_same_order),
        cmocka_unit_test(a_rare_kind_comes_once_in_its_turn),
        cmocka_unit_test(one_kind_is_always_that_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
