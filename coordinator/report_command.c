#include "common/base/check.h"
#include "common/base/flags.h"
#include "common/base/units.h"
#include "common/command.h"
#include "coordinator/folder.h"
#include "coordinator/leave.h"
#include "coordinator/report_formats.h"

#include <string.h>

static const struct format {
    const char *name;
    const char *help;
    report_write *write;
} formats[] = {
    {"text", "the last screen", report_as_text},
    {"json", "result.json", report_as_json},
    {"csv", "the time series, a line a second", report_as_csv},
    {"html", "the report page: one file, opens without a network", report_as_html},
    {"hgrm", "response latencies, HdrHistogram's percentile format", report_as_hgrm},
    {"hlog", "all latencies as an HdrHistogram log (V2)", report_as_hlog},
    {"markdown", "a summary for pull requests", report_as_markdown},
    {"junit", "goal and thresholds as JUnit XML, for CI systems", report_as_junit},
};

struct options {
    const struct format *format;
    const char *out;
};

static bool take_format(void *context, const char *value, struct error *error)
{
    struct options *options = context;
    char all[256] = "";
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (strcmp(formats[i].name, value) == 0) {
            options->format = &formats[i];
            return true;
        }
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? ", " : "",
                 formats[i].name);
    }
    return error_set(error, ERROR_USAGE, PLACE_NONE, "'%.40s' is none of %s", value, all);
}

static bool take_out(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct options *)context)->out = value;
    return true;
}

static const struct flag rows[] = {
    {"format", 0, "FORMAT", "text", "how to show it, see below", take_format, false},
    {"out", 'o', "FILE", "-", "where to; - is stdout", take_out, false},
};

static void explain_formats(FILE *stream)
{
    fprintf(stream, "RUN is a run's folder, its run.jsonl, or latest: the youngest in runs/.\n\n"
                    "Formats:\n");
    for (size_t i = 0; i < COUNT(formats); i++)
        fprintf(stream, "  %-9s %s\n", formats[i].name, formats[i].help);
}

static const struct flags report_flags = {
    .command = "report",
    .usage = "clobber report RUN [FLAGS]",
    .about = "Shows a run again from its record, whether it finished or was broken off.",
    .example = "clobber report latest --format csv -o series.csv",
    .rows = rows,
    .count = COUNT(rows),
    .words_min = 1,
    .words_max = 1,
    .explain = explain_formats,
};

struct writing {
    const struct format *format;
    const struct run_record *record;
};

static bool write_file(const void *subject, FILE *stream, struct error *error)
{
    const struct writing *writing = subject;
    return writing->format->write(writing->record, stream, error);
}

static bool write_out(const struct options *options, const struct run_record *record,
                      struct error *error)
{
    struct writing writing = {options->format, record};
    if (options->out != NULL && strcmp(options->out, "-") != 0)
        return folder_put(options->out, write_file, &writing, error);
    if (!options->format->write(record, stdout, error))
        return false;
    return leave_flushed(error);
}

static int show(const struct options *options, const char *run)
{
    struct error error = {0};
    struct run_record *record = run_record_open(run, &error);
    if (record == NULL)
        return leave_for(&error);
    if (record->lines_skipped > 0)
        fprintf(stderr,
                "clobber: %llu line%s of the record made no sense and stand%s nowhere; %s\n",
                (unsigned long long)record->lines_skipped, record->lines_skipped == 1 ? "" : "s",
                record->lines_skipped == 1 ? "s" : "", record->skipped_why);
    int code = write_out(options, record, &error) ? EXIT_MET : leave_for(&error);
    run_record_destroy(record);
    return code;
}

int command_report(int count, char **arguments)
{
    struct options options = {.format = &formats[0]};
    struct error error = {0};
    const char *words[1] = {NULL};
    size_t words_count = 0;
    int code = EXIT_MET;
    if (leave_after(
            flags_read(&report_flags, count, arguments, &options, words, &words_count, &error),
            &error, &code))
        return code;
    return show(&options, words[0]);
}
