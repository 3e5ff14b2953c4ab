/** Command `agent`: joins a coordinator, again and again, and makes the load it asks for. */
#ifndef CLOBBER_AGENT_AGENT_H
#define CLOBBER_AGENT_AGENT_H

#include "agent/allow.h"
#include "agent/engine.h"
#include "agent/plugin.h"
#include "agent/pool.h"
#include "agent/sources.h"
#include "common/base/flags.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/** What the command line and the environment say. Plain data; text is borrowed from them. */
struct agent_options {
    const char *connect;
    char name[NAME_BYTES_MAX + 1];
    struct allow allow;
    struct sources sources;
    const char *plugins[PLUGINS_MAX]; /* paths */
    uint32_t plugin_count;
    uint32_t max_concurrency;
    uint64_t max_rate_milli;
    uint64_t max_duration_ns; /* 0: none */
    uint32_t lanes;
    enum engine_choice engine;
    const char *state;      /* the folder of the flight recorder; NULL: the usual one */
    const char *secret_key; /* a file; NULL: no keys */
    const char *server_key; /* the coordinator's, or a file of it; given with the other */
    bool once;
    bool embedded; /* a child of `clobber run`: ends with it, and leaves the talking to it */
};

/** Reads them, with their defaults. As flags_read(). */
enum flags_outcome agent_options_read(int count, char **arguments, struct agent_options *options,
                                      struct error *error);

#endif
