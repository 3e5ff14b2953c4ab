/** A file's lines, one at a time, in bounded memory whatever the file holds. */
#ifndef CLOBBER_COORDINATOR_RECORD_LINES_H
#define CLOBBER_COORDINATOR_RECORD_LINES_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define RECORD_LINE_BYTES_MAX (16u * 1024u * 1024u) /* a result of AGENTS_MAX agents is a third */

/** Plain data; `stream` is set by the caller and stays the caller's. record_lines_done() at the
 * end. */
struct record_lines {
    FILE *stream;
    char *text; /* owned: the line without its newline, a NUL behind it */
    size_t text_bytes, capacity;
    size_t line;   /* its number, from 1 */
    bool whole;    /* it ended with a newline: else the file was cut here, or is still written */
    bool long_one; /* it had more than RECORD_LINE_BYTES_MAX, of which none is kept */
};

enum record_lines_outcome { RECORD_LINES_ONE, RECORD_LINES_END, RECORD_LINES_FAILED };

/** The next line. RECORD_LINES_FAILED: ERROR_SYSTEM, ERROR_MEMORY. */
enum record_lines_outcome record_lines_next(struct record_lines *lines, struct error *error);
void record_lines_done(struct record_lines *lines);

#endif
