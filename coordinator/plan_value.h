/** One value of a plan: from its node to its field, by the row of the table. */
#ifndef CLOBBER_COORDINATOR_PLAN_VALUE_H
#define CLOBBER_COORDINATOR_PLAN_VALUE_H

#include "coordinator/plan_reading.h"
#include "coordinator/plan_table.h"
#include "coordinator/yaml.h"

#include <stdbool.h>
#include <stddef.h>

/** Reports that `node` is nothing that may be given for `key`. Always returns false. */
bool plan_mistake(struct reading *reading, const struct plan_key *key, const struct node *node);

/** Replaces `*field` (owned) by a copy of `text[text_bytes]` with a NUL behind it. False: reported.
 */
bool plan_put_text(struct reading *reading, char **field, const char *text, size_t text_bytes,
                   struct place place);

/** Whether `text[text_bytes]` is not UTF-8, or holds a control character: no name then. */
bool plan_text_is_unsafe(const char *text, size_t text_bytes);

/** Copies the key of `node` into `*field`: a name of the reader's own, for templates. False:
 * reported. */
bool plan_name_read(struct reading *reading, const struct plan_key *key, const struct node *node,
                    char **field);

/** Reads `node` into the field of `key` in `object` (the plan, a stage, a request, a threshold).
 * Not for maps and lists. False: reported. */
bool plan_value_read(struct reading *reading, const struct plan_key *key, const struct node *node,
                     void *object);

#endif
