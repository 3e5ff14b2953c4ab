/** The rows of a data file as one block of bytes: what travels to the agents, and what the values
 * of requests are read from in place. Pure.
 *
 *  A block is numbers of 4 bytes, little-endian: columns, rows, then for each cell, row by row,
 *  where it ends in the text; then the text of all cells behind each other. */
#ifndef CLOBBER_PROTO_DATASET_H
#define CLOBBER_PROTO_DATASET_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATASET_HEAD_BYTES 8u
#define DATASET_END_BYTES  4u /* for each cell */

/** A block that was found to be whole. */
struct dataset {
    uint32_t columns, rows; /* 1 or more */
    const uint8_t *ends;    /* borrowed from the block, as is: */
    const uint8_t *text;
};

/** One cell: any bytes, or none. Borrowed from the block. */
struct cell {
    const uint8_t *bytes;
    uint32_t count;
};

/** Looks at all of `block[byte_count]`, which is borrowed by `dataset`. False: ERROR_PROTOCOL. */
bool dataset_open(const uint8_t *block, size_t byte_count, struct dataset *dataset,
                  struct error *error);

/** The cell at `row` and `column`, both below what there is. */
struct cell dataset_cell(const struct dataset *dataset, uint32_t row, uint32_t column);

/** Makes a block: `ends[rows * columns]` into `text[text_bytes]`. NULL: no memory. The caller owns
 * it: free(). */
uint8_t *dataset_pack(uint32_t columns, uint32_t rows, const uint32_t *ends, const char *text,
                      size_t text_bytes, size_t *byte_count);

#endif
