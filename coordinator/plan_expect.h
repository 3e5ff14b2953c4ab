/** What a plan expects of answers, and how its workers behave between them: the values that are
 * more than one number or text. */
#ifndef CLOBBER_COORDINATOR_PLAN_EXPECT_H
#define CLOBBER_COORDINATOR_PLAN_EXPECT_H

#include "coordinator/plan_reading.h"
#include "coordinator/plan_table.h"
#include "coordinator/yaml.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stdio.h>

/** Reads `node` into `field`, that of `key`: of PLAN_STATUSES, PLAN_EXPECTED, PLAN_SIZES or
 *  PLAN_SPAN. False: reported. */
bool plan_expect_read(struct reading *reading, const struct plan_key *key, const struct node *node,
                      void *field);

/** Whether the plan says something there. */
bool plan_expect_given(const struct plan_key *key, const void *field);

/** Prints a PLAN_STATUSES, PLAN_SIZES or PLAN_SPAN as a plan would write it. */
void plan_expect_print(const struct plan_key *key, const void *field, FILE *stream);

/** Checks what the keys of a request say together, at `place`. */
void plan_expect_check(struct reading *reading, const struct plan_request *request,
                       struct place place);

/** How many of an assignment's expectations the request takes. */
uint32_t plan_expect_count(const struct plan_request *request);
/** Adds those of request `index` to the assignment, which borrows from the plan; they are no more
 *  than it has room for. */
void plan_expect_assign(const struct plan_request *request, uint32_t index,
                        struct assignment *assignment);

#endif
