/** The sums that must balance, and the bound on what a lost agent may have sent. Pure.
 *
 *  planned = started + not_started, started = ok + failed + timed_out + in flight: over every
 * agent's last word. */
#ifndef CLOBBER_COORDINATOR_LEDGER_H
#define CLOBBER_COORDINATOR_LEDGER_H

#include "coordinator/report.h"
#include "coordinator/roster.h"

#include <stdbool.h>
#include <stdint.h>

/** The newest that `agent` said of all its phases: its final word; else its newest beat or, when
 * they say more, its samples. What was due and not started then stays in `planned` alone. */
struct counters ledger_word(const struct roster *roster, const struct agent *agent);

/** The same at the end of a run: what an agent without a final word still had waiting was never
 * seen to start, so it is not_started; ledger_lost_max() tells how many of those may have started
 * all the same. */
struct counters ledger_last_word(const struct roster *roster, const struct agent *agent);

/** Sum of what all agents said so far. */
struct counters ledger_so_far(const struct roster *roster);

/** What `agent` may have started after its last word, 0 when that is its final one.
 *
 *  By its own clock it may start requests until its lease ends: `lease` after the beat whose time
 * its newest order echoed. Open arrivals: what fell due by then, which is its backlog, the rate for
 * that long, and one more for each lane, whose next request may have been almost due. Closed: each
 * worker goes round at most as often as the fastest request that it was seen to do allows; while
 * none was seen, RATE_PER_S_MAX bounds it. Numbered requests: those that it was given indexes for.
 */
uint64_t ledger_lost_max(const struct roster *roster, const struct agent *agent, bool open_arrivals,
                         uint32_t lease_ms);

/** Fills ledger, in_flight_at_end, lost_max, balanced and imbalance of `report`, and each agent's
 * counters and lost_max in report->agents, which is in the roster's order. */
void ledger_close(const struct roster *roster, bool open_arrivals, uint32_t lease_ms,
                  struct report *report);

#endif
