/** Makes samples of ticks: as many as a latency takes, once the workers ordered are there. */
#ifndef CLOBBER_CONTROL_MAXIMIZE_SAMPLER_H
#define CLOBBER_CONTROL_MAXIMIZE_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

struct observation;

/** What a few ticks gave together. Natural logarithms. */
struct maximize_sample {
    double in_flight, throughput, latency, ended;
    bool settling; /* the workers were not all there yet */
};

/** Plain data; sampler_start() first. */
struct maximize_sampler {
    uint32_t age_ticks; /* since the command was given */
    double ratio;       /* workers commanded to those measured in flight */
    double in_flight_before;
    /* Since the last sample: */
    double time_s, worker_s, answers, latency_s, ended;
    bool settling; /* not all workers were there */
};

void sampler_start(struct maximize_sampler *sampler);

/** A command is given: what was seen before is of the last one. */
void sampler_begin(struct maximize_sampler *sampler);

/** One tick, while `command` workers are to run. `climbing`: it is enough that most are there.
 *  `period_s_most`: a sample takes one latency, at most so long. True: a sample is whole. */
bool sampler_add(struct maximize_sampler *sampler, const struct observation *seen, double command,
                 bool climbing, double period_s_most, struct maximize_sample *sample);

#endif
