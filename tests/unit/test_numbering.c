#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/numbers.h"
#include "common/base/check.h"
#include "common/control/random.h"
#include "coordinator/numbering.h"

#define AGENTS 4u

/* One tick of a fleet whose agents are heard at once. */

struct fleet_of_test {
    struct numbering numbering;
    struct agent_numbers known[AGENTS];
    struct numbers really[AGENTS];
    struct numbering_need needs[AGENTS];
    double speeds[AGENTS];  /* indexes a tick */
    double credits[AGENTS]; /* towards the next */
    uint8_t *seen;          /* [total]: how often each was used */
};

static void order_all(struct fleet_of_test *fleet)
{
    struct numbering_fleet sums = {0};
    for (uint32_t i = 0; i < AGENTS; i++)
        numbering_see(&fleet->known[i], &fleet->needs[i], &sums);
    for (uint32_t i = 0; i < AGENTS; i++)
        numbering_order(&fleet->numbering, &fleet->known[i], &fleet->needs[i], &sums);
}

static void obey(struct fleet_of_test *fleet, uint32_t i)
{
    const struct agent_numbers *known = &fleet->known[i];
    numbers_grant(&fleet->really[i], known->block, known->newest.from, known->newest.count);
}

static uint64_t use(struct fleet_of_test *fleet, uint32_t i)
{
    uint64_t index, count = 0;
    fleet->credits[i] += fleet->speeds[i];
    for (; fleet->credits[i] >= 1.0 && numbers_take(&fleet->really[i], &index); count++) {
        assert_true(index < fleet->numbering.total);
        assert_int_equal(fleet->seen[index]++, 0);
        fleet->credits[i] -= 1.0;
    }
    fleet->credits[i] = fmin(fleet->credits[i], fleet->speeds[i] + 1.0);
    return count;
}

static void hear(struct fleet_of_test *fleet, uint32_t i)
{
    struct numbers_account account = numbers_account(&fleet->really[i]);
    struct error error = {0};
    bool good =
        numbering_hear(&fleet->numbering, &fleet->known[i], account.block, account.used, &error);
    assert_string_equal(error.message, "");
    assert_true(good);
}

static uint64_t tick(struct fleet_of_test *fleet)
{
    uint64_t count = 0;
    order_all(fleet);
    for (uint32_t i = 0; i < AGENTS; i++) {
        obey(fleet, i);
        count += use(fleet, i);
        hear(fleet, i);
    }
    return count;
}

static struct fleet_of_test fleet_of(uint64_t total, const double *speeds, uint32_t workers)
{
    static uint8_t seen[1000000];
    CHECK(total <= sizeof seen);
    memset(seen, 0, sizeof seen);
    struct fleet_of_test fleet = {.seen = seen};
    numbering_init(&fleet.numbering, total);
    for (uint32_t i = 0; i < AGENTS; i++) {
        fleet.speeds[i] = speeds[i];
        fleet.needs[i].workers = speeds[i] > 0.0 ? workers : 0;
    }
    return fleet;
}

/* How many ticks until all are used; none may be used twice. */
static uint32_t run(struct fleet_of_test *fleet, uint32_t ticks_max)
{
    uint64_t used = 0;
    uint32_t ticks = 0;
    for (; used < fleet->numbering.total && ticks < ticks_max; ticks++)
        used += tick(fleet);
    assert_int_equal(used, fleet->numbering.total);
    assert_true(numbering_spent(&fleet->numbering));
    return ticks;
}

struct run_case {
    const char *name;
    uint64_t total;
    double speeds[AGENTS];
    uint32_t workers;
    double over; /* ticks that it may take beyond the time that the work takes */
};

static const struct run_case run_cases[] = {
    {"equal_agents_end_together", 100000, {1000, 1000, 1000, 1000}, 16, 2},
    {"a_slow_agent_does_not_hold_up_the_others", 100000, {1000, 1000, 1000, 1}, 16, 4},
    {"an_agent_that_stands_gives_back_what_it_held", 100000, {1000, 1000, 1000, 1e-9}, 1, 4},
    {"fast_agents_find_out_how_fast_they_are", 1000000, {20000, 20000, 20000, 20000}, 1, 8},
    {"fewer_requests_than_agents", 3, {10, 10, 10, 10}, 1, 3},
    {"one_request", 1, {10, 10, 10, 10}, 1, 1},
    {"who_has_nothing_to_run_gets_none", 1000, {100, 0, 0, 0}, 4, 2},
    {"slow_requests_are_spread", 40, {0.5, 0.5, 0.5, 0.5}, 4, 4},
};

static void all_are_used_once_and_in_time(void **state)
{
    const struct run_case *row = *state;
    struct fleet_of_test fleet = fleet_of(row->total, row->speeds, row->workers);
    double sum = 0.0;
    for (uint32_t i = 0; i < AGENTS; i++)
        sum += row->speeds[i];

    uint32_t ticks = run(&fleet, 5000);

    double least = (double)row->total / sum;
    if (ticks > ceil(least) + row->over)
        fail_msg("it took %u ticks; the work takes %.1f", ticks, least);
    numbering_done(&fleet.numbering);
}

static void an_agent_never_waits_while_there_is_enough(void **state)
{
    (void)state;
    const double speeds[AGENTS] = {500, 500, 500, 500};
    struct fleet_of_test fleet = fleet_of(1000000, speeds, 1);
    for (uint32_t i = 0; i < AGENTS; i++)
        fleet.needs[i].rate_per_s = 5000.0;

    for (uint32_t n = 0; n < 300; n++) {
        assert_int_equal(tick(&fleet), 2000);
        for (uint32_t i = 0; i < AGENTS; i++) /* a lease without a word */
            assert_true(numbers_account(&fleet.really[i]).left >= 20 * 500 - 500);
    }
    numbering_done(&fleet.numbering);
}

static void what_an_agent_leaves_unused_goes_to_others(void **state)
{
    (void)state;
    const double speeds[AGENTS] = {1000, 1000, 1000, 1000};
    struct fleet_of_test fleet = fleet_of(100000, speeds, 16);
    for (uint32_t n = 0; n < 5; n++)
        tick(&fleet);
    struct error error = {0};

    assert_true(numbering_held(&fleet.known[1]) > 0);
    uint64_t used = numbers_account(&fleet.really[1]).used;
    assert_true(numbering_leave(&fleet.numbering, &fleet.known[1], used, &error));
    assert_int_equal(numbering_held(&fleet.known[1]), 0);
    fleet.needs[1].workers = 0;
    fleet.really[1] = (struct numbers){0}; /* it is gone */
    fleet.known[1] = (struct agent_numbers){0};

    uint64_t left = 100000;
    for (uint32_t i = 0; i < 100000; i++)
        left -= fleet.seen[i];
    for (uint32_t n = 0; n < 100 && left > 0; n++)
        left -= tick(&fleet);
    assert_int_equal(left, 0);
    numbering_done(&fleet.numbering);
}

static void what_a_lost_agent_holds_is_given_to_nobody(void **state)
{
    (void)state;
    const double speeds[AGENTS] = {1000, 1000, 1000, 1000};
    struct fleet_of_test fleet = fleet_of(100000, speeds, 16);
    for (uint32_t n = 0; n < 5; n++)
        tick(&fleet);
    uint64_t held = numbering_held(&fleet.known[2]);
    fleet.speeds[2] = 0.0;
    fleet.needs[2].workers = 0;

    struct numbers lost = fleet.really[2];
    for (uint32_t n = 0; n < 100; n++) {
        struct numbering_fleet sums = {0};
        for (uint32_t i = 0; i < AGENTS; i++)
            if (i != 2)
                numbering_see(&fleet.known[i], &fleet.needs[i], &sums);
        for (uint32_t i = 0; i < AGENTS; i++) {
            if (i == 2)
                continue;
            numbering_order(&fleet.numbering, &fleet.known[i], &fleet.needs[i], &sums);
            obey(&fleet, i);
            use(&fleet, i);
            hear(&fleet, i);
        }
    }

    uint64_t unused = 0;
    for (uint32_t i = 0; i < 100000; i++)
        unused += fleet.seen[i] == 0;
    assert_int_equal(unused, held);
    fleet.really[2] = lost; /* it comes back, and goes on */
    fleet.speeds[2] = 1e6;
    assert_int_equal(use(&fleet, 2), held);
    numbering_done(&fleet.numbering);
}

/* Orders and beats that are lost, or come again out of their order; agents whose speed changes. */
static void no_weather_loses_or_doubles_an_index(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct random random = {.state = seed};
        uint64_t total = 1 + random_next(&random) % 20000;
        const double speeds[AGENTS] = {30, 200, 1, 1000};
        struct fleet_of_test fleet = fleet_of(total, speeds, 8);
        struct agent_numbers before[AGENTS] = {0};
        uint64_t used = 0;
        for (uint32_t n = 0; n < 20000 && used < total; n++) {
            order_all(&fleet);
            for (uint32_t i = 0; i < AGENTS; i++) {
                if (random_uniform(&random) < 0.02)
                    fleet.speeds[i] = 2000.0 * random_uniform(&random);
                if (random_uniform(&random) < 0.02)
                    fleet.needs[i].workers = (uint32_t)(random_next(&random) % 3);
                const struct agent_numbers *said = &fleet.known[i];
                if (random_uniform(&random) < 0.3) /* an old order, again */
                    said = &before[i];
                if (random_uniform(&random) < 0.6)
                    numbers_grant(&fleet.really[i], said->block, said->newest.from,
                                  said->newest.count);
                if (random_uniform(&random) < 0.1)
                    before[i] = fleet.known[i];
                used += use(&fleet, i);
                if (random_uniform(&random) < 0.6)
                    hear(&fleet, i);
            }
        }
        assert_int_equal(used, total);
        numbering_done(&fleet.numbering);
    }
}

static void without_an_end_blocks_only_rise(void **state)
{
    (void)state;
    struct numbering numbering;
    struct agent_numbers agent = {0};
    struct error error = {0};
    numbering_init(&numbering, 0);
    uint64_t next = 0;
    for (uint32_t n = 0; n < 100; n++) {
        struct numbering_need need = {.workers = n % 20 < 10, .rate_per_s = 100.0};
        struct numbering_fleet fleet = {0};
        numbering_see(&agent, &need, &fleet);
        numbering_order(&numbering, &agent, &need, &fleet);
        if (agent.block > agent.taken_up) {
            assert_true(agent.newest.count > 0); /* never asked back */
            assert_int_equal(agent.newest.from, next);
            next += agent.newest.count;
        }
        uint64_t held = numbering_held(&agent);
        assert_true(numbering_hear(&numbering, &agent, agent.block,
                                   agent.used + (held < 10 ? held : 10), &error));
    }
    assert_true(next >= 1000);
    numbering_done(&numbering);
}

/* What cannot be. */

static void refused(uint64_t block, uint64_t used, const char *why)
{
    const double speeds[AGENTS] = {100, 0, 0, 0};
    struct fleet_of_test fleet = fleet_of(1000, speeds, 1);
    struct error error = {0};
    order_all(&fleet);
    uint64_t count = fleet.known[0].newest.count;
    assert_true(numbering_hear(&fleet.numbering, &fleet.known[0], 1, 50, &error));
    assert_int_equal(numbering_held(&fleet.known[0]), count - 50);
    struct agent_numbers before = fleet.known[0];

    assert_false(numbering_hear(&fleet.numbering, &fleet.known[0], block, used, &error));

    assert_non_null(strstr(error.message, why));
    assert_memory_equal(&before, &fleet.known[0], sizeof before);
    numbering_done(&fleet.numbering);
}

static void an_agent_that_says_what_cannot_be_is_refused(void **state)
{
    (void)state;
    refused(2, 50, "it has block 2 of indexes; it had 1 and was given 1");
    refused(0, 50, "it has block 0 of indexes; it had 1 and was given 1");
    refused(1, 49, "it has used 49 indexes; expected 50 to 500");
    refused(1, 501, "it has used 501 indexes; expected 50 to 500");
    refused(1, UINT64_MAX, "it has used 18446744073709551615 indexes; expected 50 to 500");
}

static void a_block_that_was_not_taken_up_was_not_used(void **state)
{
    (void)state;
    const double speeds[AGENTS] = {100, 0, 0, 0};
    struct fleet_of_test fleet = fleet_of(1000, speeds, 1);
    struct error error = {0};
    order_all(&fleet);

    assert_true(numbering_hear(&fleet.numbering, &fleet.known[0], 0, 0, &error));
    assert_false(numbering_hear(&fleet.numbering, &fleet.known[0], 0, 1, &error));
    assert_true(numbering_hear(&fleet.numbering, &fleet.known[0], 1, 1, &error));
    numbering_done(&fleet.numbering);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(an_agent_never_waits_while_there_is_enough),
        cmocka_unit_test(what_an_agent_leaves_unused_goes_to_others),
        cmocka_unit_test(what_a_lost_agent_holds_is_given_to_nobody),
        cmocka_unit_test(no_weather_loses_or_doubles_an_index),
        cmocka_unit_test(without_an_end_blocks_only_rise),
        cmocka_unit_test(an_agent_that_says_what_cannot_be_is_refused),
        cmocka_unit_test(a_block_that_was_not_taken_up_was_not_used),
    };
    struct CMUnitTest tests[COUNT(run_cases) + COUNT(others)];
    for (size_t i = 0; i < COUNT(run_cases); i++)
        tests[i] = (struct CMUnitTest){.name = run_cases[i].name,
                                       .test_func = all_are_used_once_and_in_time,
                                       .initial_state = (void *)(uintptr_t)&run_cases[i]};
    memcpy(tests + COUNT(run_cases), others, sizeof others);
    return cmocka_run_group_tests_name("numbering", tests, NULL, NULL);
}
