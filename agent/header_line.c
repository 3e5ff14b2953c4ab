#include "agent/header_line.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool read_field(const char *bytes, size_t count, struct header_field *field)
{
    const char *colon = memchr(bytes, ':', count);
    if (colon == NULL)
        return false; /* the line that ends the block */
    const char *value = colon + 1;
    const char *end = bytes + count;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    *field = (struct header_field){bytes, (size_t)(colon - bytes), value, (size_t)(end - value)};
    return true;
}

/* Keeps what came of a line; what is too long is only counted. */
static void keep(struct header_line *line, const uint8_t *bytes, size_t count)
{
    if (line->count > HEADER_LINE_BYTES_MAX || count > HEADER_LINE_BYTES_MAX - line->count) {
        line->count = HEADER_LINE_BYTES_MAX + 1;
        return;
    }
    memcpy(line->bytes + line->count, bytes, count);
    line->count += (uint32_t)count;
}

bool header_line_take(struct header_line *line, const uint8_t *bytes, size_t count, bool ends,
                      struct header_field *field)
{
    if (ends && line->count == 0)
        return count <= HEADER_LINE_BYTES_MAX && read_field((const char *)bytes, count, field);
    keep(line, bytes, count);
    if (!ends)
        return false;
    size_t whole = line->count;
    line->count = 0;
    return whole <= HEADER_LINE_BYTES_MAX && read_field((const char *)line->bytes, whole, field);
}

bool header_field_is(const struct header_field *field, const char *name, size_t name_count)
{
    return field->name_count == name_count && strncasecmp(field->name, name, name_count) == 0;
}
