/** Who may join, and what is said to who may not. Pure. */
#ifndef CLOBBER_COORDINATOR_ADMISSION_H
#define CLOBBER_COORDINATOR_ADMISSION_H

#include "coordinator/roster.h"

#include <stdbool.h>
#include <stdint.h>

/** Whether a newcomer that says `hello` may join at `now_ns`; false fills `refuse`. `over`: the run
 * takes no more load. */
bool admission_judge(const struct roster *roster, uint64_t now_ns, uint32_t lease_ms, bool over,
                     const struct hello *hello, struct refuse *refuse);

#endif
