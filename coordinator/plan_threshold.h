/** Lines such as "latency.p(99) < 250ms". Pure. */
#ifndef CLOBBER_COORDINATOR_PLAN_THRESHOLD_H
#define CLOBBER_COORDINATOR_PLAN_THRESHOLD_H

#include "coordinator/plan.h"

#include <stdbool.h>

/** Reads `text`; `threshold->text` is a new copy with single blanks, which the caller owns. False:
 * ERROR_PLAN, ERROR_MEMORY. */
bool threshold_read(const char *text, struct threshold *threshold, struct place place,
                    struct error *error);

#endif
