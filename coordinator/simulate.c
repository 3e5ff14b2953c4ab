#include "coordinator/simulate.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/harmless.h"
#include "common/base/limits.h"
#include "common/base/units.h"
#include "common/command.h"
#include "coordinator/assign.h"
#include "coordinator/folder.h"
#include "coordinator/leave.h"
#include "coordinator/plot.h"
#include "coordinator/simulate_agents.h"
#include "coordinator/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From a checked plan to an exit code. What is set is what was begun. */
struct simulating {
    const struct simulate_options *options;
    const struct plan *plan;
    uint8_t assignment[ASSIGNMENT_BYTES_MAX];
    size_t assignment_bytes;
    uint32_t agents;
    uint64_t seed;
    uint64_t started_wall_ns;
    char folder[FOLDER_PATH_BYTES];
    struct session *session;
    struct sink sinks[3];
    size_t sink_count;
    struct plot *plot;
};

static bool check_agents(struct simulating *simulating, struct error *error)
{
    const struct simulate_options *options = simulating->options;
    simulating->agents = options->agents > 0 ? options->agents : simulating->plan->agents_expect;
    if (simulating->agents > SIMULATED_AGENTS_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "the plan expects %u agents, and %u at most are simulated: say --agents",
                         simulating->agents, SIMULATED_AGENTS_MAX);
    return true;
}

static bool open_session(struct simulating *simulating, uint8_t run_id[ID_BYTES],
                         struct error *error)
{
    struct session_config config = {.plan = simulating->plan,
                                    .assignment = simulating->assignment,
                                    .assignment_bytes = simulating->assignment_bytes,
                                    .epoch = 1,
                                    .started_wall_ns = simulating->started_wall_ns,
                                    .agents_expect = simulating->agents,
                                    .wait_ns = simulating->plan->agents_wait_ns,
                                    .lease_ms = LEASE_MS};
    simulation_run_id(simulating->seed, run_id);
    memcpy(config.run_id, run_id, ID_BYTES);
    simulating->session = session_create(&config, error);
    return simulating->session != NULL;
}

static bool open_sinks(struct simulating *simulating, const uint8_t run_id[ID_BYTES],
                       struct error *error)
{
    char id[2 * ID_BYTES + 1];
    for (size_t i = 0; i < ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", run_id[i]);
    struct sink_start start = {.plan = simulating->plan,
                               .run_id = id,
                               .folder = simulating->folder,
                               .endpoint = "simulated",
                               .started_wall_ns = simulating->started_wall_ns};
    struct sink *sinks = simulating->sinks;
    if (!sink_record_open(&sinks[simulating->sink_count], &start, error))
        return false;
    simulating->sink_count++;
    if (!simulating->options->quiet) {
        if (!sink_console_open(&sinks[simulating->sink_count], &start, false, error))
            return false;
        simulating->sink_count++;
    }
    if (simulating->options->plot)
        simulating->plot = plot_create(simulating->plan, &sinks[simulating->sink_count++]);
    return true;
}

static bool simulating_open(struct simulating *simulating, struct error *error)
{
    uint8_t run_id[ID_BYTES];
    return check_agents(simulating, error) &&
           assign_from_plan(simulating->plan, simulating->assignment, &simulating->assignment_bytes,
                            error) &&
           folder_create(simulating->options->out, simulating->plan->name,
                         simulating->started_wall_ns, simulating->folder, error) &&
           open_session(simulating, run_id, error) && open_sinks(simulating, run_id, error);
}

static void draw(const struct simulating *simulating, uint64_t took_ns)
{
    const struct plan *plan = simulating->plan;
    const char *json = simulating->options->json;
    char name[4 * NAME_BYTES_MAX], goal[128], length[UNITS_TEXT_BYTES], took[UNITS_TEXT_BYTES];
    if (simulating->plot == NULL || (json != NULL && strcmp(json, "-") == 0))
        return;
    const char *text = simulating->options->plant_text;
    printf("\n%s  %s  simulated: %s in %s, seed %llu\nplant     %s\n\n",
           harmless_text(plan->name, name, sizeof name), plan_goal_text(plan, goal, sizeof goal),
           units_show_duration(plan->schedule.duration_ns, length),
           units_show_latency(took_ns, took), (unsigned long long)simulating->seed,
           text != NULL ? text : SIMULATE_PLANT_DEFAULT);
    struct terminal_look look = terminal_look(stdout, PLOT_COLUMNS);
    plot_draw(simulating->plot, &(struct plot_look){.columns = look.columns, .ascii = look.ascii},
              stdout);
}

static int simulating_run(struct simulating *simulating)
{
    uint64_t from_ns = clock_now_ns();
    simulation_run(&(struct simulation){.plan = simulating->plan,
                                        .plant = &simulating->options->plant,
                                        .agents = simulating->agents,
                                        .seed = simulating->seed,
                                        .session = simulating->session,
                                        .sinks = simulating->sinks,
                                        .sink_count = simulating->sink_count});
    uint64_t took_ns = clock_now_ns() - from_ns;
    int code = leave_with(&(struct leaving){.report = session_report(simulating->session),
                                            .sinks = simulating->sinks,
                                            .sink_count = simulating->sink_count,
                                            .folder = simulating->folder,
                                            .json = simulating->options->json});
    draw(simulating, took_ns);
    return code;
}

static void simulating_end(struct simulating *simulating)
{
    for (size_t i = 0; i < simulating->sink_count; i++)
        if (simulating->sinks[i].close != NULL)
            simulating->sinks[i].close(simulating->sinks[i].state);
    plot_destroy(simulating->plot);
    session_destroy(simulating->session);
}

static int simulate_plan(const struct simulate_options *options, const char *word)
{
    struct plan_errors errors = {0};
    struct plan *plan = plan_load(word, &errors);
    if (plan == NULL)
        return leave_for_plan(&errors);
    struct simulating *simulating = calloc(1, sizeof *simulating);
    CHECK_MEMORY(simulating != NULL);
    simulating->options = options;
    simulating->plan = plan;
    simulating->seed = options->seed_given ? options->seed : plan->seed;
    simulating->started_wall_ns = clock_wall_ns();
    struct error error = {0};
    bool counted = plan->requests_total > 0;
    if (counted)
        error_set(&error, ERROR_USAGE, PLACE_NONE,
                  "a simulation counts no requests; leave requests_total out and give a duration");
    int code = !counted && simulating_open(simulating, &error) ? simulating_run(simulating)
                                                               : leave_for(&error);
    simulating_end(simulating);
    free(simulating);
    plan_destroy(plan);
    return code;
}

int command_simulate(int count, char **arguments)
{
    struct simulate_options options = {0};
    struct error error = {0};
    const char *words[1] = {NULL};
    size_t words_count = 0;
    simulate_plant_init(&options.plant);
    int code = EXIT_MET;
    if (leave_after(
            flags_read(&simulate_flags, count, arguments, &options, words, &words_count, &error),
            &error, &code))
        return code;
    return simulate_plan(&options, words[0]);
}
