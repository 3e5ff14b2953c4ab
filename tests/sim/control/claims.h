/** What we claim of our laws: the figures that docs/control.md shows, as bounds. A few seeds hold
 * them in every run of the tests, 25 in the campaign. */
#ifndef CLOBBER_SIM_CONTROL_CLAIMS_H
#define CLOBBER_SIM_CONTROL_CLAIMS_H

#include "tests/sim/control/scenario.h"

enum claim_kind {
    CLAIM_NONE,
    CLAIM_AT_MOST,        /* the median */
    CLAIM_AT_LEAST,       /* the median */
    CLAIM_AT_MOST_EVERY,  /* seed */
    CLAIM_AT_LEAST_EVERY, /* seed */
};

struct claim {
    enum claim_kind kind;
    size_t figure;
    const char *name;
    double bound;
    bool many; /* a median of few seeds says nothing yet */
};

#define CLAIMS_MAX       8
#define CLAIM_SEEDS_MANY 20

/** All that is claimed of one scenario. */
struct claims {
    const char *scenario;
    enum control_status status; /* GOAL_HOLD: at the end */
    struct claim claims[CLAIMS_MAX];
};

/** NULL when nothing is claimed but what is claimed of all: never a false SATURATED. */
const struct claims *claims_find(const char *scenario);

/** Whether `summary` is what is claimed; else prints what is not. */
bool claims_hold(const struct claims *claims, const struct summary *summary, uint64_t seeds);

#endif
