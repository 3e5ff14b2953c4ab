/** The files that `http.tls` names, and what of it makes no sense together. */
#ifndef CLOBBER_COORDINATOR_PLAN_TLS_H
#define CLOBBER_COORDINATOR_PLAN_TLS_H

#include "coordinator/plan_reading.h"
#include "coordinator/yaml.h"

/** Loads them through `reading->files` into the plan; mistakes are reported at the places in `root`
 *  that name them. */
void plan_tls_load(struct reading *reading, const struct node *root);

#endif
