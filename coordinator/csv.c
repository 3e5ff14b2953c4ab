#include "coordinator/csv.h"

#include <string.h>

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

struct csv {
    const char *path;
    const char *at, *end;
    const char *line_start;
    uint32_t line;
    struct table *table;
    struct error *error;
};

static struct place place_at(const struct csv *csv, const char *at)
{
    return (struct place){csv->path, csv->line, (uint32_t)(at - csv->line_start) + 1};
}

static bool mistake(const struct csv *csv, const char *at, const char *sentence)
{
    return error_set(csv->error, ERROR_PLAN, place_at(csv, at), "%s", sentence);
}

/* The length of the line break here; 0: there is none. */
static size_t line_break(const struct csv *csv)
{
    if (csv->at < csv->end && csv->at[0] == '\n')
        return 1;
    return csv->at + 1 < csv->end && csv->at[0] == '\r' && csv->at[1] == '\n' ? 2 : 0;
}

static void pass_line_break(struct csv *csv)
{
    csv->at += line_break(csv);
    csv->line_start = csv->at;
    csv->line++;
}

static bool add(const struct csv *csv, const char *from, const char *to)
{
    return table_add_text(csv->table, from, (size_t)(to - from), place_at(csv, from), csv->error);
}

/* Up to a comma, a line break or the end. */
static bool read_plain(struct csv *csv)
{
    const char *start = csv->at;
    while (csv->at < csv->end && *csv->at != ',' && line_break(csv) == 0) {
        if (*csv->at == '"')
            return mistake(csv, csv->at,
                           "a quote inside a value; put the whole value into quotes, and each "
                           "quote inside it twice");
        if (*csv->at == '\r')
            return mistake(csv, csv->at, "a CR without LF; put the value into quotes");
        csv->at++;
    }
    return add(csv, start, csv->at);
}

/* From the quote to the one that ends the value; line breaks inside are part of it. */
static bool read_quoted(struct csv *csv)
{
    struct place opened = place_at(csv, csv->at);
    const char *start = ++csv->at;
    for (;; csv->at++) {
        if (csv->at == csv->end)
            return error_set(csv->error, ERROR_PLAN, opened,
                             "the quote that begins here has no end");
        if (*csv->at == '\n') {
            csv->line++;
            csv->line_start = csv->at + 1;
        }
        if (*csv->at != '"')
            continue;
        if (!add(csv, start, csv->at))
            return false;
        csv->at++;
        if (csv->at == csv->end || *csv->at != '"')
            break;
        start = csv->at; /* the second of two */
    }
    if (csv->at < csv->end && *csv->at != ',' && line_break(csv) == 0)
        return mistake(csv, csv->at, "text behind a quote that ends a value; give a comma");
    return true;
}

/* A line's values are cells of the table; `*count` of them. */
static bool read_line(struct csv *csv, uint32_t *count)
{
    *count = 0;
    for (;;) {
        struct place start = place_at(csv, csv->at);
        bool quoted = csv->at < csv->end && *csv->at == '"';
        if (!(quoted ? read_quoted(csv) : read_plain(csv)) ||
            !table_end_cell(csv->table, start, csv->error))
            return false;
        ++*count;
        if (csv->at == csv->end || *csv->at != ',')
            break;
        csv->at++;
    }
    if (csv->at < csv->end)
        pass_line_break(csv);
    return true;
}

/* The cells of the first line become the names of the columns. */
static bool read_names(struct csv *csv)
{
    struct table *table = csv->table;
    struct place start = place_at(csv, csv->at);
    uint32_t count;
    if (!read_line(csv, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes;
        const char *name = table_cell(table, i, &bytes);
        if (!table_add_column(table, name, bytes, start, csv->error))
            return false;
    }
    table->cell_count = 0;
    table->text_bytes = 0;
    return true;
}

static void pass_empty_lines(struct csv *csv)
{
    while (line_break(csv) > 0)
        pass_line_break(csv);
}

bool csv_read(const char *path, const char *text, size_t text_bytes, struct table *table,
              struct error *error)
{
    size_t mark = strlen(BYTE_ORDER_MARK);
    if (text_bytes >= mark && memcmp(text, BYTE_ORDER_MARK, mark) == 0) {
        text += mark;
        text_bytes -= mark;
    }
    struct csv csv = {path, text, text + text_bytes, text, 1, table, error};
    pass_empty_lines(&csv);
    if (csv.at == csv.end)
        return mistake(&csv, csv.at, "it is empty; give a line with the names of the columns");
    if (!read_names(&csv))
        return false;
    for (pass_empty_lines(&csv); csv.at < csv.end; pass_empty_lines(&csv)) {
        struct place start = place_at(&csv, csv.at);
        uint32_t count;
        if (!read_line(&csv, &count))
            return false;
        if (count != table->column_count)
            return error_set(error, ERROR_PLAN, start,
                             "this line has %u value%s; the first line names %u column%s", count,
                             count == 1 ? "" : "s", table->column_count,
                             table->column_count == 1 ? "" : "s");
    }
    return true;
}
