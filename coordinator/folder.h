/** A run's folder: made at the start, never one that holds a run already; files in it are replaced
 * whole. */
#ifndef CLOBBER_COORDINATOR_FOLDER_H
#define CLOBBER_COORDINATOR_FOLDER_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FOLDER_PATH_BYTES 1024u

/** Makes the folder: `wanted` when given, else runs/NAME-YYYYMMDD-HHMMSS with -2, -3, ... behind it
 * while that is taken. `path[FOLDER_PATH_BYTES]` gets what it became. False: ERROR_USAGE when
 * `wanted` holds a run, ERROR_SYSTEM when it cannot be made or written. */
bool folder_create(const char *wanted, const char *name, uint64_t wall_ns, char *path,
                   struct error *error);

/** Writes with `write` into a file beside `folder/file`, syncs it, and renames it into its place;
 * so what is there is always whole. False: ERROR_SYSTEM, and nothing has changed. */
typedef bool folder_write(const void *subject, FILE *stream, struct error *error);
bool folder_replace(const char *folder, const char *file, folder_write *write, const void *subject,
                    struct error *error);

/** The same as folder_replace() for a file anywhere; but what is there and no file, a device or a
 * pipe, is written to and never replaced. */
bool folder_put(const char *path, folder_write *write, const void *subject, struct error *error);

#endif
