/** Data files on their way to an agent: a part is asked for, and given. */
#ifndef CLOBBER_PROTO_TRANSFER_H
#define CLOBBER_PROTO_TRANSFER_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

#define DATA_PARTS_MAX (DATA_BYTES_MAX / DATA_PART_BYTES)

struct fetch {
    char name[NAME_BYTES_MAX + 1]; /* of the data file, as the assignment has it */
    uint32_t part;                 /* from 0 */
};

/** All parts but the last have DATA_PART_BYTES. */
struct data_part {
    char name[NAME_BYTES_MAX + 1];
    uint32_t part, parts; /* part < parts <= DATA_PARTS_MAX */
    const uint8_t *bytes; /* borrowed; byte_count of it, 1 to DATA_PART_BYTES */
    size_t byte_count;
};

/** Part `part` of `block[block_bytes]`, which is borrowed; false: there is no such part. Leaves
 * the name alone. */
bool data_part_of(const uint8_t *block, size_t block_bytes, uint32_t part, struct data_part *data);

/** As those of proto/membership.h. */
#define FETCH_FIELDS     2u
#define DATA_PART_FIELDS 4u
void fetch_encode(const struct fetch *fetch, struct wire_writer *writer);
bool fetch_decode(struct wire_reader *reader, struct fetch *fetch, struct error *error);
void data_part_encode(const struct data_part *data, struct wire_writer *writer);
bool data_part_decode(struct wire_reader *reader, struct data_part *data, struct error *error);

#endif
