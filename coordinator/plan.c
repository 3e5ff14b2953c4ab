#include "coordinator/plan.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/secret_file.h"
#include "common/base/units.h"
#include "coordinator/plan_check.h"
#include "coordinator/plan_reading.h"
#include "coordinator/plan_secret.h"
#include "coordinator/plan_table.h"
#include "coordinator/plan_value.h"
#include "coordinator/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALLOWED_BYTES 320
#define SHOWN_BYTES   48

static void section_read(struct reading *reading, const char *section, const struct node *map,
                         void *object);

/* Whether enough of the plan could be read to say that a key goes with it or not. */
static bool is_known(const struct reading *reading, enum plan_when when)
{
    if (when == WHEN_HTTP || when == WHEN_HTTP2 || when == WHEN_TCP || when == WHEN_REDIS ||
        when == WHEN_BYTES || when == WHEN_TLS)
        return reading->target_known;
    return when == WHEN_ALWAYS || when == WHEN_NO_PLUGIN || reading->goal_known;
}

/* The default is read as if the file had it: one reader, one truth. */
static void read_preset(struct reading *reading, const struct plan_key *key, void *object)
{
    char text[32];
    CHECK(strlen(key->preset) < sizeof text);
    size_t bytes = (size_t)snprintf(text, sizeof text, "%s", key->preset);
    struct node node = {.kind = NODE_SCALAR, .text = text, .text_bytes = bytes};
    CHECK(plan_value_read(reading, key, &node, object));
}

static void read_missing(struct reading *reading, const struct plan_key *key,
                         const struct node *map, void *object)
{
    bool applies =
        is_known(reading, key->when) && plan_key_applies(key, reading->plan, reading->staged);
    bool required = key->required && !(key->counted_out && reading->plan->requests_total > 0);
    if (required && map != NULL && applies) {
        char allowed[ALLOWED_BYTES];
        plan_errors_add(reading->errors, ERROR_PLAN, map->place, "%s is missing; give %s",
                        key->path,
                        plan_key_allowed(key, reading->goal_known ? reading->plan : NULL, allowed,
                                         sizeof allowed));
    } else if (key->type == PLAN_MAP) {
        section_read(reading, key->path, NULL, object);
    } else if (key->preset != NULL) {
        read_preset(reading, key, object);
    }
}

static void read_list(struct reading *reading, const struct plan_key *key, const struct node *list,
                      void *object)
{
    struct plan_key element = *key;
    element.type = key->element;
    if (list->kind != NODE_LIST || (list->count == 0 && key->minimum > 0)) {
        plan_mistake(reading, key, list);
        return;
    }
    if (list->count > key->maximum) {
        plan_errors_add(reading->errors, ERROR_LIMIT, list->place,
                        "%s has %u items; give at most %.0f", key->path, list->count, key->maximum);
        return;
    }
    char *item = plan_key_field(key, object);
    for (const struct node *node = list->first; node != NULL; node = node->next) {
        if (key->element == PLAN_MAP && node->kind == NODE_MAP)
            section_read(reading, key->path, node, item);
        else if (key->element == PLAN_MAP && node->kind != NODE_REFUSED)
            plan_mistake(reading, &element, node);
        else if (node->kind != NODE_REFUSED)
            plan_value_read(reading, &element, node, item);
        item += key->element_bytes;
    }
    *plan_key_count(key, object) = list->count;
}

/* A map whose keys are names of the reader's own: each becomes the first field of an item. */
static void read_named(struct reading *reading, const struct plan_key *key, const struct node *map,
                       void *object)
{
    if (map->kind != NODE_MAP) {
        plan_mistake(reading, key, map);
        return;
    }
    if (map->count > key->maximum) {
        plan_errors_add(reading->errors, ERROR_LIMIT, map->place,
                        "%s has %u names; give at most %.0f", key->path, map->count, key->maximum);
        return;
    }
    char *item = plan_key_field(key, object);
    for (const struct node *node = map->first; node != NULL; node = node->next) {
        if (node->kind == NODE_MAP && plan_name_read(reading, key, node, (char **)(void *)item))
            section_read(reading, key->path, node, item);
        else if (node->kind != NODE_MAP && node->kind != NODE_REFUSED)
            plan_errors_add(reading->errors, ERROR_PLAN, node->place,
                            "%s.%.64s is no map; give a map as in {file: users.csv}", key->path,
                            node->key);
        item += key->element_bytes;
    }
    *plan_key_count(key, object) = map->count;
}

static void read_key(struct reading *reading, const struct plan_key *key, const struct node *node,
                     void *object)
{
    if (node->kind == NODE_REFUSED)
        return;
    if (is_known(reading, key->when) && !plan_key_applies(key, reading->plan, reading->staged)) {
        plan_errors_add(reading->errors, ERROR_PLAN, node->key_place,
                        "%s goes with %s; leave it out here", key->path,
                        plan_when_words(key->when));
    } else if (key->type == PLAN_LIST) {
        read_list(reading, key, node, object);
    } else if (key->type == PLAN_NAMED) {
        read_named(reading, key, node, object);
    } else if (key->type != PLAN_MAP) {
        plan_value_read(reading, key, node, object);
    } else if (node->kind == NODE_MAP) {
        section_read(reading, key->path, node, object);
    } else {
        plan_mistake(reading, key, node);
    }
}

static bool is_key(const char *section, const char *word)
{
    const struct plan_key *key = NULL;
    while ((key = plan_key_next(section, key)) != NULL) {
        if (strcmp(plan_key_word(key), word) == 0)
            return true;
    }
    return false;
}

static void report_unknown(struct reading *reading, const char *section, const struct node *node)
{
    char shown[SHOWN_BYTES];
    char advice[ALLOWED_BYTES];
    const char *nearest = plan_key_nearest(section, node->key);
    if (nearest != NULL)
        snprintf(advice, sizeof advice, "did you mean '%s'?", nearest);
    else
        plan_section_keys(section, advice, sizeof advice);
    plan_errors_add(reading->errors, ERROR_PLAN, node->key_place, "unknown key '%s'; %s",
                    harmless_text(node->key, shown, sizeof shown), advice);
}

/* Reads the keys below `section` in the order of the table, in which each key comes after those
 * that it depends on; `map` NULL: the defaults alone. */
static void section_read(struct reading *reading, const char *section, const struct node *map,
                         void *object)
{
    for (const struct node *node = map != NULL ? map->first : NULL; node != NULL;
         node = node->next) {
        if (!is_key(section, node->key) && !reading->errors->more)
            report_unknown(reading, section, node);
    }
    const struct plan_key *key = NULL;
    while ((key = plan_key_next(section, key)) != NULL) {
        const struct node *node = node_find(map, plan_key_word(key));
        if (node != NULL)
            read_key(reading, key, node, object);
        else
            read_missing(reading, key, map, object);
    }
}

/* No string of a plan is NULL. False: out of memory. */
static bool fill_empty(struct plan *plan)
{
    struct plan_tls *tls = &plan->tls_options;
    char **const texts[] = {
        &plan->path,          &plan->text,
        &plan->name,          &plan->target,
        &plan->host,          &plan->target_path,
        &plan->headers,       &tls->server_name,
        &tls->authority_file, &tls->certificate_file,
        &tls->key_file,       &tls->authority,
        &tls->certificate,    &tls->key,
        &plan->plugin,        &plan->plugin_options,
        &plan->unix_path,
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (*texts[i] == NULL && (*texts[i] = calloc(1, 1)) == NULL)
            return false;
    }
    for (uint32_t i = 0; i < plan->request_count; i++) {
        struct plan_request *request = &plan->requests[i];
        char **const fields[] = {&request->name,          &request->method,
                                 &request->path,          &request->headers,
                                 &request->body,          &request->send,
                                 &request->expect_prefix, &request->expect_headers,
                                 &request->expect_body,   &request->payload_file};
        for (size_t j = 0; j < COUNT(fields); j++) {
            if (*fields[j] == NULL && (*fields[j] = calloc(1, 1)) == NULL)
                return false;
        }
    }
    return true;
}

struct plan *plan_begin(struct reading *reading, const char *path, struct plan_errors *errors)
{
    *reading = (struct reading){.errors = errors, .plan = calloc(1, sizeof(struct plan))};
    if (reading->plan == NULL) {
        plan_errors_add(errors, ERROR_MEMORY, PLACE_NONE, "out of memory reading the plan");
        return NULL;
    }
    plan_put_text(reading, &reading->plan->path, path, strlen(path), PLACE_NONE);
    return reading->plan;
}

void plan_presets(struct reading *reading)
{
    section_read(reading, "", NULL, reading->plan);
}

struct plan *plan_end(struct reading *reading)
{
    if (reading->errors->count == 0 && !fill_empty(reading->plan))
        plan_errors_add(reading->errors, ERROR_MEMORY, PLACE_NONE,
                        "out of memory reading the plan");
    if (reading->errors->count == 0)
        return reading->plan;
    plan_destroy(reading->plan);
    return NULL;
}

struct plan *plan_read(const char *path, const char *text, size_t text_bytes,
                       struct plan_errors *errors)
{
    return plan_read_with(path, text, text_bytes, NULL, errors);
}

struct plan *plan_read_with(const char *path, const char *text, size_t text_bytes,
                            const struct plan_files *files, struct plan_errors *errors)
{
    struct reading reading;
    if (plan_begin(&reading, path, errors) == NULL)
        return NULL;
    reading.files = files;
    struct node *root = yaml_read(path, text, text_bytes, errors);
    if (root != NULL && root->kind != NODE_MAP) {
        plan_errors_add(errors, ERROR_PLAN, root->place,
                        "the plan is no map; give lines such as target: http://127.0.0.1:8080");
    } else if (root != NULL && !errors->more) {
        section_read(&reading, "", root, reading.plan);
        plan_check(&reading, root);
        plan_put_text(&reading, &reading.plan->text, text, text_bytes, root->place);
    }
    yaml_destroy(root);
    return plan_end(&reading);
}

/* At most one byte more than there may be, so that too long is seen. NULL: errno says why. */
static char *load_stream(FILE *stream, size_t bytes_max, size_t *text_bytes)
{
    char *text = malloc(bytes_max + 1);
    if (text == NULL)
        return NULL;
    *text_bytes = fread(text, 1, bytes_max + 1, stream);
    if (ferror(stream)) {
        free(text);
        return NULL;
    }
    return text;
}

/* NULL: errno says why. */
static char *load_file(const char *path, size_t bytes_max, size_t *text_bytes)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return NULL;
    char *text = load_stream(stream, bytes_max, text_bytes);
    int failure = errno;
    fclose(stream);
    errno = failure;
    return text;
}

static char *path_beside(const char *plan_path, const char *name)
{
    const char *slash = strrchr(plan_path, '/');
    int folder_bytes = slash != NULL && name[0] != '/' ? (int)(slash + 1 - plan_path) : 0;
    char *path;
    return asprintf(&path, "%.*s%s", folder_bytes, plan_path, name) < 0 ? NULL : path;
}

/* `context` is the path of the plan: what it names lies beside it. */
static bool load_beside(void *context, const char *name, size_t bytes_max, char **text,
                        size_t *text_bytes, struct error *error)
{
    char *path = path_beside(context, name);
    if (path == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory to read %s", name);
    *text = load_file(path, bytes_max, text_bytes);
    int failure = errno;
    free(path);
    if (*text == NULL)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: %s", name, strerror(failure));
    if (*text_bytes <= bytes_max) {
        (*text)[*text_bytes] = '\0';
        return true;
    }
    free(*text);
    *text = NULL;
    return error_set(error, ERROR_LIMIT, PLACE_NONE, "%s has more than %zu bytes", name, bytes_max);
}

static bool copy_variable(const char *name, size_t bytes_max, char **value, size_t *value_bytes,
                          struct error *error)
{
    const char *found = getenv(name);
    if (found == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "the environment has no such variable");
    *value_bytes = strlen(found);
    if (*value_bytes > bytes_max)
        return error_set(error, ERROR_LIMIT, PLACE_NONE, "it has more than %zu bytes", bytes_max);
    *value = strdup(found);
    return *value != NULL ||
           error_set(error, ERROR_MEMORY, PLACE_NONE, "out of memory reading the plan");
}

/* `context` is the path of the plan. */
static bool load_secret(void *context, enum plan_secret_kind kind, const char *name,
                        size_t bytes_max, char **value, size_t *value_bytes, struct error *error)
{
    if (kind == SECRET_OF_ENVIRONMENT)
        return copy_variable(name, bytes_max, value, value_bytes, error);
    char *path = path_beside(context, name);
    char *text = malloc(bytes_max + 1);
    bool read = path != NULL && text != NULL
                    ? secret_file_read(path, SECRET_GIVEN, text, bytes_max + 1, value_bytes, error)
                    : error_set(error, ERROR_MEMORY, PLACE_NONE, "out of memory reading the plan");
    free(path);
    if (read)
        *value = text;
    else
        free(text);
    return read;
}

struct plan_files plan_files_beside(const char *path)
{
    return (struct plan_files){
        .context = (char *)(uintptr_t)path, .load = load_beside, .secret = load_secret};
}

struct plan *plan_load(const char *path, struct plan_errors *errors)
{
    size_t text_bytes = 0;
    char *text = strcmp(path, "-") == 0 ? load_stream(stdin, PLAN_BYTES_MAX, &text_bytes)
                                        : load_file(path, PLAN_BYTES_MAX, &text_bytes);
    if (text == NULL) {
        plan_errors_add(errors, ERROR_SYSTEM, (struct place){.path = path}, "%s; give a plan file",
                        strerror(errno));
        return NULL;
    }
    struct plan_files files = plan_files_beside(path);
    struct plan *plan = plan_read_with(path, text, text_bytes, &files, errors);
    free(text);
    return plan;
}

bool plan_searches(const struct plan *plan)
{
    return plan->goal == GOAL_MAXIMIZE || plan->goal == GOAL_MAXIMIZE_WHILE;
}

bool plan_numbers(const struct plan *plan)
{
    return plan->requests_total > 0 || plan->slot_count > 0;
}

uint32_t plan_phase_count(const struct plan *plan)
{
    return plan_searches(plan) ? SEARCH_PHASES : schedule_phase_count(&plan->schedule);
}

const struct threshold *plan_bound(const struct plan *plan, enum threshold_metric metric)
{
    for (uint32_t i = 0; i < plan->bound_count; i++)
        if (plan->bounds[i].metric == metric)
            return &plan->bounds[i];
    return NULL;
}

static void destroy_data(struct plan_data *data)
{
    for (uint32_t i = 0; i < DATA_COLUMNS_MAX; i++)
        free(data->columns[i]);
    free(data->name);
    free(data->file);
    free(data->block);
}

static void destroy_tls(struct plan_tls *tls)
{
    if (tls->key != NULL)
        explicit_bzero(tls->key, strlen(tls->key));
    free(tls->server_name);
    free(tls->authority_file);
    free(tls->certificate_file);
    free(tls->key_file);
    free(tls->authority);
    free(tls->certificate);
    free(tls->key);
}

void plan_destroy(struct plan *plan)
{
    if (plan == NULL)
        return;
    for (uint32_t i = 0; i < REQUEST_NAMES_MAX; i++) {
        struct plan_request *request = &plan->requests[i];
        free(request->name);
        free(request->method);
        free(request->path);
        free(request->headers);
        free(request->body);
        free(request->send);
        free(request->expect_prefix);
        free(request->expect_headers);
        free(request->expect_body);
        free(request->payload_file);
    }
    for (uint32_t i = 0; i < VARIABLES_MAX; i++) {
        free(plan->variables[i].name);
        free(plan->variables[i].value);
    }
    for (uint32_t i = 0; i < DATA_FILES_MAX; i++)
        destroy_data(&plan->data[i]);
    for (uint32_t i = 0; i < THRESHOLDS_MAX; i++)
        free(plan->thresholds[i].text);
    for (uint32_t i = 0; i < BOUNDS_MAX; i++)
        free(plan->bounds[i].text);
    free(plan->path);
    free(plan->text);
    free(plan->name);
    free(plan->target);
    free(plan->host);
    free(plan->unix_path);
    free(plan->target_path);
    free(plan->headers);
    destroy_tls(&plan->tls_options);
    plan_secret_forget(plan);
    free(plan->plugin);
    free(plan->plugin_options);
    free(plan);
}
