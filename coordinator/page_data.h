/** The page's data: one JSON object for the block that page/ draws from, in columns, with no more
 *  digits than a chart shows. */
#ifndef CLOBBER_COORDINATOR_PAGE_DATA_H
#define CLOBBER_COORDINATOR_PAGE_DATA_H

#include "coordinator/run_facts.h"

#include <stdbool.h>
#include <stdio.h>

#define PAGE_AGENTS_MAX 24u /* rows that people read; who was lost first, then the busiest */

/** Writes it so that it can stand inside <script>. False: ERROR_SYSTEM. */
bool page_data_write(const struct run_record *record, const struct run_facts *facts, FILE *stream,
                     struct error *error);

#endif
