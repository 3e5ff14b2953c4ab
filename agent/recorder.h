/** The flight recorder's files: one for each incarnation, in a folder of the agent's owner. What a
 * killed incarnation left there the next one delivers. */
#ifndef CLOBBER_AGENT_RECORDER_H
#define CLOBBER_AGENT_RECORDER_H

#include "agent/recording.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct recorder;

/** Keeps its files in `folder`, which is made when it is not there; NULL: /run/clobber,
 * $XDG_RUNTIME_DIR/clobber, $XDG_STATE_HOME/clobber or ~/.local/state/clobber, the first that can
 * be written. In memory is best: a recording outlives a process and not a machine, and a disk that
 * is busy holds up whoever writes to its pages. Removes recordings that nobody asked for in a week.
 * NULL: ERROR_SYSTEM. The caller owns it: recorder_close(). */
struct recorder *recorder_open(const char *folder, const char *agent_name, struct error *error);
void recorder_close(struct recorder *recorder);

/** Begins the recording of an incarnation. Borrowed until recorder_end(). NULL: ERROR_LIMIT (above
 * RECORDING_BYTES_MAX), ERROR_SYSTEM (no room, ...). */
struct recording *recorder_begin(struct recorder *recorder, const struct recording_shape *shape,
                                 const struct recording_owner *owner, struct error *error);
/** The incarnation is over; nobody counts in its recording any more. `heard`: nor needs it. */
void recorder_end(struct recorder *recorder, bool heard);

/** How many recordings of dead incarnations are there. */
uint32_t recorder_orphans(struct recorder *recorder);
/** A message came: it may be of a run in which an orphan took part, or acknowledge one. */
void recorder_hear(struct recorder *recorder, const struct message *message);
/** Fills the next message that is to be said for an orphan, as orphan_say(). */
bool recorder_say(struct recorder *recorder, uint64_t now_ns, struct message *message);

#endif
