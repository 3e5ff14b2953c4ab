#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/patience.h"

static struct patience with_limits(uint64_t connect_ns, uint64_t first_byte_ns)
{
    struct patience patience = {0};
    patience.limits_ns[PATIENCE_CONNECT] = connect_ns;
    patience.limits_ns[PATIENCE_FIRST_BYTE] = first_byte_ns;
    return patience;
}

static void without_a_limit_nobody_waits(void **state)
{
    (void)state;
    struct patience patience = {0};
    struct patience_link link = {0};

    patience_begin(&patience, &link, PATIENCE_CONNECT, 5);

    assert_int_equal(link.kind, PATIENCE_NONE);
    assert_true(patience_deadline(&patience) == PATIENCE_NEVER);
    assert_null(patience_expired(&patience, PATIENCE_NEVER - 1));
}

static void who_began_first_expires_first_and_not_a_nanosecond_early(void **state)
{
    (void)state;
    struct patience patience = with_limits(100, 0);
    struct patience_link links[3] = {0};
    for (uint64_t i = 0; i < 3; i++)
        patience_begin(&patience, &links[i], PATIENCE_CONNECT, 10 * i);

    assert_true(patience_deadline(&patience) == 100);
    assert_null(patience_expired(&patience, 99));
    assert_ptr_equal(patience_expired(&patience, 100), &links[0]);
    patience_end(&patience, &links[0]);
    assert_null(patience_expired(&patience, 109));
    assert_ptr_equal(patience_expired(&patience, 110), &links[1]);
}

static void what_ends_in_the_middle_leaves_the_others_waiting(void **state)
{
    (void)state;
    struct patience patience = with_limits(100, 0);
    struct patience_link links[3] = {0};
    for (uint64_t i = 0; i < 3; i++)
        patience_begin(&patience, &links[i], PATIENCE_CONNECT, i);

    patience_end(&patience, &links[1]);
    patience_end(&patience, &links[1]); /* twice is once */
    patience_end(&patience, &links[0]);
    assert_true(patience_deadline(&patience) == 102);
    patience_end(&patience, &links[2]);

    assert_true(patience_deadline(&patience) == PATIENCE_NEVER);
}

static void who_waits_for_the_next_thing_waits_no_more_for_the_last(void **state)
{
    (void)state;
    struct patience patience = with_limits(100, 30);
    struct patience_link link = {0};

    patience_begin(&patience, &link, PATIENCE_CONNECT, 0);
    patience_begin(&patience, &link, PATIENCE_FIRST_BYTE, 90);

    assert_true(patience_deadline(&patience) == 120);
    assert_ptr_equal(patience_expired(&patience, 120), &link);
    assert_int_equal(link.kind, PATIENCE_FIRST_BYTE);
}

static void the_sooner_of_two_kinds_comes_first(void **state)
{
    (void)state;
    struct patience patience = with_limits(100, 30);
    struct patience_link slow = {0}, quick = {0};
    patience_begin(&patience, &slow, PATIENCE_CONNECT, 0);
    patience_begin(&patience, &quick, PATIENCE_FIRST_BYTE, 50);

    assert_true(patience_deadline(&patience) == 80);
    assert_ptr_equal(patience_expired(&patience, 80), &quick);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nobody_waits),
        cmocka_unit_test(who_began_first_expires_first_and_not_a_nanosecond_early),
        cmocka_unit_test(what_ends_in_the_middle_leaves_the_others_waiting),
        cmocka_unit_test(who_waits_for_the_next_thing_waits_no_more_for_the_last),
        cmocka_unit_test(the_sooner_of_two_kinds_comes_first),
    };
    return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
