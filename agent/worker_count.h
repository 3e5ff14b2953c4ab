/** What becomes of requests, as counters and histograms: each is counted once when it starts and
 * once when it ends, in the meters of its phase. */
#ifndef CLOBBER_AGENT_WORKER_COUNT_H
#define CLOBBER_AGENT_WORKER_COUNT_H

#include "agent/worker.h"

/** The meters of the phase to which the worker's request belongs. */
struct phase_meter *count_phase(struct crew *crew, const struct worker *worker);
/** The worker takes `request` and starts it at `now_ns`. */
void count_start(struct crew *crew, struct worker *worker, const struct waiting *request,
                 uint64_t now_ns);
/** Its request ended so; it has none from then on. */
void count_end(struct crew *crew, struct worker *worker, struct ending ending);
/** Its request is cut at `at_ns`, and stays in flight for ever. */
void count_cut(struct crew *crew, struct worker *worker, uint64_t at_ns);
/** Whether the target can have seen anything of the request. */
bool count_reached(const struct worker *worker);
/** The class of an error that an engine told (engine_error(), or an errno); `other`: that of an
 *  errno that has none of its own. */
enum failure count_failure(int error, enum failure other);

#endif
