#include "common/base/flags.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_MAX     64u  /* of one command: more than a screen of help */
#define ARGUMENTS_MAX 512u /* words of a command line; people repeat a header some ten times */
#define TWIN_BYTES    64u
#define LEFT_BYTES    64u
#define LETTERS_BYTES (3 + 2 * FLAGS_MAX)
#define LONG_FLAG     256 /* what getopt_long returns for row i is this plus i: no letter */
#define HELP_FLAG     (LONG_FLAG + (int)FLAGS_MAX)
#define HELP_LETTER   'h'
#define NOT_A_FLAG    1 /* getopt's own number for a word, when asked to keep the order */

/* One reading of a command line. */
struct reading {
    const struct flags *flags;
    void *context;
    const char **words;
    size_t words_count;
    bool given[FLAGS_MAX];
    struct error *error;
};

/* Writes the environment twin of "max-rate": "CLOBBER_MAX_RATE". */
static void twin_name(const char *name, char *twin)
{
    int length = snprintf(twin, TWIN_BYTES, "CLOBBER_%s", name);
    CHECK(length > 0 && length < (int)TWIN_BYTES);
    for (char *at = twin; *at != '\0'; at++) {
        if (*at == '-')
            *at = '_';
        else
            *at = (char)toupper((unsigned char)*at);
    }
}

/* Writes the left column of help: "-d, --duration DURATION". */
static int left_column(char letter, const char *name, const char *argument, char *left)
{
    char letter_text[8] = "    ";
    if (letter != '\0')
        snprintf(letter_text, sizeof letter_text, "-%c, ", letter);
    int length = snprintf(left, LEFT_BYTES, "%s--%s%s%s", letter_text, name,
                          argument != NULL ? " " : "", argument != NULL ? argument : "");
    CHECK(length > 0 && length < (int)LEFT_BYTES);
    return length;
}

static const struct flag *flag_by_letter(const struct flags *flags, int letter)
{
    for (size_t i = 0; i < flags->count; i++) {
        if (flags->rows[i].letter == letter)
            return &flags->rows[i];
    }
    return NULL;
}

static char help_letter(const struct flags *flags)
{
    return flag_by_letter(flags, HELP_LETTER) == NULL ? HELP_LETTER : '\0';
}

static void print_help(const struct flags *flags)
{
    char left[LEFT_BYTES];
    int width = left_column('\0', "help", NULL, left);
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *row = &flags->rows[i];
        int length = left_column(row->letter, row->name, row->argument, left);
        width = length > width ? length : width;
    }

    printf("%s\n\nUsage: %s\n\nFlags, each with its twin in the environment:\n", flags->about,
           flags->usage);
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *row = &flags->rows[i];
        char twin[TWIN_BYTES];
        twin_name(row->name, twin);
        left_column(row->letter, row->name, row->argument, left);
        printf("  %-*s  %s\n  %-*s  %s", width, left, row->help, width, "", twin);
        if (row->preset != NULL)
            printf(" (default: %s)", row->preset);
        printf("\n");
    }
    left_column(help_letter(flags), "help", NULL, left);
    printf("  %-*s  show this page\n", width, left);
    if (flags->explain != NULL) {
        printf("\n");
        flags->explain(stdout);
    }
    printf("\nExample:\n  %s\n", flags->example);
}

/* Hands one value to its flag; a failure names the flag as the user wrote it. */
static bool take(const struct reading *reading, const struct flag *row, const char *written,
                 const char *value)
{
    return row->take(reading->context, value, reading->error) ||
           error_prefix(reading->error, "%s", written);
}

static bool take_given(struct reading *reading, const struct flag *row, const char *value)
{
    size_t index = (size_t)(row - reading->flags->rows);
    char written[LEFT_BYTES];
    snprintf(written, sizeof written, "--%s", row->name);
    if (reading->given[index] && !row->repeats)
        return error_set(reading->error, ERROR_USAGE, PLACE_NONE, "%s is given twice", written);
    reading->given[index] = true;
    return take(reading, row, written, value != NULL ? value : "");
}

static bool take_word(struct reading *reading, const char *word)
{
    const struct flags *flags = reading->flags;
    if (reading->words_count == flags->words_max) {
        char shown[128];
        harmless_text(word, shown, sizeof shown);
        return error_set(reading->error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is one word too many; usage: %s", shown, flags->usage);
    }
    reading->words[reading->words_count++] = word;
    return true;
}

/* Says that nobody knows `written`, and which flag may have been meant. */
static bool refuse_unknown(const struct reading *reading, const char *written)
{
    const char *names[FLAGS_MAX + 1];
    size_t count = reading->flags->count;
    for (size_t i = 0; i < count; i++)
        names[i] = reading->flags->rows[i].name;
    names[count] = "help";

    char name[64];
    snprintf(name, sizeof name, "%s", written + strspn(written, "-"));
    name[strcspn(name, "=")] = '\0';
    const char *nearest = units_nearest(name, names, count + 1);
    char shown[128];
    harmless_text(written, shown, sizeof shown);
    if (nearest != NULL)
        return error_set(reading->error, ERROR_USAGE, PLACE_NONE,
                         "there is no flag '%s'; did you mean --%s?", shown, nearest);
    return error_set(reading->error, ERROR_USAGE, PLACE_NONE,
                     "there is no flag '%s'; clobber %s --help shows all", shown,
                     reading->flags->command);
}

/* What getopt_long found wrong: `answer` is ':' or '?', `written` the argument it stands in. */
static bool refuse(const struct reading *reading, int answer, const char *written)
{
    const struct flags *flags = reading->flags;
    if (optopt >= LONG_FLAG && optopt < LONG_FLAG + (int)flags->count) {
        const struct flag *row = &flags->rows[optopt - LONG_FLAG];
        if (answer == ':')
            return error_set(reading->error, ERROR_USAGE, PLACE_NONE, "--%s needs a value: %s",
                             row->name, row->argument);
        return error_set(reading->error, ERROR_USAGE, PLACE_NONE, "--%s takes no value", row->name);
    }
    if (answer == ':')
        return error_set(reading->error, ERROR_USAGE, PLACE_NONE, "-%c needs a value: %s", optopt,
                         flag_by_letter(flags, optopt)->argument);
    if (optopt == HELP_FLAG)
        return error_set(reading->error, ERROR_USAGE, PLACE_NONE, "--help takes no value");
    char letter[8] = "";
    if (optopt != 0) /* one unknown letter, maybe amid others that are known: -qz */
        snprintf(letter, sizeof letter, "-%c", optopt);
    return refuse_unknown(reading, letter[0] != '\0' ? letter : written);
}

/* Tells getopt_long about the rows: `letters[LETTERS_BYTES]` and `options[FLAGS_MAX + 2]`. */
static void describe(const struct flags *flags, char *letters, struct option *options)
{
    size_t used = 0;
    letters[used++] = '-'; /* words in their order, whatever POSIXLY_CORRECT says */
    letters[used++] = ':'; /* a missing value is told apart from an unknown flag */
    for (size_t i = 0; i < flags->count; i++) {
        const struct flag *row = &flags->rows[i];
        options[i] = (struct option){
            .name = row->name,
            .has_arg = row->argument != NULL ? required_argument : no_argument,
            .val = LONG_FLAG + (int)i,
        };
        if (row->letter == '\0')
            continue;
        letters[used++] = row->letter;
        if (row->argument != NULL)
            letters[used++] = ':';
    }
    if (help_letter(flags) != '\0')
        letters[used++] = HELP_LETTER;
    letters[used] = '\0';
    options[flags->count] = (struct option){.name = "help", .val = HELP_FLAG};
    options[flags->count + 1] = (struct option){0};
}

static enum flags_outcome read_command_line(struct reading *reading, int count, char **arguments)
{
    const struct flags *flags = reading->flags;
    char letters[LETTERS_BYTES + 1];
    struct option options[FLAGS_MAX + 2];
    describe(flags, letters, options);

    opterr = 0;
    optind = 0; /* glibc: start afresh */
    for (;;) {
        int answer = getopt_long(count, arguments, letters, options, NULL);
        bool good = true;
        if (answer == -1)
            break;
        if (answer == NOT_A_FLAG)
            good = take_word(reading, optarg);
        else if (answer == '?' || answer == ':')
            good = refuse(reading, answer, arguments[optind - 1]);
        else if (answer >= LONG_FLAG && answer < LONG_FLAG + (int)flags->count)
            good = take_given(reading, &flags->rows[answer - LONG_FLAG], optarg);
        else if (answer == HELP_FLAG || flag_by_letter(flags, answer) == NULL)
            return FLAGS_HELP;
        else
            good = take_given(reading, flag_by_letter(flags, answer), optarg);
        if (!good)
            return FLAGS_BAD;
    }
    for (int i = optind; i < count; i++) { /* behind "--" */
        if (!take_word(reading, arguments[i]))
            return FLAGS_BAD;
    }
    return FLAGS_OK;
}

static bool read_environment(struct reading *reading)
{
    for (size_t i = 0; i < reading->flags->count; i++) {
        const struct flag *row = &reading->flags->rows[i];
        char twin[TWIN_BYTES];
        twin_name(row->name, twin);
        const char *value = getenv(twin);
        if (reading->given[i] || value == NULL || value[0] == '\0')
            continue;
        if (row->argument == NULL) {
            if (strcmp(value, "0") == 0 || strcmp(value, "false") == 0)
                continue;
            value = "";
        }
        if (!take(reading, row, twin, value))
            return false;
    }
    return true;
}

enum flags_outcome flags_read(const struct flags *flags, int count, char **arguments, void *context,
                              const char **words, size_t *words_count, struct error *error)
{
    CHECK(flags->count <= FLAGS_MAX);
    CHECK(count >= 0);
    if (count > (int)ARGUMENTS_MAX) {
        error_set(error, ERROR_USAGE, PLACE_NONE, "%d arguments; at most %u are read", count,
                  ARGUMENTS_MAX);
        return FLAGS_BAD;
    }
    /* getopt_long skips the first word, wants a NULL at the end, and may change the order. */
    char *copy[ARGUMENTS_MAX + 2] = {(char[]){"clobber"}};
    for (int i = 0; i < count; i++)
        copy[i + 1] = arguments[i];

    struct reading reading = {.flags = flags, .context = context, .words = words, .error = error};
    enum flags_outcome outcome = read_command_line(&reading, count + 1, copy);
    if (outcome == FLAGS_HELP)
        print_help(flags);
    if (outcome != FLAGS_OK)
        return outcome;
    if (!read_environment(&reading))
        return FLAGS_BAD;
    if (reading.words_count < flags->words_min) {
        error_set(error, ERROR_USAGE, PLACE_NONE, "a word is missing; usage: %s", flags->usage);
        return FLAGS_BAD;
    }
    *words_count = reading.words_count;
    return FLAGS_OK;
}
