/** Which address of the target an agent loads: resolved by itself, allowed by its owner, and, when
 * a name has several, one that accepts connections. */
#ifndef CLOBBER_AGENT_REACH_H
#define CLOBBER_AGENT_REACH_H

#include "agent/allow.h"
#include "agent/sources.h"
#include "common/base/net.h"
#include "proto/assignment.h"

#include <stdbool.h>

#define REACH_PROBE_MS 250u /* an address much slower than its neighbour is not the one to load */

/** Where connections go, and where they come from. */
struct reach {
    struct address address;
    const struct sources *sources; /* borrowed; NULL: the kernel's choice */
};

/** Blocks: resolving, and REACH_PROBE_MS at most for each address of a name that has several.
 * False: ERROR_TARGET (no such name), ERROR_LIMIT (not one of its addresses is allowed). */
bool reach_target(const struct allow *allow, const struct assignment *assignment,
                  struct address *address, struct error *error);

#endif
