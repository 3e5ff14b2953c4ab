/** What `clobber target` served, for GET /stats. One set a thread: only that thread writes it, any
 * may read. While nothing is on its way, requests = ok + errors + in service + waiting, exactly. */
#ifndef CLOBBER_AGENT_TARGET_COUNTS_H
#define CLOBBER_AGENT_TARGET_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#define TARGET_COUNTS_TEXT_BYTES 640u /* a dozen names and numbers of up to 20 digits */

enum target_count {
    TARGET_REQUESTS,   /* fully received, whether or not their answers could be delivered */
    TARGET_OK,         /* of these: services that ended in 200 */
    TARGET_ERRORS,     /* of these: services that ended in 503, and those refused by a full line */
    TARGET_IN_SERVICE, /* now */
    TARGET_WAITING,    /* now, in line */
    TARGET_IN_SERVICE_MAX,
    TARGET_WAITING_MAX,
    TARGET_MALFORMED, /* answered 4xx or 5xx for what they are; no requests, so not counted above */
    TARGET_CONNECTIONS,     /* open now, this one among them */
    TARGET_ACCEPTED,        /* connections so far */
    TARGET_LAST_REQUEST_NS, /* CLOCK_BOOTTIME when the newest of `requests` had come; 0: none */
    TARGET_COUNTS
};

/** Plain data; zeroed: nothing yet. Atomic, so that one thread can show what all have served. */
struct target_counts {
    _Atomic uint64_t values[TARGET_COUNTS];
};

/** For the thread that owns `counts` only. target_counts_reach() raises a count to `value`, never
 * lowers it. */
void target_counts_set(struct target_counts *counts, enum target_count which, uint64_t value);
void target_counts_add(struct target_counts *counts, enum target_count which, int64_t difference);
void target_counts_reach(struct target_counts *counts, enum target_count which, uint64_t value);

/** One number over `sets[count]`: their sum, of TARGET_LAST_REQUEST_NS the newest. Of the _MAX with
 * several threads it is an upper bound, for their peaks need not coincide. */
uint64_t target_counts_total(const struct target_counts *const *sets, uint32_t count,
                             enum target_count which);

/** Writes all totals as a line of JSON into `text[text_bytes]` (TARGET_COUNTS_TEXT_BYTES is
 * enough); returns `text`. */
const char *target_counts_json(const struct target_counts *const *sets, uint32_t count, char *text,
                               size_t text_bytes);

#endif
