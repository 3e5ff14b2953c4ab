#include "tests/support/habits.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512u
#define SLOW_NS         (5 * NS_PER_MS)
#define ANSWER          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct guest {
    int descriptor;
    uint32_t matched;    /* bytes of the end of a head */
    uint32_t unanswered; /* requests */
    uint64_t ready_ns;   /* HABIT_SLOW: of the oldest */
};

struct habits {
    enum habit habit;
    int listener, wakeup;
    pthread_t thread;
    uint32_t guest_count;
    struct guest guests[CONNECTIONS_MAX];
    atomic_uint_fast64_t connections, requests, open, open_most;
    atomic_bool released, dropping, ending;
};

static void say(const struct guest *guest, const void *bytes, size_t count)
{
    /* Short enough for any socket buffer; a peer that is gone is the test's concern. */
    if (send(guest->descriptor, bytes, count, MSG_NOSIGNAL) < 0)
        return;
}

static void part(struct habits *server, uint32_t index)
{
    close(server->guests[index].descriptor);
    server->guests[index] = server->guests[--server->guest_count];
    atomic_store(&server->open, server->guest_count);
}

static void reset(struct habits *server, uint32_t index)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(server->guests[index].descriptor, SOL_SOCKET, SO_LINGER, &linger,
                     sizeof linger) == 0);
    part(server, index);
}

/* One request; false when the connection is gone. */
static bool react(struct habits *server, uint32_t index)
{
    struct guest *guest = &server->guests[index];
    switch (server->habit) {
    case HABIT_HOLD:
    case HABIT_SLOW:
        if (guest->unanswered++ == 0)
            guest->ready_ns = clock_now_ns() + SLOW_NS;
        return true;
    case HABIT_ANSWER_CLOSE:
        say(guest, ANSWER, strlen(ANSWER));
        part(server, index);
        return false;
    case HABIT_CLOSE:
        part(server, index);
        return false;
    case HABIT_RESET:
        reset(server, index);
        return false;
    case HABIT_HALF:
        say(guest, ANSWER, strlen(ANSWER) - 1);
        part(server, index);
        return false;
    case HABIT_SILENCE:
        return true;
    case HABIT_TOO_MUCH:
        say(guest, ANSWER "bye", strlen(ANSWER "bye"));
        return true;
    case HABIT_GARBAGE:
        say(guest, "Hello?\r\n\r\n", 10);
        return true;
    case HABIT_UNAVAILABLE:
        say(guest, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 38);
        return true;
    default:
        say(guest, ANSWER, strlen(ANSWER));
        return true;
    }
}

static void hear(struct habits *server, uint32_t index)
{
    static const char end[] = "\r\n\r\n";
    struct guest *guest = &server->guests[index];
    char bytes[4096];
    ssize_t count = recv(guest->descriptor, bytes, sizeof bytes, 0);
    if (count <= 0) {
        if (count == 0 || (errno != EAGAIN && errno != EINTR))
            part(server, index);
        return;
    }
    if (server->habit == HABIT_ECHO) {
        atomic_fetch_add(&server->requests, 1);
        say(guest, bytes, (size_t)count);
        return;
    }
    for (ssize_t i = 0; i < count; i++) {
        guest->matched = bytes[i] == end[guest->matched] ? guest->matched + 1 : bytes[i] == '\r';
        if (guest->matched < 4)
            continue;
        guest->matched = 0;
        atomic_fetch_add(&server->requests, 1);
        if (!react(server, index))
            return;
    }
}

static void welcome(struct habits *server)
{
    int descriptor;
    while (server->guest_count < CONNECTIONS_MAX &&
           (descriptor = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
               0) {
        atomic_fetch_add(&server->connections, 1);
        struct guest *guest = &server->guests[server->guest_count++];
        *guest = (struct guest){.descriptor = descriptor};
        atomic_store(&server->open, server->guest_count);
        if (server->guest_count > atomic_load(&server->open_most))
            atomic_store(&server->open_most, server->guest_count);
        if (server->habit == HABIT_GREET)
            say(guest, "220 ready\r\n", 11);
        if (server->habit == HABIT_SHUT_DOOR)
            part(server, server->guest_count - 1);
    }
}

static void answer_waiting(struct habits *server)
{
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < server->guest_count; i++) {
        struct guest *guest = &server->guests[i];
        bool ready = server->habit == HABIT_SLOW ? now_ns >= guest->ready_ns
                                                 : atomic_load(&server->released);
        for (; ready && guest->unanswered > 0; guest->unanswered--)
            say(guest, ANSWER, strlen(ANSWER));
    }
}

static void *serve(void *context)
{
    struct habits *server = context;
    while (!atomic_load(&server->ending)) {
        struct pollfd polled[CONNECTIONS_MAX + 2];
        uint32_t count = server->guest_count;
        for (uint32_t i = 0; i < count; i++)
            polled[i] = (struct pollfd){.fd = server->guests[i].descriptor, .events = POLLIN};
        polled[count] = (struct pollfd){.fd = server->wakeup, .events = POLLIN};
        polled[count + 1] = (struct pollfd){.fd = server->listener, .events = POLLIN};
        poll(polled, count + 2, server->habit == HABIT_SLOW ? 1 : -1);
        loop_wakeup_clear(server->wakeup);
        for (uint32_t i = count; i-- > 0;) { /* downwards: part() moves the last one here */
            if (polled[i].revents != 0)
                hear(server, i);
        }
        welcome(server);
        answer_waiting(server);
        if (atomic_exchange(&server->dropping, false)) {
            while (server->guest_count > 0)
                part(server, server->guest_count - 1);
        }
    }
    return NULL;
}

static struct address loopback(uint16_t port)
{
    struct address address = {.bytes = sizeof address.as.v4};
    address.as.v4.sin_family = AF_INET;
    address.as.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.as.v4.sin_port = htons(port);
    return address;
}

struct habits *habits_start(enum habit habit)
{
    struct error error = {0};
    struct habits *server = calloc(1, sizeof *server);
    CHECK(server != NULL);
    server->habit = habit;
    struct address any = loopback(0);
    server->listener = net_listen(&any, false, (int)CONNECTIONS_MAX, &error);
    CHECK(server->listener >= 0);
    server->wakeup = loop_wakeup_create(&error);
    CHECK(server->wakeup >= 0);
    CHECK(pthread_create(&server->thread, NULL, serve, server) == 0);
    return server;
}

void habits_stop(struct habits *server)
{
    atomic_store(&server->ending, true);
    loop_wakeup_send(server->wakeup);
    CHECK(pthread_join(server->thread, NULL) == 0);
    while (server->guest_count > 0)
        part(server, server->guest_count - 1);
    close(server->listener);
    close(server->wakeup);
    free(server);
}

struct address habits_address(const struct habits *server)
{
    return loopback(net_port(server->listener));
}

uint64_t habits_connections(const struct habits *server)
{
    return atomic_load(&server->connections);
}

uint64_t habits_requests(const struct habits *server)
{
    return atomic_load(&server->requests);
}

uint64_t habits_open(const struct habits *server)
{
    return atomic_load(&server->open);
}

uint64_t habits_open_most(const struct habits *server)
{
    return atomic_load(&server->open_most);
}

void habits_release(struct habits *server)
{
    atomic_store(&server->released, true);
    loop_wakeup_send(server->wakeup);
}

void habits_drop(struct habits *server)
{
    atomic_store(&server->dropping, true);
    loop_wakeup_send(server->wakeup);
}

struct address habits_nobody(int *descriptor)
{
    struct address any = loopback(0);
    *descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(*descriptor >= 0);
    CHECK(bind(*descriptor, &any.as.any, any.bytes) == 0);
    return loopback(net_port(*descriptor));
}
