/** examine and findings: a coordinator that only wants to know what an agent's machine can carry.
 *  Since minor version 2; an agent hears it in answer to its HELLO, and takes part in no run. */
#ifndef CLOBBER_PROTO_EXAMINATION_H
#define CLOBBER_PROTO_EXAMINATION_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

#define EXAMINATION_MS_MAX 5000u /* an agent that measures hears nothing else meanwhile */

struct examine {
    uint64_t t; /* the coordinator's own clock; comes back */
    uint32_t
        measure_ms; /* how long to load itself; 0: only answer, so that clocks can be compared */
};

struct findings {
    uint64_t echo_t;
    uint64_t t_agent;
    bool measured; /* else all below is 0 and "" */
    uint32_t lanes;
    uint32_t cpu_limit_milli;    /* of its control group, in thousandths of a CPU; 0: none */
    uint64_t requests_per_cpu_s; /* of one lane against a server in its own process */
    uint64_t timer_p99_ns;       /* how late it wakes */
    uint64_t descriptors;        /* that the process may have */
    uint32_t room;               /* requests in flight: as hello.max_concurrency */
    uint32_t ports, addresses;   /* for outgoing connections, of each address; 0 ports: not known */
    char engine[NAME_BYTES_MAX + 1];
    char engine_why[NAME_BYTES_MAX + 1]; /* not io_uring; "": it is */
    char governor[NAME_BYTES_MAX + 1];   /* "": not known, as the clock */
    char clock[NAME_BYTES_MAX + 1];
};

/** As the pairs of membership.h. */
#define EXAMINE_FIELDS  2u
#define FINDINGS_FIELDS 15u
void examine_encode(const struct examine *examine, struct wire_writer *writer);
bool examine_decode(struct wire_reader *reader, struct examine *examine, struct error *error);
void findings_encode(const struct findings *findings, struct wire_writer *writer);
bool findings_decode(struct wire_reader *reader, struct findings *findings, struct error *error);

#endif
