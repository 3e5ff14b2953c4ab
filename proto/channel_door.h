/** What CURVE adds to a channel: at a coordinator, who may come in; at an agent, what became of its
 *  knock. Only channel.c includes this; sockets and contexts are ZeroMQ's, and borrowed. */
#ifndef CLOBBER_PROTO_CHANNEL_DOOR_H
#define CLOBBER_PROTO_CHANNEL_DOOR_H

#include "proto/channel.h"
#include "proto/keyring.h"

#include <stdbool.h>

struct channel_door;
struct channel_knock;

/** Locks `router`, which is not bound yet: only keys of `keyring` come in. Answers ZeroMQ's
 * questions (ZAP) within `context`. NULL: ERROR_SYSTEM, ERROR_MEMORY. The caller owns it, and
 * closes it after the router: without its answers every key would come in. */
struct channel_door *channel_door_create(void *context, void *router, const struct key_pair *own,
                                         const struct keyring *keyring, struct error *error);
void channel_door_close(struct channel_door *door);

/** Readable when the router has a message, or somebody is at the door. */
int channel_door_descriptor(const struct channel_door *door);

void channel_door_set_keyring(struct channel_door *door, const struct keyring *keyring);

/** Answers who waits at the door, at most 64 of them: a flood must not hold up a tick. */
void channel_door_serve(struct channel_door *door);

/** Who was refused since the door was made. */
struct channel_strangers channel_door_strangers(const struct channel_door *door);

/** Whose message it is that came with this User-Id; NULL: a key that may not be here any more. */
const struct keyring_entry *channel_door_entry(const struct channel_door *door,
                                               const char *user_id);

/** Listens to what becomes of the connections of `dealer`, which has none yet. NULL: ERROR_SYSTEM,
 *  ERROR_MEMORY. The caller owns it. */
struct channel_knock *channel_knock_create(void *context, void *dealer, struct error *error);
/** Locks `dealer`: it talks to the owner of `server_key` alone. False: ERROR_SYSTEM. */
bool channel_knock_lock(void *dealer, const struct key_pair *own, const char *server_key,
                        struct error *error);
/** Before the dealer is closed. */
void channel_knock_close(struct channel_knock *knock, void *dealer);

/** The newest news, once. */
enum channel_handshake channel_knock_news(struct channel_knock *knock);

#endif
