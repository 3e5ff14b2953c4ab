#include "coordinator/answer.h"

#include "common/base/check.h"
#include "common/control/stats.h"

#include <math.h>

/* Means of twice the time, half as many: a month of seconds finds its place in 64. */
static void join_means(struct answer_span *span)
{
    CHECK(span->mean_count == ANSWER_MEANS_MAX);
    for (uint32_t i = 0; i < ANSWER_MEANS_MAX / 2; i++)
        span->means[i] = (span->means[2 * i] + span->means[2 * i + 1]) / 2.0;
    span->mean_count = ANSWER_MEANS_MAX / 2;
    span->mean_ticks *= 2;
}

static void span_take(struct answer_span *span, const struct answer_tick *tick)
{
    if (span->mean_ticks == 0)
        span->mean_ticks = ANSWER_MEAN_TICKS;
    span->measured_ticks++;
    span->throughput_sum += tick->throughput_per_s;
    span->workers_sum += tick->workers;
    span->sum += tick->throughput_per_s;
    if (++span->ticks < span->mean_ticks)
        return;
    if (span->mean_count == ANSWER_MEANS_MAX)
        join_means(span); /* what was being filled is the first half of a longer one then */
    if (span->ticks < span->mean_ticks)
        return;
    span->means[span->mean_count++] = span->sum / span->ticks;
    span->sum = 0.0;
    span->ticks = 0;
}

static bool is_old_enough(const struct answer_span *span)
{
    return span->measured_ticks >= ANSWER_TICKS_MIN;
}

void answer_take(struct answer *answer, const struct answer_tick *tick)
{
    CHECK(tick->throughput_per_s >= 0.0);
    if (tick->converged && !answer->converged) {
        if (is_old_enough(&answer->newest))
            answer->before = answer->newest;
        answer->newest = (struct answer_span){0};
    }
    if (tick->converged && !answer->ever) {
        answer->ever = true;
        answer->converged_ns = tick->from_ns;
    }
    answer->converged = tick->converged;
    if (tick->converged && tick->measured)
        span_take(&answer->newest, tick);
}

struct answer_found answer_read(const struct answer *answer)
{
    const struct answer_span *span = &answer->newest;
    if (!is_old_enough(span) && answer->before.measured_ticks > 0)
        span = &answer->before;
    if (span->measured_ticks == 0)
        return (struct answer_found){.half_per_s = NAN};
    return (struct answer_found){
        .found = true,
        .throughput_per_s = span->throughput_sum / span->measured_ticks,
        .half_per_s = stats_mean_95(span->means, span->mean_count).half,
        .workers = span->workers_sum / span->measured_ticks,
        .converged_ns = answer->converged_ns,
    };
}
