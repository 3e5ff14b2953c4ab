/** Every subcommand's entry point, and the exit codes of the contract. */
#ifndef CLOBBER_COMMAND_H
#define CLOBBER_COMMAND_H

enum exit_code {
    EXIT_MET = 0,          /* it ran, the goal was met and every threshold passed */
    EXIT_MISSED = 1,       /* it ran; the goal was missed or a threshold failed */
    EXIT_USAGE = 2,        /* usage, or a bad plan: nothing was started */
    EXIT_BROKEN_OFF = 3,   /* it could not start or was broken off */
    EXIT_NOT_TRUSTED = 4,  /* it ran, but the answer is not to be trusted */
    EXIT_INTERRUPTED = 130 /* Ctrl-C */
};

/** Each takes the words after its own name and returns an exit code. It may print and log. */
int command_run(int count, char **arguments);
int command_coordinator(int count, char **arguments);
int command_validate(int count, char **arguments);
int command_simulate(int count, char **arguments);
int command_compare(int count, char **arguments);
int command_agent(int count, char **arguments);
int command_doctor(int count, char **arguments);
int command_history(int count, char **arguments);
int command_plan(int count, char **arguments);
int command_report(int count, char **arguments);
int command_key(int count, char **arguments);
int command_target(int count, char **arguments);

#endif
