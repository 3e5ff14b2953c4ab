#include "common/base/loop.h"

#include "common/base/check.h"
#include "common/base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TIMERS_MAX       8u  /* a room has one or two: a tick, a screen */
#define BATCH_MAX        256 /* events of one epoll_wait; timers are looked at after each batch */
#define WATCHES_AT_FIRST 64u /* doubled as descriptors grow */

/* What is wanted of one descriptor; `ready` is NULL while nothing is. */
struct watch {
    loop_ready *ready;
    void *context;
    uint32_t events;
    uint32_t
        generation; /* grows at each new watch: tells old events of a descriptor from new ones */
};

struct timer {
    loop_timer *call;
    void *context;
    uint64_t interval_ns;
    uint64_t due_ns;
};

struct loop {
    int epoll;
    int alarm; /* a timerfd, set to the earliest timer */
    uint64_t alarm_ns;
    uint64_t now_ns;
    bool stopping;
    struct watch *watches; /* by descriptor */
    uint32_t watches_max;
    struct timer timers[TIMERS_MAX];
    uint32_t timers_count;
};

/* epoll gives back 64 bits of ours: the descriptor, and which watch of it. */
static uint64_t event_key(int descriptor, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint32_t)descriptor;
}

static bool loop_open(struct loop *loop, struct error *error)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "epoll_create1: %s", strerror(errno));
    loop->alarm = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->alarm < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "timerfd_create: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = event_key(loop->alarm, 0)};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->alarm, &event) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "epoll_ctl: %s", strerror(errno));
    return true;
}

struct loop *loop_create(struct error *error)
{
    struct loop *loop = calloc(1, sizeof *loop);
    struct watch *watches = calloc(WATCHES_AT_FIRST, sizeof *watches);
    if (loop == NULL || watches == NULL) {
        free(loop);
        free(watches);
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for an event loop");
        return NULL;
    }
    *loop = (struct loop){
        .epoll = -1,
        .alarm = -1,
        .now_ns = clock_now_ns(),
        .watches = watches,
        .watches_max = WATCHES_AT_FIRST,
    };
    if (!loop_open(loop, error)) {
        loop_destroy(loop);
        return NULL;
    }
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    if (loop->alarm >= 0)
        close(loop->alarm);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop->watches);
    free(loop);
}

/* Makes room for `descriptor`. The kernel gives the lowest free one, so the table stays dense. */
static bool reserve_watch(struct loop *loop, int descriptor, struct error *error)
{
    uint32_t wanted = loop->watches_max;
    while (wanted <= (uint32_t)descriptor)
        wanted *= 2;
    if (wanted == loop->watches_max)
        return true;
    struct watch *watches = realloc(loop->watches, wanted * sizeof *watches);
    if (watches == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory to watch %u descriptors",
                         wanted);
    memset(watches + loop->watches_max, 0, (wanted - loop->watches_max) * sizeof *watches);
    loop->watches = watches;
    loop->watches_max = wanted;
    return true;
}

bool loop_watch(struct loop *loop, int descriptor, uint32_t events, loop_ready *ready,
                void *context, struct error *error)
{
    CHECK(descriptor >= 0);
    CHECK(descriptor != loop->alarm);
    CHECK(ready != NULL);
    if (!reserve_watch(loop, descriptor, error))
        return false;

    struct watch *watch = &loop->watches[descriptor];
    bool is_new = watch->ready == NULL;
    uint32_t generation = watch->generation + is_new;
    struct epoll_event event = {.events = events, .data.u64 = event_key(descriptor, generation)};
    int operation = is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(loop->epoll, operation, descriptor, &event) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot watch descriptor %d: %s",
                         descriptor, strerror(errno));
    *watch = (struct watch){
        .ready = ready, .context = context, .events = events, .generation = generation};
    return true;
}

void loop_unwatch(struct loop *loop, int descriptor)
{
    CHECK(descriptor >= 0);
    if ((uint32_t)descriptor >= loop->watches_max || loop->watches[descriptor].ready == NULL)
        return;
    loop->watches[descriptor].ready = NULL;
    /* Fails when the descriptor was closed before, which takes it out of epoll too. */
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, descriptor, NULL);
}

void loop_every(struct loop *loop, uint64_t interval_ns, loop_timer *timer, void *context)
{
    CHECK(interval_ns > 0);
    CHECK(timer != NULL);
    CHECK(loop->timers_count < TIMERS_MAX);
    loop->timers[loop->timers_count++] = (struct timer){
        .call = timer,
        .context = context,
        .interval_ns = interval_ns,
        .due_ns = clock_now_ns() + interval_ns,
    };
}

/* Sets the alarm to the earliest timer. Setting it also clears the ring that is past: no read(). */
static void set_alarm(struct loop *loop)
{
    if (loop->timers_count == 0)
        return;
    uint64_t earliest_ns = UINT64_MAX;
    for (uint32_t i = 0; i < loop->timers_count; i++) {
        if (loop->timers[i].due_ns < earliest_ns)
            earliest_ns = loop->timers[i].due_ns;
    }
    if (earliest_ns == loop->alarm_ns)
        return;
    struct itimerspec setting = {
        .it_value = {.tv_sec = (time_t)(earliest_ns / NS_PER_S),
                     .tv_nsec = (long)(earliest_ns % NS_PER_S)},
    };
    CHECK(timerfd_settime(loop->alarm, TFD_TIMER_ABSTIME, &setting, NULL) == 0);
    loop->alarm_ns = earliest_ns;
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
    uint32_t descriptor = (uint32_t)event->data.u64;
    if (descriptor == (uint32_t)loop->alarm)
        return; /* it only woke us; the timers are looked at after every batch */
    /* A callback before this one may have stopped the watch, or changed what it waits for, or
     * closed the descriptor and watched another by the same number. */
    struct watch watch = loop->watches[descriptor];
    uint32_t events = event->events & (watch.events | EPOLLERR | EPOLLHUP);
    if (watch.ready == NULL || watch.generation != event->data.u64 >> 32 || events == 0)
        return;
    loop->now_ns = clock_now_ns();
    watch.ready(watch.context, loop->now_ns, events);
}

static void run_timers(struct loop *loop)
{
    for (uint32_t i = 0; i < loop->timers_count && !loop->stopping; i++) {
        struct timer *timer = &loop->timers[i];
        uint64_t now_ns = clock_now_ns();
        if (now_ns < timer->due_ns)
            continue;
        uint64_t passed = (now_ns - timer->due_ns) / timer->interval_ns + 1;
        timer->due_ns += passed * timer->interval_ns;
        loop->now_ns = now_ns;
        timer->call(timer->context, now_ns);
    }
}

void loop_run(struct loop *loop)
{
    struct epoll_event events[BATCH_MAX];
    while (!loop->stopping) {
        set_alarm(loop);
        int count = epoll_wait(loop->epoll, events, BATCH_MAX, -1);
        CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count && !loop->stopping; i++)
            dispatch(loop, &events[i]);
        /* After the descriptors: on waking from a pause, answers that came in time are read before
         * a timer judges them late. */
        run_timers(loop);
    }
    loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

int loop_signals(const int *signals, uint32_t count, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    for (uint32_t i = 0; i < count; i++)
        CHECK(sigaddset(&set, signals[i]) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    int descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (descriptor < 0)
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "signalfd: %s", strerror(errno));
    return descriptor;
}

int loop_next_signal(int descriptor)
{
    struct signalfd_siginfo info;
    ssize_t bytes = read(descriptor, &info, sizeof info);
    return bytes == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

int loop_wakeup_create(struct error *error)
{
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (descriptor < 0)
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "eventfd: %s", strerror(errno));
    return descriptor;
}

void loop_wakeup_send(int descriptor)
{
    uint64_t one = 1;
    ssize_t bytes = write(descriptor, &one, sizeof one);
    CHECK(bytes == (ssize_t)sizeof one || errno == EAGAIN); /* full: it is awake already */
}

void loop_wakeup_clear(int descriptor)
{
    uint64_t sum;
    ssize_t bytes = read(descriptor, &sum, sizeof sum);
    CHECK(bytes == (ssize_t)sizeof sum || errno == EAGAIN); /* nobody called: fine too */
}
