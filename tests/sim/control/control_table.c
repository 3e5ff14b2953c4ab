/** Prints how the laws do, beside the algorithms that others use: docs/control.md, "How well it
 *  does". */
#include "common/base/check.h"
#include "tests/sim/control/anchors.h"
#include "tests/sim/control/oracle.h"
#include "tests/sim/control/scenario.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: control_table [--seeds N] [--family open|closed|maximize|while] [--scenario NAME]\n"
    "                     [--regulator NAME|all] [--worst] [--trace SEED] [--ideals]\n"
    "  --seeds N      the median over seeds 1 to N (25; at most 64)\n"
    "  --regulator    ours in full with a comparison (all), or one in full\n"
    "  --worst        three figures for one: median, nine of ten are no worse, worst\n"
    "  --trace SEED   each tick of the scenario under the regulator\n"
    "  --ideals       searches every ideal again, and fails where the scenario has another\n";

/* Of the algorithms compared with: what is said of them needs no more. */
#define ANCHOR_SEEDS 3

struct options {
    uint64_t seeds;
    const char *family, *scenario;
    const struct regulator *regulator; /* NULL: all */
    bool worst, ideals;
    uint64_t trace_seed;
};

/** A figure of the table: where it stands in an outcome, and what it looks like. */
struct column {
    const char *title, *format;
    size_t figure;
    bool compared; /* shown for the others, too */
};

#define COLUMN(title, format, member)                                                              \
    {                                                                                              \
        title, format, OUTCOME_FIGURE(member), false                                               \
    }

#define COMPARED(title, format, member)                                                            \
    {                                                                                              \
        title, format, OUTCOME_FIGURE(member), true                                                \
    }

static const struct column open_columns[] = {
    COMPARED("late %", "%.2f", late_percent),
    COLUMN("not started %", "%.2f", not_started_percent),
    COLUMN("settled", "%.0f", settle_ticks),
    COLUMN("recovery", "%.0f", recovery_ticks),
    COMPARED("workers / ideal", "%.2f", workers_ratio),
    COLUMN("recognised after", "%.0f", detect_ticks),
    COLUMN("false saturated", "%.0f", false_saturated_ticks),
    COMPARED("then workers / knee", "%.2f", saturated_ratio),
    COLUMN("% of capacity", "%.1f", saturated_percent),
    COMPARED("peak / ideal", "%.1f", peak_ratio),
    COLUMN("sent above rate %", "%.0f", overshoot_percent),
};
static const struct column closed_columns[] = {
    COMPARED("settled", "%.0f", settle_ticks),
    COMPARED("recovery", "%.0f", recovery_ticks),
    COMPARED("workers / ideal", "%.2f", workers_ratio),
    COLUMN("recognised after", "%.0f", detect_ticks),
    COLUMN("false saturated", "%.0f", false_saturated_ticks),
    COMPARED("then workers / knee", "%.2f", saturated_ratio),
    COLUMN("% of capacity", "%.1f", saturated_percent),
    COMPARED("peak / ideal", "%.1f", peak_ratio),
    COLUMN("sent above rate %", "%.0f", overshoot_percent),
    COLUMN("rate off by %", "%.1f", error_percent),
    COMPARED("chatter %", "%.1f", chatter_percent),
};
static const struct column maximize_columns[] = {
    COMPARED("settled", "%.0f", settle_ticks),
    COMPARED("recovery", "%.0f", recovery_ticks),
    COMPARED("% of the best", "%.1f", best_percent),
    COMPARED("workers / ideal", "%.2f", workers_ratio),
    COMPARED("peak / ideal", "%.1f", peak_ratio),
    COLUMN("chatter %", "%.1f", chatter_percent),
    COLUMN("answer after", "%.0f", converged_ticks),
    COLUMN("taken back", "%.0f", reopened),
};
static const struct column while_columns[] = {
    COMPARED("settled", "%.0f", settle_ticks),
    COLUMN("recovery", "%.0f", recovery_ticks),
    COMPARED("% of the best allowed", "%.1f", best_percent),
    COLUMN("violated %", "%.1f", violated_percent),
    COMPARED("violated settled %", "%.1f", violated_settled_percent),
    COMPARED("workers / ideal", "%.2f", workers_ratio),
    COLUMN("peak / ideal", "%.1f", peak_ratio),
    COLUMN("chatter %", "%.1f", chatter_percent),
    COLUMN("answer after", "%.0f", converged_ticks),
    COLUMN("taken back", "%.0f", reopened),
};

struct family {
    const struct scenario_set *set;
    const struct column *columns; /* [column_count] */
    size_t column_count;
};

static const struct family families[] = {
    {&scenarios_open, open_columns, COUNT(open_columns)},
    {&scenarios_closed, closed_columns, COUNT(closed_columns)},
    {&scenarios_maximize, maximize_columns, COUNT(maximize_columns)},
    {&scenarios_while, while_columns, COUNT(while_columns)},
};

static void print_figure(const struct column *column, const struct outcome *outcome)
{
    double value = outcome_get(outcome, column->figure);
    if (isinf(value))
        printf("never");
    else if (!isnan(value))
        printf(column->format, value);
}

static void print_row(const struct family *family, const struct scenario *scenario,
                      const struct summary *summary, const struct options *options)
{
    printf("| %s |", scenario->name);
    for (size_t i = 0; i < family->column_count; i++) {
        const struct column *column = &family->columns[i];
        putchar(' ');
        print_figure(column, &summary->median);
        if (options->worst && !isnan(outcome_get(&summary->median, column->figure))) {
            printf(" / ");
            print_figure(column, &summary->p90);
            printf(" / ");
            print_figure(column, &summary->worst);
        }
        printf(" |");
    }
    printf(" %s |\n", control_status_word(summary->median.final_status));
    fflush(stdout);
}

/** A cell of the comparison: the compared figures, and a dash for what means nothing here. */
static void print_cell(const struct family *family, const struct outcome *outcome)
{
    const char *between = " ";
    for (size_t i = 0; i < family->column_count; i++) {
        const struct column *column = &family->columns[i];
        if (!column->compared)
            continue;
        printf("%s", between);
        if (isnan(outcome_get(outcome, column->figure)))
            putchar('-');
        print_figure(column, outcome);
        between = ", ";
    }
    printf(" |");
    fflush(stdout);
}

static bool is_chosen(const struct scenario *scenario, const struct options *options)
{
    return options->scenario == NULL || strcmp(scenario->name, options->scenario) == 0;
}

static void print_rule(size_t columns)
{
    printf("\n|");
    for (size_t i = 0; i < columns; i++)
        printf("---|");
    putchar('\n');
}

static void print_head(const struct family *family)
{
    printf("| %s |", family->set->name);
    for (size_t i = 0; i < family->column_count; i++)
        printf(" %s |", family->columns[i].title);
    printf(" status |");
    print_rule(family->column_count + 2);
}

/** One regulator in full. Its medians go to medians[family->set->count]. */
static void print_full(const struct family *family, const struct regulator *regulator,
                       const struct options *options, struct outcome *medians)
{
    size_t rows = 0;
    for (size_t i = 0; i < family->set->count; i++) {
        const struct scenario *scenario = &family->set->scenarios[i];
        if (!is_chosen(scenario, options) || !regulator_suits(regulator, scenario))
            continue;
        if (rows++ == 0)
            print_head(family);
        struct summary summary = scenario_summary(scenario, regulator, options->seeds);
        medians[i] = summary.median;
        print_row(family, scenario, &summary, options);
    }
    if (rows > 0)
        putchar('\n');
}

static bool family_has(const struct family *family, const struct regulator *regulator)
{
    bool has = false;
    for (size_t i = 0; i < family->set->count; i++)
        has = has || regulator_suits(regulator, &family->set->scenarios[i]);
    return has;
}

static void print_compared_head(const struct family *family)
{
    printf("In each cell:");
    const char *between = " ";
    for (size_t i = 0; i < family->column_count; i++) {
        if (!family->columns[i].compared)
            continue;
        printf("%s%s", between, family->columns[i].title);
        between = ", ";
    }
    printf("\n\n| %s | clobber |", family->set->name);
    size_t columns = 2;
    for (size_t i = 0; anchors[i] != NULL; i++) {
        if (!family_has(family, anchors[i]))
            continue;
        printf(" %s |", anchors[i]->name);
        columns++;
    }
    print_rule(columns);
}

/** Ours beside the others; only what both can do is of interest. */
static void print_compared(const struct family *family, const struct options *options,
                           const struct outcome *ours)
{
    uint64_t seeds = options->seeds < ANCHOR_SEEDS ? options->seeds : ANCHOR_SEEDS;
    print_compared_head(family);
    for (size_t i = 0; i < family->set->count; i++) {
        const struct scenario *scenario = &family->set->scenarios[i];
        if (!is_chosen(scenario, options))
            continue;
        printf("| %s |", scenario->name);
        if (regulator_suits(&regulator_ours, scenario))
            print_cell(family, &ours[i]);
        else
            printf(" - |");
        for (size_t j = 0; anchors[j] != NULL; j++) {
            if (!family_has(family, anchors[j]))
                continue;
            struct summary summary = scenario_summary(scenario, anchors[j], seeds);
            print_cell(family, &summary.median);
        }
        putchar('\n');
    }
    putchar('\n');
}

static void print_family(const struct family *family, const struct options *options)
{
    struct outcome *medians = calloc(family->set->count, sizeof *medians);
    CHECK(medians != NULL);
    const struct regulator *first =
        options->regulator != NULL ? options->regulator : &regulator_ours;
    print_full(family, first, options, medians);
    if (options->regulator == NULL)
        print_compared(family, options, medians);
    free(medians);
}

/** Returns how many ideals are not where they are searched now. */
static size_t print_ideals(const struct family *family, const struct options *options)
{
    size_t stale = 0;
    for (size_t i = 0; i < family->set->count; i++) {
        const struct scenario *scenario = &family->set->scenarios[i];
        bool searched = is_chosen(scenario, options) && !scenario->assumed;
        size_t count = searched ? scenario_piece_count(scenario) : 0;
        for (size_t j = 0; j < count; j++) {
            const struct piece *piece = &scenario->pieces[j];
            struct piece found = oracle_search(scenario, j);
            bool differs = !oracle_agrees(scenario, piece, &found);
            printf("%-32s from %4.1f s: %6.0f workers, %7.0f/s%s\n", scenario->name, piece->from_s,
                   found.ideal, found.capacity_per_s, differs ? " DIFFERS" : "");
            stale += differs;
        }
    }
    return stale;
}

static const struct regulator *find_regulator(const char *name)
{
    if (strcmp(name, regulator_ours.name) == 0)
        return &regulator_ours;
    for (size_t i = 0; anchors[i] != NULL; i++) {
        if (strcmp(name, anchors[i]->name) == 0)
            return anchors[i];
    }
    return NULL;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"seeds", required_argument, NULL, 'n'},    {"family", required_argument, NULL, 'f'},
        {"scenario", required_argument, NULL, 's'}, {"worst", no_argument, NULL, 'w'},
        {"trace", required_argument, NULL, 't'},    {"regulator", required_argument, NULL, 'r'},

        {"ideals", no_argument, NULL, 'i'},         {NULL, 0, NULL, 0}};
    bool known_regulator = true;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            options->seeds = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            options->family = optarg;
            break;
        case 's':
            options->scenario = optarg;
            break;
        case 'r':
            options->regulator = find_regulator(optarg);
            known_regulator = options->regulator != NULL || strcmp(optarg, "all") == 0;
            break;
        case 'w':
            options->worst = true;
            break;
        case 't':
            options->trace_seed = strtoull(optarg, NULL, 10);
            break;
        case 'i':
            options->ideals = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && known_regulator && options->seeds >= 1 &&
           options->seeds <= SCENARIO_SEEDS_MAX &&
           (options->scenario == NULL || scenario_find(options->scenario) != NULL) &&
           (options->trace_seed == 0 || options->scenario != NULL);
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 25};
    if (!read_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    if (options.trace_seed > 0) {
        const struct scenario *scenario = scenario_find(options.scenario);
        const struct regulator *regulator =
            options.regulator != NULL ? options.regulator : &regulator_ours;
        if (!regulator_suits(regulator, scenario)) {
            fprintf(stderr, "%s does not know how to '%s'\n", regulator->name, scenario->name);
            return 2;
        }
        scenario_trace(scenario, regulator, options.trace_seed);
        return 0;
    }
    size_t stale = 0;
    for (size_t i = 0; i < COUNT(families); i++) {
        if (options.family != NULL && strcmp(families[i].set->name, options.family) != 0)
            continue;
        if (options.ideals)
            stale += print_ideals(&families[i], &options);
        else
            print_family(&families[i], &options);
    }
    return stale > 0 ? 1 : 0;
}
