/** Gives out the global index of numbered requests in blocks, and knows of each agent what it has
 * used. Pure.
 *
 *  An agent uses its blocks in the order in which they came, so the number of indexes that it has
 * used says which. The newest block is a level: it is in every order until a beat shows that it was
 * taken up, and only then another may follow. What an agent is not going to use comes back, by an
 * empty block or with its final word, and is given to others; what a lost agent held stays unused.
 * So no message that is lost, repeated or overtaken loses an index or gives one out twice. */
#ifndef CLOBBER_COORDINATOR_NUMBERING_H
#define CLOBBER_COORDINATOR_NUMBERING_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/** `count` indexes from `from`. */
struct span {
    uint64_t from, count;
};

/** What one agent was granted. Plain data; zeroed: nothing. */
struct agent_numbers {
    uint64_t block;     /* the number of its newest block */
    struct span newest; /* ... of 0 indexes: it shall give back what it has not used */
    uint64_t taken_up;  /* the newest block that it is known to have */
    uint64_t used;      /* indexes, as it said last */
    uint32_t span_count;
    struct span spans[INDEX_BLOCKS_MAX]; /* granted and not known to be used, the oldest first */
    double rate_per_s;                   /* at which it uses them, smoothed */
    double expected_per_s, held;         /* at which it will, and has left to use, at this tick */
    uint64_t rated;                      /* `used` at the last tick */
    uint32_t ticks, idle_ticks;          /* with something to run; with nothing, in a row */
};

struct numbering {
    uint64_t total; /* 0: no end */
    uint64_t next;  /* never given out yet */
    /* What came back. */
    uint64_t returned_count; /* indexes */
    struct span *returned;   /* [span_count]; owned */
    uint32_t span_count, span_capacity;
};

/** What an agent is to run from this tick on. */
struct numbering_need {
    uint32_t workers;  /* 0: nothing */
    double rate_per_s; /* at which it will use indexes; 0: as it is seen to */
    double age_s;      /* of the beat that it was heard with last */
};

/** All agents at this tick. Plain data; zeroed: none. */
struct numbering_fleet {
    uint32_t running; /* that have something to run */
    double held;      /* indexes that they have not used */
    double rate_per_s;
};

void numbering_init(struct numbering *numbering, uint64_t total);
void numbering_done(struct numbering *numbering);

/** A tick: sees at which rate `agent` uses its indexes, and adds it to the fleet. */
void numbering_see(struct agent_numbers *agent, const struct numbering_need *need,
                   struct numbering_fleet *fleet);
/** Then, of the whole fleet: may grant `agent` a block for what it needs, or ask for those back
 * that it does not. */
void numbering_order(struct numbering *numbering, struct agent_numbers *agent,
                     const struct numbering_need *need, const struct numbering_fleet *fleet);

/** A beat, newer than those before, says that `block` was taken up and `used` indexes were used.
 * False: it cannot be so, ERROR_PROTOCOL; nothing is changed. */
bool numbering_hear(struct numbering *numbering, struct agent_numbers *agent, uint64_t block,
                    uint64_t used, struct error *error);
/** A final word: `used` were used and no more will be. The others come back. As above. */
bool numbering_leave(struct numbering *numbering, struct agent_numbers *agent, uint64_t used,
                     struct error *error);

/** How many `agent` was granted and is not known to have used. */
uint64_t numbering_held(const struct agent_numbers *agent);
/** Whether there is none left to give out. */
bool numbering_spent(const struct numbering *numbering);

#endif
