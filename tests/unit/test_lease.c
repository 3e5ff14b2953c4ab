#include "proto/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#define MS         UINT64_C(1000000)
#define LEASE_NS   (2040 * MS + 100 * MS) /* 1.02 x 2 s, and a tick */
#define TEST_LEASE 2000u

static void grant(struct lease *lease, uint64_t seq, uint64_t concurrency_milli,
                  uint64_t echo_received_ns)
{
    struct grant grant = {.seq = seq,
                          .concurrency_milli = concurrency_milli,
                          .rate_milli = concurrency_milli * 10,
                          .echo_received_ns = echo_received_ns};
    lease_grant(lease, &grant);
}

static void a_zeroed_lease_holds_nothing(void **state)
{
    (void)state;
    struct lease lease = {0};
    assert_int_equal(lease_end_ns(&lease, TEST_LEASE), 0);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 0);
    assert_int_equal(lease_rate_milli(&lease, TEST_LEASE, 0), 0);
}

static void a_grant_counts_before_it_is_acknowledged(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 5000, 0);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 5000);
    assert_int_equal(lease_rate_milli(&lease, TEST_LEASE, 0), 50000);
}

static void a_lowered_grant_frees_nothing_before_it_is_acknowledged(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 5000, 0);
    lease_acknowledge(&lease, 1);
    grant(&lease, 2, 2000, 100 * MS);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 100 * MS), 5000);

    lease_acknowledge(&lease, 2);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 100 * MS), 2000);
    assert_int_equal(lease_rate_milli(&lease, TEST_LEASE, 100 * MS), 20000);
}

static void an_acknowledgement_drops_all_that_came_before_it(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 9000, 0);
    grant(&lease, 2, 8000, 0);
    grant(&lease, 3, 1000, 0);
    grant(&lease, 4, 2000, 0);
    lease_acknowledge(&lease, 3);
    assert_int_equal(lease.count, 1);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 2000);
}

static void a_stale_or_unknown_acknowledgement_changes_nothing(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 9000, 0);
    grant(&lease, 3, 1000, 0);
    lease_acknowledge(&lease, 0);
    lease_acknowledge(&lease, 2);
    lease_acknowledge(&lease, 4);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 9000);

    lease_acknowledge(&lease, 3);
    lease_acknowledge(&lease, 1);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 1000);
}

static void a_lease_ends_by_its_newest_echo_and_not_by_when_it_was_sent(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 5000, 1000 * MS);
    assert_int_equal(lease_end_ns(&lease, TEST_LEASE), 1000 * MS + LEASE_NS);

    lease_acknowledge(&lease, 1);
    grant(&lease, 2, 5000, 1100 * MS);
    grant(&lease, 3, 5000, 1100 * MS); /* no newer beat has come */
    assert_int_equal(lease_end_ns(&lease, TEST_LEASE), 1100 * MS + LEASE_NS);
}

static void a_lease_runs_until_its_end_and_not_at_it(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 5000, 0);
    lease_acknowledge(&lease, 1);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, LEASE_NS - 1), 5000);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, LEASE_NS), 0);
    assert_int_equal(lease_rate_milli(&lease, TEST_LEASE, LEASE_NS), 0);
}

/* Beats still come and nothing gets through to the agent: each grant ends by its own echo. */
static void a_lowered_share_is_free_after_a_lease_though_newer_grants_go_unanswered(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 5000, 0);
    lease_acknowledge(&lease, 1);
    for (uint64_t i = 1; i <= 30; i++)
        grant(&lease, 1 + i, 1000, i * 100 * MS);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, LEASE_NS - 1), 5000);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, LEASE_NS), 1000);
}

static void a_full_list_keeps_the_maximum_of_what_it_merges(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 1, 9000, 5 * MS);
    for (uint64_t i = 2; i <= 3 * LEASE_GRANTS_MAX; i++)
        grant(&lease, i, i, i * MS);
    assert_int_equal(lease.count, LEASE_GRANTS_MAX);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 9000);
    assert_int_equal(lease.open[0].seq, 2 * LEASE_GRANTS_MAX + 1);

    lease_acknowledge(&lease,
                      2 * LEASE_GRANTS_MAX + 1); /* the merged one: still 9000, to be safe */
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 9000);
    lease_acknowledge(&lease, 2 * LEASE_GRANTS_MAX + 2);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 3 * LEASE_GRANTS_MAX);
}

static void a_cleared_lease_begins_again(void **state)
{
    (void)state;
    struct lease lease = {0};
    grant(&lease, 7, 5000, 0);
    lease_acknowledge(&lease, 7);
    grant(&lease, 8, 5000, 0);
    lease_clear(&lease);
    assert_int_equal(lease_end_ns(&lease, TEST_LEASE), 0);
    lease_acknowledge(&lease, 8);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 0);
    grant(&lease, 1, 100, 0);
    assert_int_equal(lease_concurrency_milli(&lease, TEST_LEASE, 0), 100);
}

/* The hand-over, by simulation: two agents behind a network that loses, delays and cuts; their
 * clocks drift by 2 % in all. Whatever happens, what both run together is never above the ceiling.
 */

#define CEILING_MILLI 10000u
#define STEP_NS       (10 * MS)
#define WIRE_SLOTS    512u

struct order {
    uint64_t arrives_ns;
    uint64_t seq, concurrency_milli, echo_t;
};
struct answer {
    uint64_t arrives_ns;
    uint64_t t_agent, applied_seq;
};

struct member {
    double clock_speed;
    uint64_t applied_seq, concurrency_milli, lease_end_t;
    /* the coordinator's side */
    struct lease lease;
    uint64_t seq, echo_t, echo_received_ns, last_seen_t;
    struct order orders[WIRE_SLOTS];
    struct answer answers[WIRE_SLOTS];
    uint32_t order_count, answer_count;
};

static uint64_t random_next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static uint64_t agent_t(const struct member *member, uint64_t now_ns)
{
    return 1000 * MS + (uint64_t)((double)now_ns * member->clock_speed);
}

static uint64_t running(const struct member *member, uint64_t now_ns)
{
    return agent_t(member, now_ns) < member->lease_end_t ? member->concurrency_milli : 0;
}

static void deliver(struct member *member, uint64_t now_ns)
{
    for (uint32_t i = 0; i < member->order_count;) {
        struct order order = member->orders[i];
        if (order.arrives_ns > now_ns) {
            i++;
            continue;
        }
        member->orders[i] = member->orders[--member->order_count];
        if (order.seq > member->applied_seq) {
            member->applied_seq = order.seq;
            member->concurrency_milli = order.concurrency_milli;
            member->lease_end_t = order.echo_t + TEST_LEASE * MS;
        }
    }
    for (uint32_t i = 0; i < member->answer_count;) {
        struct answer answer = member->answers[i];
        if (answer.arrives_ns > now_ns) {
            i++;
            continue;
        }
        member->answers[i] = member->answers[--member->answer_count];
        lease_acknowledge(&member->lease, answer.applied_seq);
        if (answer.t_agent > member->last_seen_t) {
            member->last_seen_t = answer.t_agent;
            member->echo_t = answer.t_agent;
            member->echo_received_ns = now_ns;
        }
    }
}

/** When what is sent now arrives; now and then never, for a while at a time. */
static uint64_t arrival_ns(uint64_t now_ns, uint64_t *random, bool cut)
{
    uint64_t dice = random_next(random) % 100;
    if (cut || dice < 10)
        return UINT64_MAX;
    return now_ns + (dice < 20 ? random_next(random) % 3000 : random_next(random) % 30) * MS;
}

static void beat(struct member *member, uint64_t now_ns, uint64_t *random, bool cut)
{
    struct answer answer = {.arrives_ns = arrival_ns(now_ns, random, cut),
                            .t_agent = agent_t(member, now_ns),
                            .applied_seq = member->applied_seq};
    if (answer.arrives_ns != UINT64_MAX && member->answer_count < WIRE_SLOTS)
        member->answers[member->answer_count++] = answer;
}

static void order(struct member *member, uint64_t concurrency_milli, uint64_t now_ns,
                  uint64_t *random, bool cut)
{
    if (member->echo_t == 0)
        return;
    struct order order = {.arrives_ns = arrival_ns(now_ns, random, cut),
                          .seq = ++member->seq,
                          .concurrency_milli = concurrency_milli,
                          .echo_t = member->echo_t};
    grant(&member->lease, order.seq, concurrency_milli, member->echo_received_ns);
    if (order.arrives_ns != UINT64_MAX && member->order_count < WIRE_SLOTS)
        member->orders[member->order_count++] = order;
}

static void the_sum_of_what_runs_never_passes_the_ceiling(void **state)
{
    (void)state;
    uint64_t moved = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
        static struct member members[2];
        members[0] = (struct member){.clock_speed = 0.981};
        members[1] = (struct member){.clock_speed = 1.019};
        bool cut_orders[2] = {false, false};
        bool cut_beats[2] = {false, false};
        uint64_t share = CEILING_MILLI;

        for (uint64_t now_ns = 0; now_ns < 60000 * MS; now_ns += STEP_NS) {
            if (random_next(&random) % 200 == 0)
                share = random_next(&random) % (CEILING_MILLI + 1);
            for (uint32_t i = 0; i < 2; i++) {
                if (random_next(&random) % 300 == 0)
                    cut_orders[i] = !cut_orders[i];
                if (random_next(&random) % 300 == 0)
                    cut_beats[i] = !cut_beats[i];
                deliver(&members[i], now_ns);
            }
            for (uint32_t i = 0; now_ns % (100 * MS) == 0 && i < 2; i++) {
                uint64_t wanted = i == 0 ? share : CEILING_MILLI - share;
                const struct lease *other = &members[1 - i].lease;
                uint64_t taken = lease_concurrency_milli(other, TEST_LEASE, now_ns);
                uint64_t free_milli = taken < CEILING_MILLI ? CEILING_MILLI - taken : 0;
                beat(&members[i], now_ns, &random, cut_beats[i]);
                order(&members[i], wanted < free_milli ? wanted : free_milli, now_ns, &random,
                      cut_orders[i]);
            }
            uint64_t sum = running(&members[0], now_ns) + running(&members[1], now_ns);
            if (sum > CEILING_MILLI)
                fail_msg("seed %lu at %lu ms: %lu run", seed, now_ns / MS, sum);
            moved += running(&members[1], now_ns) > 0;
        }
    }
    assert_true(moved > 10000); /* of 180,000 steps: the second one did get its share */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_lease_holds_nothing),
        cmocka_unit_test(a_grant_counts_before_it_is_acknowledged),
        cmocka_unit_test(a_lowered_grant_frees_nothing_before_it_is_acknowledged),
        cmocka_unit_test(an_acknowledgement_drops_all_that_came_before_it),
        cmocka_unit_test(a_stale_or_unknown_acknowledgement_changes_nothing),
        cmocka_unit_test(a_lease_ends_by_its_newest_echo_and_not_by_when_it_was_sent),
        cmocka_unit_test(a_lease_runs_until_its_end_and_not_at_it),
        cmocka_unit_test(a_lowered_share_is_free_after_a_lease_though_newer_grants_go_unanswered),
        cmocka_unit_test(a_full_list_keeps_the_maximum_of_what_it_merges),
        cmocka_unit_test(a_cleared_lease_begins_again),
        cmocka_unit_test(the_sum_of_what_runs_never_passes_the_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
