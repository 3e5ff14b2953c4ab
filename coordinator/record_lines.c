#include "coordinator/record_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 4096u

static bool reserve(struct record_lines *lines, size_t bytes)
{
    if (bytes <= lines->capacity)
        return true;
    size_t capacity = lines->capacity > 0 ? lines->capacity : CHUNK_BYTES;
    while (capacity < bytes)
        capacity *= 2;
    char *larger = realloc(lines->text, capacity);
    if (larger == NULL)
        return false;
    lines->text = larger;
    lines->capacity = capacity;
    return true;
}

static enum record_lines_outcome no_memory(struct error *error)
{
    error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a line of it");
    return RECORD_LINES_FAILED;
}

enum record_lines_outcome record_lines_next(struct record_lines *lines, struct error *error)
{
    lines->text_bytes = 0;
    lines->whole = false;
    lines->long_one = false;
    lines->line++;
    int byte = 0;
    while (byte != '\n' && (byte = getc_unlocked(lines->stream)) != EOF) {
        if (byte == '\n' || lines->long_one)
            continue;
        if (lines->text_bytes == RECORD_LINE_BYTES_MAX) {
            lines->long_one = true;
            lines->text_bytes = 0;
            continue;
        }
        if (!reserve(lines, lines->text_bytes + 2)) /* it, and a NUL */
            return no_memory(error);
        lines->text[lines->text_bytes++] = (char)byte;
    }
    if (ferror(lines->stream)) {
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot read it: %s", strerror(errno));
        return RECORD_LINES_FAILED;
    }
    if (!reserve(lines, 1))
        return no_memory(error);
    lines->text[lines->text_bytes] = '\0';
    lines->whole = byte == '\n';
    bool any = lines->whole || lines->text_bytes > 0 || lines->long_one;
    return any ? RECORD_LINES_ONE : RECORD_LINES_END;
}

void record_lines_done(struct record_lines *lines)
{
    free(lines->text);
    lines->text = NULL;
    lines->capacity = 0;
}
