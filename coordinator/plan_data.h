/** What a plan takes from files that it names: the rows of its data, and payloads of requests. */
#ifndef CLOBBER_COORDINATOR_PLAN_DATA_H
#define CLOBBER_COORDINATOR_PLAN_DATA_H

#include "coordinator/plan_reading.h"
#include "coordinator/yaml.h"

/** Fills in what stands in files: rows and columns of `data`, and the bodies that are files.
 * `root` is the plan's map, for places; NULL: made from flags. Mistakes go to `reading->errors`. */
void plan_data_load(struct reading *reading, const struct node *root);

#endif
