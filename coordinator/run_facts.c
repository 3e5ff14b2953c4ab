#include "coordinator/run_facts.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/command.h"
#include "coordinator/json.h"
#include "coordinator/run_events.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TO "\u2013" /* of a range */

/* The result's parts that every fact is made from. */
struct source {
    const json_t *result, *verdict, *goal, *control, *ledger;
    const char *kind; /* of the goal */
    double goal_per_s, throughput_per_s;
    uint64_t exit_code;
};

static struct source source_of(const struct run_record *record)
{
    const json_t *result = record->result;
    return (struct source){.result = result,
                           .verdict = json_get(result, "verdict"),
                           .goal = json_get(result, "goal"),
                           .control = json_get(result, "control"),
                           .ledger = json_get(result, "ledger"),
                           .kind = json_get_text(json_get(result, "goal"), "kind"),
                           .goal_per_s = json_get_number(json_get(result, "goal"), "value_per_s"),
                           .throughput_per_s = json_get_number(result, "throughput_per_s"),
                           .exit_code = json_get_count(json_get(result, "verdict"), "exit_code")};
}

static bool is_hold(const struct source *source)
{
    return strcmp(source->kind, "hold") == 0;
}

static bool is_search(const struct source *source)
{
    return strncmp(source->kind, "maximize", strlen("maximize")) == 0;
}

__attribute__((format(printf, 2, 3))) static void say(struct run_facts *facts, const char *format,
                                                      ...)
{
    size_t length = strlen(facts->sentence);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(facts->sentence + length, sizeof facts->sentence - length, format, arguments);
    va_end(arguments);
}

static const char *workers_of(double workers, char *text)
{
    if (workers >= 10.0 || fabs(workers - round(workers)) < 0.05)
        page_count((uint64_t)llround(fmin(fmax(workers, 0.0), 1e15)), text);
    else
        page_rate(workers, text);
    return strcat(text, strcmp(text, "1") == 0 ? " worker" : " workers");
}

/* The verdict's own sentence, without the outcome that the stamp beside it says, with a capital. */
static void say_verdict(struct run_facts *facts, const struct source *source)
{
    const char *sentence = json_get_text(source->verdict, "sentence");
    const char *rest = strstr(sentence, "; ");
    sentence = rest != NULL ? rest + 2 : sentence;
    size_t at = strlen(facts->sentence);
    say(facts, "%s.", sentence);
    facts->sentence[at] = (char)toupper((unsigned char)facts->sentence[at]);
}

static uint32_t failed_thresholds(const struct source *source, const json_t **first)
{
    const json_t *thresholds = json_get(source->result, "thresholds");
    uint32_t failed = 0;
    for (size_t i = 0; i < json_array_size(thresholds); i++) {
        const json_t *threshold = json_array_get(thresholds, i);
        if (json_get_truth(threshold, "passed"))
            continue;
        if (failed++ == 0 && first != NULL)
            *first = threshold;
    }
    return failed;
}

const char *run_facts_threshold(const json_t *threshold, char *text)
{
    double value = json_get_number(threshold, "value");
    const char *unit = json_get_text(threshold, "unit");
    if (strcmp(unit, "share") == 0)
        return page_share(value, text);
    if (strcmp(unit, "per_s") == 0)
        return strcat((char *)(uintptr_t)page_rate(value, text), "/s");
    return page_time(value > 0.0 && value < 1e18 ? (uint64_t)value : 0, text);
}

static void say_thresholds(struct run_facts *facts, const struct source *source)
{
    const json_t *first = NULL;
    uint32_t failed = failed_thresholds(source, &first);
    char value[PAGE_NUMBER_BYTES];
    if (failed == 0) {
        say(facts, ". Nothing was the limit.");
        return;
    }
    say(facts, ", but %s was not kept: it was %s", json_get_text(first, "text"),
        run_facts_threshold(first, value));
    if (failed > 1)
        say(facts, ", and %u more thresholds failed", failed - 1);
    say(facts, ".");
}

static void say_hold(struct run_facts *facts, const struct source *source)
{
    char rate[PAGE_NUMBER_BYTES], share[PAGE_NUMBER_BYTES], workers[PAGE_NUMBER_BYTES];
    bool stages = strstr(json_get_text(source->goal, "text"), " in ") != NULL;
    page_share(json_get_number(source->goal, "tolerance"), share);
    workers_of(json_get_number(source->control, "concurrency_final"), workers);
    if (stages)
        say(facts, "Held the scheduled rate within %s in every stage, with %s at the end", share,
            workers);
    else
        say(facts, "Held %s/s within %s with %s", page_rate(source->goal_per_s, rate), share,
            workers);
    say_thresholds(facts, source);
}

static void say_search(struct run_facts *facts, const struct source *source)
{
    const json_t *answer = json_get(source->control, "answer");
    const json_t *interval = json_get(answer, "interval_95_per_s");
    double half = (json_number_value(json_array_get(interval, 1)) -
                   json_number_value(json_array_get(interval, 0))) /
                  2.0;
    char rate[PAGE_NUMBER_BYTES], workers[PAGE_NUMBER_BYTES], width[PAGE_NUMBER_BYTES];
    const char *bound = strstr(json_get_text(source->goal, "text"), "while ");
    page_rate(json_get_number(answer, "throughput_per_s"), rate);
    workers_of(json_get_number(answer, "concurrency"), workers);
    page_rate(half, width);
    if (json_get_number(answer, "throughput_per_s") >= 100.0)
        page_count((uint64_t)llround(fmin(fmax(half, 0.0), 1e15)), width);
    if (bound != NULL)
        say(facts, "%s/s \u00b1 %s is the most %s: %s", rate, width, bound, workers);
    else
        say(facts, "The target gives %s/s \u00b1 %s (95\u00a0%%) with %s", rate, width, workers);
    if (failed_thresholds(source, NULL) > 0)
        say_thresholds(facts, source);
    else
        say(facts, bound != NULL ? "." : ". More workers only wait.");
}

static void say_missed(struct run_facts *facts, const struct source *source)
{
    char reached[PAGE_NUMBER_BYTES], goal[PAGE_NUMBER_BYTES];
    const char *limit = json_get_text(source->verdict, "limited_by");
    bool plural = limit[0] != '\0' && limit[strlen(limit) - 1] == 's';
    bool doubt = facts->state == FACTS_DOUBT;
    if (!is_hold(source) || source->goal_per_s <= 0.0) {
        say_verdict(facts, source);
        return;
    }
    say(facts, "%s %s/s of %s/s", doubt ? "At least" : "Reached",
        page_rate(source->throughput_per_s, reached), page_rate(source->goal_per_s, goal));
    if (limit[0] != '\0')
        say(facts, ": the %s %s the limit%s", limit, plural ? "were" : "was",
            doubt ? ", not the target" : "");
    say(facts, ".");
}

static void say_broken_off(struct run_facts *facts, const struct source *source,
                           const struct run_record *record)
{
    char at[PAGE_NUMBER_BYTES], planned[PAGE_NUMBER_BYTES];
    uint64_t planned_ns = json_get_count(record->start, "duration_ns");
    if (record->load_ns > 0) {
        say(facts, "Stopped at %s", page_clock(record->load_ns, at));
        if (planned_ns > 0)
            say(facts, " of %s", page_clock(planned_ns, planned));
        say(facts, ": ");
    }
    size_t length = strlen(facts->sentence);
    say_verdict(facts, source);
    if (length > 0)
        facts->sentence[length] = (char)tolower((unsigned char)facts->sentence[length]);
}

static void stamp(uint64_t exit_code, bool met, struct run_facts *facts)
{
    facts->state = FACTS_FAIL;
    facts->word = "FAIL";
    if (exit_code == EXIT_MET && met) {
        facts->state = FACTS_PASS;
        facts->word = "PASS";
    } else if (exit_code == EXIT_NOT_TRUSTED) {
        facts->state = FACTS_DOUBT;
        facts->word = "NOT TO BE TRUSTED";
    } else if (exit_code == EXIT_INTERRUPTED) {
        facts->state = FACTS_DOUBT;
        facts->word = "INTERRUPTED";
    } else if (exit_code == EXIT_BROKEN_OFF) {
        facts->word = "BROKEN OFF";
    }
}

static void fill_verdict(const struct run_record *record, const struct source *source,
                         struct run_facts *facts)
{
    bool met = strcmp(json_get_text(source->verdict, "outcome"), "met") == 0;
    char rate[PAGE_NUMBER_BYTES], workers[PAGE_NUMBER_BYTES];
    stamp(source->exit_code, met, facts);
    if (record->broken_off || source->exit_code == EXIT_BROKEN_OFF ||
        source->exit_code == EXIT_INTERRUPTED)
        say_broken_off(facts, source, record);
    else if (json_is_false(json_get(source->ledger, "balanced")))
        say(facts, "The ledger does not balance: %s.", json_get_text(source->ledger, "imbalance"));
    else if (!met || source->exit_code == EXIT_NOT_TRUSTED)
        say_missed(facts, source);
    else if (is_hold(source))
        say_hold(facts, source);
    else if (is_search(source))
        say_search(facts, source);
    else {
        say(facts, "%s/s with %s", page_rate(source->throughput_per_s, rate),
            workers_of(json_get_number(source->control, "concurrency_final"), workers));
        say_thresholds(facts, source);
    }
}

__attribute__((format(printf, 3, 4))) static void add_evidence(struct run_facts *facts,
                                                               const char *name, const char *format,
                                                               ...)
{
    CHECK(facts->evidence_count < FACTS_EVIDENCE_MAX);
    struct facts_evidence *evidence = &facts->evidence[facts->evidence_count++];
    evidence->name = name;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(evidence->text, sizeof evidence->text, format, arguments);
    va_end(arguments);
}

static void fill_agents(const struct source *source, struct run_facts *facts)
{
    const json_t *agents = json_get(source->result, "agents");
    double cpu = 0.0;
    uint64_t lag_ns = 0;
    char text[PAGE_NUMBER_BYTES];
    bool known = false;
    for (size_t i = 0; i < json_array_size(agents); i++) {
        const json_t *agent = json_array_get(agents, i);
        uint64_t lag = json_get_count(agent, "send_lag_p99_ns");
        known = known || json_get(agent, "cpu") != NULL;
        cpu = fmax(cpu, json_get_number(agent, "cpu"));
        lag_ns = lag > lag_ns ? lag : lag_ns;
    }
    if (!known)
        return;
    add_evidence(facts, "agents", "at %s CPU or less",
                 page_share(round(cpu * 100.0) / 100.0, text));
    add_evidence(facts, "send lag", "p99 %s", page_time(lag_ns, text));
}

static void fill_evidence(const struct source *source, struct run_facts *facts)
{
    const json_t *thresholds = json_get(source->result, "thresholds");
    size_t count = json_array_size(thresholds);
    char rate[PAGE_NUMBER_BYTES], share[PAGE_NUMBER_BYTES], lost[PAGE_NUMBER_BYTES];
    uint64_t lost_max = json_get_count(source->ledger, "lost_max");
    if (facts->state != FACTS_PASS && source->exit_code != EXIT_BROKEN_OFF)
        add_evidence(facts, "verdict", "%s", json_get_text(source->verdict, "sentence"));
    fill_agents(source, facts);
    if (is_hold(source) && source->goal_per_s > 0.0)
        add_evidence(facts, "mean", "%s/s, %s of goal", page_rate(source->throughput_per_s, rate),
                     page_share(source->throughput_per_s / source->goal_per_s, share));
    if (json_is_boolean(json_get(source->ledger, "balanced")))
        add_evidence(facts, "ledger", "%s%s%s%s",
                     json_get_truth(source->ledger, "balanced") ? "balanced" : "DOES NOT BALANCE",
                     lost_max > 0 ? ", at most " : "",
                     lost_max > 0 ? page_count(lost_max, lost) : "",
                     lost_max > 0 ? " more may have been started" : "");
    if (count > 0)
        add_evidence(facts, "thresholds", "%zu of %zu kept",
                     count - failed_thresholds(source, NULL), count);
}

static void fill_throughput(const struct source *source, struct facts_figure *figure)
{
    char low[PAGE_NUMBER_BYTES], high[PAGE_NUMBER_BYTES], share[PAGE_NUMBER_BYTES];
    const json_t *answer = json_get(source->control, "answer");
    const json_t *interval = json_get(source->control, "interval_95_per_s");
    double shown = json_is_object(answer) ? json_get_number(answer, "throughput_per_s")
                                          : source->throughput_per_s;
    double from = json_number_value(json_array_get(interval, 0));
    double to = json_number_value(json_array_get(interval, 1));
    *figure = (struct facts_figure){.name = "Throughput", .unit = "/s"};
    page_rate(shown, figure->value);
    if (is_hold(source) && source->goal_per_s > 0.0)
        snprintf(figure->notes[0], sizeof figure->notes[0], "%s of the goal",
                 page_share(shown / source->goal_per_s, share));
    else if (json_is_object(answer))
        snprintf(figure->notes[0], sizeof figure->notes[0], "mean %s/s",
                 page_rate(source->throughput_per_s, share));
    if (to > 0.0)
        snprintf(figure->notes[1], sizeof figure->notes[1], "95\u00a0%%: %s" TO "%s",
                 page_rate(from, low), page_rate(to, high));
}

static void fill_concurrency(const struct source *source, struct facts_figure *figure)
{
    const json_t *answer = json_get(source->control, "answer");
    double final = json_is_object(answer) ? json_get_number(answer, "concurrency")
                                          : json_get_number(source->control, "concurrency_final");
    double p95 = json_get_number(source->control, "concurrency_p95");
    char text[PAGE_NUMBER_BYTES];
    *figure = (struct facts_figure){
        .name = is_hold(source) || is_search(source) ? "Concurrency found" : "Concurrency",
        .unit = " workers"};
    workers_of(final, text);
    snprintf(figure->value, sizeof figure->value, "%.*s", (int)(strstr(text, " worker") - text),
             text);
    snprintf(figure->notes[0], sizeof figure->notes[0], "mean %s",
             page_rate(json_get_number(source->control, "concurrency_mean"), text));
    if (p95 > 0.0)
        snprintf(figure->notes[1], sizeof figure->notes[1], "95\u00a0%% of ticks \u2264 %s",
                 page_count((uint64_t)fmin(p95, 1e15), text));
}

/* A time apart from its unit, as figures show it. */
static void put_time(uint64_t time_ns, struct facts_figure *figure)
{
    static const char *const units[] = {"\u00a0ms", "\u00a0\u00b5s", "\u00a0s"};
    char text[PAGE_NUMBER_BYTES];
    page_time(time_ns, text);
    figure->unit = "";
    snprintf(figure->value, sizeof figure->value, "%s", text);
    for (size_t i = 0; i < COUNT(units); i++) {
        size_t length = strlen(text), unit = strlen(units[i]);
        if (length <= unit || strcmp(text + length - unit, units[i]) != 0 ||
            strstr(text, "min") != NULL)
            continue;
        figure->unit = units[i];
        figure->value[length - unit] = '\0';
        return;
    }
}

static void fill_latency(const struct run_record *record, const struct source *source,
                         struct facts_figure *figure)
{
    const json_t *latency = json_get(source->result, "latency");
    const json_t *response = json_get(latency, "response");
    char text[PAGE_NUMBER_BYTES];
    uint64_t p99_ns = json_get_count(response, "p99_ns");
    *figure = (struct facts_figure){.name = "Response p99"};
    if (!record->broken_off) {
        snprintf(figure->notes[0], sizeof figure->notes[0], "p50 %s",
                 page_time(json_get_count(response, "p50_ns"), text));
        snprintf(figure->notes[1], sizeof figure->notes[1], "service p99 %s",
                 page_time(json_get_count(json_get(latency, "service"), "p99_ns"), text));
    } else {
        for (uint32_t i = 0; i < record->series.count; i++)
            if (record->series.bins[i].response.p99_ns > p99_ns)
                p99_ns = record->series.bins[i].response.p99_ns;
        snprintf(figure->notes[0], sizeof figure->notes[0], "at most: its highest second");
    }
    put_time(p99_ns, figure);
}

static void fill_errors(const struct run_record *record, const struct source *source,
                        struct facts_figure *figure)
{
    const json_t *errors = json_get(source->result, "errors");
    uint64_t bad = 0, all = 0;
    char first[PAGE_NUMBER_BYTES], second[PAGE_NUMBER_BYTES];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)errors, key, value) bad += json_get_count(errors, key);
    /* After the warm-up: what the latencies count is what ended. */
    all = record->histograms[SAMPLE_SERVICE].total;
    if (record->broken_off || all < bad)
        all = json_get_count(source->ledger, "ok") + json_get_count(source->ledger, "failed") +
              json_get_count(source->ledger, "timed_out");
    *figure = (struct facts_figure){.name = "Errors", .unit = "\u00a0%"};
    page_share(all > 0 ? (double)bad / (double)all : 0.0, figure->value);
    *strstr(figure->value, "\u00a0%") = '\0';
    snprintf(figure->notes[0], sizeof figure->notes[0], "%s of %s", page_count(bad, first),
             page_count(all, second));
    size_t length = 0;
    size_t shown = 0;
    json_object_foreach((json_t *)(uintptr_t)errors, key, value)
    {
        if (shown++ < 2)
            length += (size_t)snprintf(figure->notes[1] + length, sizeof figure->notes[1] - length,
                                       "%s%.40s %s", length > 0 ? ", " : "", key,
                                       page_count(json_get_count(errors, key), first));
    }
    if (shown > 2)
        snprintf(figure->notes[1] + length, sizeof figure->notes[1] - length, ", \u2026");
}

static void fill_settled(const struct source *source, struct facts_figure *figure)
{
    char text[PAGE_NUMBER_BYTES];
    bool settled = json_get_truth(source->control, "settled");
    if (!is_hold(source) && !is_search(source)) {
        *figure = (struct facts_figure){.name = "Duration"};
        put_time(json_get_count(source->result, "duration_ns"), figure);
        snprintf(figure->notes[0], sizeof figure->notes[0], "of it warm-up, not counted: %s",
                 page_time(json_get_count(source->result, "warmup_ns"), text));
        return;
    }
    *figure = (struct facts_figure){
        .name = is_hold(source) ? "Settled" : "Converged", .unit = "", .value = "never"};
    if (settled) {
        figure->unit = "\u00a0s";
        snprintf(figure->value, sizeof figure->value, "%.1f",
                 (double)json_get_count(source->control, "settle_ns") / 1e9);
    } else if (!json_is_false(json_get(source->control, "settled")))
        snprintf(figure->value, sizeof figure->value, "not known");
    if (settled && is_hold(source))
        snprintf(figure->notes[0], sizeof figure->notes[0], "overshoot %s",
                 page_share(json_get_number(source->control, "overshoot"), text));
}

void run_facts_fill(const struct run_record *record, struct run_facts *facts)
{
    struct source source = source_of(record);
    *facts = (struct run_facts){0};
    fill_verdict(record, &source, facts);
    fill_evidence(&source, facts);
    fill_throughput(&source, &facts->figures[0]);
    fill_concurrency(&source, &facts->figures[1]);
    fill_latency(record, &source, &facts->figures[2]);
    fill_errors(record, &source, &facts->figures[3]);
    fill_settled(&source, &facts->figures[4]);
    run_events_number(record, facts);
}
