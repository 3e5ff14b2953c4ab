/* What a step of the tuner costs: a million of them for each goal, in CPU time of this thread, on a
 * service that the tuner has to follow. Fails when a goal takes more than a second. */
#include "clobber/clobber.h"
#include "common/base/clock.h"

#include <math.h>
#include <stdio.h>

#define STEPS       1000000
#define INTERVAL_NS UINT64_C(100000000)
#define SERVICE_S   0.010

struct goal {
    const char *name;
    struct clobber_options options;
};

#define OPTIONS .bytes = sizeof(struct clobber_options), .interval_ns = INTERVAL_NS

static const struct goal goals[] = {
    {"hold, closed",
     {OPTIONS, .goal = CLOBBER_HOLD, .target_per_s = 4000, .concurrency_max = 1000}},
    {"hold, open, elastic",
     {OPTIONS, .goal = CLOBBER_HOLD, .arrivals = CLOBBER_OPEN, .target_per_s = 4000,
      .concurrency_max = 1000, .elastic = true}},
    {"hold, open, rigid",
     {OPTIONS, .goal = CLOBBER_HOLD, .arrivals = CLOBBER_OPEN, .target_per_s = 4000,
      .concurrency_max = 1000}},
    {"maximize",
     {OPTIONS, .goal = CLOBBER_MAXIMIZE, .error_share_max = 1, .concurrency_max = 1000}},
    {"maximize, bounded",
     {OPTIONS, .goal = CLOBBER_MAXIMIZE, .latency_quantile = 0.99, .latency_bound_ns = 15000000,
      .error_share_max = 0.01, .concurrency_max = 1000}},
};

/* From 20 to 80 servers and back every 2000 steps, with some noise: no goal is ever at rest. */
static struct clobber_sample served(double workers, int step)
{
    double servers = 50 + 30 * ((step / 1000) % 2 == 0 ? 1 : -1);
    double throughput_per_s = fmin(workers, servers) / SERVICE_S * (1 + 0.01 * (step % 5 - 2));
    double latency_s = workers / throughput_per_s;
    return (struct clobber_sample){.bytes = sizeof(struct clobber_sample),
                                   .interval_ns = INTERVAL_NS,
                                   .completed = (uint64_t)(throughput_per_s / 10),
                                   .failed = (uint64_t)(step % 2),
                                   .in_flight_mean = workers,
                                   .latency_ns_mean = latency_s * 1e9,
                                   .latency_ns_at_quantile = latency_s * 1.5e9,
                                   .in_flight_end = workers,
                                   .demand_peak = workers,
                                   .generator_load = -1};
}

int main(void)
{
    int slow = 0;
    for (size_t i = 0; i < sizeof goals / sizeof goals[0]; i++) {
        struct clobber_tuner *tuner = clobber_tuner_create(&goals[i].options, NULL, 0);
        struct clobber_advice advice = {.bytes = sizeof advice};
        uint64_t from_ns = clock_thread_cpu_ns();
        clobber_tuner_step(tuner, NULL, &advice);
        for (int step = 1; step < STEPS; step++) {
            struct clobber_sample sample = served(fmax(advice.concurrency, 0.1), step);
            clobber_tuner_step(tuner, &sample, &advice);
        }
        double seconds = (double)(clock_thread_cpu_ns() - from_ns) / 1e9;
        printf("%-20s %d steps in %.3f s, %.0f ns each\n", goals[i].name, STEPS, seconds,
               seconds / STEPS * 1e9);
        slow += seconds > 1.0;
        clobber_tuner_destroy(tuner);
    }
    return slow > 0;
}
