/** Whether the templates of a plan are understood. */
#ifndef CLOBBER_COORDINATOR_PLAN_TEMPLATE_H
#define CLOBBER_COORDINATOR_PLAN_TEMPLATE_H

#include "coordinator/plan_reading.h"
#include "coordinator/yaml.h"

/** Checks the templates in headers, paths and payloads, all of which are read, and counts the slots
 * that they make. `root` is the plan's map, for places; NULL: made from flags. Mistakes go to
 * `reading->errors`. */
void plan_template_check(struct reading *reading, const struct node *root);

#endif
