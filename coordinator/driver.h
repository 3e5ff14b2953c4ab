/** The shell of a run: turns messages, ticks and signals into session steps, and performs the
 * actions. */
#ifndef CLOBBER_COORDINATOR_DRIVER_H
#define CLOBBER_COORDINATOR_DRIVER_H

#include "common/base/error.h"
#include "coordinator/session.h"
#include "coordinator/sink.h"
#include "coordinator/store.h"
#include "proto/channel.h"

#include <stdbool.h>
#include <stddef.h>

struct driver_config {
    struct session *session; /* borrowed, as are all below */
    struct channel *channel;
    struct sink *sinks; /* [sink_count] */
    size_t sink_count;
    struct store *store; /* NULL: the run does not outlive us */
    int signals;         /* from loop_signals(): SIGINT, SIGTERM, SIGCHLD, SIGHUP */
    /** Called at each SIGCHLD; false: a child that the run cannot do without has ended, `error`
     * says which, and the run is aborted. NULL: no children. */
    bool (*child_ended)(void *context, struct error *error);
    void *child_context;
    /** Called at each SIGHUP: reads the keys again, tells into `sentence[sentence_bytes]` what
     * became of it, and returns what such events are called. NULL: no keys, and SIGHUP is as
     * SIGINT. */
    const char *(*reload)(void *context, char *sentence, size_t sentence_bytes);
    void *reload_context;
};

/** Runs until SESSION_END. False: ERROR_SYSTEM, the loop could not be made; the session was not
 * stepped. */
bool driver_run(const struct driver_config *config, struct error *error);

#endif
