#include "proto/lease.h"

#include "common/base/check.h"

#include <math.h>
#include <string.h>

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/** Nothing is known of which of the two the agent runs, so what stands for both allows what either
 *  did. */
static struct grant merge(const struct grant *older, const struct grant *newer)
{
    return (struct grant){
        .seq = newer->seq,
        .concurrency_milli = larger(older->concurrency_milli, newer->concurrency_milli),
        .rate_milli = larger(older->rate_milli, newer->rate_milli),
        .echo_received_ns = larger(older->echo_received_ns, newer->echo_received_ns),
    };
}

static void forget_oldest(struct lease *lease, uint32_t count)
{
    lease->count -= count;
    memmove(lease->open, lease->open + count, lease->count * sizeof lease->open[0]);
}

void lease_grant(struct lease *lease, const struct grant *grant)
{
    CHECK(lease->count <= LEASE_GRANTS_MAX);
    CHECK(grant->seq > lease->held.seq);
    CHECK(lease->count == 0 || grant->seq > lease->open[lease->count - 1].seq);
    if (lease->count == LEASE_GRANTS_MAX) {
        lease->open[1] = merge(&lease->open[0], &lease->open[1]);
        forget_oldest(lease, 1);
    }
    lease->open[lease->count++] = *grant;
}

void lease_acknowledge(struct lease *lease, uint64_t applied_seq)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        if (lease->open[i].seq == applied_seq) {
            lease->held = lease->open[i];
            forget_oldest(lease, i + 1);
            return;
        }
    }
}

static bool holds_nothing(const struct lease *lease)
{
    return lease->held.seq == 0 && lease->count == 0;
}

/** When `grant` has ended on the agent's clock too, however late it came and however slow that
 *  clock. */
static uint64_t grant_end_ns(const struct grant *grant, uint32_t lease_ms)
{
    CHECK(lease_ms >= 1);
    CHECK(lease_ms <= LEASE_MS_MAX);
    uint64_t lease_ns = (uint64_t)llround(lease_ms * 1e6 * LEASE_DRIFT);
    return grant->echo_received_ns + lease_ns + TICK_MS * UINT64_C(1000000);
}

uint64_t lease_end_ns(const struct lease *lease, uint32_t lease_ms)
{
    if (holds_nothing(lease))
        return 0;
    uint64_t end_ns = lease->held.seq > 0 ? grant_end_ns(&lease->held, lease_ms) : 0;
    for (uint32_t i = 0; i < lease->count; i++)
        end_ns = larger(end_ns, grant_end_ns(&lease->open[i], lease_ms));
    return end_ns;
}

/** Each grant ends by its own echo: an agent that applied an old one and got no newer has nothing
 *  else to run by. So a share that was lowered is free after a lease even while newer grants go out
 *  unanswered. */
static struct grant most(const struct lease *lease, uint32_t lease_ms, uint64_t now_ns)
{
    struct grant most = {0};
    if (lease->held.seq > 0 && now_ns < grant_end_ns(&lease->held, lease_ms))
        most = lease->held;
    for (uint32_t i = 0; i < lease->count; i++) {
        if (now_ns < grant_end_ns(&lease->open[i], lease_ms))
            most = merge(&most, &lease->open[i]);
    }
    return most;
}

uint64_t lease_concurrency_milli(const struct lease *lease, uint32_t lease_ms, uint64_t now_ns)
{
    return most(lease, lease_ms, now_ns).concurrency_milli;
}

uint64_t lease_rate_milli(const struct lease *lease, uint32_t lease_ms, uint64_t now_ns)
{
    return most(lease, lease_ms, now_ns).rate_milli;
}

void lease_clear(struct lease *lease)
{
    *lease = (struct lease){0};
}
