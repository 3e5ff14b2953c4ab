/** How an agent's setpoint is shared over its lanes. Pure. */
#ifndef CLOBBER_AGENT_SHARE_H
#define CLOBBER_AGENT_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/** What one lane may be running, in thousandths of a worker. Plain data; zeroed: nothing. */
struct share {
    uint64_t granted_milli; /* it was told last */
    uint64_t held_milli;    /* at most so much does it run: after a cut, requests end first */
};

/** The part of lane `index` in `total_milli` over `count` lanes: whole workers, and one lane has
 * the fraction. The parts sum to the total. */
uint64_t share_workers(uint64_t total_milli, uint32_t count, uint32_t index);
/** Likewise for a rate, to the thousandth. */
uint64_t share_rate(uint64_t total_milli, uint32_t count, uint32_t index);

/** Grants `total_milli` to `shares[count]`. A lane gives up at once what is more than its part, and
 *  gets what is more than it has only as far as the others have let go of it: what all run together
 *  never passes the total because of a hand-over. */
void share_grant(struct share *shares, uint32_t count, uint64_t total_milli);
/** A lane says, after its last grant, how many requests it has in flight. */
void share_seen(struct share *share, uint32_t in_flight);
/** Whether every lane has its part. */
bool share_complete(const struct share *shares, uint32_t count, uint64_t total_milli);
/** How many lanes may run something; never 0, for what falls due in a pause must be counted. */
uint32_t share_carrying(const struct share *shares, uint32_t count);

#endif
