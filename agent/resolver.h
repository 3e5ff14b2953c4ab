/** Looks the target's name up again and again, on a thread of its own: a name server that is slow
 *  holds up neither a lane, nor the beats that keep a lease alive. */
#ifndef CLOBBER_AGENT_RESOLVER_H
#define CLOBBER_AGENT_RESOLVER_H

#include "agent/allow.h"
#include "common/base/error.h"
#include "common/base/net.h"
#include "proto/assignment.h"

struct resolver;

enum resolver_news {
    RESOLVER_NOTHING, /* it is where it was */
    RESOLVER_MOVED,   /* to an address that the owner allows */
    RESOLVER_FAILED,  /* the name is gone, or points where the owner allows nothing: stay */
};

/** Begins, one `assignment->connection.resolve_every_ns` from now, with what is known: `address`.
 *  All is copied. NULL: ERROR_MEMORY, ERROR_SYSTEM. The caller owns it: resolver_destroy(). */
struct resolver *resolver_create(const struct allow *allow, const struct assignment *assignment,
                                 const struct address *address, struct error *error);
/** Never waits: a look-up that is under way frees the rest when it ends. */
void resolver_destroy(struct resolver *resolver);

/** What there is to tell since the last call, once: `address` when it moved, `error` when it
 *  failed. Never waits for a look-up. */
enum resolver_news resolver_take(struct resolver *resolver, struct address *address,
                                 struct error *error);

#endif
