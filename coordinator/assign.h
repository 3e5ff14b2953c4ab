/** The plan to the bytes that every agent gets: ready-made requests in an assignment. */
#ifndef CLOBBER_COORDINATOR_ASSIGN_H
#define CLOBBER_COORDINATOR_ASSIGN_H

#include "common/base/error.h"
#include "coordinator/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Writes the plan's requests as HTTP/1.1 or tcp bytes and encodes them with all an agent needs
 * into `bytes[ASSIGNMENT_BYTES_MAX]`; `*byte_count` is what it took. False: ERROR_LIMIT,
 * ERROR_MEMORY. */
bool assign_from_plan(const struct plan *plan, uint8_t *bytes, size_t *byte_count,
                      struct error *error);

#endif
