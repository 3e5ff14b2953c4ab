#include "coordinator/page_numbers.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define THIN "\u202f"
#define NB   "\u00a0"

/* clang-format off */
static const struct number_case {
    const char *name;
    const char *text;
    enum { COUNTED, RATE, TIME, LENGTH, SHARE, CLOCK } kind;
    double value;
} number_cases[] = {
    {"a_count_below_a_thousand_has_no_space", "999", COUNTED, 999},
    {"a_count_is_exact_with_thin_spaces", "1" THIN "296" THIN "414", COUNTED, 1296414},
    {"a_rate_from_a_hundred_on_is_whole", "4" THIN "950", RATE, 4950.3},
    {"a_small_rate_has_three_digits", "49.5", RATE, 49.53},
    {"a_rate_below_one_has_three_digits", "0.0312", RATE, 0.0312},
    {"no_rate_is_zero", "0", RATE, 0},
    {"a_rate_that_is_none_is_zero", "0", RATE, -1},
    {"a_time_has_three_digits", "50.7" NB "ms", TIME, 50743715},
    {"trailing_zeros_of_what_was_measured_stay", "4.60" NB "ms", TIME, 4600000},
    {"rounding_up_keeps_three_digits", "10.0" NB "ms", TIME, 9999999},
    {"below_a_millisecond_come_microseconds", "380" NB "µs", TIME, 380000},
    {"from_a_second_on_come_seconds", "1.21" NB "s", TIME, 1210000000},
    {"from_two_minutes_on_come_minutes", "2" NB "min 5" NB "s", TIME, 125e9},
    {"a_chosen_length_has_no_idle_zeros", "60" NB "s", LENGTH, 60e9},
    {"a_length_is_rounded_to_tenths", "20" NB "s", LENGTH, 19.999e9},
    {"a_length_may_have_a_tenth", "2.5" NB "s", LENGTH, 2.5e9},
    {"trailing_zeros_of_a_share_go", "0.053" NB "%", SHARE, 0.00053},
    {"a_tiny_share_is_not_zero", "<" NB "0.001" NB "%", SHARE, 0.000001},
    {"no_share_is_zero", "0" NB "%", SHARE, 0},
    {"what_is_less_is_not_a_hundred", "99.99" NB "%", SHARE, 0.999999},
    {"all_is_a_hundred", "100" NB "%", SHARE, 1},
    {"a_clock_has_minutes_and_seconds", "00:21", CLOCK, 21e9},
    {"a_clock_shows_tenths_where_there_are_any", "00:00.4", CLOCK, 0.4e9},
    {"a_clock_shows_hours_from_one_on", "1:02:03", CLOCK, 3723.4e9},
};
/* clang-format on */

static void number_is_shown(void **state)
{
    const struct number_case *row = *state;
    char text[PAGE_NUMBER_BYTES];
    uint64_t whole = row->value > 0 ? (uint64_t)row->value : 0;
    const char *shown = NULL;
    switch (row->kind) {
    case COUNTED:
        shown = page_count(whole, text);
        break;
    case RATE:
        shown = page_rate(row->value, text);
        break;
    case TIME:
        shown = page_time(whole, text);
        break;
    case LENGTH:
        shown = page_length(whole, text);
        break;
    case SHARE:
        shown = page_share(row->value, text);
        break;
    case CLOCK:
        shown = page_clock(whole, text);
        break;
    }
    assert_string_equal(shown, row->text);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(number_cases)];
    for (size_t i = 0; i < COUNT(number_cases); i++)
        tests[i] = (struct CMUnitTest){.name = number_cases[i].name,
                                       .test_func = number_is_shown,
                                       .initial_state = (void *)(uintptr_t)&number_cases[i]};
    return cmocka_run_group_tests_name("page_numbers", tests, NULL, NULL);
}
