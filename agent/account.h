/** An agent's account of itself: puts meters into beats, samples and final words. Pure. */
#ifndef CLOBBER_AGENT_ACCOUNT_H
#define CLOBBER_AGENT_ACCOUNT_H

#include "agent/meter.h"
#include "proto/beat.h"
#include "proto/sample.h"

#include <stdbool.h>
#include <stdint.h>

/* What one message carries of encoded histograms; the rest of SAMPLE_BYTES_MAX is for all other
 * fields. */
#define ACCOUNT_PART_BYTES (SAMPLE_BYTES_MAX - 8192u)
/* A part takes at least so many histograms, so a phase never takes more parts than this. */
#define ACCOUNT_PART_HISTOGRAMS (ACCOUNT_PART_BYTES / HISTOGRAM_BYTES_MAX)
#define ACCOUNT_PARTS_MAX                                                                          \
    ((SAMPLE_HISTOGRAMS_MAX + ACCOUNT_PART_HISTOGRAMS - 1u) / ACCOUNT_PART_HISTOGRAMS)
static_assert(ACCOUNT_PART_HISTOGRAMS >= 1, "every histogram fits a message of its own");

/** The histograms of one phase and a digest, encoded; 2 MB. The caller owns it: account_destroy().
 * NULL: no memory. */
struct account;
struct account *account_create(void);
void account_destroy(struct account *account);

/** The meters as a beat; sequence, lease and the lease's flag are the caller's. What it points at
 * is good until the next account_beat(). */
struct beat account_beat(struct account *account, const struct meters *meters);

/** Whether the latency histograms of a phase count exactly what its counters say has ended. A lane
 * that answered late may leave its histograms behind for a tick; the coordinator would take that
 * for a lie. */
bool account_agrees(const struct phase_meter *phase);

/** Encodes a phase; what has no end yet ends at `t_to`. Returns the number of parts, 1 to
 * ACCOUNT_PARTS_MAX. */
uint32_t account_phase(struct account *account, const struct meters *meters, uint32_t phase,
                       uint64_t t_to);
/** Part `part` of the phase encoded last. What it points at is good until the next account_phase().
 */
void account_part(const struct account *account, uint32_t part, struct sample *sample);

#endif
