/** How a command that has a plan leaves: its errors, the files of its run, the last screen, the
 * exit code. */
#ifndef CLOBBER_COORDINATOR_LEAVE_H
#define CLOBBER_COORDINATOR_LEAVE_H

#include "common/base/error.h"
#include "common/base/flags.h"
#include "coordinator/plan_errors.h"
#include "coordinator/report.h"
#include "coordinator/sink.h"

#include <stdbool.h>
#include <stddef.h>

/** Says `error` on stderr; returns the exit code for it. */
int leave_for(const struct error *error);
/** The same of a plan that could not be read: all that is wrong in it; or that there was no memory
 * to read it, of which the rest may be a consequence. */
int leave_for_plan(const struct plan_errors *errors);

/** Whether a command leaves once its flags were read as `outcome`, and with which exit code: 0
 * after its help, leave_for() `error` when they are bad. */
bool leave_after(enum flags_outcome outcome, const struct error *error, int *code);
/** Whether all that was printed went out. False: ERROR_SYSTEM. */
bool leave_flushed(struct error *error);

/** A run that is over. All borrowed. */
struct leaving {
    const struct report *report;
    struct sink *sinks; /* [sink_count] */
    size_t sink_count;
    const char *folder;
    const char *json; /* where the result goes too; "-": stdout alone; NULL: nowhere */
};

/** Finishes the sinks, writes the files and shows the last screen; returns the exit code. Whatever
 *  cannot be written, the screen is shown: what is in memory is not lost. */
int leave_with(const struct leaving *leaving);

#endif
