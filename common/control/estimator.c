#include "common/control/estimator.h"

#include "common/base/check.h"

#include <math.h>
#include <string.h>

#define STEP_SIGMAS     4.0  /* one false step in 16 000 samples of Gaussian noise */
#define STEP_LEAST      0.06 /* smaller steps are followed, not jumped to */
#define GAIN_LEAST      0.1  /* a memory of ten ticks */
#define DRIFT_SIGMAS    1.5  /* three on one side by so much: one time in 1500 by chance */
#define VARIANCE_GAIN   0.05 /* of twenty: noise changes slowly */
#define VARIANCE_START  0.01 /* 10 % until it is known */
#define VARIANCE_LEAST  1e-5
#define VARIANCE_GROWTH 4.0 /* the most one sample may claim: a step's own distance is no noise */
#define COUNT_MAX       1000u

/** The middle one of the newest `count` samples (odd). */
static double median_of_newest(const struct estimator *estimator, size_t count)
{
    CHECK(count >= 1 && count <= ESTIMATOR_RECENT);
    double sorted[ESTIMATOR_RECENT] = {0};
    for (size_t i = 0; i < count; i++) {
        size_t j = i;
        for (; j > 0 && sorted[j - 1] > estimator->recent[i]; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = estimator->recent[i];
    }
    return sorted[count / 2];
}

/** The last three are all on one side, each by more than `distance`. */
static bool is_drifting(const struct estimator *estimator, double distance)
{
    bool above = true;
    bool below = true;
    for (size_t i = 0; i < 3; i++) {
        above = above && estimator->recent[i] > estimator->level + distance;
        below = below && estimator->recent[i] < estimator->level - distance;
    }
    return above || below;
}

/** Half the squared difference of neighbours is the variance, whatever the level does meanwhile. */
static void learn_variance(struct estimator *estimator, double difference)
{
    double seen = fmin(fmax(0.5 * difference * difference, VARIANCE_LEAST),
                       VARIANCE_GROWTH * estimator->variance);
    estimator->variance += VARIANCE_GAIN * (seen - estimator->variance);
}

bool estimator_add(struct estimator *estimator, double log_latency, double completions)
{
    CHECK(isfinite(log_latency));
    CHECK(completions > 0.0);
    if (estimator->count == 0) {
        *estimator =
            (struct estimator){.level = log_latency, .variance = VARIANCE_START, .count = 1};
        for (size_t i = 0; i < ESTIMATOR_RECENT; i++)
            estimator->recent[i] = log_latency;
        return true;
    }
    learn_variance(estimator, log_latency - estimator->recent[0]);
    memmove(&estimator->recent[1], &estimator->recent[0],
            sizeof estimator->recent - sizeof estimator->recent[0]);
    estimator->recent[0] = log_latency;

    /* A mean of few requests is noisy even where its neighbours happened to agree. */
    double sigma = sqrt(fmax(estimator->variance, 0.5 / completions));
    double far = fmax(STEP_SIGMAS * sigma, STEP_LEAST);
    bool jumped = false;
    if (estimator->count < 3) {
        estimator->level = log_latency;
        jumped = true;
    } else if (fabs(median_of_newest(estimator, ESTIMATOR_RECENT) - estimator->level) > far) {
        /* Three of five agree: a step, not a pause. The two samples from before it are forgotten.
         */
        estimator->level = median_of_newest(estimator, 3);
        estimator->recent[3] = estimator->recent[4] = estimator->level;
        estimator->count = 3;
        jumped = true;
    } else if (is_drifting(estimator, DRIFT_SIGMAS * sigma)) {
        estimator->level = median_of_newest(estimator, 3);
    } else if (fabs(log_latency - estimator->level) <= far) {
        double gain = fmax(1.0 / (estimator->count + 1.0), GAIN_LEAST);
        estimator->level += gain * (log_latency - estimator->level);
    } /* else it stands alone, and is ignored */
    if (estimator->count < COUNT_MAX)
        estimator->count++;
    return jumped;
}

double estimator_latency_s(const struct estimator *estimator)
{
    return estimator->count == 0 ? 0.0 : exp(estimator->level);
}
