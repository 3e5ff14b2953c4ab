/** Requests whose bytes differ from one to the next: an assignment's slots, filled in by the
 * request's global index. The same seed and index give the same bytes, whoever makes them. Pure;
 * allocates nothing once made. */
#ifndef CLOBBER_AGENT_TEMPLATE_H
#define CLOBBER_AGENT_TEMPLATE_H

#include "common/base/error.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct templates;

/** For all requests of `assignment`, which stays borrowed with the blocks of its data. NULL:
 * ERROR_PROTOCOL (a block is broken, or lacks a column), ERROR_LIMIT (a request can be longer than
 * RENDERED_BYTES_MAX), ERROR_MEMORY. The caller owns it: templates_destroy(). */
struct templates *templates_create(const struct assignment *assignment, struct error *error);
void templates_destroy(struct templates *templates);

/** Whether requests of `kind` (index into the assignment) have slots. */
bool templates_fill(const struct templates *templates, uint32_t kind);

/** The most that a request takes; 0: none has slots. */
size_t templates_room_bytes(const struct templates *templates);

/** The bytes of the request of `kind` with that `index`: written into `room`, which has
 * templates_room_bytes(); or the assignment's own, when there is nothing to fill in. */
struct assignment_bytes templates_render(const struct templates *templates, uint32_t kind,
                                         uint64_t index, uint8_t *room);

#endif
