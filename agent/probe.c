#include "agent/probe.h"

#include "agent/meter.h"
#include "agent/pool.h"
#include "agent/reach.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/histogram.h"
#include "common/base/net.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROBE_CONNECTIONS 64u /* enough that neither side ever waits for the other */
#define PROBE_LOOK_MS     50  /* how soon the server sees that it is over */
#define PROBE_TICK_MS     100
#define PROBE_SLEEPS      200
#define REQUEST           "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ANSWER            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* The least that is a server: whatever comes is one request. */
struct responder {
    int listener, epoll;
    struct address address;
    _Atomic bool over;
    pthread_t thread;
};

static void serve(struct responder *responder, int descriptor)
{
    char bytes[512];
    if (descriptor == responder->listener) {
        int accepted = accept4(descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = accepted};
        if (accepted >= 0 && epoll_ctl(responder->epoll, EPOLL_CTL_ADD, accepted, &event) != 0)
            close(accepted);
    } else if (recv(descriptor, bytes, sizeof bytes, 0) <= 0 ||
               send(descriptor, ANSWER, strlen(ANSWER), MSG_NOSIGNAL) < 0) {
        close(descriptor); /* the load is over, and with it the connection */
    }
}

static void *respond(void *context)
{
    struct responder *responder = context;
    struct epoll_event events[PROBE_CONNECTIONS];
    bool over;
    int count;
    do { /* once more when it is over: all connections have ended by then, and are closed here */
        over = responder->over;
        count = epoll_wait(responder->epoll, events, PROBE_CONNECTIONS, PROBE_LOOK_MS);
        for (int i = 0; i < count; i++)
            serve(responder, events[i].data.fd);
    } while (!over || count > 0);
    return NULL;
}

static bool responder_listen(struct responder *responder, struct error *error)
{
    struct address any_port = {.bytes = sizeof any_port.as.v4};
    any_port.as.v4.sin_family = AF_INET;
    any_port.as.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    responder->listener = net_listen(&any_port, false, PROBE_CONNECTIONS, error);
    if (responder->listener < 0)
        return false;
    responder->address = any_port;
    responder->address.as.v4.sin_port = htons(net_port(responder->listener));
    responder->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = responder->listener};
    if (responder->epoll < 0 ||
        epoll_ctl(responder->epoll, EPOLL_CTL_ADD, responder->listener, &event) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "epoll: %s", strerror(errno));
    return true;
}

static bool responder_start(struct responder *responder, struct error *error)
{
    if (!responder_listen(responder, error))
        return false;
    sigset_t all, before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failure = pthread_create(&responder->thread, NULL, respond, responder);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return failure == 0 || error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot start a thread: %s",
                                     strerror(failure));
}

static void responder_close(struct responder *responder)
{
    if (responder->epoll >= 0)
        close(responder->epoll);
    if (responder->listener >= 0)
        close(responder->listener);
}

static uint64_t load(struct pool *pool, uint32_t measure_ms)
{
    const struct meters *meters = NULL;
    for (uint32_t at_ms = 0; at_ms < measure_ms; at_ms += PROBE_TICK_MS) {
        struct pool_setpoint setpoint = {
            .floor_milli = PROBE_CONNECTIONS * 1000,
            .concurrency_milli = PROBE_CONNECTIONS * 1000,
            .lease_end_ns = clock_now_ns() + NS_PER_S,
        };
        pool_set(pool, &setpoint);
        poll(NULL, 0, PROBE_TICK_MS);
        meters = pool_read(pool, false);
    }
    if (meters == NULL || meters->cpu_ns == 0)
        return 0;
    double ok = (double)meters_total(meters).ok;
    return (uint64_t)(ok / ((double)meters->cpu_ns / 1e9));
}

bool probe_requests(const struct engine_driver *driver, uint32_t measure_ms,
                    uint64_t *requests_per_cpu_s, struct error *error)
{
    struct responder responder = {.listener = -1, .epoll = -1};
    if (!responder_start(&responder, error)) {
        responder_close(&responder);
        return false;
    }
    const struct assignment assignment = {
        .workload = "http1",
        .keep_alive = true,
        .timeout_ns = 5 * NS_PER_S,
        .phases = 1,
        .concurrency_max = PROBE_CONNECTIONS,
        .request_count = 1,
        .requests = {{.name = "probe",
                      .weight = 1,
                      .bytes = (const uint8_t *)REQUEST,
                      .byte_count = strlen(REQUEST)}},
    };
    const struct reach reach = {.address = responder.address};
    struct pool *pool = pool_create(&assignment, &reach, 1, driver, NULL, error);
    if (pool != NULL)
        *requests_per_cpu_s = load(pool, measure_ms);
    pool_destroy(pool);
    responder.over = true;
    CHECK(pthread_join(responder.thread, NULL) == 0);
    responder_close(&responder);
    return pool != NULL;
}

uint64_t probe_timer_p99_ns(void)
{
    static struct histogram late; /* large for a stack; one thread measures at a time */
    late = (struct histogram){0};
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* as the lanes have it */
    for (int i = 0; i < PROBE_SLEEPS; i++) {
        uint64_t from_ns = clock_now_ns();
        nanosleep(&(struct timespec){.tv_nsec = (long)NS_PER_MS}, NULL);
        uint64_t slept_ns = clock_now_ns() - from_ns;
        histogram_record(&late, slept_ns > NS_PER_MS ? slept_ns - NS_PER_MS : 0);
    }
    return histogram_quantile(&late, 0.99);
}
