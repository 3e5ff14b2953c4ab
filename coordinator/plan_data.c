#include "coordinator/plan_data.h"

#include "coordinator/csv.h"
#include "coordinator/json_lines.h"
#include "coordinator/plan_value.h"
#include "coordinator/template.h"
#include "proto/dataset.h"

#include <stdlib.h>
#include <string.h>

#define SENTENCE_BYTES (ERROR_MESSAGE_BYTES - 64)

static bool load(struct reading *reading, const char *name, size_t bytes_max, char **text,
                 size_t *text_bytes, struct error *error)
{
    if (reading->files == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "%s: there are no files here", name);
    return reading->files->load(reading->files->context, name, bytes_max, text, text_bytes, error);
}

/* A mistake in a file is told with its place there, and counts at the place that names it. */
static void report(struct reading *reading, struct place place, const char *what,
                   const struct error *error)
{
    char text[SENTENCE_BYTES];
    plan_errors_add(reading->errors, error->kind, place, "%s: %s", what,
                    error_text(error, text, sizeof text));
}

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name);
    return length > strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0;
}

static bool read_table(const char *name, const char *text, size_t text_bytes, struct table *table,
                       struct error *error)
{
    if (ends_with(name, ".csv"))
        return csv_read(name, text, text_bytes, table, error);
    if (ends_with(name, ".jsonl") || ends_with(name, ".ndjson"))
        return json_lines_read(name, text, text_bytes, table, error);
    return error_set(error, ERROR_PLAN, PLACE_NONE,
                     "%s is no known kind of file; give one that ends with .csv, .jsonl or .ndjson",
                     name);
}

/* Takes the names of the columns out of the table. */
static bool pack(struct plan_data *data, struct table *table, struct error *error)
{
    if (table->cell_count == 0)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "%s has no rows", data->file);
    uint32_t rows = (uint32_t)(table->cell_count / table->column_count);
    size_t bytes = DATASET_HEAD_BYTES + table->cell_count * DATASET_END_BYTES + table->text_bytes;
    if (bytes > DATA_BYTES_MAX)
        return error_set(
            error, ERROR_LIMIT, PLACE_NONE,
            "%s takes %zu bytes as rows, 4 of them for each value; at most %u are sent "
            "to agents",
            data->file, bytes, DATA_BYTES_MAX);
    data->block = dataset_pack(table->column_count, rows, table->ends, table->text,
                               table->text_bytes, &data->block_bytes);
    if (data->block == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the rows of %s",
                         data->file);
    data->rows = rows;
    data->column_count = table->column_count;
    memcpy(data->columns, table->columns, sizeof data->columns);
    table->column_count = 0;
    return true;
}

static bool read_rows(struct reading *reading, struct plan_data *data, struct error *error)
{
    char *text = NULL;
    size_t text_bytes = 0;
    struct table table = {0};
    bool good = load(reading, data->file, DATA_BYTES_MAX, &text, &text_bytes, error) &&
                read_table(data->file, text, text_bytes, &table, error) &&
                pack(data, &table, error);
    table_done(&table);
    free(text);
    return good;
}

static struct place place_below(const struct node *map, const char *word)
{
    const struct node *node = node_find(map, word);
    if (node != NULL)
        return node->place;
    return map != NULL ? map->place : PLACE_NONE;
}

static void load_data(struct reading *reading, const struct node *root)
{
    struct plan *plan = reading->plan;
    const struct node *map = node_find(root, "data");
    size_t bytes = 0;
    for (uint32_t i = 0; i < plan->data_count; i++) {
        struct plan_data *data = &plan->data[i];
        struct error error = {0};
        if (data->name == NULL || data->file == NULL)
            continue; /* reported already */
        struct place place = place_below(node_find(map, data->name), "file");
        if (!read_rows(reading, data, &error))
            report(reading, place, "data.file", &error);
        bytes += data->block_bytes;
    }
    if (bytes > DATA_BYTES_MAX_ALL)
        plan_errors_add(reading->errors, ERROR_LIMIT, place_below(root, "data"),
                        "data takes %zu bytes together; give at most %u", bytes,
                        DATA_BYTES_MAX_ALL);
}

/* A row that is given once serves one request: with the last of them the run is complete. */
static void bound_by_rows(struct reading *reading, const struct node *root)
{
    struct plan *plan = reading->plan;
    const struct node *given = node_find(root, "requests_total");
    for (uint32_t i = 0; i < plan->data_count; i++) {
        const struct plan_data *data = &plan->data[i];
        if (data->order != DATA_UNIQUE || data->block == NULL)
            continue;
        if (given == NULL && (plan->requests_total == 0 || plan->requests_total > data->rows))
            plan->requests_total = data->rows;
        else if (plan->requests_total > data->rows)
            plan_errors_add(reading->errors, ERROR_PLAN, given->place,
                            "requests_total is %llu, and data.%s gives each of its %u rows once; "
                            "give at most %u",
                            (unsigned long long)plan->requests_total, data->name, data->rows,
                            data->rows);
    }
}

static void load_payload(struct reading *reading, const char *word, struct place place,
                         struct plan_request *request)
{
    char what[32];
    char **field = reading->plan->scheme == SCHEME_TCP ? &request->send : &request->body;
    uint32_t *count =
        reading->plan->scheme == SCHEME_TCP ? &request->send_bytes : &request->body_bytes;
    struct error error = {0};
    size_t bytes = 0;
    snprintf(what, sizeof what, "requests.%s.file", word);
    free(*field);
    *field = NULL;
    if (load(reading, request->payload_file, BODY_BYTES_MAX, field, &bytes, &error))
        *count = (uint32_t)bytes;
    else
        report(reading, place, what, &error);
}

static void load_payloads(struct reading *reading, const struct node *root)
{
    struct plan *plan = reading->plan;
    const struct node *list = node_find(root, "requests");
    const struct node *node = list != NULL ? list->first : NULL;
    const char *word = plan->scheme == SCHEME_TCP ? "send" : "body";
    for (uint32_t i = 0; i < plan->request_count && node != NULL; i++, node = node->next) {
        if (plan->requests[i].payload_file != NULL)
            load_payload(reading, word, place_below(node_find(node, word), "file"),
                         &plan->requests[i]);
    }
}

void plan_data_load(struct reading *reading, const struct node *root)
{
    load_data(reading, root);
    bound_by_rows(reading, root);
    if (reading->target_known)
        load_payloads(reading, root);
}
