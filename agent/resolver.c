#include "agent/resolver.h"

#include "agent/reach.h"
#include "common/base/check.h"
#include "common/base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct resolver {
    struct allow allow;
    struct assignment assignment; /* only what reach_target() looks at; it borrows nothing */

    pthread_mutex_t mutex; /* all below */
    pthread_cond_t changed;
    bool abandoned; /* by its owner: the thread frees it */
    struct address address;
    enum resolver_news news;
    struct error error;
};

static void resolver_free(struct resolver *resolver)
{
    CHECK(pthread_cond_destroy(&resolver->changed) == 0);
    CHECK(pthread_mutex_destroy(&resolver->mutex) == 0);
    free(resolver);
}

static bool same_address(const struct address *one, const struct address *other)
{
    char texts[2][ADDRESS_TEXT_BYTES];
    return strcmp(net_address_text(one, texts[0]), net_address_text(other, texts[1])) == 0;
}

static void look_up(struct resolver *resolver)
{
    struct address found;
    struct error error = {0};
    bool reached = reach_target(&resolver->allow, &resolver->assignment, &found, &error);
    CHECK(pthread_mutex_lock(&resolver->mutex) == 0);
    if (!reached) {
        resolver->news = RESOLVER_FAILED;
        resolver->error = error;
    } else if (!same_address(&found, &resolver->address)) {
        resolver->news = RESOLVER_MOVED;
        resolver->address = found;
    }
    CHECK(pthread_mutex_unlock(&resolver->mutex) == 0);
}

static struct timespec after(uint64_t interval_ns)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    uint64_t at_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec + interval_ns;
    return (struct timespec){.tv_sec = (time_t)(at_ns / NS_PER_S),
                             .tv_nsec = (long)(at_ns % NS_PER_S)};
}

/* False: abandoned. */
static bool rest(struct resolver *resolver)
{
    struct timespec end = after(resolver->assignment.connection.resolve_every_ns);
    CHECK(pthread_mutex_lock(&resolver->mutex) == 0);
    int woken = 0;
    while (!resolver->abandoned && woken == 0)
        woken = pthread_cond_timedwait(&resolver->changed, &resolver->mutex, &end);
    bool abandoned = resolver->abandoned;
    CHECK(pthread_mutex_unlock(&resolver->mutex) == 0);
    return !abandoned;
}

static void *run(void *context)
{
    struct resolver *resolver = context;
    while (rest(resolver))
        look_up(resolver);
    resolver_free(resolver);
    return NULL;
}

/* Signals are the control thread's. Detached, for nobody waits for a name server that is silent. */
static bool start(struct resolver *resolver, struct error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    pthread_t thread;
    int failure = pthread_create(&thread, NULL, run, resolver);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failure != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                         "cannot start a thread to look up names: "
                         "%s",
                         strerror(failure));
    pthread_detach(thread);
    return true;
}

static void make_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(condition, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
}

struct resolver *resolver_create(const struct allow *allow, const struct assignment *assignment,
                                 const struct address *address, struct error *error)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory to look up names");
        return NULL;
    }
    resolver->allow = *allow;
    resolver->address = *address;
    struct assignment *copy = &resolver->assignment;
    memcpy(copy->workload, assignment->workload, sizeof copy->workload);
    memcpy(copy->host, assignment->host, sizeof copy->host);
    copy->port = assignment->port;
    copy->connection.resolve_every_ns = assignment->connection.resolve_every_ns;
    CHECK(pthread_mutex_init(&resolver->mutex, NULL) == 0);
    make_condition(&resolver->changed);
    if (!start(resolver, error)) {
        resolver_free(resolver);
        return NULL;
    }
    return resolver;
}

void resolver_destroy(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    CHECK(pthread_mutex_lock(&resolver->mutex) == 0);
    resolver->abandoned = true;
    CHECK(pthread_cond_signal(&resolver->changed) == 0);
    CHECK(pthread_mutex_unlock(&resolver->mutex) == 0);
}

enum resolver_news resolver_take(struct resolver *resolver, struct address *address,
                                 struct error *error)
{
    CHECK(pthread_mutex_lock(&resolver->mutex) == 0);
    enum resolver_news news = resolver->news;
    if (news == RESOLVER_MOVED)
        *address = resolver->address;
    if (news == RESOLVER_FAILED)
        *error = resolver->error;
    resolver->news = RESOLVER_NOTHING;
    CHECK(pthread_mutex_unlock(&resolver->mutex) == 0);
    return news;
}
