/** Grants not yet acknowledged, and their ends: what one agent may be running at most. Pure; kept
 *  by the coordinator per agent. docs/protocol.md, decisions 3 and 5. */
#ifndef CLOBBER_PROTO_LEASE_H
#define CLOBBER_PROTO_LEASE_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* A lease of 2 s at ten a second is 20; a full list merges its oldest two. */
#define LEASE_GRANTS_MAX 64u

struct grant {
    uint64_t seq;
    uint64_t concurrency_milli;
    uint64_t rate_milli;
    uint64_t echo_received_ns; /* coordinator's clock: when the BEAT came that this grant echoes */
};

/** What one agent holds. Plain data; a zeroed one holds nothing. */
struct lease {
    struct grant held; /* the newest acknowledged one; seq 0: none */
    uint32_t count;
    struct grant open[LEASE_GRANTS_MAX]; /* sent after `held`, not acknowledged, oldest first */
};

/** Remembers a grant that is about to be sent. `grant->seq` above all before. */
void lease_grant(struct lease *lease, const struct grant *grant);
/** The agent has applied `seq`: all before it are gone. Stale or unknown numbers change nothing. */
void lease_acknowledge(struct lease *lease, uint64_t applied_seq);
/** On the coordinator's clock: when the last of the grants has ended whatever the agent does:
 *  1.02 x lease + one tick after the newest echo was received. 0: holds nothing. */
uint64_t lease_end_ns(const struct lease *lease, uint32_t lease_ms);
/** What may be running or due at most now: the largest of the grants that have not ended, each
 *  1.02 x lease + one tick after its own echo was received. 0 once the lease has ended. */
uint64_t lease_concurrency_milli(const struct lease *lease, uint32_t lease_ms, uint64_t now_ns);
uint64_t lease_rate_milli(const struct lease *lease, uint32_t lease_ms, uint64_t now_ns);
/** Forgets all: the agent said its final word, or is another incarnation. */
void lease_clear(struct lease *lease);

#endif
