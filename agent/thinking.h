/** Who thinks, and until when: workers that wait after an answer, as the plan has them. Pure.
 *
 *  A worker that goes in between (its lane retires it, or has it connect anew) stays on the list
 * and is to be passed over when its time comes; only where many come and go does the list grow. */
#ifndef CLOBBER_AGENT_THINKING_H
#define CLOBBER_AGENT_THINKING_H

#include "common/control/heap.h"
#include "common/control/random.h"

#include <stdbool.h>
#include <stdint.h>

struct thinking {
    uint64_t least_ns, most_ns; /* most 0: nobody thinks */
    struct random random;
    struct heap ends; /* of `workers`: moments in ns, which a double holds exactly for a hundred
                         days since the machine began */
};

/** For so many workers at most. False: out of memory. thinking_done() in any case. */
bool thinking_init(struct thinking *thinking, uint64_t least_ns, uint64_t most_ns, uint64_t seed,
                   uint32_t workers);
void thinking_done(struct thinking *thinking);

/** How long to think this time. */
uint64_t thinking_draw(struct thinking *thinking);
/** Worker `index` thinks until `end_ns`. */
void thinking_add(struct thinking *thinking, uint32_t index, uint64_t end_ns);
/** When the next one has done; UINT64_MAX: nobody thinks. */
uint64_t thinking_next(const struct thinking *thinking);
/** Takes one that has done by `now_ns` off the list. False: there is none. */
bool thinking_take(struct thinking *thinking, uint64_t now_ns, uint32_t *index);

#endif
