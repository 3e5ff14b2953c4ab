/** What the records of a folder's runs came to, so that they need not be read again: an SQLite
 *  database beside the runs. Everything in it is made from the records and can be made anew: an
 *  index that is missing, damaged, of another version or not writable costs time, never a word. */
#ifndef CLOBBER_COORDINATOR_HISTORY_INDEX_H
#define CLOBBER_COORDINATOR_HISTORY_INDEX_H

#include "coordinator/history.h"

#include <stdbool.h>
#include <stdint.h>

#define HISTORY_INDEX_FILE "clobber-history.sqlite"

struct history_index;

/** The index of `folder`; where none can be kept one in memory. NULL: no memory. The caller owns
 * it: history_index_close(). */
struct history_index *history_index_open(const char *folder);
void history_index_close(struct history_index *index);

/** Fills in the rest of `run`, whose folder, bytes and changed_ns are known. False: the index does
 * not have it. */
bool history_index_find(struct history_index *index, struct history_run *run);
/** Keeps these and no others; all or nothing. False: it could not. */
bool history_index_replace(struct history_index *index, const struct history_run *runs,
                           uint32_t count);

#endif
