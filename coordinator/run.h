/** Commands `run`, `coordinator` and `validate`: one path that stops at three depths, so validate
 * never drifts from run. The commands themselves are declared in common/command.h. */
#ifndef CLOBBER_COORDINATOR_RUN_H
#define CLOBBER_COORDINATOR_RUN_H

#include "common/base/flags.h"
#include "coordinator/children.h"
#include "coordinator/keys.h"
#include "coordinator/plan.h"

#include <stdbool.h>
#include <stdint.h>

#define RUN_BOUNDS_MAX  8u  /* --while flags; two bounds are all there are */
#define RUN_HEADERS_MAX 64u /* -H flags; more do not fit HEADERS_BYTES_MAX either */

/** Everything the three commands can be told. Texts are borrowed from the command line. */
struct run_options {
    struct plan_flags request; /* what to do, for a run without a file, or over one */
    const char *headers[RUN_HEADERS_MAX];
    const char *bounds[RUN_BOUNDS_MAX];
    char *body_file;    /* of -b @FILE; owned */
    bool request_given; /* -m, -H, -b or --while */
    uint32_t agents, lanes;
    const char *passed[CHILDREN_PASSED_MAX]; /* flags and values that our agents judge themselves */
    uint32_t passed_count;
    const char *bind;
    uint32_t expect_agents;
    uint64_t wait_ns;
    struct keys_flags keys;
    const char *resume; /* the folder of the run that is taken up again; NULL: a new one */
    const char *out;
    const char *json;
    bool quiet;
    bool reference; /* validate: print the table of keys instead */
};

/** The tables of flags of the three commands; run_flags.c. Their context is struct run_options. */
extern const struct flags run_flags, coordinator_flags, validate_flags;

#endif
