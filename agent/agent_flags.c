#include "agent/agent.h"

#include "agent/machine.h"
#include "common/base/check.h"
#include "common/base/units.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RATE_MILLI_NONE ((uint64_t)(RATE_PER_S_MAX * 1000.0))

static bool take_count(const char *value, uint32_t maximum, uint32_t *count, struct error *error)
{
    uint64_t read = 0;
    if (!units_read_count(value, &read) || read < 1 || read > maximum) {
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not what it takes: a whole number from 1 to %u", value, maximum);
    }
    *count = (uint32_t)read;
    return true;
}

static bool take_connect(void *context, const char *value, struct error *error)
{
    if (strncmp(value, "tcp://", 6) != 0 && strncmp(value, "ipc://", 6) != 0) {
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not an endpoint; give tcp://HOST:PORT or ipc://PATH", value);
    }
    ((struct agent_options *)context)->connect = value;
    return true;
}

static bool take_name(void *context, const char *value, struct error *error)
{
    struct agent_options *options = context;
    if (value[0] == '\0' || strlen(value) > NAME_BYTES_MAX) {
        return error_set(error, ERROR_USAGE, PLACE_NONE, "a name has 1 to %u bytes",
                         NAME_BYTES_MAX);
    }
    snprintf(options->name, sizeof options->name, "%s", value);
    return true;
}

static bool take_allow(void *context, const char *value, struct error *error)
{
    return allow_add(&((struct agent_options *)context)->allow, value, error);
}

static bool take_source(void *context, const char *value, struct error *error)
{
    return sources_add(&((struct agent_options *)context)->sources, value, error);
}

static bool take_plugin(void *context, const char *value, struct error *error)
{
    struct agent_options *options = context;
    if (options->plugin_count == PLUGINS_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "more than %u plugins", PLUGINS_MAX);
    options->plugins[options->plugin_count++] = value;
    return true;
}

static bool take_max_concurrency(void *context, const char *value, struct error *error)
{
    return take_count(value, CONCURRENCY_MAX, &((struct agent_options *)context)->max_concurrency,
                      error);
}

static bool take_max_rate(void *context, const char *value, struct error *error)
{
    double rate_per_s = 0.0;
    if ((!units_read_rate(value, &rate_per_s) && !units_read_number(value, &rate_per_s)) ||
        !(rate_per_s >= 0.001 && rate_per_s <= RATE_PER_S_MAX)) {
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not a rate; give requests per second, as 5000 or 300/min, at "
                         "most %g/s",
                         value, RATE_PER_S_MAX);
    }
    ((struct agent_options *)context)->max_rate_milli = (uint64_t)(rate_per_s * 1000.0);
    return true;
}

static bool take_max_duration(void *context, const char *value, struct error *error)
{
    uint64_t *duration_ns = &((struct agent_options *)context)->max_duration_ns;
    if (!units_read_duration(value, duration_ns) || *duration_ns == 0) {
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not a duration; give one with a unit, as 30s or 1h30m", value);
    }
    return true;
}

static bool take_lanes(void *context, const char *value, struct error *error)
{
    return take_count(value, LANES_MAX, &((struct agent_options *)context)->lanes, error);
}

static bool take_engine(void *context, const char *value, struct error *error)
{
    enum engine_choice *engine = &((struct agent_options *)context)->engine;
    if (strcmp(value, "auto") == 0)
        *engine = ENGINE_AUTO;
    else if (strcmp(value, "epoll") == 0)
        *engine = ENGINE_EPOLL;
    else if (strcmp(value, "uring") == 0)
        *engine = ENGINE_URING;
    else
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is no engine; give auto, uring or epoll", value);
    return true;
}

static bool take_state(void *context, const char *value, struct error *error)
{
    if (value[0] == '\0')
        return error_set(error, ERROR_USAGE, PLACE_NONE, "the path of the folder is empty");
    ((struct agent_options *)context)->state = value;
    return true;
}

static bool take_secret_key(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct agent_options *)context)->secret_key = value;
    return true;
}

static bool take_server_key(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct agent_options *)context)->server_key = value;
    return true;
}

static bool take_once(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct agent_options *)context)->once = true;
    return true;
}

static bool take_embedded(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct agent_options *)context)->embedded = true;
    return true;
}

static const struct flag rows[] = {
    {"connect", 0, "ENDPOINT", NULL, "the coordinator: tcp://HOST:PORT or ipc://PATH", take_connect,
     false},
    {"once", 0, NULL, NULL, "take part in one run, then end", take_once, false},
    {"name", 0, "NAME", "host and process", "how reports call this agent", take_name, false},
    {"allow", 0, "TARGET", "loopback only", "what may be loaded: HOST[:PORT], CIDR or unix:/PATH",
     take_allow, true},
    {"source", 0, "ADDRESS", "the kernel's choice",
     "connect from ADDRESS, ADDRESS-ADDRESS or a network, in turns", take_source, true},
    {"plugin", 0, "FILE", "none", "a shared object that plans may name as their workload",
     take_plugin, true},
    {"max-concurrency", 0, "N", "none", "requests in flight at most", take_max_concurrency, false},
    {"max-rate", 0, "RATE", "none", "requests per second at most", take_max_rate, false},
    {"max-duration", 0, "DURATION", "none", "a longer run is declined", take_max_duration, false},
    {"lanes", 0, "N", "a core each", "threads that carry load", take_lanes, false},
    {"engine", 0, "ENGINE", "auto", "auto, uring or epoll", take_engine, false},
    {"state", 0, "DIR", "under /run or the home",
     "where the flight recorder keeps what a killed agent did", take_state, false},
    {"secret-key", 0, "FILE", NULL, "our own key, of clobber key new; everything is encrypted then",
     take_secret_key, false},
    {"server-key", 0, "KEY|FILE", NULL, "the coordinator's public key: nobody else is obeyed",
     take_server_key, false},
    {"embedded", 0, NULL, NULL, "end with the parent process; what clobber run gives its children",
     take_embedded, false},
};

static const struct flags flags = {
    .command = "agent",
    .usage = "clobber agent --connect ENDPOINT [FLAGS]",
    .about =
        "Joins a coordinator, again and again, and makes the load it asks for, within what its "
        "owner allows here.",
    .example = "clobber agent --connect tcp://10.0.0.5:7420 --allow shop.test:443 --max-rate 2000",
    .rows = rows,
    .count = COUNT(rows),
};

static void put_default_name(struct agent_options *options)
{
    char host[NAME_BYTES_MAX - 16] = "agent";
    gethostname(host, sizeof host);
    host[sizeof host - 1] = '\0';
    snprintf(options->name, sizeof options->name, "%s-%ld", host, (long)getpid());
}

enum flags_outcome agent_options_read(int count, char **arguments, struct agent_options *options,
                                      struct error *error)
{
    size_t words_count = 0;
    *options = (struct agent_options){
        .max_concurrency = CONCURRENCY_MAX,
        .max_rate_milli = RATE_MILLI_NONE,
        .lanes = machine_cores(),
    };
    put_default_name(options);
    enum flags_outcome outcome =
        flags_read(&flags, count, arguments, options, NULL, &words_count, error);
    if (outcome == FLAGS_OK && options->connect == NULL) {
        error_set(error, ERROR_USAGE, PLACE_NONE,
                  "--connect is missing; give the coordinator, as --connect tcp://HOST:7420");
        return FLAGS_BAD;
    }
    if (options->embedded) /* the environment of clobber run is about another coordinator */
        options->secret_key = options->server_key = NULL;
    if (outcome == FLAGS_OK && (options->secret_key == NULL) != (options->server_key == NULL)) {
        error_set(error, ERROR_USAGE, PLACE_NONE,
                  "--secret-key and --server-key go together: who we are, and who leads us");
        return FLAGS_BAD;
    }
    return outcome;
}
