/** sample and final: cumulative counters and histograms of one phase.
 *
 *  Histograms travel sparse: varint pairs (cells skipped, count). One phase may take several
 *  messages: parts 0 to parts - 1 of one `t_to`, each with the same counters and with some of the
 *  histograms. FINAL is the same for the last time: one or more messages for each phase, each
 *  acknowledged by its envelope's seq. */
#ifndef CLOBBER_PROTO_SAMPLE_H
#define CLOBBER_PROTO_SAMPLE_H

#include "common/base/histogram.h"
#include "common/base/limits.h"
#include "proto/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

enum sample_kind {
    SAMPLE_RESPONSE,   /* due to done (closed: start to done) */
    SAMPLE_SERVICE,    /* start to done */
    SAMPLE_CONNECT,    /* connections made */
    SAMPLE_FIRST_BYTE, /* start to the first byte of the answer */
    SAMPLE_SEND_LAG,   /* due to start */
    SAMPLE_TLS,        /* connections made to handshakes done; since minor version 2 */
    SAMPLE_REQUEST,    /* response of one request name: `request` tells which */
    SAMPLE_KINDS
};

#define SAMPLE_STATUSES_MAX   64u
#define SAMPLE_HISTOGRAMS_MAX (SAMPLE_REQUEST + REQUEST_NAMES_MAX)

/** How often one HTTP status came. */
struct status_count {
    uint32_t status; /* 100 to 599 */
    uint64_t count;
    uint64_t failed; /* of these, counted as FAILURE_STATUS */
};

/** Per request name. */
struct request_count {
    uint64_t ok, failed; /* failed: time-outs included */
};

/** A histogram on the wire: borrowed bytes, decoded by sample_histogram_decode(). */
struct sample_histogram {
    enum sample_kind kind;
    uint32_t request; /* index of the plan's request; 0 unless kind is SAMPLE_REQUEST */
    const uint8_t *bytes;
    size_t byte_count;
};

struct sample {
    uint32_t phase;
    uint32_t part, parts;     /* part < parts */
    uint64_t t_from;          /* agent's clock: the phase's begin */
    uint64_t t_to;            /* ... and the moment read, or the phase's end */
    struct counters counters; /* of this phase */
    uint32_t status_count;
    struct status_count statuses[SAMPLE_STATUSES_MAX];
    uint32_t request_count;
    struct request_count requests[REQUEST_NAMES_MAX];
    uint32_t histogram_count;
    struct sample_histogram histograms[SAMPLE_HISTOGRAMS_MAX];
};

enum final_reason {
    FINAL_DRAINED,
    FINAL_ABORTED,
    FINAL_LEASE_ENDED,
    FINAL_INTERRUPTED,
    FINAL_KILLED, /* an orphan: said by a later incarnation; since minor version 3 */
    FINAL_REASONS
};

struct final {
    struct sample sample;
    uint64_t applied_seq;
    enum final_reason reason;
    uint32_t last_phase; /* how many phases this agent reports, less one: 0 to last_phase come */
    struct counters counters; /* all phases: the agent's last word for the ledger */
    uint64_t cpu_ns;
    uint32_t crc32c; /* of the whole message before it: written by encode, checked by decode */
};

/** The fields of each, in their order, after the envelope: NAME_FIELDS objects of an array that
 *  the caller has begun. What is encoded was checked before (CHECK: our own mistakes); decoding
 *  names what is wrong. False: ERROR_PROTOCOL, result untouched. */
#define SAMPLE_FIELDS 9u
#define FINAL_FIELDS  (SAMPLE_FIELDS + 6u)
void sample_encode(const struct sample *sample, struct wire_writer *writer);
bool sample_decode(struct wire_reader *reader, struct sample *sample, struct error *error);
void final_encode(const struct final *final, struct wire_writer *writer);
bool final_decode(struct wire_reader *reader, struct final *final, struct error *error);

/** Encodes `histogram` sparse into `bytes[capacity]`: total, sum, min, max, then the cells.
 *  Returns the bytes written, 0 when it does not fit. At most HISTOGRAM_BYTES_MAX. */
#define HISTOGRAM_BYTES_MAX (40u + HISTOGRAM_CELLS * 11u)
size_t sample_histogram_encode(const struct histogram *histogram, uint8_t *bytes, size_t capacity);
/** Reads it back; checks that the cells sum to the total, that min <= max, and that nothing is
 *  left over. False: ERROR_PROTOCOL, result untouched. */
bool sample_histogram_decode(const uint8_t *bytes, size_t byte_count, struct histogram *histogram,
                             struct error *error);

#endif
