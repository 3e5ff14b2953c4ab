/** The embedded agents of `clobber run`: child processes that run `clobber agent` on an ipc
 * endpoint, so the local path is the distributed path. */
#ifndef CLOBBER_COORDINATOR_CHILDREN_H
#define CLOBBER_COORDINATOR_CHILDREN_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct children {
    uint32_t count; /* of those started */
    uint32_t alive;
    pid_t *pids;        /* [count]; owned; 0: ended */
    char folder[64];    /* holds the socket; removed by children_stop() */
    char endpoint[108]; /* ipc://FOLDER/coordinator */
    bool needed;        /* one that ends is an error: the run has not begun to end */
};

/** What to start. Texts are borrowed for the call. */
struct children_plan {
    uint32_t count, lanes; /* agents, and the lanes of each */
    const char *allow;     /* the target, "HOST:PORT", and nothing else */
    /* Words of our own command line that are for the agents: "--source", "10.0.0.1", ... */
    const char *const *passed;
    uint32_t passed_count; /* at most CHILDREN_PASSED_MAX */
};
#define CHILDREN_PASSED_MAX 40u /* sixteen ranges of sources, an engine, and to spare */

/** Makes a private folder for the socket and starts the agents. Call before the channel is bound:
 * no fork after it. False: ERROR_SYSTEM, and nothing runs. */
bool children_start(struct children *children, const struct children_plan *plan,
                    struct error *error);

/** Reaps those that ended. False: one of them is still needed; `error` says how it ended. */
bool children_reap(struct children *children, struct error *error);

/** Waits until all have ended, at most 2 s, then ends the rest; removes the folder. */
void children_stop(struct children *children);

#endif
