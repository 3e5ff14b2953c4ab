/** Bytes that end where a page begins that nobody may touch: reading one too many ends the test. */
#ifndef CLOBBER_TESTS_GUARD_H
#define CLOBBER_TESTS_GUARD_H

#include <stddef.h>
#include <stdint.h>

/** Plain data; owned by the test. */
struct guard {
    uint8_t *memory;
    size_t mapped_bytes; /* the page behind included */
    size_t capacity;
};

/** Room for inputs of up to `capacity` bytes (rounded up to whole pages). */
struct guard guard_open(size_t capacity);
void guard_close(struct guard *guard);

/** Copies `bytes[count]` to the end of the room; the result is good until the next call. */
uint8_t *guard_copy(struct guard *guard, const void *bytes, size_t count);

#endif
