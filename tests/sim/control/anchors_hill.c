#include "tests/sim/control/anchors.h"

#include "common/base/check.h"

#include <complex.h>
#include <math.h>

/* As in CoreCLR, but for the change per second: 4 there, for threads; here only the change per
 * sample limits it, or no run would be long enough. */
#define WAVE_PERIOD     4
#define WAVE_HISTORY    8
#define SAMPLES         (WAVE_PERIOD * WAVE_HISTORY)
#define WAVE_MAX        20.0
#define TARGET_RATIO    0.15 /* a relative gain of throughput that a relative worker must bring */
#define SIGNAL_TO_NOISE 3.0
#define CHANGE_MAX      20.0
#define GAIN_EXPONENT   2.0
#define ERROR_SMOOTHING 0.01

struct hill {
    double setting; /* the wave stands on it */
    double workers;
    double throughputs[SAMPLES], counts[SAMPLES]; /* a ring */
    int total;
    double noise;
};

/** The part of the last `count` of a ring that swings with `period`: Goertzel, 1958. */
static double complex wave_component(const struct hill *hill, const double *ring, int count,
                                     double period)
{
    double w = 2.0 * M_PI / period;
    double q1 = 0.0;
    double q2 = 0.0;
    for (int i = 0; i < count; i++) {
        double q0 = 2.0 * cos(w) * q1 - q2 + ring[(hill->total - count + i) % SAMPLES];
        q2 = q1;
        q1 = q0;
    }
    return (q1 - q2 * cos(w) + I * (q2 * sin(w))) / count;
}

static double mean(const struct hill *hill, const double *ring, int count)
{
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += ring[(hill->total - count + i) % SAMPLES];
    return sum / count;
}

/** How far to go, -1 to 1: how much more than the target ratio a worker brings, as far as the wave
 *  stands out of the noise beside it. */
static double slope(struct hill *hill)
{
    int count = (hill->total - 1 < SAMPLES ? hill->total - 1 : SAMPLES) / WAVE_PERIOD * WAVE_PERIOD;
    if (count <= WAVE_PERIOD)
        return 0.0;
    double throughput = mean(hill, hill->throughputs, count);
    double workers = mean(hill, hill->counts, count);
    double periods = (double)count / WAVE_PERIOD;
    double complex answer =
        wave_component(hill, hill->throughputs, count, WAVE_PERIOD) / throughput;
    double complex wave = wave_component(hill, hill->counts, count, WAVE_PERIOD) / workers;
    double error = cabs(wave_component(hill, hill->throughputs, count, count / (periods + 1.0)));
    if (count / (periods - 1.0) <= count)
        error = fmax(error,
                     cabs(wave_component(hill, hill->throughputs, count, count / (periods - 1.0))));
    error /= throughput;
    hill->noise = hill->noise <= 0.0
                      ? error
                      : ERROR_SMOOTHING * error + (1.0 - ERROR_SMOOTHING) * hill->noise;
    if (cabs(wave) <= 0.0)
        return 0.0;
    double ratio = creal((answer - TARGET_RATIO * wave) / wave);
    double noise = fmax(hill->noise, error);
    double confidence = noise > 0.0 ? cabs(wave) / noise / SIGNAL_TO_NOISE : 1.0;
    return fmax(-1.0, fmin(ratio, 1.0)) * fmin(confidence, 1.0);
}

static struct control_advice hill_step(const struct controller_config *config, void *state,
                                       double goal, uint32_t generators,
                                       const struct observation *seen)
{
    (void)goal;
    struct hill *hill = state;
    if (seen == NULL)
        hill->setting = hill->workers = generators;
    else if (anchor_can_learn(seen)) {
        hill->throughputs[hill->total % SAMPLES] = seen->throughput_per_s;
        hill->counts[hill->total % SAMPLES] = seen->in_flight_mean;
        hill->total++;
        double move = slope(hill);
        hill->setting += copysign(pow(fabs(move), GAIN_EXPONENT), move) * CHANGE_MAX;
        hill->setting = fmax(1.0, fmin(hill->setting, config->concurrency_max));
        double height = floor(0.5 + 2.0 * hill->setting * hill->noise * SIGNAL_TO_NOISE);
        height = fmax(1.0, fmin(height, WAVE_MAX));
        hill->workers = floor(hill->setting + height * (hill->total / (WAVE_PERIOD / 2) % 2));
    }
    return anchor_advice(config, hill->workers);
}

const struct regulator anchor_hill = {
    .name = "hill climbing",
    .goals = 1u << GOAL_MAXIMIZE,
    .state_bytes = sizeof(struct hill),
    .step = hill_step,
};
