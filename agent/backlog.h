/** Requests that are due and wait for a worker, and the rules by which they may still start: not
 * too old, and when late not in a flood. Pure.
 *
 *  Catching up everything would replay the past at a wrong rate long after a stall; skipping it in
 *  silence would hide the stall. So: a bounded catch-up, then not started, and counted so
 *  (docs/control.md, 3.1). */
#ifndef CLOBBER_AGENT_BACKLOG_H
#define CLOBBER_AGENT_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#define BACKLOG_LATE_NS UINT64_C(10000000) /* from here on a request is late: the gate counts */
#define BACKLOG_BURST   10u /* late ones that may start at once, before 1.1 x rate holds */

/** One request that fell due. */
struct waiting {
    uint64_t due_ns;
    uint64_t index; /* where requests are numbered, else 0 */
    uint32_t phase;
    bool own_late;   /* we took it from the pacer late: this wait is no doing of the target */
    bool unnumbered; /* it waits for its index first */
};

struct backlog {
    struct waiting *items; /* [capacity], a ring */
    uint32_t capacity, head, count;
    uint32_t own_late_count;   /* of those that wait */
    uint32_t unnumbered_count; /* of those, the youngest: numbers are given in order */
    uint64_t drop_age_ns;      /* as asked; at least two intervals of the rate in effect */
    uint64_t rate_milli;       /* the last one above 0 */
    uint64_t allowed_ns;       /* the gate's theoretical arrival time (GCRA, ITU-T I.371) */
};

enum backlog_verdict {
    BACKLOG_EMPTY,
    BACKLOG_START, /* the oldest may start now */
    BACKLOG_HOLD,  /* it is late and the gate is shut: see backlog_opens() */
    BACKLOG_UNNUMBERED,
    BACKLOG_DROP, /* it is too old: take it and do not start it */
};

/** Takes memory for `capacity` requests. False: none. backlog_done() in any case. */
bool backlog_init(struct backlog *backlog, uint32_t capacity);
void backlog_done(struct backlog *backlog);

/** From `now_ns` on. The gate keeps what it has counted, in requests: what was let out early counts
 * at the new rate. A rate of 0 leaves it as it was: what waits is still let out at the pace it
 * came.
 */
void backlog_set(struct backlog *backlog, uint64_t rate_milli, uint64_t drop_age_ns,
                 uint64_t now_ns);

/** False: it is full, and the request is not taken. */
bool backlog_push(struct backlog *backlog, const struct waiting *request);
/** How many wait for nothing but a worker. */
uint32_t backlog_waiting(const struct backlog *backlog);
/** The oldest that has no index yet, or NULL. Borrowed until the next change. */
const struct waiting *backlog_unnumbered(const struct backlog *backlog);
/** It gets `index`, and was kept waiting by us if `own_late`. */
void backlog_number(struct backlog *backlog, uint64_t index, bool own_late);
/** What may become of the oldest request at `now_ns`. */
enum backlog_verdict backlog_judge(const struct backlog *backlog, uint64_t now_ns);
/** The oldest one, taken out. Not when empty. */
struct waiting backlog_pop(struct backlog *backlog);
/** `request` was started at `now_ns`: if it was late, the gate counts it. Those on time are none of
 *  its business, or a burst of theirs would hold back the next that is late. */
void backlog_started(struct backlog *backlog, const struct waiting *request, uint64_t now_ns);
/** When the gate opens for the next late request. */
uint64_t backlog_opens(const struct backlog *backlog);

#endif
