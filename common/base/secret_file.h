/** Small files that tell who we are: secrets that nobody else may read, and lists of who may come
 *  that nobody else may change. */
#ifndef CLOBBER_BASE_SECRET_FILE_H
#define CLOBBER_BASE_SECRET_FILE_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum secret_guard {
    SECRET_READ,  /* ours, or root's for a group to read; nobody else may read or change it */
    SECRET_GIVEN, /* ours alone, or root's and nobody else may change it: as orchestrators give them
                   */
    SECRET_WRITE, /* anybody may read it; ours or root's, and nobody else may change it */
};

/** Reads all of the file at `path` into `text[text_bytes]` with a zero behind it, its size without
 *  that into `length`. False: ERROR_USAGE, a sentence that names the file and what to type. */
bool secret_file_read(const char *path, enum secret_guard guard, char *text, size_t text_bytes,
                      size_t *length, struct error *error);

/** Writes `text` to a new file at `path` with `mode` (0600 or 0644), on disk before it returns.
 * False: ERROR_USAGE when there is one already, which stays as it is; ERROR_SYSTEM. */
bool secret_file_write(const char *path, unsigned mode, const char *text, struct error *error);

/** From now on no other process of this user can look into this one, nor does it leave a core. */
void secret_file_hide_process(void);

#endif
