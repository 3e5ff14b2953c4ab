#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/admission.h"

#include <stdlib.h>
#include <string.h>

#define S UINT64_C(1000000000)

static struct roster roster;

static int setup(void **state)
{
    (void)state;
    roster_init(&roster, 2, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roster_done(&roster);
    return 0;
}

static const struct hello hello = {.major = PROTOCOL_MAJOR, .name = "eu-1"};

static struct agent *add(uint64_t now_ns)
{
    struct agent *agent = roster_add(&roster, now_ns, &(struct peer_id){0},
                                     (uint8_t[ID_BYTES]){(uint8_t)(roster.count + 1)}, &hello);
    assert_non_null(agent);
    agent->state = AGENT_READY;
    return agent;
}

static bool judge(uint64_t now_ns, bool over, struct refuse *refuse)
{
    return admission_judge(&roster, now_ns, LEASE_MS, over, &hello, refuse);
}

static void a_newcomer_is_admitted(void **state)
{
    (void)state;
    struct refuse refuse;
    assert_true(judge(10 * S, false, &refuse));
}

static void another_major_version_is_refused_for_good_and_names_both(void **state)
{
    (void)state;
    struct refuse refuse;
    struct hello other = {.major = PROTOCOL_MAJOR + 1, .name = "eu-1"}; /* all that is read of it */

    assert_false(admission_judge(&roster, 10 * S, LEASE_MS, true, &other, &refuse));

    assert_int_equal(refuse.code, REFUSE_VERSION);
    assert_int_equal(refuse.retry_ms, 0);
    assert_non_null(strstr(refuse.sentence, "clobber/1"));
    assert_non_null(strstr(refuse.sentence, "agent 'eu-1' clobber/2"));
}

/* What an agent of minor version 0 cannot count must not be waited for. */
static void a_plan_that_bounds_latency_takes_no_agent_of_the_first_minor_version(void **state)
{
    (void)state;
    struct refuse refuse;
    struct hello newer = {.major = PROTOCOL_MAJOR, .minor = 1, .name = "eu-1"};
    roster.minor_least = 1;

    assert_false(judge(10 * S, false, &refuse));
    assert_int_equal(refuse.code, REFUSE_VERSION);
    assert_non_null(strstr(refuse.sentence, "agent 'eu-1' () speaks 1.0"));
    assert_true(admission_judge(&roster, 10 * S, LEASE_MS, false, &newer, &refuse));
}

static void a_run_that_is_over_takes_nobody(void **state)
{
    (void)state;
    struct refuse refuse;

    assert_false(judge(10 * S, true, &refuse));

    assert_int_equal(refuse.code, REFUSE_RUN_OVER);
    assert_true(refuse.retry_ms > 0);
}

static void a_name_is_free_again_a_lease_after_its_holder_was_heard_last(void **state)
{
    (void)state;
    struct refuse refuse;
    add(10 * S);

    assert_false(judge(10 * S + LEASE_MS * UINT64_C(1000000) - 1, false, &refuse));
    assert_int_equal(refuse.code, REFUSE_DUPLICATE);
    assert_int_equal(refuse.retry_ms, LEASE_MS);

    assert_true(judge(10 * S + LEASE_MS * UINT64_C(1000000), false, &refuse));
}

static void a_name_is_held_as_long_as_a_grant_of_its_holder_lives(void **state)
{
    (void)state;
    struct refuse refuse;
    struct agent *agent = add(10 * S);
    lease_grant(&agent->lease,
                &(struct grant){.seq = 1, .rate_milli = 1, .echo_received_ns = 11 * S});
    uint64_t end_ns = lease_end_ns(&agent->lease, LEASE_MS);

    assert_false(judge(end_ns - 1, false, &refuse));
    assert_true(judge(end_ns, false, &refuse));
}

static void a_name_is_free_when_its_holder_said_its_final_word(void **state)
{
    (void)state;
    struct refuse refuse;
    add(10 * S)->state = AGENT_DONE;

    assert_true(judge(10 * S, false, &refuse));
}

static void no_run_takes_more_than_its_bound(void **state)
{
    (void)state;
    struct refuse refuse;
    struct agent *nobody = calloc(1, sizeof *nobody);
    struct roster full = {.count = AGENTS_MAX, .agents = calloc(AGENTS_MAX, sizeof *full.agents)};
    assert_non_null(nobody);
    assert_non_null(full.agents);
    for (uint32_t i = 0; i < AGENTS_MAX; i++)
        full.agents[i] = nobody;

    assert_false(admission_judge(&full, 10 * S, LEASE_MS, false, &hello, &refuse));

    assert_int_equal(refuse.code, REFUSE_FULL);
    free(full.agents);
    free(nobody);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_newcomer_is_admitted),
        TEST(another_major_version_is_refused_for_good_and_names_both),
        TEST(a_plan_that_bounds_latency_takes_no_agent_of_the_first_minor_version),
        TEST(a_run_that_is_over_takes_nobody),
        TEST(a_name_is_free_again_a_lease_after_its_holder_was_heard_last),
        TEST(a_name_is_held_as_long_as_a_grant_of_its_holder_lives),
        TEST(a_name_is_free_when_its_holder_said_its_final_word),
        TEST(no_run_takes_more_than_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
