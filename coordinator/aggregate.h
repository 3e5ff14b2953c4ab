/** Cumulative beats to one observation a tick: late, missing, repeated, overtaken. Pure. */
#ifndef CLOBBER_COORDINATOR_AGGREGATE_H
#define CLOBBER_COORDINATOR_AGGREGATE_H

#include "common/control/controller.h"
#include "coordinator/roster.h"

#include <stdint.h>

/** A beat of `agent`, sent as its message `seq`, came at `now_ns`. Only one newer than all before
 * it counts. WORD_CORRUPT: a counter or a cell of its latency digest fell, or the digest does not
 * count what the counters count; nothing of it is taken. */
enum word_outcome aggregate_beat(struct agent *agent, uint64_t now_ns, uint64_t seq,
                                 const struct beat *beat, struct error *error);

/** Judges who is silent at `now_ns`, and who is heard again. */
void aggregate_silence(struct roster *roster, uint64_t now_ns);

/** What all who live did since the last tick, `interval_ns` ago. Each agent's rate is over its own
 * clock, from the beat that the last tick took to its newest; who sent none since is expected and
 * has not reported. Learns each agent's weight on the way. `digest` gets the response latencies of
 * what ended, when the roster has them (NULL: not wanted); the quantile is the caller's to take. */
struct observation aggregate_tick(struct roster *roster, uint64_t interval_ns,
                                  struct digest *digest);

/** How far the clock of `agent` runs from ours, as a share, since its first beat; 0 until long
 * enough. */
double aggregate_drift(const struct agent *agent);

#endif
