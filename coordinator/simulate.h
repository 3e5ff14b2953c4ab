/** Command `simulate`: the real session in virtual time, against models of the target and of the
 *  agents. The command itself is declared in common/command.h. */
#ifndef CLOBBER_COORDINATOR_SIMULATE_H
#define CLOBBER_COORDINATOR_SIMULATE_H

#include "common/base/flags.h"
#include "coordinator/plan.h"
#include "coordinator/session.h"
#include "coordinator/simulate_plant.h"
#include "coordinator/sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the command line says. Texts are borrowed from it. */
struct simulate_options {
    struct simulate_plant plant;
    const char *plant_text; /* NULL: not given */
    uint64_t seed;
    bool seed_given;
    uint32_t agents;
    bool plot, quiet;
    const char *out, *json;
};

/** The flags of the command; simulate_flags.c. Their context is struct simulate_options. */
extern const struct flags simulate_flags;

/** One run in virtual time. All borrowed. */
struct simulation {
    const struct plan *plan;
    const struct simulate_plant *plant;
    uint32_t agents;
    uint64_t seed;
    struct session *session; /* made for this plan and so many agents */
    struct sink *sinks;      /* [sink_count] */
    size_t sink_count;
};

/** Runs to the session's end: session_report() is ready. */
void simulation_run(const struct simulation *simulation);

/** A run's id: the same of the same seed. */
void simulation_run_id(uint64_t seed, uint8_t run_id[ID_BYTES]);

#endif
