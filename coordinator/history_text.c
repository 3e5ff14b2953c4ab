#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/compare.h"
#include "coordinator/history.h"

#include <math.h>
#include <string.h>

#define SHOWN_BYTES  (4 * HISTORY_TEXT_BYTES)
#define COLUMNS_GOAL 110u /* from so many the goal is shown too */
#define TIME_COLUMNS 19   /* of "2026-01-02T10:15:00Z" without what is the same in all */

#define BLOCKS 8u
static const char *const blocks[BLOCKS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

/* "2026-01-02 10:15:00" */
static const char *time_text(const struct history_run *run, char *text)
{
    harmless_text(run->started_at, text, SHOWN_BYTES);
    char *between = strchr(text, 'T');
    if (between != NULL)
        *between = ' ';
    return text;
}

static void put_run(const struct history_run *run, const struct terminal_look *look, FILE *stream)
{
    char time[SHOWN_BYTES], name[SHOWN_BYTES], goal[SHOWN_BYTES], folder[SHOWN_BYTES];
    char rate[UNITS_TEXT_BYTES], latency[UNITS_TEXT_BYTES], workers[UNITS_TEXT_BYTES];
    fprintf(stream, "%-*.*s  %-16s", TIME_COLUMNS, TIME_COLUMNS, time_text(run, time),
            harmless_text(run->name, name, sizeof name));
    if (look->columns >= COLUMNS_GOAL)
        fprintf(stream, "  %-20s", harmless_text(run->goal, goal, sizeof goal));
    fprintf(stream, "  %-17s %10s %9s %8s  %s\n", run->verdict,
            units_show_rate(run->throughput_per_s, run->throughput_per_s < 100.0 ? 1 : 0, rate),
            units_show_latency(run->response_p99_ns, latency),
            report_concurrency(run->workers, workers),
            harmless_text(run->folder, folder, sizeof folder));
}

static void put_runs(const struct history *history, const struct terminal_look *look, FILE *stream)
{
    fprintf(stream, "%-*s  %-16s", TIME_COLUMNS, "started", "name");
    if (look->columns >= COLUMNS_GOAL)
        fprintf(stream, "  %-20s", "goal");
    fprintf(stream, "  %-17s %10s %9s %8s  %s\n", "verdict", "throughput", "p99", "workers",
            "folder");
    for (uint32_t i = 0; i < history->run_count; i++)
        put_run(&history->runs[i], look, stream);
}

/* The largest of 1, 2, 5, 10, 20, 50, ... that is at most `value`. */
static double round_below(double value)
{
    double power = pow(10.0, floor(log10(value)));
    return power * (value >= 5.0 * power ? 5.0 : value >= 2.0 * power ? 2.0 : 1.0);
}

/* From 0 for rates; from and to round figures on a logarithmic scale for latencies. */
static uint32_t height(double value, double low, double high, bool logarithmic)
{
    double share = 0.0;
    if (logarithmic && value > 0.0 && low > 0.0 && high > low)
        share = log(value / low) / log(high / low);
    else if (!logarithmic && high > 0.0)
        share = value / high;
    return (uint32_t)fmax(0.0, fmin(share * BLOCKS, BLOCKS - 1.0));
}

struct range {
    double low, high;
};

static struct range range_of(const double *values, uint32_t count)
{
    struct range range = {values[0], values[0]};
    for (uint32_t i = 1; i < count; i++) {
        range.low = fmin(range.low, values[i]);
        range.high = fmax(range.high, values[i]);
    }
    return range;
}

/* A run that has no such figure is a blank. */
static void put_line(const double *values, uint32_t count, bool logarithmic,
                     const struct terminal_look *look, FILE *stream)
{
    struct range range = range_of(values, count);
    double low = range.low > 0.0 ? round_below(range.low) : 0.0;
    double high = logarithmic && range.high > 0.0 ? 2.5 * round_below(range.high) : range.high;
    for (uint32_t i = 0; i < count; i++)
        terminal_put(look,
                     values[i] > 0.0 ? blocks[height(values[i], low, high, logarithmic)] : " ",
                     stream);
}

static void put_lines(const struct history *history, const struct terminal_look *look, FILE *stream)
{
    double rates[HISTORY_TREND_MAX], latencies[HISTORY_TREND_MAX];
    char newest[UNITS_TEXT_BYTES], low[UNITS_TEXT_BYTES], high[UNITS_TEXT_BYTES];
    for (uint32_t i = 0; i < history->run_count; i++) {
        rates[i] = history->runs[i].throughput_per_s;
        latencies[i] = (double)history->runs[i].response_p99_ns;
    }
    struct range range = range_of(rates, history->run_count);
    fprintf(stream, "throughput    %10s  ",
            units_show_rate(rates[history->run_count - 1], 0, newest));
    put_line(rates, history->run_count, false, look, stream);
    fprintf(stream, "  %s to %s\n", units_show_rate(range.low, 0, low),
            units_show_rate(range.high, 0, high));
    range = range_of(latencies, history->run_count);
    fprintf(stream, "response p99  %10s  ",
            units_show_latency((uint64_t)latencies[history->run_count - 1], newest));
    put_line(latencies, history->run_count, true, look, stream);
    fprintf(stream, "  %s to %s\n", units_show_latency((uint64_t)range.low, low),
            units_show_latency((uint64_t)range.high, high));
}

static void put_change(const struct history *history, const struct history_change *change,
                       const struct terminal_look *look, FILE *stream)
{
    const struct history_run *run = &history->runs[change->run];
    bool worse = change->word == COMPARISON_WORSE;
    char time[SHOWN_BYTES], folder[SHOWN_BYTES], text[COMPARE_SAYING_BYTES] = "";
    compare_append_changes(text, &change->comparison, change->word);
    fprintf(stream, "  %.*s  %s  %s%s%s: %s\n", TIME_COLUMNS, time_text(run, time),
            harmless_text(run->folder, folder, sizeof folder),
            look->color ? (worse ? "\033[31m" : "\033[32m") : "", comparison_word(change->word),
            look->color ? "\033[0m" : "", text);
}

static void put_trend(const struct history *history, const struct terminal_look *look, FILE *stream)
{
    char name[SHOWN_BYTES];
    CHECK(history->run_count >= 1);
    CHECK(history->run_count <= HISTORY_TREND_MAX);
    fprintf(stream, "%s  %u run%s, oldest left\n\n",
            harmless_text(history->name, name, sizeof name), history->run_count,
            history->run_count == 1 ? "" : "s");
    put_lines(history, look, stream);
    fprintf(stream, "\n%s\n",
            history->change_count > 0 ? "each against the run before it:" : "no run changed it");
    for (uint32_t i = 0; i < history->change_count; i++)
        put_change(history, &history->changes[i], look, stream);
    fputc('\n', stream);
}

void history_as_text(const struct history *history, const struct terminal_look *look, FILE *stream)
{
    char folder[4 * HISTORY_TEXT_BYTES];
    if (history->run_count == 0) {
        fprintf(stream, "no run in %s\n", harmless_text(history->folder, folder, sizeof folder));
        return;
    }
    if (history->name != NULL)
        put_trend(history, look, stream);
    put_runs(history, look, stream);
}
