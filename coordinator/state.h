/** The bytes of agents.state, by which a run outlives its coordinator: a head, and then what was
 *  known of its agents as a row of messages. Pure.
 *
 *  Of one machine, from one start of it to the next, and of one version of clobber. Whatever may be
 * in it, reading is bounded; a row that breaks off ends there. */
#ifndef CLOBBER_COORDINATOR_STATE_H
#define CLOBBER_COORDINATOR_STATE_H

#include "common/base/error.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_BOOT_BYTES 40u

/** Plain data. Times are by the clock of the machine. */
struct state_head {
    char boot[STATE_BOOT_BYTES]; /* which start of the machine; ends with a NUL */
    uint8_t run_id[ID_BYTES];
    uint64_t started_wall_ns;
    uint64_t load_began_ns; /* 0: it had not */
    uint64_t saved_ns;
};

/** Grows as it must. Plain data; a zeroed one is empty. state_bytes_done() at the end. */
struct state_bytes {
    uint8_t *bytes; /* [count]; owned */
    size_t count, capacity;
    bool failed; /* no memory: what came then is not in it */
};

void state_bytes_done(struct state_bytes *bytes);
/** Empties `bytes` and begins with `head`. */
void state_begin(struct state_bytes *bytes, const struct state_head *head);
/** One message more, of up to SESSION_KEPT_BYTES_MAX, whose agent was heard at `moment_ns`. */
void state_add(struct state_bytes *bytes, uint64_t moment_ns, const struct message *message);

/** Reads the head of `bytes[count]`. False: ERROR_PROTOCOL. */
bool state_read_head(const uint8_t *bytes, size_t count, struct state_head *head,
                     struct error *error);
/** Hands every whole message behind it to `take`, until that returns false, which is then returned
 * too. */
typedef bool state_take(void *context, uint64_t moment_ns, const struct message *message,
                        struct error *error);
bool state_read(const uint8_t *bytes, size_t count, state_take *take, void *context,
                struct error *error);

#endif
