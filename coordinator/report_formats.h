/** The formats of `clobber report`: each writes a run from its record. */
#ifndef CLOBBER_COORDINATOR_REPORT_FORMATS_H
#define CLOBBER_COORDINATOR_REPORT_FORMATS_H

#include "coordinator/record_read.h"

#include <stdbool.h>
#include <stdio.h>

/** False: ERROR_SYSTEM, the stream failed; ERROR_USAGE, the record has nothing for this format. */
typedef bool report_write(const struct run_record *record, FILE *stream, struct error *error);

/** The last screen, as it was shown; of a broken-off run what is known. */
report_write report_as_text;
/** result.json. */
report_write report_as_json;
/** The time series, a line a second; times in ns, rates per second. */
report_write report_as_csv;
/** The report page: one file that opens without a network. */
report_write report_as_html;
/** The response latencies in HdrHistogram's percentile format. */
report_write report_as_hgrm;
/** All latencies as an HdrHistogram log (V2, compressed), one interval: the run after its warm-up.
 */
report_write report_as_hlog;
/** A summary for pull requests. */
report_write report_as_markdown;
/** The goal and each threshold as a test case, in JUnit's XML, for CI systems. */
report_write report_as_junit;

#endif
