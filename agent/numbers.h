/** The global indexes that an agent may give to its requests: granted in blocks by the coordinator,
 * taken one by one by the lanes, in the order in which they came.
 *
 *  The control thread grants and takes back; every lane takes. No lock: a taking is one
 * compare-and-swap. */
#ifndef CLOBBER_AGENT_NUMBERS_H
#define CLOBBER_AGENT_NUMBERS_H

#include "common/base/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NUMBERS_LINE                                                                               \
    64u /* bytes of a cache line: what lanes write stands apart from the blocks                    \
         */

/** One granted block. Positions count what was ever granted to this agent: block after block, they
 * have no gaps, as indexes have. */
struct numbers_block {
    _Atomic uint64_t start, end; /* positions; end is written last */
    _Atomic uint64_t shift;      /* index = position + shift, modulo 2^64 */
};

/** Plain but for its atomics; zeroed: nothing was granted. */
struct numbers {
    _Atomic uint64_t next; /* position of the next one to be taken */
    uint8_t apart[NUMBERS_LINE - sizeof(uint64_t)];
    struct numbers_block blocks[INDEX_BLOCKS_MAX];
    /* The control thread's own. */
    uint64_t end;      /* positions granted */
    uint64_t returned; /* positions given back */
    uint64_t newest;   /* number of the newest block that was taken up; 0: none */
};

/** Of one moment. Plain data. */
struct numbers_account {
    uint64_t block; /* the newest that was taken up */
    uint64_t used;  /* indexes given to requests, ever */
    uint64_t left;  /* granted and not used */
};

/** Takes up block `block` of `count` indexes from `from`, unless it is no newer than what was taken
 * up before, or INDEX_BLOCKS_MAX blocks are still in use: it will be said again. One of 0 indexes
 * is taken up in the place of all that are left: they are given back. */
void numbers_grant(struct numbers *numbers, uint64_t block, uint64_t from, uint64_t count);
struct numbers_account numbers_account(const struct numbers *numbers);

/** Any thread: the next index. False: there is none now. */
bool numbers_take(struct numbers *numbers, uint64_t *index);
/** Any thread: whether there is none now. */
bool numbers_dry(const struct numbers *numbers);

#endif
