#include "coordinator/history.h"

#include "common/base/check.h"
#include "common/base/flags.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "common/command.h"
#include "coordinator/compare.h"
#include "coordinator/history_index.h"
#include "coordinator/json.h"
#include "coordinator/leave.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RUNS_FOLDER "runs"
#define RECORD_FILE "run.jsonl"
#define TREND_DRAWS 2000u /* a scatter to 2 %: enough to tell which run to look at */
#define TOLERANCE   0.03  /* as `clobber compare` has it unless told */

struct options {
    const char *name;
    bool json;
};

static void take_record(struct history_run *run, const struct run_record *record)
{
    const struct json_t *result = record->result;
    const struct json_t *response = json_get(json_get(result, "latency"), "response");
    snprintf(run->name, sizeof run->name, "%s", json_get_text(record->start, "name"));
    snprintf(run->started_at, sizeof run->started_at, "%s",
             json_get_text(record->start, "started_at"));
    snprintf(run->goal, sizeof run->goal, "%s",
             json_get_text(json_get(record->start, "goal"), "text"));
    snprintf(run->verdict, sizeof run->verdict, "%s",
             record->broken_off ? "UNFINISHED" : compared_verdict(record));
    run->throughput_per_s = json_get_number(result, "throughput_per_s");
    run->workers = json_get_number(json_get(result, "control"), "concurrency_mean");
    run->response_p99_ns = json_get_count(response, "p99_ns");
}

static const char *path_of(const struct history *history, const struct history_run *run, char *path)
{
    snprintf(path, FOLDER_PATH_BYTES, "%.700s/%.255s", history->folder, run->folder);
    return path;
}

/* False: it is no record; that is said, and the others are shown. */
static bool read_run(const struct history *history, struct history_run *run)
{
    struct error error = {0};
    char path[FOLDER_PATH_BYTES], shown[4 * FOLDER_PATH_BYTES];
    struct run_record *record = run_record_open(path_of(history, run, path), &error);
    if (record == NULL) {
        fprintf(stderr, "clobber: %s is left out: %s\n", harmless_text(path, shown, sizeof shown),
                error.message);
        return false;
    }
    take_record(run, record);
    run_record_destroy(record);
    return true;
}

/* Whether `name` is the folder of a run, and its record's size and time. */
static bool look_at(const struct history *history, const char *name, struct history_run *run)
{
    char path[FOLDER_PATH_BYTES];
    struct stat status;
    int length = snprintf(path, sizeof path, "%s/%s/" RECORD_FILE, history->folder, name);
    if (name[0] == '.' || strlen(name) >= HISTORY_TEXT_BYTES || length < 0 ||
        (size_t)length >= sizeof path || stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    *run = (struct history_run){.bytes = (uint64_t)status.st_size,
                                .changed_ns = (uint64_t)status.st_mtim.tv_sec * NS_PER_S +
                                              (uint64_t)status.st_mtim.tv_nsec};
    snprintf(run->folder, sizeof run->folder, "%s", name);
    return true;
}

static bool add_run(struct history *history, const struct history_run *run, struct error *error)
{
    if (history->run_count == HISTORY_RUNS_MAX)
        return error_set(error, ERROR_LIMIT, PLACE_NONE,
                         "there are more than %u runs; move old ones elsewhere", HISTORY_RUNS_MAX);
    if ((history->run_count & (history->run_count - 1)) == 0) { /* full at each power of two */
        size_t room = history->run_count == 0 ? 1 : 2 * (size_t)history->run_count;
        struct history_run *runs = realloc(history->runs, room * sizeof *runs);
        if (runs == NULL)
            return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for another run");
        history->runs = runs;
    }
    history->runs[history->run_count++] = *run;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct history_run *first = a;
    const struct history_run *second = b;
    int order = strcmp(first->started_at, second->started_at);
    return order != 0 ? order : strcmp(first->folder, second->folder);
}

static bool find_runs(struct history *history, struct error *error)
{
    DIR *folder = opendir(history->folder);
    if (folder == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%.300s: %s; give the folder of runs",
                         history->folder, strerror(errno));
    bool well = true;
    for (struct dirent *entry = readdir(folder); well && entry != NULL; entry = readdir(folder)) {
        struct history_run run;
        if (look_at(history, entry->d_name, &run))
            well = add_run(history, &run, error);
    }
    closedir(folder);
    return well;
}

/* Reads what the index does not have; who cannot be read is left out. */
static bool fill_runs(struct history *history, struct error *error)
{
    struct history_index *index = history_index_open(history->folder);
    if (index == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the index");
    bool changed = false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < history->run_count; i++) {
        struct history_run run = history->runs[i];
        bool known = history_index_find(index, &run);
        changed = changed || !known;
        if (known || read_run(history, &run))
            history->runs[kept++] = run;
    }
    history->run_count = kept;
    if (changed)
        (void)history_index_replace(index, history->runs, history->run_count);
    history_index_close(index);
    return true;
}

static bool read_runs(struct history *history, struct error *error)
{
    if (!find_runs(history, error))
        return false;
    if (history->run_count == 0)
        return true; /* and a folder without runs gets no index */
    if (!fill_runs(history, error))
        return false;
    qsort(history->runs, history->run_count, sizeof history->runs[0], by_time);
    return true;
}

/* Keeps the newest runs of the plan whose trend is wanted. */
static void keep_named(struct history *history)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < history->run_count; i++)
        if (strcmp(history->runs[i].name, history->name) == 0)
            history->runs[kept++] = history->runs[i];
    uint32_t passed = kept > HISTORY_TREND_MAX ? kept - HISTORY_TREND_MAX : 0;
    memmove(history->runs, history->runs + passed, (kept - passed) * sizeof history->runs[0]);
    history->run_count = kept - passed;
}

static void add_change(struct history *history, uint32_t index, struct compared_run *before,
                       struct compared_run *run)
{
    uint32_t width_s = before->record->series.bin_s > run->record->series.bin_s
                           ? before->record->series.bin_s
                           : run->record->series.bin_s;
    compared_run_take(before, width_s);
    compared_run_take(run, width_s);
    if (before->unfit[0] != '\0' || run->unfit[0] != '\0')
        return;
    struct history_change *change = &history->changes[history->change_count];
    change->run = index;
    comparison_make(&change->comparison, &before->side, &run->side,
                    &(struct comparison_options){TOLERANCE, 0.001, TREND_DRAWS, 1});
    change->word = change->comparison.word;
    if (change->word == COMPARISON_WORSE || change->word == COMPARISON_BETTER)
        history->change_count++;
}

/* Each run against the one before it that can be judged. */
static bool find_changes(struct history *history, struct error *error)
{
    history->changes = calloc(HISTORY_TREND_MAX, sizeof *history->changes);
    if (history->changes == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a trend");
    struct compared_run *before = NULL;
    for (uint32_t i = 0; i < history->run_count; i++) {
        char path[FOLDER_PATH_BYTES];
        struct compared_run *run =
            compared_run_open(path_of(history, &history->runs[i], path), error);
        if (run == NULL) {
            compared_run_destroy(before);
            return false;
        }
        compared_run_take(run, run->record->series.bin_s);
        if (run->unfit[0] != '\0') {
            compared_run_destroy(run);
            continue;
        }
        if (before != NULL)
            add_change(history, i, before, run);
        compared_run_destroy(before);
        before = run;
    }
    compared_run_destroy(before);
    return true;
}

static bool make_trend(struct history *history, struct error *error)
{
    keep_named(history);
    if (history->run_count == 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%.300s has no run of '%.200s'",
                         history->folder, history->name);
    return find_changes(history, error);
}

static bool take_name(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct options *)context)->name = value;
    return true;
}

static bool take_format(void *context, const char *value, struct error *error)
{
    struct options *options = context;
    options->json = strcmp(value, "json") == 0;
    return options->json || strcmp(value, "text") == 0 ||
           error_set(error, ERROR_USAGE, PLACE_NONE, "'%.40s' is none of text, json", value);
}

static const struct flag rows[] = {
    {"name", 0, "NAME", NULL, "the trend of the plan of this name, and which runs changed it",
     take_name, false},
    {"format", 0, "FORMAT", "text", "text or json", take_format, false},
};

static const struct flags history_flags = {
    .command = "history",
    .usage = "clobber history [DIR] [FLAGS]",
    .about = "Lists the runs that are kept in DIR (default: runs), and shows the trend of a plan.",
    .example = "clobber history runs --name checkout",
    .rows = rows,
    .count = COUNT(rows),
    .words_min = 0,
    .words_max = 1,
};

static bool show(const struct history *history, bool json, struct error *error)
{
    if (json && !history_as_json(history, stdout, error))
        return false;
    if (!json) {
        struct terminal_look look = terminal_look(stdout, HISTORY_COLUMNS);
        history_as_text(history, &look, stdout);
    }
    return leave_flushed(error);
}

int command_history(int count, char **arguments)
{
    struct options options = {0};
    struct error error = {0};
    const char *words[1] = {NULL};
    size_t words_count = 0;
    int code = EXIT_MET;
    if (leave_after(
            flags_read(&history_flags, count, arguments, &options, words, &words_count, &error),
            &error, &code))
        return code;
    struct history history = {.folder = words_count > 0 ? words[0] : RUNS_FOLDER,
                              .name = options.name};
    bool well = read_runs(&history, &error) &&
                (history.name == NULL || make_trend(&history, &error)) &&
                show(&history, options.json, &error);
    free(history.runs);
    free(history.changes);
    return well ? EXIT_MET : leave_for(&error);
}
