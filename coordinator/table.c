#include "coordinator/table.h"

#include "common/base/check.h"
#include "coordinator/plan_value.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 4096u

static bool no_memory(struct place at, struct error *error)
{
    return error_set(error, ERROR_MEMORY, at, "no memory for its rows");
}

void table_done(struct table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        free(table->columns[i]);
    free(table->text);
    free(table->ends);
    *table = (struct table){0};
}

uint32_t table_find_column(const struct table *table, const char *name, size_t name_bytes)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strlen(table->columns[i]) == name_bytes &&
            memcmp(table->columns[i], name, name_bytes) == 0)
            return i;
    }
    return DATA_COLUMNS_MAX;
}

bool table_add_column(struct table *table, const char *name, size_t name_bytes, struct place at,
                      struct error *error)
{
    if (table->column_count == DATA_COLUMNS_MAX)
        return error_set(error, ERROR_LIMIT, at, "it has more than %u columns", DATA_COLUMNS_MAX);
    if (name_bytes == 0 || name_bytes > NAME_BYTES_MAX || plan_text_is_unsafe(name, name_bytes) ||
        memchr(name, '}', name_bytes) != NULL)
        return error_set(error, ERROR_PLAN, at,
                         "the name of a column is text of 1 to %u bytes without control "
                         "characters and braces",
                         NAME_BYTES_MAX);
    if (table_find_column(table, name, name_bytes) != DATA_COLUMNS_MAX)
        return error_set(error, ERROR_PLAN, at, "a second column is called '%.*s'", (int)name_bytes,
                         name);
    char *copy = strndup(name, name_bytes);
    if (copy == NULL)
        return no_memory(at, error);
    table->columns[table->column_count++] = copy;
    return true;
}

/* Room for `wanted` items of `item_bytes`; it doubles, so that all growth together is linear. */
static bool grow(void **items, size_t *capacity, size_t wanted, size_t item_bytes)
{
    size_t larger = *capacity > 0 ? *capacity : FIRST_CAPACITY;
    while (larger < wanted)
        larger *= 2;
    if (larger == *capacity)
        return true;
    void *moved = reallocarray(*items, larger, item_bytes);
    if (moved == NULL)
        return false;
    *items = moved;
    *capacity = larger;
    return true;
}

const char *table_cell(const struct table *table, size_t index, size_t *bytes)
{
    CHECK(index < table->cell_count);
    size_t from = index > 0 ? table->ends[index - 1] : 0;
    *bytes = table->ends[index] - from;
    return *bytes > 0 ? table->text + from : ""; /* without any text there is no memory for it */
}

size_t table_cell_bytes(const struct table *table)
{
    return table->text_bytes -
           (table->cell_count > 0 ? table->ends[table->cell_count - 1] : (size_t)0);
}

bool table_add_text(struct table *table, const char *text, size_t text_bytes, struct place at,
                    struct error *error)
{
    if (text_bytes == 0)
        return true;
    if (table_cell_bytes(table) + text_bytes > DATA_CELL_BYTES_MAX)
        return error_set(error, ERROR_LIMIT, at, "a value has more than %u bytes",
                         DATA_CELL_BYTES_MAX);
    void *items = table->text;
    if (!grow(&items, &table->text_capacity, table->text_bytes + text_bytes, 1))
        return no_memory(at, error);
    table->text = items;
    memcpy(table->text + table->text_bytes, text, text_bytes);
    table->text_bytes += text_bytes;
    return true;
}

bool table_end_cell(struct table *table, struct place at, struct error *error)
{
    void *items = table->ends;
    if (!grow(&items, &table->cell_capacity, table->cell_count + 1, sizeof *table->ends))
        return no_memory(at, error);
    table->ends = items;
    table->ends[table->cell_count++] = (uint32_t)table->text_bytes;
    return true;
}
