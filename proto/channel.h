/** A ROUTER or DEALER that speaks struct message: high-water marks, linger, size limit; the only
 *  way to ZeroMQ. One channel belongs to one thread for life. With keys it is encrypted (CURVE),
 * and only those come in whom the coordinator lists. */
#ifndef CLOBBER_PROTO_CHANNEL_H
#define CLOBBER_PROTO_CHANNEL_H

#include "common/base/error.h"
#include "proto/keyring.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

struct channel;

/** Who sent it: ZeroMQ's routing id, never ours to choose. Plain data, compared byte by byte. */
struct peer_id {
    uint8_t length; /* 0 on the agent's side */
    uint8_t bytes[15];
    char host[48];            /* its address; "localhost" over ipc */
    char key[KEY_TEXT_BYTES]; /* that it proved to have; "" without keys */
};

enum channel_outcome {
    CHANNEL_MESSAGE, /* `message` is filled; it borrows the channel's until the next receive */
    CHANNEL_EMPTY,   /* nothing waits */
    CHANNEL_BAD,     /* a frame was dropped: `error` says why, `from` who */
    CHANNEL_BARRED,  /* `message` is of one whose key may not be here any more */
};

/** What became of an agent's connection. */
enum channel_handshake {
    CHANNEL_NO_NEWS,
    CHANNEL_LET_IN,
    CHANNEL_KEY_REFUSED, /* the coordinator does not list ours; ZeroMQ does not try again */
    CHANNEL_HUNG_UP,     /* it understood nothing: other keys, or keys on one side alone */
};

/** Who came with a key that is not listed. */
struct channel_strangers {
    uint64_t count;
    char key[KEY_TEXT_BYTES]; /* of the last one */
    char host[48];
};

/** Counts since the channel was made. */
struct channel_counts {
    uint64_t sent, received, bad;
    uint64_t unsent; /* EAGAIN, EHOSTUNREACH; the level goes again next tick */
};

/** The coordinator's side: binds `endpoint` (tcp://ADDRESS:PORT, port 0: the kernel's choice;
 *  ipc://PATH). NULL: ERROR_USAGE or ERROR_SYSTEM. The caller owns it: channel_close(). */
struct channel *channel_bind(const char *endpoint, struct error *error);
/** The same, for those alone whose key `keyring` lists (borrowed until it is replaced); an agent is
 *  called as its key is, whatever its HELLO says. The ZAP handler is the channel's own and answers
 *  within channel_receive(). */
struct channel *channel_bind_locked(const char *endpoint, const struct key_pair *own,
                                    const struct keyring *keyring, struct error *error);
/** The agent's side. Returns at once; the connection comes when it can. */
struct channel *channel_connect(const char *endpoint, struct error *error);
/** The same, to the one who has the secret half of `server_key` and to nobody else. */
struct channel *channel_connect_locked(const char *endpoint, const struct key_pair *own,
                                       const char *server_key, struct error *error);
void channel_close(struct channel *channel);

/** The endpoint as bound, with the real port. Borrowed. */
const char *channel_endpoint(const struct channel *channel);
/** Whether only this machine can reach `endpoint`: ipc, or tcp on a loopback address. */
bool channel_endpoint_is_local(const char *endpoint);

/** A new pair of keys. False: ERROR_SYSTEM. */
bool channel_new_keys(struct key_pair *pair, struct error *error);
/** From now on `keyring` says who may join, and who may stay. Of a locked coordinator's channel. */
void channel_set_keyring(struct channel *channel, const struct keyring *keyring);
/** All zero without keys. */
struct channel_strangers channel_strangers(const struct channel *channel);
/** What is new of an agent's connection, once. */
enum channel_handshake channel_handshake(struct channel *channel);

/** Readable (edge-like: drain with channel_receive() until CHANNEL_EMPTY after every wake-up and
 *  after every send). The channel's, not to be closed. */
int channel_descriptor(const struct channel *channel);

/** The next message. More than one body frame, or one too large, is dropped: CHANNEL_BAD. */
enum channel_outcome channel_receive(struct channel *channel, struct peer_id *from,
                                     struct message *message, struct error *error);
/** Never waits. False: could not be sent now (counted). `to` is ignored on the agent's side. */
bool channel_send(struct channel *channel, const struct peer_id *to, const struct message *message);

struct channel_counts channel_counts(const struct channel *channel);

#endif
