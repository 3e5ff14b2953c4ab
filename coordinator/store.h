/** What a coordinator keeps in the folder of its run so that another can take it up: `epoch`, and
 * `agents.state`, written anew each second by a file beside it and a rename. */
#ifndef CLOBBER_COORDINATOR_STORE_H
#define CLOBBER_COORDINATOR_STORE_H

#include "common/base/error.h"
#include "coordinator/session.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/** In `folder` (copied), which is held until store_close(): no other process can open one there.
 * NULL: ERROR_USAGE (it is held), ERROR_SYSTEM, ERROR_MEMORY. The caller owns it. */
struct store *store_open(const char *folder, struct error *error);
/** `over`: the run has its result, and what was kept is taken away. NULL is welcome. */
void store_close(struct store *store, bool over);

/** The next epoch, 1 for the first, on disk before this returns. False: ERROR_SYSTEM. */
bool store_next_epoch(struct store *store, uint64_t *epoch, struct error *error);

/** Whose state is going to be saved. */
void store_name(struct store *store, const uint8_t *run_id, uint64_t started_wall_ns);
/** Writes all that `session` knows. What an earlier call wrote is there until this is. False:
 * ERROR_SYSTEM, ERROR_MEMORY. */
bool store_save(struct store *store, const struct session *session, uint64_t now_ns,
                struct error *error);
/** Adds one message to what was saved last. As above. */
bool store_keep(struct store *store, uint64_t now_ns, const struct message *message,
                struct error *error);

/** What a dead coordinator saved. Plain data. */
struct store_past {
    uint8_t *bytes; /* owned: free() */
    size_t byte_count;
    uint8_t run_id[ID_BYTES];
    uint64_t started_wall_ns, load_began_ns, saved_ns;
};
/** False: ERROR_SYSTEM; nothing was saved, it is damaged, or the machine was started again since,
 * so that no clock tells which leases have ended. */
bool store_read(struct store *store, struct store_past *past, struct error *error);
/** All of it into `session`, which has not been stepped. False: ERROR_PROTOCOL, ERROR_MEMORY. */
bool store_recall(const struct store_past *past, struct session *session, struct error *error);

#endif
