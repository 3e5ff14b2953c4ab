#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/compare.h"
#include "coordinator/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 64u
#define INDENT     7u /* of what is said below a table: behind the longest usual word */

/* From so many columns each part of a row is shown. */
#define COLUMNS_BAR      104u
#define COLUMNS_INTERVAL 78u
#define COLUMNS_BOTH     60u

/* The picture of an interval: zero in the middle, a mark at the scale's ends, and room beyond. */
#define BAR_CELLS 23u
#define BAR_ZERO  11u
#define BAR_MARK  7u /* from zero */

struct screen {
    const struct terminal_look *look;
    FILE *stream;
    const struct compared *compared;
    double scale; /* the share at the marks */
};

static void put(const struct screen *screen, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void put(const struct screen *screen, const char *format, ...)
{
    char text[COMPARE_SAYING_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    terminal_put(screen->look, text, screen->stream);
}

static void put_blanks(const struct screen *screen, uint32_t count)
{
    put(screen, "%*s", (int)count, "");
}

/* A cell of a table, `width` columns wide. */
static void put_left(const struct screen *screen, const char *text, uint32_t width)
{
    uint32_t columns = terminal_columns(text);
    put(screen, "%s", text);
    put_blanks(screen, columns < width ? width - columns : 0);
}

static void put_right(const struct screen *screen, const char *text, uint32_t width)
{
    uint32_t columns = terminal_columns(text);
    put_blanks(screen, columns < width ? width - columns : 0);
    put(screen, "%s", text);
}

static void put_colored(const struct screen *screen, const char *color, const char *text)
{
    if (screen->look->color && color != NULL)
        fprintf(screen->stream, "\033[%sm%s\033[0m", color, text);
    else
        put(screen, "%s", text);
}

/* Of lines that are too long the words go on in the next, indented. */
static void put_wrapped(const struct screen *screen, uint32_t at, const char *text)
{
    uint32_t room = screen->look->columns;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        char word[COMPARE_SAYING_BYTES];
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        uint32_t columns = terminal_columns(word);
        if (at > INDENT && at + 1 + columns > room) {
            put(screen, "\n%*s", (int)INDENT, "");
            at = INDENT;
        } else if (at > INDENT) {
            put(screen, " ");
            at++;
        }
        put(screen, "%s", word);
        at += columns;
        text += length;
        text += strspn(text, " ");
    }
    put(screen, "\n");
}

static const char *figure(enum comparison_metric metric, double value, char *text)
{
    switch (metric) {
    case COMPARISON_THROUGHPUT:
        return units_show_rate(value, value < 100.0 ? 1 : 0, text);
    case COMPARISON_ERRORS:
        return units_show_share(value, text);
    case COMPARISON_WORKERS:
        return report_concurrency(value, text);
    default:
        return units_show_latency((uint64_t)llround(value), text);
    }
}

/* Two significant digits, as many as a difference is known to. */
static int decimals(double percent)
{
    double size = fabs(percent);
    return size >= 9.95 ? 0 : size >= 0.995 ? 1 : size >= 0.0995 ? 2 : 3;
}

static const char *with_sign(double percent, int digits, char *text)
{
    char number[TEXT_BYTES];
    snprintf(number, sizeof number, "%.*f", digits, fabs(percent));
    bool nothing = strspn(number, "0.") == strlen(number);
    snprintf(text, TEXT_BYTES, "%s%s",
             nothing         ? ""
             : percent < 0.0 ? "−"
                             : "+",
             nothing ? "0" : number);
    return text;
}

static const char *unit(enum comparison_metric metric)
{
    return metric == COMPARISON_ERRORS ? "pt" : "%";
}

static const char *change(enum comparison_metric metric, double share, char *text)
{
    char number[TEXT_BYTES];
    snprintf(text, TEXT_BYTES, "%.40s %s",
             with_sign(100.0 * share, decimals(100.0 * share), number), unit(metric));
    return text;
}

static const char *interval(enum comparison_metric metric, struct comparison_interval of,
                            char *text)
{
    char low[TEXT_BYTES], high[TEXT_BYTES];
    int digits = decimals(100.0 * fmax(fabs(of.low), fabs(of.high)));
    int digits_max = metric == COMPARISON_ERRORS ? 3 : 2; /* so that its column holds it */
    digits = digits < digits_max ? digits : digits_max;
    snprintf(text, TEXT_BYTES, "%.20s to %.20s %s", with_sign(100.0 * of.low, digits, low),
             with_sign(100.0 * of.high, digits, high), unit(metric));
    return text;
}

static const char *share_text(double share, char *text)
{
    snprintf(text, TEXT_BYTES, "%.*f %%", 100.0 * share >= 9.95 ? 0 : 1, 100.0 * share);
    return text;
}

static uint32_t bar_cell(const struct screen *screen, double share)
{
    double cell = BAR_ZERO + round(share / screen->scale * BAR_MARK);
    return (uint32_t)fmax(0.0, fmin(cell, BAR_CELLS - 1));
}

static void put_bar(const struct screen *screen, const struct comparison_row *row)
{
    const char *cells[BAR_CELLS];
    for (uint32_t i = 0; i < BAR_CELLS; i++)
        cells[i] = i == BAR_ZERO - BAR_MARK || i == BAR_ZERO + BAR_MARK ? "·" : " ";
    cells[BAR_ZERO] = "│";
    uint32_t low = bar_cell(screen, row->of_95.low);
    uint32_t high = bar_cell(screen, row->of_95.high);
    uint32_t at = bar_cell(screen, row->difference);
    for (uint32_t i = low; i <= high; i++)
        cells[i] = "─";
    cells[low] = low == 0 ? "◀" : "├";
    cells[high] = high == BAR_CELLS - 1 ? "▶" : "┤";
    if (at > 0 && at < BAR_CELLS - 1)
        cells[at] = "●";
    for (uint32_t i = 0; i < BAR_CELLS; i++)
        put(screen, "%s", cells[i]);
}

/* "3 %", or "0.1 pt" of errors. */
static const char *tolerated(const struct screen *screen, enum comparison_metric metric, char *text)
{
    const struct comparison_options *options = &screen->compared->options;
    if (metric == COMPARISON_ERRORS)
        snprintf(text, UNITS_TEXT_BYTES, "%g pt", 100.0 * options->errors_tolerance);
    else
        units_show_share(options->tolerance, text);
    return text;
}

static void put_word(const struct screen *screen, enum comparison_metric metric,
                     const struct comparison_row *row)
{
    const char *color = row->word == COMPARISON_WORSE    ? "31"
                        : row->word == COMPARISON_BETTER ? "32"
                                                         : NULL;
    char tolerance[UNITS_TEXT_BYTES];
    put_colored(screen, color, comparison_word(row->word));
    if (row->word == COMPARISON_WITHIN)
        put(screen, " %s", tolerated(screen, metric, tolerance));
    put(screen, "\n");
}

static void put_row(const struct screen *screen, enum comparison_metric metric,
                    const struct comparison_row *row)
{
    bool known = row->word != COMPARISON_UNKNOWN;
    uint32_t columns = screen->look->columns;
    char text[TEXT_BYTES];
    put_left(screen, comparison_metric_name(metric), 13);
    if (columns >= COLUMNS_BOTH) {
        put_right(screen, known ? figure(metric, row->a, text) : "–", 10);
        put_right(screen, known ? figure(metric, row->b, text) : "–", 10);
    }
    put_right(screen, known ? change(metric, row->difference, text) : "", 13);
    if (columns >= COLUMNS_INTERVAL)
        put_right(screen, known ? interval(metric, row->of_95, text) : "", 20);
    put_blanks(screen, 2);
    if (columns >= COLUMNS_BAR && (!known || metric == COMPARISON_ERRORS))
        put_blanks(screen, BAR_CELLS + 1);
    else if (columns >= COLUMNS_BAR) {
        put_bar(screen, row);
        put_blanks(screen, 1);
    }
    put_word(screen, metric, row);
}

static void put_columns_head(const struct screen *screen, char letter)
{
    uint32_t columns = screen->look->columns;
    char against[TEXT_BYTES], mark[TEXT_BYTES];
    snprintf(against, sizeof against, "%c against A", letter);
    put_blanks(screen, 13);
    if (columns >= COLUMNS_BOTH)
        put(screen, "%10s%10c", "A", letter);
    put_right(screen, against, 13);
    if (columns >= COLUMNS_INTERVAL)
        put_right(screen, "95 % interval", 20);
    if (columns >= COLUMNS_BAR) {
        snprintf(mark, sizeof mark, "−%.0f %%", 100.0 * screen->scale);
        put_blanks(screen, 2);
        put_right(screen, mark, BAR_ZERO - BAR_MARK + 2);
        put_right(screen, "0", BAR_MARK - 1);
        snprintf(mark, sizeof mark, "+%.0f %%", 100.0 * screen->scale);
        put_right(screen, mark, BAR_MARK + 2);
    }
    put(screen, "\n");
}

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *text, const char *format, ...)
{
    size_t at = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + at, COMPARE_SAYING_BYTES - at, format, arguments);
    va_end(arguments);
}

uint32_t compare_append_changes(char *text, const struct comparison *comparison,
                                enum comparison_word of)
{
    uint32_t count = 0;
    for (enum comparison_metric metric = 0; metric < COMPARISON_METRICS; metric++) {
        const struct comparison_row *row = &comparison->rows[metric];
        if (row->word != of)
            continue;
        double percent = 100.0 * row->difference;
        append(text, "%s%s %s %.*f %s", count++ > 0 ? ", " : "", comparison_metric_name(metric),
               percent < 0.0 ? "fell" : "rose", decimals(percent), fabs(percent),
               metric == COMPARISON_ERRORS ? "points" : "%");
    }
    return count;
}

static void append_detectable(char *text, const struct comparison *comparison)
{
    static const enum comparison_metric shown[] = {COMPARISON_THROUGHPUT, COMPARISON_RESPONSE_P50,
                                                   COMPARISON_RESPONSE_P99};
    uint32_t count = 0;
    char share[TEXT_BYTES];
    for (size_t i = 0; i < COUNT(shown); i++) {
        const struct comparison_row *row = &comparison->rows[shown[i]];
        if (row->word != COMPARISON_UNKNOWN)
            append(text, "%s%s (%s)", count++ > 0 ? ", " : "", share_text(row->detectable, share),
                   comparison_metric_name(shown[i]));
    }
}

/* "response p99 rose 62 %: more than the tolerated 3 %.", and what that may come from. */
static void append_worse(const struct screen *screen, char *text,
                         const struct comparison *comparison)
{
    bool errors = comparison->rows[COMPARISON_ERRORS].word == COMPARISON_WORSE;
    char tolerance[UNITS_TEXT_BYTES];
    uint32_t count = compare_append_changes(text, comparison, COMPARISON_WORSE);
    append(text, ": more than the tolerated ");
    if (!errors || count > 1)
        append(text, "%s%s", tolerated(screen, COMPARISON_THROUGHPUT, tolerance),
               errors ? " and " : "");
    if (errors)
        append(text, "%s", tolerated(screen, COMPARISON_ERRORS, tolerance));
    append(text, ".");
    if (comparison->rows[COMPARISON_RESPONSE_P99].word == COMPARISON_WORSE &&
        comparison->rows[COMPARISON_SERVICE_P99].word != COMPARISON_WORSE)
        append(text, " Service p99 did not: requests waited longer to be sent.");
}

/* What all rows come to: a word, and why. */
static void put_finding(const struct screen *screen, const struct comparison *comparison)
{
    char text[COMPARE_SAYING_BYTES] = "";
    const char *word = "SAME";
    const char *color = NULL;
    switch (comparison->word) {
    case COMPARISON_WORSE:
        word = "WORSE";
        color = "31";
        append_worse(screen, text, comparison);
        break;
    case COMPARISON_BETTER:
        word = "BETTER";
        color = "32";
        compare_append_changes(text, comparison, COMPARISON_BETTER);
        append(text, ".");
        break;
    case COMPARISON_WITHIN:
        word = "WITHIN";
        append(text, "what is tolerated: ");
        compare_append_changes(text, comparison, COMPARISON_WITHIN);
        append(text, ".");
        break;
    default:
        append(text, "No difference detectable below ");
        append_detectable(text, comparison);
        append(text, ".");
        break;
    }
    put_colored(screen, color, word);
    put_blanks(screen, INDENT - (uint32_t)strlen(word));
    put_wrapped(screen, INDENT, text);
}

static uint32_t agents_lost(const struct run_record *record)
{
    const struct json_t *agents = json_get(record->result, "agents");
    uint32_t lost = 0;
    for (size_t i = 0; i < json_length(agents); i++)
        lost += json_get_count(json_at(agents, i), "lost_from_ns") > 0;
    return lost;
}

/* What else was not alike, from the records' own words. */
static void put_circumstances(const struct screen *screen, const struct run_record *a,
                              const struct run_record *b, char letter)
{
    char text[COMPARE_SAYING_BYTES] = "";
    char a_text[UNITS_TEXT_BYTES], b_text[UNITS_TEXT_BYTES];
    uint64_t a_settle_ns = json_get_count(json_get(a->result, "control"), "settle_ns");
    uint64_t b_settle_ns = json_get_count(json_get(b->result, "control"), "settle_ns");
    if (a_settle_ns > 0 && b_settle_ns > 0 && a_settle_ns != b_settle_ns)
        append(text, "A settled in %s, %c in %s. ", units_show_latency(a_settle_ns, a_text), letter,
               units_show_latency(b_settle_ns, b_text));
    uint32_t a_lost = agents_lost(a);
    uint32_t b_lost = agents_lost(b);
    if (a_lost != b_lost)
        append(text, "A lost %u agent%s, %c %u. ", a_lost, a_lost == 1 ? "" : "s", letter, b_lost);
    if (text[0] != '\0') {
        put_blanks(screen, INDENT);
        put_wrapped(screen, INDENT, text);
    }
}

/* A typical second hides what a few others did: so the whole run's figure is told where it says
 * something else. */
static void append_whole_run(char *text, const struct run_record *a, const struct run_record *b,
                             const struct comparison_row *row)
{
    double a_ns = (double)histogram_quantile(&a->histograms[SAMPLE_RESPONSE], 0.99);
    double b_ns = (double)histogram_quantile(&b->histograms[SAMPLE_RESPONSE], 0.99);
    char a_text[UNITS_TEXT_BYTES], b_text[UNITS_TEXT_BYTES];
    if (!(a_ns > 0.0) || !(b_ns > 0.0) || row->word == COMPARISON_UNKNOWN)
        return;
    double difference = b_ns / a_ns - 1.0;
    if (difference < row->corrected.low || difference > row->corrected.high)
        append(text,
               " Over the whole runs response p99 is %s and %s: some seconds are far from typical.",
               units_show_latency((uint64_t)a_ns, a_text),
               units_show_latency((uint64_t)b_ns, b_text));
}

static void put_method(const struct screen *screen, uint32_t index)
{
    const struct compared *compared = screen->compared;
    const struct comparison *comparison = &compared->comparisons[index];
    const struct comparison_side *a = &compared->runs[0]->side;
    const struct comparison_side *b = &compared->runs[index]->side;
    char text[COMPARE_SAYING_BYTES] = "";
    uint32_t block_s = 0;
    for (enum comparison_metric metric = 0; metric < COMPARISON_METRICS; metric++)
        if (comparison->rows[metric].block_s > block_s)
            block_s = comparison->rows[metric].block_s;
    append(text,
           "Block bootstrap over %u and %u seconds (blocks up to %us, %u draws); percentiles are "
           "of a typical second.",
           a->counts[COMPARISON_THROUGHPUT] * a->width_s,
           b->counts[COMPARISON_THROUGHPUT] * b->width_s, block_s, compared->options.draws);
    if (comparison->word != COMPARISON_SAME) {
        append(text, " Detectable from ");
        append_detectable(text, comparison);
        append(text, ".");
    }
    append_whole_run(text, compared->runs[0]->record, compared->runs[index]->record,
                     &comparison->rows[COMPARISON_RESPONSE_P99]);
    put_blanks(screen, INDENT);
    put_wrapped(screen, INDENT, text);
}

static void put_run(const struct screen *screen, uint32_t index)
{
    const struct compared_run *run = screen->compared->runs[index];
    char folder[4 * FOLDER_PATH_BYTES], goal[COMPARE_SAYING_BYTES];
    harmless_text(run->record->folder, folder, sizeof folder);
    harmless_text(json_get_text(json_get(run->record->start, "goal"), "text"), goal, sizeof goal);
    fprintf(screen->stream, "%c  %s   %s   %s\n", (char)('A' + index), folder, goal,
            compared_verdict(run->record));
}

static void put_unfit(const struct screen *screen, uint32_t index)
{
    const struct compared *compared = screen->compared;
    char text[COMPARE_SAYING_BYTES] = "";
    const uint32_t both[] = {0, index};
    for (size_t i = 0; i < COUNT(both); i++)
        if (compared->runs[both[i]]->unfit[0] != '\0')
            append(text, "%s%c: %s", text[0] != '\0' ? ". " : "", (char)('A' + both[i]),
                   compared->runs[both[i]]->unfit);
    append(text, ".");
    put_colored(screen, "33", "NOT JUDGED");
    put(screen, "  ");
    put_wrapped(screen, INDENT, text);
}

static void put_pair(const struct screen *screen, uint32_t index)
{
    const struct compared *compared = screen->compared;
    char plans[4 * COMPARE_PLANS_BYTES];
    char letter = (char)('A' + index);
    put(screen, "\n");
    if (compared->plans[index][0] != '\0')
        fprintf(screen->stream, "the plans differ: %s\n\n",
                harmless_text(compared->plans[index], plans, sizeof plans));
    if (!compared_is_judged(compared, index)) {
        put_unfit(screen, index);
        return;
    }
    const struct comparison *comparison = &compared->comparisons[index];
    put_columns_head(screen, letter);
    for (enum comparison_metric metric = 0; metric < COMPARISON_METRICS; metric++)
        put_row(screen, metric, &comparison->rows[metric]);
    put(screen, "\n");
    put_finding(screen, comparison);
    put_circumstances(screen, compared->runs[0]->record, compared->runs[index]->record, letter);
    put_method(screen, index);
}

/* What is tolerated is to be seen at a glance: it lies between the marks. */
static double scale_for(double tolerance)
{
    static const double scales[] = {0.05, 0.1, 0.2, 0.5};
    for (size_t i = 0; i < COUNT(scales); i++)
        if (tolerance <= scales[i])
            return scales[i];
    return 1.0;
}

void compare_as_text(const struct compared *compared, const struct terminal_look *look,
                     FILE *stream)
{
    struct screen screen = {look, stream, compared, scale_for(compared->options.tolerance)};
    for (uint32_t i = 0; i < compared->run_count; i++)
        put_run(&screen, i);
    for (uint32_t i = 1; i < compared->run_count; i++)
        put_pair(&screen, i);
}
