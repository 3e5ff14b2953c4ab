/** Structs of the library's headers that carry their own size in their first field, `bytes`, so
 * that a caller and a library of different ages understand each other. What Linux does for
 * clone3(2). */
#ifndef CLOBBER_SIZED_H
#define CLOBBER_SIZED_H

#include <stdbool.h>
#include <stddef.h>

#define SIZED_BYTES_MAX 4096u /* of any version of any struct: beyond it `bytes` was never set */

/** Whether `given` (NULL is welcome) says a size that a caller can have meant: at least
 *  `first_bytes`, that of the first version. */
bool sized_fits(const void *given, size_t first_bytes);

/** Copies what fits into `known[known_bytes]`, with 0 for what `given` is too old to have, and
 *  `bytes` as given. False when it is newer and what lies beyond is not 0. */
bool sized_take(void *known, size_t known_bytes, const void *given);

/** Copies into `given` as much of `known[known_bytes]` as it has room for, with 0 for what is too
 *  new to be known; `given->bytes` stays. */
void sized_give(void *given, const void *known, size_t known_bytes);

#endif
