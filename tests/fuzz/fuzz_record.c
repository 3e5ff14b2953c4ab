/* Any bytes as a record: there is an error with a sentence, or a run whose every format can be
 * written. */
#include "common/base/check.h"
#include "coordinator/json.h"
#include "coordinator/report_formats.h"

#include <stdint.h>

static void write_all(const struct run_record *record)
{
    static report_write *const formats[] = {report_as_text,     report_as_json, report_as_csv,
                                            report_as_hgrm,     report_as_html, report_as_hlog,
                                            report_as_markdown, report_as_junit};
    FILE *nowhere = fopen("/dev/null", "we");
    CHECK(nowhere != NULL);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct error error = {0};
        bool well = formats[i](record, nowhere, &error);
        CHECK(well || error.kind == ERROR_USAGE);
    }
    fclose(nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count == 0)
        return 0;
    FILE *stream = fmemopen((void *)(uintptr_t)bytes, count, "r");
    CHECK(stream != NULL);
    struct error error = {0};
    struct run_record *record = run_record_read(stream, ".", &error);
    fclose(stream);
    CHECK((record != NULL) == (error.kind == ERROR_NONE));
    if (record == NULL)
        return 0;
    CHECK(record->series.count <= SERIES_BINS_MAX);
    CHECK(json_get(record->result, "schema") != NULL || !record->broken_off);
    write_all(record);
    run_record_destroy(record);
    return 0;
}
