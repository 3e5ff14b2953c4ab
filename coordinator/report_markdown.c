#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/json.h"
#include "coordinator/report_formats.h"
#include "coordinator/run_facts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (8u * FACTS_TEXT_BYTES)

/* Text that Markdown takes as text: what would be markup there has a backslash before it, what
 * would be HTML is an entity already. */
static void put_text(const char *source, FILE *stream)
{
    char shown[TEXT_BYTES];
    for (harmless_html(source, shown, sizeof shown), source = shown; *source != '\0'; source++) {
        if (strchr("\\`*_[]|~@", *source) != NULL)
            fputc('\\', stream);
        fputc(*source, stream);
    }
}

static void put_head(const struct run_record *record, const struct run_facts *facts, FILE *stream)
{
    static const char *const glyphs[] = {
        [FACTS_PASS] = "\u2713", [FACTS_FAIL] = "\u2717", [FACTS_DOUBT] = "!"};
    fprintf(stream, "### %s %s ", glyphs[facts->state], facts->word);
    put_text(json_get_text(record->result, "name"), stream);
    fputs("\n\n", stream);
    put_text(facts->sentence, stream);
    fputs("\n\n", stream);
}

static void put_figures(const struct run_facts *facts, FILE *stream)
{
    fputs("| figure | value | |\n|---|--:|---|\n", stream);
    for (size_t i = 0; i < FACTS_FIGURES; i++) {
        const struct facts_figure *figure = &facts->figures[i];
        fprintf(stream, "| %s | %s%s | ", figure->name, figure->value, figure->unit);
        put_text(figure->notes[0], stream);
        fputs(figure->notes[0][0] != '\0' && figure->notes[1][0] != '\0' ? ", " : "", stream);
        put_text(figure->notes[1], stream);
        fputs(" |\n", stream);
    }
    fputc('\n', stream);
}

static void put_latency(const struct run_record *record, FILE *stream)
{
    static const char *const kinds[] = {"response", "service"};
    static const char *const keys[] = {"p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"};
    const json_t *latency = json_get(record->result, "latency");
    bool late = json_get_truth(record->result, "longest_timed_out");
    if (!json_is_object(latency))
        return;
    fputs("| latency | p50 | p90 | p99 | p99.9 | longest |\n|---|--:|--:|--:|--:|--:|\n", stream);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        fprintf(stream, "| %s |", kinds[i]);
        for (size_t j = 0; j < sizeof keys / sizeof keys[0]; j++) {
            char text[PAGE_NUMBER_BYTES];
            bool longest = strcmp(keys[j], "max_ns") == 0;
            fprintf(stream, " %s%s |", longest && late ? "\u2265 " : "",
                    page_time(json_get_count(json_get(latency, kinds[i]), keys[j]), text));
        }
        fputc('\n', stream);
    }
    fputc('\n', stream);
}

static void put_thresholds(const struct run_record *record, FILE *stream)
{
    const json_t *thresholds = json_get(record->result, "thresholds");
    if (json_array_size(thresholds) == 0)
        return;
    fputs("| threshold | measured | |\n|---|--:|---|\n", stream);
    for (size_t i = 0; i < json_array_size(thresholds); i++) {
        const json_t *threshold = json_array_get(thresholds, i);
        char value[PAGE_NUMBER_BYTES];
        fputs("| ", stream);
        put_text(json_get_text(threshold, "text"), stream);
        fprintf(stream, " | %s | %s |\n", run_facts_threshold(threshold, value),
                json_get_truth(threshold, "passed") ? "\u2713 ok" : "\u2717 **failed**");
    }
    fputc('\n', stream);
}

static void put_events(const struct run_record *record, const struct run_facts *facts, FILE *stream)
{
    bool any = false;
    for (uint32_t i = 0; i < record->event_count; i++) {
        char at[PAGE_NUMBER_BYTES];
        if (facts->numbers[i] == 0)
            continue;
        fprintf(stream, "- %s ", page_clock(facts->began_ns[i], at));
        put_text(record->events[i].sentence, stream);
        fputc('\n', stream);
        any = true;
    }
    if (any)
        fputc('\n', stream);
}

bool report_as_markdown(const struct run_record *record, FILE *stream, struct error *error)
{
    struct run_facts *facts = malloc(sizeof *facts);
    if (facts == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the summary");
    run_facts_fill(record, facts);
    put_head(record, facts, stream);
    put_figures(facts, stream);
    put_latency(record, stream);
    put_thresholds(record, stream);
    put_events(record, facts, stream);
    fputs("<sub>", stream);
    put_text(json_get_text(json_get(record->result, "goal"), "text"), stream);
    fputs(" on ", stream);
    put_text(json_get_text(record->result, "target"), stream);
    fputs(", run ", stream);
    put_text(json_get_text(record->result, "run_id"), stream);
    fputs("</sub>\n", stream);
    free(facts);
    return !ferror(stream) ||
           error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the summary");
}
