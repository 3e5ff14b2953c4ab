#include "coordinator/leave.h"

#include "common/command.h"
#include "coordinator/folder.h"
#include "coordinator/report_formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int leave_for(const struct error *error)
{
    char text[ERROR_TEXT_BYTES];
    fprintf(stderr, "clobber: %s\n", error_text(error, text, sizeof text));
    return error->kind == ERROR_USAGE || error->kind == ERROR_PLAN ? EXIT_USAGE : EXIT_BROKEN_OFF;
}

int leave_for_plan(const struct plan_errors *errors)
{
    char text[ERROR_TEXT_BYTES];
    for (uint32_t i = 0; i < errors->count; i++)
        if (errors->items[i].kind == ERROR_MEMORY)
            return leave_for(&errors->items[i]);
    for (uint32_t i = 0; i < errors->count; i++)
        fprintf(stderr, "%s\n", error_text(&errors->items[i], text, sizeof text));
    if (errors->more)
        fprintf(stderr, "there are more; these are the first %u\n", errors->count);
    return EXIT_USAGE;
}

bool leave_after(enum flags_outcome outcome, const struct error *error, int *code)
{
    switch (outcome) {
    case FLAGS_HELP:
        *code = EXIT_MET;
        return true;
    case FLAGS_BAD:
        *code = leave_for(error);
        return true;
    case FLAGS_OK:
        break;
    }
    return false;
}

bool leave_flushed(struct error *error)
{
    return fflush(stdout) == 0 ||
           error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write to stdout");
}

static bool write_json(const void *subject, FILE *stream, struct error *error)
{
    return report_json(subject, stream, error);
}

static bool write_hgrm(const void *subject, FILE *stream, struct error *error)
{
    (void)error;
    const struct report *report = subject;
    report_hgrm(&report->kinds[SAMPLE_RESPONSE], stream);
    return true;
}

static bool write_page(const void *subject, FILE *stream, struct error *error)
{
    return report_as_html(subject, stream, error);
}

/* From the record, as `clobber report` will: what is shown now can be shown again. */
static bool put_page(const char *folder, struct error *error)
{
    struct run_record *record = run_record_open(folder, error);
    bool well = record != NULL && folder_replace(folder, "report.html", write_page, record, error);
    run_record_destroy(record);
    return well;
}

static bool put_json(const struct report *report, const char *path, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return report_json(report, stdout, error) && leave_flushed(error);
    return folder_put(path, write_json, report, error);
}

static bool tell(const struct error *error)
{
    leave_for(error);
    return false;
}

/* Each file by itself: one that finds no room must not take the others along. The result that has
 * no place on disk goes to stderr; nothing of it is lost. */
static bool put_files(const char *folder, const struct report *report)
{
    struct error error = {0};
    bool well = true;
    if (!folder_replace(folder, "result.json", write_json, report, &error)) {
        well = tell(&error);
        report_json(report, stderr, &error);
    }
    if (!folder_replace(folder, "latency.hgrm", write_hgrm, report, &error))
        well = tell(&error);
    if (!put_page(folder, &error))
        well = tell(&error);
    return well;
}

int leave_with(const struct leaving *leaving)
{
    const struct report *report = leaving->report;
    const char *json = leaving->json;
    int code = (int)report->exit_code;
    struct error error = {0};
    for (size_t i = 0; i < leaving->sink_count; i++) {
        struct sink *sink = &leaving->sinks[i];
        if (sink->finish != NULL && !sink->finish(sink->state, report, &error))
            code = leave_for(&error);
    }
    const char *files = REPORT_FILES;
    if (!put_files(leaving->folder, report)) {
        code = EXIT_BROKEN_OFF;
        files = "run.jsonl";
    }
    if (json != NULL && !put_json(report, json, &error))
        code = leave_for(&error);
    FILE *screen = json != NULL && strcmp(json, "-") == 0 ? stderr : stdout;
    bool color = isatty(fileno(screen)) && getenv("NO_COLOR") == NULL;
    report_text(report, leaving->folder, files, color, screen);
    return report->exit_code == EXIT_INTERRUPTED ? EXIT_INTERRUPTED : code;
}
