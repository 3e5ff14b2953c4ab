#include "proto/channel.h"

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/net.h"
#include "common/base/units.h"
#include "proto/channel_door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

#define ENDPOINT_BYTES  512u
#define GIVEN_ID_BYTES  5u    /* a zero and 32 bits: libzmq's name for a peer that has no own */
#define DROP_FRAMES_MAX 1024u /* in one call: very many frames must not hold the loop */
#define INTERRUPTS_MAX  100u  /* in a row; a call that never waits sees none or one */
#define CLOSE_LINGER_MS 100   /* the last word still leaves; a dead peer costs no more than this */
#define RECONNECT_MS    100u
#define JITTER_MS       100u /* agents of a coordinator that restarts do not come all at once */

struct channel {
    void *context;
    void *socket;
    struct channel_door *door;   /* of a coordinator with keys */
    struct channel_knock *knock; /* of an agent */
    bool is_coordinator;
    bool dropping;  /* the rest of a message of too many frames still waits */
    zmq_msg_t body; /* of the message received last: what that one points at */
    struct channel_counts counts;
    char endpoint[ENDPOINT_BYTES];
    uint8_t bytes[MESSAGE_BYTES_MAX]; /* where a message is encoded */
};

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool is_ipc(const char *endpoint)
{
    return begins_with(endpoint, "ipc://") && endpoint[strlen("ipc://")] != '\0';
}

/** Takes "tcp://HOST:PORT" apart, without the brackets of "[V6]"; a port of "*" is 0.
 *  `host[NAME_BYTES_MAX + 1]`. False: it is none. */
static bool split_tcp(const char *endpoint, char *host, uint64_t *port)
{
    if (!begins_with(endpoint, "tcp://"))
        return false;
    const char *begin = endpoint + strlen("tcp://");
    const char *colon = strrchr(begin, ':');
    if (colon == NULL)
        return false;
    size_t length = (size_t)(colon - begin);
    if (length >= 2 && begin[0] == '[' && colon[-1] == ']') {
        begin++;
        length -= 2;
    }
    if (length == 0 || length > NAME_BYTES_MAX)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    if (strcmp(colon + 1, "*") == 0) {
        *port = 0;
        return true;
    }
    return units_read_count(colon + 1, port) && *port <= UINT16_MAX; /* libzmq would cut it */
}

static bool is_ipv4(const char *host, struct address *address)
{
    *address = (struct address){.as.v4.sin_family = AF_INET, .bytes = sizeof address->as.v4};
    return inet_pton(AF_INET, host, &address->as.v4.sin_addr) == 1;
}

static bool is_ipv6(const char *host, struct address *address)
{
    *address = (struct address){.as.v6.sin6_family = AF_INET6, .bytes = sizeof address->as.v6};
    return inet_pton(AF_INET6, host, &address->as.v6.sin6_addr) == 1;
}

bool channel_endpoint_is_local(const char *endpoint)
{
    char host[NAME_BYTES_MAX + 1];
    uint64_t port;
    struct address address;
    if (is_ipc(endpoint))
        return true;
    if (!split_tcp(endpoint, host, &port))
        return false;
    if (strcmp(host, "localhost") == 0) /* RFC 6761 keeps the name for this machine */
        return true;
    return (is_ipv4(host, &address) || is_ipv6(host, &address)) && net_is_loopback(&address);
}

static bool not_an_endpoint(const char *endpoint, struct error *error)
{
    return error_set(error, ERROR_USAGE, PLACE_NONE,
                     "'%.256s' is not an endpoint; expected tcp://ADDRESS:PORT or ipc://PATH",
                     endpoint);
}

static bool check_endpoint(const char *endpoint, struct error *error)
{
    char host[NAME_BYTES_MAX + 1];
    uint64_t port;
    if (strlen(endpoint) >= ENDPOINT_BYTES ||
        (!is_ipc(endpoint) && !split_tcp(endpoint, host, &port)))
        return not_an_endpoint(endpoint, error);
    return true;
}

/** IPv6 and IPv4 by name or interface; an IPv4 address as itself, not as one that is mapped. */
static int ipv6_option(const char *endpoint)
{
    char host[NAME_BYTES_MAX + 1];
    uint64_t port;
    struct address address;
    return !(split_tcp(endpoint, host, &port) && is_ipv4(host, &address));
}

struct option {
    int name;
    int value;
};

/* Each of these replaces a default that was seen to do harm; docs/protocol.md, "Sockets", says
 * which. */
static const struct option common_options[] = {
    {ZMQ_SNDHWM, 64},          /* messages that may wait, for each peer */
    {ZMQ_RCVHWM, 256},         /* */
    {ZMQ_LINGER, 0},           /* ms; until channel_close() */
    {ZMQ_HANDSHAKE_IVL, 2000}, /* ms */
};
/* Dead connections end too, though life is the lease's. An agent asks its one connection; of a
 * thousand the kernel asks, because each timer that libzmq takes back is a search among all. */
static const struct option coordinator_options[] = {
    {ZMQ_ROUTER_MANDATORY, 1}, /* what cannot be sent is said, not dropped */
    {ZMQ_BACKLOG, 4096},       /* connections not yet accepted: a fleet that comes back at once */
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 2},  /* s */
    {ZMQ_TCP_KEEPALIVE_INTVL, 1}, /* s */
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
    {ZMQ_TCP_MAXRT, 3000}, /* ms; the same for a connection on which something is under way */
};
static const struct option agent_options[] = {
    {ZMQ_IMMEDIATE, 1},            /* nothing stale waits for a connection */
    {ZMQ_CONNECT_TIMEOUT, 400},    /* ms */
    {ZMQ_HEARTBEAT_IVL, 500},      /* ms */
    {ZMQ_HEARTBEAT_TIMEOUT, 1500}, /* ms */
    {ZMQ_RECONNECT_IVL_MAX, 500},  /* ms */
};

static bool set_options(void *socket, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof(int)) != 0)
            return false;
    }
    return true;
}

static bool set_coordinator_options(void *socket)
{
    int64_t largest = (int64_t)MESSAGE_BYTES_MAX;
    return set_options(socket, common_options, COUNT(common_options)) &&
           set_options(socket, coordinator_options, COUNT(coordinator_options)) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) == 0;
}

static bool set_agent_options(void *socket)
{
    int64_t largest = (int64_t)AGENT_MESSAGE_BYTES_MAX;
    uint32_t dice = 0;
    if (getrandom(&dice, sizeof dice, 0) != (ssize_t)sizeof dice)
        return false;
    int reconnect_ms = (int)(RECONNECT_MS + dice % JITTER_MS);
    return set_options(socket, common_options, COUNT(common_options)) &&
           set_options(socket, agent_options, COUNT(agent_options)) &&
           zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &reconnect_ms, sizeof reconnect_ms) == 0 &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) == 0;
}

/** A sentence for the `code` that zmq_bind() or zmq_connect() failed with. */
static bool endpoint_failed(const char *endpoint, int code, struct error *error)
{
    switch (code) {
    case EINVAL:
    case EPROTONOSUPPORT:
        return not_an_endpoint(endpoint, error);
    case EADDRINUSE:
        return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                         "%s: another program listens there already", endpoint);
    case ENODEV:
    case EADDRNOTAVAIL:
        return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                         "%s: this machine has no such address; give one in numbers, 127.0.0.1 "
                         "for this machine alone",
                         endpoint);
    case ENAMETOOLONG:
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s: the path is longer than a socket's may be", endpoint);
    default:
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: %s", endpoint, zmq_strerror(code));
    }
}

/** Older ones have known holes before authentication (CVE-2020-15166, CVE-2021-20236, -20237). */
static bool check_version(struct error *error)
{
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    if (ZMQ_MAKE_VERSION(major, minor, patch) >= ZMQ_MAKE_VERSION(4, 3, 3))
        return true;
    return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                     "libzmq %d.%d.%d is installed here; 4.3.3 or newer is safe to use", major,
                     minor, patch);
}

/** A channel with its socket and options, neither bound nor connected. NULL fills `error`. */
static struct channel *channel_create(const char *endpoint, bool is_coordinator,
                                      struct error *error)
{
    if (!check_endpoint(endpoint, error) || !check_version(error))
        return NULL;
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a channel");
        return NULL;
    }
    channel->is_coordinator = is_coordinator;
    zmq_msg_init(&channel->body);
    channel->context = zmq_ctx_new();
    if (channel->context != NULL)
        channel->socket = zmq_socket(channel->context, is_coordinator ? ZMQ_ROUTER : ZMQ_DEALER);
    struct option ipv6 = {ZMQ_IPV6, ipv6_option(endpoint)};
    if (channel->socket == NULL || !set_options(channel->socket, &ipv6, 1) ||
        !(is_coordinator ? set_coordinator_options : set_agent_options)(channel->socket)) {
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "ZeroMQ: %s", zmq_strerror(zmq_errno()));
        channel_close(channel);
        return NULL;
    }
    return channel;
}

/** Binds what channel_create() made, or closes it. */
static struct channel *bind_there(struct channel *channel, const char *endpoint,
                                  struct error *error)
{
    size_t endpoint_bytes = sizeof channel->endpoint;
    if (zmq_bind(channel->socket, endpoint) == 0 &&
        zmq_getsockopt(channel->socket, ZMQ_LAST_ENDPOINT, channel->endpoint, &endpoint_bytes) == 0)
        return channel;
    endpoint_failed(endpoint, zmq_errno(), error);
    channel_close(channel);
    return NULL;
}

struct channel *channel_bind(const char *endpoint, struct error *error)
{
    struct channel *channel = channel_create(endpoint, true, error);
    return channel != NULL ? bind_there(channel, endpoint, error) : NULL;
}

struct channel *channel_bind_locked(const char *endpoint, const struct key_pair *own,
                                    const struct keyring *keyring, struct error *error)
{
    struct channel *channel = channel_create(endpoint, true, error);
    if (channel == NULL)
        return NULL;
    channel->door = channel_door_create(channel->context, channel->socket, own, keyring, error);
    if (channel->door == NULL) {
        channel_close(channel);
        return NULL;
    }
    return bind_there(channel, endpoint, error);
}

static struct channel *connect_there(struct channel *channel, const char *endpoint,
                                     struct error *error)
{
    channel->knock = channel_knock_create(channel->context, channel->socket, error);
    if (channel->knock == NULL) {
        channel_close(channel);
        return NULL;
    }
    memcpy(channel->endpoint, endpoint, strlen(endpoint) + 1); /* its length was checked */
    if (zmq_connect(channel->socket, endpoint) == 0)
        return channel;
    endpoint_failed(endpoint, zmq_errno(), error);
    channel_close(channel);
    return NULL;
}

struct channel *channel_connect(const char *endpoint, struct error *error)
{
    struct channel *channel = channel_create(endpoint, false, error);
    return channel != NULL ? connect_there(channel, endpoint, error) : NULL;
}

struct channel *channel_connect_locked(const char *endpoint, const struct key_pair *own,
                                       const char *server_key, struct error *error)
{
    struct channel *channel = channel_create(endpoint, false, error);
    if (channel == NULL)
        return NULL;
    if (!channel_knock_lock(channel->socket, own, server_key, error)) {
        channel_close(channel);
        return NULL;
    }
    return connect_there(channel, endpoint, error);
}

void channel_close(struct channel *channel)
{
    if (channel == NULL)
        return;
    zmq_msg_close(&channel->body);
    channel_knock_close(channel->knock, channel->socket);
    if (channel->socket != NULL) {
        int linger_ms = CLOSE_LINGER_MS;
        zmq_setsockopt(channel->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(channel->socket);
    }
    channel_door_close(channel->door);
    if (channel->context != NULL) {
        for (uint32_t i = 0; i < INTERRUPTS_MAX; i++) {
            if (zmq_ctx_term(channel->context) == 0 || zmq_errno() != EINTR)
                break;
        }
    }
    free(channel);
}

bool channel_new_keys(struct key_pair *pair, struct error *error)
{
    if (zmq_curve_keypair(pair->public_key, pair->secret_key) == 0)
        return true;
    return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                     "libzmq has no CURVE here (%s); install one that was built with libsodium",
                     zmq_strerror(zmq_errno()));
}

void channel_set_keyring(struct channel *channel, const struct keyring *keyring)
{
    CHECK(channel->door != NULL);
    channel_door_set_keyring(channel->door, keyring);
}

struct channel_strangers channel_strangers(const struct channel *channel)
{
    return channel->door != NULL ? channel_door_strangers(channel->door)
                                 : (struct channel_strangers){0};
}

enum channel_handshake channel_handshake(struct channel *channel)
{
    return channel->knock != NULL ? channel_knock_news(channel->knock) : CHANNEL_NO_NEWS;
}

const char *channel_endpoint(const struct channel *channel)
{
    return channel->endpoint;
}

int channel_descriptor(const struct channel *channel)
{
    int descriptor = -1;
    size_t descriptor_bytes = sizeof descriptor;
    if (channel->door != NULL)
        return channel_door_descriptor(channel->door);
    int failed = zmq_getsockopt(channel->socket, ZMQ_FD, &descriptor, &descriptor_bytes);
    CHECK(failed == 0);
    return descriptor;
}

/** The next frame into `channel->body`. False: none waits. */
static bool receive_frame(struct channel *channel)
{
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++) {
        if (zmq_msg_recv(&channel->body, channel->socket, ZMQ_DONTWAIT) >= 0)
            return true;
        if (zmq_errno() != EINTR)
            return false;
    }
    return false;
}

/** Drops what follows of the present message, within a bound; `dropping` tells whether more is
 * left. */
static void drop_rest(struct channel *channel)
{
    channel->dropping = true;
    for (uint32_t i = 0; i < DROP_FRAMES_MAX; i++) {
        if (!receive_frame(channel))
            return;
        if (!zmq_msg_more(&channel->body)) {
            channel->dropping = false;
            return;
        }
    }
}

static enum channel_outcome bad(struct channel *channel, const char *sentence, struct error *error)
{
    channel->counts.bad++;
    error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%s", sentence);
    return CHANNEL_BAD;
}

/** Reads the sender from the frame just received. False: an id that libzmq did not give. A peer
 * that chooses its own could take the place of another, or mute it. */
static bool read_sender(struct channel *channel, struct peer_id *from)
{
    const uint8_t *id = zmq_msg_data(&channel->body);
    if (zmq_msg_size(&channel->body) != GIVEN_ID_BYTES || id[0] != 0)
        return false;
    from->length = GIVEN_ID_BYTES;
    memcpy(from->bytes, id, GIVEN_ID_BYTES);
    return true;
}

/** Where the message just received came from. Over ipc libzmq says "localhost:UID:GID:PID". */
static void read_host(struct channel *channel, struct peer_id *from)
{
    static const char here[] = "localhost";
    const char *host = zmq_msg_gets(&channel->body, "Peer-Address");
    if (host == NULL)
        return;
    bool is_here = strncmp(host, here, sizeof here - 1) == 0;
    snprintf(from->host, sizeof from->host, "%s", is_here ? here : host);
}

/** Whether the sender may say what it says; who may not any more is told apart from who may. With
 * keys an agent has the name of its key, whatever it calls itself. */
static enum channel_outcome judge_sender(struct channel *channel, struct peer_id *from,
                                         struct message *message, struct error *error)
{
    /* Attributes are the connection's, which ZeroMQ made when our ZAP handler let it in. */
    const char *user_id = zmq_msg_gets(&channel->body, "User-Id");
    const struct keyring_entry *entry = channel_door_entry(channel->door, user_id);
    if (user_id != NULL)
        snprintf(from->key, sizeof from->key, "%s", user_id);
    if (entry == NULL) {
        error_set(error, ERROR_PROTOCOL, PLACE_NONE, "the key of %s may not be here any more",
                  from->host);
        return CHANNEL_BARRED;
    }
    if (message->type == MESSAGE_HELLO)
        snprintf(message->as.hello.name, sizeof message->as.hello.name, "%s", entry->name);
    return CHANNEL_MESSAGE;
}

enum channel_outcome channel_receive(struct channel *channel, struct peer_id *from,
                                     struct message *message, struct error *error)
{
    *from = (struct peer_id){0};
    if (channel->door != NULL)
        channel_door_serve(channel->door);
    if (channel->dropping) {
        drop_rest(channel);
        if (channel->dropping)
            return bad(channel, "a message of very many frames is still being dropped", error);
    }
    if (!receive_frame(channel))
        return CHANNEL_EMPTY;
    if (channel->is_coordinator) {
        bool sender_is_given = read_sender(channel, from);
        if (!zmq_msg_more(&channel->body) || !receive_frame(channel))
            return bad(channel, "a message without a body", error);
        if (!sender_is_given) {
            if (zmq_msg_more(&channel->body))
                drop_rest(channel);
            return bad(channel, "the peer chose a routing id of its own", error);
        }
    }
    if (zmq_msg_more(&channel->body)) {
        drop_rest(channel);
        return bad(channel, "a message of more than one frame", error);
    }
    if (!message_decode(zmq_msg_data(&channel->body), zmq_msg_size(&channel->body), message,
                        error)) {
        channel->counts.bad++;
        return CHANNEL_BAD;
    }
    read_host(channel, from);
    channel->counts.received++;
    return channel->door != NULL ? judge_sender(channel, from, message, error) : CHANNEL_MESSAGE;
}

static bool send_frame(struct channel *channel, const void *bytes, size_t count, int flags)
{
    for (uint32_t i = 0; i < INTERRUPTS_MAX; i++) {
        if (zmq_send(channel->socket, bytes, count, flags | ZMQ_DONTWAIT) >= 0)
            return true;
        if (zmq_errno() != EINTR)
            return false;
    }
    return false;
}

bool channel_send(struct channel *channel, const struct peer_id *to, const struct message *message)
{
    /* What the other side would cut the connection for is not sent: splitting is the caller's part.
     */
    size_t capacity = channel->is_coordinator ? AGENT_MESSAGE_BYTES_MAX : MESSAGE_BYTES_MAX;
    size_t count = message_encode(message, channel->bytes, capacity);
    CHECK(count > 0);
    if (channel->is_coordinator && !send_frame(channel, to->bytes, to->length, ZMQ_SNDMORE)) {
        channel->counts.unsent++;
        return false;
    }
    bool sent = send_frame(channel, channel->bytes, count, 0);
    CHECK(sent || !channel->is_coordinator); /* a ROUTER that took the id takes the body */
    if (sent)
        channel->counts.sent++;
    else
        channel->counts.unsent++;
    return sent;
}

struct channel_counts channel_counts(const struct channel *channel)
{
    return channel->counts;
}
