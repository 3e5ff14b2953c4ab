/** Who is here, what they can carry, when last heard. Owned by the session; for one thread. */
#ifndef CLOBBER_COORDINATOR_ROSTER_H
#define CLOBBER_COORDINATOR_ROSTER_H

#include "common/control/split.h"
#include "coordinator/numbering.h"
#include "coordinator/words.h"
#include "proto/channel.h"
#include "proto/digest.h"
#include "proto/lease.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

#define SILENT_TICKS 3u /* without a beat: one is jitter, two are bad luck */

enum agent_state {
    AGENT_WELCOMED, /* has the assignment, builds its pool */
    AGENT_READY,    /* may be given load */
    AGENT_DECLINED, /* does not take the plan */
    AGENT_LEAVING,  /* says its final word, of its own will or because it was told to stop */
    AGENT_DONE,     /* its final word is here, whole */
};

/** What the agent is ordered to run now. Plain data. */
struct order {
    uint64_t floor_milli, concurrency_milli, rate_milli;
};

/** The worst over several beats. Plain data. */
struct peaks {
    uint32_t demand; /* in flight + backlog */
    uint32_t load_permille;
    uint32_t lag_us;
    uint32_t flags; /* enum beat_flag */
};

/** An agent's time under load, by its own clock, and its CPU. Plain data; a zeroed one was never
 * under load. */
struct under_load {
    uint64_t from_t, from_cpu_ns, to_t, to_cpu_ns;
    uint32_t lanes;
    /* Of its busiest lane, after the warm-up: */
    uint64_t permille_sum;
    uint32_t ticks;
};

/** What an agent's beats said of response latency, cumulative. */
struct agent_digests {
    struct digest beat; /* the newest one */
    struct digest base; /* as the last tick took it */
};

/** One incarnation of one agent. A name that comes back with another incarnation is another agent:
 * the counters of the first stay as they are, so nothing is counted twice and nothing is lost. */
struct agent {
    uint8_t incarnation[ID_BYTES];
    struct peer_id peer; /* the newest connection it spoke on */
    struct hello hello;
    enum agent_state state;
    bool silent;     /* no beat for SILENT_TICKS */
    bool lost;       /* silent, and its lease has ended */
    bool corrupt;    /* it broke a rule of counting: quarantined, its last good word stays */
    bool barred;     /* its key may not be here any more: nothing that it says is heard */
    bool superseded; /* another incarnation of the same name has come */

    uint64_t seq_sent;       /* of the last message to it */
    uint64_t heard_ns;       /* coordinator's clock: its last message of any kind */
    uint64_t beat_ns;        /* ... its last beat; before the first, its READY */
    uint64_t echo_t;         /* its own time in its last beat, or HELLO, ... */
    uint64_t echo_ns;        /* ... which came then */
    uint64_t granted_echo_t; /* the one that the newest setpoint carried */
    struct lease lease;
    struct order order;
    struct agent_numbers numbers; /* where requests are numbered */

    /* Its beats. */
    uint64_t beat_seq; /* of the newest one; 0: none yet */
    struct beat beat;  /* the newest one: its word for the ledger while it lives */
    struct beat base;  /* as the last tick took it */
    bool has_base;
    struct agent_digests *digests; /* owned; NULL: not asked for */
    uint32_t skip_ticks; /* back after a silence: so many ticks are no measurement of its rate */
    struct peaks peaks;  /* over the beats since the last tick */
    struct peaks tick;   /* over those that the last tick took */
    struct split_weight weight;
    double throughput_per_s; /* of the last tick that measured it */

    /* Its samples and its final word. */
    struct phase_words *phases; /* [phase_count]; owned */
    struct counters final;      /* all phases; good when DONE */
    uint32_t final_last_phase;
    uint64_t final_cpu_ns;

    /* For the report. */
    uint64_t lost_ns; /* its last word before it was lost last; 0: never */
    uint32_t phase;   /* of its newest order */
    struct under_load load;
    uint64_t drift_t, drift_ns; /* its clock and ours at the first beat */
    bool drift_said;
    uint64_t stood_still_ns; /* when that was last said; 0: never */
};

struct roster {
    uint32_t phase_count;
    bool latency_digests; /* beats carry them */
    uint32_t minor_least; /* minor version that the plan asks of an agent */
    uint32_t count, capacity;
    struct agent **agents; /* [count] in the order of their coming; all owned */
    /* By incarnation, because each message looks for one: place + 1 of an agent, or 0, from the
     * slot that its first bytes name on. [2 * capacity], a power of two. */
    uint32_t *slots;
    /* Room for whoever shares something among the agents: [capacity] each. */
    double *weights;
    uint64_t *limits, *wants, *growth;
};

/** An empty roster of a plan with `phase_count` phases, that asks for `latency_digests` or not. */
void roster_init(struct roster *roster, uint32_t phase_count, bool latency_digests);
void roster_done(struct roster *roster);

/** A new agent, WELCOMED, that said `hello` at `now_ns`. Borrowed until roster_done(). NULL: no
 * memory, or AGENTS_MAX of them came already. */
struct agent *roster_add(struct roster *roster, uint64_t now_ns, const struct peer_id *peer,
                         const uint8_t *incarnation, const struct hello *hello);

/** Borrows the agent of this incarnation, or NULL. */
struct agent *roster_find(const struct roster *roster, const uint8_t *incarnation);
/** Borrows the newest agent called `name`, or NULL. */
struct agent *roster_find_name(const struct roster *roster, const char *name);

/** A part of its final word was taken into its phases; when all of them are there it is DONE. */
void roster_take_final(struct agent *agent, const struct final *final);

/** May be given load once it is heard: believed, allowed, and the newest of its name. */
bool agent_may_carry(const struct agent *agent);
/** Takes part in the run: such a one that is heard. What it carries counts in an observation. */
bool agent_lives(const struct agent *agent);
/** How many live. */
uint32_t roster_living(const struct roster *roster);
/** How many are lost. */
uint32_t roster_lost(const struct roster *roster);
/** Lanes that pace a stream of their own, over all who live; at least 1. */
uint32_t roster_lanes(const struct roster *roster);
/** What the owners of those who live allow, in whole workers. */
uint64_t roster_concurrency_max(const struct roster *roster);

#endif
