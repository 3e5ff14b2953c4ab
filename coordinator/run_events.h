/** Which events charts number, and when what they tell of began. Pure. */
#ifndef CLOBBER_COORDINATOR_RUN_EVENTS_H
#define CLOBBER_COORDINATOR_RUN_EVENTS_H

#include "coordinator/run_facts.h"

/** Fills `numbers` and `began_ns`. */
void run_events_number(const struct run_record *record, struct run_facts *facts);

#endif
