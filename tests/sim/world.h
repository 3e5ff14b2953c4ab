/** A whole run in virtual time on one thread: one real session and real members, which talk through
 * the real codec over a network that a seed makes bad. The same seed gives the same run. */
#ifndef CLOBBER_SIM_WORLD_H
#define CLOBBER_SIM_WORLD_H

#include "coordinator/session.h"
#include "tests/sim/fate.h"
#include "tests/sim/life.h"
#include "tests/sim/network.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LIVES_MAX   512u
#define ORPHANS_MAX FAULTS_MAX /* each is of a kill */

/** How a run went. Plain data. */
struct world_result {
    char broken[256]; /* the first promise that was broken; "": all were kept */
    bool loaded;      /* there was load */
    bool healed;      /* the calm came, and all carried load in it */
    bool counted;     /* all requests of requests_total were made, and the run ended with them */
    bool missing;     /* ... but those of agents that were lost */
    uint32_t lives, finals, lost, recovered;
    uint64_t started, lost_max, packets_lost, packets_repeated;
    uint64_t hash; /* of all that happened: the same from any compiler */
};

/** Packets that wait for somebody who stands still. */
struct inbox {
    struct packet *packets; /* [count]; owned */
    size_t count, capacity;
};

/** One agent's machine: a process after another, one at a time. */
struct host {
    struct life *life; /* NULL: no process */
    uint64_t born_ns;  /* when the next one begins; UINT64_MAX: there is one */
    bool gone;         /* for ever */
    uint64_t frozen_until_ns;
    struct inbox inbox;
    struct orphan *orphans[ORPHANS_MAX]; /* [orphan_count]; owned: in its flight recorder */
    uint32_t orphan_count;
};

struct world {
    struct fate fate;
    uint64_t now_ns; /* the coordinator's clock */
    struct network *network;
    struct session *session;
    uint8_t assignment[ASSIGNMENT_BYTES_MAX];
    size_t assignment_bytes;
    struct host hosts[HOSTS_MAX];
    struct life *lives[LIVES_MAX]; /* [life_count]; owned; all that ever were */
    uint32_t life_count;
    struct load_numbers numbers; /* taken: owned */
    uint32_t rows;               /* of lives that were welcomed, in their order */
    uint32_t fault_next;
    bool calm, calmed;   /* it is, it was */
    uint32_t calm_ticks; /* of the coordinator, since it is */
    uint64_t tick_ns;    /* of the coordinator, the next */
    uint64_t frozen_until_ns;
    struct inbox inbox;
    struct tick shown;      /* the last */
    struct counters past;   /* of lives that are over, in all */
    uint32_t lost_at_drain; /* agents that were lost when the run took no more load */
    bool ended;
    uint64_t ended_ns;
    uint64_t load_began_ns; /* 0: not yet */
    FILE *trace;            /* borrowed; NULL: none */
    struct world_result *result;
};

/** Runs the world of `seed` to its end, or to the first promise that is broken. `trace`: where to
 * tell all that happens; NULL: nowhere. */
void world_run(uint64_t seed, FILE *trace, struct world_result *result);

/** What the clock of host `host` shows at `now_ns`. */
uint64_t world_local_ns(const struct world *world, uint32_t host, uint64_t now_ns);
/** Remembers the first broken promise; the world ends. */
__attribute__((format(printf, 2, 3))) void world_break(struct world *world, const char *format,
                                                       ...);

#endif
