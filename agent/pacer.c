#include "agent/pacer.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <math.h>
#include <stddef.h>

#define RATE_MILLI_MAX ((uint64_t)(RATE_PER_S_MAX * 1000.0))

/* The smallest number that draw() takes the logarithm of is 2^-53: its interval is 36.7 requests.
 */
#define DRAW_REQUESTS_MAX 37u

/* Between two due times so many requests and one ns of the highest rate grow at most: far below
 * 2^64. */
static_assert(DRAW_REQUESTS_MAX * PACER_REQUEST + (uint64_t)10000000 * 1000u <= UINT64_MAX / 2,
              "progress never wraps");

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* How much grows until the next request is due. */
static uint64_t draw(struct pacer *pacer)
{
    if (!pacer->scattered)
        return PACER_REQUEST;
    double uniform = ((double)(next_random(&pacer->seed) >> 11) + 1.0) * 0x1p-53; /* above 0 */
    uint64_t drawn = (uint64_t)(-log(uniform) * (double)PACER_REQUEST);
    return drawn > 0 ? drawn : 1;
}

void pacer_start(struct pacer *pacer, uint64_t now_ns, double stagger)
{
    CHECK(stagger >= 0.0);
    CHECK(stagger <= 1.0);

    *pacer = (struct pacer){
        .origin_ns = now_ns,
        .progress = (uint64_t)(stagger * (double)PACER_REQUEST),
        .due_progress = PACER_REQUEST,
    };
}

void pacer_scatter(struct pacer *pacer, uint64_t seed)
{
    pacer->scattered = true;
    pacer->seed = seed;
    pacer->progress = 0; /* a process without memory needs no stagger */
    pacer->due_progress = draw(pacer);
}

void pacer_set(struct pacer *pacer, uint64_t now_ns, uint64_t rate_milli)
{
    CHECK(now_ns >= pacer->origin_ns);
    CHECK(rate_milli <= RATE_MILLI_MAX);
    CHECK(pacer_next(pacer) > now_ns); /* so that the product below stays under one draw */

    pacer->progress += pacer->rate_milli * (now_ns - pacer->origin_ns);
    pacer->origin_ns = now_ns;
    pacer->rate_milli = rate_milli;
}

uint64_t pacer_next(const struct pacer *pacer)
{
    if (pacer->rate_milli == 0)
        return PACER_NEVER;
    if (pacer->progress >= pacer->due_progress)
        return pacer->origin_ns; /* drawn shorter than the ns by which the last one was late */
    uint64_t missing = pacer->due_progress - pacer->progress;
    /* Rounded up: at a whole ns before the exact moment the request would not have grown to one. */
    return pacer->origin_ns + (missing + pacer->rate_milli - 1) / pacer->rate_milli;
}

uint64_t pacer_due(struct pacer *pacer, uint64_t now_ns)
{
    uint64_t due_ns = pacer_next(pacer);
    if (due_ns > now_ns || due_ns == PACER_NEVER)
        return PACER_NEVER;

    pacer->progress += pacer->rate_milli * (due_ns - pacer->origin_ns);
    CHECK(pacer->progress >= pacer->due_progress);
    pacer->progress -= pacer->due_progress;
    pacer->due_progress = draw(pacer);
    pacer->origin_ns = due_ns;
    return due_ns;
}
