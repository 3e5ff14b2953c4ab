/** What will befall a simulated run: its plan, its agents, its weather and its faults, all drawn
 * from one seed. Pure. Times count from the coordinator's start. */
#ifndef CLOBBER_SIM_FATE_H
#define CLOBBER_SIM_FATE_H

#include "coordinator/plan.h"
#include "tests/sim/network.h"

#include <stdbool.h>
#include <stdint.h>

#define HOSTS_MAX  6u
#define FAULTS_MAX 24u

enum fault_kind {
    FAULT_CUT_UP, /* of one agent's link */
    FAULT_CUT_DOWN,
    FAULT_CUT_BOTH,
    FAULT_FREEZE,    /* an agent stands still */
    FAULT_KILL,      /* it vanishes; another of its name begins later, or none */
    FAULT_INTERRUPT, /* its owner ends it */
    FAULT_FREEZE_COORDINATOR,
    FAULT_DRAIN, /* a signal at the coordinator */
    FAULT_ABORT, /* ... and a second one */
    FAULT_KINDS
};

struct fault {
    uint64_t at_ns, for_ns;
    enum fault_kind kind;
    uint32_t host;
    bool keeps;      /* a cut: what is sent meanwhile arrives after it */
    bool for_ever;   /* a kill */
    bool reconnects; /* a cut: over another connection */
};

/** One agent's machine. */
struct fate_host {
    uint32_t name;     /* the host that it is called after: itself, or it is a twin of another */
    uint64_t clock_ns; /* its clock is ahead of the coordinator's by so much */
    int64_t drift_ppm; /* ... and runs faster */
    uint64_t joins_ns;
    uint32_t max_concurrency; /* its owner's ceilings */
    uint64_t max_rate_milli;
};

struct fate {
    uint64_t seed;
    struct plan plan;
    uint32_t lease_ms;
    uint64_t wait_ns, service_ns;
    uint32_t host_count, agents_expect; /* the others join late */
    struct fate_host hosts[HOSTS_MAX];
    bool owners_limit; /* any of them */
    bool numbered;     /* requests have an index; plan.requests_total may count them out */
    /* Foul until the calm, in which all must heal; then foul again until the end. */
    struct weather fair, foul;
    uint64_t calm_from_ns, calm_to_ns;
    uint32_t fault_count;
    struct fault faults[FAULTS_MAX]; /* in order of time */
};

void fate_draw(uint64_t seed, struct fate *fate);
/** The fault's word: "cut up". Static. */
const char *fault_word(enum fault_kind kind);

#endif
