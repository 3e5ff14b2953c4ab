/** The last word of an incarnation that was killed, delivered by a later one: FINALs until all are
 * acknowledged. A core: messages go in and come out. */
#ifndef CLOBBER_AGENT_ORPHAN_H
#define CLOBBER_AGENT_ORPHAN_H

#include "agent/recording.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

struct orphan;

/** Of the incarnation and run of `owner` (copied), which left `meters` (taken, in any case). NULL:
 * no memory. The caller owns it: orphan_destroy(). */
struct orphan *orphan_create(const struct recording_owner *owner, struct meters *meters);
void orphan_destroy(struct orphan *orphan);

/** A message came to the agent that delivers: of the orphan's run it shows that the run lives, and
 * by which epoch; a FINAL_ACK to the orphan is noted. */
void orphan_hear(struct orphan *orphan, const struct message *message);
/** Fills the next of the messages that are to be said at `now_ns`: those that are not acknowledged,
 * once its run was heard of, again every FINAL_REPEAT_MS. What it points at is good until the next
 * call. False: nothing more is due by then. */
bool orphan_say(struct orphan *orphan, uint64_t now_ns, struct message *message);
/** Whether all was acknowledged: it may be forgotten. */
bool orphan_is_heard(const struct orphan *orphan);

#endif
