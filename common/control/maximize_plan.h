/** What a search does next: a pure function of the table of levels. */
#ifndef CLOBBER_CONTROL_MAXIMIZE_PLAN_H
#define CLOBBER_CONTROL_MAXIMIZE_PLAN_H

#include "common/control/maximize_table.h"

#define PLAN_NEAR        0.08 /* of ln N: a bracket so narrow holds the answer */
#define PLAN_SAMPLES_MAX 40.0 /* for one level: so well 4 % noise is known to 0.6 % */
#define SLOPE_FREE       0.85 /* dlnX/dlnN: no queue */
#define SLOPE_CLIMB      0.7  /* below it the knee has been passed */

enum maximize_step { PLAN_CLIMB, PLAN_TRY, PLAN_DONE };

struct maximize_plan {
    enum maximize_step step;
    double in_flight; /* ln: to climb to, to try, or the answer */
};

/** `most`: ln of the workers in flight up to where it may go. `walk`: ln of a step down where no
 * level falls short and no latency is known. `precision`: half the 95 % interval that an answer may
 * have. The table has one level at least. */
struct maximize_plan maximize_plan_next(const struct maximize_table *table, double most,
                                        double walk, double precision);

#endif
