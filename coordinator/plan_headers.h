/** HTTP header lines as the plan keeps them: "Name: value\r\n" each, in one string. Pure. */
#ifndef CLOBBER_COORDINATOR_PLAN_HEADERS_H
#define CLOBBER_COORDINATOR_PLAN_HEADERS_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>

/** One line of such a string; borrowed from it, ends without NUL. */
struct header {
    const char *name, *value;
    size_t name_bytes, value_bytes;
};

/** The header at `*at`, which then stands behind it; false at the end. */
bool header_next(const char **at, struct header *header);

/** Whether `headers` has one called `name[name_bytes]`, in any case of letters. */
bool headers_have(const char *headers, const char *name, size_t name_bytes);

/** Whether a header may be called `name`. */
bool header_is_name(const char *name);

/** What is wrong with the header, as the end of a sentence, or NULL. Static. */
const char *header_mistake(const char *name, const char *value, size_t value_bytes);

/** Adds a line to `*headers` (NULL or owned by the caller; moves). False: out of memory. */
bool headers_add(char **headers, const char *name, const char *value);

/** `common` without what `own` has too, then `own`: a new string that the caller owns; NULL: out of
 * memory. */
char *headers_merge(const char *common, const char *own);

#endif
