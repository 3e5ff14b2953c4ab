/* The command `clobber target`: its flags, and the one line that it prints. */
#include "agent/target_knobs.h"
#include "agent/target_server.h"

#include "common/base/check.h"
#include "common/base/flags.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/units.h"
#include "common/command.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define DESCRIPTORS_WANTED (TARGET_CONNECTIONS_MAX + 64u)

struct options {
    const char *listen;
    struct target_knobs knobs;
    uint32_t threads;
    uint64_t change_after_ns; /* 0: never */
    const char *change;       /* a form, as POST /knobs takes it */
};

static bool take_listen(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct options *)context)->listen = value;
    return true;
}

static bool take_threads(void *context, const char *value, struct error *error)
{
    uint64_t threads;
    if (!units_read_count(value, &threads) || threads < 1 || threads > LANES_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "give a number from 1 to %u", LANES_MAX);
    ((struct options *)context)->threads = (uint32_t)threads;
    return true;
}

static bool take_knob(void *context, const char *name, const char *value, struct error *error)
{
    return target_knobs_set(&((struct options *)context)->knobs, name, value, error);
}

static bool take_latency(void *context, const char *value, struct error *error)
{
    return take_knob(context, "latency", value, error);
}

static bool take_jitter(void *context, const char *value, struct error *error)
{
    return take_knob(context, "jitter", value, error);
}

static bool take_servers(void *context, const char *value, struct error *error)
{
    return take_knob(context, "servers", value, error);
}

static bool take_queue(void *context, const char *value, struct error *error)
{
    return take_knob(context, "queue", value, error);
}

static bool take_error_rate(void *context, const char *value, struct error *error)
{
    return take_knob(context, "error-rate", value, error);
}

static bool take_retrograde(void *context, const char *value, struct error *error)
{
    return take_knob(context, "retrograde", value, error);
}

static bool take_change(void *context, const char *value, struct error *error)
{
    struct options *options = context;
    char after[UNITS_TEXT_BYTES];
    const char *colon = strchr(value, ':');
    size_t length = colon != NULL ? (size_t)(colon - value) : 0;
    snprintf(after, sizeof after, "%.*s", (int)length, value);
    if (!units_read_duration(after, &options->change_after_ns) || options->change_after_ns == 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not AFTER:KNOBS; give one such as 5s:latency=20ms", value);
    options->change = colon + 1;
    return true;
}

static const struct flag rows[] = {
    {"listen", 0, "ADDR:PORT", "127.0.0.1:8080", "where to listen; port 0: any that is free",
     take_listen, false},
    {"latency", 0, "DURATION", "0ms", "how long one request is served", take_latency, false},
    {"jitter", 0, "DURATION", "0ms", "it varies so much either way, uniformly", take_jitter, false},
    {"servers", 0, "N", "0, no limit", "so many are served at once, the others wait in line",
     take_servers, false},
    {"queue", 0, "N", "0, no limit", "so many may wait in line, the others get 503 at once",
     take_queue, false},
    {"error-rate", 0, "SHARE", "0%", "this share is answered 503 after its service",
     take_error_rate, false},
    {"retrograde", 0, "SHARE", "0%",
     "each request present beyond the servers makes service longer by this share", take_retrograde,
     false},
    {"threads", 0, "N", "1", "more than 1 only without servers, queue and retrograde", take_threads,
     false},
    {"change", 0, "AFTER:KNOBS", NULL, "turn knobs so long after the start, as 5s:latency=20ms",
     take_change, false},
};

static const struct flags flags = {
    .command = "target",
    .usage = "clobber target [FLAGS]",
    .about = "A server to try clobber on. GET /stats tells exactly what it served, POST /knobs "
             "turns a knob while it runs.",
    .example = "clobber target --listen 127.0.0.1:8080 --latency 5ms --jitter 1ms --servers 64",
    .rows = rows,
    .count = COUNT(rows),
};

static bool settle(const struct options *options, struct target_settings *settings,
                   struct error *error)
{
    char host[256];
    uint16_t port;
    struct address addresses[ADDRESSES_MAX];
    uint32_t count;
    if (!net_split(options->listen, host, sizeof host, &port, error) ||
        !net_resolve(host, port, addresses, &count, error))
        return error_prefix(error, "--listen");
    if (!target_knobs_check(&options->knobs, options->threads, error))
        return false;
    *settings = (struct target_settings){.listen = addresses[0],
                                         .knobs = options->knobs,
                                         .threads = options->threads,
                                         .later = options->knobs,
                                         .later_after_ns = options->change_after_ns};
    return options->change == NULL ||
           target_knobs_read(&settings->later, options->change, options->threads, error) ||
           error_prefix(error, "--change");
}

/* Scripts wait for this line, and read the port from it. */
static void say_where(struct address address, uint16_t port)
{
    char text[ADDRESS_TEXT_BYTES];
    if (address.as.any.sa_family == AF_INET)
        address.as.v4.sin_port = htons(port);
    else
        address.as.v6.sin6_port = htons(port);
    printf("listening on %s\n", net_address_text(&address, text));
    fflush(stdout);
}

int command_target(int count, char **arguments)
{
    struct options options = {.listen = "127.0.0.1:8080", .threads = 1};
    struct target_settings settings;
    struct error error = {0};
    size_t words_count;
    enum flags_outcome outcome =
        flags_read(&flags, count, arguments, &options, NULL, &words_count, &error);
    if (outcome == FLAGS_HELP)
        return EXIT_MET;
    if (outcome == FLAGS_BAD || !settle(&options, &settings, &error)) {
        log_line(LOG_ERROR, "%s", error.message);
        return EXIT_USAGE;
    }

    net_raise_descriptors(DESCRIPTORS_WANTED);
    struct target_server *server = target_server_create(&settings, &error);
    bool is_fine = server != NULL;
    if (is_fine) {
        say_where(settings.listen, target_server_port(server));
        is_fine = target_server_run(server, &error);
    }
    target_server_destroy(server);
    if (!is_fine)
        log_line(LOG_ERROR, "%s", error.message);
    return is_fine ? EXIT_MET : EXIT_BROKEN_OFF;
}
