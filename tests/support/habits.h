/** A small server with one habit, good or bad, on a thread of its own and a port from the kernel.
 */
#ifndef CLOBBER_TESTS_SUPPORT_HABITS_H
#define CLOBBER_TESTS_SUPPORT_HABITS_H

#include "common/base/net.h"

#include <stdint.h>

/** What it does with a request: an HTTP head, or for HABIT_ECHO whatever comes. */
enum habit {
    HABIT_ANSWER,       /* 200, two bytes */
    HABIT_HOLD,         /* the same, but only once habits_release() was called */
    HABIT_SLOW,         /* the same after 5 ms */
    HABIT_ANSWER_CLOSE, /* the same, then closes without having said so */
    HABIT_CLOSE,        /* closes without an answer */
    HABIT_RESET,        /* resets the connection */
    HABIT_HALF,         /* half an answer, then closes */
    HABIT_SILENCE,      /* never answers */
    HABIT_TOO_MUCH,     /* an answer and three bytes that nobody asked for */
    HABIT_GARBAGE,      /* no HTTP */
    HABIT_UNAVAILABLE,  /* 503 */
    HABIT_ECHO,         /* every byte back */
    HABIT_GREET,        /* speaks first, as soon as it is connected to; then answers */
    HABIT_SHUT_DOOR,    /* closes every connection as soon as it is made */
};

struct habits;

/** Never fails but by a CHECK. The caller owns it: habits_stop(). */
struct habits *habits_start(enum habit habit);
void habits_stop(struct habits *server);
struct address habits_address(const struct habits *server);

/** What it has seen so far. */
uint64_t habits_connections(const struct habits *server);
uint64_t habits_requests(const struct habits *server);
uint64_t habits_open(const struct habits *server);
uint64_t habits_open_most(const struct habits *server);

/** HABIT_HOLD: answers all that wait and all that come. */
void habits_release(struct habits *server);
/** Closes all connections. */
void habits_drop(struct habits *server);

/** A loopback address at which nobody listens: bound, so that nobody else will. */
struct address habits_nobody(int *descriptor);

#endif
