#include "common/due.h"

#include "common/base/check.h"

#include <math.h>

#define LATE_NS       1e7  /* what is later is caught up with, ... */
#define CATCH_UP_RATE 1.1  /* ... at this share of the rate, ... */
#define BURST         10.0 /* ... after so many at once */
#define LEAST_WAIT    2.0 /* intervals between requests that each may wait, however long they are */
#define WAIT_NS_MAX   3.6e12

static double age_ns(const struct due *due, uint64_t now_ns)
{
    CHECK(now_ns >= due->start_ns);
    double due_ns = ((double)due->gone + 1.0) / due->rate_per_s * 1e9;
    return (double)(now_ns - due->start_ns) - due_ns;
}

struct due due_start(double rate_per_s, uint64_t now_ns)
{
    CHECK(rate_per_s > 0.0);
    return (struct due){.rate_per_s = rate_per_s, .start_ns = now_ns, .gate_ns = now_ns};
}

uint64_t due_waiting(const struct due *due, uint64_t now_ns)
{
    double waiting = floor(age_ns(due, now_ns) / 1e9 * due->rate_per_s) + 1.0;
    return waiting > 0.0 ? (uint64_t)waiting : 0;
}

void due_drop(struct due *due, uint64_t now_ns, uint64_t age_ns_max)
{
    double allowed_ns = fmax((double)age_ns_max, LEAST_WAIT / due->rate_per_s * 1e9);
    double beyond_ns = age_ns(due, now_ns) - allowed_ns;
    if (beyond_ns <= 0.0)
        return;
    uint64_t dropped = (uint64_t)ceil(beyond_ns / 1e9 * due->rate_per_s);
    due->gone += dropped;
    due->not_started += dropped;
}

uint64_t due_wait_ns(const struct due *due, uint64_t now_ns)
{
    double wait_ns = -age_ns(due, now_ns);
    if (wait_ns < -LATE_NS) { /* GCRA, ITU-T I.371 */
        double open_ns = (double)due->gate_ns - BURST / due->rate_per_s * 1e9;
        wait_ns = open_ns - (double)now_ns;
    }
    return wait_ns > 0.0 ? (uint64_t)ceil(fmin(wait_ns, WAIT_NS_MAX)) : 0;
}

bool due_take(struct due *due, uint64_t now_ns)
{
    if (due_wait_ns(due, now_ns) > 0)
        return false;
    uint64_t from_ns = due->gate_ns > now_ns ? due->gate_ns : now_ns;
    due->gate_ns = from_ns + (uint64_t)(fmin(1e9 / (CATCH_UP_RATE * due->rate_per_s), WAIT_NS_MAX));
    due->gone++;
    return true;
}
