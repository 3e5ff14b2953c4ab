#include "common/control/maximize_sampler.h"

#include "common/control/controller.h"

#include <math.h>

#define SAMPLE_ENDED 8.0 /* requests, or ... */
#define SAMPLE_S     2.0 /* ... so long */

/* Settling, in ticks after a command; one is its way to the agents and back: */
#define SETTLE_TICKS 2.0  /* the command's way to the agents, and the tick that tells of it */
#define SETTLE_STILL 5.0  /* then workers that stand still are taken as they are */
#define CLIMB_NEAR   0.15 /* of the command, while climbing without a queue */
#define LEVEL_NEAR   0.03 /* of the command, otherwise */
#define NEAR_WORKERS 0.1  /* a part of one worker is no difference */
#define STILL        0.02 /* of what is in flight, from tick to tick */
#define RATIO_MAX    2.0  /* workers commanded to those in flight */

static void forget_sums(struct maximize_sampler *sampler)
{
    sampler->time_s = sampler->worker_s = sampler->answers = 0.0;
    sampler->latency_s = sampler->ended = 0.0;
    sampler->settling = false;
}

void sampler_start(struct maximize_sampler *sampler)
{
    *sampler = (struct maximize_sampler){.ratio = 1.0};
}

void sampler_begin(struct maximize_sampler *sampler)
{
    sampler->age_ticks = 0;
    forget_sums(sampler);
}

/** Whether what ends now began with the workers of `command`; while climbing without a queue it is
 * enough that most of them are there. */
static bool is_settled(struct maximize_sampler *sampler, const struct observation *seen,
                       double command, bool climbing)
{
    double in_flight = seen->in_flight_mean;
    double off = fabs(in_flight * sampler->ratio - command);
    bool near = off <= fmax(LEVEL_NEAR * command, NEAR_WORKERS);
    bool still =
        fabs(in_flight - sampler->in_flight_before) <= fmax(STILL * in_flight, NEAR_WORKERS);
    double latency_ticks = seen->latency_ns_mean / (double)seen->interval_ns;
    double waited = sampler->age_ticks - (latency_ticks > 1.0 ? ceil(latency_ticks) : 0.0);
    sampler->in_flight_before = in_flight;
    if (waited < SETTLE_TICKS)
        return false;
    bool settled = near || (still && waited >= SETTLE_STILL);
    if (settled && still && in_flight > 0.0)
        sampler->ratio = fmin(fmax(command / in_flight, 1.0), RATIO_MAX);
    sampler->settling |= !settled;
    return settled || (climbing && off <= CLIMB_NEAR * command);
}

static void gather(struct maximize_sampler *sampler, const struct observation *seen)
{
    double interval_s = (double)seen->interval_ns / 1e9;
    double ended = (double)(seen->completed + seen->failed);
    sampler->time_s += interval_s;
    sampler->worker_s += seen->in_flight_mean * interval_s;
    sampler->answers += seen->throughput_per_s * interval_s;
    sampler->latency_s += seen->latency_ns_mean / 1e9 * ended;
    sampler->ended += ended;
}

/** One latency at least, for workers that began together answer together. */
static bool is_whole(const struct maximize_sampler *sampler, double interval_s,
                     double period_s_most)
{
    if (sampler->answers <= 0.0 || sampler->worker_s <= 0.0)
        return false;
    double period_s = fmin(sampler->latency_s / fmax(sampler->ended, 1.0), period_s_most);
    return sampler->time_s >= period_s - 0.5 * interval_s &&
           (sampler->ended >= SAMPLE_ENDED || sampler->time_s >= SAMPLE_S);
}

bool sampler_add(struct maximize_sampler *sampler, const struct observation *seen, double command,
                 bool climbing, double period_s_most, struct maximize_sample *sample)
{
    if (!is_settled(sampler, seen, command, climbing))
        return false;
    gather(sampler, seen);
    if (!is_whole(sampler, (double)seen->interval_ns / 1e9, period_s_most))
        return false;
    *sample = (struct maximize_sample){.in_flight = log(sampler->worker_s / sampler->time_s),
                                       .throughput = log(sampler->answers / sampler->time_s),
                                       .latency = log(sampler->latency_s / sampler->ended),
                                       .ended = sampler->ended,
                                       .settling = sampler->settling};
    forget_sums(sampler);
    return true;
}
