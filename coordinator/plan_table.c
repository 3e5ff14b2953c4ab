#include "coordinator/plan_table.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <stdio.h>
#include <string.h>

#define SIBLINGS_MAX 32u                /* keys of one map in the table */
#define SEED_MAX     9007199254740991.0 /* 2^53 - 1: the largest whole number that JSON keeps */
#define NS(seconds)  ((double)(seconds)*1e9)

/* Where a value goes: a member of a struct. */
#define FIELD(type, member)                                                                        \
    .offset = offsetof(struct type, member), .bytes = sizeof(((struct type *)0)->member)
#define COUNTED_BY(type, member) .count_offset = offsetof(struct type, member)

static const char *const version_words[] = {"1.1", "2", NULL};
static const char *const arrivals_words[] = {"open", "closed", NULL};
static const char *const spacing_words[] = {"uniform", "poisson", NULL};
static const char *const objective_words[] = {"throughput", NULL};
static const char *const order_words[] = {"sequence", "random", "unique", NULL};
static const char *const on_loss_words[] = {"redistribute", "abort", "hold", NULL};

/* clang-format off */
static const struct plan_key keys[] = {
    {.path = "version", .type = PLAN_VERSION, .required = true, .preset = "1",
     .doc = "The version of this format."},
    {.path = "name", .type = PLAN_TEXT, .minimum = 1, .maximum = NAME_BYTES_MAX, FIELD(plan, name),
     .preset_words = "the file's name",
     .doc = "The name of the run, on screens and in the name of its folder."},
    {.path = "target", .type = PLAN_TARGET, .required = true, .minimum = 1, .maximum = 8192, FIELD(plan, target),
     .doc = "What is loaded. Port 80 unless an http:// target names one, 443 for https://, 6379 for redis:// and rediss://. "
            "Over a Unix socket: `http+unix://%2Frun%2Fapp.sock/PATH`, with %2F for each slash of the socket's own path; an agent "
            "loads it only where `--allow unix:/run/app.sock` was said."},

    {.path = "goal", .type = PLAN_MAP, .required = true, .doc = "What to reach: exactly one of `hold`, `concurrency` and `maximize`."},
    {.path = "goal.hold", .type = PLAN_RATE, .minimum = 0.01, .maximum = RATE_PER_S_MAX, FIELD(plan, schedule.value),
     .doc = "Hold this throughput; the concurrency for it is found while the run goes on."},
    {.path = "goal.concurrency", .type = PLAN_WORKERS, .minimum = 1, .maximum = CONCURRENCY_MAX, FIELD(plan, schedule.value),
     .doc = "Keep so many requests in flight over all agents; no rate is steered."},
    {.path = "goal.maximize", .type = PLAN_OBJECTIVE, .words = objective_words,
     .doc = "Find the most throughput that the target gives, and the fewest workers for it."},
    {.path = "goal.while", .type = PLAN_LIST, .when = WHEN_MAXIMIZE, .minimum = 1, .maximum = BOUNDS_MAX,
     FIELD(plan, bounds), COUNTED_BY(plan, bound_count), .element = PLAN_BOUND, .element_bytes = sizeof(struct threshold),
     .preset_words = "no bound",
     .doc = "What must hold meanwhile: `latency.p(99)` below a duration, `errors.rate` below a share; at most one of each."},
    {.path = "goal.precision", .type = PLAN_SHARE, .when = WHEN_MAXIMIZE, .minimum = 0.001, .maximum = 0.5, .preset = "2%",
     FIELD(plan, precision), .doc = "The search is over when the answer is known so well: half its 95 % interval, as a share of it."},
    {.path = "goal.tolerance", .type = PLAN_SHARE, .when = WHEN_HOLD, .minimum = 0.0001, .maximum = 0.5, .preset = "1%",
     FIELD(plan, tolerance), .doc = "How far from the rate the mean may be for the goal to be met."},
    {.path = "goal.arrivals", .type = PLAN_WORD, .when = WHEN_HOLD, .words = arrivals_words, .preset = "open",
     FIELD(plan, arrivals),
     .doc = "`open`: requests fall due on a schedule, and latency counts from then. `closed`: the number of workers makes the rate, and the goal bounds it."},
    {.path = "goal.spacing", .type = PLAN_WORD, .when = WHEN_HOLD, .words = spacing_words, .preset = "uniform",
     FIELD(plan, spacing),
     .doc = "Between open arrivals. `uniform`: all alike, so the count is exact. `poisson`: drawn by lot, as from many users who know nothing of each other; of n planned, the count is off by some √n."},

    {.path = "stages", .type = PLAN_LIST, .when = WHEN_STAGES, .required = true, .minimum = 1, .maximum = STAGES_MAX,
     FIELD(plan, schedule.stages), COUNTED_BY(plan, schedule.stage_count),
     .element = PLAN_MAP, .element_bytes = sizeof(struct stage),
     .doc = "The goal over time: straight lines, the first from 0."},
    {.path = "stages.duration", .type = PLAN_DURATION, .required = true, .minimum = 0, .maximum = NS(RUN_S_MAX),
     FIELD(stage, duration_ns), .doc = "How long the line is; 0 is a step."},
    {.path = "stages.to", .type = PLAN_STAGE_TO, .required = true, FIELD(stage, to),
     .doc = "The goal's value at the end of the line."},

    {.path = "requests_total", .type = PLAN_COUNT, .minimum = 1, .maximum = REQUESTS_MAX, FIELD(plan, requests_total),
     .preset_words = "no end but that of the duration",
     .doc = "End when so many requests have ended, over all agents; the goal is missed when they do not."},
    {.path = "duration", .type = PLAN_DURATION, .when = WHEN_CONSTANT, .required = true, .counted_out = true,
     .minimum = NS(1), .maximum = NS(RUN_S_MAX), FIELD(plan, schedule.duration_ns),
     .preset = "1h", .preset_words = "with `requests_total`: `1h`",
     .doc = "How long to load, warm-up included; with `requests_total` the longest it may take. With stages it is their sum."},
    {.path = "warmup", .type = PLAN_DURATION, .minimum = 0, .maximum = NS(RUN_S_MAX), .preset = "0", .later_word = "auto",
     FIELD(plan, schedule.warmup_ns), .doc = "The beginning of the run that the result leaves out; shorter than the run by 200ms or more."},
    {.path = "seed", .type = PLAN_COUNT, .minimum = 0, .maximum = SEED_MAX, .preset = "1", FIELD(plan, seed),
     .doc = "Of all that is drawn by lot: the same seed, the same draws."},

    {.path = "limits", .type = PLAN_MAP, .doc = "Where to stop, whatever the goal."},
    {.path = "limits.concurrency", .type = PLAN_COUNT, .minimum = 1, .maximum = CONCURRENCY_MAX, .preset = "20000",
     FIELD(plan, concurrency_max), .doc = "The ceiling of requests in flight, over all agents."},
    {.path = "limits.stop_after", .type = PLAN_DURATION, .minimum = 0, .maximum = NS(RUN_S_MAX), .preset = "10s",
     FIELD(plan, stop_after_ns), .doc = "Break off when more than half of the requests fail for so long; 0: never."},

    {.path = "agents", .type = PLAN_MAP, .doc = "The fleet."},
    {.path = "agents.expect", .type = PLAN_COUNT, .minimum = 1, .maximum = AGENTS_MAX, .preset = "1",
     FIELD(plan, agents_expect), .doc = "Begin when so many agents are ready."},
    {.path = "agents.min", .type = PLAN_COUNT, .minimum = 1, .maximum = AGENTS_MAX, .preset = "1",
     FIELD(plan, agents_min), .doc = "Break off when fewer than so many are left; at most `agents.expect`."},
    {.path = "agents.wait", .type = PLAN_DURATION, .minimum = NS(1), .maximum = NS(24 * 3600), .preset = "60s",
     FIELD(plan, agents_wait_ns), .doc = "How long to wait for the agents."},
    {.path = "agents.on_loss", .type = PLAN_WORD, .words = on_loss_words, .preset = "redistribute", FIELD(plan, on_loss),
     .doc = "When an agent is lost: give its share to the others, break off, or go on without its share."},

    {.path = "http", .type = PLAN_MAP, .doc = "How to talk to the target."},
    {.path = "http.headers", .type = PLAN_HEADERS, .when = WHEN_HTTP, .maximum = HEADERS_BYTES_MAX, FIELD(plan, headers),
     .preset_words = "none", .doc = "Sent with every request; a request's own header of the same name takes its place."},
    {.path = "http.timeout", .type = PLAN_DURATION, .minimum = NS(0.001), .maximum = NS(3600), .preset = "5s",
     FIELD(plan, timeout_ns), .doc = "Of a whole request, from its start; for tcp:// too."},
    {.path = "http.connect_timeout", .type = PLAN_DURATION, .minimum = 0, .maximum = NS(3600), .preset = "0",
     FIELD(plan, connect_timeout_ns), .doc = "Of making a connection; 0: only `http.timeout` ends it. Below that."},
    {.path = "http.first_byte_timeout", .type = PLAN_DURATION, .minimum = 0, .maximum = NS(3600), .preset = "0",
     FIELD(plan, first_byte_timeout_ns),
     .doc = "From the first byte sent to the first byte of the answer; 0: only `http.timeout` ends it. Below that."},
    {.path = "http.connection", .type = PLAN_MAP, .doc = "How long a connection is used; what it carries then, ends first."},
    {.path = "http.connection.requests", .type = PLAN_COUNT, .minimum = 1, .maximum = REUSES_MAX,
     FIELD(plan, connection_requests), .preset_words = "no bound", .doc = "Close a connection that has carried so many requests."},
    {.path = "http.connection.age", .type = PLAN_DURATION, .minimum = 0, .maximum = NS(RUN_S_MAX), .preset = "0",
     FIELD(plan, connection_age_ns), .doc = "Close a connection that is so old; 0: never."},
    {.path = "http.resolve", .type = PLAN_MAP, .doc = "When the target's name is looked up, beside the start."},
    {.path = "http.resolve.every", .type = PLAN_DURATION, .minimum = 0, .maximum = NS(24 * 3600), .preset = "0",
     FIELD(plan, resolve_every_ns),
     .doc = "Look it up so often; new connections go where it points then, if the agent's owner allows that. 0: never again."},
    {.path = "http.keep_alive", .type = PLAN_BOOL, .when = WHEN_HTTP, .preset = "true", FIELD(plan, keep_alive),
     .doc = "Whether a connection carries more than one request."},
    {.path = "http.version", .type = PLAN_WORD, .when = WHEN_HTTP, .words = version_words, .preset = "1.1", FIELD(plan, http_version),
     .doc = "`2`: HTTP/2, agreed upon with an https:// target (ALPN); an http:// target is taken to speak it (prior knowledge)."},
    {.path = "http.streams", .type = PLAN_COUNT, .when = WHEN_HTTP2, .minimum = 1, .maximum = STREAMS_MAX, .preset = "100",
     FIELD(plan, streams), .doc = "How many workers share a connection, each with a stream of its own; fewer when the target allows fewer."},
    {.path = "http.tls", .type = PLAN_MAP, .doc = "How a connection is encrypted: TLS 1.2 or 1.3."},
    {.path = "http.tls.verify", .type = PLAN_BOOL, .when = WHEN_TLS, .preset = "true", FIELD(plan, tls_options.verify),
     .doc = "Whether the target has to show a certificate that is valid, trusted and its own."},
    {.path = "http.tls.ca", .type = PLAN_TEXT, .when = WHEN_TLS, .minimum = 1, .maximum = NAME_BYTES_MAX,
     FIELD(plan, tls_options.authority_file), .preset_words = "those that each agent's machine trusts",
     .doc = "A file beside the plan: the certificates (PEM) of those who may sign the target's."},
    {.path = "http.tls.certificate", .type = PLAN_TEXT, .when = WHEN_TLS, .minimum = 1, .maximum = NAME_BYTES_MAX,
     FIELD(plan, tls_options.certificate_file), .preset_words = "none",
     .doc = "A file beside the plan: our own certificate (PEM), and those that it is signed by, for a target that asks."},
    {.path = "http.tls.key", .type = PLAN_TEXT, .when = WHEN_TLS, .minimum = 1, .maximum = NAME_BYTES_MAX,
     FIELD(plan, tls_options.key_file), .preset_words = "none",
     .doc = "A file beside the plan: the key (PEM, without a password) of that certificate. It is sent to the agents, and shown nowhere."},
    {.path = "http.tls.server_name", .type = PLAN_TEXT, .when = WHEN_TLS, .minimum = 1, .maximum = NAME_BYTES_MAX,
     FIELD(plan, tls_options.server_name), .preset_words = "the target's host",
     .doc = "The name that is asked for (SNI) and that the certificate has to be for."},
    {.path = "http.tls.resumption", .type = PLAN_BOOL, .when = WHEN_TLS, .preset = "true", FIELD(plan, tls_options.resumption),
     .doc = "Whether a new connection goes on with the session of an earlier one, as browsers do; without it each costs a full handshake."},
    {.path = "http.follow_redirects", .type = PLAN_COUNT, .when = WHEN_HTTP, .minimum = 0, .maximum = REDIRECTS_MAX, .preset = "0",
     FIELD(plan, redirects_max), .doc = "How many redirects behind a request are followed, each by a request of its own in the ledger, and only to the target itself; "
     "one that is not followed counts as any answer."},
    {.path = "http.cookies", .type = PLAN_BOOL, .when = WHEN_HTTP, .preset = "false", FIELD(plan, cookies),
     .doc = "Whether each worker keeps the target's cookies and sends them back."},
    {.path = "http.think", .type = PLAN_SPAN, .when = WHEN_CONCURRENCY, .minimum = 0, .maximum = NS(3600), FIELD(plan, think),
     .preset_words = "none", .doc = "How long each worker waits after an answer. No request is in flight meanwhile, and no latency counts it."},
    {.path = "redis", .type = PLAN_MAP, .doc = "How to talk to Redis."},
    {.path = "redis.pipeline", .type = PLAN_COUNT, .when = WHEN_REDIS, .minimum = 1, .maximum = STREAMS_MAX, .preset = "1", FIELD(plan, pipeline),
     .doc = "How many workers share a connection, each with one request on its way; their commands go out together."},
    {.path = "plugin", .type = PLAN_MAP, .doc = "A workload from a shared object that each agent's owner allows: `--plugin FILE`, `<clobber/plugin.h>`."},
    {.path = "plugin.name", .type = PLAN_TEXT, .when = WHEN_TCP, .minimum = 1, .maximum = NAME_BYTES_MAX, FIELD(plan, plugin),
     .preset_words = "none", .doc = "As the plugin calls itself. It makes the requests, so that `requests` are left out."},
    {.path = "plugin.options", .type = PLAN_TEXT, .when = WHEN_TCP, .minimum = 1, .maximum = 4096, FIELD(plan, plugin_options),
     .preset_words = "none", .doc = "What to tell it, in its own words."},
    {.path = "vars", .type = PLAN_VARIABLES, .maximum = VARIABLES_MAX, FIELD(plan, variables),
     COUNTED_BY(plan, variable_count), .preset_words = "none", .doc = "Constants for templates: `{{ NAME }}`."},
    {.path = "data", .type = PLAN_NAMED, .maximum = DATA_FILES_MAX, FIELD(plan, data), COUNTED_BY(plan, data_count),
     .element_bytes = sizeof(struct plan_data), .preset_words = "none",
     .doc = "Files of rows for templates: `{{ NAME.COLUMN }}`."},
    {.path = "data.file", .type = PLAN_TEXT, .required = true, .minimum = 1, .maximum = NAME_BYTES_MAX, FIELD(plan_data, file),
     .doc = "Beside the plan: `.csv` with a line of names first, `.jsonl` or `.ndjson` with an object a line."},
    {.path = "data.order", .type = PLAN_WORD, .words = order_words, .preset = "sequence", FIELD(plan_data, order),
     .doc = "Which row a request has, by its index over all agents: one after the other and again from the first, "
            "`random`, or `unique`: each row once, and the run ends with the last."},

    {.path = "requests", .type = PLAN_LIST, .when = WHEN_NO_PLUGIN, .minimum = 1, .maximum = REQUEST_NAMES_MAX,
     FIELD(plan, requests), COUNTED_BY(plan, request_count),
     .element = PLAN_MAP, .element_bytes = sizeof(struct plan_request),
     .preset_words = "one GET of the target's path; tcp: connect and close; redis: PING", .doc = "The mix."},
    {.path = "requests.name", .type = PLAN_TEXT, .minimum = 1, .maximum = NAME_BYTES_MAX, FIELD(plan_request, name),
     .preset_words = "method and path; redis: its words; tcp: `request N`", .doc = "Its name in the result; each once."},
    {.path = "requests.weight", .type = PLAN_COUNT, .minimum = 1, .maximum = WEIGHT_MAX, .preset = "1",
     FIELD(plan_request, weight), .doc = "Its share of the mix, against the sum of all weights."},
    {.path = "requests.get", .type = PLAN_METHOD, .when = WHEN_HTTP, .minimum = 1, .maximum = 8192,
     .doc = "Send a GET for this path. A request has exactly one method."},
    {.path = "requests.post", .type = PLAN_METHOD, .when = WHEN_HTTP, .minimum = 1, .maximum = 8192, .doc = "Send a POST."},
    {.path = "requests.put", .type = PLAN_METHOD, .when = WHEN_HTTP, .minimum = 1, .maximum = 8192, .doc = "Send a PUT."},
    {.path = "requests.delete", .type = PLAN_METHOD, .when = WHEN_HTTP, .minimum = 1, .maximum = 8192, .doc = "Send a DELETE."},
    {.path = "requests.patch", .type = PLAN_METHOD, .when = WHEN_HTTP, .minimum = 1, .maximum = 8192, .doc = "Send a PATCH."},
    {.path = "requests.head", .type = PLAN_METHOD, .when = WHEN_HTTP, .minimum = 1, .maximum = 8192, .doc = "Send a HEAD."},
    {.path = "requests.options", .type = PLAN_METHOD, .when = WHEN_HTTP, .minimum = 1, .maximum = 8192, .doc = "Send an OPTIONS."},
    {.path = "requests.headers", .type = PLAN_HEADERS, .when = WHEN_HTTP, .maximum = HEADERS_BYTES_MAX,
     FIELD(plan_request, headers), .preset_words = "those of `http.headers`", .doc = "Sent with this request."},
    {.path = "requests.body", .type = PLAN_PAYLOAD, .when = WHEN_HTTP, .minimum = 0, .maximum = BODY_BYTES_MAX,
     FIELD(plan_request, body), COUNTED_BY(plan_request, body_bytes), .preset_words = "none",
     .doc = "The body; its Content-Length is counted."},
    {.path = "requests.send", .type = PLAN_PAYLOAD, .when = WHEN_TCP, .minimum = 1, .maximum = BODY_BYTES_MAX,
     FIELD(plan_request, send), COUNTED_BY(plan_request, send_bytes), .preset_words = "connect and close",
     .doc = "What is sent, such as `\"PING\\r\\n\"` (double quotes: with escapes)."},
    {.path = "requests.command", .type = PLAN_COMMAND, .when = WHEN_REDIS, .minimum = 1, .maximum = BODY_BYTES_MAX,
     FIELD(plan_request, send), COUNTED_BY(plan_request, send_bytes), .preset_words = "PING",
     .doc = "The command: `SET key \"a value\"`, or its words as a list: `[SET, key, a value]`."},
    {.path = "requests.expect", .type = PLAN_MAP, .doc = "What makes an answer a good one."},
    {.path = "requests.expect.status", .type = PLAN_STATUSES, .when = WHEN_HTTP,
     FIELD(plan_request, expect_statuses), .preset_words = "any below 400", .doc = "One of these statuses and no other."},
    {.path = "requests.expect.header", .type = PLAN_EXPECTED, .when = WHEN_HTTP,
     FIELD(plan_request, expect_headers), .preset_words = "any headers", .doc = "Each of these headers is there, and its value contains the text; `\"\"`: any value."},
    {.path = "requests.expect.body_contains", .type = PLAN_BYTES, .when = WHEN_HTTP, .minimum = 1, .maximum = 4096,
     FIELD(plan_request, expect_body), COUNTED_BY(plan_request, expect_body_bytes), .preset_words = "any body",
     .doc = "The body contains this text, byte for byte, before any decoding of its content."},
    {.path = "requests.expect.body_size", .type = PLAN_SIZES, .when = WHEN_HTTP, FIELD(plan_request, expect_sizes),
     .preset_words = "any size", .doc = "How many bytes the body has, chunk framing not among them."},
    {.path = "requests.expect.prefix", .type = PLAN_BYTES, .when = WHEN_BYTES, .minimum = 1, .maximum = 4096,
     FIELD(plan_request, expect_prefix), COUNTED_BY(plan_request, expect_prefix_bytes),
     .preset_words = "any answer; redis: none that is an error", .doc = "The answer begins with this text, as it comes over the network."},
    {.path = "requests.reconnect", .type = PLAN_BOOL, .when = WHEN_BYTES, .preset = "false", FIELD(plan_request, reconnect),
     .doc = "A new connection for each request."},

    {.path = "thresholds", .type = PLAN_LIST, .minimum = 0, .maximum = THRESHOLDS_MAX, FIELD(plan, thresholds),
     COUNTED_BY(plan, threshold_count), .element = PLAN_THRESHOLD, .element_bytes = sizeof(struct threshold),
     .preset_words = "none",
     .doc = "Pass or fail, after the warm-up: `latency.p(99)`, `latency.mean`, `latency.max` and `service.p(99)` against a duration, "
            "`errors.rate` against a share, `throughput` against a rate; with `<`, `<=`, `>` or `>=`."},
};
/* clang-format on */

const struct plan_key *plan_keys(size_t *count)
{
    *count = COUNT(keys);
    return keys;
}

const struct plan_key *plan_key_find(const char *path)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    }
    return NULL;
}

/* "concurrency" when `path` is directly below `section`, else NULL. */
static const char *word_below(const char *section, const char *path)
{
    size_t length = strlen(section);
    if (length > 0) {
        if (strncmp(path, section, length) != 0 || path[length] != '.')
            return NULL;
        path += length + 1;
    }
    return strchr(path, '.') == NULL ? path : NULL;
}

const struct plan_key *plan_key_next(const char *section, const struct plan_key *key)
{
    for (size_t i = key == NULL ? 0 : (size_t)(key - keys) + 1; i < COUNT(keys); i++) {
        if (word_below(section, keys[i].path) != NULL)
            return &keys[i];
    }
    return NULL;
}

const char *plan_key_word(const struct plan_key *key)
{
    const char *dot = strrchr(key->path, '.');
    return dot != NULL ? dot + 1 : key->path;
}

void *plan_key_field(const struct plan_key *key, void *object)
{
    CHECK(key->bytes > 0);
    return (char *)object + key->offset;
}

uint32_t *plan_key_count(const struct plan_key *key, void *object)
{
    CHECK(key->count_offset > 0);
    return (uint32_t *)(void *)((char *)object + key->count_offset);
}

const char *plan_key_nearest(const char *section, const char *word)
{
    const char *siblings[SIBLINGS_MAX];
    size_t count = 0;
    const struct plan_key *key = NULL;
    while ((key = plan_key_next(section, key)) != NULL) {
        CHECK(count < SIBLINGS_MAX);
        siblings[count++] = plan_key_word(key);
    }
    const char *nearest = units_nearest(word, siblings, count);
    for (size_t i = 0; i < COUNT(keys) && nearest == NULL; i++) {
        if (strcmp(plan_key_word(&keys[i]), word) == 0)
            nearest = keys[i].path;
    }
    return nearest;
}

bool plan_key_applies(const struct plan_key *key, const struct plan *plan, bool staged)
{
    switch (key->when) {
    case WHEN_HTTP:
        return plan->scheme == SCHEME_HTTP;
    case WHEN_HTTP2:
        return plan->scheme == SCHEME_HTTP && plan->http_version == HTTP_VERSION_2;
    case WHEN_TCP:
        return plan->scheme == SCHEME_TCP;
    case WHEN_REDIS:
        return plan->scheme == SCHEME_REDIS;
    case WHEN_BYTES:
        return plan->scheme != SCHEME_HTTP;
    case WHEN_TLS:
        return plan->tls;
    case WHEN_NO_PLUGIN:
        return plan->plugin == NULL || plan->plugin[0] == '\0';
    case WHEN_HOLD:
        return plan->goal == GOAL_HOLD;
    case WHEN_CONCURRENCY:
        return plan->goal == GOAL_CONCURRENCY;
    case WHEN_MAXIMIZE:
        return plan_searches(plan);
    case WHEN_CONSTANT:
        return !staged;
    case WHEN_STAGES:
        return staged;
    case WHEN_ALWAYS:
        break;
    }
    return true;
}

const char *plan_when_words(enum plan_when when)
{
    switch (when) {
    case WHEN_HTTP:
        return "an http:// target";
    case WHEN_HTTP2:
        return "http.version: 2";
    case WHEN_TCP:
        return "a tcp:// target";
    case WHEN_REDIS:
        return "a redis:// target";
    case WHEN_BYTES:
        return "a tcp:// or redis:// target";
    case WHEN_TLS:
        return "an https://, tls:// or rediss:// target";
    case WHEN_NO_PLUGIN:
        return "a plan without plugin.name";
    case WHEN_HOLD:
        return "goal.hold";
    case WHEN_CONCURRENCY:
        return "goal.concurrency";
    case WHEN_MAXIMIZE:
        return "goal.maximize";
    case WHEN_CONSTANT:
        return "a goal of one value, not with stages";
    case WHEN_STAGES:
        return "goal: {hold: stages} or goal: {concurrency: stages}";
    case WHEN_ALWAYS:
        break;
    }
    return "every plan";
}

/* "a, b or c" of the keys below a map. */
static void join_children(const char *section, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    const struct plan_key *key = plan_key_next(section, NULL);
    while (key != NULL && used < text_bytes) {
        const struct plan_key *next = plan_key_next(section, key);
        while (next != NULL && next->type == PLAN_LATER)
            next = plan_key_next(section, next);
        const char *join = used == 0 ? "" : next == NULL ? " and " : ", ";
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", join, plan_key_word(key));
        key = next;
    }
}

const char *plan_section_keys(const char *section, char *text, size_t text_bytes)
{
    char list[256];
    join_children(section, list, sizeof list);
    snprintf(text, text_bytes, "the keys here are %s", list);
    return text;
}

static void join_words(const char *const *words, char *text, size_t text_bytes)
{
    size_t used = 0;
    for (size_t i = 0; words[i] != NULL && used < text_bytes; i++) {
        const char *join = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", join, words[i]);
    }
}

static void allow_duration(const struct plan_key *key, char *text, size_t text_bytes)
{
    char minimum[UNITS_TEXT_BYTES];
    char maximum[UNITS_TEXT_BYTES];
    units_show_duration((uint64_t)key->minimum, minimum);
    units_show_duration((uint64_t)key->maximum, maximum);
    snprintf(text, text_bytes, "a duration with its unit, from %s to %s, such as 250ms or 1h30m",
             key->minimum > 0 ? minimum : "0", maximum);
}

static void allow_stage_to(const struct plan *plan, char *text, size_t text_bytes)
{
    if (plan == NULL)
        snprintf(text, text_bytes, "a rate or a whole number, as the goal's unit is, from 0");
    else if (plan->goal == GOAL_HOLD)
        snprintf(text, text_bytes, "a rate from 0/s to %.0f/s, such as 5000/s or 300/min",
                 RATE_PER_S_MAX);
    else
        snprintf(text, text_bytes, "a whole number from 0 to %u", CONCURRENCY_MAX);
}

const char *plan_key_allowed(const struct plan_key *key, const struct plan *plan, char *text,
                             size_t text_bytes)
{
    char list[256];
    switch (key->type) {
    case PLAN_MAP:
        join_children(key->path, list, sizeof list);
        snprintf(text, text_bytes, "a map of %s", list);
        break;
    case PLAN_LIST:
        snprintf(text, text_bytes, "a list of %s%.0f %s", key->minimum > 0 ? "1 to " : "up to ",
                 key->maximum, key->element == PLAN_MAP ? "maps" : "lines");
        break;
    case PLAN_VERSION:
        snprintf(text, text_bytes, "%s", key->preset);
        break;
    case PLAN_TEXT:
        snprintf(text, text_bytes, "text of %.0f to %.0f bytes without control characters",
                 key->minimum, key->maximum);
        break;
    case PLAN_BYTES:
        snprintf(text, text_bytes, "text of %.0f to %.0f bytes", key->minimum, key->maximum);
        break;
    case PLAN_COMMAND:
        snprintf(text, text_bytes, "a command such as GET key, or a list of its words");
        break;
    case PLAN_PAYLOAD:
        snprintf(text, text_bytes, "text of %.0f to %.0f bytes, or a map of file", key->minimum,
                 key->maximum);
        break;
    case PLAN_NAMED:
        join_children(key->path, list, sizeof list);
        snprintf(text, text_bytes, "a map of up to %.0f names, each a map of %s", key->maximum,
                 list);
        break;
    case PLAN_VARIABLES:
        snprintf(text, text_bytes, "a map of up to %.0f names and texts", key->maximum);
        break;
    case PLAN_STATUSES:
        snprintf(text, text_bytes,
                 "a status such as 200, a class such as 2xx, or a list of 1 to %u of them",
                 EXPECT_ITEMS_MAX);
        break;
    case PLAN_EXPECTED:
        snprintf(text, text_bytes, "a map of 1 to %u header names and texts", EXPECT_ITEMS_MAX);
        break;
    case PLAN_SIZES:
        snprintf(text, text_bytes, "a size such as 512 or 64KiB, or a bound such as \"< 64KiB\"");
        break;
    case PLAN_SPAN:
        allow_duration(key, text, text_bytes);
        strncat(text, ", or a list of the least and the most", text_bytes - strlen(text) - 1);
        break;
    case PLAN_COUNT:
        snprintf(text, text_bytes, "a whole number from %.0f to %.0f", key->minimum, key->maximum);
        break;
    case PLAN_DURATION:
        allow_duration(key, text, text_bytes);
        break;
    case PLAN_SHARE:
        snprintf(text, text_bytes, "a share from %g%% to %g%%, such as 0.1%%", key->minimum * 100,
                 key->maximum * 100);
        break;
    case PLAN_BOOL:
        snprintf(text, text_bytes, "true or false");
        break;
    case PLAN_OBJECTIVE:
        snprintf(text, text_bytes, "the word throughput");
        break;
    case PLAN_WORD:
        join_words(key->words, text, text_bytes);
        break;
    case PLAN_RATE:
        snprintf(text, text_bytes,
                 "a rate from %g/s to %.0f/s, such as 5000/s or 300/min, or the word stages",
                 key->minimum, key->maximum);
        break;
    case PLAN_WORKERS:
        snprintf(text, text_bytes, "a whole number from %.0f to %.0f, or the word stages",
                 key->minimum, key->maximum);
        break;
    case PLAN_STAGE_TO:
        allow_stage_to(plan, text, text_bytes);
        break;
    case PLAN_TARGET:
        snprintf(text, text_bytes,
                 "http[s]://HOST[:PORT][/PATH], tcp://HOST:PORT, tls://HOST:PORT or "
                 "redis[s]://HOST[:PORT]");
        break;
    case PLAN_METHOD:
        snprintf(text, text_bytes, "a path that begins with '/', of at most %.0f bytes",
                 key->maximum);
        break;
    case PLAN_HEADERS:
        snprintf(text, text_bytes, "a map of header names and values, together at most %.0f bytes",
                 key->maximum);
        break;
    case PLAN_THRESHOLD:
        snprintf(text, text_bytes,
                 "a line such as latency.p(99) < 250ms, errors.rate < 0.1%% or "
                 "throughput > 4900/s");
        break;
    case PLAN_BOUND:
        snprintf(text, text_bytes, "latency.p(99) < 20ms, errors.rate < 0.5%%, or both");
        break;
    case PLAN_LATER:
        snprintf(text, text_bytes, "nothing");
        break;
    }
    return text;
}
