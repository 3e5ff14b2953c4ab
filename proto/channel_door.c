#include "proto/channel_door.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/units.h"
#include "proto/zap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#define ANSWERS_MAX   64u                      /* at a time, of some microseconds each */
#define ZAP_ENDPOINT  "inproc://zeromq.zap.01" /* RFC 27 */
#define NEWS_ENDPOINT "inproc://handshakes"
#define NEWS_MAX      64u
#define EVENT_BYTES_MIN                                                                            \
    2u /* zmq_socket_monitor: the first frame begins with the event's number                       \
        */

struct channel_door {
    void *router; /* borrowed */
    void *asked;  /* REP: ZeroMQ asks, we answer */
    int epoll;
    const struct keyring *keyring;
    struct channel_strangers strangers;
};

struct channel_knock {
    void *news; /* PAIR */
};

static bool set_text(void *socket, int option, const char *text)
{
    return zmq_setsockopt(socket, option, text, strlen(text)) == 0;
}

/* Texts of keys are set with the zero at their end. */
static bool set_key(void *socket, int option, const char *key)
{
    return zmq_setsockopt(socket, option, key, KEY_TEXT_BYTES) == 0;
}

static bool set_switch(void *socket, int option)
{
    const int on = 1;
    return zmq_setsockopt(socket, option, &on, sizeof on) == 0;
}

static bool system_error(const char *what, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "ZeroMQ: %s: %s", what,
                     zmq_strerror(zmq_errno()));
}

/* Without a handler ZeroMQ lets every key in; a domain that is enforced makes it refuse them all.
 */
static bool lock_router(void *router, const struct key_pair *own)
{
    return set_switch(router, ZMQ_CURVE_SERVER) &&
           set_key(router, ZMQ_CURVE_SECRETKEY, own->secret_key) &&
           set_text(router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN);
}

static int descriptor_of(void *socket)
{
    int descriptor = -1;
    size_t descriptor_bytes = sizeof descriptor;
    int failed = zmq_getsockopt(socket, ZMQ_FD, &descriptor, &descriptor_bytes);
    CHECK(failed == 0);
    return descriptor;
}

static bool watch(int epoll, void *socket)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor_of(socket), &event) == 0;
}

struct channel_door *channel_door_create(void *context, void *router, const struct key_pair *own,
                                         const struct keyring *keyring, struct error *error)
{
    struct channel_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a channel");
        return NULL;
    }
    door->router = router;
    door->keyring = keyring;
    door->asked = zmq_socket(context, ZMQ_REP);
    door->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (door->asked == NULL || door->epoll < 0 || zmq_bind(door->asked, ZAP_ENDPOINT) != 0 ||
        !lock_router(router, own) || !watch(door->epoll, router) ||
        !watch(door->epoll, door->asked)) {
        system_error("no lock with keys", error);
        channel_door_close(door);
        return NULL;
    }
    return door;
}

void channel_door_close(struct channel_door *door)
{
    if (door == NULL)
        return;
    if (door->asked != NULL)
        zmq_close(door->asked);
    if (door->epoll >= 0)
        close(door->epoll);
    free(door);
}

int channel_door_descriptor(const struct channel_door *door)
{
    return door->epoll;
}

void channel_door_set_keyring(struct channel_door *door, const struct keyring *keyring)
{
    door->keyring = keyring;
}

struct channel_strangers channel_door_strangers(const struct channel_door *door)
{
    return door->strangers;
}

/* What keys may do ends by the calendar of people. */
static uint64_t now_s(void)
{
    return clock_wall_ns() / NS_PER_S;
}

static bool put_frame(void *socket, const void *bytes, size_t count, bool more)
{
    return zmq_send(socket, bytes, count, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0;
}

/* RFC 27: version, request id, status, reason, user id, metadata. */
static bool answer(void *socket, const struct zap_frame *id, const struct zap_verdict *verdict)
{
    const char *user = verdict->accepted ? verdict->key : "";
    return put_frame(socket, "1.0", 3, true) && put_frame(socket, id->bytes, id->count, true) &&
           put_frame(socket, verdict->status, strlen(verdict->status), true) &&
           put_frame(socket, verdict->reason, strlen(verdict->reason), true) &&
           put_frame(socket, user, strlen(user), true) && put_frame(socket, "", 0, false);
}

static void note_stranger(struct channel_strangers *strangers, const struct zap_verdict *verdict)
{
    strangers->count++;
    memcpy(strangers->key, verdict->key, sizeof strangers->key);
    snprintf(strangers->host, sizeof strangers->host, "%s", verdict->address);
}

/* Takes one request, all its frames. False: none waits. */
static bool take_request(struct channel_door *door, zmq_msg_t *messages, size_t *count)
{
    *count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t rest;
        zmq_msg_t *message = *count < ZAP_FRAMES ? &messages[*count] : &rest;
        zmq_msg_init(message);
        if (zmq_msg_recv(message, door->asked, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(message);
            return false; /* ZeroMQ gives a message whole or not at all */
        }
        more = zmq_msg_more(message);
        if (message == &rest)
            zmq_msg_close(&rest);
        (*count)++;
    }
    return true;
}

static bool serve_one(struct channel_door *door)
{
    zmq_msg_t messages[ZAP_FRAMES];
    struct zap_frame frames[ZAP_FRAMES] = {0};
    size_t count;
    if (!take_request(door, messages, &count))
        return false;
    size_t held = count < ZAP_FRAMES ? count : ZAP_FRAMES;
    for (size_t i = 0; i < held; i++)
        frames[i] = (struct zap_frame){zmq_msg_data(&messages[i]), zmq_msg_size(&messages[i])};
    struct zap_verdict verdict = zap_judge(frames, count, door->keyring, now_s());
    if (!verdict.accepted)
        note_stranger(&door->strangers, &verdict);
    bool answered = answer(door->asked, &frames[1], &verdict);
    for (size_t i = 0; i < held; i++)
        zmq_msg_close(&messages[i]);
    return answered;
}

void channel_door_serve(struct channel_door *door)
{
    for (uint32_t i = 0; i < ANSWERS_MAX; i++)
        if (!serve_one(door))
            return;
}

const struct keyring_entry *channel_door_entry(const struct channel_door *door, const char *user_id)
{
    char key[KEY_TEXT_BYTES];
    if (user_id == NULL || !key_read(user_id, strlen(user_id), key))
        return NULL;
    return keyring_find(door->keyring, key, now_s());
}

bool channel_knock_lock(void *dealer, const struct key_pair *own, const char *server_key,
                        struct error *error)
{
    return (set_key(dealer, ZMQ_CURVE_SERVERKEY, server_key) &&
            set_key(dealer, ZMQ_CURVE_PUBLICKEY, own->public_key) &&
            set_key(dealer, ZMQ_CURVE_SECRETKEY, own->secret_key)) ||
           system_error("no lock with keys", error);
}

struct channel_knock *channel_knock_create(void *context, void *dealer, struct error *error)
{
    const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    struct channel_knock *knock = calloc(1, sizeof *knock);
    if (knock == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a channel");
        return NULL;
    }
    knock->news = zmq_socket(context, ZMQ_PAIR);
    if (knock->news == NULL || zmq_socket_monitor(dealer, NEWS_ENDPOINT, events) != 0 ||
        zmq_connect(knock->news, NEWS_ENDPOINT) != 0) {
        system_error("no news of connections", error);
        channel_knock_close(knock, dealer);
        return NULL;
    }
    return knock;
}

void channel_knock_close(struct channel_knock *knock, void *dealer)
{
    if (knock == NULL)
        return;
    zmq_socket_monitor(dealer, NULL, 0);
    if (knock->news != NULL)
        zmq_close(knock->news);
    free(knock);
}

static enum channel_handshake read_event(const uint8_t *bytes, size_t count)
{
    uint16_t event = 0;
    if (count < EVENT_BYTES_MIN)
        return CHANNEL_NO_NEWS;
    memcpy(&event, bytes, sizeof event); /* in the order of this machine */
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        return CHANNEL_LET_IN;
    return event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ? CHANNEL_KEY_REFUSED : CHANNEL_HUNG_UP;
}

enum channel_handshake channel_knock_news(struct channel_knock *knock)
{
    enum channel_handshake newest = CHANNEL_NO_NEWS;
    for (uint32_t i = 0; i < NEWS_MAX; i++) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        bool there = zmq_msg_recv(&message, knock->news, ZMQ_DONTWAIT) >= 0;
        bool is_event = there && zmq_msg_more(&message); /* the endpoint follows */
        if (is_event)
            newest = read_event(zmq_msg_data(&message), zmq_msg_size(&message));
        zmq_msg_close(&message);
        if (!there)
            break;
    }
    return newest;
}
