/** What can be turned on `clobber target`, by flag at its start and by POST /knobs while it runs.
 * Pure. */
#ifndef CLOBBER_AGENT_TARGET_KNOBS_H
#define CLOBBER_AGENT_TARGET_KNOBS_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_KNOBS_TEXT_BYTES 512u /* all knobs, named and valued, are under 200 */
#define TARGET_LATENCY_NS_MAX   UINT64_C(3600000000000) /* an hour: nobody waits longer */
#define TARGET_RETROGRADE_MAX   1000.0 /* keeps the longest service far from wrapping */

/** Plain data; zeroed: answers at once, without limit, without error. */
struct target_knobs {
    uint64_t latency_ns; /* service time of one request */
    uint64_t jitter_ns;  /* it varies so much either way, uniformly; at most latency_ns */
    double error_rate;   /* this share is answered 503, after a service like any other */
    double retrograde;   /* each request present beyond `servers` (beyond the first, when that is 0)
                            adds   this share to the service time of those that start */
    uint32_t servers;    /* so many are served at once, the others wait in line; 0: no limit */
    uint32_t queue;      /* so many may wait, those beyond are answered 503 at once; 0: no limit */
};

/** Sets the knob called `name`; `changes` need target_knobs_check() afterwards. False: ERROR_USAGE.
 */
bool target_knobs_set(struct target_knobs *knobs, const char *name, const char *value,
                      struct error *error);

/** Whether the knobs fit each other and `threads` loops. False: ERROR_USAGE. */
bool target_knobs_check(const struct target_knobs *knobs, uint32_t threads, struct error *error);

/** Applies a form such as "latency=20ms&servers=10&error-rate=1%" (a `%` that begins no %XX is
 * itself) and checks the result: all of it, or nothing and false (ERROR_USAGE). */
bool target_knobs_read(struct target_knobs *knobs, const char *form, uint32_t threads,
                       struct error *error);

/** Writes the knobs as a line of JSON into `text[text_bytes]` (TARGET_KNOBS_TEXT_BYTES is enough);
 * returns `text`. */
const char *target_knobs_json(const struct target_knobs *knobs, char *text, size_t text_bytes);

#endif
