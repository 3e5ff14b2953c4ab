/** What each agent is ordered to run: the controller's answer shared out, and held within the
 * leases. Pure.
 *
 *  docs/protocol.md, decision 5: what was taken from one agent is given to another only when the
 * first has acknowledged the smaller order or its lease has ended. So the sums that may be running
 * never pass what is asked for. */
#ifndef CLOBBER_COORDINATOR_GRANTS_H
#define CLOBBER_COORDINATOR_GRANTS_H

#include "coordinator/roster.h"

#include <stdbool.h>
#include <stdint.h>

/** What all agents together shall run. Plain data. */
struct grants {
    double concurrency, floor; /* workers: as the controller advises */
    double rate_per_s;         /* 0: no pacing */
    bool workers_make_rate;    /* closed arrivals: the rate is what they may make at most */
    bool whole;                /* workers are not paced to fractions: an agent gets whole ones */
    bool by_weight;            /* by what each carries; else equal shares */
    bool keep_lost;            /* the share of a lost agent is not given to others */
};

/** Fills the order of every agent. Orders nothing from who does not live; an order may be below an
 * agent's share until others have given theirs up. The sum over agents of the larger of its order
 * and what its lease still holds stays within `grants`, unless the leases alone are above it. */
void grants_share(const struct grants *grants, struct roster *roster, uint32_t lease_ms,
                  uint64_t now_ns);

/** What is ordered in all. */
struct order grants_total(const struct roster *roster);

#endif
