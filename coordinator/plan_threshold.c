#include "coordinator/plan_threshold.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <stdio.h>
#include <string.h>

#define PART_BYTES      64 /* a longer metric or bound is no number and no word */
#define SHOWN_BYTES     96
#define LATENCY_ALLOWED "a duration above 0, such as 250ms"

/* The metrics, as a plan writes them; of a quantile what is before its number. */
static const struct metric {
    const char *word;
    enum threshold_metric metric;
    bool quantile;
    const char *bound_allowed;
} metrics[] = {
    {"latency.p", METRIC_LATENCY_QUANTILE, true, LATENCY_ALLOWED},
    {"latency.mean", METRIC_LATENCY_MEAN, false, LATENCY_ALLOWED},
    {"latency.max", METRIC_LATENCY_MAX, false, LATENCY_ALLOWED},
    {"service.p", METRIC_SERVICE_QUANTILE, true, LATENCY_ALLOWED},
    {"errors.rate", METRIC_ERRORS_RATE, false, "a share from 0% to 100%, such as 0.1%"},
    {"throughput", METRIC_THROUGHPUT, false, "a rate, such as 4900/s"},
};

/* A line in its three parts, all blanks taken out. */
struct parts {
    char metric[PART_BYTES];
    char comparison[3];
    char bound[PART_BYTES];
};

/* Copies `bytes` of `text` without its blanks; false: it does not fit. */
static bool copy_packed(const char *text, size_t bytes, char *packed)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == ' ' || text[i] == '\t')
            continue;
        if (used == PART_BYTES - 1)
            return false;
        packed[used++] = text[i];
    }
    packed[used] = '\0';
    return used > 0;
}

static bool split(const char *text, struct parts *parts)
{
    size_t metric_bytes = strcspn(text, "<>");
    const char *comparison = text + metric_bytes;
    size_t comparison_bytes = *comparison == '\0' ? 0 : comparison[1] == '=' ? 2 : 1;
    if (comparison_bytes == 0)
        return false;
    memcpy(parts->comparison, comparison, comparison_bytes);
    parts->comparison[comparison_bytes] = '\0';
    const char *bound = comparison + comparison_bytes;
    return copy_packed(text, metric_bytes, parts->metric) &&
           copy_packed(bound, strlen(bound), parts->bound);
}

static const struct metric *find_metric(const char *word, size_t word_bytes, bool quantile)
{
    for (size_t i = 0; i < COUNT(metrics); i++) {
        if (strlen(metrics[i].word) == word_bytes && quantile == metrics[i].quantile &&
            memcmp(metrics[i].word, word, word_bytes) == 0) {
            return &metrics[i];
        }
    }
    return NULL;
}

/* "latency.p(99)" or "throughput"; NULL: the mistake is in `error`. */
static const struct metric *read_metric(const char *text, struct threshold *threshold,
                                        struct place place, struct error *error)
{
    size_t word_bytes = strcspn(text, "(");
    const char *open = text + word_bytes;
    const struct metric *metric = find_metric(text, word_bytes, *open == '(');
    if (metric == NULL) {
        char shown[SHOWN_BYTES];
        error_set(error, ERROR_PLAN, place,
                  "unknown metric '%s'; give latency.p(99), latency.mean, latency.max, "
                  "service.p(99), errors.rate or throughput",
                  harmless_text(text, shown, sizeof shown));
        return NULL;
    }
    if (!metric->quantile)
        return metric;
    char number[PART_BYTES];
    size_t number_bytes = strcspn(open + 1, ")");
    memcpy(number, open + 1, number_bytes);
    number[number_bytes] = '\0';
    double percent = 0;
    if (strcmp(open + 1 + number_bytes, ")") != 0 || !units_read_number(number, &percent) ||
        !(percent > 0 && percent <= 100)) {
        error_set(error, ERROR_PLAN, place,
                  "%s takes a number above 0 and at most 100, as in %s(99.9)", metric->word,
                  metric->word);
        return NULL;
    }
    threshold->quantile = percent / 100.0;
    return metric;
}

static bool read_bound(const char *text, enum threshold_metric metric, double *bound)
{
    uint64_t duration_ns;
    switch (metric) {
    case METRIC_ERRORS_RATE:
        return units_read_share(text, bound);
    case METRIC_THROUGHPUT:
        return units_read_rate(text, bound) && *bound <= RATE_PER_S_MAX;
    default:
        if (!units_read_duration(text, &duration_ns) || duration_ns == 0)
            return false;
        *bound = (double)duration_ns;
        return true;
    }
}

bool threshold_read(const char *text, struct threshold *threshold, struct place place,
                    struct error *error)
{
    struct parts parts;
    char shown[SHOWN_BYTES];
    if (!split(text, &parts)) {
        return error_set(error, ERROR_PLAN, place,
                         "'%s' is no threshold; give a line such as latency.p(99) < 250ms",
                         harmless_text(text, shown, sizeof shown));
    }
    struct threshold read = {.below = parts.comparison[0] == '<',
                             .inclusive = parts.comparison[1] == '='};
    const struct metric *metric = read_metric(parts.metric, &read, place, error);
    if (metric == NULL)
        return false;
    read.metric = metric->metric;
    if (!read_bound(parts.bound, read.metric, &read.bound)) {
        return error_set(error, ERROR_PLAN, place, "%s is compared with '%s'; give %s",
                         parts.metric, harmless_text(parts.bound, shown, sizeof shown),
                         metric->bound_allowed);
    }
    if (asprintf(&read.text, "%s %s %s", parts.metric, parts.comparison, parts.bound) < 0)
        return error_set(error, ERROR_MEMORY, place, "out of memory reading the plan");
    *threshold = read;
    return true;
}
