/** A commented plan to start from, for each kind of goal. */
#ifndef CLOBBER_COORDINATOR_PLAN_NEW_H
#define CLOBBER_COORDINATOR_PLAN_NEW_H

/** The text of a plan whose goal is called `goal`: "hold", "maximize" or "while". NULL: there is no
 * such. Static. */
const char *plan_new_text(const char *goal);

#endif
