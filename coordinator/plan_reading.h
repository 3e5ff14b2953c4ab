/** A plan on its way, from a file or from flags. */
#ifndef CLOBBER_COORDINATOR_PLAN_READING_H
#define CLOBBER_COORDINATOR_PLAN_READING_H

#include "coordinator/plan.h"

#include <stdbool.h>

/** What reading a plan has led to so far. */
struct reading {
    struct plan *plan;
    struct plan_errors *errors;
    const struct plan_files *files; /* NULL: there are none */
    bool target_known;              /* the plan's scheme is what the file says */
    bool goal_known;                /* so is its goal */
    bool staged;                    /* the goal's value is the word `stages` */
};

/** Begins a plan that `path` names (copied): empty, owned by the caller through `reading->plan`.
 * NULL: reported. */
struct plan *plan_begin(struct reading *reading, const char *path, struct plan_errors *errors);

/** Fills in the defaults of the table. */
void plan_presets(struct reading *reading);

/** Hands the plan over to the caller, whole; NULL when there were mistakes, and frees it. */
struct plan *plan_end(struct reading *reading);

#endif
