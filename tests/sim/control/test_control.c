#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "tests/sim/control/claims.h"
#include "tests/sim/control/oracle.h"
#include "tests/sim/control/scenario.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* CONTROL_SEEDS in the environment makes it more: tests/campaign. */
#define SEEDS_FEW 3

static uint64_t seeds(void)
{
    const char *text = getenv("CONTROL_SEEDS");
    uint64_t count = text != NULL ? strtoull(text, NULL, 10) : SEEDS_FEW;
    return count < 1 ? 1 : count > SCENARIO_SEEDS_MAX ? SCENARIO_SEEDS_MAX : count;
}

static bool has_shortage(const struct scenario *scenario)
{
    for (size_t i = 0; i < scenario_piece_count(scenario); i++) {
        if (scenario->pieces[i].capacity_per_s > 0.0)
            return true;
    }
    return false;
}

static void what_is_claimed_holds(void **state)
{
    const struct scenario *scenario = *state;
    const struct claims *claims = claims_find(scenario->name);
    assert_non_null(claims);

    struct summary summary = scenario_summary(scenario, &regulator_ours, seeds());

    assert_true(claims_hold(claims, &summary, seeds()));
    if (scenario->kind != GOAL_HOLD)
        return;
    assert_string_equal(control_status_word(summary.median.final_status),
                        control_status_word(claims->status));
    /* A goal within reach is never said to be out of it: by no seed, in no tick. */
    if (!has_shortage(scenario) && summary.worst.false_saturated_ticks > 0.0)
        fail_msg("%g ticks of false alarm in the worst seed", summary.worst.false_saturated_ticks);
}

/** A number in a table that is searched on another plant than today's is worse than none. */
static void ideals_are_where_the_oracle_finds_them(void **state)
{
    const struct scenario_set *set = *state;
    for (size_t i = 0; i < set->count; i++) {
        const struct scenario *scenario = &set->scenarios[i];
        for (size_t j = 0; j < scenario_piece_count(scenario) && !scenario->assumed; j++) {
            if (!oracle_confirms(scenario, j))
                fail_msg("%s from %g s: run control_table --ideals", scenario->name,
                         scenario->pieces[j].from_s);
        }
    }
}

/** R = rate x service time: 100 workers at 20 ms, 104 with the jitter of the delay. */
static void pools_stay_between_the_load_and_its_square_root_above(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double lanes;
    } cases[] = {{"open 5 ms to 20 ms, 1 lane", 1}, {"open 5 ms to 20 ms, 4 lanes", 4}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double load = 100.0;

        struct outcome outcome = scenario_run(scenario_find(cases[i].name), &regulator_ours, 1);

        assert_true(outcome.workers_max_late >= load);
        assert_true(outcome.workers_max_late <=
                    1.04 * load + 3.0 * sqrt(1.04 * load * cases[i].lanes) + 2.0 * cases[i].lanes);
    }
}

static void the_same_seed_gives_the_same_run(void **state)
{
    const struct scenario_set *set = *state;
    const struct scenario *scenario = &set->scenarios[0];

    struct outcome first = scenario_run(scenario, &regulator_ours, 7);
    struct outcome second = scenario_run(scenario, &regulator_ours, 7);

    /* All figures; the padding behind the last one may differ. */
    assert_memory_equal(&first, &second, offsetof(struct outcome, final_status));
    assert_int_equal(first.final_status, second.final_status);
}

/** test_control FAMILY: for families are as long as a test may be. */
int main(int argc, char **argv)
{
    const struct scenario_set *set = NULL;
    for (size_t i = 0; argc == 2 && scenario_sets[i] != NULL; i++) {
        if (strcmp(scenario_sets[i]->name, argv[1]) == 0)
            set = scenario_sets[i];
    }
    if (set == NULL)
        return 2;
    struct CMUnitTest *tests = calloc(set->count, sizeof *tests);
    CHECK(tests != NULL);
    for (size_t i = 0; i < set->count; i++)
        tests[i] = (struct CMUnitTest){.name = set->scenarios[i].name,
                                       .test_func = what_is_claimed_holds,
                                       .initial_state = (void *)(uintptr_t)&set->scenarios[i]};
    const struct CMUnitTest others[] = {
        cmocka_unit_test_prestate(ideals_are_where_the_oracle_finds_them, (void *)(uintptr_t)set),
        cmocka_unit_test_prestate(the_same_seed_gives_the_same_run, (void *)(uintptr_t)set),
    };
    const struct CMUnitTest open[] = {
        cmocka_unit_test(pools_stay_between_the_load_and_its_square_root_above)};
    int failed = _cmocka_run_group_tests("what is claimed", tests, set->count, NULL, NULL) +
                 cmocka_run_group_tests_name("about it", others, NULL, NULL);
    if (set == &scenarios_open)
        failed += cmocka_run_group_tests_name("pools", open, NULL, NULL);
    free(tests);
    return failed;
}
