/* The one main(): finds the subcommand and hands over. */
#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "common/command.h"
#include "common/version.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    const char *help;                          /* one line, no full stop */
    int (*enter)(int count, char **arguments); /* NULL: not built yet */
};

static const struct command commands[] = {
    {"run", "load a target from this machine, and find the concurrency that meets the goal",
     command_run},
    {"coordinator", "lead one run over a fleet of agents", command_coordinator},
    {"agent", "join a coordinator and make load for it", command_agent},
    {"target", "serve HTTP with a known latency, to try clobber on", command_target},
    {"validate", "check a plan and print it in full, without running it", command_validate},
    {"simulate", "run a plan against a model of a target, in virtual time", command_simulate},
    {"doctor", "measure what each agent's machine can carry", command_doctor},
    {"top", "follow a run as it happens", NULL},
    {"report", "show a finished run again", command_report},
    {"compare", "tell how two runs differ, with confidence intervals", command_compare},
    {"history", "list the runs kept, and the trend of a plan", command_history},
    {"plan", "write a commented plan to start from", command_plan},
    {"key", "make key pairs for an encrypted fleet", command_key},
};

static void print_help(FILE *stream)
{
    fprintf(stream,
            "clobber %s, a load tester that finds the concurrency by itself\n\n"
            "Usage: clobber COMMAND [WORDS] [FLAGS]\n\nCommands:\n",
            CLOBBER_VERSION);
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(stream, "  %-11s  %s%s\n", commands[i].name, commands[i].help,
                commands[i].enter == NULL ? " (not built yet)" : "");
    fprintf(stream, "\n  clobber COMMAND --help   show every flag of a command\n"
                    "  clobber --version        show the version\n\n"
                    "Example:\n  clobber run http://127.0.0.1:8080/ --rate 5000 --duration 30s\n");
}

static int refuse(const char *word)
{
    const char *names[COUNT(commands)];
    for (size_t i = 0; i < COUNT(commands); i++)
        names[i] = commands[i].name;
    const char *nearest = units_nearest(word, names, COUNT(names));
    char shown[128];
    harmless_text(word, shown, sizeof shown);
    if (nearest != NULL)
        fprintf(stderr, "clobber: there is no command '%s'; did you mean '%s'?\n", shown, nearest);
    else
        fprintf(stderr, "clobber: there is no command '%s'; clobber --help shows all\n", shown);
    return EXIT_USAGE;
}

static int enter(const char *name, int count, char **arguments)
{
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (commands[i].enter != NULL)
            return commands[i].enter(count, arguments);
        fprintf(stderr, "clobber: '%s' is not built yet\n", name);
        return EXIT_USAGE;
    }
    return refuse(name);
}

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of write(), not the end of us */
    if (count < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *word = arguments[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help(stdout);
        return EXIT_MET;
    }
    if (strcmp(word, "--version") == 0) {
        printf("clobber %s\n", CLOBBER_VERSION);
        return EXIT_MET;
    }
    return enter(word, count - 2, arguments + 2);
}
