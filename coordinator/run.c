#include "coordinator/run.h"

#include "common/base/cgroup.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/loop.h"
#include "common/base/net.h"
#include "common/base/secret_file.h"
#include "common/command.h"
#include "coordinator/assign.h"
#include "coordinator/children.h"
#include "coordinator/driver.h"
#include "coordinator/folder.h"
#include "coordinator/leave.h"
#include "coordinator/resume.h"
#include "coordinator/store.h"
#include "proto/channel.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define ENDPOINT_DEFAULT "tcp://127.0.0.1:7420"

/* One run from a checked plan to its exit code. What is set is what was begun. */
struct run {
    const struct run_options *options;
    const struct plan *plan;
    uint8_t assignment[ASSIGNMENT_BYTES_MAX];
    size_t assignment_bytes;
    uint32_t agents;
    uint64_t started_wall_ns;
    char folder[FOLDER_PATH_BYTES];
    uint64_t epoch;
    bool over; /* it has its result */
    struct children children;
    struct channel *channel;
    struct keys keys;
    int signals;
    struct store *store;  /* of a coordinator whose agents may outlive it */
    struct resume resume; /* what is taken up again */
    struct session *session;
    struct sink sinks[2];
    size_t sink_count;
};

static bool is_url(const char *word)
{
    return strstr(word, "://") != NULL;
}

/* The plan of a word on the command line; NULL: its errors are printed, `code` is for them. */
static struct plan *run_plan(const char *word, struct run_options *options, int *code)
{
    struct plan_errors errors = {0};
    struct plan *plan;
    if (is_url(word)) {
        options->request.url = word;
        plan = plan_from_flags(&options->request, &errors);
    } else {
        plan = plan_load(word, &errors);
    }
    if (plan == NULL)
        *code = leave_for_plan(&errors);
    return plan;
}

/* What a plan says itself is not said again by flags that are for a URL. */
static bool run_check_flags(const char *word, const struct run_options *options,
                            struct error *error)
{
    const struct plan_flags *request = &options->request;
    bool given = options->request_given || request->duration_ns > 0 || request->rate_per_s > 0 ||
                 request->concurrency > 0 || request->requests_total > 0 ||
                 request->timeout_ns > 0 || request->name != NULL;
    if (is_url(word) || !given)
        return true;
    return error_set(error, ERROR_USAGE, PLACE_NONE,
                     "-d, -n, -R, -c, -k, -m, -H, -b, --timeout, --while and --name go with a URL; "
                     "a plan file says these itself: write them into %s",
                     word);
}

/* A name that cannot be resolved is found before anything starts. Agents resolve it again for
 * themselves. */
static bool run_check_target(const struct plan *plan, struct error *error)
{
    struct address addresses[ADDRESSES_MAX];
    uint32_t count;
    if (plan->unix_path[0] != '\0')
        return true; /* each agent's machine has its own */
    return net_resolve(plan->host, plan->port, addresses, &count, error);
}

static bool run_start_children(struct run *run, struct error *error)
{
    uint32_t lanes = run->options->lanes;
    if (lanes == 0)
        lanes = cgroup_cores(cgroup_limits("").cpus) / run->agents;
    if (lanes == 0)
        lanes = 1;
    const struct plan *plan = run->plan;
    char allow[NAME_BYTES_MAX + 16];
    if (plan->unix_path[0] != '\0')
        snprintf(allow, sizeof allow, "unix:%s", plan->unix_path);
    else
        snprintf(allow, sizeof allow, strchr(plan->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                 plan->host, plan->port);
    return children_start(&run->children,
                          &(struct children_plan){.count = run->agents,
                                                  .lanes = lanes,
                                                  .allow = allow,
                                                  .passed = run->options->passed,
                                                  .passed_count = run->options->passed_count},
                          error);
}

static bool run_bind(struct run *run, const char *endpoint, struct error *error)
{
    if (run->plan->secret_count > 0)
        secret_file_hide_process();
    run->channel = keys_bind(&run->options->keys, endpoint, run->agents, &run->keys, error);
    if (run->channel != NULL && run->plan->secret_count > 0 && run->options->keys.plaintext &&
        !channel_endpoint_is_local(endpoint))
        log_line(LOG_WARNING,
                 "--plaintext: the secrets of this plan go over the network as they are");
    return run->channel != NULL;
}

static void hexadecimal(const uint8_t *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static bool run_open_sinks(struct run *run, const struct session_config *config,
                           struct error *error)
{
    char run_id[2 * ID_BYTES + 1];
    hexadecimal(config->run_id, ID_BYTES, run_id);
    struct sink_start start = {.plan = run->plan,
                               .run_id = run_id,
                               .folder = run->folder,
                               .endpoint = channel_endpoint(run->channel),
                               .started_wall_ns = run->started_wall_ns,
                               .resumed = run->options->resume != NULL};
    if (!sink_record_open(&run->sinks[run->sink_count], &start, error))
        return false;
    run->sink_count++;
    if (run->options->quiet)
        return true;
    const char *terminal = getenv("TERM");
    bool alive = isatty(STDERR_FILENO) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
    if (!sink_console_open(&run->sinks[run->sink_count], &start, alive, error))
        return false;
    run->sink_count++;
    return true;
}

static bool run_open_session(struct run *run, uint64_t wait_ns, struct error *error)
{
    struct session_config config = {.plan = run->plan,
                                    .assignment = run->assignment,
                                    .assignment_bytes = run->assignment_bytes,
                                    .epoch = run->epoch,
                                    .started_wall_ns = run->started_wall_ns,
                                    .agents_expect = run->agents,
                                    .wait_ns = wait_ns,
                                    .lease_ms = LEASE_MS,
                                    .plaintext = run->options->keys.plaintext};
    bool resumed = run->options->resume != NULL;
    if (resumed)
        memcpy(config.run_id, run->resume.past.run_id, ID_BYTES);
    else if (getrandom(config.run_id, sizeof config.run_id, 0) != (ssize_t)sizeof config.run_id)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "no random numbers from the kernel");
    if (run->store != NULL)
        store_name(run->store, config.run_id, run->started_wall_ns);
    run->session = session_create(&config, error);
    return run->session != NULL &&
           (!resumed || resume_session(&run->resume, run->session, config.lease_ms, error)) &&
           run_open_sinks(run, &config, error);
}

static bool run_child_ended(void *context, struct error *error)
{
    struct run *run = context;
    run->children.needed = session_state(run->session) == SESSION_GATHERING;
    return children_reap(&run->children, error);
}

/* What SIGHUP does where there are keys; what it could not read changes nothing. */
static const char *run_reload(void *context, char *sentence, size_t sentence_bytes)
{
    struct run *run = context;
    struct error error = {0};
    char why[2 * ERROR_MESSAGE_BYTES];
    if (keys_reload(&run->options->keys, &run->keys, run->channel, &error)) {
        snprintf(sentence, sentence_bytes, "%zu keys may join from now on",
                 keyring_count(run->keys.keyring));
        return "keys_reloaded";
    }
    snprintf(sentence, sentence_bytes, "the keys stay as they were: %s",
             error_text(&error, why, sizeof why));
    return "keys_kept";
}

/* A terminal that closes ends a run as Ctrl-C does, unless nohup was to keep it alive. */
static bool hangup_is_ignored(void)
{
    struct sigaction action;
    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Signals are blocked before anything starts a thread, so that only the loop takes them. */
static bool run_begin(struct run *run, struct error *error)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGCHLD, SIGHUP}; /* the last one only perhaps */
    if (run->options->keys.secret_key != NULL)
        signal(SIGHUP, SIG_DFL); /* reads keys again, for who started us with nohup too */
    run->signals = loop_signals(wanted, COUNT(wanted) - hangup_is_ignored(), error);
    return run->signals >= 0 &&
           assign_from_plan(run->plan, run->assignment, &run->assignment_bytes, error) &&
           run_check_target(run->plan, error);
}

static bool run_make_folder(struct run *run, struct error *error)
{
    return folder_create(run->options->out, run->plan->name, run->started_wall_ns, run->folder,
                         error);
}

/* In the folder of a run that is taken up again. Its epoch is on disk before anybody can hear of
 * it.
 */
static bool run_open_again(struct run *run, const char *bind, struct error *error)
{
    snprintf(run->folder, sizeof run->folder, "%s", run->options->resume);
    run->store = store_open(run->folder, error);
    if (run->store == NULL || !resume_read(&run->resume, run->store, run->folder, run->plan, error))
        return false;
    run->started_wall_ns = run->resume.past.started_wall_ns;
    if (run->options->bind == NULL && run->resume.endpoint[0] != '\0')
        bind = run->resume.endpoint; /* where its agents wait */
    return store_next_epoch(run->store, &run->epoch, error) && run_bind(run, bind, error);
}

/* The first epoch of a run that nobody has heard of yet. */
static bool run_open_store(struct run *run, struct error *error)
{
    run->store = store_open(run->folder, error);
    return run->store != NULL && store_next_epoch(run->store, &run->epoch, error);
}

/* What is likely to fail comes first, so that nothing is left behind: a folder when the endpoint is
 * refused, children when the folder is. */
static bool run_open(struct run *run, bool embedded, struct error *error)
{
    const char *bind = run->options->bind != NULL ? run->options->bind : ENDPOINT_DEFAULT;
    if (embedded)
        return run_make_folder(run, error) && run_start_children(run, error) &&
               run_bind(run, run->children.endpoint, error);
    if (run->options->resume != NULL)
        return run_open_again(run, bind, error);
    return run_bind(run, bind, error) && run_make_folder(run, error) && run_open_store(run, error);
}

static void run_end(struct run *run)
{
    for (size_t i = 0; i < run->sink_count; i++)
        if (run->sinks[i].close != NULL)
            run->sinks[i].close(run->sinks[i].state);
    session_destroy(run->session);
    resume_done(&run->resume);
    store_close(run->store, run->over);
    if (run->channel != NULL)
        channel_close(run->channel);
    keys_done(&run->keys);
    if (run->children.pids != NULL)
        children_stop(&run->children);
    if (run->signals >= 0)
        close(run->signals);
}

static bool run_drive(struct run *run, struct error *error)
{
    struct driver_config config = {.session = run->session,
                                   .channel = run->channel,
                                   .sinks = run->sinks,
                                   .sink_count = run->sink_count,
                                   .store = run->store,
                                   .signals = run->signals,
                                   .child_ended = run_child_ended,
                                   .child_context = run,
                                   .reload = run->keys.keyring != NULL ? run_reload : NULL,
                                   .reload_context = run};
    return driver_run(&config, error);
}

/* A plan from here to its exit code; `embedded`: with agents of our own. */
static int run_plan_through(const struct run_options *options, const struct plan *plan,
                            bool embedded)
{
    struct run *run = calloc(1, sizeof *run);
    CHECK_MEMORY(run != NULL);
    run->options = options;
    run->plan = plan;
    run->signals = -1;
    run->epoch = 1;
    run->started_wall_ns = clock_wall_ns();
    run->agents = embedded ? options->agents : options->expect_agents;
    if (run->agents == 0)
        run->agents = plan->agents_expect;

    struct error error = {0};
    bool well = run_begin(run, &error) && run_open(run, embedded, &error);
    if (well && !embedded)
        fprintf(stderr, "coordinator at %s, waiting for %u agent%s\n",
                channel_endpoint(run->channel), run->agents, run->agents == 1 ? "" : "s");
    uint64_t wait_ns = options->wait_ns > 0 ? options->wait_ns : plan->agents_wait_ns;
    well = well && run_open_session(run, wait_ns, &error) && run_drive(run, &error);
    run->over = well;
    int code = well ? leave_with(&(struct leaving){.report = session_report(run->session),
                                                   .sinks = run->sinks,
                                                   .sink_count = run->sink_count,
                                                   .folder = run->folder,
                                                   .json = run->options->json})
                    : leave_for(&error);
    run_end(run);
    free(run);
    return code;
}

enum depth { DEPTH_VALIDATE, DEPTH_COORDINATOR, DEPTH_RUN };

static int run_words(enum depth depth, struct run_options *options, const char *word)
{
    struct error error = {0};
    if (options->reference) {
        plan_print_reference(stdout);
        return EXIT_MET;
    }
    if (word == NULL)
        error_set(&error, ERROR_USAGE, PLACE_NONE, "give a PLAN.yaml, or - for standard input");
    if (word == NULL || !run_check_flags(word, options, &error))
        return leave_for(&error);
    int code = EXIT_MET;
    struct plan *plan = run_plan(word, options, &code);
    if (plan == NULL)
        return code;
    if (depth == DEPTH_VALIDATE)
        plan_print(plan, stdout);
    else
        code = run_plan_through(options, plan, depth == DEPTH_RUN);
    plan_destroy(plan);
    return code;
}

static int run_command(const struct flags *flags, enum depth depth, int count, char **arguments)
{
    struct run_options options = {0};
    struct error error = {0};
    const char *words[1] = {NULL};
    size_t words_count = 0;
    int code = EXIT_MET;
    switch (flags_read(flags, count, arguments, &options, words, &words_count, &error)) {
    case FLAGS_HELP:
        break;
    case FLAGS_BAD:
        code = leave_for(&error);
        break;
    case FLAGS_OK:
        code = run_words(depth, &options, words_count > 0 ? words[0] : NULL);
        break;
    }
    free(options.body_file);
    return code;
}

int command_run(int count, char **arguments)
{
    return run_command(&run_flags, DEPTH_RUN, count, arguments);
}

int command_coordinator(int count, char **arguments)
{
    return run_command(&coordinator_flags, DEPTH_COORDINATOR, count, arguments);
}

int command_validate(int count, char **arguments)
{
    return run_command(&validate_flags, DEPTH_VALIDATE, count, arguments);
}
