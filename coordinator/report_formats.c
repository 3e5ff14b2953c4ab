#include "coordinator/report_formats.h"

#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 4096u /* of a screen; a longer one is cut */

static bool stream_is_well(FILE *stream, struct error *error)
{
    return !ferror(stream) || error_set(error, ERROR_SYSTEM, PLACE_NONE,
                                        "cannot write the report: %s", strerror(errno));
}

/* Line by line, for a line's end is the only control byte that a screen may hold. */
static void put_screen(const char *screen, FILE *stream)
{
    char line[LINE_BYTES];
    char shown[4 * LINE_BYTES];
    while (*screen != '\0') {
        size_t length = strcspn(screen, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(length < LINE_BYTES ? length : LINE_BYTES - 1),
                 screen);
        fprintf(stream, "%s\n", harmless_text(line, shown, sizeof shown));
        screen += length + (screen[length] == '\n');
    }
}

static void put_errors(const json_t *errors, FILE *stream)
{
    const char *key;
    json_t *value;
    char class[128];
    fprintf(stream, "  errors      ");
    json_object_foreach((json_t *)errors, key, value)
        fprintf(stream, " %s %llu", harmless_text(key, class, sizeof class),
                (unsigned long long)json_get_count(errors, key));
    fprintf(stream, "%s\n", json_object_size(errors) == 0 ? " none" : "");
}

/* Of a run that has no last screen. */
static void put_partial(const struct run_record *record, FILE *stream)
{
    const json_t *result = record->result;
    const json_t *ledger = json_get(result, "ledger");
    char name[4 * SERIES_NAME_BYTES], goal[512], verdict[4 * SENTENCE_BYTES];
    char rate[UNITS_TEXT_BYTES], length[UNITS_TEXT_BYTES];
    fprintf(stream, "%s  %s  %s                BROKEN OFF\n",
            harmless_text(json_get_text(result, "name"), name, sizeof name),
            harmless_text(json_get_text(json_get(result, "goal"), "text"), goal, sizeof goal),
            units_show_latency(json_get_count(result, "duration_ns"), length));
    fprintf(stream, "  throughput   %s\n",
            units_show_rate(json_get_number(result, "throughput_per_s"), 1, rate));
    fprintf(stream, "  verdict      %s\n",
            harmless_text(json_get_text(json_get(result, "verdict"), "sentence"), verdict,
                          sizeof verdict));
    for (uint32_t i = 0; i < record->event_count; i++) {
        char sentence[4 * SENTENCE_BYTES];
        fprintf(stream, "  %-12s %.1fs %s\n", i == 0 ? "events" : "",
                (double)record->events[i].at_ns / 1e9,
                harmless_text(record->events[i].sentence, sentence, sizeof sentence));
    }
    fprintf(stream,
            "  requests     %llu started = %llu ok + %llu failed + %llu timed out + %llu in "
            "flight, as of the last tick\n",
            (unsigned long long)json_get_count(ledger, "started"),
            (unsigned long long)json_get_count(ledger, "ok"),
            (unsigned long long)json_get_count(ledger, "failed"),
            (unsigned long long)json_get_count(ledger, "timed_out"),
            (unsigned long long)json_get_count(ledger, "in_flight_at_end"));
    put_errors(json_get(result, "errors"), stream);
    fprintf(stream, "  files        %s/run.jsonl\n", record->folder);
}

bool report_as_text(const struct run_record *record, FILE *stream, struct error *error)
{
    if (record->screen != NULL && record->screen[0] != '\0')
        put_screen(record->screen, stream);
    else
        put_partial(record, stream);
    return stream_is_well(stream, error);
}

bool report_as_json(const struct run_record *record, FILE *stream, struct error *error)
{
    return json_write(record->result, stream, error);
}

bool report_as_hgrm(const struct run_record *record, FILE *stream, struct error *error)
{
    const struct histogram *response = &record->histograms[SAMPLE_RESPONSE];
    if (record->broken_off)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "the run was broken off: its histograms were lost with it; --format csv "
                         "has percentiles of each second");
    report_hgrm(response, stream);
    return stream_is_well(stream, error);
}
