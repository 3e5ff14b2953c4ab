/** The rows of a data file while they are read: names of columns, and cells. */
#ifndef CLOBBER_COORDINATOR_TABLE_H
#define CLOBBER_COORDINATOR_TABLE_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Zeroed before the first; table_done() in any case. */
struct table {
    uint32_t column_count; /* at most DATA_COLUMNS_MAX */
    char *columns[DATA_COLUMNS_MAX];
    char *text; /* of all cells behind each other */
    size_t text_bytes, text_capacity;
    uint32_t *ends; /* where each cell ends in it */
    size_t cell_count, cell_capacity;
};

void table_done(struct table *table);

/** One column more. `at` is where it stands, for the sentence. False: ERROR_PLAN, ERROR_LIMIT,
 * ERROR_MEMORY. */
bool table_add_column(struct table *table, const char *name, size_t name_bytes, struct place at,
                      struct error *error);
/** The column of that name, or DATA_COLUMNS_MAX. */
uint32_t table_find_column(const struct table *table, const char *name, size_t name_bytes);
/** Bytes more of the cell that is being read. False: as table_add_column(). */
bool table_add_text(struct table *table, const char *text, size_t text_bytes, struct place at,
                    struct error *error);
/** The cell is whole. */
bool table_end_cell(struct table *table, struct place at, struct error *error);
/** Cell `index`, which is whole; `*bytes` of it, borrowed until the next is read. */
const char *table_cell(const struct table *table, size_t index, size_t *bytes);
/** How many bytes the cell that is being read has. */
size_t table_cell_bytes(const struct table *table);

#endif
