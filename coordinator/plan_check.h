/** What no single key of a plan can tell: what follows from several, and what goes together. */
#ifndef CLOBBER_COORDINATOR_PLAN_CHECK_H
#define CLOBBER_COORDINATOR_PLAN_CHECK_H

#include "coordinator/plan_value.h"
#include "coordinator/yaml.h"

/** Completes what was read (names, methods, common headers, the default request) and checks it as a
 * whole. `root` is the plan's map, for places; NULL: made from flags. Mistakes go to
 * `reading->errors`. */
void plan_check(struct reading *reading, const struct node *root);

#endif
