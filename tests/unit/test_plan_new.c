#include "coordinator/plan_new.h"

#include "coordinator/plan.h"
#include "coordinator/plan_errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_plan_is_valid_and_has_its_goal(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *goal;
    } rows[] = {{"hold", "hold 2000/s"},
                {"maximize", "maximize throughput"},
                {"while", "maximize throughput while latency.p(99) < 20ms and errors.rate < 0.5%"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *text = plan_new_text(rows[i].name);
        struct plan_errors errors = {0};
        struct plan *plan = plan_read("plan.yaml", text, strlen(text), &errors);
        if (plan == NULL)
            fail_msg("%s: %s", rows[i].name, errors.items[0].message);
        char goal[256];
        assert_string_equal(plan_goal_text(plan, goal, sizeof goal), rows[i].goal);
        plan_destroy(plan);
    }
}

static void each_plan_fits_a_screen(void **state)
{
    (void)state;
    static const char *const names[] = {"hold", "maximize", "while"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t lines = 0;
        for (const char *line = plan_new_text(names[i]); *line != '\0'; lines++) {
            size_t length = strcspn(line, "\n");
            assert_in_range(length, 0, 90);
            line += length + 1;
        }
        assert_in_range(lines, 20, 40);
    }
}

static void there_is_no_plan_for_another_goal(void **state)
{
    (void)state;
    assert_null(plan_new_text("hol"));
    assert_null(plan_new_text(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_plan_is_valid_and_has_its_goal),
        cmocka_unit_test(each_plan_fits_a_screen),
        cmocka_unit_test(there_is_no_plan_for_another_goal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
