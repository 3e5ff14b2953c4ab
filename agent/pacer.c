#include "agent/pacer.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <stddef.h>

#define RATE_MILLI_MAX ((uint64_t)(RATE_PER_S_MAX * 1000.0))

/* Between two due times at most one request and one ns of the highest rate grow: far below 2^64. */
static_assert(PACER_REQUEST + (uint64_t)10000000 * 1000u <= UINT64_MAX / 2, "progress never wraps");

void pacer_start(struct pacer *pacer, uint64_t now_ns, double stagger)
{
    CHECK(stagger >= 0.0);
    CHECK(stagger <= 1.0);

    *pacer = (struct pacer){
        .origin_ns = now_ns,
        .progress = (uint64_t)(stagger * (double)PACER_REQUEST),
    };
}

void pacer_set(struct pacer *pacer, uint64_t now_ns, uint64_t rate_milli)
{
    CHECK(now_ns >= pacer->origin_ns);
    CHECK(rate_milli <= RATE_MILLI_MAX);
    CHECK(pacer_next(pacer) > now_ns); /* so that the product below stays under one request */

    pacer->progress += pacer->rate_milli * (now_ns - pacer->origin_ns);
    pacer->origin_ns = now_ns;
    pacer->rate_milli = rate_milli;
}

uint64_t pacer_next(const struct pacer *pacer)
{
    CHECK(pacer->progress <= PACER_REQUEST);

    if (pacer->rate_milli == 0)
        return PACER_NEVER;
    uint64_t missing = PACER_REQUEST - pacer->progress;
    /* Rounded up: at a whole ns before the exact moment the request would not have grown to one. */
    return pacer->origin_ns + (missing + pacer->rate_milli - 1) / pacer->rate_milli;
}

uint64_t pacer_due(struct pacer *pacer, uint64_t now_ns)
{
    uint64_t due_ns = pacer_next(pacer);
    if (due_ns > now_ns || due_ns == PACER_NEVER)
        return PACER_NEVER;

    pacer->progress += pacer->rate_milli * (due_ns - pacer->origin_ns);
    CHECK(pacer->progress >= PACER_REQUEST);
    pacer->progress -= PACER_REQUEST;
    pacer->origin_ns = due_ns;
    return due_ns;
}
