/** One incarnation of an agent: a real member, a model of its load, and between them what
 * agent/agent.c does. Times are of the agent's own clock. */
#ifndef CLOBBER_SIM_LIFE_H
#define CLOBBER_SIM_LIFE_H

#include "agent/member.h"
#include "agent/orphan.h"
#include "tests/sim/fate.h"
#include "tests/sim/load.h"

#include <stdbool.h>
#include <stdint.h>

#define LIFE_NO_ROW UINT32_MAX
#define LIFE_BEATS  512u /* that are remembered: nothing is under way for longer */

struct life;
typedef void life_send(void *context, const struct life *life, const struct message *message);

/** What is left of it when it is over. Plain data. */
struct remains {
    struct counters counters;        /* all that it really counted */
    struct counters measured;        /* ... after the warm-up */
    uint64_t answers, answer_sum_ns; /* of its response histograms, after the warm-up */
    uint64_t reached;                /* requests that came to the target */
};

struct life {
    const struct fate *fate;
    uint32_t host, number;
    uint8_t incarnation[ID_BYTES];
    uint8_t run_id[ID_BYTES]; /* of the run that it was configured for */
    uint32_t connection;      /* grows when it connects anew */
    life_send *send;
    void *context;
    struct member *member;        /* NULL when it is over */
    struct load *load;            /* NULL: no assignment yet, or over */
    struct load_numbers *numbers; /* of the run; borrowed; NULL: requests have none */
    struct remains remains;

    /* As agent/agent.c has them. */
    const struct assignment *assignment;
    bool has_setpoint;
    struct pool_setpoint setpoint;
    bool has_end;
    struct member_action end;
    uint64_t beat_ns, beaten_ns; /* its next tick, and its last */

    /* For the promises; the coordinator's side. */
    struct {
        uint64_t seq, started;
    } said[LIFE_BEATS];     /* [seq % LIFE_BEATS]: what it had started when it said that beat */
    uint64_t heard_started; /* the most of these that came to the coordinator */
    uint64_t heard_t;       /* its own time in the newest beat that came to the coordinator */
    uint32_t row;           /* of the report; LIFE_NO_ROW: it was never welcomed */
    bool interrupted;
    bool killed; /* with load, and a flight recorder */
    bool owed;   /* ... and a later one of its host was there to deliver what that kept */
};

/** Begins at `now_ns`. The caller owns it: life_destroy(). NULL: no memory. */
struct life *life_create(const struct fate *fate, uint32_t host, uint32_t number,
                         struct load_numbers *numbers, uint64_t now_ns, life_send *send,
                         void *context);
void life_destroy(struct life *life);

/** Hands over one message; life_settle() when no more waits. */
void life_hear(struct life *life, uint64_t now_ns, const struct message *message);
void life_settle(struct life *life, uint64_t now_ns);
void life_tick(struct life *life, uint64_t now_ns);
/** It stood still until now; what waits is to be handed over next. */
void life_wake(struct life *life, uint64_t now_ns);
void life_interrupt(struct life *life, uint64_t now_ns);
/** Its process is gone. `remains` hold what it did. */
void life_end(struct life *life);
/** The same, with no time for a word. What its recorder kept, for the next of its host to deliver;
 * NULL: it had no load. The caller owns it: orphan_destroy(). */
struct orphan *life_kill(struct life *life);

/** The coordinator has its beat `seq`. */
void life_is_heard(struct life *life, uint64_t seq);

/** What it has counted until now; its remains when it is over. */
struct remains life_remains(const struct life *life);

#endif
