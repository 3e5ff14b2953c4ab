/** A latency digest: a histogram coarse enough to go with every beat. Eight of a histogram's cells
 * make one of ours, so above 256 ns there are 16 an octave, each at most 1/16 of its value wide. A
 * quantile, taken within its cell as if the counts there lay evenly, is off by 3 % at most where
 * they do, and never by more than the cell. Not to be taken for the SHA-256 digests of messages. */
#ifndef CLOBBER_PROTO_DIGEST_H
#define CLOBBER_PROTO_DIGEST_H

#include "common/base/error.h"
#include "common/base/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SHIFT 3u
#define DIGEST_CELLS (HISTOGRAM_CELLS >> DIGEST_SHIFT)

/** Plain data; a zeroed one is empty. */
struct digest {
    uint64_t total; /* sum of all cells */
    uint64_t cells[DIGEST_CELLS];
};

/** Counts one value. */
static inline void digest_record(struct digest *digest, uint64_t value_ns)
{
    digest->total++;
    digest->cells[histogram_cell(value_ns) >> DIGEST_SHIFT]++;
}

/** Adds all of `other`. */
void digest_add(struct digest *digest, const struct digest *other);
/** Adds what `newer` counts beyond `older`; both of one agent, and digest_is_monotone(). */
void digest_add_since(struct digest *digest, const struct digest *newer,
                      const struct digest *older);
/** Whether no cell of `newer` is below its twin in `older`. */
bool digest_is_monotone(const struct digest *newer, const struct digest *older);

/** The value in ns at or under which `quantile` (0 to 1) of the counts lie; 0 when empty. */
double digest_quantile(const struct digest *digest, double quantile);

/** Encodes sparse into `bytes[capacity]`: total, then pairs of cells skipped and count. Returns the
 * bytes written, 0 when it does not fit. */
#define DIGEST_BYTES_MAX (10u + DIGEST_CELLS * 12u)
size_t digest_encode(const struct digest *digest, uint8_t *bytes, size_t capacity);
/** Reads it back, a stranger's bytes. False: ERROR_PROTOCOL, result untouched. */
bool digest_decode(const uint8_t *bytes, size_t byte_count, struct digest *digest,
                   struct error *error);

#endif
