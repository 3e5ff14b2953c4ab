#include "coordinator/plan_value.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/plan_command.h"
#include "coordinator/plan_expect.h"
#include "coordinator/plan_headers.h"
#include "coordinator/plan_secret.h"
#include "coordinator/plan_target.h"
#include "coordinator/plan_threshold.h"
#include "coordinator/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALLOWED_BYTES 320
#define SHOWN_BYTES   48 /* so much of a wrong value is repeated in a sentence */

static bool is_empty(const struct node *node)
{
    return node->kind == NODE_SCALAR && !node->quoted &&
           (node->text_bytes == 0 || strcmp(node->text, "~") == 0 ||
            strcasecmp(node->text, "null") == 0);
}

/* "'5'", "a list", "empty": what was found. */
static const char *node_shown(const struct node *node, char *text, size_t text_bytes)
{
    char shown[SHOWN_BYTES];
    if (node->kind == NODE_MAP)
        return "a map";
    if (node->kind == NODE_LIST)
        return node->count == 0 ? "an empty list" : "a list";
    if (is_empty(node))
        return "empty";
    if (strlen(node->text) != node->text_bytes)
        return "text with a NUL";
    snprintf(text, text_bytes, "%s'%s%s'", node->quoted ? "the text " : "",
             harmless_text(node->text, shown, sizeof shown),
             node->text_bytes >= SHOWN_BYTES ? "..." : "");
    return text;
}

static const char *const no_words[] = {NULL};

/* "; did you mean 'abort'?" when a word is near, else "". */
static const char *suggestion(const struct plan_key *key, const struct node *node, char *text,
                              size_t text_bytes)
{
    const char *const *words = key->words != NULL ? key->words : no_words;
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    const char *nearest =
        node->kind == NODE_SCALAR ? units_nearest(node->text, words, count) : NULL;
    text[0] = '\0';
    if (nearest != NULL)
        snprintf(text, text_bytes, "; did you mean '%s'?", nearest);
    return text;
}

bool plan_mistake(struct reading *reading, const struct plan_key *key, const struct node *node)
{
    char found[2 * SHOWN_BYTES];
    char allowed[ALLOWED_BYTES];
    char near[SHOWN_BYTES];
    return plan_errors_add(
        reading->errors, ERROR_PLAN, node->place, "%s is %s; give %s%s", key->path,
        node_shown(node, found, sizeof found),
        plan_key_allowed(key, reading->goal_known ? reading->plan : NULL, allowed, sizeof allowed),
        suggestion(key, node, near, sizeof near));
}

bool plan_put_text(struct reading *reading, char **field, const char *text, size_t text_bytes,
                   struct place place)
{
    char *copy = malloc(text_bytes + 1);
    if (copy == NULL)
        return plan_errors_add(reading->errors, ERROR_MEMORY, place,
                               "out of memory reading the plan");
    memcpy(copy, text, text_bytes);
    copy[text_bytes] = '\0';
    free(*field);
    *field = copy;
    return true;
}

static bool in_range(const struct plan_key *key, double value)
{
    return value >= key->minimum && value <= key->maximum; /* so written that NaN fails too */
}

bool plan_text_is_unsafe(const char *text, size_t text_bytes)
{
    uint32_t code;
    for (size_t at = 0; at < text_bytes;) {
        size_t length = utf8_read(text + at, text_bytes - at, &code);
        if (length == 0 || code < ' ' || (code >= 0x7F && code < 0xA0))
            return true;
        at += length;
    }
    return false;
}

/* A number, and no text in quotes that looks like one. A leading 0 is an octal number to YAML 1.1
 * and a decimal one to people: neither is guessed. */
static bool read_count(const struct node *node, uint64_t *count)
{
    if (node->quoted || (node->text[0] == '0' && node->text[1] != '\0'))
        return false;
    return units_read_count(node->text, count);
}

static bool put_count(const struct plan_key *key, const struct node *node, void *field)
{
    uint64_t count;
    if (!read_count(node, &count) || !in_range(key, (double)count))
        return false;
    if (key->bytes == sizeof(uint16_t))
        *(uint16_t *)field = (uint16_t)count;
    else if (key->bytes == sizeof(uint32_t))
        *(uint32_t *)field = (uint32_t)count;
    else
        *(uint64_t *)field = count;
    return true;
}

static bool put_duration(const struct plan_key *key, const struct node *node, void *field)
{
    uint64_t duration_ns;
    if (!units_read_duration(node->text, &duration_ns) || !in_range(key, (double)duration_ns))
        return false;
    *(uint64_t *)field = duration_ns;
    return true;
}

static bool put_share(const struct plan_key *key, const struct node *node, void *field)
{
    double share;
    if (!units_read_share(node->text, &share) || !in_range(key, share))
        return false;
    *(double *)field = share;
    return true;
}

/* YAML 1.1 knows yes, no, on and off too; a reader of the plan may take them for names. */
static bool put_bool(const struct node *node, void *field)
{
    bool is_true = strcmp(node->text, "true") == 0;
    if (node->quoted || (!is_true && strcmp(node->text, "false") != 0))
        return false;
    *(bool *)field = is_true;
    return true;
}

static bool put_word(const struct plan_key *key, const struct node *node, void *field)
{
    CHECK(key->bytes == sizeof(unsigned)); /* an enum */
    for (unsigned i = 0; key->words[i] != NULL; i++) {
        if (strcmp(key->words[i], node->text) == 0) {
            memcpy(field, &i, sizeof i);
            return true;
        }
    }
    return false;
}

/* The goal's value: a number of its kind, or `stages`. */
static bool put_goal(struct reading *reading, const struct plan_key *key, const struct node *node,
                     double *value)
{
    double read = 0.0;
    uint64_t count;
    reading->plan->goal = key->type == PLAN_RATE ? GOAL_HOLD : GOAL_CONCURRENCY;
    reading->goal_known = true;
    reading->staged = strcmp(node->text, "stages") == 0;
    if (reading->staged)
        return true;
    if (key->type == PLAN_RATE) {
        if (!units_read_rate(node->text, &read))
            return false;
    } else {
        if (!read_count(node, &count))
            return false;
        read = (double)count;
    }
    if (!in_range(key, read))
        return false;
    *value = read;
    return true;
}

static bool put_objective(struct reading *reading, const struct plan_key *key,
                          const struct node *node)
{
    reading->plan->goal = GOAL_MAXIMIZE; /* bounds make another of it: plan_check() */
    reading->goal_known = true;
    reading->staged = false;
    return strcmp(node->text, key->words[0]) == 0;
}

static bool put_stage_to(const struct plan *plan, const struct node *node, double *to)
{
    uint64_t count;
    double read;
    if (plan->goal == GOAL_HOLD) {
        if (!units_read_rate(node->text, &read) || !(read <= RATE_PER_S_MAX))
            return false;
    } else {
        if (!read_count(node, &count) || count > CONCURRENCY_MAX)
            return false;
        read = (double)count;
    }
    *to = read;
    return true;
}

/* False: reported already. */
static bool refuse_references(struct reading *reading, const struct plan_key *key,
                              const struct node *node)
{
    if (plan_secret_mark(node->text, node->text_bytes) == NULL)
        return true;
    return plan_errors_add(
        reading->errors, ERROR_PLAN, node->place,
        "%s holds a secret, '${env:' or '${file:'; those stand in header values, "
        "bodies, send and command",
        key->path);
}

/* False: reported already. */
static bool refuse_templates(struct reading *reading, const struct plan_key *key,
                             const struct node *node)
{
    return !template_is_one(node->text, node->text_bytes) ||
           plan_errors_add(
               reading->errors, ERROR_PLAN, node->place,
               "%s holds '{{'; templates stand in paths, header values, bodies, send and command",
               key->path);
}

static bool read_text(struct reading *reading, const struct plan_key *key, const struct node *node,
                      char **field)
{
    if (is_empty(node) || !in_range(key, (double)node->text_bytes) ||
        plan_text_is_unsafe(node->text, node->text_bytes)) {
        return plan_mistake(reading, key, node);
    }
    return plan_put_text(reading, field, node->text, node->text_bytes, node->place);
}

static bool read_bytes(struct reading *reading, const struct plan_key *key, const struct node *node,
                       void *object)
{
    if (is_empty(node) || !in_range(key, (double)node->text_bytes))
        return plan_mistake(reading, key, node);
    bool plain = key->type != PLAN_PAYLOAD;
    if ((plain && !refuse_references(reading, key, node)) ||
        (plain && !refuse_templates(reading, key, node)) ||
        !plan_put_text(reading, plan_key_field(key, object), node->text, node->text_bytes,
                       node->place)) {
        return false;
    }
    *plan_key_count(key, object) = (uint32_t)node->text_bytes;
    return true;
}

/* A payload that stands in a file is read when the whole plan is known. */
static bool read_payload(struct reading *reading, const struct plan_key *key,
                         const struct node *node, struct plan_request *request)
{
    if (node->kind != NODE_MAP)
        return node->kind == NODE_SCALAR ? read_bytes(reading, key, node, request)
                                         : plan_mistake(reading, key, node);
    const struct node *file = node_find(node, "file");
    if (node->count != 1 || file == NULL || file->kind != NODE_SCALAR || is_empty(file) ||
        plan_text_is_unsafe(file->text, file->text_bytes))
        return plan_mistake(reading, key, node);
    return plan_put_text(reading, &request->payload_file, file->text, file->text_bytes,
                         file->place);
}

bool plan_name_read(struct reading *reading, const struct plan_key *key, const struct node *node,
                    char **field)
{
    char shown[SHOWN_BYTES];
    if (template_name_is_good(node->key))
        return plan_put_text(reading, field, node->key, strlen(node->key), node->key_place);
    return plan_errors_add(reading->errors, ERROR_PLAN, node->key_place,
                           "%s has '%s'; a name is of letters, digits and _, begins with no digit, "
                           "and is none of seq, random and uuid",
                           key->path, harmless_text(node->key, shown, sizeof shown));
}

static bool read_variable(struct reading *reading, const struct plan_key *key,
                          const struct node *node, struct plan_variable *variable)
{
    if (!plan_name_read(reading, key, node, &variable->name))
        return false;
    if (node->kind != NODE_SCALAR || is_empty(node) || node->text_bytes > BODY_BYTES_MAX) {
        return plan_errors_add(reading->errors, ERROR_PLAN, node->place,
                               "%s.%s is no text; give one of at most %u bytes", key->path,
                               node->key, BODY_BYTES_MAX);
    }
    variable->value_bytes = (uint32_t)node->text_bytes;
    return refuse_references(reading, key, node) && refuse_templates(reading, key, node) &&
           plan_put_text(reading, &variable->value, node->text, node->text_bytes, node->place);
}

static bool read_variables(struct reading *reading, const struct plan_key *key,
                           const struct node *map, struct plan *plan)
{
    if (map->kind != NODE_MAP || map->count > key->maximum)
        return plan_mistake(reading, key, map);
    bool good = true;
    for (const struct node *node = map->first; node != NULL; node = node->next) {
        if (node->kind != NODE_REFUSED &&
            !read_variable(reading, key, node, &plan->variables[plan->variable_count++]))
            good = false;
    }
    return good;
}

static bool add_error(struct reading *reading, const struct error *error)
{
    return plan_errors_add(reading->errors, error->kind, error->place, "%s", error->message);
}

static bool read_target(struct reading *reading, const struct plan_key *key,
                        const struct node *node)
{
    struct plan *plan = reading->plan;
    struct target target;
    struct error error = {0};
    if (is_empty(node) || !in_range(key, (double)node->text_bytes) ||
        strlen(node->text) != node->text_bytes) {
        return plan_mistake(reading, key, node);
    }
    if (!target_read(node->text, &target, node->place, &error))
        return add_error(reading, &error);
    if (!plan_put_text(reading, &plan->target, node->text, node->text_bytes, node->place) ||
        !plan_put_text(reading, &plan->host, target.host, strlen(target.host), node->place) ||
        !plan_put_text(reading, &plan->unix_path, target.unix_path, strlen(target.unix_path),
                       node->place) ||
        !plan_put_text(reading, &plan->target_path, target.path, strlen(target.path),
                       node->place)) {
        return false;
    }
    plan->scheme = target.scheme;
    plan->tls = target.tls;
    plan->port = target.port;
    reading->target_known = true;
    return true;
}

static bool read_method(struct reading *reading, const struct plan_key *key,
                        const struct node *node, struct plan_request *request)
{
    if (request->method != NULL) {
        return plan_errors_add(reading->errors, ERROR_PLAN, node->key_place,
                               "%s beside another method; a request has exactly one", key->path);
    }
    char method[16] = "";
    const char *word = plan_key_word(key);
    for (size_t i = 0; word[i] != '\0' && i + 1 < sizeof method; i++)
        method[i] = (char)(word[i] - 'a' + 'A');
    if (!plan_put_text(reading, &request->method, method, strlen(method), node->place))
        return false;
    if (is_empty(node) || !in_range(key, (double)node->text_bytes) ||
        strlen(node->text) != node->text_bytes) {
        return plan_mistake(reading, key, node);
    }
    if (!refuse_references(reading, key, node))
        return false;
    /* What stands between templates is looked at when they are understood. */
    const char *mistake = node->text[0] == '/' && template_is_one(node->text, node->text_bytes)
                              ? NULL
                              : target_path_mistake(node->text);
    if (mistake != NULL) {
        char shown[2 * SHOWN_BYTES];
        return plan_errors_add(reading->errors, ERROR_PLAN, node->place, "%s is %s; %s", key->path,
                               node_shown(node, shown, sizeof shown), mistake);
    }
    return plan_put_text(reading, &request->path, node->text, node->text_bytes, node->place);
}

/* One header of a map. */
static bool read_header(struct reading *reading, const struct plan_key *key,
                        const struct node *node, char **headers)
{
    char shown[SHOWN_BYTES];
    const char *mistake = NULL;
    if (node->kind != NODE_SCALAR || is_empty(node))
        mistake = "its value is one line of text";
    else if (*headers != NULL && headers_have(*headers, node->key, strlen(node->key)))
        mistake = "it is there already, in other letters: a header may come once";
    else
        mistake = header_mistake(node->key, node->text, node->text_bytes);
    if (mistake != NULL) {
        return plan_errors_add(reading->errors, ERROR_PLAN, node->key_place, "%s has '%s'; %s",
                               key->path, harmless_text(node->key, shown, sizeof shown), mistake);
    }
    return headers_add(headers, node->key, node->text) ||
           plan_errors_add(reading->errors, ERROR_MEMORY, node->place,
                           "out of memory reading the plan");
}

static bool read_headers(struct reading *reading, const struct plan_key *key,
                         const struct node *map, char **headers)
{
    if (map->kind != NODE_MAP)
        return plan_mistake(reading, key, map);
    if (map->count > HEADERS_MAX) {
        return plan_errors_add(reading->errors, ERROR_LIMIT, map->place,
                               "%s has %u headers; give at most %u", key->path, map->count,
                               HEADERS_MAX);
    }
    bool good = true;
    for (const struct node *node = map->first; node != NULL; node = node->next) {
        if (node->kind != NODE_REFUSED && !read_header(reading, key, node, headers))
            good = false;
    }
    size_t bytes = *headers != NULL ? strlen(*headers) : 0;
    if (bytes <= HEADERS_BYTES_MAX)
        return good;
    free(*headers); /* so that the requests that have them do not complain again */
    *headers = NULL;
    return plan_errors_add(reading->errors, ERROR_LIMIT, map->place,
                           "%s takes %zu bytes; give at most %u", key->path, bytes,
                           HEADERS_BYTES_MAX);
}

static bool read_command(struct reading *reading, const struct plan_key *key,
                         const struct node *node, void *object)
{
    char **field = plan_key_field(key, object);
    if (is_empty(node) || node->kind == NODE_MAP || node->kind == NODE_REFUSED)
        return plan_mistake(reading, key, node);
    size_t byte_count = 0;
    char *bytes = NULL;
    const char *mistake = command_read(node, &bytes, &byte_count);
    if (mistake == NULL && !in_range(key, (double)byte_count))
        mistake = "it is too long";
    if (mistake != NULL) {
        char shown[2 * SHOWN_BYTES];
        free(bytes);
        return plan_errors_add(reading->errors, ERROR_PLAN, node->place, "%s is %s; %s", key->path,
                               node_shown(node, shown, sizeof shown), mistake);
    }
    free(*field);
    *field = bytes;
    *plan_key_count(key, object) = (uint32_t)byte_count;
    return true;
}

static bool read_threshold(struct reading *reading, const struct node *node,
                           struct threshold *threshold)
{
    struct error error = {0};
    if (strlen(node->text) != node->text_bytes) {
        return plan_errors_add(reading->errors, ERROR_PLAN, node->place,
                               "a threshold with a NUL; give a line such as latency.p(99) < 250ms");
    }
    return threshold_read(node->text, threshold, node->place, &error) || add_error(reading, &error);
}

/* A threshold that a search can keep by running fewer workers. */
static bool read_bound(struct reading *reading, const struct plan_key *key, const struct node *node,
                       struct threshold *bound)
{
    if (!read_threshold(reading, node, bound))
        return false;
    bool known = bound->metric == METRIC_LATENCY_QUANTILE || bound->metric == METRIC_ERRORS_RATE;
    if (known && bound->below && bound->bound > 0.0)
        return true;
    char allowed[ALLOWED_BYTES];
    char shown[SHOWN_BYTES];
    return plan_errors_add(reading->errors, ERROR_PLAN, node->place,
                           "%s has '%s', which no search can keep; give %s", key->path,
                           harmless_text(node->text, shown, sizeof shown),
                           plan_key_allowed(key, NULL, allowed, sizeof allowed));
}

/* The types that are one number or one word, and say no more than that it is wrong. */
static bool put_simple(struct reading *reading, const struct plan_key *key, const struct node *node,
                       void *object)
{
    if (is_empty(node) || strlen(node->text) != node->text_bytes)
        return false;
    switch (key->type) {
    case PLAN_VERSION:
        return !node->quoted && strcmp(node->text, key->preset) == 0;
    case PLAN_COUNT:
        return put_count(key, node, plan_key_field(key, object));
    case PLAN_DURATION:
        return put_duration(key, node, plan_key_field(key, object));
    case PLAN_SHARE:
        return put_share(key, node, plan_key_field(key, object));
    case PLAN_BOOL:
        return put_bool(node, plan_key_field(key, object));
    case PLAN_WORD:
        return put_word(key, node, plan_key_field(key, object));
    case PLAN_RATE:
    case PLAN_WORKERS:
        return put_goal(reading, key, node, plan_key_field(key, object));
    case PLAN_OBJECTIVE:
        return put_objective(reading, key, node);
    case PLAN_STAGE_TO:
        return put_stage_to(reading->plan, node, plan_key_field(key, object));
    default:
        CHECK(false); /* the others are read by plan_value_read() itself */
    }
    return false;
}

bool plan_value_read(struct reading *reading, const struct plan_key *key, const struct node *node,
                     void *object)
{
    if (key->type == PLAN_STATUSES || key->type == PLAN_EXPECTED || key->type == PLAN_SIZES ||
        key->type == PLAN_SPAN)
        return plan_expect_read(reading, key, node, plan_key_field(key, object));
    if (key->type == PLAN_HEADERS)
        return read_headers(reading, key, node, plan_key_field(key, object));
    if (key->type == PLAN_COMMAND)
        return read_command(reading, key, node, object);
    if (key->type == PLAN_VARIABLES)
        return read_variables(reading, key, node, reading->plan);
    if (key->type == PLAN_PAYLOAD)
        return read_payload(reading, key, node, object);
    if (key->type == PLAN_LATER) {
        return plan_errors_add(reading->errors, ERROR_PLAN, node->key_place,
                               "%s is not built in this release; %s", key->path, key->doc);
    }
    if (node->kind != NODE_SCALAR)
        return plan_mistake(reading, key, node);
    if (key->later_word != NULL && strcmp(node->text, key->later_word) == 0) {
        char allowed[ALLOWED_BYTES];
        return plan_errors_add(reading->errors, ERROR_PLAN, node->place,
                               "%s is '%s', which is not built in this release; give %s", key->path,
                               key->later_word,
                               plan_key_allowed(key, NULL, allowed, sizeof allowed));
    }
    switch (key->type) {
    case PLAN_TEXT:
        return read_text(reading, key, node, plan_key_field(key, object));
    case PLAN_BYTES:
        return read_bytes(reading, key, node, object);
    case PLAN_TARGET:
        return read_target(reading, key, node);
    case PLAN_METHOD:
        return read_method(reading, key, node, object);
    case PLAN_THRESHOLD:
        return read_threshold(reading, node, object);
    case PLAN_BOUND:
        return read_bound(reading, key, node, object);
    default:
        return put_simple(reading, key, node, object) || plan_mistake(reading, key, node);
    }
}
