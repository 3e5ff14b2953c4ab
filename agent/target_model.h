/** The queue behind `clobber target`: who is served, who waits, who is done when.
 *
 *  Pure: time comes in as `now_ns`, chance from a seed. Same calls, same answers. A request is
 * known by its ticket, a number below `tickets_max` that is used by one request at a time.
 *
 *  First come, first served, by `servers` at once. A server that becomes free takes the next in
 * line at the very moment it became free, however late the caller comes to say so: a busy loop does
 * not lower the capacity. A service takes (latency ± jitter) × (1 + retrograde × beyond) where
 * `beyond` is how many requests are present, served or waiting, above `servers` (above the first
 * when that is 0), counted as it starts. So throughput falls again beyond the knee, as in Gunther's
 * universal scalability law. */
#ifndef CLOBBER_AGENT_TARGET_MODEL_H
#define CLOBBER_AGENT_TARGET_MODEL_H

#include "agent/target_knobs.h"

#include <stdbool.h>
#include <stdint.h>

#define TARGET_SERVICE_NS_MAX (24.0 * 3600e9) /* a day: no knobs make time wrap */

enum target_admission {
    TARGET_SERVED,  /* in service, or in line for it */
    TARGET_REFUSED, /* the line is full */
};

struct target_departure {
    uint64_t at_ns; /* when its service ended: now_ns or before */
    uint32_t ticket;
    bool failed; /* one of the error rate's share */
};

/** Opaque. For one thread. */
struct target_model;

/** All memory is taken here: `tickets_max` of 1 or more. The caller owns the result:
 *  target_model_destroy(). NULL: ERROR_MEMORY. */
struct target_model *target_model_create(uint32_t tickets_max, uint64_t seed, struct error *error);
void target_model_destroy(struct target_model *model);

/** From now on these knobs (checked ones) hold: for all that start from now, while what is in
 * service ends as it was going to. More servers take from the line at once; fewer finish what they
 * have. */
void target_model_turn(struct target_model *model, const struct target_knobs *knobs,
                       uint64_t now_ns);

/** A request is there. `ticket` is neither in service nor waiting. `now_ns` never goes back. */
enum target_admission target_model_arrive(struct target_model *model, uint32_t ticket,
                                          uint64_t now_ns);

/** The earliest request whose service has ended by `now_ns` leaves, and the line moves up. False:
 * there is none. */
bool target_model_depart(struct target_model *model, uint64_t now_ns,
                         struct target_departure *departure);

/** When the next one will be done, or 0 when nothing is in service. */
uint64_t target_model_next_ns(const struct target_model *model);

uint32_t target_model_in_service(const struct target_model *model);
uint32_t target_model_waiting(const struct target_model *model);

#endif
