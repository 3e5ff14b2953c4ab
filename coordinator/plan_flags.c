/* The plan that `clobber run URL` means. */
#include "coordinator/plan.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/plan_check.h"
#include "coordinator/plan_headers.h"
#include "coordinator/plan_reading.h"
#include "coordinator/plan_table.h"
#include "coordinator/plan_value.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DURATION_NS (30 * NS_PER_S)
#define LONGEST_NS  (3600 * NS_PER_S) /* with -n: as a file's own default */
#define WARMUP_NS   (3 * NS_PER_S)

static bool usage(struct reading *reading, const char *sentence)
{
    return plan_errors_add(reading->errors, ERROR_USAGE, PLACE_NONE, "%s", sentence);
}

/* The same range as in a file, told with the flag's name. */
static bool check_range(struct reading *reading, const char *flag, const char *path, double value)
{
    const struct plan_key *key = plan_key_find(path);
    CHECK(key != NULL);
    if (value >= key->minimum && value <= key->maximum)
        return true;
    char allowed[320];
    plan_key_allowed(key, NULL, allowed, sizeof allowed);
    char *stages = strstr(allowed, ", or the word stages");
    if (stages != NULL)
        *stages = '\0'; /* that is for files */
    return plan_errors_add(reading->errors, ERROR_USAGE, PLACE_NONE, "%s is out of range; give %s",
                           flag, allowed);
}

/* "p(99)<20ms" is short for latency.p(99) < 20ms: a bound on anything else has a name. */
static void put_bound(struct reading *reading, const char *text, size_t text_bytes)
{
    struct plan *plan = reading->plan;
    if (plan->bound_count == BOUNDS_MAX) {
        usage(reading, "--while has more than two bounds; give at most one on a latency quantile "
                       "and one on errors.rate");
        return;
    }
    struct plan_key key = *plan_key_find("goal.while");
    key.path = "--while";
    key.type = key.element;
    char *line = NULL;
    bool is_short = strncmp(text, "p(", 2) == 0;
    int bytes = asprintf(&line, "%s%.*s", is_short ? "latency." : "", (int)text_bytes, text);
    if (bytes < 0) {
        usage(reading, "out of memory reading the flags");
        return;
    }
    struct node node = {.kind = NODE_SCALAR, .text = line, .text_bytes = (size_t)bytes};
    if (plan_value_read(reading, &key, &node, &plan->bounds[plan->bound_count]))
        plan->bound_count++;
    free(line);
}

static void put_bounds(struct reading *reading, const char *text)
{
    for (;;) {
        text += strspn(text, " ");
        size_t bytes = strcspn(text, ",");
        put_bound(reading, text, bytes);
        if (text[bytes] == '\0')
            return;
        text += bytes + 1;
    }
}

static void put_goal(struct reading *reading, const struct plan_flags *flags)
{
    struct plan *plan = reading->plan;
    bool searches = flags->rate_per_s <= 0 && flags->concurrency == 0;
    if (flags->rate_per_s > 0 && flags->concurrency > 0) {
        usage(reading, "-R and -c together; give -R to hold a rate, or -c for a fixed concurrency");
    } else if (!searches && flags->bound_given_count > 0) {
        usage(reading, "--while goes with a search for the most, which is neither -R nor -c; leave "
                       "these out, or --while");
    } else if (flags->rate_per_s > 0) {
        check_range(reading, "-R", "goal.hold", flags->rate_per_s);
        plan->goal = GOAL_HOLD;
        plan->schedule.value = flags->rate_per_s;
    } else if (flags->concurrency > 0) {
        check_range(reading, "-c", "goal.concurrency", flags->concurrency);
        plan->goal = GOAL_CONCURRENCY;
        plan->schedule.value = flags->concurrency;
        if (plan->concurrency_max < flags->concurrency)
            plan->concurrency_max = flags->concurrency;
    } else {
        plan->goal = GOAL_MAXIMIZE;
        for (uint32_t i = 0; i < flags->bound_given_count; i++)
            put_bounds(reading, flags->bounds[i]);
    }
    reading->goal_known = true;
}

static void put_times(struct reading *reading, const struct plan_flags *flags)
{
    struct schedule *schedule = &reading->plan->schedule;
    uint64_t total = flags->requests_total;
    reading->plan->requests_total = total;
    schedule->duration_ns = flags->duration_ns > 0 ? flags->duration_ns
                            : total > 0            ? LONGEST_NS
                                                   : DURATION_NS;
    check_range(reading, "--duration", "duration", (double)schedule->duration_ns);
    /* Who counts requests wants to see all of them in the result. */
    schedule->warmup_ns = total > 0                                ? 0
                          : schedule->duration_ns >= 2 * WARMUP_NS ? WARMUP_NS
                                                                   : schedule->duration_ns / 2;
    if (flags->timeout_ns > 0) {
        check_range(reading, "--timeout", "http.timeout", (double)flags->timeout_ns);
        reading->plan->timeout_ns = flags->timeout_ns;
    }
}

static bool is_utf8(const char *text)
{
    uint32_t code;
    size_t length = 1;
    for (size_t left = strlen(text); left > 0 && length > 0; text += length, left -= length)
        length = utf8_read(text, left, &code);
    return length > 0;
}

/* Reads `text` as the file's value of `path` would be read, into `object`. */
static void put_text(struct reading *reading, const char *path, const char *text, void *object)
{
    const struct plan_key *key = plan_key_find(path);
    CHECK(key != NULL);
    size_t bytes = strlen(text);
    if (!is_utf8(text)) { /* a file is checked as a whole, words of a command line are not */
        plan_errors_add(reading->errors, ERROR_USAGE, PLACE_NONE, "%s is not UTF-8; give text",
                        path);
        return;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        usage(reading, "out of memory reading the flags");
        return;
    }
    struct node node = {.kind = NODE_SCALAR, .text = copy, .text_bytes = bytes, .quoted = true};
    plan_value_read(reading, key, &node, object);
    free(copy);
}

static void put_header(struct reading *reading, const char *line)
{
    char **headers = &reading->plan->headers;
    char shown[64];
    const char *colon = strchr(line, ':');
    if (colon == NULL) {
        plan_errors_add(reading->errors, ERROR_USAGE, PLACE_NONE,
                        "-H has '%s', which has no ':'; give 'Name: value'",
                        harmless_text(line, shown, sizeof shown));
        return;
    }
    char *name = strndup(line, (size_t)(colon - line));
    if (name == NULL) {
        usage(reading, "out of memory reading the flags");
        return;
    }
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    const char *mistake = header_mistake(name, value, strlen(value));
    if (!is_utf8(value))
        mistake = "its value is not UTF-8: give text";
    if (mistake == NULL && *headers != NULL && headers_have(*headers, name, strlen(name)))
        mistake = "it is there already: a header may come once";
    if (mistake != NULL) {
        plan_errors_add(reading->errors, ERROR_USAGE, PLACE_NONE, "-H has '%s'; %s",
                        harmless_text(name, shown, sizeof shown), mistake);
    } else if (!headers_add(headers, name, value)) {
        usage(reading, "out of memory reading the flags");
    }
    free(name);
}

/* "requests.get" for "GET" and "get". */
static void put_method(struct reading *reading, const struct plan_flags *flags)
{
    struct plan *plan = reading->plan;
    const struct plan_key *key = NULL;
    const char *method = flags->method != NULL ? flags->method
                         : flags->body != NULL ? "post"
                                               : "get";
    while ((key = plan_key_next("requests", key)) != NULL) {
        if (key->type != PLAN_METHOD || strcasecmp(plan_key_word(key), method) != 0)
            continue;
        put_text(reading, key->path, plan->target_path, &plan->requests[0]);
        return;
    }
    usage(reading, "-m is an unknown method; give GET, POST, PUT, DELETE, PATCH, HEAD or OPTIONS");
}

static void put_http(struct reading *reading, const struct plan_flags *flags)
{
    struct plan_request *request = &reading->plan->requests[0];
    put_method(reading, flags);
    if (flags->header_count > HEADERS_MAX)
        usage(reading, "more than 100 headers; give fewer");
    else
        for (uint32_t i = 0; i < flags->header_count; i++)
            put_header(reading, flags->headers[i]);
    if (flags->body != NULL)
        put_text(reading, "requests.body", flags->body, request);
}

static void put_request(struct reading *reading, const struct plan_flags *flags)
{
    struct plan *plan = reading->plan;
    if (!reading->target_known)
        return;
    plan->request_count = 1;
    plan->requests[0].weight = 1;
    if (plan->scheme == SCHEME_HTTP)
        put_http(reading, flags);
    else if (flags->method != NULL || flags->header_count > 0 || flags->body != NULL)
        usage(reading, "-m, -H and -b go with an http:// target; leave them out");
    else if (plan->scheme == SCHEME_REDIS)
        put_text(reading, "requests.command", "PING", &plan->requests[0]);
}

static void put_tls(struct reading *reading, const struct plan_flags *flags)
{
    if (!flags->trusting || !reading->target_known)
        return;
    if (reading->plan->tls)
        reading->plan->tls_options.verify = false;
    else
        usage(reading, "-k goes with an https://, tls:// or rediss:// target; leave it out");
}

struct plan *plan_from_flags(const struct plan_flags *flags, struct plan_errors *errors)
{
    CHECK(flags->url != NULL);
    struct reading reading;
    struct plan *plan = plan_begin(&reading, flags->url, errors);
    if (plan == NULL)
        return NULL;
    const struct plan_files files = plan_files_beside("");
    reading.files = &files;
    plan_presets(&reading);
    put_text(&reading, "target", flags->url, plan);
    put_goal(&reading, flags);
    put_times(&reading, flags);
    put_request(&reading, flags);
    put_tls(&reading, flags);
    if (flags->name != NULL)
        put_text(&reading, "name", flags->name, plan);
    else if (reading.target_known)
        put_text(&reading, "name", plan->host, plan);
    if (errors->count == 0)
        plan_check(&reading, NULL);
    for (uint32_t i = 0; i < errors->count; i++)
        errors->items[i].kind = ERROR_USAGE;
    return plan_end(&reading);
}
