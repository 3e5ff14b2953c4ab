#include "common/base/harmless.h"
#include "coordinator/json.h"
#include "coordinator/report_formats.h"
#include "coordinator/run_facts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (8u * FACTS_TEXT_BYTES)

/* The entities of harmless_html() are those of XML too, and no control byte is left. */
static void put_text(const char *source, FILE *stream)
{
    char shown[TEXT_BYTES];
    fputs(harmless_html(source, shown, sizeof shown), stream);
}

static void open_case(const char *suite, const char *name, double seconds, FILE *stream)
{
    fputs("    <testcase classname=\"", stream);
    put_text(suite, stream);
    fputs("\" name=\"", stream);
    put_text(name, stream);
    fprintf(stream, "\" time=\"%.3f\"", seconds);
}

static void close_case(const char *failure, const char *kind, FILE *stream)
{
    if (failure == NULL) {
        fputs("/>\n", stream);
        return;
    }
    fprintf(stream, ">\n      <%s message=\"", kind);
    put_text(failure, stream);
    fputs("\"/>\n    </testcase>\n", stream);
}

static void put_threshold(const char *suite, const json_t *threshold, FILE *stream)
{
    char value[PAGE_NUMBER_BYTES];
    char failure[TEXT_BYTES];
    const char *text = json_get_text(threshold, "text");
    bool passed = json_get_truth(threshold, "passed");
    snprintf(failure, sizeof failure, "%s: it was %s", text, run_facts_threshold(threshold, value));
    open_case(suite, text, 0.0, stream);
    close_case(passed ? NULL : failure, "failure", stream);
}

/* The goal is one case, and each threshold. A run that tells nothing is an error, not a failure. */
static void put_suite(const struct run_record *record, const struct run_facts *facts, FILE *stream)
{
    const json_t *result = record->result;
    const json_t *thresholds = json_get(result, "thresholds");
    const json_t *verdict = json_get(result, "verdict");
    const char *name = json_get_text(result, "name");
    double seconds = (double)json_get_count(result, "duration_ns") / 1e9;
    bool met = strcmp(json_get_text(verdict, "outcome"), "met") == 0;
    bool told = facts->state != FACTS_DOUBT && strcmp(facts->word, "BROKEN OFF") != 0;
    size_t failed = met || !told ? 0 : 1;
    for (size_t i = 0; i < json_array_size(thresholds); i++)
        failed += !json_get_truth(json_array_get(thresholds, i), "passed");

    fputs("  <testsuite name=\"", stream);
    put_text(name, stream);
    fprintf(stream, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%d\" time=\"%.3f\" timestamp=\"",
            json_array_size(thresholds) + 1, failed, told ? 0 : 1, seconds);
    put_text(json_get_text(result, "started_at"), stream);
    fputs("\">\n", stream);
    open_case(name, json_get_text(json_get(result, "goal"), "text"), seconds, stream);
    close_case(met && told ? NULL : facts->sentence, told ? "failure" : "error", stream);
    for (size_t i = 0; i < json_array_size(thresholds); i++)
        put_threshold(name, json_array_get(thresholds, i), stream);
    fputs("  </testsuite>\n", stream);
}

bool report_as_junit(const struct run_record *record, FILE *stream, struct error *error)
{
    struct run_facts *facts = malloc(sizeof *facts);
    if (facts == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the cases");
    run_facts_fill(record, facts);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", stream);
    put_suite(record, facts, stream);
    fputs("</testsuites>\n", stream);
    free(facts);
    return !ferror(stream) || error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the cases");
}
