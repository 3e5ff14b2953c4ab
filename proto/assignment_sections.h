/** The sections of an assignment: groups of fields that travel only when the plan asks for them. */
#ifndef CLOBBER_PROTO_ASSIGNMENT_SECTIONS_H
#define CLOBBER_PROTO_ASSIGNMENT_SECTIONS_H

#include "common/base/error.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

/** How many sections `assignment` needs. */
uint32_t sections_wanted(const struct assignment *assignment);
/** Writes them, as one list. */
void sections_encode(const struct assignment *assignment, struct wire_writer *writer);
/** Reads the list into the members of `assignment` that belong to sections; the requests must be
 *  there. False: ERROR_PROTOCOL; one that is unknown is an error, for what it asks for would not be
 *  done. */
bool sections_decode(struct wire_reader *reader, struct assignment *assignment,
                     struct error *error);

#endif
