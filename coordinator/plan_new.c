#include "coordinator/plan_new.h"

#include "common/base/check.h"
#include "common/base/flags.h"
#include "common/command.h"
#include "coordinator/leave.h"

#include <string.h>

#define HEAD                                                                                       \
    "# A plan for clobber. Try it as it stands, then change it:\n"                                 \
    "#   clobber target --listen 127.0.0.1:8080 --latency 5ms --servers 64\n"                      \
    "#   clobber validate plan.yaml     # what it comes to, with all defaults\n"                   \
    "#   clobber simulate plan.yaml     # what would happen, against a model\n"                    \
    "#   clobber run plan.yaml\n"                                                                  \
    "version: 1\n"                                                                                 \
    "name: checkout\n"                                                                             \
    "target: http://127.0.0.1:8080        # or https:// tcp:// tls:// redis://\n\n"

#define MIDDLE                                                                                     \
    "duration: 60s                        # warm-up included\n"                                    \
    "warmup: 5s                           # left out of the result\n\n"                            \
    "limits:\n"                                                                                    \
    "  concurrency: 20000                 # never more requests in flight than this\n"             \
    "  stop_after: 10s                    # break off when most requests fail for so long\n"       \
    "agents: {expect: 1}                  # how many machines make the load\n"                     \
    "http: {timeout: 5s}\n\n"                                                                      \
    "requests:                            # the mix, by weight; {{ }} is filled in anew each\n"    \
    "  - {name: browse, weight: 9, get: \"/p/{{ random(1, 100) }}\"}\n"                            \
    "  - name: buy\n"                                                                              \
    "    weight: 1\n"                                                                              \
    "    post: /buy\n"                                                                             \
    "    headers: {Content-Type: application/json}\n"                                              \
    "    body: '{\"item\": {{ seq }}}'\n"                                                          \
    "    expect: {status: 2xx}            # any other answer is a failed request\n\n"              \
    "thresholds:                          # pass or fail, after the warm-up\n"

static const struct goal {
    const char *name;
    const char *help;
    const char *text;
} goals[] = {
    {"hold", "hold a rate; the concurrency for it is found",
     HEAD "goal: {hold: 2000/s}                 # the rate; clobber finds the concurrency for "
          "it\n" MIDDLE
          "  - latency.p(99) < 250ms              # counted from when a request was due\n"
          "  - errors.rate < 0.1%\n"},
    {"maximize", "find the most throughput, and the fewest workers for it",
     HEAD "goal: {maximize: throughput}         # the most there is, and the fewest workers for "
          "it\n" MIDDLE "  - throughput > 2000/s\n"
          "  - errors.rate < 0.1%\n"},
    {"while", "the same while bounds on latency and errors hold",
     HEAD "goal:                                # the most there is while the bounds hold\n"
          "  maximize: throughput\n"
          "  while: [latency.p(99) < 20ms, errors.rate < 0.5%]\n" MIDDLE
          "  - throughput > 2000/s\n"},
};

static const struct goal *goal_called(const char *name)
{
    for (size_t i = 0; i < COUNT(goals); i++)
        if (strcmp(goals[i].name, name) == 0)
            return &goals[i];
    return NULL;
}

const char *plan_new_text(const char *name)
{
    const struct goal *goal = goal_called(name);
    return goal != NULL ? goal->text : NULL;
}

static bool take_goal(void *context, const char *value, struct error *error)
{
    const struct goal *goal = goal_called(value);
    if (goal == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "'%.40s' is none of hold, maximize, while",
                         value);
    *(const struct goal **)context = goal;
    return true;
}

static const struct flag rows[] = {
    {"goal", 0, "GOAL", "hold", "what the plan is to reach, see below", take_goal, false},
};

static void explain_goals(FILE *stream)
{
    fprintf(stream, "Goals:\n");
    for (size_t i = 0; i < COUNT(goals); i++)
        fprintf(stream, "  %-9s %s\n", goals[i].name, goals[i].help);
}

static const struct flags plan_flags = {
    .command = "plan",
    .usage = "clobber plan new [FLAGS]",
    .about = "Writes a commented plan to start from to stdout.",
    .example = "clobber plan new --goal while > plan.yaml",
    .rows = rows,
    .count = COUNT(rows),
    .words_min = 1,
    .words_max = 1,
    .explain = explain_goals,
};

int command_plan(int count, char **arguments)
{
    const struct goal *goal = &goals[0];
    struct error error = {0};
    const char *words[1] = {NULL};
    size_t words_count = 0;
    int code = EXIT_MET;
    if (leave_after(flags_read(&plan_flags, count, arguments, &goal, words, &words_count, &error),
                    &error, &code))
        return code;
    if (strcmp(words[0], "new") != 0) {
        error_set(&error, ERROR_USAGE, PLACE_NONE, "plan '%.40s' is unknown; try: clobber plan new",
                  words[0]);
        return leave_for(&error);
    }
    fputs(goal->text, stdout);
    if (fflush(stdout) != 0) {
        error_set(&error, ERROR_SYSTEM, PLACE_NONE, "cannot write to stdout");
        return leave_for(&error);
    }
    return EXIT_MET;
}
