/** Command lines, GNU style, over getopt_long: one table of flags drives parsing, environment twins
 *  and --help. */
#ifndef CLOBBER_BASE_FLAGS_H
#define CLOBBER_BASE_FLAGS_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Takes one value of a flag: from the command line, or from its environment twin (`CLOBBER_` and
 *  the name in capitals with `_`). `value` is borrowed for as long as the process lives; it is ""
 *  for a flag without argument (an environment twin of such a flag counts unless empty, "0" or
 *  "false"). False: `error` holds a sentence; flags.c names the flag in front. */
typedef bool flag_take(void *context, const char *value, struct error *error);

struct flag {
    const char *name;     /* without the dashes: "max-rate" */
    char letter;          /* 'd', or 0: none */
    const char *argument; /* "DURATION"; NULL: takes none */
    const char *preset;   /* the default as help shows it, or NULL */
    const char *help;     /* one line, no full stop */
    flag_take *take;
    bool repeats; /* may come more than once; else the second is an error */
};

struct flags {
    const char *command; /* "run" */
    const char *usage;   /* "clobber run PLAN.yaml|URL [FLAGS]" */
    const char *about;   /* one sentence */
    const char *example; /* one command line */
    const struct flag *rows;
    size_t count;
    size_t words_min, words_max;   /* how many words that are no flags */
    void (*explain)(FILE *stream); /* prints what help says below the flags; NULL: nothing */
};

enum flags_outcome { FLAGS_OK, FLAGS_HELP, FLAGS_BAD };

/** Reads `arguments[count]` (without the command's name) in their order, then the environment twins
 *  of the flags that were not among them: the command line beats the environment. An empty variable
 *  is none. Words that are no flags, and all behind "--", go into `words[words_max]` (borrowed from
 *  `arguments`), their number into `words_count`; "-" is a word. GNU forms all count: "-d5s",
 *  "--rate=5", "--dur 5s". FLAGS_HELP: --help or -h was given and has been printed to stdout.
 *  FLAGS_BAD: ERROR_USAGE, the nearest flag suggested. Uses getopt_long, so for one thread at a
 *  time. */
enum flags_outcome flags_read(const struct flags *flags, int count, char **arguments, void *context,
                              const char **words, size_t *words_count, struct error *error);

#endif
