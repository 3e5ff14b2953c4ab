#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/thinking.h"

static void nobody_thinks_unless_asked(void **state)
{
    (void)state;
    struct thinking thinking;
    uint32_t index;

    assert_true(thinking_init(&thinking, 0, 0, 1, 10));

    assert_int_equal(thinking_next(&thinking), UINT64_MAX);
    assert_false(thinking_take(&thinking, UINT64_MAX - 1, &index));
    thinking_done(&thinking);
}

static void those_who_began_late_may_end_early(void **state)
{
    (void)state;
    struct thinking thinking;
    uint32_t index;
    assert_true(thinking_init(&thinking, 1, 9, 1, 3));

    thinking_add(&thinking, 7, 300);
    thinking_add(&thinking, 8, 100);
    thinking_add(&thinking, 9, 200);

    assert_int_equal(thinking_next(&thinking), 100);
    assert_false(thinking_take(&thinking, 99, &index));
    const uint32_t order[] = {8, 9, 7};
    for (size_t i = 0; i < 3; i++) {
        assert_true(thinking_take(&thinking, 300, &index));
        assert_int_equal(index, order[i]);
    }
    assert_false(thinking_take(&thinking, 300, &index));
    thinking_done(&thinking);
}

static void thoughts_are_as_long_as_the_plan_says(void **state)
{
    (void)state;
    struct thinking thinking;
    assert_true(thinking_init(&thinking, 100, 300, 1, 1));
    uint64_t sum = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t drawn = thinking_draw(&thinking);
        assert_in_range(drawn, 100, 300);
        sum += drawn;
    }
    assert_in_range(sum / 10000, 198, 202);
    thinking_done(&thinking);
}

static void thought_of_one_length_is_that(void **state)
{
    (void)state;
    struct thinking thinking;
    assert_true(thinking_init(&thinking, 200, 200, 1, 1));
    assert_int_equal(thinking_draw(&thinking), 200);
    thinking_done(&thinking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_thinks_unless_asked),
        cmocka_unit_test(those_who_began_late_may_end_early),
        cmocka_unit_test(thoughts_are_as_long_as_the_plan_says),
        cmocka_unit_test(thought_of_one_length_is_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
