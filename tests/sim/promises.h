/** What must hold in every run, whatever befalls it. */
#ifndef CLOBBER_SIM_PROMISES_H
#define CLOBBER_SIM_PROMISES_H

#include "tests/sim/world.h"

/** After every step: what runs stays within goal and ceiling, and leases within what was heard. */
void promises_check_step(struct world *world);
/** Before a tick is shown: no total falls on the screen. */
void promises_check_shown(struct world *world, const struct counters *total);
/** At a tick that was shown: nothing is counted that did not happen. */
void promises_check_tick(struct world *world);
/** When an agent has ended: nothing that lay about made it leave. */
void promises_check_end(struct world *world, const struct life *life);
/** At the end of the calm: everybody who lives carries load. */
void promises_check_healed(struct world *world);
/** When nothing can happen any more: the report against what really was. */
void promises_check_report(struct world *world);

#endif
