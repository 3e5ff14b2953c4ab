/** What a plan must not hold itself: `${env:NAME}` and `${file:PATH}` in header values, bodies,
 * send and command. The plan keeps the reference, which is what is shown, recorded and printed; the
 * value is put in where an assignment is made, and nowhere else. Pure. */
#ifndef CLOBBER_COORDINATOR_PLAN_SECRET_H
#define CLOBBER_COORDINATOR_PLAN_SECRET_H

#include "coordinator/plan_reading.h"

#include <stdbool.h>
#include <stddef.h>

/** One reference in a text; borrowed. */
struct secret_reference {
    const char *text; /* from the $ on */
    size_t bytes;     /* to the } */
};

/** Where the first reference in `text[text_bytes]` begins, or NULL: what comes after "${env:" and
 *  "${file:" is one, well made or not. */
const char *plan_secret_mark(const char *text, size_t text_bytes);

/** Reads the reference that begins at `mark`, of a text that ends at `end`. False: ERROR_PLAN, it
 * has no } or no good name; the sentence without a place. */
bool plan_secret_reference(const char *mark, const char *end, struct secret_reference *reference,
                           struct error *error);

/** Gets the values of those in `text[text_bytes]` that the plan does not have yet. Mistakes go to
 *  `reading->errors` with `place`, after the words `what`. */
void plan_secret_load(struct reading *reading, const char *what, struct place place,
                      const char *text, size_t text_bytes);

/** The value of a reference, or NULL: it could not be had, which was reported. */
const struct plan_secret *plan_secret_find(const struct plan *plan,
                                           const struct secret_reference *reference);

/** Frees them, and leaves nothing of them in memory. */
void plan_secret_forget(struct plan *plan);

#endif
