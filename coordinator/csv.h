/** Comma-separated values (RFC 4180): the first line names the columns. Pure. */
#ifndef CLOBBER_COORDINATOR_CSV_H
#define CLOBBER_COORDINATOR_CSV_H

#include "coordinator/table.h"

/** Reads all of `text[text_bytes]` into `table`, which is empty. A value may stand in double quotes
 * and then hold commas, line breaks and doubled quotes; lines end with LF or CR LF, empty ones and
 * a byte order mark are passed over. Every line has as many values as the first one. Bytes are
 * taken as they are. False: ERROR_PLAN, ERROR_LIMIT, ERROR_MEMORY, with the place in `path`. */
bool csv_read(const char *path, const char *text, size_t text_bytes, struct table *table,
              struct error *error);

#endif
