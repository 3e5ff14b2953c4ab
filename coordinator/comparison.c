#include "coordinator/comparison.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/control/stats.h"
#include "coordinator/bootstrap.h"
#include "coordinator/tick.h"

#include <math.h>
#include <string.h>

/* Nothing finer is told apart than the records do: one answer in a second, one worker, one cell of
 * a histogram. */
#define COUNT_STEP   1.0
#define LATENCY_STEP (1.0 / 128.0)

enum scale {
    SCALE_RATIO,     /* means are compared by their ratio */
    SCALE_LOGARITHM, /* values are logarithms: their means' difference is that of a ratio */
    SCALE_POINTS,    /* means are compared by their difference */
};

static const struct metric {
    const char *name;
    const char *key;
    enum scale scale;
    enum comparison_word less, more; /* what each means */
} metrics[COMPARISON_METRICS] = {
    {"throughput", "throughput_per_s", SCALE_RATIO, COMPARISON_WORSE, COMPARISON_BETTER},
    {"response p50", "response_p50_ns", SCALE_LOGARITHM, COMPARISON_BETTER, COMPARISON_WORSE},
    {"response p90", "response_p90_ns", SCALE_LOGARITHM, COMPARISON_BETTER, COMPARISON_WORSE},
    {"response p99", "response_p99_ns", SCALE_LOGARITHM, COMPARISON_BETTER, COMPARISON_WORSE},
    {"service p50", "service_p50_ns", SCALE_LOGARITHM, COMPARISON_BETTER, COMPARISON_WORSE},
    {"service p99", "service_p99_ns", SCALE_LOGARITHM, COMPARISON_BETTER, COMPARISON_WORSE},
    {"errors", "error_share", SCALE_POINTS, COMPARISON_BETTER, COMPARISON_WORSE},
    {"workers", "workers", SCALE_RATIO, COMPARISON_FEWER, COMPARISON_MORE},
};

const char *comparison_metric_name(enum comparison_metric metric)
{
    return metrics[metric].name;
}

const char *comparison_metric_key(enum comparison_metric metric)
{
    return metrics[metric].key;
}

const char *comparison_word(enum comparison_word word)
{
    static const char *const words[] = {
        [COMPARISON_UNKNOWN] = "unknown", [COMPARISON_SAME] = "same",
        [COMPARISON_WITHIN] = "within",   [COMPARISON_BETTER] = "better",
        [COMPARISON_WORSE] = "worse",     [COMPARISON_FEWER] = "fewer",
        [COMPARISON_MORE] = "more"};
    return words[word];
}

static void add(struct comparison_side *side, enum comparison_metric metric, double value)
{
    side->values[metric][side->counts[metric]++] = value;
}

static void add_latencies(struct comparison_side *side, const struct series_bin *bin)
{
    const struct {
        enum comparison_metric metric;
        uint64_t latency_ns;
    } latencies[] = {{COMPARISON_RESPONSE_P50, bin->response.p50_ns},
                     {COMPARISON_RESPONSE_P90, bin->response.p90_ns},
                     {COMPARISON_RESPONSE_P99, bin->response.p99_ns},
                     {COMPARISON_SERVICE_P50, bin->service.p50_ns},
                     {COMPARISON_SERVICE_P99, bin->service.p99_ns}};
    for (size_t i = 0; bin->measured && i < COUNT(latencies); i++)
        if (latencies[i].latency_ns > 0)
            add(side, latencies[i].metric, log((double)latencies[i].latency_ns));
}

static uint64_t bad_of(const struct series_bin *bin)
{
    return bin->failed + bin->timed_out;
}

/* The share of errors is a quotient of two sums. What each second puts to it: the share, and how
 * much that second's own differs from it, weighted by how many requests it had.
 * Source: Cochran, "Sampling Techniques", 1977, 6.4: the linear form of a ratio. */
static void add_errors(struct comparison_side *side, const struct series_bin *bins, uint32_t count)
{
    uint64_t bad = 0;
    for (uint32_t i = 0; i < count; i++) {
        bad += bad_of(&bins[i]);
        side->ended += bins[i].ok + bad_of(&bins[i]);
    }
    if (side->ended == 0)
        return;
    double share = (double)bad / (double)side->ended;
    double ended_mean = (double)side->ended / count;
    for (uint32_t i = 0; i < count; i++) {
        double ended = (double)(bins[i].ok + bad_of(&bins[i]));
        add(side, COMPARISON_ERRORS,
            share + ((double)bad_of(&bins[i]) - share * ended) / ended_mean);
    }
}

void comparison_side_take(struct comparison_side *side, const struct series *series,
                          uint64_t warm_ns, uint64_t load_ns, uint32_t width_s)
{
    CHECK(width_s >= series->bin_s);
    CHECK(width_s % series->bin_s == 0);
    *side = (struct comparison_side){.width_s = width_s};
    struct series_bin bins[SERIES_BINS_MAX];
    uint64_t width_ns = width_s * NS_PER_S;
    uint32_t joined = width_s / series->bin_s;
    uint32_t count = 0;
    /* The last tick under load may come a tick before its end. */
    for (uint64_t from_ns = (warm_ns + width_ns - 1) / width_ns * width_ns;
         from_ns + width_ns <= load_ns + TICK_MS * NS_PER_MS; from_ns += width_ns) {
        struct series_bin bin = {0};
        uint64_t first = from_ns / (series->bin_s * NS_PER_S);
        for (uint64_t i = first; i < first + joined && i < series->count; i++)
            series_bin_join(&bin, &series->bins[i]);
        if (bin.covered_ns == 0)
            continue;
        bins[count++] = bin;
        add(side, COMPARISON_THROUGHPUT, series_throughput_per_s(&bin));
        if (bin.ticks > 0)
            add(side, COMPARISON_WORKERS, bin.workers.sum / bin.ticks);
        add_latencies(side, &bin);
    }
    add_errors(side, bins, count);
}

bool comparison_side_is_enough(const struct comparison_side *side)
{
    return side->counts[COMPARISON_THROUGHPUT] >= COMPARISON_SECONDS_MIN;
}

/* Both means, on the scale on which they are compared. */
struct figures {
    double a, b;
    double estimate;
    double error; /* standard, of the estimate */
    uint32_t freedom;
    double step; /* what the records cannot tell apart */
};

/* Degrees of freedom of the sum of two variances. Source: Welch, "The generalization of Student's
 * problem when several different population variances are involved", 1947. */
static uint32_t welch(double a, uint32_t a_freedom, double b, uint32_t b_freedom)
{
    double sum = a + b;
    if (!(sum > 0.0))
        return a_freedom + b_freedom;
    return (uint32_t)fmax(1.0, sum * sum / (a * a / a_freedom + b * b / b_freedom));
}

static double step_of(enum comparison_metric metric, const struct comparison_side *a,
                      const struct comparison_side *b, double a_mean)
{
    switch (metric) {
    case COMPARISON_THROUGHPUT:
    case COMPARISON_WORKERS:
        return COUNT_STEP / a_mean;
    case COMPARISON_ERRORS: /* "the rule of three": none seen of n may still be so many */
        return -log(1.0 - COMPARISON_CONFIDENCE) /
               (double)(a->ended < b->ended ? a->ended : b->ended);
    default:
        return log1p(LATENCY_STEP);
    }
}

static struct figures figures_of(enum comparison_metric metric, const struct comparison_side *a,
                                 const struct comparison_side *b,
                                 const struct comparison_options *options)
{
    uint64_t seed = options->seed + metric * UINT64_C(2);
    struct bootstrap_mean of_a =
        bootstrap_mean(a->values[metric], a->counts[metric], options->draws, seed);
    struct bootstrap_mean of_b =
        bootstrap_mean(b->values[metric], b->counts[metric], options->draws, seed + 1);
    struct figures figures = {.a = of_a.mean, .b = of_b.mean, .estimate = of_b.mean - of_a.mean};
    double a_variance = of_a.variance;
    double b_variance = of_b.variance;
    if (metrics[metric].scale == SCALE_RATIO) {
        figures.estimate = log(of_b.mean / of_a.mean);
        a_variance /= of_a.mean * of_a.mean;
        b_variance /= of_b.mean * of_b.mean;
    }
    figures.error = sqrt(a_variance + b_variance);
    figures.freedom = welch(a_variance, of_a.blocks - 1, b_variance, of_b.blocks - 1);
    figures.step = step_of(metric, a, b, of_a.mean);
    return figures;
}

/* From the scale of the comparison to a share. */
static double share_of(enum scale scale, double value)
{
    return scale == SCALE_POINTS ? value : expm1(value);
}

static struct comparison_interval interval_of(enum scale scale, const struct figures *figures,
                                              double confidence)
{
    double half = student(figures->freedom, confidence) * figures->error + figures->step;
    return (struct comparison_interval){share_of(scale, figures->estimate - half),
                                        share_of(scale, figures->estimate + half)};
}

static bool is_known(enum comparison_metric metric, const struct comparison_side *side)
{
    if (side->counts[metric] < COMPARISON_SECONDS_MIN)
        return false;
    double sum = 0.0;
    for (uint32_t i = 0; i < side->counts[metric]; i++)
        sum += side->values[metric][i];
    return metrics[metric].scale != SCALE_RATIO || sum > 0.0;
}

static enum comparison_word word_of(enum comparison_metric metric, const struct comparison_row *row,
                                    const struct comparison_options *options)
{
    double tolerance = metric == COMPARISON_ERRORS ? options->errors_tolerance : options->tolerance;
    if (row->corrected.low <= 0.0 && row->corrected.high >= 0.0)
        return COMPARISON_SAME;
    if (fabs(row->difference) <= tolerance)
        return COMPARISON_WITHIN;
    return row->difference < 0.0 ? metrics[metric].less : metrics[metric].more;
}

static void make_row(struct comparison_row *row, enum comparison_metric metric,
                     const struct comparison_side *a, const struct comparison_side *b,
                     const struct comparison_options *options)
{
    *row = (struct comparison_row){.word = COMPARISON_UNKNOWN};
    if (!is_known(metric, a) || !is_known(metric, b))
        return;
    enum scale scale = metrics[metric].scale;
    struct figures figures = figures_of(metric, a, b, options);
    row->a = scale == SCALE_LOGARITHM ? exp(figures.a) : figures.a;
    row->b = scale == SCALE_LOGARITHM ? exp(figures.b) : figures.b;
    row->difference = share_of(scale, figures.estimate);
    row->of_95 = interval_of(scale, &figures, 0.95);
    row->corrected = interval_of(scale, &figures, COMPARISON_CONFIDENCE);
    row->detectable = share_of(
        scale, student(figures.freedom, COMPARISON_CONFIDENCE) * figures.error + figures.step);
    uint32_t a_block = bootstrap_block(a->values[metric], a->counts[metric]);
    uint32_t b_block = bootstrap_block(b->values[metric], b->counts[metric]);
    row->block_s = (a_block > b_block ? a_block : b_block) * a->width_s;
    row->word = word_of(metric, row, options);
}

void comparison_make(struct comparison *comparison, const struct comparison_side *a,
                     const struct comparison_side *b, const struct comparison_options *options)
{
    CHECK(a->width_s == b->width_s);
    CHECK(comparison_side_is_enough(a));
    CHECK(comparison_side_is_enough(b));
    *comparison = (struct comparison){.word = COMPARISON_SAME};
    for (enum comparison_metric metric = 0; metric < COMPARISON_METRICS; metric++) {
        struct comparison_row *row = &comparison->rows[metric];
        make_row(row, metric, a, b, options);
        if (row->word <= COMPARISON_WORSE && row->word > comparison->word)
            comparison->word = row->word;
    }
}
