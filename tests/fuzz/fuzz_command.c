/* Any lines as the words of a command line: refused with a sentence, or options of which, where
 * they name a URL, a plan is made or refused likewise. The first line's first byte picks the
 * command. */
#include "agent/agent.h"
#include "coordinator/plan.h"
#include "coordinator/run.h"
#include "coordinator/simulate.h"

#include "common/base/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 64
#define BYTES_MAX 4096u

/** Cuts `text` at its line ends, in place. */
static int split(char *text, char **words)
{
    int count = 0;
    char *rest = text;
    for (char *word; count < WORDS_MAX && (word = strsep(&rest, "\n")) != NULL;)
        words[count++] = word;
    return count;
}

static void check_refusal(enum flags_outcome outcome, const struct error *error)
{
    if (outcome != FLAGS_BAD)
        return;
    CHECK(error->kind == ERROR_USAGE);
    CHECK(error->message[0] != '\0');
}

static void try_run(const struct flags *flags, int count, char **words)
{
    struct run_options options = {0};
    struct error error = {0};
    const char *left[1] = {NULL};
    size_t left_count = 0;
    enum flags_outcome outcome =
        flags_read(flags, count, words, &options, left, &left_count, &error);
    check_refusal(outcome, &error);
    if (outcome == FLAGS_OK && left_count > 0) {
        struct plan_errors errors = {0};
        options.request.url = left[0];
        struct plan *plan = plan_from_flags(&options.request, &errors);
        CHECK((plan == NULL) == (errors.count > 0));
        plan_destroy(plan);
    }
    free(options.body_file);
}

static void try_simulate(int count, char **words)
{
    struct simulate_options options = {0};
    struct error error = {0};
    const char *left[1];
    size_t left_count = 0;
    check_refusal(flags_read(&simulate_flags, count, words, &options, left, &left_count, &error),
                  &error);
}

static void try_agent(int count, char **words)
{
    struct agent_options options;
    struct error error = {0};
    check_refusal(agent_options_read(count, words, &options, &error), &error);
}

/* Help goes where it disturbs nobody. */
static void silence(void)
{
    static bool is_done;
    int nowhere = is_done ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDOUT_FILENO);
    is_done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char text[BYTES_MAX + 1], *words[WORDS_MAX];
    if (count < 1 || count > BYTES_MAX)
        return 0;
    silence();
    memcpy(text, bytes, count);
    text[count] = '\0';
    for (size_t i = 0; i < count; i++)
        if (text[i] == '@') /* a body of a file: not of any that lies here */
            text[i] = '%';
    int word_count = split(text + 1, words);
    switch (bytes[0] % 5) {
    case 0:
        try_run(&run_flags, word_count, words);
        break;
    case 1:
        try_run(&coordinator_flags, word_count, words);
        break;
    case 2:
        try_run(&validate_flags, word_count, words);
        break;
    case 3:
        try_simulate(word_count, words);
        break;
    default:
        try_agent(word_count, words);
        break;
    }
    return 0;
}
