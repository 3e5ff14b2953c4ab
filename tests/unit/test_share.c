#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/share.h"
#include "common/base/check.h"

static void parts_sum_to_the_total(void **state)
{
    (void)state;
    static const uint64_t totals_milli[] = {0, 1, 999, 1000, 1500, 3400, 63999, 64000, 20000001};

    for (size_t t = 0; t < COUNT(totals_milli); t++) {
        for (uint32_t count = 1; count <= 7; count++) {
            uint64_t workers = 0, rate = 0;
            for (uint32_t i = 0; i < count; i++) {
                workers += share_workers(totals_milli[t], count, i);
                rate += share_rate(totals_milli[t], count, i);
            }
            assert_int_equal(workers, totals_milli[t]);
            assert_int_equal(rate, totals_milli[t]);
        }
    }
}

static void one_lane_has_the_fraction(void **state)
{
    (void)state;
    assert_int_equal(share_workers(5400, 3, 0), 2000);
    assert_int_equal(share_workers(5400, 3, 1), 2000);
    assert_int_equal(share_workers(5400, 3, 2), 1400);
    assert_int_equal(share_workers(6400, 3, 0), 2400);
}

static void one_lane_has_all_of_it_at_once(void **state)
{
    (void)state;
    struct share only = {0};

    share_grant(&only, 1, 64000);
    assert_int_equal(only.granted_milli, 64000);
    share_grant(&only, 1, 2500);
    assert_int_equal(only.granted_milli, 2500);
    share_grant(&only, 1, 80000);
    assert_int_equal(only.granted_milli, 80000);
}

static void a_new_lane_gets_what_the_others_have_let_go(void **state)
{
    (void)state;
    struct share shares[2] = {{0}};
    share_grant(shares, 1, 64000);
    share_seen(&shares[0], 64);

    share_grant(shares, 2, 64000);
    assert_int_equal(shares[0].granted_milli, 32000);
    assert_int_equal(shares[1].granted_milli, 0);
    assert_false(share_complete(shares, 2, 64000));
    share_seen(&shares[0], 50); /* 14 have ended */
    share_grant(shares, 2, 64000);
    assert_int_equal(shares[1].granted_milli, 14000);
    share_seen(&shares[0], 32);
    share_seen(&shares[1], 14);
    share_grant(shares, 2, 64000);

    assert_int_equal(shares[0].granted_milli, 32000);
    assert_int_equal(shares[1].granted_milli, 32000);
    assert_true(share_complete(shares, 2, 64000));
}

static void a_cut_that_is_taken_back_grants_at_once_what_is_still_held(void **state)
{
    (void)state;
    struct share shares[2] = {{0}};
    share_grant(shares, 2, 40000);

    share_grant(shares, 2, 10000);
    share_grant(shares, 2, 40000);

    assert_int_equal(shares[0].granted_milli, 20000);
    assert_int_equal(shares[1].granted_milli, 20000);
}

static void in_a_pause_the_first_lane_carries_on(void **state)
{
    (void)state;
    struct share shares[2] = {{0}};

    share_grant(shares, 2, 0);
    assert_int_equal(share_carrying(shares, 2), 1);
    share_grant(shares, 2, 1000);
    assert_int_equal(share_carrying(shares, 2), 1);
    share_grant(shares, 2, 2000);
    assert_int_equal(share_carrying(shares, 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_sum_to_the_total),
        cmocka_unit_test(one_lane_has_the_fraction),
        cmocka_unit_test(one_lane_has_all_of_it_at_once),
        cmocka_unit_test(a_new_lane_gets_what_the_others_have_let_go),
        cmocka_unit_test(a_cut_that_is_taken_back_grants_at_once_what_is_still_held),
        cmocka_unit_test(in_a_pause_the_first_lane_carries_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
