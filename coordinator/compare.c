#include "coordinator/compare.h"

#include "common/base/check.h"
#include "common/base/flags.h"
#include "common/base/units.h"
#include "common/command.h"
#include "coordinator/json.h"
#include "coordinator/leave.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE        "3%"
#define ERRORS_TOLERANCE "0.1%"

struct options {
    struct comparison_options comparison;
    bool json;
};

bool compared_is_judged(const struct compared *compared, uint32_t index)
{
    CHECK(index >= 1);
    CHECK(index < compared->run_count);
    return compared->runs[0]->unfit[0] == '\0' && compared->runs[index]->unfit[0] == '\0';
}

static enum exit_code exit_code_of(const struct run_record *record)
{
    const struct json_t *verdict = json_get(record->result, "verdict");
    return (enum exit_code)json_get_count(verdict, "exit_code");
}

const char *compared_verdict(const struct run_record *record)
{
    switch (exit_code_of(record)) {
    case EXIT_MET:
        return "PASS";
    case EXIT_NOT_TRUSTED:
        return "NOT TO BE TRUSTED";
    case EXIT_BROKEN_OFF:
        return "BROKEN OFF";
    case EXIT_INTERRUPTED:
        return "INTERRUPTED";
    case EXIT_MISSED:
    case EXIT_USAGE:
        break;
    }
    return "FAIL";
}

static void look_for_doubt(struct compared_run *run)
{
    uint32_t seconds = run->side.counts[COMPARISON_THROUGHPUT];
    switch (exit_code_of(run->record)) {
    case EXIT_NOT_TRUSTED:
        snprintf(run->unfit, sizeof run->unfit, "its figures are not to be trusted");
        return;
    case EXIT_BROKEN_OFF:
        snprintf(run->unfit, sizeof run->unfit, "it was broken off");
        return;
    case EXIT_INTERRUPTED:
        snprintf(run->unfit, sizeof run->unfit, "it was interrupted");
        return;
    case EXIT_MET:
    case EXIT_MISSED:
    case EXIT_USAGE:
        break;
    }
    if (!comparison_side_is_enough(&run->side))
        snprintf(run->unfit, sizeof run->unfit,
                 "it has %u whole %s%s after its warm-up; give each run %u or more", seconds,
                 run->side.width_s == 1 ? "second" : "bin", seconds == 1 ? "" : "s",
                 COMPARISON_SECONDS_MIN);
}

static void add_difference(char *plans, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_difference(char *plans, const char *format, ...)
{
    size_t at = strlen(plans);
    if (at > 0 && at + 2 < COMPARE_PLANS_BYTES)
        at += (size_t)snprintf(plans + at, COMPARE_PLANS_BYTES - at, ", ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(plans + at, COMPARE_PLANS_BYTES - at, format, arguments);
    va_end(arguments);
}

/* What two runs were to do, as far as it is not the same. */
static void compare_plans(const struct json_t *a, const struct json_t *b, char *plans)
{
    const char *a_goal = json_get_text(json_get(a, "goal"), "text");
    const char *b_goal = json_get_text(json_get(b, "goal"), "text");
    if (strcmp(a_goal, b_goal) != 0)
        add_difference(plans, "goal %.200s and %.200s", a_goal, b_goal);
    const char *a_target = json_get_text(a, "target");
    const char *b_target = json_get_text(b, "target");
    if (strcmp(a_target, b_target) != 0)
        add_difference(plans, "target %.200s and %.200s", a_target, b_target);
    static const char *const times[][2] = {{"duration", "duration_ns"}, {"warmup", "warmup_ns"}};
    for (size_t i = 0; i < COUNT(times); i++) {
        char a_time[UNITS_TEXT_BYTES], b_time[UNITS_TEXT_BYTES];
        uint64_t a_ns = json_get_count(a, times[i][1]);
        uint64_t b_ns = json_get_count(b, times[i][1]);
        if (a_ns != b_ns)
            add_difference(plans, "%s %s and %s", times[i][0], units_show_duration(a_ns, a_time),
                           units_show_duration(b_ns, b_time));
    }
    if (plans[0] == '\0' && strcmp(json_get_text(a, "plan"), json_get_text(b, "plan")) != 0)
        add_difference(plans, "not in goal, target or times, but in their text");
}

struct compared_run *compared_run_open(const char *name, struct error *error)
{
    struct compared_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for another run");
        return NULL;
    }
    run->record = run_record_open(name, error);
    if (run->record != NULL)
        return run;
    free(run);
    return NULL;
}

void compared_run_destroy(struct compared_run *run)
{
    if (run == NULL)
        return;
    run_record_destroy(run->record);
    free(run);
}

void compared_run_take(struct compared_run *run, uint32_t width_s)
{
    comparison_side_take(&run->side, &run->record->series,
                         json_get_count(run->record->result, "warmup_ns"), run->record->load_ns,
                         width_s);
    look_for_doubt(run);
}

/* Bins double with a run's length, so the widest is a multiple of all. */
static uint32_t widest_bin_s(const struct compared *compared)
{
    uint32_t width_s = SERIES_BIN_S;
    for (uint32_t i = 0; i < compared->run_count; i++)
        if (compared->runs[i]->record->series.bin_s > width_s)
            width_s = compared->runs[i]->record->series.bin_s;
    return width_s;
}

static void compare_all(struct compared *compared)
{
    uint32_t width_s = widest_bin_s(compared);
    for (uint32_t i = 0; i < compared->run_count; i++)
        compared_run_take(compared->runs[i], width_s);
    for (uint32_t i = 1; i < compared->run_count; i++) {
        compare_plans(compared->runs[0]->record->start, compared->runs[i]->record->start,
                      compared->plans[i]);
        if (compared_is_judged(compared, i))
            comparison_make(&compared->comparisons[i], &compared->runs[0]->side,
                            &compared->runs[i]->side, &compared->options);
    }
}

/* A gate that opens for a run that nobody can judge would be none. */
static int code_of(const struct compared *compared)
{
    int code = EXIT_MET;
    for (uint32_t i = 1; i < compared->run_count; i++) {
        if (!compared_is_judged(compared, i))
            code = code == EXIT_MET ? EXIT_NOT_TRUSTED : code;
        else if (compared->comparisons[i].word == COMPARISON_WORSE)
            code = EXIT_MISSED;
    }
    return code;
}

static bool take_share(const char *value, double *share, struct error *error)
{
    return units_read_share(value, share) ||
           error_set(error, ERROR_USAGE, PLACE_NONE,
                     "'%.40s' is no share; give one from 0%% to 100%%, such as 3%%", value);
}

static bool take_tolerance(void *context, const char *value, struct error *error)
{
    return take_share(value, &((struct options *)context)->comparison.tolerance, error);
}

static bool take_errors_tolerance(void *context, const char *value, struct error *error)
{
    return take_share(value, &((struct options *)context)->comparison.errors_tolerance, error);
}

static bool take_format(void *context, const char *value, struct error *error)
{
    struct options *options = context;
    options->json = strcmp(value, "json") == 0;
    return options->json || strcmp(value, "text") == 0 ||
           error_set(error, ERROR_USAGE, PLACE_NONE, "'%.40s' is none of text, json", value);
}

static const struct flag rows[] = {
    {"tolerance", 0, "SHARE", TOLERANCE,
     "a difference up to this share of the first run's figure is none to complain of",
     take_tolerance, false},
    {"errors-tolerance", 0, "SHARE", ERRORS_TOLERANCE,
     "the same for the share of errors, in points of all requests", take_errors_tolerance, false},
    {"format", 0, "FORMAT", "text", "text or json", take_format, false},
};

static void explain(FILE *stream)
{
    fprintf(stream,
            "A RUN is a run's folder, its run.jsonl, or latest: the youngest in runs/. Up to %u of "
            "them.\n\n"
            "Ends with 1 when a later run is worse than the first one by more than is tolerated,\n"
            "else with 4 when one of them cannot be judged, else with 0.\n",
            COMPARE_RUNS_MAX);
}

static const struct flags compare_flags = {
    .command = "compare",
    .usage = "clobber compare RUN RUN... [FLAGS]",
    .about = "Tells how later runs differ from the first one, with confidence intervals.",
    .example = "clobber compare runs/before runs/after --tolerance 5%",
    .rows = rows,
    .count = COUNT(rows),
    .words_min = 2,
    .words_max = COMPARE_RUNS_MAX,
    .explain = explain,
};

static bool show(const struct compared *compared, bool json, struct error *error)
{
    if (json && !compare_as_json(compared, stdout, error))
        return false;
    if (!json) {
        struct terminal_look look = terminal_look(stdout, COMPARE_COLUMNS);
        compare_as_text(compared, &look, stdout);
    }
    return leave_flushed(error);
}

static int compare(const struct options *options, const char **names, size_t count)
{
    struct error error = {0};
    struct compared *compared = calloc(1, sizeof *compared);
    CHECK(compared != NULL);
    compared->options = options->comparison;
    bool well = true;
    for (size_t i = 0; well && i < count; i++) {
        compared->runs[i] = compared_run_open(names[i], &error);
        well = compared->runs[i] != NULL;
        compared->run_count += well;
    }
    if (well) {
        compare_all(compared);
        well = show(compared, options->json, &error);
    }
    int code = well ? code_of(compared) : leave_for(&error);
    for (uint32_t i = 0; i < compared->run_count; i++)
        compared_run_destroy(compared->runs[i]);
    free(compared);
    return code;
}

int command_compare(int count, char **arguments)
{
    struct options options = {.comparison = {.draws = COMPARISON_DRAWS, .seed = 1}};
    struct error error = {0};
    const char *words[COMPARE_RUNS_MAX] = {NULL};
    size_t words_count = 0;
    bool known = take_tolerance(&options, TOLERANCE, &error) &&
                 take_errors_tolerance(&options, ERRORS_TOLERANCE, &error);
    CHECK(known);
    int code = EXIT_MET;
    if (leave_after(
            flags_read(&compare_flags, count, arguments, &options, words, &words_count, &error),
            &error, &code))
        return code;
    return compare(&options, words, words_count);
}
