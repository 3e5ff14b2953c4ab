#include "coordinator/settling.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/control/stats.h"

#include <math.h>
#include <string.h>

#define BAND_LEAST  0.02 /* nobody sees less on a screen, and no target is steadier */
#define BAND_PER_S  2.0  /* a second's count is off by one at each end */
#define ERROR_UNIT  1e-6
#define SHIFT       1.5                  /* a latency is another one when it differs by half */
#define SHIFT_TICKS (2 * SETTLING_TICKS) /* a pause is in the mean for a second, then over */
#define SHIFT_ENDED 20u /* fewer requests in a second say nothing about their mean */

void settling_init(struct settling *settling, double tolerance, bool rate)
{
    CHECK(tolerance >= 0.0);
    memset(settling, 0, sizeof *settling);
    settling->tolerance = tolerance;
    settling->rate = rate;
}

static uint32_t rows_used(const struct settling *settling)
{
    return settling->row_count < SETTLING_TICKS ? settling->row_count : SETTLING_TICKS;
}

static struct settling_row rows_mean(const struct settling *settling)
{
    struct settling_row mean = {0};
    double count = rows_used(settling);
    double latency_sum_ns = 0.0;
    for (uint32_t i = 0; i < rows_used(settling); i++) {
        const struct settling_row *row = &settling->rows[i];
        mean.value += row->value / count;
        mean.goal += row->goal / count;
        mean.throughput_per_s += row->throughput_per_s / count;
        mean.workers += row->workers / count;
        mean.ended += row->ended;
        latency_sum_ns += row->latency_ns * (double)row->ended;
    }
    if (mean.ended > 0)
        mean.latency_ns = latency_sum_ns / (double)mean.ended;
    return mean;
}

double settling_value_mean(const struct settling *settling)
{
    return rows_mean(settling).value;
}

double settling_goal_mean(const struct settling *settling)
{
    return rows_mean(settling).goal;
}

double settling_workers_mean(const struct settling *settling)
{
    return rows_mean(settling).workers;
}

static bool within_band(const struct settling *settling, const struct settling_row *mean)
{
    double band = fmax(settling->tolerance, BAND_LEAST) * mean->goal;
    if (settling->rate)
        band = fmax(band, BAND_PER_S);
    return mean->goal > 0.0 && fabs(mean->value - mean->goal) <= band;
}

static uint64_t rows_from_ns(const struct settling *settling)
{
    uint32_t oldest = settling->row_count - rows_used(settling);
    return settling->rows[oldest % SETTLING_TICKS].from_ns;
}

/* A second's count strays by whole requests: so much above the goal is no overshoot. */
static double overshoot_of(const struct settling *settling, const struct settling_row *mean)
{
    if (settling->rate && mean->value <= mean->goal + BAND_PER_S)
        return 0.0;
    return mean->value / mean->goal - 1.0;
}

/* The moving mean must be in the band for a second; it settled when the first second of which that
 * is true began. */
static bool judge_settled(struct settling *settling, const struct settling_row *mean)
{
    if (settling->settled)
        return false;
    if (!within_band(settling, mean)) {
        settling->inside_ticks = 0;
        return false;
    }
    if (settling->inside_ticks++ == 0)
        settling->inside_ns = rows_from_ns(settling);
    settling->settled = settling->inside_ticks > SETTLING_TICKS;
    settling->settle_ns = settling->inside_ns;
    return settling->settled;
}

static void fill_batch(struct settling *settling, const struct settling_tick *tick)
{
    settling->batch_sum += tick->throughput_per_s;
    /* A goal that moves is no scatter: only what strays from it counts. */
    settling->batch_goal_sum += settling->rate ? tick->goal : 0.0;
    if (++settling->batch_ticks < SETTLING_TICKS)
        return;
    double mean = (settling->batch_sum - settling->batch_goal_sum) / SETTLING_TICKS;
    settling->batches++;
    double step = mean - settling->batch_mean;
    settling->batch_mean += step / settling->batches;
    settling->batch_squares += step * (mean - settling->batch_mean);
    settling->batch_sum = 0.0;
    settling->batch_goal_sum = 0.0;
    settling->batch_ticks = 0;
}

static void measure(struct settling *settling, const struct settling_tick *tick,
                    const struct settling_row *mean)
{
    if (mean->goal > 0.0 && settling->row_count >= SETTLING_TICKS) {
        double error = fabs(mean->value - mean->goal) / mean->goal;
        histogram_record(&settling->errors, (uint64_t)llround(fmin(error, 1e6) / ERROR_UNIT));
    }
    histogram_record(&settling->workers, (uint64_t)llround(tick->workers));
    settling->workers_sum += tick->workers;
    fill_batch(settling, tick);
}

bool settling_take(struct settling *settling, const struct settling_tick *tick)
{
    CHECK(tick->value >= 0.0);
    CHECK(tick->workers >= 0.0);
    settling->rows[settling->row_count++ % SETTLING_TICKS] =
        (struct settling_row){.from_ns = settling->at_ns,
                              .value = tick->value,
                              .goal = tick->goal,
                              .throughput_per_s = tick->throughput_per_s,
                              .workers = tick->workers,
                              .latency_ns = tick->latency_ns_mean,
                              .ended = tick->ended};
    settling->at_ns = tick->at_ns;
    struct settling_row mean = rows_mean(settling);
    bool now_settled = judge_settled(settling, &mean);
    if (settling->settled && mean.goal > 0.0)
        settling->overshoot = fmax(settling->overshoot, overshoot_of(settling, &mean));
    if (tick->measured)
        measure(settling, tick, &mean);
    return now_settled;
}

bool settling_latency_changed(struct settling *settling, struct latency_change *change)
{
    struct settling_row mean = rows_mean(settling);
    if (!settling->settled || mean.ended < SHIFT_ENDED)
        return false;
    if (settling->latency_ns <= 0.0) {
        settling->latency_ns = mean.latency_ns;
        settling->latency_workers = mean.workers;
        return false;
    }
    double ratio = mean.latency_ns / settling->latency_ns;
    bool shifted = ratio > SHIFT || ratio < 1.0 / SHIFT;
    settling->shifted_ticks = shifted ? settling->shifted_ticks + 1 : 0;
    if (settling->shifted_ticks < SHIFT_TICKS)
        return false;
    *change = (struct latency_change){.before_ns = settling->latency_ns,
                                      .after_ns = mean.latency_ns,
                                      .workers_before = settling->latency_workers,
                                      .workers_after = mean.workers};
    settling->latency_ns = mean.latency_ns;
    settling->latency_workers = mean.workers;
    settling->shifted_ticks = 0;
    return true;
}

/* NaN: too short to tell. Seconds are taken as independent; the controller's own memory makes them
 * a little less so. */
static double half_interval(const struct settling *settling)
{
    if (settling->batches < 2)
        return NAN;
    double count = settling->batches;
    double deviation = sqrt(settling->batch_squares / (count - 1.0));
    return student_95(settling->batches - 1) * deviation / sqrt(count);
}

void settling_report(const struct settling *settling, double throughput_per_s,
                     struct report_control *control)
{
    control->settled = settling->settled;
    control->settle_ns = settling->settled ? settling->settle_ns : 0;
    control->overshoot = settling->overshoot;
    control->error_mean = histogram_mean(&settling->errors) * ERROR_UNIT;
    control->error_p95 = (double)histogram_quantile(&settling->errors, 0.95) * ERROR_UNIT;
    control->concurrency_mean =
        settling->workers.total > 0 ? settling->workers_sum / (double)settling->workers.total : 0.0;
    control->concurrency_final = settling_workers_mean(settling);
    control->concurrency_p95 = (double)histogram_quantile(&settling->workers, 0.95);
    double half = half_interval(settling);
    control->interval_low_per_s = isnan(half) ? NAN : fmax(throughput_per_s - half, 0.0);
    control->interval_high_per_s = throughput_per_s + half;
}
