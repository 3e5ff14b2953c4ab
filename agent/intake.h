/** The data files of an assignment as they come: which part to ask for next, what is here. A few
 * parts are under way at a time; one that does not come is asked for again. Pure. */
#ifndef CLOBBER_AGENT_INTAKE_H
#define CLOBBER_AGENT_INTAKE_H

#include "common/base/error.h"
#include "proto/assignment.h"
#include "proto/transfer.h"

#include <stdbool.h>
#include <stdint.h>

struct intake;

/** For the files of `assignment`, which stays borrowed. All memory is taken here. NULL: ERROR_LIMIT
 * (together more than DATA_BYTES_MAX_ALL), ERROR_MEMORY. The caller owns it: intake_destroy(). */
struct intake *intake_create(const struct assignment *assignment, struct error *error);
void intake_destroy(struct intake *intake);

/** The next part to ask for. False: there is none at `now_ns`. */
bool intake_ask(struct intake *intake, uint64_t now_ns, struct fetch *fetch);

/** Takes a part that was asked for; all others are passed over. False: a file is whole, and is not
 * the one that the assignment means (ERROR_PROTOCOL). */
bool intake_take(struct intake *intake, const struct data_part *part, struct error *error);

/** Whether all files are whole. */
bool intake_is_whole(const struct intake *intake);

/** The block of data file `file`, borrowed; all files must be whole. */
const uint8_t *intake_block(const struct intake *intake, uint32_t file);

#endif
