/** A ROUTER or DEALER that speaks struct message: high-water marks, linger, size limit; the only
 *  door to zmq.h. One channel belongs to one thread for life. CURVE and ZAP join here. */
#ifndef CLOBBER_PROTO_CHANNEL_H
#define CLOBBER_PROTO_CHANNEL_H

#include "common/base/error.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

struct channel;

/** Who sent it: ZeroMQ's routing id, never ours to choose. Plain data, compared byte by byte. */
struct peer_id {
    uint8_t length; /* 0 on the agent's side */
    uint8_t bytes[15];
    char host[48]; /* its address; "localhost" over ipc */
};

enum channel_outcome {
    CHANNEL_MESSAGE, /* `message` is filled; it borrows the channel's until the next receive */
    CHANNEL_EMPTY,   /* nothing waits */
    CHANNEL_BAD,     /* a frame was dropped: `error` says why, `from` who */
};

/** Counts since the channel was made. */
struct channel_counts {
    uint64_t sent, received, bad;
    uint64_t unsent; /* EAGAIN, EHOSTUNREACH; the level goes again next tick */
};

/** The coordinator's side: binds `endpoint` (tcp://ADDRESS:PORT, port 0: the kernel's choice;
 *  ipc://PATH). NULL: ERROR_USAGE or ERROR_SYSTEM. The caller owns it: channel_close(). */
struct channel *channel_bind(const char *endpoint, struct error *error);
/** The agent's side. Returns at once; the connection comes when it can. */
struct channel *channel_connect(const char *endpoint, struct error *error);
void channel_close(struct channel *channel);

/** The endpoint as bound, with the real port. Borrowed. */
const char *channel_endpoint(const struct channel *channel);
/** Whether only this machine can reach `endpoint`: ipc, or tcp on a loopback address. */
bool channel_endpoint_is_local(const char *endpoint);

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
