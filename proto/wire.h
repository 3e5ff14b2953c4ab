/** msgpack behind a bounded reader and writer with field names; the only door to msgpack.h.
 *
 *  The scan: before msgpack-c sees a byte, declared lengths are checked against the bytes that are
 *  left, depth against WIRE_DEPTH_MAX and the count of elements against WIRE_ELEMENTS_MAX. Only
 *  arrays, unsigned integers, str and bin pass; maps, floats, ext, nil, booleans and signed
 * integers do not.
 *
 *  Reading walks the objects in the order of their bytes, an array's elements after its header; it
 *  takes time in proportion to the bytes and allocates nothing. */
#ifndef CLOBBER_PROTO_WIRE_H
#define CLOBBER_PROTO_WIRE_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Writes into the caller's memory; a write past its end is remembered, not done. */
struct wire_writer {
    uint8_t *bytes; /* borrowed */
    size_t capacity;
    size_t length;
    bool overflow;
};

void wire_writer_init(struct wire_writer *writer, void *bytes, size_t capacity);
void wire_put_array(struct wire_writer *writer, uint32_t count);
void wire_put_u64(struct wire_writer *writer, uint64_t value);
void wire_put_text(struct wire_writer *writer, const char *text); /* at most NAME_BYTES_MAX bytes */
void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t count);

/** Reads from the caller's memory; what it gives is borrowed from there. */
struct wire_reader {
    const uint8_t *bytes; /* borrowed */
    size_t length;
    size_t position;
};

/** Scans all of `bytes[length]`, any number of whole objects, and stands before the first of them.
 *  False: ERROR_PROTOCOL. */
bool wire_reader_init(struct wire_reader *reader, const void *bytes, size_t length,
                      struct error *error);
/** Each reads the next object; `name` is for the sentence. False: ERROR_PROTOCOL, result untouched.
 */
bool wire_get_array(struct wire_reader *reader, const char *name, uint32_t minimum,
                    uint32_t maximum, uint32_t *count, struct error *error);
bool wire_get_u64(struct wire_reader *reader, const char *name, uint64_t minimum, uint64_t maximum,
                  uint64_t *value, struct error *error);
/** The same for smaller fields; `maximum` within the type of the result. */
bool wire_get_u32(struct wire_reader *reader, const char *name, uint32_t minimum, uint32_t maximum,
                  uint32_t *value, struct error *error);
bool wire_get_u16(struct wire_reader *reader, const char *name, uint16_t minimum, uint16_t maximum,
                  uint16_t *value, struct error *error);
/** An unsigned integer, 0 or 1. */
bool wire_get_bool(struct wire_reader *reader, const char *name, bool *value, struct error *error);
/** Copies a str of at most `text_bytes - 1` bytes, without NUL inside, into `text` and ends it with
 *  NUL. */
bool wire_get_text(struct wire_reader *reader, const char *name, char *text, size_t text_bytes,
                   struct error *error);
/** Borrows a bin of `minimum` to `maximum` bytes. */
bool wire_get_bytes(struct wire_reader *reader, const char *name, size_t minimum, size_t maximum,
                    const uint8_t **bytes, size_t *count, struct error *error);
/** Copies a bin of exactly `count` bytes. */
bool wire_get_fixed(struct wire_reader *reader, const char *name, void *bytes, size_t count,
                    struct error *error);
/** Skips `count` objects, nested ones whole (fields of a newer minor version). */
bool wire_skip(struct wire_reader *reader, uint32_t count, struct error *error);
/** Whether all was read; false: ERROR_PROTOCOL ("N bytes too many"). */
bool wire_end(const struct wire_reader *reader, struct error *error);

#endif
