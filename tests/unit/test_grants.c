#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/grants.h"

#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

struct fleet {
    struct roster roster;
    uint64_t now_ns;
};

static int setup(void **state)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL)
        return -1;
    roster_init(&fleet->roster, 2, false);
    fleet->now_ns = 100 * S;
    *state = fleet;
    return 0;
}

static int teardown(void **state)
{
    struct fleet *fleet = *state;
    roster_done(&fleet->roster);
    free(fleet);
    return 0;
}

static struct agent *add(struct fleet *fleet)
{
    struct hello hello = {.max_concurrency = CONCURRENCY_MAX,
                          .max_rate_milli = (uint64_t)(1000.0 * RATE_PER_S_MAX)};
    snprintf(hello.name, sizeof hello.name, "%u", fleet->roster.count);
    struct agent *agent =
        roster_add(&fleet->roster, fleet->now_ns, &(struct peer_id){0},
                   (uint8_t[ID_BYTES]){(uint8_t)(fleet->roster.count + 1)}, &hello);
    assert_non_null(agent);
    agent->state = AGENT_READY;
    agent->beat_seq = 1;
    return agent;
}

static void share(struct fleet *fleet, struct grants grants)
{
    grants_share(&grants, &fleet->roster, LEASE_MS, fleet->now_ns);
}

/* The orders are sent; `heard` by the agents that apply them at once. */
static void send(struct fleet *fleet, const struct agent *unheard)
{
    for (uint32_t i = 0; i < fleet->roster.count; i++) {
        struct agent *agent = fleet->roster.agents[i];
        if (agent->silent)
            continue;
        lease_grant(&agent->lease,
                    &(struct grant){.seq = ++agent->seq_sent,
                                    .concurrency_milli = agent->order.concurrency_milli,
                                    .rate_milli = agent->order.rate_milli,
                                    .echo_received_ns = fleet->now_ns});
        if (agent != unheard)
            lease_acknowledge(&agent->lease, agent->seq_sent);
    }
}

static const struct grants open_grants = {
    .concurrency = 30.5, .floor = 10.2, .rate_per_s = 1000.0, .whole = true};

static void open_arrivals_are_shared_equally_in_whole_workers_and_exact_rates(void **state)
{
    struct fleet *fleet = *state;
    for (uint32_t i = 0; i < 3; i++)
        add(fleet)->weight.weight = 10.0 * i;

    share(fleet, open_grants);

    struct order total = grants_total(&fleet->roster);
    assert_int_equal(total.rate_milli, 1000000);
    assert_int_equal(total.concurrency_milli, 31000);
    assert_int_equal(total.floor_milli, 11000);
    for (uint32_t i = 0; i < 3; i++) {
        const struct order *order = &fleet->roster.agents[i]->order;
        assert_in_range(order->rate_milli, 333333, 333334);
        assert_int_equal(order->concurrency_milli % 1000, 0);
        assert_true(order->floor_milli <= order->concurrency_milli);
    }
}

static void closed_arrivals_are_shared_by_what_each_carries(void **state)
{
    struct fleet *fleet = *state;
    add(fleet)->weight.weight = 100.0;
    add(fleet)->weight.weight = 300.0;
    struct agent *unknown = add(fleet);

    share(fleet, (struct grants){.concurrency = 6.0, .floor = 6.0, .by_weight = true});

    assert_int_equal(fleet->roster.agents[0]->order.concurrency_milli, 1000);
    assert_int_equal(fleet->roster.agents[1]->order.concurrency_milli, 3000);
    assert_int_equal(unknown->order.concurrency_milli, 2000); /* the mean of the others */
    assert_int_equal(unknown->order.floor_milli, 2000);
}

/** The second makes three times what the first does of one worker, and gets three times as many. */
static void closed_arrivals_are_paced_at_what_their_workers_should_make(void **state)
{
    struct fleet *fleet = *state;
    add(fleet)->weight.weight = 100.0;
    add(fleet)->weight.weight = 300.0;

    share(fleet, (struct grants){.concurrency = 4.0,
                                 .rate_per_s = 1000.0,
                                 .by_weight = true,
                                 .workers_make_rate = true});

    assert_int_equal(fleet->roster.agents[0]->order.rate_milli, 100000);
    assert_int_equal(fleet->roster.agents[1]->order.rate_milli, 900000);
}

static void a_ceiling_of_the_rate_is_never_none(void **state)
{
    struct fleet *fleet = *state;
    add(fleet)->weight.weight = 1.0;
    add(fleet)->weight.weight = 1e9;

    share(fleet, (struct grants){.concurrency = 4.0,
                                 .rate_per_s = 0.01,
                                 .by_weight = true,
                                 .workers_make_rate = true});

    assert_int_equal(fleet->roster.agents[0]->order.rate_milli, 1);
    assert_int_equal(fleet->roster.agents[1]->order.rate_milli, 10);
}

static void a_newcomer_waits_until_others_have_given_up_its_share(void **state)
{
    struct fleet *fleet = *state;
    struct agent *first = add(fleet);
    share(fleet, open_grants);
    send(fleet, NULL);
    struct agent *second = add(fleet);

    share(fleet, open_grants);
    assert_int_equal(first->order.rate_milli, 500000);
    assert_int_equal(second->order.rate_milli, 0);
    send(fleet, first);
    share(fleet, open_grants);
    assert_int_equal(second->order.rate_milli, 0); /* the first may not have heard it */
    lease_acknowledge(&first->lease, first->seq_sent);
    share(fleet, open_grants);

    assert_int_equal(second->order.rate_milli, 500000);
    assert_int_equal(grants_total(&fleet->roster).concurrency_milli, 31000);
}

static void a_silent_agents_share_waits_for_its_lease(void **state)
{
    struct fleet *fleet = *state;
    struct agent *first = add(fleet);
    struct agent *second = add(fleet);
    share(fleet, open_grants);
    send(fleet, NULL);
    second->silent = true;
    second->lost = true; /* whatever one thinks of it */

    share(fleet, open_grants);
    assert_int_equal(first->order.rate_milli, 500000);
    fleet->now_ns = lease_end_ns(&second->lease, LEASE_MS) - 1;
    send(fleet, NULL);
    share(fleet, open_grants);
    assert_int_equal(first->order.rate_milli, 500000);
    fleet->now_ns++;
    share(fleet, open_grants);

    assert_int_equal(first->order.rate_milli, 1000000);
    assert_int_equal(second->order.rate_milli, 0);
}

static void a_lost_agents_share_can_be_left_out(void **state)
{
    struct fleet *fleet = *state;
    struct agent *first = add(fleet);
    add(fleet)->lost = true;
    struct grants grants = open_grants;
    grants.keep_lost = true;

    share(fleet, grants);

    assert_int_equal(first->order.rate_milli, 500000);
    assert_int_equal(grants_total(&fleet->roster).rate_milli, 500000);
}

static void owners_ceilings_move_the_rest_to_others(void **state)
{
    struct fleet *fleet = *state;
    struct agent *small = add(fleet);
    struct agent *large = add(fleet);
    small->hello.max_rate_milli = 100000;
    small->hello.max_concurrency = 3;

    share(fleet, open_grants);

    assert_int_equal(small->order.rate_milli, 100000);
    assert_int_equal(small->order.concurrency_milli, 3000);
    assert_int_equal(large->order.rate_milli, 900000);
    assert_int_equal(large->order.concurrency_milli, 28000);
}

static void a_full_agent_gets_no_more_than_it_ran_when_it_was_full(void **state)
{
    struct fleet *fleet = *state;
    struct agent *full = add(fleet);
    struct agent *other = add(fleet);
    for (uint32_t i = 0; i < 20; i++) {
        split_learn(&full->weight, 400.0, 4.0, 0.99);
        split_learn(&other->weight, 400.0, 4.0, 0.30);
    }

    share(fleet, (struct grants){.concurrency = 20.0, .floor = 20.0, .by_weight = true});

    assert_true(split_is_full(&full->weight));
    assert_int_equal(full->order.concurrency_milli, 4000);
    assert_int_equal(other->order.concurrency_milli, 16000);
}

static void who_is_not_believed_gets_nothing(void **state)
{
    struct fleet *fleet = *state;
    struct agent *honest = add(fleet);
    struct agent *liar = add(fleet);
    liar->corrupt = true;

    share(fleet, open_grants);

    assert_int_equal(liar->order.rate_milli, 0);
    assert_int_equal(liar->order.concurrency_milli, 0);
    assert_int_equal(honest->order.rate_milli, 1000000);
}

/* A seeded storm of joins, silences and lost messages: what leases allow never sums above what was
 * asked. */
static void sums_stay_within_what_is_asked_whatever_is_lost(void **state)
{
    struct fleet *fleet = *state;
    uint32_t seed = 2463534242u;
    for (uint32_t i = 0; i < 6; i++)
        add(fleet)->state = i < 2 ? AGENT_READY : AGENT_WELCOMED;
    for (uint32_t tick = 0; tick < 20000; tick++) {
        fleet->now_ns += 100 * MS;
        share(fleet, open_grants);
        uint64_t rate = 0;
        uint64_t concurrency = 0;
        for (uint32_t i = 0; i < fleet->roster.count; i++) {
            struct agent *agent = fleet->roster.agents[i];
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            if (seed % 50 == 0)
                agent->silent = !agent->silent;
            if (seed % 97 == 0)
                agent->state = agent->state == AGENT_READY ? AGENT_WELCOMED : AGENT_READY;
            if (agent->state == AGENT_READY && !agent->silent)
                lease_grant(&agent->lease,
                            &(struct grant){.seq = ++agent->seq_sent,
                                            .concurrency_milli = agent->order.concurrency_milli,
                                            .rate_milli = agent->order.rate_milli,
                                            .echo_received_ns = fleet->now_ns});
            if (seed % 3 == 0)
                lease_acknowledge(&agent->lease, agent->seq_sent - seed % 2);
            rate += lease_rate_milli(&agent->lease, LEASE_MS, fleet->now_ns);
            concurrency += lease_concurrency_milli(&agent->lease, LEASE_MS, fleet->now_ns);
        }
        assert_true(rate <= 1000000);
        assert_true(concurrency <= 31000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open_arrivals_are_shared_equally_in_whole_workers_and_exact_rates),
        TEST(closed_arrivals_are_shared_by_what_each_carries),
        TEST(closed_arrivals_are_paced_at_what_their_workers_should_make),
        TEST(a_ceiling_of_the_rate_is_never_none),
        TEST(a_newcomer_waits_until_others_have_given_up_its_share),
        TEST(a_silent_agents_share_waits_for_its_lease),
        TEST(a_lost_agents_share_can_be_left_out),
        TEST(owners_ceilings_move_the_rest_to_others),
        TEST(a_full_agent_gets_no_more_than_it_ran_when_it_was_full),
        TEST(who_is_not_believed_gets_nothing),
        TEST(sums_stay_within_what_is_asked_whatever_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
