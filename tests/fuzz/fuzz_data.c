/* Any bytes as a data file, CSV or JSON lines by the first of them: there is an error with a place
 * in it, or rows that pack into a block, which opens again and gives every cell back. */
#include "common/base/check.h"
#include "coordinator/csv.h"
#include "coordinator/json_lines.h"
#include "proto/dataset.h"

#include <stdlib.h>
#include <string.h>

static void check_error(const struct error *error)
{
    CHECK(error->kind == ERROR_PLAN || error->kind == ERROR_LIMIT);
    CHECK(error->place.line >= 1);
    CHECK(error->place.column >= 1);
}

static void check_rows(const struct table *table)
{
    if (table->cell_count == 0)
        return;
    CHECK(table->column_count >= 1);
    CHECK(table->cell_count % table->column_count == 0);
    uint32_t rows = (uint32_t)(table->cell_count / table->column_count);
    size_t block_bytes;
    uint8_t *block = dataset_pack(table->column_count, rows, table->ends, table->text,
                                  table->text_bytes, &block_bytes);
    struct dataset dataset;
    CHECK(block != NULL);
    CHECK(dataset_open(block, block_bytes, &dataset, NULL));
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t bytes;
        const char *text = table_cell(table, i, &bytes);
        struct cell cell = dataset_cell(&dataset, (uint32_t)(i / table->column_count),
                                        (uint32_t)(i % table->column_count));
        CHECK(cell.count == bytes);
        CHECK(memcmp(cell.bytes, text, bytes) == 0);
    }
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count == 0)
        return 0;
    struct table table = {0};
    struct error error = {0};
    const char *text = (const char *)bytes + 1;
    bool good = bytes[0] == '{' ? json_lines_read("fuzz", text, count - 1, &table, &error)
                                : csv_read("fuzz", text, count - 1, &table, &error);
    if (good)
        check_rows(&table);
    else
        check_error(&error);
    table_done(&table);

    struct dataset dataset; /* and as a block that came over the network */
    if (dataset_open(bytes, count, &dataset, NULL)) {
        struct cell last = dataset_cell(&dataset, dataset.rows - 1, dataset.columns - 1);
        CHECK(last.bytes + last.count == bytes + count);
    }
    return 0;
}
