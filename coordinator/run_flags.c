#include "coordinator/run.h"

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/units.h"
#include "coordinator/folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool usage(struct error *error, const char *sentence)
{
    return error_set(error, ERROR_USAGE, PLACE_NONE, "%s", sentence);
}

static bool take_count(const char *value, uint64_t maximum, uint32_t *count, struct error *error)
{
    uint64_t read;
    if (!units_read_count(value, &read) || read < 1 || read > maximum)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not what it takes: a whole number from 1 to %llu", value,
                         (unsigned long long)maximum);
    *count = (uint32_t)read;
    return true;
}

static bool take_duration(const char *value, uint64_t *duration_ns, struct error *error)
{
    if (!units_read_duration(value, duration_ns) || *duration_ns == 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not a duration; give one with a unit, as 30s or 250ms", value);
    return true;
}

static bool take_agents(void *context, const char *value, struct error *error)
{
    return take_count(value, 256, &((struct run_options *)context)->agents, error);
}

static bool take_lanes(void *context, const char *value, struct error *error)
{
    return take_count(value, LANES_MAX, &((struct run_options *)context)->lanes, error);
}

static bool pass(struct run_options *options, const char *flag, const char *value,
                 struct error *error)
{
    if (options->passed_count + 2 > CHILDREN_PASSED_MAX)
        return usage(error, "given too often");
    options->passed[options->passed_count++] = flag;
    options->passed[options->passed_count++] = value;
    return true;
}

static bool take_source(void *context, const char *value, struct error *error)
{
    return pass(context, "--source", value, error);
}

static bool take_plugin(void *context, const char *value, struct error *error)
{
    return pass(context, "--plugin", value, error);
}

static bool take_engine(void *context, const char *value, struct error *error)
{
    return pass(context, "--engine", value, error);
}

static bool take_for(void *context, const char *value, struct error *error)
{
    return take_duration(value, &((struct run_options *)context)->request.duration_ns, error);
}

static bool take_timeout(void *context, const char *value, struct error *error)
{
    return take_duration(value, &((struct run_options *)context)->request.timeout_ns, error);
}

static bool take_trusting(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    struct run_options *options = context;
    options->request.trusting = true;
    options->request_given = true;
    return true;
}

/* wrk and vegeta take bare numbers here, so both forms do. */
static bool take_rate(void *context, const char *value, struct error *error)
{
    struct run_options *options = context;
    double *rate = &options->request.rate_per_s;
    if ((!units_read_rate(value, rate) && !units_read_number(value, rate)) || !(*rate > 0.0))
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not a rate; give requests per second, as 5000 or 300/min", value);
    return true;
}

static bool take_requests(void *context, const char *value, struct error *error)
{
    uint64_t *total = &((struct run_options *)context)->request.requests_total;
    if (!units_read_count(value, total) || *total < 1 || *total > REQUESTS_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not what it takes: a whole number from 1 to %" PRIu64, value,
                         REQUESTS_MAX);
    return true;
}

static bool take_concurrency(void *context, const char *value, struct error *error)
{
    return take_count(value, CONCURRENCY_MAX, &((struct run_options *)context)->request.concurrency,
                      error);
}

static bool take_method(void *context, const char *value, struct error *error)
{
    (void)error;
    struct run_options *options = context;
    options->request.method = value;
    options->request_given = true;
    return true;
}

static bool take_while(void *context, const char *value, struct error *error)
{
    struct run_options *options = context;
    if (options->request.bound_given_count == RUN_BOUNDS_MAX)
        return usage(error, "given too often; two bounds are all there are");
    options->bounds[options->request.bound_given_count++] = value;
    options->request.bounds = options->bounds;
    options->request_given = true;
    return true;
}

static bool take_header(void *context, const char *value, struct error *error)
{
    struct run_options *options = context;
    if (options->request.header_count == RUN_HEADERS_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "at most %u headers", RUN_HEADERS_MAX);
    options->headers[options->request.header_count++] = value;
    options->request.headers = options->headers;
    options->request_given = true;
    return true;
}

static bool read_body(struct run_options *options, const char *path, struct error *error)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "cannot read %s: %s", path,
                         strerror(errno));
    options->body_file = malloc(BODY_BYTES_MAX + 2);
    CHECK_MEMORY(options->body_file != NULL);
    size_t length = fread(options->body_file, 1, BODY_BYTES_MAX + 1, stream);
    bool broken = ferror(stream) != 0;
    fclose(stream);
    options->body_file[length] = '\0';
    if (broken)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "cannot read %s", path);
    if (length > BODY_BYTES_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%s is larger than %u bytes", path,
                         BODY_BYTES_MAX);
    if (memchr(options->body_file, '\0', length) != NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s holds a NUL byte; a body is text in this version", path);
    options->request.body = options->body_file;
    return true;
}

static bool take_body(void *context, const char *value, struct error *error)
{
    struct run_options *options = context;
    options->request_given = true;
    if (value[0] == '@')
        return read_body(options, value + 1, error);
    options->request.body = value;
    return true;
}

static bool take_name(void *context, const char *value, struct error *error)
{
    if (value[0] == '\0' || strlen(value) > NAME_BYTES_MAX)
        return usage(error, "a name has 1 to 255 bytes");
    ((struct run_options *)context)->request.name = value;
    return true;
}

static bool take_bind(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct run_options *)context)->bind = value;
    return true;
}

static bool take_expect(void *context, const char *value, struct error *error)
{
    return take_count(value, AGENTS_MAX, &((struct run_options *)context)->expect_agents, error);
}

static bool take_wait(void *context, const char *value, struct error *error)
{
    return take_duration(value, &((struct run_options *)context)->wait_ns, error);
}

static bool take_resume(void *context, const char *value, struct error *error)
{
    if (value[0] == '\0' || strlen(value) >= FOLDER_PATH_BYTES - 64)
        return usage(error, "give the folder of a run");
    ((struct run_options *)context)->resume = value;
    return true;
}

static bool take_plaintext(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct run_options *)context)->keys.plaintext = true;
    return true;
}

static bool take_secret_key(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct run_options *)context)->keys.secret_key = value;
    return true;
}

static bool take_authorized_keys(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct run_options *)context)->keys.authorized_keys = value;
    return true;
}

static bool take_out(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct run_options *)context)->out = value;
    return true;
}

static bool take_json(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct run_options *)context)->json = value;
    return true;
}

static bool take_quiet(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct run_options *)context)->quiet = true;
    return true;
}

static bool take_reference(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct run_options *)context)->reference = true;
    return true;
}

/* What the contract promises and this version does not build yet is refused, never ignored. */
static bool take_later(void *context, const char *value, struct error *error)
{
    (void)context;
    (void)value;
    return usage(error, "not built yet; this version cannot run with it");
}

#define FLAGS_OF_OUTPUT                                                                            \
    {"out",                                                                                        \
     0,                                                                                            \
     "DIR",                                                                                        \
     "runs/NAME-DATE-TIME",                                                                        \
     "folder for this run; never one that holds a run",                                            \
     take_out,                                                                                     \
     false},                                                                                       \
        {"json",                                                                                   \
         0,                                                                                        \
         "FILE",                                                                                   \
         NULL,                                                                                     \
         "write the result there too; - is stdout, and nothing else goes there",                   \
         take_json,                                                                                \
         false},                                                                                   \
        {"listen",   0,    "ADDR:PORT", NULL, "live page and metrics (not built yet)",             \
         take_later, false},                                                                       \
    {                                                                                              \
        "quiet", 'q', NULL, NULL, "no line while it runs", take_quiet, false                       \
    }

static const struct flag run_rows[] = {
    {"agents", 0, "N", "the plan's agents.expect, else 1", "embedded agents", take_agents, false},
    {"lanes", 0, "N", "cores / agents, at least 1", "threads an agent", take_lanes, false},
    {"source", 0, "ADDRESS", "the kernel's choice",
     "connect from ADDRESS, ADDRESS-ADDRESS or a network, in turns", take_source, true},
    {"plugin", 0, "FILE", "none", "a shared object that the plan names as its workload",
     take_plugin, true},
    {"engine", 0, "ENGINE", "auto", "of the agents: auto, uring or epoll", take_engine, false},
    {"duration", 'd', "DURATION", "30s", "how long, warm-up included", take_for, false},
    {"rate", 'R', "RATE", NULL,
     "hold this many requests a second; with neither -R nor -c: maximize", take_rate, false},
    {"concurrency", 'c', "N", NULL, "run a fixed number of workers", take_concurrency, false},
    {"requests", 'n', "N", NULL, "stop after N requests; without -d at the latest after 1h",
     take_requests, false},
    {"method", 'm', "METHOD", "GET", "method of the request", take_method, false},
    {"header", 'H', "'K: V'", NULL, "a header of the request", take_header, true},
    {"body", 'b', "BODY|@FILE", NULL, "body of the request", take_body, false},
    {"timeout", 0, "DURATION", "5s", "of a whole request", take_timeout, false},
    {"insecure", 'k', NULL, NULL, "do not verify the target's certificate", take_trusting, false},
    {"while", 0, "BOUND", NULL, "maximize while 'p(99)<20ms' or 'errors.rate<0.5%'", take_while,
     true},
    {"name", 0, "NAME", "the plan's, or the host", "name of the run", take_name, false},
    FLAGS_OF_OUTPUT,
};

static const struct flag coordinator_rows[] = {
    {"bind", 0, "ENDPOINT", "tcp://127.0.0.1:7420", "where agents connect; port 0: a free one",
     take_bind, false},
    {"expect-agents", 0, "N", "the plan's agents.expect", "begin when so many are ready",
     take_expect, false},
    {"wait", 0, "DURATION", "the plan's agents.wait", "for the agents", take_wait, false},
    {"plaintext", 0, NULL, NULL, "no encryption on a bind that other machines can reach",
     take_plaintext, false},
    {"secret-key", 0, "FILE", NULL, "our own key, of clobber key new; everything is encrypted then",
     take_secret_key, false},
    {"authorized-keys", 0, "FILE", NULL,
     "who may join: lines NAME KEY [until DATE]; read again on SIGHUP", take_authorized_keys,
     false},
    {"resume", 0, "DIR", NULL, "take up the run in DIR, whose coordinator died", take_resume,
     false},
    FLAGS_OF_OUTPUT,
};

static const struct flag validate_rows[] = {
    {"reference", 0, NULL, NULL, "print every key of a plan instead, as Markdown", take_reference,
     false},
};

const struct flags run_flags = {
    .command = "run",
    .usage = "clobber run PLAN.yaml|URL [FLAGS]",
    .about = "Runs a plan, or loads a URL, from this machine alone.",
    .example = "clobber run -R 5000 -d 30s http://127.0.0.1:8080/",
    .rows = run_rows,
    .count = COUNT(run_rows),
    .words_min = 1,
    .words_max = 1,
};

const struct flags coordinator_flags = {
    .command = "coordinator",
    .usage = "clobber coordinator PLAN.yaml [FLAGS]",
    .about = "Runs a plan over a fleet: waits for the agents, steers them, and reports one result.",
    .example = "clobber coordinator plan.yaml --bind tcp://127.0.0.1:7420 --expect-agents 4",
    .rows = coordinator_rows,
    .count = COUNT(coordinator_rows),
    .words_min = 1,
    .words_max = 1,
};

const struct flags validate_flags = {
    .command = "validate",
    .usage = "clobber validate PLAN.yaml [FLAGS]",
    .about = "Reads and checks a plan as run would, and prints it in full with its defaults.",
    .example = "clobber validate plan.yaml",
    .rows = validate_rows,
    .count = COUNT(validate_rows),
    .words_min = 0,
    .words_max = 1,
};
