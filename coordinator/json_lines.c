#include "coordinator/json_lines.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES  32
#define DIGITS_MAX    17 /* as many as a double has */
#define SENTENCE_MOST 160

static bool mistake(struct place at, struct error *error, const char *key, const char *sentence)
{
    return error_set(error, ERROR_PLAN, at, "'%.64s' %s", key, sentence);
}

/* The fewest digits that read back to the same. */
static void show_real(double number, char *text)
{
    for (int digits = 1; digits <= DIGITS_MAX; digits++) {
        snprintf(text, NUMBER_BYTES, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            return;
    }
}

static bool add_value(struct table *table, const char *key, const json_t *value, struct place at,
                      struct error *error)
{
    char number[NUMBER_BYTES] = "";
    const char *text = number;
    size_t text_bytes;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return table_add_text(table, json_string_value(value), json_string_length(value), at,
                              error);
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        show_real(json_real_value(value), number);
        break;
    case JSON_TRUE:
        text = "true";
        break;
    case JSON_FALSE:
        text = "false";
        break;
    case JSON_NULL:
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return mistake(at, error, key,
                       "is a list or an object; give text, a number, true, false or null");
    }
    text_bytes = strlen(text);
    return table_add_text(table, text, text_bytes, at, error);
}

static bool read_names(struct table *table, json_t *object, struct place at, struct error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!table_add_column(table, key, strlen(key), at, error))
            return false;
    }
    return table->column_count > 0 ||
           error_set(error, ERROR_PLAN, at, "the first object names no column");
}

static bool read_object(struct table *table, const json_t *object, struct place at,
                        struct error *error)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i];
        const json_t *value = json_object_get(object, name);
        if (value == NULL)
            return mistake(at, error, name, "is missing; every line has what the first one has");
        if (!add_value(table, name, value, at, error) || !table_end_cell(table, at, error))
            return false;
    }
    if (json_object_size(object) > table->column_count)
        return error_set(error, ERROR_PLAN, at,
                         "this object has more members than the first one; give each the same");
    return true;
}

static bool read_line(struct table *table, const char *line, size_t line_bytes, struct place at,
                      struct error *error)
{
    json_error_t why;
    json_t *object = json_loadb(line, line_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (object == NULL) {
        at.column = why.position > 0 ? (uint32_t)why.position : 1;
        return error_set(error, ERROR_PLAN, at, "no JSON: %.*s", SENTENCE_MOST, why.text);
    }
    bool good = json_is_object(object) ||
                error_set(error, ERROR_PLAN, at, "no object; give one a line, such as {\"id\": 1}");
    good = good && (table->column_count > 0 || read_names(table, object, at, error)) &&
           read_object(table, object, at, error);
    json_decref(object);
    return good;
}

static bool is_blank(const char *line, size_t line_bytes)
{
    while (line_bytes > 0 && strchr(" \t\r", line[line_bytes - 1]) != NULL &&
           line[line_bytes - 1] != '\0')
        line_bytes--;
    return line_bytes == 0;
}

bool json_lines_read(const char *path, const char *text, size_t text_bytes, struct table *table,
                     struct error *error)
{
    const char *end = text + text_bytes;
    struct place at = {.path = path, .line = 1, .column = 1};
    for (const char *line = text; line < end; at.line++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t line_bytes = (size_t)((stop != NULL ? stop : end) - line);
        if (!is_blank(line, line_bytes) && !read_line(table, line, line_bytes, at, error))
            return false;
        line += line_bytes + 1;
    }
    return true;
}
