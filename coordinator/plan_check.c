#include "coordinator/plan_check.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/limits.h"
#include "common/base/units.h"
#include "coordinator/plan_command.h"
#include "coordinator/plan_data.h"
#include "coordinator/plan_expect.h"
#include "coordinator/plan_headers.h"
#include "coordinator/plan_template.h"
#include "coordinator/plan_tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a request takes in an assignment beside its own texts: method, version, Host, User-Agent,
 * Content-Length, lengths on the wire. */
#define REQUEST_OVERHEAD_BYTES    1024u
#define ASSIGNMENT_OVERHEAD_BYTES 1024u /* host, numbers, lengths */
static_assert(REQUEST_NAMES_MAX * REQUEST_OVERHEAD_BYTES + ASSIGNMENT_OVERHEAD_BYTES <=
                  ASSIGNMENT_BYTES_MAX * 3 / 4,
              "a full mix must leave room for texts");

/* What a warm-up leaves, so that one tick at least sees it. */
#define MEASURED_NS_MIN (2 * TICK_MS * NS_PER_MS)

#define COMMAND_NAME_BYTES 64u /* a longer one is no help on a screen */

static const char *const empty = "";

/* Where the value of `section.word` stands, or else its section, or the plan. */
static struct place place_of(const struct node *root, const char *section, const char *word)
{
    const struct node *map = section != NULL ? node_find(root, section) : root;
    const struct node *node = node_find(map, word);
    if (node != NULL)
        return node->place;
    if (map != NULL)
        return map->place;
    return root != NULL ? root->place : PLACE_NONE;
}

static void check_goal(struct reading *reading, const struct node *root)
{
    const struct node *goal = node_find(root, "goal");
    if (goal == NULL || goal->kind != NODE_MAP)
        return; /* reported already */
    uint32_t given = 0;
    for (const struct node *node = goal->first; node != NULL; node = node->next) {
        if (strcmp(node->key, "hold") != 0 && strcmp(node->key, "concurrency") != 0 &&
            strcmp(node->key, "maximize") != 0)
            continue;
        if (node->kind != NODE_REFUSED && ++given == 2) {
            plan_errors_add(reading->errors, ERROR_PLAN, node->key_place,
                            "goal.%s is a second goal; give exactly one", node->key);
        }
    }
    if (given == 0) {
        plan_errors_add(
            reading->errors, ERROR_PLAN, goal->place,
            "goal has none of hold, concurrency and maximize; give exactly one of them");
    }
}

/* Closed arrivals fall due when a worker is free. */
static void check_spacing(struct reading *reading, const struct node *root)
{
    const struct plan *plan = reading->plan;
    if (plan->spacing == SPACING_POISSON && plan->arrivals == ARRIVALS_CLOSED)
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "goal", "spacing"),
                        "goal.spacing is 'poisson', and closed arrivals have no schedule; leave it "
                        "out, or give goal.arrivals: open");
}

/* Two bounds on one metric are one too many: the lower would be the bound. */
static void check_bounds(struct reading *reading, const struct node *root)
{
    struct plan *plan = reading->plan;
    if (plan->bound_count == 0)
        return;
    plan->goal = GOAL_MAXIMIZE_WHILE;
    for (uint32_t i = 1; i < plan->bound_count; i++) {
        if (plan->bounds[i].text != NULL && plan->bounds[0].text != NULL &&
            plan->bounds[i].metric == plan->bounds[0].metric)
            plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "goal", "while"),
                            "goal.while bounds %s twice; give at most one bound on a latency "
                            "quantile and one on errors.rate",
                            plan->bounds[i].metric == METRIC_ERRORS_RATE ? "errors.rate"
                                                                         : "latency");
    }
}

/* Stages make the duration; a goal that is 0 all along is none. Only said of a plan that could be
 * read: sums over what is missing mislead. */
static void check_stages(struct reading *reading, const struct node *root)
{
    struct schedule *schedule = &reading->plan->schedule;
    if (!reading->staged || schedule->stage_count == 0 || reading->errors->count > 0)
        return;
    double highest = 0.0;
    uint64_t sum_ns = 0;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        sum_ns += schedule->stages[i].duration_ns;
        if (schedule->stages[i].to > highest)
            highest = schedule->stages[i].to;
    }
    schedule->duration_ns = sum_ns;
    struct place place = place_of(root, NULL, "stages");
    char shown[UNITS_TEXT_BYTES];
    if (sum_ns < NS_PER_S || sum_ns > (uint64_t)RUN_S_MAX * NS_PER_S) {
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "stages take %s together; give from 1s to %uh",
                        units_show_duration(sum_ns, shown), RUN_S_MAX / 3600);
    }
    if (!(highest > 0.0)) {
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "stages stay at 0; give at least one `to` above 0");
    }
    if (reading->plan->goal == GOAL_CONCURRENCY && highest > reading->plan->concurrency_max) {
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "stages go up to %.0f; give at most limits.concurrency, which is %u",
                        highest, reading->plan->concurrency_max);
    }
}

static void check_time(struct reading *reading, const struct node *root)
{
    const struct schedule *schedule = &reading->plan->schedule;
    if (schedule->duration_ns < MEASURED_NS_MIN ||
        schedule->warmup_ns <= schedule->duration_ns - MEASURED_NS_MIN)
        return; /* a duration of less than a second is reported already */
    char warmup[UNITS_TEXT_BYTES];
    char longest[UNITS_TEXT_BYTES];
    char duration[UNITS_TEXT_BYTES];
    plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, NULL, "warmup"),
                    "warmup is %s; give at most %s of a run that takes %s",
                    units_show_duration(schedule->warmup_ns, warmup),
                    units_show_duration(schedule->duration_ns - MEASURED_NS_MIN, longest),
                    units_show_duration(schedule->duration_ns, duration));
}

/* What falls due in the warm-up alone is measured by nothing. */
static void check_total(struct reading *reading, const struct node *root)
{
    const struct plan *plan = reading->plan;
    const struct schedule *schedule = &plan->schedule;
    if (plan->requests_total == 0 || plan->goal != GOAL_HOLD || reading->staged ||
        !(schedule->value > 0.0))
        return;
    double warmup_s = (double)schedule->warmup_ns / 1e9;
    if (schedule->value * warmup_s < (double)plan->requests_total)
        return;
    char warmup[UNITS_TEXT_BYTES];
    plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, NULL, "warmup"),
                    "warmup is %s, in which all %" PRIu64
                    " requests of requests_total fall due; give less, or more requests",
                    units_show_duration(schedule->warmup_ns, warmup), plan->requests_total);
}

static void check_fleet(struct reading *reading, const struct node *root)
{
    struct plan *plan = reading->plan;
    plan->agents_expect_given = node_find(node_find(root, "agents"), "expect") != NULL;
    if (plan->agents_expect > 0 && plan->agents_min > plan->agents_expect) {
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "agents", "min"),
                        "agents.min is %u; give at most agents.expect, which is %u",
                        plan->agents_min, plan->agents_expect);
    }
    if (reading->goal_known && !reading->staged && plan->goal == GOAL_CONCURRENCY &&
        plan->concurrency_max > 0 && plan->schedule.value > plan->concurrency_max) {
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "goal", "concurrency"),
                        "goal.concurrency is %.0f; give at most limits.concurrency, which is %u",
                        plan->schedule.value, plan->concurrency_max);
    }
}

/* Limits that could never be reached, or that nothing can keep. */
static void check_connection(struct reading *reading, const struct node *root)
{
    const struct plan *plan = reading->plan;
    const struct node *http = node_find(root, "http");
    const struct {
        const char *word;
        uint64_t value_ns, least_ns, below_ns;
        struct place place;
    } rows[] = {
        {"http.connect_timeout", plan->connect_timeout_ns, NS_PER_MS, plan->timeout_ns,
         place_of(root, "http", "connect_timeout")},
        {"http.first_byte_timeout", plan->first_byte_timeout_ns, NS_PER_MS, plan->timeout_ns,
         place_of(root, "http", "first_byte_timeout")},
        {"http.connection.age", plan->connection_age_ns, NS_PER_MS, UINT64_MAX,
         place_of(http, "connection", "age")},
        {"http.resolve.every", plan->resolve_every_ns, NS_PER_S, UINT64_MAX,
         place_of(http, "resolve", "every")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char shown[UNITS_TEXT_BYTES], bound[UNITS_TEXT_BYTES];
        units_show_duration(rows[i].value_ns, shown);
        if (rows[i].value_ns > 0 && rows[i].value_ns < rows[i].least_ns)
            plan_errors_add(reading->errors, ERROR_PLAN, rows[i].place,
                            "%s is %s; give 0 for none, or at least %s", rows[i].word, shown,
                            units_show_duration(rows[i].least_ns, bound));
        else if (rows[i].value_ns >= rows[i].below_ns && rows[i].below_ns > 0)
            plan_errors_add(reading->errors, ERROR_PLAN, rows[i].place,
                            "%s is %s; give less than http.timeout, which is %s", rows[i].word,
                            shown, units_show_duration(rows[i].below_ns, bound));
    }
    if (plan->resolve_every_ns > 0 && plan->unix_path[0] != '\0')
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(http, "resolve", "every"),
                        "http.resolve looks up a name, and the target is a Unix socket; leave it "
                        "out");
    if (!plan->keep_alive && (plan->connection_requests > 0 || plan->connection_age_ns > 0))
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "http", "connection"),
                        "http.connection bounds connections that http.keep_alive: false ends "
                        "after one request; leave one of them out");
}

/* "GET key", or "GET" where that would be no name on a screen. False: not even that. */
static bool name_command(const struct plan_request *request, char *name, size_t name_bytes)
{
    const char *at = request->send;
    const char *end = at + request->send_bytes;
    size_t length = 0;
    uint32_t count = 0;
    name[0] = '\0';
    for (struct command_word word; command_next(&at, end, &word); count++) {
        bool fits = length + 1 + word.bytes < name_bytes && word.bytes > 0 &&
                    !plan_text_is_unsafe(word.text, word.bytes);
        if (!fits)
            return count > 0;
        length += (size_t)snprintf(name + length, name_bytes - length, "%s%.*s",
                                   count > 0 ? " " : "", (int)word.bytes, word.text);
    }
    return count > 0;
}

/* "GET /path", "GET key", or "request 2". */
static void name_request(struct reading *reading, uint32_t index, struct place place)
{
    struct plan_request *request = &reading->plan->requests[index];
    char name[NAME_BYTES_MAX + 1];
    if (request->name != NULL)
        return;
    if (request->method != NULL && request->path != NULL)
        snprintf(name, sizeof name, "%s %s", request->method, request->path);
    else if (reading->plan->scheme != SCHEME_REDIS ||
             !name_command(request, name, COMMAND_NAME_BYTES))
        snprintf(name, sizeof name, "request %u", index + 1);
    plan_put_text(reading, &request->name, name, strlen(name), place);
}

/* The plan's common headers come first. */
static void merge_headers(struct reading *reading, struct plan_request *request, struct place place)
{
    const char *common = reading->plan->headers != NULL ? reading->plan->headers : empty;
    char *merged = headers_merge(common, request->headers != NULL ? request->headers : empty);
    if (merged == NULL) {
        plan_errors_add(reading->errors, ERROR_MEMORY, place, "out of memory reading the plan");
        return;
    }
    free(request->headers);
    request->headers = merged;
    struct header header;
    uint32_t count = 0;
    for (const char *at = merged; header_next(&at, &header);)
        count++;
    if (strlen(merged) > HEADERS_BYTES_MAX || count > HEADERS_MAX) {
        plan_errors_add(reading->errors, ERROR_LIMIT, place,
                        "this request has %u headers of %zu bytes with those of http.headers; give "
                        "at most %u of %u bytes",
                        count, strlen(merged), HEADERS_MAX, HEADERS_BYTES_MAX);
    }
}

static void check_request(struct reading *reading, uint32_t index, struct place place)
{
    struct plan *plan = reading->plan;
    struct plan_request *request = &plan->requests[index];
    if (plan->scheme == SCHEME_HTTP && request->method == NULL) {
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "a request without a method; give get, post, put, delete, patch, head or "
                        "options, as in get: /");
        return;
    }
    if (request->expect_prefix_bytes > 0 && request->send_bytes == 0) {
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "requests.expect.prefix without requests.send; give what to send, or "
                        "expect nothing");
    }
    name_request(reading, index, place);
    merge_headers(reading, request, place);
    plan_expect_check(reading, request, place);
    for (uint32_t i = 0; i < index; i++) {
        const char *other = plan->requests[i].name;
        if (other == NULL || request->name == NULL || strcmp(other, request->name) != 0)
            continue;
        char shown[64];
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "a second request called '%s'; give each a name of its own",
                        harmless_text(request->name, shown, sizeof shown));
        break;
    }
}

/* Without requests: one GET of the target's own path; of a tcp target: connect and close; of
 * Redis: one PING. */
static void add_default_request(struct reading *reading, struct place place)
{
    struct plan *plan = reading->plan;
    struct plan_request *request = &plan->requests[0];
    plan->request_count = 1;
    request->weight = 1;
    if (plan->scheme == SCHEME_HTTP) {
        plan_put_text(reading, &request->method, "GET", strlen("GET"), place);
        plan_put_text(reading, &request->path, plan->target_path, strlen(plan->target_path), place);
    } else if (plan->plugin != NULL) {
        plan_put_text(reading, &request->name, plan->plugin, strlen(plan->plugin), place);
    } else if (plan->scheme == SCHEME_REDIS) {
        static const char ping[] = "*1\r\n$4\r\nPING\r\n";
        plan_put_text(reading, &request->send, ping, strlen(ping), place);
        request->send_bytes = sizeof ping - 1;
    }
}

static void check_plugin(struct reading *reading, const struct node *root)
{
    const struct plan *plan = reading->plan;
    if (plan->plugin_options != NULL && plan->plugin == NULL) {
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, NULL, "plugin"),
                        "plugin.options without plugin.name; give the plugin that they are for");
    }
}

/* What bounds one worker's connection has no meaning where workers share it. */
static void check_sharing(struct reading *reading, const struct node *root)
{
    const struct plan *plan = reading->plan;
    bool http2 = plan->scheme == SCHEME_HTTP && plan->http_version == HTTP_VERSION_2;
    const char *sharing = http2                                                ? "http.version: 2"
                          : plan->scheme == SCHEME_REDIS && plan->pipeline > 1 ? "redis.pipeline"
                                                                               : NULL;
    if (sharing == NULL)
        return;
    if (plan->connection_requests > 0 || plan->connection_age_ns > 0) {
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "http", "connection"),
                        "http.connection bounds one worker's connection, and %s shares them; leave "
                        "one of them out",
                        sharing);
    }
    if (http2 && !plan->keep_alive) {
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "http", "keep_alive"),
                        "http.keep_alive is false, and %s shares connections; leave one of them "
                        "out",
                        sharing);
    }
    for (uint32_t i = 0; i < plan->request_count; i++) {
        if (!plan->requests[i].reconnect)
            continue;
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, NULL, "requests"),
                        "requests.reconnect makes connections, and %s shares them; leave one of "
                        "them out",
                        sharing);
        break;
    }
}

/* An assignment has one size for all plans, so that no agent is asked for more than it keeps free.
 */
static void check_size(struct reading *reading, const struct node *root)
{
    const struct plan *plan = reading->plan;
    size_t sum = ASSIGNMENT_OVERHEAD_BYTES;
    for (uint32_t i = 0; i < plan->request_count; i++) {
        const struct plan_request *request = &plan->requests[i];
        const char *const texts[] = {request->name, request->path, request->headers,
                                     request->expect_headers};
        sum += REQUEST_OVERHEAD_BYTES + request->body_bytes + request->send_bytes +
               request->expect_prefix_bytes + request->expect_body_bytes;
        for (size_t j = 0; j < COUNT(texts); j++)
            sum += texts[j] != NULL ? strlen(texts[j]) : 0;
    }
    if (sum > (size_t)ASSIGNMENT_BYTES_MAX) {
        plan_errors_add(reading->errors, ERROR_LIMIT, place_of(root, NULL, "requests"),
                        "requests take %zu bytes together, with their headers and bodies and %u "
                        "for each; give at most %u",
                        sum, REQUEST_OVERHEAD_BYTES, ASSIGNMENT_BYTES_MAX);
    }
}

static void check_expectations(struct reading *reading, const struct node *root)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < reading->plan->request_count; i++)
        count += plan_expect_count(&reading->plan->requests[i]);
    if (count > EXPECTATIONS_MAX) {
        plan_errors_add(reading->errors, ERROR_LIMIT, place_of(root, NULL, "requests"),
                        "requests expect %u things together: statuses, headers, texts and sizes; "
                        "give at most %u",
                        count, EXPECTATIONS_MAX);
    }
}

static void check_requests(struct reading *reading, const struct node *root)
{
    if (!reading->target_known)
        return; /* nobody knows what a request is then */
    const struct node *list = node_find(root, "requests");
    if (list == NULL) {
        if (reading->plan->request_count == 0)
            add_default_request(reading, place_of(root, NULL, "target"));
        check_request(reading, 0, place_of(root, NULL, "target"));
    } else if (list->kind == NODE_LIST) {
        const struct node *node = list->first;
        for (uint32_t i = 0; i < reading->plan->request_count; i++, node = node->next) {
            if (node->kind != NODE_MAP)
                continue;
            if (reading->plan->scheme == SCHEME_REDIS && node_find(node, "command") == NULL)
                plan_errors_add(reading->errors, ERROR_PLAN, node->place,
                                "a request without a command; give one, as in command: GET key");
            check_request(reading, i, node->place);
        }
    }
    check_size(reading, root);
    check_expectations(reading, root);
}

/* The file's name without its folder and ending, or "plan" for standard input and for names that
 * are no text. */
static void name_plan(struct reading *reading)
{
    struct plan *plan = reading->plan;
    if (plan->name != NULL)
        return;
    const char *slash = strrchr(plan->path, '/');
    const char *base = slash != NULL ? slash + 1 : plan->path;
    const char *dot = strrchr(base, '.');
    size_t bytes = dot != NULL && dot > base ? (size_t)(dot - base) : strlen(base);
    if (bytes == 0 || bytes > NAME_BYTES_MAX || strcmp(base, "-") == 0 ||
        plan_text_is_unsafe(base, bytes)) {
        base = "plan";
        bytes = strlen(base);
    }
    plan_put_text(reading, &plan->name, base, bytes, PLACE_NONE);
}

void plan_check(struct reading *reading, const struct node *root)
{
    check_goal(reading, root);
    check_spacing(reading, root);
    check_bounds(reading, root);
    check_stages(reading, root);
    check_time(reading, root);
    check_total(reading, root);
    check_fleet(reading, root);
    check_sharing(reading, root);
    check_plugin(reading, root);
    plan_data_load(reading, root);
    check_connection(reading, root);
    plan_tls_load(reading, root);
    check_requests(reading, root);
    plan_template_check(reading, root);
    name_plan(reading);
}
