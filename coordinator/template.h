/** Texts of a plan with `{{ ... }}` inside, taken apart: what stays as it is, and what each request
 * fills in anew. Pure.
 *
 *  `{{ seq }}`, `{{ random(1, 100) }}`, `{{ uuid }}`, `{{ NAME }}` of the plan's variables, `{{
 * FILE.COLUMN }}` of its data, `{{ 'text' }}` for a text as it stands, braces included; and
 * secrets, `${env:NAME}`, `${file:PATH}`. */
#ifndef CLOBBER_COORDINATOR_TEMPLATE_H
#define CLOBBER_COORDINATOR_TEMPLATE_H

#include "common/base/error.h"
#include "coordinator/plan.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Where a text stands: values are percent-encoded in a path, hold no control character in a
 * header, and are bytes as they are in a body. */
enum template_use { TEMPLATE_PATH, TEMPLATE_HEADER, TEMPLATE_BODY };

/** Whether there is anything in `text[text_bytes]` to take apart. */
bool template_is_one(const char *text, size_t text_bytes);

/** Whether all of `text[text_bytes]` is understood and fits where it stands. A data file that could
 * not be read (without rows) is taken to have every column. False: ERROR_PLAN, the sentence without
 * a place. */
bool template_check(const struct plan *plan, enum template_use use, const char *text,
                    size_t text_bytes, struct error *error);

/** Whether `name` may be that of a variable or a data file. */
bool template_name_is_good(const char *name);

/** How many slots each request fills in `text[text_bytes]`, which was checked; `*literal_bytes` is
 * what stays. */
uint32_t template_measure(const struct plan *plan, enum template_use use, const char *text,
                          size_t text_bytes, size_t *literal_bytes);

/** Writes what stays of `text[text_bytes]`, which was checked, to `stream`, and appends the slots
 * of `request` to the assignment; their offsets count from `start` of the stream. There must be
 * room for them. */
void template_write(const struct plan *plan, enum template_use use, const char *text,
                    size_t text_bytes, FILE *stream, long start, uint32_t request,
                    struct assignment *assignment);

#endif
