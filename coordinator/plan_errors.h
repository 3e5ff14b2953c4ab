/** The mistakes of one plan file, collected in the order of the file. */
#ifndef CLOBBER_COORDINATOR_PLAN_ERRORS_H
#define CLOBBER_COORDINATOR_PLAN_ERRORS_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/** All mistakes of one plan file, in the order of the file. A zeroed one is empty. */
struct plan_errors {
    uint32_t count; /* at most PLAN_ERRORS_MAX */
    bool more;      /* there were more than that */
    struct error items[PLAN_ERRORS_MAX];
};

/** Adds one sentence (printf style) where its place belongs; when there are too many, the last in
 * the file falls out. Always returns false, so that failing is one line. */
bool plan_errors_add(struct plan_errors *errors, enum error_kind kind, struct place place,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
