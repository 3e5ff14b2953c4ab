/* Level-triggered epoll: EPOLLIN once for each connection, EPOLLOUT only while a connect or the
 * rest of a write is pending. So a request costs one recv and one send, its share of an epoll_wait,
 * and no epoll_ctl. No read until EAGAIN: what is left makes the descriptor ready again. */
#include "agent/engine.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct engine {
    const struct engine_listener *listener;
    void *context;
    int epoll;
    int wakeup;  /* an eventfd */
    bool coarse; /* the kernel knows no epoll_pwait2() */
    int told;    /* of events[count], those before it are done with */
    int count;
    struct epoll_event events[ENGINE_EVENTS_MAX];
    uint8_t bytes[ENGINE_READ_BYTES];
};

static void epoll_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->wakeup >= 0)
        close(engine->wakeup);
    if (engine->epoll >= 0)
        close(engine->epoll);
    free(engine);
}

static struct engine *epoll_make(const struct engine_driver *self,
                                 const struct engine_listener *listener, void *context,
                                 struct error *error)
{
    (void)self;
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for an epoll engine");
        return NULL;
    }
    engine->listener = listener;
    engine->context = context;
    engine->wakeup = -1;
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (engine->epoll < 0) {
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "epoll_create1: %s", strerror(errno));
        epoll_destroy(engine);
        return NULL;
    }
    engine->wakeup = loop_wakeup_create(error);
    if (engine->wakeup < 0) {
        epoll_destroy(engine);
        return NULL;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = engine};
    if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, engine->wakeup, &event) != 0) {
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "epoll_ctl: %s", strerror(errno));
        epoll_destroy(engine);
        return NULL;
    }
    return engine;
}

/* What the connection waits for now. */
static uint32_t wanted(const struct connection *connection)
{
    return connection->connecting || connection->rest_count > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
}

static void watch(struct engine *engine, struct connection *connection)
{
    uint32_t events = wanted(connection);
    if (events == connection->watched)
        return;
    struct epoll_event event = {.events = events, .data.ptr = connection};
    CHECK(epoll_ctl(engine->epoll, EPOLL_CTL_MOD, connection->descriptor, &event) == 0);
    connection->watched = events;
}

static void epoll_close(struct engine *engine, struct connection *connection)
{
    CHECK(connection->open);
    close(connection->descriptor); /* which takes it out of the epoll set, too */
    *connection = (struct connection){0};
    /* An event that was fetched before must not meet the next connection of the same owner. */
    for (int i = engine->told; i < engine->count; i++) {
        if (engine->events[i].data.ptr == connection)
            engine->events[i].data.ptr = NULL;
    }
}

static bool epoll_connect(struct engine *engine, struct connection *connection,
                          const struct route *route, int *error)
{
    CHECK(!connection->open);
    bool connected = false; /* even then its first EPOLLOUT tells: one way for all */
    int descriptor = net_connect(route, &connected);
    if (descriptor < 0) {
        *error = -descriptor;
        return false;
    }
    *connection = (struct connection){.open = true, .connecting = true, .descriptor = descriptor};
    connection->watched = wanted(connection);
    struct epoll_event event = {.events = connection->watched, .data.ptr = connection};
    if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        *error = errno;
        epoll_close(engine, connection);
        return false;
    }
    return true;
}

/* Hands the kernel what it will take; returns how many, or -errno. */
static ssize_t push(struct connection *connection)
{
    ssize_t taken = send(connection->descriptor, connection->rest, connection->rest_count,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    connection->rest += taken;
    connection->rest_count -= (size_t)taken;
    return taken;
}

static ssize_t epoll_send(struct engine *engine, struct connection *connection,
                          const uint8_t *bytes, size_t count)
{
    CHECK(connection->open);
    CHECK(!connection->connecting);
    CHECK(connection->rest_count == 0);
    connection->rest = bytes;
    connection->rest_count = count;
    ssize_t taken = push(connection);
    if (taken < 0)
        connection->rest_count = 0;
    watch(engine, connection);
    return taken;
}

static void tell_closed(struct engine *engine, struct connection *connection, int error)
{
    epoll_close(engine, connection);
    engine->listener->closed(engine->context, connection, error);
}

static void tell_connected(struct engine *engine, struct connection *connection)
{
    int error = net_connect_result(connection->descriptor);
    if (error == 0)
        connection->connecting = false;
    else
        epoll_close(engine, connection);
    engine->listener->connected(engine->context, connection, error);
    /* Only now: the listener may have closed it (connecting was all), or have more to send. */
    if (connection->open)
        watch(engine, connection);
}

static void tell_sent(struct engine *engine, struct connection *connection)
{
    ssize_t taken = push(connection);
    if (taken < 0) {
        tell_closed(engine, connection, (int)-taken);
        return;
    }
    watch(engine, connection);
    if (taken > 0)
        engine->listener->sent(engine->context, connection, (size_t)taken);
}

static void tell_received(struct engine *engine, struct connection *connection)
{
    ssize_t count = recv(connection->descriptor, engine->bytes, sizeof engine->bytes, MSG_DONTWAIT);
    if (count > 0)
        engine->listener->received(engine->context, connection, engine->bytes, (size_t)count);
    else if (count == 0)
        tell_closed(engine, connection, 0);
    else if (errno != EAGAIN && errno != EINTR)
        tell_closed(engine, connection, errno);
}

/* What can be read is read first, so that an answer which came before the break is not lost. */
static void tell_one(struct engine *engine, struct connection *connection, uint32_t events)
{
    if (connection->connecting) {
        tell_connected(engine, connection);
        return;
    }
    if ((events & ~(uint32_t)EPOLLOUT) != 0)
        tell_received(engine, connection); /* EPOLLERR and EPOLLHUP, too: recv() knows the reason */
    if (connection->rest_count > 0 && (events & EPOLLOUT) != 0)
        tell_sent(engine, connection);
}

static bool epoll_tell(struct engine *engine)
{
    bool all = engine->count < (int)ENGINE_EVENTS_MAX;
    while (engine->told < engine->count) {
        struct epoll_event event = engine->events[engine->told++];
        if (event.data.ptr == engine) {
            loop_wakeup_clear(engine->wakeup);
            engine->listener->woken(engine->context);
        } else if (event.data.ptr != NULL) {
            tell_one(engine, event.data.ptr, event.events);
        }
    }
    engine->told = engine->count = 0;
    return all;
}

/* Kernels before 5.11, and sandboxes that do not know the call: milliseconds, rounded up. */
static int wait_coarse(struct engine *engine, uint64_t timeout_ns)
{
    int timeout_ms = -1;
    if (timeout_ns != ENGINE_NEVER)
        timeout_ms = (int)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
    return epoll_wait(engine->epoll, engine->events, ENGINE_EVENTS_MAX, timeout_ms);
}

static int wait_fine(struct engine *engine, uint64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
                               .tv_nsec = (long)(timeout_ns % NS_PER_S)};
    int count = epoll_pwait2(engine->epoll, engine->events, ENGINE_EVENTS_MAX,
                             timeout_ns == ENGINE_NEVER ? NULL : &timeout, NULL);
    engine->coarse = count < 0 && (errno == ENOSYS || errno == EPERM);
    return count;
}

static void epoll_look(struct engine *engine, uint64_t timeout_ns)
{
    CHECK(engine->count == 0);
    int count = engine->coarse ? wait_coarse(engine, timeout_ns) : wait_fine(engine, timeout_ns);
    CHECK(count >= 0 || errno == EINTR || engine->coarse);
    engine->count = count > 0 ? count : 0;
}

static void epoll_wake(struct engine *engine)
{
    loop_wakeup_send(engine->wakeup);
}

const struct engine_driver engine_epoll = {
    .name = "epoll",
    .create = epoll_make,
    .destroy = epoll_destroy,
    .connect = epoll_connect,
    .send = epoll_send,
    .close = epoll_close,
    .wait = epoll_look,
    .tell = epoll_tell,
    .wake = epoll_wake,
};
