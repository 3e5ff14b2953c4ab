/** Rows of varints: how cells that are mostly zero travel. Numbers are LEB128, seven bits a byte
 * and the lowest first, always in the shortest form, so that equal cells are equal bytes. */
#ifndef CLOBBER_PROTO_SPARSE_H
#define CLOBBER_PROTO_SPARSE_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPARSE_NUMBER_BYTES_MAX 10u /* of 64 bits, seven a byte */

/** Writes into the caller's memory; a write past its end is remembered, not done. */
struct sparse_writer {
    uint8_t *bytes; /* borrowed */
    size_t capacity;
    size_t length;
    bool overflow;
};

void sparse_put(struct sparse_writer *writer, uint64_t value);
/** Pairs of cells skipped and count, for those above zero; they sum to `total` (CHECK). */
void sparse_put_cells(struct sparse_writer *writer, const uint64_t *cells, uint32_t count,
                      uint64_t total);

/** Reads from the caller's memory, a stranger's bytes. `what` begins each sentence of an error. */
struct sparse_reader {
    const char *what;     /* borrowed */
    const uint8_t *bytes; /* borrowed */
    size_t length;
    size_t position;
};

/** False: ERROR_PROTOCOL, `value` untouched. */
bool sparse_get(struct sparse_reader *reader, const char *name, uint64_t *value,
                struct error *error);
/** Reads pairs to the end into `cells[count]`, zero before. False: ERROR_PROTOCOL: a pair that
 * leads past the last cell or counts nothing, or a sum that is not `total`. */
bool sparse_get_cells(struct sparse_reader *reader, uint64_t *cells, uint32_t count, uint64_t total,
                      struct error *error);

#endif
