/** The flight recorder's bytes: the meters of all lanes of one incarnation, where a killed process
 *  leaves them. Pure; recorder.h keeps them in a file.
 *
 *  The lanes count in these very bytes, so that a request costs nothing more for being recorded and
 * nothing is ever copied. They are good for one version of clobber on one machine. A process may be
 * killed between any two stores: of each lane at most one request is then counted in some places
 * and not in others, which reading mends. */
#ifndef CLOBBER_AGENT_RECORDING_H
#define CLOBBER_AGENT_RECORDING_H

#include "agent/meter.h"
#include "common/base/error.h"
#include "common/base/limits.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The head, and the lanes behind it. */
struct recording;

struct recording_shape {
    uint32_t lanes, phases, requests;
};

/** Whose it is. Plain data. */
struct recording_owner {
    uint8_t run_id[ID_BYTES], incarnation[ID_BYTES];
};

/** What a recording of that shape takes; at least RECORDING_HEAD_BYTES. */
size_t recording_bytes(const struct recording_shape *shape);
#define RECORDING_HEAD_BYTES 128u

/** Begins one in `memory[recording_bytes()]`, which is zeroed and aligned for a uint64_t. Borrowed
 * from there. */
struct recording *recording_begin(void *memory, const struct recording_shape *shape,
                                  const struct recording_owner *owner);
/** Where lane `lane` keeps its meters: for meters_create_at(). */
void *recording_lane(struct recording *recording, uint32_t lane);
/** The agent lives, says its clock, and has used so much CPU. */
void recording_pulse(struct recording *recording, uint64_t t_agent, uint64_t cpu_ns);

/** The rest is of bytes that anybody may have written. */

/** Whose `bytes[byte_count]` are: the first RECORDING_HEAD_BYTES of a recording are enough. False:
 * ERROR_PROTOCOL. */
bool recording_read_owner(const void *bytes, size_t byte_count, struct recording_owner *owner,
                          struct error *error);
/** All lanes together, as the last word of an incarnation that is dead: what waited was not
 * started, what was in flight stays so. NULL: ERROR_PROTOCOL, ERROR_MEMORY. The caller owns it:
 * meters_destroy(). */
struct meters *recording_read(const void *bytes, size_t byte_count, struct error *error);

#endif
