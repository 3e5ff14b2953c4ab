/** A Redis command as its words, and as the bytes that are sent. Pure. */
#ifndef CLOBBER_COORDINATOR_PLAN_COMMAND_H
#define CLOBBER_COORDINATOR_PLAN_COMMAND_H

#include "coordinator/yaml.h"

#include <stdbool.h>
#include <stddef.h>

/** One word; borrowed, not ended by a NUL. */
struct command_word {
    const char *text;
    size_t bytes;
};

/** What is wrong with `node` as a command, as the end of a sentence; NULL: it is a good one, and
 *  `*bytes` its `*byte_count` bytes in RESP, owned by the caller, with a NUL
 * behind them. Static.
 *
 *  Text falls into words at its blanks, but for those in quotes and in templates; a word begins and
 * ends with its quotes, and between double ones \n, \r, \t, \" and \\ are one character. A list
 * gives each word as it is. */
const char *command_read(const struct node *node, char **bytes, size_t *byte_count);

/** The word at `*at`, which moves behind it; `end` is the end of what command_read() gave, whose
 * beginning is the first `*at`. False: there is none. */
bool command_next(const char **at, const char *end, struct command_word *word);

#endif
