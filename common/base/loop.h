/** epoll, timers and signals on one thread. A callback sees one `now_ns` from start to end, runs
 *  through and never blocks; it may stop watching any descriptor, its own included. */
#ifndef CLOBBER_BASE_LOOP_H
#define CLOBBER_BASE_LOOP_H

#include "common/base/error.h"

#include <stdint.h>

struct loop;

/** `events`: EPOLLIN and so on, as epoll gave them. */
typedef void loop_ready(void *context, uint64_t now_ns, uint32_t events);
typedef void loop_timer(void *context, uint64_t now_ns);

/** NULL: ERROR_SYSTEM or ERROR_MEMORY. The caller owns the loop: loop_destroy(). */
struct loop *loop_create(struct error *error);
void loop_destroy(struct loop *loop);

/** Calls `ready` whenever `descriptor` has any of `events` (level-triggered), with `context`
 *  borrowed. Watching a watched descriptor again changes its events and callback. The descriptor
 *  stays the caller's, who unwatches it before closing it. False: ERROR_SYSTEM, ERROR_MEMORY. */
bool loop_watch(struct loop *loop, int descriptor, uint32_t events, loop_ready *ready,
                void *context, struct error *error);
void loop_unwatch(struct loop *loop, int descriptor);

/** Calls `timer` each `interval_ns` on a fixed grid from now; ticks missed while late are not made
 *  up. At most 8 timers. */
void loop_every(struct loop *loop, uint64_t interval_ns, loop_timer *timer, void *context);

/** Runs callbacks until loop_stop(), which may also come before: then it returns at once.
 *  Descriptors that are ready come before timers that are due. */
void loop_run(struct loop *loop);

/** Ends loop_run() after the present callback. From the loop's own thread only. */
void loop_stop(struct loop *loop);

/** The one now of the present callback. */
uint64_t loop_now_ns(const struct loop *loop);

/** A descriptor (signalfd) that is readable when one of `signals[count]` came; blocks them for this
 *  thread and all threads and processes it starts later. -1: ERROR_SYSTEM. The caller owns it. */
int loop_signals(const int *signals, uint32_t count, struct error *error);
/** The next signal's number from that descriptor, or 0 when none waits. */
int loop_next_signal(int descriptor);

/** An eventfd for wake-ups from other threads. -1: ERROR_SYSTEM. */
int loop_wakeup_create(struct error *error);
void loop_wakeup_send(int descriptor);
void loop_wakeup_clear(int descriptor);

#endif
