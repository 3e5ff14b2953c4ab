#include "coordinator/plot.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "common/control/controller.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 12u /* left of the picture, its margin right included */
#define SEGMENT_CELLS 10u /* between two marks of the axis */
#define CELLS_MAX     PLOT_COLUMNS_MAX
#define EIGHTHS       8u   /* of a cell's height */
#define STATUS_TICKS  10u  /* so long a status lasts before it is told: one that flutters is none */
#define ROWS_MAX      200u /* of the table; a run that has more to tell has its record */
#define RATE_ROWS     5u
#define OTHER_ROWS    4u

struct moment {
    uint64_t at_ns;
    double throughput_per_s, workers, latency_ns;
};

/* What happened, from then on. */
struct happening {
    uint64_t at_ns;
    char what[SENTENCE_BYTES];
};

struct plot {
    const struct plan *plan;
    struct moment *moments; /* [moment_count] */
    size_t moment_count, moment_size;
    struct happening happenings[ROWS_MAX];
    size_t happening_count, happenings_more;
    enum control_status status_told, status;
    uint64_t status_from_ns;
    uint32_t status_ticks; /* so long it has been `status` */
};

/* Keeping. */

/** Takes its place in the order of time. */
static void note(struct plot *plot, uint64_t at_ns, const char *what)
{
    if (plot->happening_count == ROWS_MAX) {
        plot->happenings_more++;
        return;
    }
    size_t index = plot->happening_count++;
    for (; index > 0 && plot->happenings[index - 1].at_ns > at_ns; index--)
        plot->happenings[index] = plot->happenings[index - 1];
    struct happening *happening = &plot->happenings[index];
    happening->at_ns = at_ns;
    snprintf(happening->what, sizeof happening->what, "%s", what);
}

static void note_status(struct plot *plot, const struct tick *tick)
{
    if (tick->status != plot->status) {
        plot->status = tick->status;
        plot->status_from_ns = tick->at_ns;
        plot->status_ticks = 0;
    }
    if (++plot->status_ticks < STATUS_TICKS || plot->status == plot->status_told)
        return;
    plot->status_told = plot->status;
    note(plot, plot->status_from_ns, control_status_word(plot->status));
}

static bool keep_tick(void *state, const struct tick *tick, struct error *error)
{
    (void)error;
    struct plot *plot = state;
    bool loaded = tick->state == SESSION_WARMING || tick->state == SESSION_RUNNING;
    if (!loaded || tick->at_ns == 0) /* a tick tells of the time before it */
        return true;
    if (plot->moment_count == plot->moment_size) {
        plot->moment_size = plot->moment_size > 0 ? 2 * plot->moment_size : 1024;
        plot->moments = reallocarray(plot->moments, plot->moment_size, sizeof *plot->moments);
        CHECK_MEMORY(plot->moments != NULL);
    }
    plot->moments[plot->moment_count++] =
        (struct moment){.at_ns = tick->at_ns,
                        .throughput_per_s = tick->throughput_per_s,
                        .workers = tick->workers,
                        .latency_ns = tick->latency_ns_mean};
    note_status(plot, tick);
    return true;
}

static bool keep_event(void *state, const struct report_event *event, struct error *error)
{
    (void)error;
    char what[4 * SENTENCE_BYTES];
    note(state, event->at_ns, harmless_text(event->sentence, what, sizeof what));
    return true;
}

struct plot *plot_create(const struct plan *plan, struct sink *sink)
{
    struct plot *plot = calloc(1, sizeof *plot);
    CHECK_MEMORY(plot != NULL);
    plot->plan = plan;
    *sink = (struct sink){.name = "plot", .state = plot, .tick = keep_tick, .event = keep_event};
    return plot;
}

void plot_destroy(struct plot *plot)
{
    if (plot == NULL)
        return;
    free(plot->moments);
    free(plot);
}

/* Drawing. */

enum measure { MEASURE_THROUGHPUT, MEASURE_WORKERS, MEASURE_LATENCY };

struct chart {
    const struct plot *plot;
    const struct plot_look *look;
    enum measure measure;
    uint32_t rows, cells;
    double values[CELLS_MAX]; /* NaN: nothing is known */
    double top;
};

static double value_of(const struct moment *moment, enum measure measure)
{
    switch (measure) {
    case MEASURE_THROUGHPUT:
        return moment->throughput_per_s;
    case MEASURE_WORKERS:
        return moment->workers;
    case MEASURE_LATENCY:
        break;
    }
    return moment->latency_ns > 0.0 ? moment->latency_ns : NAN;
}

/** The least of 1, 1.2, 1.5, 2, ... times a power of ten that is not below `value`; 0 of 0. */
static double round_up(double value)
{
    static const double steps[] = {1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0};
    if (!(value > 0.0))
        return 0.0;
    double power = pow(10.0, floor(log10(value)));
    size_t i = 0;
    while (i + 1 < COUNT(steps) && steps[i] * power < value * (1.0 - 1e-9))
        i++;
    return steps[i] * power;
}

/** As planned, so that a run that broke off shows what is missing. */
static uint64_t length_ns(const struct plot *plot)
{
    uint64_t planned_ns = plot->plan->schedule.duration_ns;
    uint64_t last_ns = plot->moments[plot->moment_count - 1].at_ns;
    return last_ns > planned_ns ? last_ns : planned_ns;
}

/** Cells of equal time: the mean, of latencies the largest. */
static void fill_cells(struct chart *chart)
{
    const struct plot *plot = chart->plot;
    uint32_t counts[CELLS_MAX] = {0};
    for (uint32_t i = 0; i < chart->cells; i++)
        chart->values[i] = NAN;
    for (size_t i = 0; i < plot->moment_count; i++) {
        double value = value_of(&plot->moments[i], chart->measure);
        double share = (double)(plot->moments[i].at_ns - 1) / (double)length_ns(plot);
        uint32_t cell = (uint32_t)(share * chart->cells);
        if (isnan(value) || cell >= chart->cells)
            continue;
        double *kept = &chart->values[cell];
        uint32_t count = counts[cell]++;
        if (chart->measure == MEASURE_LATENCY)
            *kept = fmax(*kept, value);
        else
            *kept = count == 0 ? value : *kept + (value - *kept) / (count + 1);
    }
    chart->top = 0.0;
    for (uint32_t i = 0; i < chart->cells; i++)
        chart->top = fmax(chart->top, chart->values[i]);
    chart->top = round_up(chart->top);
}

static const char *block(const struct chart *chart, uint32_t eighths)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
    CHECK(eighths <= EIGHTHS);
    return chart->look->ascii ? ascii[eighths] : blocks[eighths];
}

static uint32_t height(const struct chart *chart, uint32_t cell)
{
    double value = chart->values[cell];
    if (!(value > 0.0))
        return 0;
    uint32_t eighths = (uint32_t)lround(value / chart->top * chart->rows * EIGHTHS);
    return eighths > 0 ? eighths : 1;
}

static const char *label(const struct chart *chart, double value, char *text)
{
    if (value <= 0.0)
        return "0";
    if (chart->measure == MEASURE_LATENCY)
        return units_show_latency((uint64_t)value, text);
    snprintf(text, UNITS_TEXT_BYTES, "%.*f", value < 10.0 && chart->top < 10.0 ? 1 : 0, value);
    return text;
}

static double goal_of(const struct chart *chart)
{
    const struct plan *plan = chart->plot->plan;
    bool rate = chart->measure == MEASURE_THROUGHPUT && plan->goal == GOAL_HOLD;
    return rate && plan->schedule.stage_count == 0 ? plan->schedule.value : 0.0;
}

/** Blanks at a line's end are left out. */
static void draw_row(const struct chart *chart, uint32_t row, FILE *stream)
{
    char text[UNITS_TEXT_BYTES];
    double step = chart->top / chart->rows;
    double goal = goal_of(chart);
    bool top = row + 1 == chart->rows;
    bool at_goal = goal > row * step && goal <= (row + 1) * step;
    const char *shown = "";
    if (top)
        shown = label(chart, chart->top, text);
    else if (at_goal)
        shown = label(chart, goal, text);
    else if (row == 0)
        shown = "0";
    fprintf(stream, "%8s %s", shown, chart->look->ascii ? "|" : "▏");
    uint32_t last = chart->cells;
    while (last > 0 && height(chart, last - 1) <= row * EIGHTHS)
        last--;
    for (uint32_t cell = 0; cell < last; cell++) {
        uint32_t filled = height(chart, cell);
        filled = filled > row * EIGHTHS ? filled - row * EIGHTHS : 0;
        fputs(block(chart, filled < EIGHTHS ? filled : EIGHTHS), stream);
    }
    fputc('\n', stream);
}

static void draw_axis(const struct chart *chart, FILE *stream)
{
    bool ascii = chart->look->ascii;
    fprintf(stream, "%9s%s", "", ascii ? "+" : "└");
    for (uint32_t cell = 1; cell <= chart->cells; cell++) {
        bool mark = cell % SEGMENT_CELLS == 0;
        fputs(ascii ? (mark ? "+" : "-") : (mark ? "┴" : "─"), stream);
    }
    fputc('\n', stream);
}

static void draw_times(const struct chart *chart, FILE *stream)
{
    double length_s = (double)length_ns(chart->plot) / 1e9;
    fprintf(stream, "%9s", "");
    for (uint32_t cell = 0; cell <= chart->cells; cell += SEGMENT_CELLS) {
        double at_s = length_s * cell / chart->cells;
        char text[32];
        snprintf(text, sizeof text, length_s < 300.0 ? "%.3gs" : "%.3gm",
                 length_s < 300.0 ? at_s : at_s / 60.0);
        bool last = cell == chart->cells;
        fprintf(stream, last ? "%s\n" : "%-10s", text);
    }
}

static void draw_chart(const struct plot *plot, const struct plot_look *look, uint32_t cells,
                       enum measure measure, const char *title, FILE *stream)
{
    struct chart chart = {.plot = plot,
                          .look = look,
                          .measure = measure,
                          .rows = measure == MEASURE_THROUGHPUT ? RATE_ROWS : OTHER_ROWS,
                          .cells = cells};
    fill_cells(&chart);
    if (!(chart.top > 0.0)) {
        fprintf(stream, "%s: none\n\n", title);
        return;
    }
    fprintf(stream, "%s\n", title);
    for (uint32_t row = chart.rows; row-- > 0;)
        draw_row(&chart, row, stream);
    draw_axis(&chart, stream);
    draw_times(&chart, stream);
    fputc('\n', stream);
}

/** What ran from one happening to the next. */
static void draw_happening(const struct plot *plot, size_t index, FILE *stream)
{
    const struct happening *from = &plot->happenings[index];
    uint64_t to_ns = UINT64_MAX;
    for (size_t i = index + 1; i < plot->happening_count && to_ns == UINT64_MAX; i++) {
        if (plot->happenings[i].at_ns > from->at_ns)
            to_ns = plot->happenings[i].at_ns;
    }
    double workers = 0.0; /* mean */
    uint32_t count = 0;
    double lowest = INFINITY;
    double highest = 0.0;
    for (size_t i = 0; i < plot->moment_count; i++) {
        const struct moment *moment = &plot->moments[i];
        if (moment->at_ns < from->at_ns || moment->at_ns >= to_ns)
            continue;
        workers += (moment->workers - workers) / ++count;
        lowest = fmin(lowest, moment->throughput_per_s);
        highest = fmax(highest, moment->throughput_per_s);
    }
    double at_s = (double)from->at_ns / 1e9;
    fprintf(stream, " %02d:%04.1f", (int)(at_s / 60.0), fmod(at_s, 60.0));
    if (isinf(lowest))
        fprintf(stream, " %8s %9s %9s", "-", "-", "-");
    else
        fprintf(stream, " %8.0f %7.0f/s %7.0f/s", workers, lowest, highest);
    fprintf(stream, "  %s\n", from->what);
}

void plot_draw(const struct plot *plot, const struct plot_look *look, FILE *stream)
{
    if (plot->moment_count == 0) {
        fprintf(stream, "no load ran: there is nothing to plot\n");
        return;
    }
    uint32_t columns = look->columns;
    columns = columns < PLOT_COLUMNS_MIN ? PLOT_COLUMNS_MIN : columns;
    columns = columns > PLOT_COLUMNS_MAX ? PLOT_COLUMNS_MAX : columns;
    uint32_t cells = (columns - LABEL_COLUMNS) / SEGMENT_CELLS * SEGMENT_CELLS;
    char goal[128];
    char title[192];
    snprintf(title, sizeof title, "throughput, requests per second; %s",
             plan_goal_text(plot->plan, goal, sizeof goal));
    draw_chart(plot, look, cells, MEASURE_THROUGHPUT, title, stream);
    draw_chart(plot, look, cells, MEASURE_WORKERS, "concurrency, workers", stream);
    draw_chart(plot, look, cells, MEASURE_LATENCY, "service latency, means of ticks, the largest",
               stream);
    if (plot->happening_count == 0)
        return;
    fprintf(stream, " at       workers    lowest   highest  what\n");
    for (size_t i = 0; i < plot->happening_count; i++)
        draw_happening(plot, i, stream);
    if (plot->happenings_more > 0)
        fprintf(stream, " and %zu more\n", plot->happenings_more);
}
