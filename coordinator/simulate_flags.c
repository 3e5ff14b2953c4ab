#include "coordinator/simulate.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/simulate_agents.h"

static bool take_plant(void *context, const char *value, struct error *error)
{
    struct simulate_options *options = context;
    options->plant_text = value;
    return simulate_plant_read(&options->plant, value, error);
}

static bool take_seed(void *context, const char *value, struct error *error)
{
    struct simulate_options *options = context;
    options->seed_given = true;
    return units_read_count(value, &options->seed) ||
           error_set(error, ERROR_USAGE, PLACE_NONE, "'%s' is not a whole number", value);
}

static bool take_agents(void *context, const char *value, struct error *error)
{
    struct simulate_options *options = context;
    uint64_t count;
    if (!units_read_count(value, &count) || count < 1 || count > SIMULATED_AGENTS_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not what it takes: a whole number from 1 to %u", value,
                         SIMULATED_AGENTS_MAX);
    options->agents = (uint32_t)count;
    return true;
}

static bool take_plot(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct simulate_options *)context)->plot = true;
    return true;
}

static bool take_out(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct simulate_options *)context)->out = value;
    return true;
}

static bool take_json(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct simulate_options *)context)->json = value;
    return true;
}

static bool take_quiet(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct simulate_options *)context)->quiet = true;
    return true;
}

static const struct flag rows[] = {
    {"plant", 0, "KEY=VALUE,...", SIMULATE_PLANT_DEFAULT, "the model of the target, see below",
     take_plant, false},
    {"seed", 0, "N", "the plan's", "of all that is random: the same run again", take_seed, false},
    {"agents", 0, "N", "the plan's agents.expect", "agents to simulate", take_agents, false},
    {"plot", 0, NULL, NULL, "draw throughput, concurrency and latency over time", take_plot, false},
    {"out", 0, "DIR", "runs/NAME-DATE-TIME", "folder for this run; never one that holds a run",
     take_out, false},
    {"json", 0, "FILE", NULL,
     "write the result there too; - is stdout, and nothing else goes there", take_json, false},
    {"quiet", 'q', NULL, NULL, "no line while it runs", take_quiet, false},
};

static void explain_plant(FILE *stream)
{
    fprintf(stream, "The plant, each key with an example; what is not said is as by default:\n");
    simulate_plant_help(stream);
}

const struct flags simulate_flags = {
    .command = "simulate",
    .usage = "clobber simulate PLAN.yaml [FLAGS]",
    .about = "Runs a plan against a model of a target, in virtual time: the answer in a blink.",
    .example = "clobber simulate plan.yaml --plant servers=32,latency=x4@10s-20s --plot",
    .rows = rows,
    .count = COUNT(rows),
    .words_min = 1,
    .words_max = 1,
    .explain = explain_plant,
};
