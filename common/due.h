/** What falls due at a steady rate, and what becomes of it: taken, waiting, or no longer started.
 *  Pure: times come in. docs/control.md, section 3, has the reasons for its numbers. */
#ifndef CLOBBER_DUE_H
#define CLOBBER_DUE_H

#include <stdbool.h>
#include <stdint.h>

/** Request k, from 1 on, falls due k / rate_per_s after start_ns. */
struct due {
    double rate_per_s;
    uint64_t start_ns;
    uint64_t gone;        /* the first so many were taken or are not started any more */
    uint64_t not_started; /* of those */
    uint64_t gate_ns;     /* GCRA's theoretical arrival time: late ones wait for it */
};

/** `rate_per_s` above 0. */
struct due due_start(double rate_per_s, uint64_t now_ns);

/** Requests that are due at `now_ns` and wait. */
uint64_t due_waiting(const struct due *due, uint64_t now_ns);

/** Gives up those that have waited for more than `age_ns`, and two intervals between requests. */
void due_drop(struct due *due, uint64_t now_ns, uint64_t age_ns);

/** How long until the next may be taken; 0: now. */
uint64_t due_wait_ns(const struct due *due, uint64_t now_ns);

/** Takes the oldest. False when none may be taken now. */
bool due_take(struct due *due, uint64_t now_ns);

#endif
