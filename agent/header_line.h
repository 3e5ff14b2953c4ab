/** Header lines of an answer, whole, out of pieces that are split anywhere. Pure. */
#ifndef CLOBBER_AGENT_HEADER_LINE_H
#define CLOBBER_AGENT_HEADER_LINE_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The beginning of a line whose end has not come. Zeroed: none. Plain data. */
struct header_line {
    uint32_t count; /* above HEADER_LINE_BYTES_MAX: too long to be looked at */
    uint8_t bytes[HEADER_LINE_BYTES_MAX];
};

/** A name and its value without the blanks around it; borrowed. */
struct header_field {
    const char *name;
    size_t name_count;
    const char *value;
    size_t value_count;
};

/** Takes the next bytes of a line; `ends`: its end is among them. True: `*field` is what it says,
 *  good until the line's memory or the bytes go. A line that comes whole is not copied. */
bool header_line_take(struct header_line *line, const uint8_t *bytes, size_t count, bool ends,
                      struct header_field *field);

/** Whether it is called `name`, in any case. */
bool header_field_is(const struct header_field *field, const char *name, size_t name_count);

#endif
