/** JSON lines: an object a line, whose members are the columns. Pure. */
#ifndef CLOBBER_COORDINATOR_JSON_LINES_H
#define CLOBBER_COORDINATOR_JSON_LINES_H

#include "coordinator/table.h"

/** Reads all of `text[text_bytes]` into `table`, which is empty. The first object names the columns
 * and each of the others has the same. Values are text, numbers, true and false, or null, which is
 * empty; none is a list or an object. Empty lines are passed over. False: ERROR_PLAN, ERROR_LIMIT,
 * ERROR_MEMORY, with the place in `path`. */
bool json_lines_read(const char *path, const char *text, size_t text_bytes, struct table *table,
                     struct error *error);

#endif
