/** Taking up a run whose coordinator died: what its folder tells, against the plan that is given.
 */
#ifndef CLOBBER_COORDINATOR_RESUME_H
#define CLOBBER_COORDINATOR_RESUME_H

#include "common/base/error.h"
#include "coordinator/plan.h"
#include "coordinator/record_read.h"
#include "coordinator/session.h"
#include "coordinator/store.h"

#include <stdbool.h>

/** Plain data; a zeroed one has read nothing. resume_done() at the end. */
struct resume {
    struct run_record *record; /* owned */
    struct store_past past;    /* owned */
    const char *endpoint;      /* where its agents connect; borrowed from the record */
};

/** Reads the record and the state of the run in `folder`. False: ERROR_USAGE when the run has
 * ended, `plan` is another one or cannot be resumed; ERROR_SYSTEM, ERROR_MEMORY. */
bool resume_read(struct resume *resume, struct store *store, const char *folder,
                 const struct plan *plan, struct error *error);
/** Brings `session`, which was not stepped, to where the other coordinator was. */
bool resume_session(const struct resume *resume, struct session *session, uint32_t lease_ms,
                    struct error *error);
void resume_done(struct resume *resume);

#endif
