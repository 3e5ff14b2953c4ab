#include "tests/sim/control/anchors.h"

#include "common/base/check.h"

#include <math.h>
#include <stddef.h>

#define BUSY_SHARE 0.7 /* open arrivals: the usual set point of autoscalers for utilisation */

#define APPROACH_TICKS 300
#define APPROACH_GAIN  0.1 /* so slow that dead time does not matter */
#define RELAY_TICKS    100
#define RELAY_SHARE    0.1 /* of the workers: small, for the plant is no straight line */

struct pid {
    struct pid_gains gains;
    double workers;
    double errors[2]; /* the last, and the one before */
    uint32_t count;
};

/** How far away the goal is, in its own unit; above 0: more workers. */
static double pid_error(const struct controller_config *config, double goal, double workers,
                        const struct observation *seen)
{
    if (config->goal == GOAL_MAXIMIZE_WHILE)
        return (config->latency_bound_ns - seen->latency_ns_quantile) / 1e9;
    if (config->arrivals == ARRIVALS_CLOSED)
        return goal - seen->throughput_per_s;
    return (seen->in_flight_mean + seen->backlog) / BUSY_SHARE - workers;
}

static double clamp(double value, double low, double high)
{
    return fmax(low, fmin(value, high));
}

/** The fleet under some number of workers; what was seen comes a tick later. */
struct rig {
    struct controller_config config;
    struct fleet *fleet;
    struct fleet_tick ticks[2];
    uint32_t count;
    double goal;
    double paced_per_s; /* open arrivals: the goal; else the workers alone make the rate */
};

static double rig_step(struct rig *rig, double workers)
{
    struct control_advice advice = anchor_advice(&rig->config, workers);
    fleet_run(rig->fleet, rig->paced_per_s, &advice, &rig->ticks[rig->count % 2]);
    const struct fleet_tick *seen = &rig->ticks[rig->count++ > 0 ? rig->count % 2 : 0];
    return pid_error(&rig->config, rig->goal, seen->concurrency, &seen->seen);
}

/** To where the error is 0, by integral action in relative steps. */
static double rig_approach(struct rig *rig, double workers)
{
    for (uint32_t k = 0; k < APPROACH_TICKS; k++) {
        double error = rig_step(rig, workers);
        workers = clamp(workers * (error > 0.0 ? 1.0 + APPROACH_GAIN / (1.0 + 0.1 * k)
                                               : 1.0 - APPROACH_GAIN / (1.0 + 0.1 * k)),
                        1.0, rig->config.concurrency_max);
    }
    return workers;
}

/** The ultimate gain without the danger of finding it by hand: a relay makes the loop oscillate,
 * its amplitude gives the gain, its period is the ultimate one (Astrom and Hagglund, "Automatic
 * tuning of simple regulators", 1984). */
struct pid_gains pid_tune(const struct scenario *scenario)
{
    struct rig rig = {.config = scenario_controller(scenario),
                      .fleet = fleet_create(&scenario->fleet, 1),
                      .goal = schedule_value(&scenario->goal, 0)};
    rig.paced_per_s = scenario->fleet.closed ? 0.0 : rig.goal;
    double middle = rig_approach(&rig, scenario->pieces[0].ideal);
    double height = RELAY_SHARE * middle;
    double error = 0.0;
    double swing = 0.0; /* the error's mean distance from 0: of a sine, 2/pi of its amplitude */
    uint32_t crossings = 0;
    for (uint32_t k = 0; k < RELAY_TICKS; k++) {
        double before = error;
        error = rig_step(&rig, error > 0.0 ? middle + height : middle - height);
        swing += fabs(error) / RELAY_TICKS;
        crossings += before * error < 0.0;
    }
    fleet_destroy(rig.fleet);
    CHECK(crossings > 0);
    struct pid_gains gains = {.ultimate_gain = 4.0 * height / (M_PI * swing * M_PI / 2.0),
                              .ultimate_period_s = 2.0 * RELAY_TICKS * FLEET_TICK_S / crossings};
    gains.proportional = 0.6 * gains.ultimate_gain;
    gains.integral_s = 0.5 * gains.ultimate_period_s;
    gains.derivative_s = 0.125 * gains.ultimate_period_s;
    return gains;
}

/** Tuned once for each kind of goal, on the scenario in which nothing happens. */
static const struct pid_gains *pid_gains_for(const struct controller_config *config)
{
    static struct pid_gains gains[3];
    size_t kind = config->goal == GOAL_MAXIMIZE_WHILE   ? 2
                  : config->arrivals == ARRIVALS_CLOSED ? 1
                                                        : 0;
    static const char *const steady[] = {"open steady", "closed steady", "while p99 < 20 ms"};
    if (gains[kind].proportional <= 0.0)
        gains[kind] = pid_tune(scenario_find(steady[kind]));
    return &gains[kind];
}

static struct control_advice pid_step(const struct controller_config *config, void *state,
                                      double goal, uint32_t generators,
                                      const struct observation *seen)
{
    struct pid *pid = state;
    if (seen == NULL) {
        pid->gains = *pid_gains_for(config);
        pid->workers = generators;
        return anchor_advice(config, pid->workers);
    }
    if (!anchor_can_learn(seen))
        return anchor_advice(config, pid->workers);
    double error = pid_error(config, goal, pid->workers, seen);
    if (pid->count++ == 0)
        pid->errors[0] = pid->errors[1] = error;
    const struct pid_gains *gains = &pid->gains;
    double change =
        error - pid->errors[0] + FLEET_TICK_S / gains->integral_s * error +
        gains->derivative_s / FLEET_TICK_S * (error - 2.0 * pid->errors[0] + pid->errors[1]);
    pid->errors[1] = pid->errors[0];
    pid->errors[0] = error;
    /* Clamped where it integrates, so nothing winds up. */
    pid->workers = clamp(pid->workers + gains->proportional * change, 1.0, config->concurrency_max);
    return anchor_advice(config, pid->workers);
}

const struct regulator anchor_pid = {
    .name = "PID",
    .goals = 1u << GOAL_HOLD | 1u << GOAL_MAXIMIZE_WHILE,
    .arrivals = 1u << ARRIVALS_OPEN | 1u << ARRIVALS_CLOSED,
    .state_bytes = sizeof(struct pid),
    .step = pid_step,
};
